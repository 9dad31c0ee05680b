#include "gateway/front_pending.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/clock.h"
#include "host/log.h"
#include "protocol/crypto.h"

/* Room for everything in a request but its body. */
#define REQUEST_OVERHEAD 8192

struct slot {
	uint64_t id; /* 0: free */
	bool done;
	pthread_cond_t answered;
	struct front_answer answer;
};

struct front_pending {
	pthread_mutex_t lock;
	int fd;
	uint64_t next_id;
	uint32_t limit;
	uint32_t used;
	uint32_t count;
	struct slot *slots;
	uint8_t packet[IPC_PACKET_MAX]; /* the reader's */
};

static struct slot *find_slot(struct front_pending *p, uint64_t id)
{
	for (uint32_t i = 0; i < p->count; i++)
		if (p->slots[i].id == id)
			return &p->slots[i];
	return NULL;
}

static struct slot *take_slot(struct front_pending *p)
{
	struct slot *s = NULL;

	pthread_mutex_lock(&p->lock);
	if (p->used < p->limit && (s = find_slot(p, 0)) != NULL) {
		p->used++;
		if (p->next_id == 0) /* marks a free slot */
			p->next_id = 1;
		s->id = p->next_id++;
		s->done = false;
		s->answer.body = NULL;
	}
	pthread_mutex_unlock(&p->lock);
	return s;
}

/* Frees the slot; moves the answer out if there is one. */
static enum cv_err leave_slot(struct front_pending *p, struct slot *s, struct front_answer *answer)
{
	enum cv_err err = CV_ERR_TIMEOUT;

	pthread_mutex_lock(&p->lock);
	if (s->done) {
		*answer = s->answer;
		s->answer.body = NULL;
		err = answer->body != NULL ? CV_OK : CV_ERR_MEMORY;
	}
	s->id = 0;
	p->used--;
	pthread_mutex_unlock(&p->lock);
	return err;
}

static void give_answer(struct front_pending *p, const struct ipc_answer *a)
{
	uint8_t *body = malloc(a->body_len + 1);
	struct slot *s;

	if (body != NULL) {
		memcpy(body, a->body, a->body_len);
		body[a->body_len] = '\0';
	}
	pthread_mutex_lock(&p->lock);
	s = a->id != 0 ? find_slot(p, a->id) : NULL;
	if (s != NULL && !s->done) {
		s->answer.head = *a;
		s->answer.head.body = body;
		s->answer.body = body;
		s->done = true;
		pthread_cond_signal(&s->answered);
		body = NULL;
	}
	pthread_mutex_unlock(&p->lock);
	free(body);
}

static void *read_answers(void *arg)
{
	struct front_pending *p = arg;
	struct ipc_answer a;
	size_t len = 0;

	for (;;) {
		enum cv_err err = ipc_receive(p->fd, p->packet, sizeof(p->packet), &len, true);

		if (err == CV_ERR_UNREACHABLE || err == CV_ERR_IO)
			return NULL; /* the monitor holds both ends: it is ending too */
		if (err == CV_OK)
			err = ipc_answer_decode(&a, p->packet, len);
		if (err == CV_OK)
			give_answer(p, &a);
		else
			log_error("keeper: answer: %s", cv_err_text(err));
	}
}

static enum cv_err init_slots(struct front_pending *p)
{
	pthread_condattr_t attr;

	if (pthread_condattr_init(&attr) != 0)
		return CV_ERR_MEMORY;
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < p->count; i++)
		if (pthread_cond_init(&p->slots[i].answered, &attr) != 0)
			return CV_ERR_MEMORY;
	pthread_condattr_destroy(&attr);
	return CV_OK;
}

enum cv_err front_pending_open(
	struct front_pending **out, int keeper_fd, uint32_t slots, uint32_t slots_max)
{
	struct front_pending *p = calloc(1, sizeof(*p));
	pthread_t reader;
	enum cv_err err = CV_ERR_MEMORY;

	if (p == NULL)
		return CV_ERR_MEMORY;
	p->slots = calloc(slots_max, sizeof(*p->slots));
	if (p->slots == NULL || pthread_mutex_init(&p->lock, NULL) != 0)
		goto failed;
	p->fd = keeper_fd;
	p->count = slots_max;
	p->limit = slots < slots_max ? slots : slots_max;
	err = init_slots(p);
	if (err == CV_OK)
		err = crypto_random(&p->next_id, sizeof(p->next_id));
	if (err == CV_OK && pthread_create(&reader, NULL, read_answers, p) != 0)
		err = CV_ERR_MEMORY;
	if (err != CV_OK)
		goto failed;
	pthread_detach(reader);
	*out = p;
	return CV_OK;
failed:
	free(p->slots);
	free(p);
	return err;
}

void front_pending_limit(struct front_pending *p, uint32_t slots)
{
	pthread_mutex_lock(&p->lock);
	p->limit = slots < p->count ? slots : p->count;
	pthread_mutex_unlock(&p->lock);
}

uint32_t front_pending_count(struct front_pending *p)
{
	uint32_t used;

	pthread_mutex_lock(&p->lock);
	used = p->used;
	pthread_mutex_unlock(&p->lock);
	return used;
}

/* A full socket is back-pressure, not a failure: wait for room until the deadline. */
static enum cv_err send_request(
	struct front_pending *p, const struct ipc_request *request, uint64_t deadline_ms)
{
	size_t cap = request->body_len + REQUEST_OVERHEAD, len = 0;
	uint8_t *packet = malloc(cap);
	enum cv_err err = CV_ERR_MEMORY;

	if (packet == NULL)
		return err;
	err = ipc_request_encode(packet, cap, &len, request);
	if (err == CV_OK)
		err = ipc_send(p->fd, packet, len, false);
	while (err == CV_ERR_BUSY) {
		struct pollfd pfd = { .fd = p->fd, .events = POLLOUT };
		uint64_t now = clock_monotonic_ms();

		if (now >= deadline_ms)
			break;
		(void)poll(&pfd, 1, (int)(deadline_ms - now));
		err = ipc_send(p->fd, packet, len, false);
	}
	free(packet);
	return err == CV_ERR_BUSY ? CV_ERR_TIMEOUT : err;
}

static void wait_answer(struct front_pending *p, struct slot *s, uint64_t deadline_ms)
{
	/* the deadline is by CLOCK_BOOTTIME, which pthreads cannot wait for */
	uint64_t now = clock_monotonic_ms();
	uint64_t left = deadline_ms > now ? deadline_ms - now : 0;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(left / 1000);
	until.tv_nsec += (long)(left % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&p->lock);
	while (!s->done)
		if (pthread_cond_timedwait(&s->answered, &p->lock, &until) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&p->lock);
}

enum cv_err front_pending_ask(struct front_pending *p, struct ipc_request *request,
	uint64_t deadline_ms, struct front_answer *answer)
{
	struct slot *s = take_slot(p);
	struct front_answer dropped;
	enum cv_err err;

	if (s == NULL)
		return CV_ERR_BUSY;
	request->id = s->id;
	err = send_request(p, request, deadline_ms);
	if (err != CV_OK) {
		if (leave_slot(p, s, &dropped) == CV_OK)
			free(dropped.body);
		return err;
	}
	wait_answer(p, s, deadline_ms);
	return leave_slot(p, s, answer);
}
