/* TCP over BSD sockets with absolute deadlines; the same file for POSIX and lwIP. */
#ifndef CONCLAVE_MCU_NET_H
#define CONCLAVE_MCU_NET_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

/* address is "HOST:PORT" or "[HOST]:PORT". CV_ERR_UNREACHABLE, CV_ERR_TIMEOUT, CV_ERR_FORMAT. */
CV_MUST_CHECK enum cv_err net_connect(int *fd, const char *address, uint64_t deadline_ms);
void net_close(int fd);
/*
 * At least one byte, at most len. CV_ERR_TIMEOUT, CV_ERR_UNREACHABLE (cut). *done 0 = end of
 * stream.
 */
CV_MUST_CHECK enum cv_err net_read(
	int fd, void *buf, size_t len, uint64_t deadline_ms, size_t *done);
CV_MUST_CHECK enum cv_err net_write(
	int fd, const void *buf, size_t len, uint64_t deadline_ms, size_t *done);

#endif
