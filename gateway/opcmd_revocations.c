/* The revocation list of operators: signed by the root, kept in the store, only ever newer. */
#include "gateway/opcmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum cv_err keeper_load_revocations(struct keeper *k)
{
	size_t len = 0;
	uint8_t *text = malloc(STORE_DOCUMENT_MAX);
	enum cv_err err = text == NULL ? CV_ERR_MEMORY
		: store_document_get(k->store, OPCMD_REVOCATIONS, text, STORE_DOCUMENT_MAX, &len);

	memset(k->revoked, 0, sizeof(*k->revoked));
	if (err == CV_OK)
		err = revocations_decode(k->revoked, (const char *)text, len, k->cfg->fleet,
			k->cfg->fleet_root);
	free(text);
	return err == CV_ERR_NOT_FOUND ? CV_OK : err;
}

static enum opcmd_result take(struct keeper *k, struct opcmd *op, const struct revocations *list,
	const char *text, size_t len)
{
	char version[24];
	enum opcmd_result result;

	result = opcmd_begin(k, op, true);
	if (result != OPCMD_OK)
		return result;
	if (store_document_put(k->store, OPCMD_REVOCATIONS, text, len) != CV_OK) {
		keeper_batch_fail(k);
		return OPCMD_STORE_FAILED;
	}
	op->changed = true;
	*k->revoked = *list;
	snprintf(version, sizeof(version), "%llu", (unsigned long long)list->version);
	return opcmd_audit(k, op, "ok", "version", version);
}

static bool same_list(const struct revocations *a, const struct revocations *b)
{
	if (a->version != b->version || a->iat_s != b->iat_s || a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->operators[i], b->operators[i]) != 0)
			return false;
	}
	return true;
}

enum opcmd_result opcmd_revocations(struct keeper *k, struct opcmd *op)
{
	static const char *const names[] = { "list", NULL };
	static struct revocations list;
	enum opcmd_result result = OPCMD_OK;
	const char *text;
	size_t len;

	if (json_only(op->tree, names) != CV_OK ||
		json_get_text_ref(op->tree, "list", &text, &len) != CV_OK ||
		revocations_decode(&list, text, len, k->cfg->fleet, k->cfg->fleet_root) != CV_OK)
		return OPCMD_MALFORMED;
	if (list.version > k->revoked->version) {
		result = take(k, op, &list, text, len);
	} else if (!same_list(&list, k->revoked)) {
		snprintf(op->problem, sizeof(op->problem), "version %llu is here already",
			(unsigned long long)k->revoked->version);
		result = OPCMD_CONFLICT;
	}
	if (result == OPCMD_OK)
		json_u64(&op->w, "version", list.version);
	return result;
}
