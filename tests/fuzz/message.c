/* Bodies of the exchange: what decodes must encode, and decode to the same again. */
#include <stdlib.h>
#include <string.h>

#include "protocol/message.h"

#define ROUND_TRIP(type)                                                                        \
	static void round_trip_##type(const char *data, size_t len)                             \
	{                                                                                       \
		static char text[CV_BODY_MAX];                                                  \
		struct type m, again;                                                           \
		size_t n;                                                                       \
                                                                                                \
		if (type##_decode(&m, data, len) != CV_OK)                                      \
			return;                                                                 \
		if (type##_encode(text, sizeof(text), &n, &m) != CV_OK ||                       \
			type##_decode(&again, text, n) != CV_OK ||                              \
			memcmp(&m, &again, sizeof(m)) != 0)                                     \
			abort();                                                                \
	}

ROUND_TRIP(nonce_request)
ROUND_TRIP(nonce_answer)
ROUND_TRIP(authorize_answer)
ROUND_TRIP(check_answer)
ROUND_TRIP(event_request)
ROUND_TRIP(status_request)
ROUND_TRIP(status_answer)

static void round_trip_authorize_request(const char *data, size_t len)
{
	static char evidence[CV_EVIDENCE_MAX + 1], again_evidence[CV_EVIDENCE_MAX + 1];
	static char text[2 * CV_BODY_MAX];
	static struct tpm_quote quote, again_quote;
	struct authorize_request m, again;
	size_t n;

	if (authorize_request_decode(&m, data, len, evidence, &quote) != CV_OK)
		return;
	if (authorize_request_encode(text, sizeof(text), &n, &m) != CV_OK)
		abort();
	/* escapes may lengthen the text over the limit of a body */
	if (n <= CV_BODY_MAX && (authorize_request_decode(&again, text, n, again_evidence,
					 &again_quote) != CV_OK ||
					(m.quote != NULL &&
						memcmp(&quote, &again_quote, sizeof(quote)) != 0) ||
					strcmp(evidence, again_evidence) != 0))
		abort();
}

static void refusal(unsigned int status, const char *data, size_t len)
{
	struct refusal m;

	if (refusal_decode(&m, status, data, len) == CV_OK &&
		(m.retry_after_s > CV_RETRY_AFTER_MAX_S || m.reason == REASON_RELEASE))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(const char *, size_t) = {round_trip_nonce_request,
		round_trip_nonce_answer, round_trip_authorize_request, round_trip_authorize_answer,
		round_trip_check_answer, round_trip_event_request, round_trip_status_request,
		round_trip_status_answer};
	const char *body = (const char *)data + 1;

	if (size < 1)
		return 0;
	if (data[0] < sizeof(parsers) / sizeof(parsers[0]))
		parsers[data[0]](body, size - 1);
	else
		refusal(data[0] % 2 == 0 ? 403 : 503, body, size - 1);
	return 0;
}
