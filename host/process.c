#include "host/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/file.h"

static int pidfd_open_call(pid_t pid)
{
#ifdef SYS_pidfd_open
	return (int)syscall(SYS_pidfd_open, pid, 0);
#else
	(void)pid;
	errno = ENOSYS;
	return -1;
#endif
}

/* Kernels without pidfd are polled: rare, and only at the end of a child. */
static enum cv_err wait_exit(const struct process *p, int timeout_ms)
{
	uint64_t end = clock_monotonic_ms() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0);
	siginfo_t info;

	for (;;) {
		uint64_t now = clock_monotonic_ms();
		int left = timeout_ms < 0 ? -1 : now >= end ? 0 : (int)(end - now);
		struct pollfd pfd = { .fd = p->pidfd, .events = POLLIN };
		int n = p->pidfd >= 0 ? poll(&pfd, 1, left) :
					poll(NULL, 0, left < 0 || left > 20 ? 20 : left);

		if (n < 0 && errno != EINTR)
			return file_error(errno);
		info.si_pid = 0;
		if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
			return file_error(errno);
		if (info.si_pid == p->pid)
			return CV_OK;
		if (timeout_ms >= 0 && clock_monotonic_ms() >= end)
			return CV_ERR_TIMEOUT;
	}
}

enum cv_err process_wait(struct process *p, int timeout_ms, int *status)
{
	enum cv_err err = CV_ERR_INTERNAL;
	pid_t got;

	if (p->pid <= 0)
		return CV_ERR_ARGUMENT;
	err = wait_exit(p, timeout_ms);
	if (err != CV_OK)
		return err;
	do
		got = waitpid(p->pid, status, 0);
	while (got < 0 && errno == EINTR);
	if (got != p->pid)
		return file_error(errno);
	if (p->pidfd >= 0)
		close(p->pidfd);
	p->pid = 0;
	p->pidfd = -1;
	return CV_OK;
}

void process_adopt(struct process *out, pid_t pid)
{
	out->pid = pid;
	out->pidfd = pidfd_open_call(pid);
	if (out->pidfd >= 0)
		(void)fcntl(out->pidfd, F_SETFD, FD_CLOEXEC);
}

enum cv_err process_signal(const struct process *p, int signal_number)
{
	if (p->pid <= 0)
		return CV_ERR_NOT_FOUND;
	return kill(p->pid, signal_number) == 0 ? CV_OK : file_error(errno);
}

const char *process_status_text(char out[PROCESS_STATUS_BUF], int status)
{
	if (WIFEXITED(status))
		snprintf(out, PROCESS_STATUS_BUF, "exited with status %d", WEXITSTATUS(status));
	else if (WIFSIGNALED(status) && sigabbrev_np(WTERMSIG(status)) != NULL)
		snprintf(out, PROCESS_STATUS_BUF, "killed by SIG%s",
			sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(out, PROCESS_STATUS_BUF, "ended with wait status 0x%x",
			(unsigned int)status);
	return out;
}

enum cv_err process_signal_fd(int *fd, const int *signals)
{
	sigset_t set;
	int f;

	sigemptyset(&set);
	for (; *signals != 0; signals++)
		sigaddset(&set, *signals);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return file_error(errno);
	f = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (f < 0)
		return file_error(errno);
	*fd = f;
	return CV_OK;
}

int process_signal_read(int fd)
{
	struct signalfd_siginfo info;
	ssize_t n = read(fd, &info, sizeof(info));

	return n == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

enum cv_err process_self_path(char *out, size_t cap)
{
	char path[FILE_PATH_BUF];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0)
		return file_error(errno);
	if ((size_t)n >= cap || (size_t)n == sizeof(path) - 1)
		return CV_ERR_TOO_LONG;
	memcpy(out, path, (size_t)n);
	out[n] = '\0';
	return CV_OK;
}

static bool is_program(const char *path)
{
	return path[0] == '/' && access(path, X_OK) == 0;
}

enum cv_err process_find_program(
	char *out, size_t cap, const char *env_name, const char *name)
{
	/* the build folder, then the places of an installation, from where this program lies */
	static const char *const places[] = { "", "../sbin/", "../bin/", "../libexec/conclave/" };
	char self[FILE_PATH_BUF];
	char candidate[FILE_PATH_BUF];
	const char *named = secure_getenv(env_name);
	char *slash;
	int n;

	if (named != NULL) {
		/* named aloud: never fall back to another program in silence */
		if (!is_program(named))
			return CV_ERR_NOT_FOUND;
		if (strlen(named) >= cap)
			return CV_ERR_TOO_LONG;
		strcpy(out, named);
		return CV_OK;
	}
	if (process_self_path(self, sizeof(self)) != CV_OK || (slash = strrchr(self, '/')) == NULL)
		return CV_ERR_NOT_FOUND;
	slash[1] = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		n = snprintf(candidate, sizeof(candidate), "%s%s%s", self, places[i], name);
		if (n < 0 || (size_t)n >= sizeof(candidate) || (size_t)n >= cap)
			return CV_ERR_TOO_LONG;
		if (is_program(candidate)) {
			strcpy(out, candidate);
			return CV_OK;
		}
	}
	return CV_ERR_NOT_FOUND;
}

bool process_is_traced(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	bool traced = true;

	if (f == NULL)
		return true;
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "TracerPid:", 10) == 0) {
			traced = strtol(line + 10, NULL, 10) != 0;
			break;
		}
	fclose(f);
	return traced;
}
