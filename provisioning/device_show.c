/* `device show`: what the fleet's directory knows and what each gateway says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/log.h"
#include "protocol/base64url.h"
#include "protocol/json_get.h"
#include "provisioning/options.h"
#include "provisioning/pending.h"
#include "provisioning/round.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

static const struct option_spec options[] = {
	{"offline", OPTION_FLAG, NULL, "ask no gateway"},
};

static void show_local(struct context *ctx, const struct device_record *r)
{
	char id[HEX_BUF(CV_VOLUME_ID_BYTES)], hash[HEX_BUF(CV_HASH_BYTES)];
	cJSON *members = cJSON_AddArrayToObject(ctx->result, "members");

	hex_encode(id, r->set.volume_id, sizeof(r->set.volume_id));
	hex_encode(hash, r->set.hash, sizeof(r->set.hash));
	cJSON_AddStringToObject(ctx->result, "device", r->id);
	cJSON_AddStringToObject(ctx->result, "trust_class", trust_class_name(r->trust_class));
	cJSON_AddNumberToObject(ctx->result, "threshold", r->set.threshold);
	cJSON_AddStringToObject(ctx->result, "volume", r->volume);
	cJSON_AddStringToObject(ctx->result, "volume_id", id);
	cJSON_AddNumberToObject(ctx->result, "epoch", r->set.epoch);
	cJSON_AddStringToObject(ctx->result, "share_set_hash", hash);
	say(ctx, "device       %s (%s)", r->id, trust_class_name(r->trust_class));
	say(ctx, "volume       %s  id %s  epoch %u", r->volume[0] != '\0' ? r->volume : "-", id,
		(unsigned)r->set.epoch);
	say(ctx, "share set    %u of %u, %s", (unsigned)r->set.threshold, (unsigned)r->set.count,
		hash);
	for (size_t i = 0; i < r->set.count; i++)
		cJSON_AddItemToArray(members, cJSON_CreateString(r->set.members[i].gateway));
}

static void show_remote(struct context *ctx, const struct op_errand *e)
{
	char state[32] = "?", group[CV_ID_BUF], when[CLOCK_TEXT_BUF] = "never";
	uint64_t version = 0, last = 0;

	if (json_get_text(e->result.body, "state", state, sizeof(state)) != CV_OK ||
		json_get_u64(e->result.body, "policy_version", 0, CV_JSON_INTEGER_MAX, &version) !=
			CV_OK)
		return;
	if (json_get_u64(e->result.body, "last_release", 0, CV_JSON_INTEGER_MAX, &last) != CV_OK)
		last = 0;
	if (json_get_text(e->result.body, "group", group, sizeof(group)) != CV_OK)
		group[0] = '\0';
	if (last != 0)
		clock_format_utc(when, (int64_t)last);
	if (group[0] != '\0' && version == 0)
		say(ctx, "gateway %-12s %s, no policy of group %s here: it refuses, last release %s",
			e->gateway.id, state, group, when);
	else
		say(ctx, "gateway %-12s %s, policy %s%s%llu, last release %s", e->gateway.id, state,
			group, group[0] != '\0' ? " " : "", (unsigned long long)version, when);
}

/* How many say what; a gateway that was not asked says nothing. */
struct tally {
	size_t active, quarantined, revoked, frozen;
};

static void count(struct tally *t, const struct op_errand *e)
{
	char state[32];
	int frozen = 0;

	if (e->result.err != CV_OK ||
		json_get_text(e->result.body, "state", state, sizeof(state)) != CV_OK)
		return;
	t->revoked += strcmp(state, "revoked") == 0;
	t->quarantined += strcmp(state, "quarantined") == 0;
	if (json_get_bool(e->result.body, "frozen", &frozen) == CV_OK && frozen)
		t->frozen++;
	else
		t->active += strcmp(state, "active") == 0;
}

/* What a device could do now: one gateway that says "revoked" revokes nothing. */
static void show_effect(struct context *ctx, const struct device_record *r, const struct tally *t)
{
	const size_t needed = (size_t)r->set.count - r->set.threshold + 1;
	const size_t locked = t->revoked + t->quarantined;
	const char *state = "unknown";

	if (t->revoked >= needed)
		state = "revoked";
	else if (locked >= needed)
		state = "quarantined";
	else if (t->active >= r->set.threshold)
		state = "active";
	else if (t->frozen > 0)
		state = "frozen";
	cJSON_AddStringToObject(ctx->result, "effective_state", state);
	cJSON_AddNumberToObject(ctx->result, "locked_at", (double)locked);
	cJSON_AddNumberToObject(ctx->result, "locked_needed", (double)needed);
	say(ctx, "effective    %s: %zu gateways release, %zu are needed; %zu of %zu needed refuse",
		state, t->active, (size_t)r->set.threshold, locked, needed);
	if (locked > 0 && locked < needed)
		log_warning("device %s: can still unlock: only %zu of %zu gateways that are needed "
			    "refuse it",
			r->id, locked, needed);
}

static void show_pending(struct context *ctx, const struct session *s)
{
	struct pending *p = malloc(sizeof(*p));
	char name[PENDING_NAME_BUF];

	snprintf(name, sizeof(name), "device-%s", s->record.id);
	if (p != NULL && pending_read(p, &s->fleet, name) == CV_OK) {
		cJSON_AddStringToObject(ctx->result, "pending", p->command);
		say(ctx, "pending      %s: %zu of %zu gateways hold it", p->command,
			pending_held(p), p->count);
	}
	free(p);
}

static enum cv_err ask_gateways(struct context *ctx, struct session *s)
{
	struct round r;
	char *body = round_device_body(s->record.id, NULL);
	struct tally tally = {0, 0, 0, 0};
	cJSON *list, *item;
	size_t i = 0;
	enum cv_err err = round_init(&r, &s->fleet, &s->record.set);

	if (err == CV_OK)
		err = body != NULL ? round_set_body(&r, body) : CV_ERR_MEMORY;
	if (err == CV_OK) {
		round_run(&r, ctx, &s->client, "show", "answers");
		list = cJSON_GetObjectItemCaseSensitive(ctx->result, "gateways");
		cJSON_ArrayForEach(item, list)
		{
			const struct op_errand *e = &r.errands[i++];

			if (e->result.err != CV_OK)
				continue;
			show_remote(ctx, e);
			count(&tally, e);
			cJSON_AddItemToObject(item, "record", cJSON_Duplicate(e->result.body, 1));
		}
		show_effect(ctx, &s->record, &tally);
		show_pending(ctx, s);
		if (r.done < r.count)
			err = round_shortfall(&r);
	}
	round_free(&r);
	cJSON_free(body);
	return err;
}

static enum cv_err show_offline(struct context *ctx)
{
	struct fleet fleet;
	struct device_record *record = calloc(1, sizeof(*record));
	enum cv_err err = record != NULL ? fleet_open(&fleet, ctx, false) : CV_ERR_MEMORY;

	if (err == CV_OK) {
		err = device_record_read(record, &fleet, ctx->args[0]);
		if (err == CV_OK)
			show_local(ctx, record);
		fleet_close(&fleet);
	}
	free(record);
	return err;
}

static enum cv_err device_show_run(struct context *ctx)
{
	struct session *s = NULL;
	enum cv_err err;

	if (option_flag(ctx, "offline"))
		return show_offline(ctx);
	err = session_open(&s, ctx, ctx->args[0], OP_ROLE_AUDIT);
	if (err == CV_OK) {
		show_local(ctx, &s->record);
		err = ask_gateways(ctx, s);
	}
	session_close(s);
	return err;
}

const struct verb verb_device_show = {
	.noun = "device",
	.name = "show",
	.args = "ID",
	.args_min = 1,
	.args_max = 1,
	.summary = "show a device: its share set, and its state at each gateway\n"
		   "Exits 10 when a gateway could not be asked, 11 when one refused.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = device_show_run,
};
