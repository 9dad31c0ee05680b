/* The numbers behind /readyz and /metrics. */
#include "gateway/keeper_state.h"

#include <stdio.h>

#include "host/log.h"
#include "protocol/json_write.h"

#define HEALTH_GROUPS_MAX 1000 /* of 63 characters each still fit into the answer */

static void write_reasons(struct keeper *k, struct json_writer *w)
{
	json_object_open(w, "reasons");
	for (size_t i = 0; i < REASON_COUNT_; i++) {
		if (k->counters.reasons[i] != 0)
			json_u64(w, reason_code((enum reason)i), k->counters.reasons[i]);
	}
	json_object_close(w);
}

/* Versions by group, and canaries; as many as there is room for, the count above says how many. */
static void write_policies(struct keeper *k, struct json_writer *w)
{
	json_array_open(w, "policies");
	for (size_t i = 0; i < keeper_group_count(k) && i < HEALTH_GROUPS_MAX; i++) {
		uint64_t in_force, canary;
		const char *id = keeper_group_at(k, i, &in_force, &canary);

		json_object_open(w, NULL);
		json_text(w, "group", id);
		json_u64(w, "in_force", in_force);
		json_u64(w, "canary", canary);
		json_object_close(w);
	}
	json_array_close(w);
}

void keeper_on_health(struct keeper *k, const struct ipc_request *request)
{
	const struct store_state *state = store_committed(k->store);
	struct ipc_answer answer = {0};
	struct json_writer w;
	size_t len = 0;

	json_begin(&w, k->body, IPC_ANSWER_BODY_MAX);
	json_object_open(&w, NULL);
	json_u64(&w, "store_revision", state->revision);
	json_u64(&w, "devices", state->devices);
	json_u64(&w, "audit_seq", state->audit_seq);
	json_u64(&w, "queue", k->deferred.count + k->out.count);
	json_bool(&w, "clock_trusted", k->clock.trusted);
	json_u64(&w, "uptime_ms", k->now_ms - k->started_ms);
	json_u64(&w, "reserve_left", store_reserve_bytes(k->store));
	json_bool(&w, "store_writable", k->store_writable);
	json_u64(&w, "batches", k->counters.batches);
	json_u64(&w, "released", k->counters.released);
	json_u64(&w, "audit_lost", k->counters.audit_lost);
	json_u64(&w, "alerts_sent", k->alerts.sent);
	json_u64(&w, "alerts_dropped", k->alerts.dropped);
	json_u64(&w, "unknown_device", k->counters.unknown_device);
	json_u64(&w, "bad_mac", k->counters.bad_mac);
	json_u64(&w, "op_commands", k->counters.op_commands);
	json_u64(&w, "op_refused", k->counters.op_refused);
	json_bool(&w, "fleet_frozen", k->fleet.frozen);
	json_u64(&w, "policy_groups", keeper_group_count(k));
	write_reasons(k, &w);
	write_policies(k, &w);
	json_text(&w, "sender", k->sender_metrics);
	json_object_close(&w);
	if (json_end(&w, &len) != CV_OK) {
		log_error("health: the answer does not fit");
		return;
	}
	answer.id = request->id;
	answer.status = 200;
	snprintf(answer.content_type, sizeof(answer.content_type), "application/json");
	answer.body = (const uint8_t *)k->body;
	answer.body_len = len;
	keeper_send(k, &answer);
}
