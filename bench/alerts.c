/*
 * Alerts: how many a second become durable in the outbox and reach a webhook on loopback, and how
 * long one takes. The sender is the real one, in a process of its own; its outbox lies in the
 * directory given as the only argument.
 *
 * Output, tab-separated: durable per second, delivered per second, median and largest us from
 * channel_alert to the receiver for single alerts.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/receiver.h"
#include "host/log.h"
#include "host/secret.h"
#include "notify/channel.h"
#include "notify/sender.h"
#include "protocol/crypto.h"

#define ALERTS 10000
#define WINDOW 128 /* alerts between two questions whether all is durable: what the channel holds */
#define SINGLES 200

static void make_alert(struct event_alert *alert)
{
	static const uint8_t boot_id[16] = {1};

	MUST(event_init(alert, EVENT_AUTH_OK, "gw-a", "cam-0001", 1764000000));
	MUST(event_add_number(alert, EVENT_KEY_epoch, 1));
	MUST(event_add_hex(alert, EVENT_KEY_boot_id, boot_id));
}

static void wait_durable(struct channel *ch)
{
	static const uint8_t token[CHANNEL_TOKEN_BYTES] = "durable";
	struct pollfd readable = {ch->fd, POLLIN, 0};
	enum channel_type type;
	char body[64];
	size_t len;

	MUST(channel_ask_sync(ch, token));
	MUST(poll(&readable, 1, 60000) != 1);
	MUST(channel_receive(ch, &type, body, sizeof(body), &len));
}

static void write_destination(const char *path, uint16_t port)
{
	FILE *f;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	MUST(fd < 0);
	f = fdopen(fd, "w");
	MUST(!f || fprintf(f, "url = http://127.0.0.1:%u/\n"
			      "secret = whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", port) < 0);
	MUST(fclose(f) != 0);
}

static pid_t start_sender(const char *directory, int channel_fd, int keeper_fd, uint16_t port)
{
	static struct destination destination = {
		.name = "bench", .kind = DESTINATION_WEBHOOK, .least = EVENT_INFO};
	static char outbox[4096];
	struct sender_config cfg = {.channel_fd = channel_fd,
		.gateway = "gw-a",
		.outbox_path = outbox,
		.destinations = &destination,
		.destination_count = 1};
	pid_t child;

	snprintf(outbox, sizeof(outbox), "%.4000s/outbox.db", directory);
	snprintf(destination.file, sizeof(destination.file), "%.4000s/bench.conf", directory);
	write_destination(destination.file, port);
	child = fork();
	MUST(child < 0);
	if (child == 0) {
		close(keeper_fd);
		_exit(sender_run(&cfg));
	}
	return child;
}

static void measure_many(struct channel *ch)
{
	uint64_t start = measure_now_ns(), durable, delivered;
	struct event_alert alert;
	unsigned before = receiver_count();

	for (unsigned i = 1; i <= ALERTS; i++) {
		make_alert(&alert);
		channel_alert(ch, &alert);
		if (i % WINDOW == 0 || i == ALERTS)
			wait_durable(ch);
	}
	durable = measure_now_ns() - start;
	delivered = receiver_wait(before + ALERTS) - start;
	MUST(ch->dropped != 0);
	printf("%.0f\t%.0f", ALERTS * 1e9 / (double)durable, ALERTS * 1e9 / (double)delivered);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure_singles(struct channel *ch)
{
	double took_us[SINGLES];
	struct event_alert alert;

	for (int i = 0; i < SINGLES; i++) {
		unsigned before = receiver_count();
		uint64_t start;

		make_alert(&alert);
		wait_durable(ch);
		start = measure_now_ns();
		channel_alert(ch, &alert);
		took_us[i] = (double)(receiver_wait(before + 1) - start) / 1e3;
	}
	qsort(took_us, SINGLES, sizeof(double), compare);
	printf("\t%.0f\t%.0f\n", took_us[SINGLES / 2], took_us[SINGLES - 1]);
}

int main(int argc, char **argv)
{
	int keeper_fd = -1, sender_fd = -1, status = 0;
	struct channel ch;
	pid_t sender;

	log_init("bench");
	if (argc != 2)
		measure_die("usage: alerts DIRECTORY");
	MUST(secret_process_init());
	MUST(crypto_init());
	MUST(channel_pair(&keeper_fd, &sender_fd));
	/* The sender must be forked before there are threads, and the receiver has some. */
	channel_init(&ch, keeper_fd);
	sender = start_sender(argv[1], sender_fd, keeper_fd, receiver_bind());
	close(sender_fd);
	receiver_start();
	measure_many(&ch);
	measure_singles(&ch);
	close(keeper_fd);
	MUST(waitpid(sender, &status, 0) != sender || !WIFEXITED(status) || WEXITSTATUS(status));
	return 0;
}
