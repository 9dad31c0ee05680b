#include "fs/mount.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs/mount_buffer.h"
#include "fs/mount_priv.h"
#include "fs/mount_readahead.h"
#include "fs/why.h"
#include "host/clock.h"
#include "host/log.h"

#define WAKE_AGAIN_MS 20
#define BACKGROUND_MAX 64 /* requests of readahead and writeback on their way at once */

static void signal_event(int fd)
{
	const uint64_t one = 1;

	/* an eventfd of ours: fails only if it was closed, and then nobody waits */
	if (write(fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		log_error("mount: event: %s", strerror(errno));
}

#ifndef FUSE_CAP_HANDLE_KILLPRIV_V2
#define FUSE_CAP_HANDLE_KILLPRIV_V2 0
#endif

static void unwant(struct fuse_conn_info *conn, unsigned capability)
{
	if (!capability)
		return; /* this libfuse does not know it */
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
	fuse_unset_feature_flag(conn, capability);
#else
	conn->want &= ~capability;
#endif
}

static bool want(struct fuse_conn_info *conn, unsigned capability)
{
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
	return fuse_set_feature_flag(conn, capability);
#else
	if (!(conn->capable & capability))
		return false;
	conn->want |= capability;
	return true;
#endif
}

static void op_init(void *user, struct fuse_conn_info *conn)
{
	struct mount *m = user;

	/* mount_priv.h takes the second, which needs more than this flag */
	unwant(conn, FUSE_CAP_HANDLE_KILLPRIV);
	unwant(conn, FUSE_CAP_HANDLE_KILLPRIV_V2);
	unwant(conn, FUSE_CAP_WRITEBACK_CACHE);
	if (!m->options.no_writeback)
		m->writeback = want(conn, FUSE_CAP_WRITEBACK_CACHE);
	unwant(conn, FUSE_CAP_ATOMIC_O_TRUNC);
	(void)want(conn, FUSE_CAP_EXPORT_SUPPORT);
	/* nobody else changes files, so no change of size or time may empty the kernel's cache */
	unwant(conn, FUSE_CAP_AUTO_INVAL_DATA);
	(void)want(conn, FUSE_CAP_EXPLICIT_INVAL_DATA);
	if (!m->options.atime) {
		(void)want(conn, FUSE_CAP_CACHE_SYMLINKS);
		m->no_opendir = conn->capable & FUSE_CAP_NO_OPENDIR_SUPPORT;
	}
	/* a default access list replaces the umask, so the kernel may not apply it */
	if (want(conn, FUSE_CAP_DONT_MASK))
		m->acl = want(conn, FUSE_CAP_POSIX_ACL);
	conn->max_write = MOUNT_TRANSFER_MAX;
	conn->max_background = BACKGROUND_MAX;
	conn->congestion_threshold = BACKGROUND_MAX * 3 / 4;
	conn->time_gran = 1;
	m->greeted = true;
}

void mount_greeted(struct mount *m)
{
	if (!m->greeted)
		return; /* of another major version: INIT comes again */
	mount_readahead_set(&m->readahead_fd);
	signal_event(m->ready_fd);
}

enum cv_err mount_new(struct mount **out, int fuse_fd, const char *point,
	const struct mount_options *options, struct volume_why *why)
{
	char name[] = "conclave-volumed";
	char *argv[] = { name, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_lowlevel_ops ops = { .init = op_init };
	struct mount *m = calloc(1, sizeof(*m));

	if (!m)
		return CV_ERR_MEMORY;
	m->options = *options;
	m->fuse_fd = fuse_fd;
	m->readahead_fd = mount_readahead_open(point);
	counters_init(&m->counters);
	receiver_init(&m->receiver, !options->save_power);
	mount_ops_names(&ops);
	mount_ops_files(&ops);
	mount_ops_lists(&ops);
	mount_ops_space(&ops);
	mount_ops_xattrs(&ops);
	m->session = fuse_session_new(&args, &ops, sizeof(ops), m);
	if (!m->session || mount_priv_attach(m, fuse_fd)) {
		mount_free(m);
		return why_set(why, CV_ERR_FUSE, "fuse: descriptor %d is not usable", fuse_fd);
	}
	if (lookups_init(&m->lookups)) {
		mount_free(m);
		return CV_ERR_MEMORY;
	}
	*out = m;
	return CV_OK;
}

/* While draining: the kernel has no request waiting. One that comes later found a worker busy. */
static bool nothing_left(const struct mount *m)
{
	struct pollfd fd = { .fd = m->fuse_fd, .events = POLLIN };

	return atomic_load(&m->draining) && poll(&fd, 1, 0) == 0;
}

static void *work(void *user)
{
	struct mount *m = user;
	struct fuse_buf buf = { 0 };

	while (!fuse_session_exited(m->session) && !nothing_left(m)) {
		int n = fuse_session_receive_buf(m->session, &buf);

		if (n == -EINTR || n == -EAGAIN)
			continue;
		if (n <= 0)
			break; /* the mount is gone */
		fuse_session_process_buf(m->session, &buf);
	}
	mount_buffer_wipe();
	receiver_pass(&m->receiver);
	free(buf.mem);
	(void)pthread_mutex_lock(&m->volume->lock);
	if (--m->running == 0)
		signal_event(m->ended_fd);
	(void)pthread_mutex_unlock(&m->volume->lock);
	return NULL;
}

static void pass_turn(void *user)
{
	receiver_pass(&((struct mount *)user)->receiver);
}

enum cv_err mount_start(struct mount *m, struct volume *volume, int ready_fd, int ended_fd)
{
	m->volume = volume;
	volume->shared = true;
	volume->store->on_wait = pass_turn;
	volume->store->on_wait_user = m;
	m->ready_fd = ready_fd;
	m->ended_fd = ended_fd;
	m->running = MOUNT_WORKERS;
	m->counters.first_generation = volume_generation(volume);
	for (m->worker_count = 0; m->worker_count < MOUNT_WORKERS; m->worker_count++)
		if (pthread_create(&m->workers[m->worker_count], NULL, work, m))
			break;
	if (m->worker_count == 0)
		return CV_ERR_MEMORY;
	(void)pthread_mutex_lock(&volume->lock);
	m->running -= MOUNT_WORKERS - m->worker_count;
	if (m->running == 0)
		signal_event(ended_fd);
	(void)pthread_mutex_unlock(&volume->lock);
	return CV_OK;
}

static void wake(int number)
{
	(void)number;
}

bool mount_drain(struct mount *m, uint64_t patience_ms)
{
	/* a worker that waits in read(2) must come out of it; without SA_RESTART it does */
	const struct sigaction action = { .sa_handler = wake };
	struct pollfd ended = { .fd = m->ended_fd, .events = POLLIN };
	uint64_t until = clock_monotonic_ms() + patience_ms;

	(void)sigaction(SIGUSR1, &action, NULL);
	atomic_store(&m->draining, true);
	while (poll(&ended, 1, 0) == 0) {
		if (clock_monotonic_ms() >= until)
			return false;
		for (unsigned i = 0; i < m->worker_count; i++)
			(void)pthread_kill(m->workers[i], SIGUSR1);
		/* again if one was not in read(2) yet */
		(void)poll(&ended, 1, WAKE_AGAIN_MS);
	}
	return true;
}

struct counters *mount_counters(struct mount *m)
{
	return &m->counters;
}

void mount_join(struct mount *m)
{
	for (unsigned i = 0; i < m->worker_count; i++)
		(void)pthread_join(m->workers[i], NULL);
	m->worker_count = 0;
}

void mount_free(struct mount *m)
{
	if (m->session)
		fuse_session_destroy(m->session);
	lookups_wipe(&m->lookups);
	mount_readahead_set(&m->readahead_fd);
	counters_wipe(&m->counters);
	receiver_wipe(&m->receiver);
	free(m);
}
