/*
 * What the front knows about each connection, and the watch that ends those over their deadline:
 * one thread serves one connection, so a peer that dribbles bytes into a handshake, a head or a
 * body, or does not read its answer, would hold a thread for as long as it likes.
 *
 * A worker thread has one struct front_conn for its life; it belongs to the connection that the
 * thread serves now.
 *
 * Threads  front_conn_self is the calling worker's; the watch takes each one's lock.
 */
#ifndef CONCLAVE_GATEWAY_FRONT_CONN_H
#define CONCLAVE_GATEWAY_FRONT_CONN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/err.h"

struct front_conn {
	pthread_mutex_t lock;
	int fd;		      /* -1: no connection, or none that the watch may touch */
	uint64_t deadline_ms; /* host/clock.h, monotonic */
	bool in_request;
	uint32_t requests;    /* served on this connection */
	char peer[48];
};

/* Before the listeners start: room for so many worker threads. */
CV_MUST_CHECK enum cv_err front_conn_init(uint32_t threads);
/* The calling thread's, made on its first call; NULL when all are taken. */
struct front_conn *front_conn_self(void);

/* From the first ClientHello; `fd` is the connection's socket. */
void front_conn_begin(struct front_conn *c, int fd, uint64_t deadline_ms);
void front_conn_deadline(struct front_conn *c, uint64_t deadline_ms, bool in_request);
/* Before the socket is closed: the watch must not touch the number's next user. */
void front_conn_end(struct front_conn *c);

/* Shuts down every connection over its deadline; how many. */
uint32_t front_conn_expire(uint64_t now_ms);
/* Connections that are open, and those with a request in hand. */
void front_conn_count(uint32_t *open, uint32_t *busy);

#endif
