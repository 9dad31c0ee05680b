#include "host/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/file.h"

#define ENVIRONMENT_MAX 32
/* Where descriptors wait while the child sorts them; above any number that a caller maps to. */
#define PARKING 200

static enum cv_err close_from(unsigned int first, unsigned int last)
{
	if (first > last)
		return CV_OK;
	if (syscall(SYS_close_range, first, last, 0) == 0)
		return CV_OK;
	if (errno != ENOSYS && errno != EPERM)
		return file_error(errno);
	long most = sysconf(_SC_OPEN_MAX);
	for (unsigned int fd = first; fd <= last && (long)fd < most; fd++)
		close((int)fd);
	return CV_OK;
}

static int compare_int(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

enum cv_err process_close_others(const int *keep, size_t count)
{
	int sorted[PROCESS_FDS_MAX];
	unsigned int next = 3;
	enum cv_err err = CV_OK;

	if (count > PROCESS_FDS_MAX)
		return CV_ERR_ARGUMENT;
	if (count > 0)
		memcpy(sorted, keep, count * sizeof(sorted[0]));
	qsort(sorted, count, sizeof(sorted[0]), compare_int);
	for (size_t i = 0; i < count && err == CV_OK; i++) {
		if (sorted[i] < (int)next)
			continue;
		err = close_from(next, (unsigned int)sorted[i] - 1);
		next = (unsigned int)sorted[i] + 1;
	}
	return err == CV_OK ? close_from(next, ~0u) : err;
}

/* The child's environment: nothing that steers a library, no secret by accident. */
static void minimal_environment(char *out[ENVIRONMENT_MAX + 1])
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	static char lang[] = "LANG=C.UTF-8";
	static const char *const passed[] = { "CONCLAVE_", "NOTIFY_SOCKET=", "JOURNAL_STREAM=",
		"CREDENTIALS_DIRECTORY=", "TMPDIR=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=" };
	size_t n = 0;

	out[n++] = path;
	out[n++] = lang;
	for (char **e = environ; e != NULL && *e != NULL && n < ENVIRONMENT_MAX; e++)
		for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
			if (strncmp(*e, passed[i], strlen(passed[i])) == 0) {
				out[n++] = *e;
				break;
			}
	out[n] = NULL;
}

/*
 * Moves everything up first, so that no mapping overwrites the source of a later one. Returns the
 * parked number of the report pipe, or -1.
 */
static int arrange_descriptors(const struct process_spec *spec, int report)
{
	int keep[PROCESS_FDS_MAX];
	int parked[PROCESS_FDS_MAX];
	size_t kept = 0;

	report = fcntl(report, F_DUPFD_CLOEXEC, PARKING);
	if (report < 0)
		return -1;
	for (size_t i = 0; i < spec->fd_count; i++) {
		parked[i] = fcntl(spec->fds[i].from, F_DUPFD_CLOEXEC, PARKING);
		if (parked[i] < 0)
			return -1;
	}
	keep[kept++] = report;
	for (size_t i = 0; i < spec->fd_count; i++) {
		if (dup2(parked[i], spec->fds[i].to) < 0) /* clears close-on-exec */
			return -1;
		keep[kept++] = spec->fds[i].to;
	}
	return process_close_others(keep, kept) == CV_OK ? report : -1;
}

static void reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < SIGRTMIN; s++)
		if (s != SIGKILL && s != SIGSTOP)
			signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child(
	const struct process_spec *spec, char *const *envp, int report, pid_t parent)
{
	int failure;

	reset_signals();
	if (spec->new_session)
		setsid();
	if (spec->die_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(127);
	}
	int moved = arrange_descriptors(spec, report);
	if (moved >= 0) {
		report = moved;
		execve(spec->path, spec->argv, envp);
	}
	failure = errno;
	ssize_t n = write(report, &failure, sizeof(failure));
	(void)n;
	_exit(127);
}

static enum cv_err check_spec(const struct process_spec *spec)
{
	if (spec->path[0] != '/' || spec->fd_count > PROCESS_FDS_MAX - 1)
		return CV_ERR_ARGUMENT;
	for (size_t i = 0; i < spec->fd_count; i++)
		if (spec->fds[i].to < 0 || spec->fds[i].to >= PARKING)
			return CV_ERR_ARGUMENT;
	return CV_OK;
}

enum cv_err process_spawn(struct process *out, const struct process_spec *spec)
{
	char *minimal[ENVIRONMENT_MAX + 1];
	char *const *envp = spec->envp;
	int report[2], failure = 0;
	pid_t parent = getpid();
	enum cv_err err = check_spec(spec);

	if (err != CV_OK)
		return err;
	if (envp == NULL) {
		minimal_environment(minimal);
		envp = minimal;
	}
	if (pipe2(report, O_CLOEXEC) != 0)
		return file_error(errno);
	pid_t pid = fork();
	if (pid == 0)
		child(spec, envp, report[1], parent);
	close(report[1]);
	if (pid < 0) {
		err = file_error(errno);
		close(report[0]);
		return err;
	}
	ssize_t n;
	do
		n = read(report[0], &failure, sizeof(failure));
	while (n < 0 && errno == EINTR);
	close(report[0]);
	process_adopt(out, pid);
	if (n == (ssize_t)sizeof(failure)) { /* the exec failed: it reported and is ending */
		int status;

		err = process_wait(out, -1, &status);
		errno = failure;
		return err == CV_OK ? file_error(failure) : err;
	}
	return CV_OK;
}
