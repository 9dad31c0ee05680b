#include "notify/format.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What follows the device's (or the gateway's) name; a switch, so that a new type asks for one. */
static const char *sentence(enum event_type type)
{
	switch (type) {
	case EVENT_NONE:
	case EVENT_TYPE_COUNT_:
		break;
	case EVENT_BOOT_LOCKED:
		return "is up, locked, and asks for its share";
	case EVENT_AUTH_OK:
		return "was verified and got its share";
	case EVENT_AUTH_DENIED:
		return "was refused";
	case EVENT_MOUNT_OK:
		return "opened its volume";
	case EVENT_MOUNT_FAIL:
		return "could not open its volume";
	case EVENT_SHARE_INVALID:
		return "got a share that does not hold";
	case EVENT_REPLAY:
		return "sent a spent nonce again";
	case EVENT_DEVICE_REVOKED:
		return "is revoked";
	case EVENT_DEVICE_ENROLLED:
		return "was enrolled";
	case EVENT_DEVICE_QUARANTINED:
		return "is quarantined until an operator acts";
	case EVENT_DEVICE_REINSTATED:
		return "was reinstated";
	case EVENT_POLICY_CHANGED:
		return "has a new policy";
	case EVENT_FLEET_FROZEN:
		return "releases nothing: the fleet is frozen";
	case EVENT_FLEET_THAWED:
		return "releases again: the fleet is thawed";
	case EVENT_APPROVAL_NEEDED:
		return "waits for an operator's approval";
	case EVENT_APPROVAL_GIVEN:
		return "was told to let a request pass once";
	case EVENT_MOUNT_MISSING:
		return "got its share and never said that it opened its volume";
	case EVENT_HARVEST_SUSPECTED:
		return "got shares that do not add up to a boot";
	case EVENT_OPERATOR_REFUSED:
		return "refused an operator's command";
	case EVENT_UNKNOWN_DEVICE:
		return "was asked by a device that it does not know";
	case EVENT_BAD_MAC:
		return "got a request whose MAC does not hold";
	case EVENT_NEW_BOOT_KEY:
		return "came with another key in the same boot";
	case EVENT_CLONE_SUSPECTED:
		return "may be two devices with the same keys";
	case EVENT_BOOT_COUNTER_AHEAD:
		return "came with a boot counter far ahead; refused";
	case EVENT_ROLLBACK_SUSPECTED:
		return "is older than what was seen before";
	case EVENT_CERT_EXPIRED:
		return "works with an expired certificate";
	case EVENT_CLOCK_UNTRUSTED:
		return "has a clock that cannot be trusted";
	case EVENT_STORE_DAMAGED:
		return "has a damaged store";
	case EVENT_DISK_LOW:
		return "cannot make a release durable";
	case EVENT_ALERTS_DROPPED:
		return "lost alerts that nobody could take";
	case EVENT_GATEWAY_STARTED:
		return "started";
	}
	return "has an alert";
}

struct line {
	char *buf;
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void put(struct line *l, const char *format, ...)
{
	size_t room = FORMAT_LINE_MAX - l->len;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(l->buf + l->len, room, format, args);
	va_end(args);
	if (n > 0)
		l->len += (size_t)n < room ? (size_t)n : room - 1;
}

void format_line(char out[FORMAT_LINE_MAX], const struct event_alert *alert)
{
	struct line l = {.buf = out};

	out[0] = 0;
	for (const char *c = event_severity_name(alert->severity); *c; c++)
		put(&l, "%c", toupper((unsigned char)*c));
	put(&l, " %s: ", alert->gateway);
	if (alert->device[0])
		put(&l, "device %s ", alert->device);
	else
		put(&l, "gateway ");
	put(&l, "%s", sentence(alert->type));
	if (alert->reason[0])
		put(&l, " (%s)", alert->reason);
	for (size_t i = 0; i < alert->detail_count; i++) {
		const struct event_detail *d = &alert->details[i];

		put(&l, "%s %s ", i ? "," : ";", event_key_name(d->key));
		if (d->token[0])
			put(&l, "%s", d->token);
		else
			put(&l, "%" PRIu64, d->number);
	}
}
