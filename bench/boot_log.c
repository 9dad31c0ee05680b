#include "bench/boot_log.h"

#include <stdio.h>
#include <string.h>

#include "bench/measure.h"
#include "gateway/authorize.h"
#include "protocol/crypto.h"
#include "protocol/json_get.h"

#define PCR 4
#define EVENTS 500
#define TEXT_BYTES 65536

static struct policy policy;
static struct record record;
static struct tpm_quote quote;

static const struct authorize_input input = {.policy = &policy, .record = &record,
	.quote = &quote, .quote_result = REASON_RELEASE};

static void digest_of(uint8_t out[CV_HASH_BYTES], int event)
{
	const struct crypto_part part = {&event, sizeof(event)};

	MUST(crypto_sha256(out, &part, 1));
}

static void make_policy(void)
{
	static char text[TEXT_BYTES];
	char problem[120] = "";
	struct cJSON *tree = NULL;
	uint8_t digest[CV_HASH_BYTES];
	size_t n = (size_t)sprintf(text, "%s",
		"{\"v\":1,\"policy_version\":1,\"boot\":{\"max_keys\":3,\"max_step\":9},"
		"\"measurements\":\"not_required\",\"place\":\"not_required\","
		"\"iat\":\"not_required\",\"lease_seconds\":0,\"reveal_reason\":false,"
		"\"events\":{\"4\":{\"required\":{\"all\":[");

	for (int i = 0; i < EVENTS; i++) {
		digest_of(digest, i);
		n += (size_t)sprintf(text + n, "%s\"", i > 0 ? "," : "");
		for (size_t j = 0; j < CV_HASH_BYTES; j++)
			n += (size_t)sprintf(text + n, "%02x", digest[j]);
		n += (size_t)sprintf(text + n, "\"");
	}
	n += (size_t)sprintf(text + n, "]}}}}");
	MUST(json_parse(&tree, text, n, sizeof(text)));
	if (policy_decode_tree(&policy, tree, problem, sizeof(problem)) != CV_OK)
		measure_die(problem);
	json_free(tree);
}

void boot_log_make(void)
{
	make_policy();
	record.trust_class = TRUST_TPM;
	quote.has_events = 1;
	quote.events.len = 1;
	for (int i = 0; i < EVENTS; i++) {
		quote.events.bytes[quote.events.len] = PCR;
		digest_of(quote.events.bytes + quote.events.len + 1, i);
		quote.events.len += EVENTLOG_ENTRY_BYTES;
	}
	MUST(eventlog_replay(quote.pcrs[tpm_pcr_position(PCR)], &quote.events, PCR));
	boot_log_verdict(NULL, 1);
}

void boot_log_verdict(void *context, size_t times)
{
	(void)context;
	while (times--) {
		struct verdict v = {0};

		MUST(authorize_events(&input, &v) != REASON_RELEASE);
	}
}
