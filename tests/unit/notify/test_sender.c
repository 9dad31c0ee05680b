/*
 * The sender as a process. Without arguments: its tests. As
 *
 *	test_sender --run FD OUTBOX CA|- ATTEMPTS BACKOFF_MS BACKOFF_MAX_MS NAME:KIND:SEVERITY:FILE...
 *
 * it is a sender on the inherited descriptor FD, for the end-to-end tests: it prints "ready" when
 * it takes alerts and ends as sender_run does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/exit_code.h"
#include "host/log.h"
#include "host/secret.h"
#include "notify/channel.h"
#include "notify/sender.h"
#include "protocol/crypto.h"
#include "tests/unit/notify/sample.h"

static void say_ready(void *context)
{
	(void)context;
	puts("ready");
	fflush(stdout);
}

/* NAME:KIND:SEVERITY:FILE */
static bool read_destination(struct destination *d, const char *text)
{
	char kind[16], severity[16];

	if (sscanf(text, "%63[^:]:%15[^:]:%15[^:]:%4095s", d->name, kind, severity, d->file) != 4)
		return false;
	d->kind = strcmp(kind, "webhook") == 0 ? DESTINATION_WEBHOOK : DESTINATION_TELEGRAM;
	d->least = (enum event_severity)event_severity_by_name(severity);
	return true;
}

static int run(int argc, char **argv)
{
	static struct destination destinations[DESTINATIONS_MAX];
	struct sender_config cfg = {.gateway = "gw-a", .destinations = destinations,
		.ready = say_ready, .timeout_ms = 1500, .drain_ms = 500};

	if (argc < 8 || argc - 8 > DESTINATIONS_MAX)
		return EXIT_CODE_USAGE;
	cfg.channel_fd = atoi(argv[2]);
	cfg.outbox_path = argv[3];
	cfg.ca_file = strcmp(argv[4], "-") == 0 ? NULL : argv[4];
	cfg.attempts_max = (uint32_t)atoi(argv[5]);
	cfg.backoff_ms = (uint32_t)atoi(argv[6]);
	cfg.backoff_max_ms = (uint32_t)atoi(argv[7]);
	for (int i = 8; i < argc; i++) {
		if (!read_destination(&destinations[cfg.destination_count++], argv[i]))
			return EXIT_CODE_USAGE;
	}
	return sender_run(&cfg);
}

static pid_t fork_sender(int keeper_fd, struct sender_config *cfg)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		close(keeper_fd);
		_exit(sender_run(cfg));
	}
	return child;
}

static int exit_of(pid_t child)
{
	int status = -1;

	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Waits for an answer of the sender. */
static enum channel_type answer(struct channel *ch, char *body, size_t cap)
{
	struct pollfd readable = {ch->fd, POLLIN, 0};
	enum channel_type type = CHANNEL_ALERT;
	size_t len = 0;

	assert_int_equal(poll(&readable, 1, 20000), 1);
	assert_int_equal(channel_receive(ch, &type, body, cap, &len), CV_OK);
	return type;
}

static void answers_and_ends_when_the_keeper_is_gone(void **state)
{
	static const uint8_t token[CHANNEL_TOKEN_BYTES] = "abcdefg";
	struct event_alert a = sample_alert(EVENT_REPLAY);
	struct sender_config cfg = {.gateway = "gw-a", .outbox_path = sample_path("outbox.db")};
	char text[CHANNEL_METRICS_MAX + 1];
	struct channel keeper;
	int fd = -1;
	pid_t child;

	(void)state;
	assert_int_equal(channel_pair(&fd, &cfg.channel_fd), CV_OK);
	channel_init(&keeper, fd);
	child = fork_sender(fd, &cfg);
	close(cfg.channel_fd);
	channel_alert(&keeper, &a);
	assert_int_equal(channel_ask_sync(&keeper, token), CV_OK);
	assert_int_equal(answer(&keeper, text, sizeof(text)), CHANNEL_SYNC);
	assert_memory_equal(text, token, sizeof(token));
	assert_int_equal(channel_ask_metrics(&keeper), CV_OK);
	assert_int_equal(answer(&keeper, text, sizeof(text)), CHANNEL_METRICS);
	assert_non_null(strstr(text, "conclave_alerts_received_total 1\n"));
	close(fd);
	assert_int_equal(exit_of(child), EXIT_CODE_OK);
}

static enum cv_err refuse_sandbox(void *context)
{
	(void)context;
	return CV_ERR_PERMISSION;
}

static void starts_only_with_its_files_and_sandbox(void **state)
{
	struct destination missing = sample_destination("ops", EVENT_INFO);
	struct sender_config cfg = {.gateway = "gw-a", .outbox_path = sample_path("outbox.db")};
	int fd = -1;

	(void)state;
	assert_int_equal(channel_pair(&fd, &cfg.channel_fd), CV_OK);
	cfg.enter_sandbox = refuse_sandbox;
	assert_int_equal(sender_run(&cfg), EXIT_CODE_CONFIG);
	cfg.enter_sandbox = NULL;
	cfg.destinations = &missing;
	cfg.destination_count = 1;
	assert_int_equal(sender_run(&cfg), EXIT_CODE_CONFIG);
	close(fd);
	close(cfg.channel_fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			answers_and_ends_when_the_keeper_is_gone, sample_setup, sample_teardown),
		cmocka_unit_test_setup_teardown(
			starts_only_with_its_files_and_sandbox, sample_setup, sample_teardown),
	};

	log_init("sender");
	if (secret_process_init() != CV_OK || crypto_init() != CV_OK)
		return EXIT_CODE_INTERNAL;
	if (argc > 1 && strcmp(argv[1], "--run") == 0)
		return run(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
