/* Policies of groups, parsed once and kept; the fleet's own state. */
#include "gateway/keeper_state.h"

#include <stdlib.h>
#include <string.h>

#include "host/log.h"

#define PARSED_MAX 512 /* policies kept parsed; then the one that was used longest ago goes */

struct parsed {
	struct group_policy *policy; /* NULL: not parsed yet */
	uint64_t used;
};

struct keeper_group {
	char id[CV_ID_BUF];
	uint64_t in_force;
	uint64_t canary;
	uint32_t percent;
	struct parsed parsed[2]; /* in force, canary */
};

struct keeper_groups {
	struct keeper_group *list; /* by id */
	size_t count, cap;
	size_t parsed;
	uint64_t uses;
	char *text;    /* CV_JWS_MAX + 1 */
	char *payload; /* CV_GROUP_POLICY_MAX + 1 */
};

static void drop_parsed(struct keeper_groups *all, struct parsed *p)
{
	if (p->policy == NULL)
		return;
	group_free(p->policy);
	free(p->policy);
	p->policy = NULL;
	all->parsed--;
}

static void drop_group(struct keeper_groups *all, struct keeper_group *g)
{
	drop_parsed(all, &g->parsed[0]);
	drop_parsed(all, &g->parsed[1]);
}

enum cv_err keeper_groups_open(struct keeper_groups **out)
{
	struct keeper_groups *all = calloc(1, sizeof(*all));

	if (all == NULL)
		return CV_ERR_MEMORY;
	all->text = malloc(CV_JWS_MAX + 1);
	all->payload = malloc(CV_GROUP_POLICY_MAX + 1);
	if (all->text == NULL || all->payload == NULL) {
		keeper_groups_close(all);
		return CV_ERR_MEMORY;
	}
	*out = all;
	return CV_OK;
}

void keeper_groups_close(struct keeper_groups *all)
{
	if (all == NULL)
		return;
	for (size_t i = 0; i < all->count; i++)
		drop_group(all, &all->list[i]);
	free(all->list);
	free(all->text);
	free(all->payload);
	free(all);
}

/* The place of a group, or where it would stand; *found says which. */
static size_t place_of(const struct keeper_groups *all, const char *id, bool *found)
{
	size_t low = 0, high = all->count;

	*found = false;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int order = strcmp(all->list[middle].id, id);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static enum cv_err insert(struct keeper_groups *all, size_t at, const char *id)
{
	if (all->count == all->cap) {
		const size_t cap = all->cap == 0 ? 64 : 2 * all->cap;
		struct keeper_group *grown = realloc(all->list, cap * sizeof(*grown));

		if (grown == NULL)
			return CV_ERR_MEMORY;
		all->list = grown;
		all->cap = cap;
	}
	memmove(&all->list[at + 1], &all->list[at], (all->count - at) * sizeof(all->list[0]));
	memset(&all->list[at], 0, sizeof(all->list[at]));
	memcpy(all->list[at].id, id, strlen(id) + 1);
	all->count++;
	return CV_OK;
}

enum cv_err keeper_group_changed(struct keeper *k, const struct store_group *group)
{
	struct keeper_groups *all = k->groups;
	struct keeper_group *g;
	bool found;
	const size_t at = place_of(all, group->id, &found);
	enum cv_err err = found ? CV_OK : insert(all, at, group->id);

	if (err != CV_OK)
		return err;
	g = &all->list[at];
	drop_group(all, g);
	g->in_force = group->in_force;
	g->canary = group->canary;
	g->percent = group->percent;
	return CV_OK;
}

enum cv_err keeper_load_groups(struct keeper *k)
{
	static struct store_group group;
	struct keeper_groups *all = k->groups;
	char after[CV_ID_BUF] = "";
	enum cv_err err;

	for (size_t i = 0; i < all->count; i++)
		drop_group(all, &all->list[i]);
	all->count = 0;
	while ((err = store_group_next(k->store, after, &group)) == CV_OK) {
		memcpy(after, group.id, sizeof(after));
		err = keeper_group_changed(k, &group);
		if (err != CV_OK)
			return err;
	}
	return err == CV_ERR_NOT_FOUND ? CV_OK : err;
}

static void make_room(struct keeper_groups *all)
{
	struct parsed *oldest = NULL;

	for (size_t i = 0; all->parsed >= PARSED_MAX && i < 2 * all->count; i++) {
		struct parsed *p = &all->list[i / 2].parsed[i % 2];

		if (p->policy != NULL && (oldest == NULL || p->used < oldest->used))
			oldest = p;
	}
	if (oldest != NULL)
		drop_parsed(all, oldest);
}

/*
 * Who signed was judged when it was taken: a certificate that has expired, or an operator who was
 * revoked since, does not end a policy. The signature itself must still hold.
 */
static struct group_policy *parse(struct keeper *k, const char *group, uint64_t version)
{
	const struct op_trust trust = { k->cfg->fleet, k->cfg->fleet_root, NULL, 0 };
	struct group_policy *policy = calloc(1, sizeof(*policy));
	struct opcert signer;
	char problem[160] = "";
	size_t len = 0;
	enum cv_err err = policy == NULL ? CV_ERR_MEMORY
		: store_policy_get(k->store, group, version, k->groups->text, &len);

	if (err == CV_OK)
		err = group_open(policy, k->groups->text, len, &trust, &signer, k->groups->payload,
			CV_GROUP_POLICY_MAX + 1, problem, sizeof(problem));
	if (err == CV_OK)
		return policy;
	log_error("policy of group %s, version %llu: cannot be used: %s", group,
		(unsigned long long)version, problem[0] != '\0' ? problem : cv_err_text(err));
	free(policy);
	return NULL;
}

static const struct group_policy *parsed_policy(
	struct keeper *k, struct keeper_group *g, bool canary)
{
	struct keeper_groups *all = k->groups;
	struct parsed *p = &g->parsed[canary ? 1 : 0];
	const uint64_t version = canary ? g->canary : g->in_force;

	if (version == 0)
		return NULL;
	if (p->policy == NULL) {
		make_room(all);
		p->policy = parse(k, g->id, version);
		if (p->policy != NULL)
			all->parsed++;
	}
	p->used = ++all->uses;
	return p->policy;
}

const struct group_policy *keeper_group_policy(struct keeper *k, const struct record *rec)
{
	struct keeper_group *g;
	bool found;
	size_t at;
	int canary = 0;

	if (rec->group[0] == '\0')
		return NULL;
	at = place_of(k->groups, rec->group, &found);
	if (!found)
		return NULL;
	g = &k->groups->list[at];
	if (g->canary != 0 && group_is_canary(g->id, rec->device, g->percent, &canary) != CV_OK)
		return NULL;
	return parsed_policy(k, g, canary != 0);
}

uint64_t keeper_policy_version(struct keeper *k, const struct record *rec)
{
	const struct group_policy *group = keeper_group_policy(k, rec);

	if (rec->group[0] == '\0')
		return rec->policy_version;
	return group != NULL ? group->rules.version : 0;
}

size_t keeper_group_count(const struct keeper *k)
{
	return k->groups->count;
}

const char *keeper_group_at(
	const struct keeper *k, size_t i, uint64_t *in_force, uint64_t *canary)
{
	*in_force = k->groups->list[i].in_force;
	*canary = k->groups->list[i].canary;
	return k->groups->list[i].id;
}
