/* Commands about requests that wait for an operator: list them, let one pass once. */
#include "gateway/opcmd.h"

#include <stdio.h>
#include <string.h>

#define LIST_MAX 500

enum opcmd_result opcmd_requests(struct keeper *k, struct opcmd *op)
{
	static const char *const names[] = { NULL };
	const struct keeper_request *r;
	size_t cursor = 0, listed = 0;

	if (json_only(op->tree, names) != CV_OK)
		return OPCMD_MALFORMED;
	json_array_open(&op->w, "requests");
	while (listed < LIST_MAX && (r = keeper_request_next(k, &cursor)) != NULL) {
		json_object_open(&op->w, NULL);
		json_u64(&op->w, "request", r->number);
		json_text(&op->w, "device", r->device);
		json_bytes(&op->w, "volume_id", r->volume_id, sizeof(r->volume_id));
		json_u64(&op->w, "epoch", r->epoch);
		json_u64(&op->w, "first", r->first_s);
		json_object_close(&op->w);
		listed++;
	}
	json_array_close(&op->w);
	return OPCMD_OK;
}

static enum opcmd_result find(
	struct keeper *k, struct opcmd *op, uint64_t number, struct keeper_request *out)
{
	const struct keeper_request *r = keeper_request_find(k, number);
	bool known = false;

	if (r == NULL) {
		snprintf(op->problem, sizeof(op->problem),
			"no request of that number waits here");
		return OPCMD_NOT_FOUND;
	}
	*out = *r;
	memcpy(op->device, r->device, sizeof(op->device));
	if (store_device_get(k->store, r->device, k->rec, &known) != CV_OK)
		return OPCMD_STORE_FAILED;
	return known ? OPCMD_OK : OPCMD_NOT_FOUND;
}

static void alert_given(struct keeper *k, const struct opcmd *op, uint64_t number)
{
	struct event_alert alert;

	if (event_init(&alert, EVENT_APPROVAL_GIVEN, k->cfg->gateway, NULL, k->clock.now_s) ==
			CV_OK &&
		event_add_number(&alert, EVENT_KEY_request, number) == CV_OK &&
		event_add_token(&alert, EVENT_KEY_operator, op->cert.operator_id) == CV_OK)
		keeper_alert_later(k, &alert);
}

enum opcmd_result opcmd_approve(struct keeper *k, struct opcmd *op)
{
	static const char *const names[] = { "request", NULL };
	struct record_grant *grant = &k->rec->grant;
	struct keeper_request request;
	char detail[24];
	uint64_t number = 0;
	enum opcmd_result result;

	if (json_only(op->tree, names) != CV_OK ||
		json_get_u64(op->tree, "request", 1, CV_JSON_INTEGER_MAX, &number) != CV_OK)
		return OPCMD_MALFORMED;
	result = find(k, op, number, &request);
	if (result == OPCMD_OK)
		result = opcmd_begin(k, op, false);
	if (result != OPCMD_OK)
		return result;
	grant->present = true;
	memcpy(grant->volume_id, request.volume_id, sizeof(grant->volume_id));
	grant->epoch = request.epoch;
	memcpy(grant->boot_key, request.boot_key, sizeof(grant->boot_key));
	grant->given_s = k->clock.now_s;
	snprintf(detail, sizeof(detail), "%llu", (unsigned long long)number);
	result = opcmd_put_device(k, op, "request", detail);
	if (result != OPCMD_OK)
		return result;
	alert_given(k, op, number);
	json_u64(&op->w, "request", number);
	json_text(&op->w, "device", op->device);
	json_u64(&op->w, "seconds", AUTHORIZE_GRANT_S);
	return OPCMD_OK;
}
