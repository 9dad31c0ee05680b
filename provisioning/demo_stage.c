#include "provisioning/demo_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/log.h"
#include "provisioning/staging.h"

#define STOP_MS 8000
#define POLL_NS 20000000

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

bool demo_stopped(void)
{
	return stopped != 0;
}

enum cv_err demo_path(const struct demo_stage *s, char out[FILE_PATH_BUF], const char *name)
{
	return file_path_join(out, FILE_PATH_BUF, s->dir, name);
}

static enum cv_err find_programs(struct demo_stage *s)
{
	static const char *const names[] = {"conclave-gateway", "conclave-device", "conclave-mcu"};
	static const char *const env[] = {
		"CONCLAVE_GATEWAY", "CONCLAVE_DEVICE", "CONCLAVE_MCU"};
	char *const out[] = {s->gateway, s->device, s->mcu};
	enum cv_err err = process_self_path(s->conclave, sizeof(s->conclave));

	for (size_t i = 0; err == CV_OK && i < 3; i++) {
		err = process_find_program(
			out[i], FILE_PATH_BUF, env[i], names[i]);
		if (err == CV_ERR_NOT_FOUND && out[i] == s->mcu) {
			s->mcu[0] = '\0';
			err = CV_OK;
		} else if (err != CV_OK) {
			log_error("demo: %s: not beside this program: build it with `make`",
				names[i]);
		}
	}
	return err;
}

static enum cv_err make_directory(struct demo_stage *s)
{
	const char *tmp = getenv("TMPDIR");
	char path[FILE_PATH_BUF];

	snprintf(s->dir, sizeof(s->dir), "%s/conclave-demo-XXXXXX",
		tmp != NULL && tmp[0] == '/' && strlen(tmp) < 1024 ? tmp : "/tmp");
	if (mkdtemp(s->dir) == NULL) {
		log_error("demo: %s: %s", s->dir, strerror(errno));
		s->dir[0] = '\0';
		return CV_ERR_IO;
	}
	if (demo_path(s, path, "log") != CV_OK)
		return CV_ERR_TOO_LONG;
	s->log_fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	return s->log_fd >= 0 ? CV_OK : file_error(errno);
}

enum cv_err demo_stage_open(struct demo_stage *s, struct context *ctx)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal};
	enum cv_err err;

	memset(s, 0, sizeof(*s));
	s->ctx = ctx;
	s->log_fd = -1;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return file_error(errno);
	for (size_t i = 0; i < DEMO_GATEWAYS; i++) {
		struct demo_gateway *g = &s->gateways[i];

		snprintf(g->id, sizeof(g->id), "g%zu", i + 1);
		strcpy(g->devices, "127.0.0.1:0");
		strcpy(g->operators, "127.0.0.1:0");
	}
	err = find_programs(s);
	return err == CV_OK ? make_directory(s) : err;
}

static void pause_shortly(void)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};

	nanosleep(&pause, NULL);
}

/* Signals the children that are there; returns how many. */
static int signal_children(int number)
{
	char path[64];
	FILE *f;
	int count = 0, pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	while (fscanf(f, "%d", &pid) == 1) {
		kill(pid, number);
		count++;
	}
	fclose(f);
	return count;
}

static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void end_children(void)
{
	uint64_t until = clock_monotonic_ms() + STOP_MS;
	int left = signal_children(SIGTERM);

	while (left > 0 && clock_monotonic_ms() < until) {
		pause_shortly();
		reap();
		left = signal_children(0);
	}
	if (left == 0)
		return;
	log_warning("demo: %d processes did not end by themselves", left);
	signal_children(SIGKILL);
	for (int i = 0; i < 100 && signal_children(0) > 0; i++) {
		pause_shortly();
		reap();
	}
}

/* Through the device's own verb first; a mount must never outlive the directory it is in. */
static void unmount(struct demo_stage *s)
{
	char state[FILE_PATH_BUF], run[FILE_PATH_BUF], mount_point[FILE_PATH_BUF];
	const char *const args[] = {"unmount", "--lazy", "--forget", "--state", state, "--run", run,
		NULL};
	struct demo_command command = {.program = s->device, .args = args, .secret_in = -1,
		.secret_out = {-1, -1}, .timeout_ms = STOP_MS};
	struct stat here, above;
	int code = 0;

	if (demo_path(s, state, "device") != CV_OK || demo_path(s, run, "run") != CV_OK ||
		demo_path(s, mount_point, "mnt") != CV_OK || stat(s->dir, &above) != 0)
		return;
	if (access(mount_point, F_OK) != 0 && errno == ENOENT)
		return;
	/* also without a mount: the boot key is in /dev/shm */
	if (demo_run(s, &command, &code) != CV_OK)
		log_warning("demo: cannot run conclave-device unmount");
	/* stat fails (ENOTCONN) on a mount whose daemon has died */
	if (stat(mount_point, &here) != 0 || here.st_dev != above.st_dev)
		umount2(mount_point, MNT_DETACH);
}

void demo_stage_close(struct demo_stage *s)
{
	bool was_stopped = demo_stopped();

	stopped = 0; /* so that the end itself may run programs; a second ^C is noticed there */
	if (s->dir[0] != '\0') {
		unmount(s);
		end_children();
		if (s->log_fd >= 0)
			close(s->log_fd);
		if (staging_remove_tree(s->dir) != CV_OK)
			log_warning("demo: %s could not be removed whole", s->dir);
	}
	s->dir[0] = '\0';
	stopped = was_stopped;
}
