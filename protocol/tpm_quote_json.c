/* The member `quote` of a message. */
#include "protocol/message.h"

#include <string.h>

#include "protocol/json_get.h"
#include "protocol/json_write.h"

enum cv_err tpm_quote_put(struct json_writer *w, const struct tpm_quote *q)
{
	if (q->attest_len > TPM_ATTEST_MAX || q->signature_len > TPM_SIGNATURE_MAX ||
		(q->has_events && eventlog_check(&q->events) != CV_OK))
		return CV_ERR_ARGUMENT;
	json_object_open(w, "quote");
	json_bytes(w, "attest", q->attest, q->attest_len);
	json_bytes(w, "signature", q->signature, q->signature_len);
	json_bytes(w, "pcrs", q->pcrs, sizeof(q->pcrs));
	if (q->has_events)
		json_bytes(w, "events", q->events.bytes, q->events.len);
	json_object_close(w);
	return CV_OK;
}

static enum cv_err get_events(const struct cJSON *quote, struct tpm_quote *q)
{
	enum cv_err err = json_get_bytes_max(
		quote, "events", q->events.bytes, sizeof(q->events.bytes), &q->events.len);

	if (err == CV_OK)
		err = eventlog_check(&q->events);
	q->has_events = err == CV_OK;
	return err;
}

/* Only the members' form: what a TPM may have put into them is tpm_quote.h's. */
enum cv_err tpm_quote_get(const struct cJSON *tree, struct tpm_quote *q)
{
	static const char *const names[] = {"attest", "signature", "pcrs", "events", NULL};
	const struct cJSON *quote;
	enum cv_err err = json_get_object(tree, "quote", &quote);

	memset(q, 0, sizeof(*q));
	if (err == CV_OK)
		err = json_only(quote, names);
	if (err == CV_OK)
		err = json_get_bytes_max(
			quote, "attest", q->attest, sizeof(q->attest), &q->attest_len);
	if (err == CV_OK)
		err = json_get_bytes_max(
			quote, "signature", q->signature, sizeof(q->signature), &q->signature_len);
	if (err == CV_OK)
		err = json_get_bytes(quote, "pcrs", q->pcrs, sizeof(q->pcrs));
	if (err == CV_OK && json_has(quote, "events"))
		err = get_events(quote, q);
	return err;
}
