#include "bench/receiver.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/measure.h"

#define REQUEST_MAX 16384

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned answered;
static uint64_t last_ns;
static int listener;

static void count_one(void)
{
	pthread_mutex_lock(&lock);
	answered++;
	last_ns = measure_now_ns();
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* Bytes of the first whole request in the buffer, 0 if there is none yet. */
static size_t whole_request(char *buffer, size_t len)
{
	char *end, *length;

	buffer[len] = 0;
	end = strstr(buffer, "\r\n\r\n");
	length = strcasestr(buffer, "\r\nContent-Length:");
	if (!end || !length || length > end)
		return 0;
	end += 4 + strtoul(length + 17, NULL, 10);
	return end <= buffer + len ? (size_t)(end - buffer) : 0;
}

static void *serve(void *context)
{
	static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
	int fd = (int)(intptr_t)context;
	char buffer[REQUEST_MAX + 1];
	size_t len = 0, used;
	ssize_t n;

	while (len < REQUEST_MAX && (n = read(fd, buffer + len, REQUEST_MAX - len)) > 0) {
		len += (size_t)n;
		while ((used = whole_request(buffer, len)) > 0) {
			memmove(buffer, buffer + used, len - used);
			len -= used;
			count_one();
			if (write(fd, answer, sizeof(answer) - 1) < 0)
				break;
		}
	}
	close(fd);
	return NULL;
}

static void *accept_all(void *unused)
{
	pthread_t thread;

	(void)unused;
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		MUST(fd < 0);
		MUST(pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd));
		pthread_detach(thread);
	}
	return NULL;
}

uint16_t receiver_bind(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(listener < 0 || bind(listener, (struct sockaddr *)&address, len) != 0);
	MUST(listen(listener, 64) != 0);
	MUST(getsockname(listener, (struct sockaddr *)&address, &len) != 0);
	return ntohs(address.sin_port);
}

void receiver_start(void)
{
	pthread_t thread;

	MUST(pthread_create(&thread, NULL, accept_all, NULL));
	pthread_detach(thread);
}

unsigned receiver_count(void)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = answered;
	pthread_mutex_unlock(&lock);
	return n;
}

uint64_t receiver_wait(unsigned count)
{
	uint64_t when;

	pthread_mutex_lock(&lock);
	while (answered < count)
		pthread_cond_wait(&changed, &lock);
	when = last_ns;
	pthread_mutex_unlock(&lock);
	return when;
}
