#include "gateway/store_evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/store_db.h"
#include "protocol/lp.h"

#define LABEL "conclave-evidence-v2"
#define LABEL_WITHOUT_EVENTS "conclave-evidence-v1" /* of schemas 1 and 2 */
#define PLAIN_MAX (STORE_EVIDENCE_MAX * (CV_EVIDENCE_MAX + EVENTLOG_BYTES_MAX + 2048) + 64)

_Static_assert(PLAIN_MAX <= STORE_DOCUMENT_MAX, "a document holds the evidence of a device");

static enum cv_err encode(uint8_t *out, size_t *len, const struct store_evidences *all)
{
	struct lp lp;

	lp_begin(&lp, out, PLAIN_MAX, LABEL);
	lp_u64(&lp, all->count);
	for (size_t i = 0; i < all->count; i++) {
		const struct store_evidence *e = &all->list[i];

		lp_u64(&lp, e->time_s);
		lp_text(&lp, reason_code(e->reason));
		lp_bytes(&lp, e->nonce, sizeof(e->nonce));
		lp_bytes(&lp, e->token, e->token_len);
		lp_bytes(&lp, e->quote.attest, e->has_quote ? e->quote.attest_len : 0);
		lp_bytes(&lp, e->quote.signature, e->has_quote ? e->quote.signature_len : 0);
		lp_bytes(&lp, e->quote.pcrs, e->has_quote ? sizeof(e->quote.pcrs) : 0);
		lp_bytes(&lp, e->quote.events.bytes,
			e->has_quote && e->quote.has_events ? e->quote.events.len : 0);
	}
	return lp_end(&lp, len);
}

/* A field of at most cap bytes. */
static size_t read_field(struct lp_reader *r, void *out, size_t cap)
{
	size_t len = 0;
	const uint8_t *data = lp_read_bytes(r, &len);

	if (r->err == CV_OK && len > cap)
		r->err = CV_ERR_FORMAT;
	if (r->err != CV_OK)
		return 0;
	if (len > 0)
		memcpy(out, data, len);
	return len;
}

static void read_one(struct lp_reader *r, struct store_evidence *e, bool with_events)
{
	char code[64];
	size_t pcrs;

	e->time_s = lp_read_u64(r);
	lp_read_text(r, code, sizeof(code));
	e->reason = r->err == CV_OK ? reason_parse(code) : REASON_INTERNAL;
	lp_read_exact(r, e->nonce, sizeof(e->nonce));
	e->token_len = read_field(r, e->token, CV_EVIDENCE_MAX);
	e->quote.attest_len = read_field(r, e->quote.attest, sizeof(e->quote.attest));
	e->quote.signature_len = read_field(r, e->quote.signature, sizeof(e->quote.signature));
	pcrs = read_field(r, e->quote.pcrs, sizeof(e->quote.pcrs));
	e->has_quote = e->quote.attest_len > 0;
	if (pcrs != (e->has_quote ? sizeof(e->quote.pcrs) : 0) && r->err == CV_OK)
		r->err = CV_ERR_FORMAT;
	if (!with_events)
		return;
	e->quote.events.len =
		read_field(r, e->quote.events.bytes, sizeof(e->quote.events.bytes));
	e->quote.has_events = e->quote.events.len > 0;
	if (e->quote.has_events && eventlog_check(&e->quote.events) != CV_OK)
		r->err = CV_ERR_FORMAT;
}

static enum cv_err decode(struct store_evidences *all, const uint8_t *data, size_t len)
{
	struct lp_reader r;
	bool with_events = true;
	uint64_t count;

	memset(all, 0, sizeof(*all));
	lp_read_begin(&r, data, len, LABEL);
	if (r.err != CV_OK) {
		with_events = false;
		lp_read_begin(&r, data, len, LABEL_WITHOUT_EVENTS);
	}
	count = lp_read_u64(&r);
	if (r.err != CV_OK || count > STORE_EVIDENCE_MAX)
		return CV_ERR_FORMAT;
	all->count = (size_t)count;
	for (size_t i = 0; i < all->count; i++)
		read_one(&r, &all->list[i], with_events);
	return lp_read_end(&r);
}

static void document_name(char name[STORE_NAME_BUF], const char *device)
{
	snprintf(name, STORE_NAME_BUF, "evidence/%s", device);
}

enum cv_err store_evidence_get(
	struct store *s, const char *device, struct store_evidences *all)
{
	uint8_t *plain = malloc(PLAIN_MAX);
	char name[STORE_NAME_BUF];
	size_t len = 0;
	enum cv_err err;

	memset(all, 0, sizeof(*all));
	if (plain == NULL)
		return CV_ERR_MEMORY;
	document_name(name, device);
	err = store_document_get(s, name, plain, PLAIN_MAX, &len);
	if (err == CV_OK && decode(all, plain, len) != CV_OK)
		err = store_damaged(s, "document %s: a wrong form", name);
	if (err != CV_OK)
		memset(all, 0, sizeof(*all));
	free(plain);
	return err == CV_ERR_NOT_FOUND ? CV_OK : err;
}

/* Where the refusal stands, behind all releases; count if there is none. */
static size_t refusal_at(const struct store_evidences *all)
{
	size_t i = 0;

	while (i < all->count && all->list[i].reason == REASON_RELEASE)
		i++;
	return i;
}

static void put_release(struct store_evidences *all, const struct store_evidence *one)
{
	const size_t releases = refusal_at(all);
	size_t last = all->count;

	if (releases == STORE_EVIDENCE_RELEASES) { /* the oldest one goes */
		memmove(&all->list[releases - 1], &all->list[releases],
			(all->count - releases) * sizeof(all->list[0]));
		last--;
	}
	memmove(&all->list[1], &all->list[0], last * sizeof(all->list[0]));
	all->list[0] = *one;
	all->count = last + 1;
}

enum cv_err store_evidence_add(struct store *s, const char *device, struct store_evidences *all,
	const struct store_evidence *one)
{
	uint8_t *plain = malloc(PLAIN_MAX);
	char name[STORE_NAME_BUF];
	size_t len = 0;
	enum cv_err err = plain == NULL ? CV_ERR_MEMORY : CV_OK;

	if (one->reason == REASON_RELEASE) {
		put_release(all, one);
	} else {
		const size_t at = refusal_at(all);

		all->list[at] = *one;
		all->count = at + 1;
	}
	document_name(name, device);
	if (err == CV_OK)
		err = encode(plain, &len, all);
	if (err == CV_OK)
		err = store_document_put(s, name, plain, len);
	free(plain);
	return err;
}
