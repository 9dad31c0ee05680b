#include "notify/sender_metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static const struct {
	const char *name;
	const char *type;
	size_t offset;
} rows[] = {
	{"conclave_alerts_delivered_total", "counter", offsetof(struct outbox_counts, delivered)},
	{"conclave_alerts_failed_attempts_total", "counter",
		offsetof(struct outbox_counts, failed)},
	{"conclave_alerts_dropped_total", "counter", offsetof(struct outbox_counts, dropped)},
	{"conclave_alerts_buried_total", "counter", offsetof(struct outbox_counts, buried)},
	{"conclave_alerts_waiting", "gauge", offsetof(struct outbox_counts, waiting)},
	{"conclave_alerts_dead", "gauge", offsetof(struct outbox_counts, dead)},
};

struct text {
	char *buf;
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
	size_t room = CHANNEL_METRICS_MAX + 1 - t->len;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->buf + t->len, room, format, args);
	va_end(args);
	if (n > 0 && (size_t)n < room)
		t->len += (size_t)n;
	else
		t->buf[t->len] = 0;
}

static void put_per_destination(struct text *t, size_t row, const struct sender_config *cfg,
	const struct outbox *ob)
{
	put(t, "# TYPE %s %s\n", rows[row].name, rows[row].type);
	for (size_t i = 0; i < cfg->destination_count; i++) {
		struct outbox_counts n;

		outbox_counts(ob, i, &n);
		put(t, "%s{destination=\"%s\"} %" PRIu64 "\n", rows[row].name,
			cfg->destinations[i].name,
			*(const uint64_t *)(const void *)((const char *)&n + rows[row].offset));
	}
}

void sender_metrics(char out[CHANNEL_METRICS_MAX + 1], const struct sender_config *cfg,
	const struct intake *in, const struct outbox *ob, const struct delivery *dl)
{
	struct text t = {.buf = out};

	out[0] = 0;
	put(&t, "# TYPE conclave_alerts_received_total counter\n"
		"conclave_alerts_received_total %" PRIu64 "\n", in->received);
	put(&t, "# TYPE conclave_alerts_invalid_total counter\n"
		"conclave_alerts_invalid_total %" PRIu64 "\n", in->invalid);
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++)
		put_per_destination(&t, row, cfg, ob);
	put(&t, "# TYPE conclave_alerts_destination_up gauge\n");
	for (size_t i = 0; i < cfg->destination_count; i++)
		put(&t, "conclave_alerts_destination_up{destination=\"%s\"} %d\n",
			cfg->destinations[i].name, delivery_is_up(dl, i));
}
