/* Keeps the evidence of a device's boots, for dry runs and for learning. */
#include "gateway/keeper_evidence.h"

#include <string.h>

#include "gateway/keeper_state.h"

/* Only what is authentic, and what a policy judged: the rest says nothing about the device. */
static bool worth_keeping(const struct authorize_input *in, enum reason reason)
{
	return in->purpose == EVIDENCE_UNLOCK && in->evidence_result == CV_OK &&
		(reason == REASON_RELEASE ||
			(reason >= REASON_DEBUG_ENABLED && reason_retry(reason) == RETRY_NO));
}

void keeper_evidence_keep(struct keeper *k, const char *device, const struct authorize_input *in,
	enum reason reason)
{
	static struct store_evidences all;
	static struct store_evidence one;

	/* The reserve of a full disk is for releases. */
	if (!worth_keeping(in, reason) || k->room != STORE_ROOM_PLENTY ||
		in->request->evidence_len > CV_EVIDENCE_MAX)
		return;
	memset(&one, 0, sizeof(one));
	one.time_s = k->clock.now_s;
	one.reason = reason;
	memcpy(one.nonce, in->request->nonce, sizeof(one.nonce));
	memcpy(one.token, in->request->evidence, in->request->evidence_len);
	one.token_len = in->request->evidence_len;
	one.has_quote = in->request->quote != NULL;
	if (one.has_quote)
		one.quote = *in->request->quote;
	if (store_evidence_get(k->store, device, &all) != CV_OK ||
		store_evidence_add(k->store, device, &all, &one) != CV_OK)
		keeper_batch_fail(k);
}
