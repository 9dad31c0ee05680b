#include "gateway/front_conn.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct front_conn *all;
static uint32_t all_count;
static atomic_uint taken;
static _Thread_local struct front_conn *self;

enum cv_err front_conn_init(uint32_t threads)
{
	all = calloc(threads, sizeof(*all));
	if (all == NULL)
		return CV_ERR_MEMORY;
	for (uint32_t i = 0; i < threads; i++) {
		if (pthread_mutex_init(&all[i].lock, NULL) != 0)
			return CV_ERR_MEMORY;
		all[i].fd = -1;
	}
	all_count = threads;
	return CV_OK;
}

struct front_conn *front_conn_self(void)
{
	if (self == NULL) {
		uint32_t index = atomic_fetch_add(&taken, 1);

		if (index < all_count)
			self = &all[index];
	}
	return self;
}

static void peer_of(char out[48], int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	out[0] = '\0';
	if (getpeername(fd, (struct sockaddr *)&ss, &len) != 0)
		return;
	if (ss.ss_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)&ss)->sin_addr, out, 48);
	else if (ss.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&ss)->sin6_addr, out, 48);
}

void front_conn_begin(struct front_conn *c, int fd, uint64_t deadline_ms)
{
	pthread_mutex_lock(&c->lock);
	c->fd = fd;
	c->deadline_ms = deadline_ms;
	c->in_request = false;
	c->requests = 0;
	peer_of(c->peer, fd);
	pthread_mutex_unlock(&c->lock);
}

void front_conn_deadline(struct front_conn *c, uint64_t deadline_ms, bool in_request)
{
	pthread_mutex_lock(&c->lock);
	c->deadline_ms = deadline_ms;
	c->in_request = in_request;
	pthread_mutex_unlock(&c->lock);
}

void front_conn_end(struct front_conn *c)
{
	pthread_mutex_lock(&c->lock);
	c->fd = -1;
	c->in_request = false;
	pthread_mutex_unlock(&c->lock);
}

uint32_t front_conn_expire(uint64_t now_ms)
{
	uint32_t ended = 0;

	for (uint32_t i = 0; i < all_count; i++) {
		pthread_mutex_lock(&all[i].lock);
		if (all[i].fd >= 0 && all[i].deadline_ms <= now_ms) {
			shutdown(all[i].fd, SHUT_RDWR);
			all[i].fd = -1; /* its thread notices and closes it */
			ended++;
		}
		pthread_mutex_unlock(&all[i].lock);
	}
	return ended;
}

void front_conn_count(uint32_t *open, uint32_t *busy)
{
	*open = 0;
	*busy = 0;
	for (uint32_t i = 0; i < all_count; i++) {
		pthread_mutex_lock(&all[i].lock);
		*open += all[i].fd >= 0;
		*busy += all[i].in_request;
		pthread_mutex_unlock(&all[i].lock);
	}
}
