#include "gateway/store_policy.h"

#include <stdio.h>
#include <string.h>

#include "gateway/store_db.h"
#include "protocol/lp.h"

#define LABEL "conclave-group-v1"
#define GROUP_PLAIN_MAX 8192

static enum cv_err encode(uint8_t out[GROUP_PLAIN_MAX], size_t *len, const struct store_group *g)
{
	struct lp lp;

	lp_begin(&lp, out, GROUP_PLAIN_MAX, LABEL);
	lp_text(&lp, g->id);
	lp_u64(&lp, g->in_force);
	lp_u64(&lp, g->canary);
	lp_u64(&lp, g->percent);
	lp_u64(&lp, g->highest);
	lp_u64(&lp, g->count);
	for (size_t i = 0; i < g->count; i++) {
		lp_u64(&lp, g->policies[i].version);
		lp_bytes(&lp, g->policies[i].hash, CV_HASH_BYTES);
		lp_text(&lp, g->policies[i].signer);
		lp_text(&lp, g->policies[i].second);
		lp_u64(&lp, g->policies[i].taken_s);
	}
	return lp_end(&lp, len);
}

static enum cv_err decode(struct store_group *g, const uint8_t *data, size_t len)
{
	struct lp_reader r;
	uint64_t percent, count;

	memset(g, 0, sizeof(*g));
	lp_read_begin(&r, data, len, LABEL);
	lp_read_text(&r, g->id, sizeof(g->id));
	g->in_force = lp_read_u64(&r);
	g->canary = lp_read_u64(&r);
	percent = lp_read_u64(&r);
	g->highest = lp_read_u64(&r);
	count = lp_read_u64(&r);
	if (percent > 100 || count > STORE_POLICY_KEPT)
		return CV_ERR_FORMAT;
	g->percent = (uint32_t)percent;
	g->count = (size_t)count;
	for (size_t i = 0; i < g->count; i++) {
		g->policies[i].version = lp_read_u64(&r);
		lp_read_exact(&r, g->policies[i].hash, CV_HASH_BYTES);
		lp_read_text(&r, g->policies[i].signer, CV_ID_BUF);
		lp_read_text(&r, g->policies[i].second, CV_ID_BUF);
		g->policies[i].taken_s = lp_read_u64(&r);
	}
	return lp_read_end(&r);
}

static void group_name(char name[STORE_NAME_BUF], const char *id)
{
	snprintf(name, STORE_NAME_BUF, STORE_GROUP_PREFIX "%s", id);
}

static void policy_name(char name[STORE_NAME_BUF], const char *group, uint64_t version)
{
	snprintf(name, STORE_NAME_BUF, "policy/%s/%llu", group, (unsigned long long)version);
}

static enum cv_err get_named(struct store *s, const char *name, struct store_group *group)
{
	uint8_t plain[GROUP_PLAIN_MAX];
	size_t len = 0;
	enum cv_err err = store_document_get(s, name, plain, sizeof(plain), &len);

	if (err != CV_OK)
		return err;
	if (decode(group, plain, len) != CV_OK ||
		strcmp(group->id, name + strlen(STORE_GROUP_PREFIX)) != 0)
		return store_damaged(s, "document %s: a wrong form", name);
	return CV_OK;
}

enum cv_err store_group_get(struct store *s, const char *id, struct store_group *group)
{
	char name[STORE_NAME_BUF];

	group_name(name, id);
	return get_named(s, name, group);
}

enum cv_err store_group_put(struct store *s, const struct store_group *group)
{
	uint8_t plain[GROUP_PLAIN_MAX];
	char name[STORE_NAME_BUF];
	size_t len = 0;
	enum cv_err err = encode(plain, &len, group);

	group_name(name, group->id);
	return err == CV_OK ? store_document_put(s, name, plain, len) : err;
}

enum cv_err store_group_next(struct store *s, const char *after, struct store_group *group)
{
	char from[STORE_NAME_BUF], name[STORE_NAME_BUF];
	enum cv_err err;

	group_name(from, after);
	err = store_document_next(s, STORE_GROUP_PREFIX, from, name);
	return err == CV_OK ? get_named(s, name, group) : err;
}

enum cv_err store_policy_get(
	struct store *s, const char *group, uint64_t version, char *out, size_t *len)
{
	char name[STORE_NAME_BUF];
	size_t n = 0;
	enum cv_err err;

	policy_name(name, group, version);
	err = store_document_get(s, name, (uint8_t *)out, CV_JWS_MAX, &n);
	if (err != CV_OK)
		return err;
	out[n] = '\0';
	*len = n;
	return CV_OK;
}

const struct store_policy *store_policy_find(const struct store_group *group, uint64_t version)
{
	for (size_t i = 0; i < group->count; i++) {
		if (group->policies[i].version == version)
			return &group->policies[i];
	}
	return NULL;
}

/* The oldest one that is neither in force nor a canary's. */
static size_t oldest_unused(const struct store_group *g)
{
	size_t i = 0;

	while (i < g->count - 1 && (g->policies[i].version == g->in_force ||
					   g->policies[i].version == g->canary))
		i++;
	return i;
}

enum cv_err store_policy_add(struct store *s, struct store_group *group,
	const struct store_policy *policy, const char *text, size_t len)
{
	char name[STORE_NAME_BUF];
	enum cv_err err = CV_OK;

	if (group->count == STORE_POLICY_KEPT) {
		const size_t i = oldest_unused(group);

		policy_name(name, group->id, group->policies[i].version);
		err = store_document_drop(s, name);
		memmove(&group->policies[i], &group->policies[i + 1],
			(group->count - i - 1) * sizeof(group->policies[0]));
		group->count--;
	}
	policy_name(name, group->id, policy->version);
	if (err == CV_OK)
		err = store_document_put(s, name, text, len);
	group->policies[group->count++] = *policy;
	group->highest = policy->version;
	return err;
}
