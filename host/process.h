/*
 * Child processes with exactly the descriptors they are given, waits that take a deadline, and
 * signals as a descriptor.
 *
 * Threads  process_spawn may be called from any thread; the rest one thread per object.
 */
#ifndef CONCLAVE_HOST_PROCESS_H
#define CONCLAVE_HOST_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "protocol/err.h"

#define PROCESS_FDS_MAX 16

struct process_fd {
	int from; /* ours; stays open here */
	int to;	  /* its number in the child, under 200 */
};

struct process_spec {
	const char *path; /* absolute; no search */
	char *const *argv;
	char *const *envp; /* NULL: PATH, LANG, CONCLAVE_*, systemd's and TMPDIR only */
	const struct process_fd *fds; /* what the child keeps; everything else is closed, but 0-2 */
	size_t fd_count;
	bool die_with_parent; /* SIGTERM when the thread that spawned it ends */
	bool new_session;     /* setsid: no terminal, its signals do not reach it */
};

struct process {
	pid_t pid;
	int pidfd; /* -1 where the kernel has none */
};

/*
 * Starts `path`; a failing exec is reported here (CV_ERR_NOT_FOUND, CV_ERR_PERMISSION, ...), not
 * by a child that dies later. Descriptors 0, 1, 2 are inherited unless mapped. Signal handlers and
 * the mask are reset. errno tells what failed.
 */
CV_MUST_CHECK enum cv_err process_spawn(struct process *out, const struct process_spec *spec);

/* Takes charge of a child that was made with fork. */
void process_adopt(struct process *out, pid_t pid);

/*
 * Waits; timeout_ms < 0 without end. *status as waitpid gives it. CV_ERR_TIMEOUT leaves it
 * running; after CV_OK the process is reaped and *p is cleared.
 */
CV_MUST_CHECK enum cv_err process_wait(struct process *p, int timeout_ms, int *status);
/* CV_ERR_NOT_FOUND if it is gone. */
CV_MUST_CHECK enum cv_err process_signal(const struct process *p, int signal_number);
/* "exited with status 3", "killed by SIGSEGV"; returns out. */
#define PROCESS_STATUS_BUF 48
const char *process_status_text(char out[PROCESS_STATUS_BUF], int status);

/* Blocks the signals (list ends with 0) and returns a signalfd: non-blocking, close-on-exec. */
CV_MUST_CHECK enum cv_err process_signal_fd(int *fd, const int *signals);
/* The next signal number, or 0 if none waits. */
int process_signal_read(int fd);

/* Closes every descriptor but 0, 1, 2 and the `count` in `keep`. */
CV_MUST_CHECK enum cv_err process_close_others(const int *keep, size_t count);

/*
 * The path of a sister program: $`env_name` if set (not when the process is set-id), else beside
 * the running binary, else in ../sbin, ../bin or ../libexec/conclave from there.
 * CV_ERR_NOT_FOUND if none is executable.
 */
CV_MUST_CHECK enum cv_err process_find_program(
	char *out, size_t cap, const char *env_name, const char *name);
/* The running binary, from /proc/self/exe. */
CV_MUST_CHECK enum cv_err process_self_path(char *out, size_t cap);

/* True if a tracer is attached right now (TracerPid of /proc/self/status); true if unreadable. */
bool process_is_traced(void);

#endif
