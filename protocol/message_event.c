#include "protocol/message.h"

#include <string.h>

#include "protocol/id.h"
#include "protocol/json_get.h"
#include "protocol/json_write.h"
#include "protocol/line.h"

static const struct {
	enum device_event event;
	const char *name;
} events[] = {
	{DEVICE_EVENT_MOUNT_OK, "MOUNT_OK"},
	{DEVICE_EVENT_MOUNT_FAIL, "MOUNT_FAIL"},
	{DEVICE_EVENT_SHARE_INVALID, "SHARE_INVALID"},
	{DEVICE_EVENT_CHECKPOINT, "CHECKPOINT"},
};

const char *device_event_name(enum device_event event)
{
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (events[i].event == event)
			return events[i].name;
	}
	return "none";
}

/* [a-z0-9_]{0,32} */
static int reason_valid(const char *reason, size_t cap)
{
	size_t len = strlen(reason);

	if (len >= cap)
		return 0;
	for (size_t i = 0; i < len; i++) {
		char c = reason[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
			return 0;
	}
	return 1;
}

int message_anchor_valid(const char *anchor)
{
	size_t len = strlen(anchor);

	if (len > MESSAGE_ANCHOR_MAX)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (anchor[i] < 0x21 || anchor[i] > 0x7e)
			return 0;
	}
	return 1;
}

static int event_valid(const struct event_request *m)
{
	return m->event >= DEVICE_EVENT_MOUNT_OK && m->event <= DEVICE_EVENT_CHECKPOINT &&
	       reason_valid(m->reason, sizeof(m->reason)) && message_anchor_valid(m->anchor) &&
	       (m->gateway[0] == '\0' || id_valid(m->gateway, strlen(m->gateway)));
}

enum cv_err event_request_encode(
	char *out, size_t cap, size_t *len, const struct event_request *m)
{
	struct json_writer w;

	if (!event_valid(m))
		return CV_ERR_ARGUMENT;
	json_begin(&w, out, cap);
	json_object_open(&w, NULL);
	json_bytes(&w, "request_id", m->request_id, sizeof(m->request_id));
	json_bytes(&w, "volume_id", m->volume_id, sizeof(m->volume_id));
	json_u64(&w, "epoch", m->epoch);
	json_bytes(&w, "boot_id", m->boot_id, sizeof(m->boot_id));
	json_u64(&w, "counter", m->counter);
	json_text(&w, "event", device_event_name(m->event));
	if (m->has_session)
		json_bytes(&w, "session", m->session, sizeof(m->session));
	if (m->reason[0] != '\0')
		json_text(&w, "reason", m->reason);
	if (m->gateway[0] != '\0')
		json_text(&w, "gateway", m->gateway);
	if (m->store_revision != 0)
		json_u64(&w, "store_revision", m->store_revision);
	if (m->anchor[0] != '\0')
		json_text(&w, "anchor", m->anchor);
	json_object_close(&w);
	return json_end(&w, len);
}

static enum cv_err get_event(const struct cJSON *tree, enum device_event *event)
{
	const char *text;
	size_t len;
	enum cv_err err = json_get_text_ref(tree, "event", &text, &len);

	if (err != CV_OK)
		return err;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (text_equal(text, events[i].name)) {
			*event = events[i].event;
			return CV_OK;
		}
	}
	return CV_ERR_TYPE;
}

/* An optional text that is there must not be empty: empty means absent in the struct. */
static enum cv_err get_optional(const struct cJSON *tree, const char *name, char *out, size_t cap)
{
	enum cv_err err;

	if (!json_has(tree, name))
		return CV_OK;
	err = json_get_text(tree, name, out, cap);
	return err == CV_OK && out[0] == '\0' ? CV_ERR_FORMAT : err;
}

static enum cv_err get_optionals(const struct cJSON *tree, struct event_request *m)
{
	enum cv_err err = CV_OK;

	if (json_has(tree, "session")) {
		err = json_get_bytes(tree, "session", m->session, sizeof(m->session));
		m->has_session = 1;
	}
	if (err == CV_OK)
		err = get_optional(tree, "reason", m->reason, sizeof(m->reason));
	if (err == CV_OK)
		err = get_optional(tree, "gateway", m->gateway, sizeof(m->gateway));
	if (err == CV_OK)
		err = get_optional(tree, "anchor", m->anchor, sizeof(m->anchor));
	if (err == CV_OK && json_has(tree, "store_revision"))
		err = json_get_u64(
			tree, "store_revision", 1, CV_JSON_INTEGER_MAX, &m->store_revision);
	if (err == CV_OK && !event_valid(m))
		err = CV_ERR_FORMAT;
	return err;
}

static enum cv_err event_request_from(struct event_request *m, const struct cJSON *tree)
{
	static const char *const names[] = {"request_id", "volume_id", "epoch", "boot_id",
		"counter", "event", "session", "reason", "gateway", "store_revision", "anchor",
		NULL};
	uint64_t epoch = 0;
	enum cv_err err = json_only(tree, names);

	if (err == CV_OK)
		err = json_get_bytes(tree, "request_id", m->request_id, sizeof(m->request_id));
	if (err == CV_OK)
		err = json_get_bytes(tree, "volume_id", m->volume_id, sizeof(m->volume_id));
	if (err == CV_OK)
		err = json_get_u64(tree, "epoch", 1, UINT32_MAX, &epoch);
	if (err == CV_OK)
		err = json_get_bytes(tree, "boot_id", m->boot_id, sizeof(m->boot_id));
	if (err == CV_OK)
		err = json_get_u64(tree, "counter", 0, CV_JSON_INTEGER_MAX, &m->counter);
	if (err == CV_OK)
		err = get_event(tree, &m->event);
	if (err == CV_OK)
		err = get_optionals(tree, m);
	m->epoch = (uint32_t)epoch;
	return err;
}

enum cv_err event_request_decode(struct event_request *m, const char *body, size_t len)
{
	struct event_request decoded;
	struct cJSON *tree = NULL;
	enum cv_err err = json_parse(&tree, body, len, CV_BODY_MAX);

	memset(&decoded, 0, sizeof(decoded));
	if (err == CV_OK)
		err = event_request_from(&decoded, tree);
	if (err == CV_OK)
		*m = decoded;
	json_free(tree);
	return err;
}

enum cv_err event_answer_encode(
	char *out, size_t cap, size_t *len, const struct event_request *m)
{
	struct json_writer w;

	(void)m;
	json_begin(&w, out, cap);
	json_object_open(&w, NULL);
	json_bool(&w, "accepted", 1);
	json_object_close(&w);
	return json_end(&w, len);
}
