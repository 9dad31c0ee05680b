#include "fs/receiver.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 50000       /* so long for the next request; one that came later was not soon */
#define CROWDED_NS 40000    /* one look took longer: another thread was on this processor */
#define CROWDED_FOR_NS 10000000
#define CONTENT_SHORT 16384u /* bytes */

static _Thread_local bool mine; /* this thread has the turn */

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void receiver_init(struct receiver *r, bool hurry)
{
	(void)pthread_mutex_init(&r->turn, NULL);
	r->last_ns = 0;
	r->lively = false;
	r->quiet_ns = 0;
	r->patient = !hurry || sysconf(_SC_NPROCESSORS_ONLN) < 2;
	awake_init(&r->awake, hurry);
}

void receiver_wipe(struct receiver *r)
{
	awake_wipe(&r->awake);
	(void)pthread_mutex_destroy(&r->turn);
}

void receiver_pass(struct receiver *r)
{
	if (!mine)
		return;
	mine = false;
	(void)pthread_mutex_unlock(&r->turn);
}

/* Until there is something to read, or it has not come soon, or somebody else needs the processor. */
static void look(struct receiver *r, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t began = now_ns();
	uint64_t before = began;

	while (poll(&p, 1, 0) == 0 && before - began < LOOK_NS) {
		uint64_t now;

		(void)sched_yield();
		now = now_ns();
		if (now - before > CROWDED_NS) {
			r->quiet_ns = now + CROWDED_FOR_NS;
			return;
		}
		before = now;
	}
}

enum length {
	SHORT, /* under the volume's lock all the time: nobody could do anything meanwhile */
	LONG,
	FLUSH /* and who sent it will send nothing before the disk has answered */
};

/* Nobody waits: what could be done beside this request is not there yet. */
static bool nothing_behind(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

static enum length length_of(int fd, const uint8_t *request, size_t len)
{
	struct fuse_in_header head;
	struct fuse_write_in write;
	struct fuse_read_in in;
	struct fuse_setattr_in set;

	if (len < sizeof(head))
		return SHORT;
	memcpy(&head, request, sizeof(head));
	switch (head.opcode) {
	case FUSE_WRITE:
		if (len < sizeof(head) + sizeof(write))
			return SHORT;
		memcpy(&write, request + sizeof(head), sizeof(write));
		if (write.flags & O_DSYNC)
			return FLUSH;
		return write.size <= CONTENT_SHORT ? SHORT : LONG;
	case FUSE_READ:
		if (len < sizeof(head) + sizeof(in))
			return SHORT;
		memcpy(&in, request + sizeof(head), sizeof(in));
		/* store.h's on_wait passes the turn if it has to come from the disk */
		return in.size <= CONTENT_SHORT && nothing_behind(fd) ? SHORT : LONG;
	case FUSE_FSYNC:
	case FUSE_FSYNCDIR:
		return FLUSH;
	case FUSE_INIT:
	case FUSE_FALLOCATE:
	case FUSE_COPY_FILE_RANGE:
		return LONG;
	case FUSE_SETATTR: /* of times and modes is as short as what the kernel sends it after */
		if (len < sizeof(head) + sizeof(set))
			return SHORT;
		memcpy(&set, request + sizeof(head), sizeof(set));
		return set.valid & FATTR_SIZE ? LONG : SHORT;
	default:
		return SHORT;
	}
}

ssize_t receiver_read(struct receiver *r, int fd, void *buf, size_t cap)
{
	enum length length = LONG;
	uint64_t now;
	ssize_t n;

	if (!mine)
		(void)pthread_mutex_lock(&r->turn);
	mine = true;
	if (r->lively)
		look(r, fd);
	awake_wait(&r->awake, fd);
	n = read(fd, buf, cap);
	now = now_ns();
	if (n > 0) {
		length = length_of(fd, buf, (size_t)n);
		awake_request(&r->awake, now - r->last_ns);
	}
	r->lively = !r->patient && length != FLUSH && now - r->last_ns < LOOK_NS && now > r->quiet_ns;
	r->last_ns = now;
	if (length != SHORT) {
		int e = errno;

		receiver_pass(r);
		errno = e;
	}
	return n;
}
