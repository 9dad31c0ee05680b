/* Alerts on their way to the sender. None of this can hold up a request. */
#include "gateway/keeper_state.h"

#include "host/log.h"

#define MINUTE_MS 60000

static bool start(struct keeper *k, struct event_alert *alert, enum event_type type,
	const char *device, const char *reason)
{
	enum cv_err err = event_init(alert, type, k->cfg->gateway, device, k->clock.now_s);

	if (err == CV_OK && reason != NULL && reason[0] != '\0')
		err = event_set_reason(alert, reason);
	if (err != CV_OK)
		log_debug("alert %s: %s", event_type_name(type), cv_err_text(err));
	return err == CV_OK;
}

void keeper_alert(struct keeper *k, enum event_type type, const char *device, const char *reason)
{
	struct event_alert alert;

	if (start(k, &alert, type, device, reason))
		channel_alert(&k->alerts, &alert);
}

void keeper_alert_later(struct keeper *k, const struct event_alert *alert)
{
	if (k->batch_alert_count < KEEPER_BATCH_ALERTS)
		k->batch_alerts[k->batch_alert_count++] = *alert;
	else
		k->alerts.dropped++, k->alerts.unreported++;
}

static void tell(struct keeper *k, enum event_type type, struct keeper_counted *counted)
{
	struct event_alert alert;

	if (!start(k, &alert, type, NULL, NULL))
		return;
	if (event_add_number(&alert, EVENT_KEY_count, counted->count) == CV_OK)
		channel_alert(&k->alerts, &alert);
	counted->count = 0;
	counted->next_ms = k->now_ms + MINUTE_MS;
}

void keeper_alert_count(struct keeper *k, enum event_type type, struct keeper_counted *counted)
{
	counted->count++;
	if (k->now_ms >= counted->next_ms)
		tell(k, type, counted);
}

void keeper_alert_tick(struct keeper *k)
{
	const struct {
		enum event_type type;
		struct keeper_counted *counted;
	} all[] = {
		{ EVENT_UNKNOWN_DEVICE, &k->unknown_device },
		{ EVENT_BAD_MAC, &k->bad_mac },
		{ EVENT_DISK_LOW, &k->disk_low },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i].counted->count > 0 && k->now_ms >= all[i].counted->next_ms)
			tell(k, all[i].type, all[i].counted);
	}
}
