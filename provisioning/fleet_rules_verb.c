/* `fleet rules`: what takes two operators, signed by the fleet's root. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/fleet_rules.h"
#include "provisioning/options.h"
#include "provisioning/round.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

#define RULES_FILE "rules.jws"

static const struct option_spec options[] = {
	{"two-for-policy", OPTION_TEXT, "yes|no", "a group's policy needs two operators"},
};

/* What is there, or rules of version 0 that ask for nothing. */
static enum cv_err read_rules(
	struct fleet_rules *rules, char *text, size_t *len, const struct fleet *fleet)
{
	char path[FILE_PATH_BUF];
	uint8_t *found = NULL;
	enum cv_err err = fleet_path(fleet, path, RULES_FILE);

	memset(rules, 0, sizeof(*rules));
	memcpy(rules->fleet, fleet->id, sizeof(rules->fleet));
	*len = 0;
	if (err == CV_OK)
		err = file_read(&found, len, path, FLEET_RULES_MAX);
	if (err == CV_ERR_NOT_FOUND)
		return CV_OK;
	if (err == CV_OK)
		err = fleet_rules_decode(
			rules, (const char *)found, *len, fleet->id, fleet->root_key);
	if (err == CV_OK)
		memcpy(text, found, *len + 1);
	else
		log_error("fleet rules: %s: %s", path, cv_err_text(err));
	free(found);
	return err;
}

/* Kept before anybody gets them, so that later ones are newer. */
static enum cv_err sign_rules(char *text, size_t *len, struct fleet_rules *rules,
	struct session *s, const struct context *ctx)
{
	struct key_pair *root = NULL;
	struct jws_signer signer;
	char path[FILE_PATH_BUF];
	enum cv_err err = fleet_path(&s->fleet, path, "root/keys");

	if (err == CV_OK)
		err = fleet_read_keys(&root, ctx, &s->passphrase, path, "the fleet's root");
	if (err != CV_OK)
		return err;
	rules->version++;
	rules->iat_s = (uint64_t)clock_wall_s();
	signer = jws_key_signer(root->sign);
	err = fleet_rules_encode(text, FLEET_RULES_MAX + 1, len, rules, &signer);
	secret_free(root);
	if (err == CV_OK)
		err = fleet_path(&s->fleet, path, RULES_FILE);
	if (err == CV_OK)
		err = file_write_atomic(path, text, *len, 0644);
	if (err != CV_OK)
		log_error("fleet rules: %s: %s", path, cv_err_text(err));
	return err;
}

static enum cv_err send_rules(struct context *ctx, struct session *s, const char *text)
{
	char body[FLEET_RULES_MAX + 32];
	struct round r;
	enum cv_err err = round_init_fleet(&r, &s->fleet);

	if (err != CV_OK)
		return err;
	snprintf(body, sizeof(body), "{\"rules\":\"%s\"}", text);
	err = round_set_body(&r, body);
	if (err == CV_OK) {
		round_run(&r, ctx, &s->client, "fleet-rules", "has the rules");
		if (r.done < r.count) {
			log_error("fleet rules: %zu of %zu gateways have them: %s",
				r.done, r.count, round_advice(&r));
			err = round_shortfall(&r);
		}
	}
	round_free(&r);
	return err;
}

static enum cv_err change(struct context *ctx, struct session *s, bool two)
{
	char text[FLEET_RULES_MAX + 1];
	struct fleet_rules rules;
	size_t len = 0;
	enum cv_err err = read_rules(&rules, text, &len, &s->fleet);

	if (err == CV_OK && (len == 0 || (rules.two_for_policy != 0) != two)) {
		rules.two_for_policy = two ? 1 : 0;
		err = sign_rules(text, &len, &rules, s, ctx);
	}
	if (err != CV_OK)
		return err;
	cJSON_AddNumberToObject(ctx->result, "version", (double)rules.version);
	cJSON_AddBoolToObject(ctx->result, "two_for_policy", rules.two_for_policy != 0);
	return send_rules(ctx, s, text);
}

static enum cv_err fleet_rules_run(struct context *ctx)
{
	const char *two = option_text(ctx, "two-for-policy");
	struct session *s = NULL;
	struct fleet lock;
	enum cv_err err;

	if (two == NULL || (strcmp(two, "yes") != 0 && strcmp(two, "no") != 0)) {
		log_error("fleet rules: --two-for-policy: yes or no");
		return CV_ERR_ARGUMENT;
	}
	err = fleet_open(&lock, ctx, true);
	if (err != CV_OK)
		return err;
	/* Any operator may carry what the root signed. */
	err = session_open(&s, ctx, NULL, OP_ROLE_POLICY);
	if (err == CV_OK)
		err = change(ctx, s, strcmp(two, "yes") == 0);
	session_close(s);
	fleet_close(&lock);
	return err;
}

const struct verb verb_fleet_rules = {
	.noun = "fleet",
	.name = "rules",
	.args = "",
	.summary = "say what takes two operators; the fleet's root signs it\n"
		   "Exits 10 until every gateway has it.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = fleet_rules_run,
};
