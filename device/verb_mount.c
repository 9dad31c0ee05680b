#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device/control.h"
#include "device/mount_words.h"
#include "device/options.h"
#include "device/settings.h"
#include "device/verb.h"
#include "device/watcher.h"
#include "host/exit_code.h"
#include "host/file.h"
#include "host/log.h"
#include "host/process.h"
#include "host/ready.h"

#define USAGE                                                                                      \
	"mount [-f] [-o WORD,...] [--timeout T] [--read-only] [--accept-older] "                   \
	"[--key-fd N | --recovery-fd N] [CONTAINER MOUNT-POINT]"
#define LOG_NAME "watcher.log"

/* How the waiting parent learns that the watcher behind it is up: the line, then end of file. */
struct background {
	int result_fd;
	int log_fd;
};

static void ready_in_foreground(void *context, const char *line)
{
	(void)context;
	if (ready_line("%s", line) != CV_OK)
		log_warning("standard output is gone");
}

/* From here on nobody reads our terminal, and whoever reads our pipes must see them end. */
static void ready_in_background(void *context, const char *line)
{
	const struct background *b = context;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		close(null);
	}
	dup2(b->log_fd, STDERR_FILENO);
	if (file_write_descriptor(b->result_fd, line, strlen(line)) != CV_OK)
		log_warning("the command that started this mount is gone");
	close(b->result_fd);
}

static int background_child(struct watcher_request *request, int result_fd)
{
	struct background b = { .result_fd = result_fd };
	char path[FILE_PATH_BUF];
	enum cv_err err = control_run_dir(request->options->run_dir);

	if (err == CV_OK)
		err = file_path_join(path, sizeof(path), request->options->run_dir, LOG_NAME);
	if (err != CV_OK)
		return exit_code_of(err);
	b.log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (b.log_fd < 0) {
		log_error("%s: %s", path, strerror(errno));
		return EXIT_CODE_CONFIG;
	}
	setsid();
	request->log_fd = b.log_fd;
	request->ready = ready_in_background;
	request->context = &b;
	return watcher_run(request);
}

/* The line, or nothing if the watcher ended. A signal to us ends the watcher that we wait for. */
static size_t await_line(char *line, size_t cap, int result_fd, int signal_fd, struct process *p)
{
	struct pollfd fds[] = { { .fd = result_fd, .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN } };
	size_t len = 0;

	while (poll(fds, 2, -1) < 0 || fds[0].revents == 0)
		if (process_signal_read(signal_fd) != 0 && process_signal(p, SIGTERM) != CV_OK)
			break;
	if (file_read_descriptor(result_fd, (uint8_t *)line, cap - 1, &len) != CV_OK)
		len = 0;
	line[len] = '\0';
	return len;
}

static int run_in_background(struct watcher_request *request)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, 0 };
	char line[FILE_PATH_BUF + 256];
	int pipes[2], signal_fd = -1, status = 0;
	struct process watcher;

	if (pipe2(pipes, O_CLOEXEC) != 0 || process_signal_fd(&signal_fd, signals) != CV_OK) {
		log_error("mount: %s", strerror(errno));
		return EXIT_CODE_INTERNAL;
	}
	pid_t pid = fork(); /* before any secret is in memory: locks do not survive a fork */
	if (pid < 0) {
		log_error("fork: %s", strerror(errno));
		return EXIT_CODE_INTERNAL;
	}
	if (pid == 0) {
		close(pipes[0]);
		close(signal_fd);
		_exit(background_child(request, pipes[1]));
	}
	close(pipes[1]);
	process_adopt(&watcher, pid);
	if (await_line(line, sizeof(line), pipes[0], signal_fd, &watcher) > 0)
		return ready_line("%s", line) == CV_OK ? EXIT_CODE_OK : EXIT_CODE_INTERNAL;
	if (process_wait(&watcher, -1, &status) == CV_OK && WIFEXITED(status))
		return WEXITSTATUS(status);
	log_error("the watcher died");
	return EXIT_CODE_INTERNAL;
}

/* The watcher outlives this command's working directory. */
static enum cv_err absolute(char out[FILE_PATH_BUF], const char *path, const char *what)
{
	if (realpath(path, out) != NULL)
		return CV_OK;
	log_error("%s %s: %s", what, path, strerror(errno));
	return file_error(errno);
}

static enum cv_err choose_paths(struct settings *s, const struct options *o)
{
	if (o->word_count == 2) {
		enum cv_err err = absolute(s->container, o->words[0], "container");

		return err == CV_OK ? absolute(s->mount_point, o->words[1], "mount point") : err;
	}
	if (o->word_count != 0) {
		log_error("mount: usage: conclave-device %s", USAGE);
		return CV_ERR_ARGUMENT;
	}
	if (s->mount_point[0] == '\0') {
		log_error("mount: no mount point: name one, or set mount_point in %s",
			o->config_file);
		return CV_ERR_CONFIG;
	}
	return CV_OK;
}

/* What -o says about where things are comes before device.ini is read. */
static enum cv_err choose_options(struct options *o, char words[OPTIONS_MOUNT_MAX])
{
	enum cv_err err;

	memcpy(words, o->mount_list, OPTIONS_MOUNT_MAX);
	err = mount_words_options(o, words);
	if (err == CV_OK && o->key_fd >= 0 && o->recovery_fd >= 0) {
		log_error("mount: one of --key-fd and --recovery-fd, not both");
		err = CV_ERR_ARGUMENT;
	}
	return err;
}

int verb_mount(int argc, char **argv)
{
	struct options o;
	struct settings s;
	char words[OPTIONS_MOUNT_MAX], bad[MOUNT_WORD_MAX];
	bool help;
	enum cv_err err = options_parse(&o, argc, argv,
		OPTION_FOREGROUND | OPTION_TIMEOUT | OPTION_READ_ONLY | OPTION_ACCEPT_OLDER |
			OPTION_MOUNT | OPTION_SECRET,
		USAGE, &help);

	if (help)
		return EXIT_CODE_OK;
	if (err == CV_OK)
		err = choose_options(&o, words);
	if (err == CV_OK)
		err = settings_load(&s, &o);
	if (err == CV_OK)
		err = mount_words_settings(&s, o.mount_list, true, bad);
	if (err == CV_OK)
		err = choose_paths(&s, &o);
	if (err != CV_OK)
		return exit_code_of(err);
	struct watcher_request request = { .options = &o, .settings = &s,
		.container = s.container, .mount_point = s.mount_point,
		.read_only = o.read_only || s.read_only, .log_fd = -1,
		.ready = ready_in_foreground };
	return o.foreground ? watcher_run(&request) : run_in_background(&request);
}
