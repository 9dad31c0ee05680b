/* `policy learn`: reference values of a device that booted, as the next version of its policy. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/jsonfile.h"
#include "host/log.h"
#include "protocol/json_get.h"
#include "provisioning/options.h"
#include "provisioning/policy_group.h"
#include "provisioning/round.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

static const struct option_spec options[] = {
	{"device", OPTION_TEXT, "ID", "the device (needed): it must be one you trust"},
	{"from", OPTION_TEXT, "FILE", "the policy to add to, JSON or signed (needed)"},
	{"out", OPTION_TEXT, "FILE", "the proposal: a new file (needed)"},
	{"refused", OPTION_FLAG, NULL,
		"learn from the boot that was refused last, after an update"},
	{"name", OPTION_TEXT, "TEXT", "name of the new values (else device and time)"},
};

struct lesson {
	struct context *ctx;
	cJSON *boot; /* as all gateways that have it tell it */
	size_t gateways;
	char name[64];
};

static const char *text_of(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return text != NULL ? text : "";
}

/* The newest boot of the wanted kind. */
static const cJSON *pick(const struct lesson *l, const cJSON *body)
{
	const bool refused = option_flag(l->ctx, "refused");
	const cJSON *boot;

	cJSON_ArrayForEach(boot, cJSON_GetObjectItemCaseSensitive(body, "boots"))
	{
		if ((strcmp(text_of(boot, "reason"), "release") != 0) == refused)
			return boot;
	}
	return NULL;
}

/* One gateway alone must not be able to teach a value: those that know the boot must agree. */
static enum cv_err take(struct lesson *l, const struct op_errand *e)
{
	static const char *const same[] = {"digests", "pcrs", "tpm_firmware"};
	const cJSON *boot = pick(l, e->result.body);

	if (boot == NULL)
		return CV_OK;
	l->gateways++;
	if (l->boot == NULL) {
		l->boot = cJSON_Duplicate(boot, 1);
		return l->boot != NULL ? CV_OK : CV_ERR_MEMORY;
	}
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		const cJSON *a = cJSON_GetObjectItemCaseSensitive(l->boot, same[i]);
		const cJSON *b = cJSON_GetObjectItemCaseSensitive(boot, same[i]);

		if (a == NULL && b == NULL)
			continue;
		if (!cJSON_Compare(a, b, 1)) {
			log_error("gateway %s: tells another boot than the others (%s): let the "
				  "device boot once with all gateways up",
				e->gateway.id, same[i]);
			return CV_ERR_MISMATCH;
		}
	}
	return CV_OK;
}

static enum cv_err fetch(struct lesson *l, struct session *s)
{
	char *body = round_device_body(s->record.id, NULL);
	struct round r;
	enum cv_err err = round_init(&r, &s->fleet, &s->record.set);

	if (err == CV_OK)
		err = body != NULL ? round_set_body(&r, body) : CV_ERR_MEMORY;
	if (err == CV_OK)
		op_round(&s->client, "evidence", r.errands, r.count);
	for (size_t i = 0; err == CV_OK && i < r.count; i++) {
		if (r.errands[i].result.err == CV_OK)
			err = take(l, &r.errands[i]);
		else
			log_warning("gateway %s: %s", r.errands[i].gateway.id,
				r.errands[i].result.problem);
	}
	if (err == CV_OK && l->gateways < s->record.set.threshold) {
		log_error("device %s: %zu gateways have such a boot on record, %u must",
			s->record.id, l->gateways, (unsigned)s->record.set.threshold);
		err = CV_ERR_TOO_FEW;
	}
	round_free(&r);
	cJSON_free(body);
	return err;
}

static bool holds_reference(const cJSON *list, const char *value)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
	{
		if (strcmp(text_of(item, "value"), value) == 0)
			return true;
	}
	return false;
}

static bool holds_text(const cJSON *list, const char *value)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
	{
		const char *text = cJSON_GetStringValue(item);

		if (text != NULL && strcmp(text, value) == 0)
			return true;
	}
	return false;
}

/* An object under this name, in place of "not_required" or nothing. */
static cJSON *object_in(cJSON *parent, const char *name)
{
	cJSON *item = cJSON_GetObjectItemCaseSensitive(parent, name);

	if (cJSON_IsObject(item))
		return item;
	cJSON_DeleteItemFromObjectCaseSensitive(parent, name);
	return cJSON_AddObjectToObject(parent, name);
}

static void learned(struct lesson *l, size_t *added, const char *what, const char *name,
	const char *value)
{
	(*added)++;
	say(l->ctx, "+ %s.%s %s", what, name, value);
}

/* Measurements that the policy names plainly stay there; all others become named references. */
static void add_digests(struct lesson *l, cJSON *doc, size_t *added)
{
	cJSON *rules = cJSON_GetObjectItemCaseSensitive(doc, "rules");
	const cJSON *plain = cJSON_GetObjectItemCaseSensitive(rules, "measurements");
	cJSON *references = object_in(doc, "references");
	const cJSON *digest;

	cJSON_ArrayForEach(digest, cJSON_GetObjectItemCaseSensitive(l->boot, "digests"))
	{
		cJSON *list = cJSON_GetObjectItemCaseSensitive(plain, digest->string);
		cJSON *item;

		if (list != NULL) {
			if (holds_text(list, digest->valuestring))
				continue;
			cJSON_AddItemToArray(list, cJSON_CreateString(digest->valuestring));
			learned(l, added, "rules.measurements", digest->string,
				digest->valuestring);
			continue;
		}
		list = cJSON_GetObjectItemCaseSensitive(references, digest->string);
		if (holds_reference(list, digest->valuestring))
			continue;
		if (list == NULL)
			list = cJSON_AddArrayToObject(references, digest->string);
		item = cJSON_CreateObject();
		cJSON_AddStringToObject(item, "name", l->name);
		cJSON_AddStringToObject(item, "value", digest->valuestring);
		cJSON_AddItemToArray(list, item);
		learned(l, added, "references", digest->string, digest->valuestring);
	}
	if (references->child == NULL)
		cJSON_DeleteItemFromObjectCaseSensitive(doc, "references");
}

/* Only PCRs that the policy demands: which ones matter is the author's to say. */
static void add_pcrs(struct lesson *l, cJSON *doc, size_t *added)
{
	cJSON *rules = cJSON_GetObjectItemCaseSensitive(doc, "rules");
	cJSON *list, *pcrs = cJSON_GetObjectItemCaseSensitive(rules, "pcrs");
	const cJSON *seen = cJSON_GetObjectItemCaseSensitive(l->boot, "pcrs");

	cJSON_ArrayForEach(list, pcrs)
	{
		const char *value = text_of(seen, list->string != NULL ? list->string : "");

		if (value[0] == '\0' || holds_text(list, value))
			continue;
		cJSON_AddItemToArray(list, cJSON_CreateString(value));
		learned(l, added, "rules.pcrs", list->string, value);
	}
}

static enum cv_err propose(struct lesson *l, const struct policy_file *from, const char *out)
{
	cJSON *doc = cJSON_ParseWithLength(from->json, from->json_len);
	cJSON *rules = cJSON_GetObjectItemCaseSensitive(doc, "rules");
	size_t added = 0;
	enum cv_err err = doc != NULL ? CV_OK : CV_ERR_MEMORY;

	if (err == CV_OK) {
		add_digests(l, doc, &added);
		add_pcrs(l, doc, &added);
		cJSON_AddNumberToObject(l->ctx->result, "added", (double)added);
	}
	if (err == CV_OK && added == 0) {
		say(l->ctx, "nothing to learn: the policy has all values of this boot");
	} else if (err == CV_OK) {
		cJSON_SetNumberValue(cJSON_GetObjectItemCaseSensitive(rules, "policy_version"),
			(double)from->version + 1);
		err = file_exists(out) ? CV_ERR_EXISTS : jsonfile_write(out, doc, 0644);
		if (err != CV_OK)
			log_error("policy learn: %s: %s", out, cv_err_text(err));
		else
			say(l->ctx, "%s: version %llu, for review: `conclave policy diff` and "
				    "`policy test`, then sign it",
				out, (unsigned long long)from->version + 1);
	}
	cJSON_Delete(doc);
	return err;
}

static enum cv_err name_values(struct lesson *l, const char *device)
{
	const char *given = option_text(l->ctx, "name");
	char now[CLOCK_TEXT_BUF];
	int n;

	clock_format_utc(now, clock_wall_s());
	n = given != NULL ? snprintf(l->name, sizeof(l->name), "%s", given)
			  : snprintf(l->name, sizeof(l->name), "%.40s %.10s", device, now);
	if (n > 0 && (size_t)n < sizeof(l->name) && evidence_text_valid(l->name))
		return CV_OK;
	log_error("--name: 1 to 63 printable ASCII characters");
	return CV_ERR_ARGUMENT;
}

static enum cv_err policy_learn_run(struct context *ctx)
{
	const char *device = option_text(ctx, "device"), *from = option_text(ctx, "from");
	const char *out = option_text(ctx, "out");
	struct policy_file file = {.json = NULL};
	struct lesson l = {.ctx = ctx};
	struct session *s = NULL;
	enum cv_err err;

	if (device == NULL || from == NULL || out == NULL) {
		log_error("policy learn: --device, --from and --out are needed");
		return CV_ERR_ARGUMENT;
	}
	err = name_values(&l, device);
	if (err == CV_OK)
		err = session_open(&s, ctx, device, OP_ROLE_AUDIT);
	if (err == CV_OK)
		err = policy_group_read(&file, from, &s->fleet);
	if (err == CV_OK)
		err = fetch(&l, s);
	if (err == CV_OK)
		err = propose(&l, &file, out);
	cJSON_Delete(l.boot);
	policy_group_free(&file);
	session_close(s);
	return err;
}

const struct verb verb_policy_learn = {
	.noun = "policy",
	.name = "learn",
	.args = "",
	.summary = "propose a policy with the reference values of a device that booted\n"
		   "For review: it is a file, and nothing is pushed. At least K gateways must have\n"
		   "the boot on record and tell the same.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = policy_learn_run,
};
