/*
 * What one release costs at a gateway, step by step, with the functions that the keeper calls, on
 * one core. The store is a real one on the disk below the directory given as the only argument.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "bench/boot_log.h"
#include "bench/measure.h"
#include "bench/tls_pair.h"
#include "gateway/authorize.h"
#include "gateway/store.h"
#include "host/secret.h"
#include "protocol/crypto.h"
#include "protocol/evidence.h"
#include "protocol/hpke.h"
#include "protocol/lp.h"
#include "protocol/mac.h"
#include "protocol/message.h"
#include "protocol/nonce.h"
#include "protocol/policy.h"
#include "tests/vectors/protocol_vectors.h"
#include "tests/vectors/tpm_vectors.h"

#define FLEET "bench"
#define GATEWAY "gw-a"
#define DEVICE "cam-0001"
#define DEVICES 1000
#define NOW_MS 1000000u

static const char policy_text[] =
	"{\"v\":1,\"policy_version\":1,\"boot\":{\"max_keys\":3,\"max_step\":1000},"
	"\"measurements\":{\"kernel\":[\"0000000000000000000000000000000000000000000000000000000000"
	"000000\"]},\"place\":\"not_required\",\"iat\":\"not_required\",\"lease_seconds\":0,"
	"\"reveal_reason\":false}";

struct bench {
	struct mac_scope scope;
	uint8_t mac_key[CV_MAC_KEY_BYTES];
	uint8_t nonce_key[CV_MAC_KEY_BYTES];
	uint8_t nonce[CV_NONCE_BYTES];
	uint8_t attest_private[CV_ES256_PRIVATE_BYTES];
	uint8_t attest_public[CV_ES256_PUBLIC_BYTES];
	uint8_t boot_private[CV_X25519_BYTES];
	uint8_t boot_public[CV_X25519_BYTES];
	uint8_t ueid[EVIDENCE_UEID_BYTES];
	uint8_t hash[CV_HASH_BYTES];
	uint8_t sig[CV_ES256_SIG_BYTES];
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
	char token[CV_EVIDENCE_MAX + 1];
	size_t token_len;
	char body[CV_BODY_MAX];
	size_t body_len;
	char parsed_token[CV_EVIDENCE_MAX + 1];
	struct evidence evidence;
	struct authorize_request request;
	struct tpm_quote parsed_quote;
	struct policy *policy;
	struct record *record;
	char answer[CV_AUTHORIZE_REPLY_BYTES + 1];
	struct store *store;
	uint64_t next_device;
};

static struct bench b;

static struct nonce_scope nonce_scope(void)
{
	return (struct nonce_scope){GATEWAY, DEVICE, b.volume_id, 1};
}

static void step_nonce_make(void *context, size_t times)
{
	struct nonce_scope scope = nonce_scope();
	uint8_t random[16];

	(void)context;
	while (times--) {
		MUST(crypto_random(random, sizeof(random)));
		MUST(nonce_make(b.nonce, b.nonce_key, &scope, random, NOW_MS));
	}
}

static void step_nonce_check(void *context, size_t times)
{
	struct nonce_scope scope = nonce_scope();

	(void)context;
	while (times--)
		MUST(nonce_check(b.nonce, b.nonce_key, &scope, NOW_MS + 5, CV_NONCE_TTL_S * 1000));
}

static void step_mac_request(void *context, size_t times)
{
	uint8_t mac[CV_MAC_BYTES];

	(void)context;
	while (times--)
		MUST(mac_request(mac, b.mac_key, &b.scope, "POST", MESSAGE_TARGET_AUTHORIZE, b.body,
			b.body_len));
}

static void step_mac_answer(void *context, size_t times)
{
	uint8_t mac[CV_MAC_BYTES] = {0};

	(void)context;
	while (times--)
		MUST(mac_response(mac, b.mac_key, &b.scope, mac, 200, b.answer,
			CV_AUTHORIZE_REPLY_BYTES));
}

static void step_parse(void *context, size_t times)
{
	(void)context;
	while (times--)
		MUST(authorize_request_decode(&b.request, b.body, b.body_len, b.parsed_token, &b.parsed_quote));
}

static void step_evidence(void *context, size_t times)
{
	(void)context;
	while (times--)
		MUST(evidence_decode(&b.evidence, b.token, b.token_len, b.attest_public));
}

/* As the keeper does it: the key out of the record, then every check of the quote. */
static void step_quote(void *context, size_t times)
{
	static struct tpm_quote quote = {.attest_len = sizeof(v_tpm_quote_attest),
		.signature_len = sizeof(v_tpm_quote_signature)};
	struct tpm_attest attest;
	struct tpm_ak ak;

	(void)context;
	memcpy(quote.attest, v_tpm_quote_attest, sizeof(v_tpm_quote_attest));
	memcpy(quote.signature, v_tpm_quote_signature, sizeof(v_tpm_quote_signature));
	memcpy(quote.pcrs, v_tpm_quote_pcrs, sizeof(quote.pcrs));
	while (times--) {
		MUST(tpm_ak_decode(&ak, v_tpm_ak, sizeof(v_tpm_ak)));
		MUST(tpm_quote_verify(&attest, &quote, &ak, v_tpm_ek_name, v_evidence,
			     sizeof(v_evidence) - 1) != REASON_RELEASE);
	}
}

static void step_es256_verify(void *context, size_t times)
{
	(void)context;
	while (times--)
		MUST(crypto_es256_verify(b.attest_public, b.hash, b.sig));
}

static void step_es256_sign(void *context, size_t times)
{
	(void)context;
	while (times--)
		MUST(crypto_es256_sign(b.sig, b.attest_private, b.hash));
}

static void step_policy(void *context, size_t times)
{
	(void)context;
	while (times--)
		MUST(policy_decode(b.policy, policy_text, strlen(policy_text), NULL, 0));
}

static void step_verdict(void *context, size_t times)
{
	const struct authorize_input in = {.request = &b.request, .purpose = EVIDENCE_UNLOCK,
		.nonce = CV_OK, .evidence_result = CV_OK, .evidence = &b.evidence, .ueid = b.ueid,
		.record = b.record, .policy = b.policy, .clock = {1764000000, true}};

	(void)context;
	while (times--) {
		struct verdict v = authorize(&in);

		MUST(v.reason != REASON_RELEASE);
	}
}

static void step_seal(void *context, size_t times)
{
	uint8_t sealed[MESSAGE_SEALED_SHARE_BYTES], info[256], aad[256];
	struct hpke_context_info ci = {info, 0, aad, 0};
	struct lp lp;

	(void)context;
	while (times--) {
		lp_begin(&lp, info, sizeof(info), "conclave-share-v1");
		lp_text(&lp, FLEET);
		lp_text(&lp, GATEWAY);
		lp_text(&lp, DEVICE);
		lp_bytes(&lp, b.volume_id, sizeof(b.volume_id));
		lp_u64(&lp, 1);
		MUST(lp_end(&lp, &ci.info_len));
		lp_begin(&lp, aad, sizeof(aad), "conclave-share-aad-v1");
		lp_bytes(&lp, b.nonce, sizeof(b.nonce));
		lp_u64(&lp, 1);
		lp_bytes(&lp, b.hash, sizeof(b.hash));
		MUST(lp_end(&lp, &ci.aad_len));
		MUST(hpke_seal(sealed, b.boot_public, &ci, b.hash, CV_SECRET_BYTES));
	}
}

static void step_hpke_open(void *context, size_t times)
{
	uint8_t sealed[MESSAGE_SEALED_SHARE_BYTES], plain[CV_SECRET_BYTES];
	struct hpke_context_info ci = {(const uint8_t *)"info", 4, (const uint8_t *)"aad", 3};

	(void)context;
	MUST(hpke_seal(sealed, b.boot_public, &ci, b.hash, CV_SECRET_BYTES));
	while (times--)
		MUST(hpke_open(plain, b.boot_private, &ci, sealed, sizeof(sealed)));
}

static void step_answer(void *context, size_t times)
{
	struct authorize_answer answer = {.lease_s = 0, .policy_version = 1, .store_revision = 7};
	size_t len;

	(void)context;
	while (times--)
		MUST(authorize_answer_encode(b.answer, sizeof(b.answer), &len, &answer));
}

static void device_name(char out[CV_ID_BUF], uint64_t n)
{
	snprintf(out, CV_ID_BUF, "cam-%04u", (unsigned)(n % DEVICES));
}

static void step_record_get(void *context, size_t times)
{
	char id[CV_ID_BUF];
	bool known = false;

	(void)context;
	while (times--) {
		device_name(id, b.next_device++);
		MUST(store_device_get(b.store, id, b.record, &known));
		MUST(!known);
	}
}

/* What a release writes: the record with its boot state, and one audit record. */
static void release_in_transaction(void)
{
	static const char audit[] =
		"{\"time\":1764000000,\"event\":\"release\",\"device\":\"cam-0001\",\"volume\":"
		"\"00000000000000000000000000000000\",\"epoch\":1,\"boot_id\":"
		"\"00000000000000000000000000000000\",\"session\":"
		"\"00000000000000000000000000000000\",\"policy_version\":1}";

	step_record_get(NULL, 1);
	b.record->last_release_s++;
	MUST(store_device_put(b.store, b.record));
	MUST(store_audit_append(b.store, audit, strlen(audit)));
}

static void step_transaction(void *context, size_t times)
{
	size_t batch = *(const size_t *)context;

	while (times--) {
		enum store_room room;

		MUST(store_begin(b.store, &room));
		for (size_t i = 0; i < batch; i++)
			release_in_transaction();
		MUST(store_commit(b.store, 1764000000, 1764000000));
		store_tidy(b.store);
	}
}

static void make_record(const char *id)
{
	struct record *r = b.record;

	memset(r, 0, sizeof(*r));
	snprintf(r->device, sizeof(r->device), "%s", id);
	r->state = DEVICE_ACTIVE;
	r->trust_class = TRUST_SOFTWARE;
	memcpy(r->mac_key, b.mac_key, sizeof(r->mac_key));
	memcpy(r->attestation_key, b.attest_public, sizeof(r->attestation_key));
	r->policy_version = 1;
	r->policy_len = strlen(policy_text);
	memcpy(r->policy, policy_text, r->policy_len + 1);
	r->volume_count = 1;
	memcpy(r->volumes[0].volume_id, b.volume_id, sizeof(b.volume_id));
	r->volumes[0].current = (struct record_share){
		.present = true, .epoch = 1, .x = 1, .threshold = 2, .members = 3};
	memcpy(r->volumes[0].current.share_set_hash, b.hash, sizeof(b.hash));
	r->enrolled_s = 1764000000;
}

static void fill_store(void)
{
	enum store_room room;
	char id[CV_ID_BUF];

	MUST(store_begin(b.store, &room));
	for (unsigned i = 0; i < DEVICES; i++) {
		device_name(id, i);
		make_record(id);
		MUST(store_device_put(b.store, b.record));
	}
	MUST(store_commit(b.store, 1764000000, 1764000000));
	make_record(DEVICE);
}

static void open_store(const char *directory)
{
	static struct jws_signer signer;
	static char path[4096];
	char why[STORE_WHY_BUF] = "";
	uint8_t store_key[STORE_KEY_BYTES];
	struct seal_keys *keys = secret_alloc(sizeof(*keys));
	struct store_config cfg = {.path = path, .gateway = GATEWAY, .keys = keys,
		.signer = &signer, .signer_public = b.attest_public, .reserve_records = 1000};

	MUST(!keys);
	MUST(crypto_random(store_key, sizeof(store_key)));
	MUST(seal_keys_derive(keys, store_key));
	signer = jws_key_signer(b.attest_private);
	snprintf(path, sizeof(path), "%s/store.db", directory);
	if (store_create(&cfg, why) || store_open(&b.store, &cfg, why))
		measure_die(why);
	fill_store();
}

static void make_token(void)
{
	static char work[CV_EVIDENCE_MAX];
	struct evidence *ev = &b.evidence;
	struct jws_signer signer = jws_key_signer(b.attest_private);

	memset(ev, 0, sizeof(*ev));
	ev->purpose = EVIDENCE_UNLOCK;
	memcpy(ev->ueid, b.ueid, sizeof(ev->ueid));
	memcpy(ev->volume_id, b.volume_id, sizeof(ev->volume_id));
	ev->epoch = 1;
	memcpy(ev->share_set_hash, b.hash, sizeof(ev->share_set_hash));
	memcpy(ev->boot_key, b.boot_public, sizeof(ev->boot_key));
	ev->nonce_count = 3;
	for (int i = 0; i < 3; i++)
		memcpy(ev->nonces[i], b.nonce, CV_NONCE_BYTES);
	ev->nonces[1][0] ^= 1;
	ev->nonces[2][0] ^= 2;
	MUST(crypto_random(ev->platform.boot_id, sizeof(ev->platform.boot_id)));
	strcpy(ev->platform.swname, "conclave");
	strcpy(ev->platform.swversion, CONCLAVE_VERSION);
	ev->platform.dbgstat = EVIDENCE_DEBUG_DISABLED;
	ev->platform.digest_count = 1;
	strcpy(ev->platform.digests[0].name, "kernel");
	MUST(evidence_encode(b.token, sizeof(b.token), &b.token_len, ev, &signer, work,
		sizeof(work)));
}

static void make_request(void)
{
	struct authorize_request request = {.epoch = 1, .evidence = b.token};

	request.evidence_len = b.token_len;
	memcpy(request.volume_id, b.volume_id, sizeof(request.volume_id));
	memcpy(request.nonce, b.nonce, sizeof(request.nonce));
	MUST(authorize_request_encode(b.body, sizeof(b.body), &b.body_len, &request));
}

static void prepare(const char *directory)
{
	b.scope = (struct mac_scope){FLEET, GATEWAY, DEVICE};
	b.policy = calloc(1, sizeof(*b.policy));
	b.record = secret_alloc(sizeof(*b.record));
	MUST(!b.policy || !b.record);
	MUST(crypto_random(b.mac_key, sizeof(b.mac_key)));
	MUST(crypto_random(b.nonce_key, sizeof(b.nonce_key)));
	MUST(crypto_random(b.volume_id, sizeof(b.volume_id)));
	MUST(crypto_random(b.hash, sizeof(b.hash)));
	MUST(crypto_es256_keypair(b.attest_private, b.attest_public));
	MUST(crypto_x25519_keypair(b.boot_private, b.boot_public));
	MUST(evidence_ueid(b.ueid, FLEET, DEVICE));
	step_nonce_make(NULL, 1);
	make_token();
	make_request();
	step_es256_sign(NULL, 1);
	step_parse(NULL, 1);
	step_evidence(NULL, 1);
	step_policy(NULL, 1);
	open_store(directory);
	boot_log_make();
}

int main(int argc, char **argv)
{
	static size_t batches[] = {1, 16, 128};
	struct tls_pair tls;
	const struct measure_side sides[] = {
		{"TLS 1.3 handshake, P-256 certificate: gateway's side", NULL, &tls,
			tls_pair_server},
		{"TLS 1.3 handshake: device's side", NULL, &tls, tls_pair_client},
		{"nonce: make", step_nonce_make, NULL, NULL},
		{"nonce: check", step_nonce_check, NULL, NULL},
		{"request: MAC over the raw body", step_mac_request, NULL, NULL},
		{"request: JSON", step_parse, NULL, NULL},
		{"record: read and open", step_record_get, NULL, NULL},
		{"policy: parse", step_policy, NULL, NULL},
		{"evidence: verify and parse the token", step_evidence, NULL, NULL},
		{"quote: verify (trust class tpm)", step_quote, NULL, NULL},
		{"verdict", step_verdict, NULL, NULL},
		{"events of a boot: replay and rule, 500 of them", boot_log_verdict, NULL, NULL},
		{"share: HPKE seal", step_seal, NULL, NULL},
		{"answer: JSON", step_answer, NULL, NULL},
		{"answer: MAC", step_mac_answer, NULL, NULL},
		{"(part of evidence) ES256 verify", step_es256_verify, NULL, NULL},
		{"(device) ES256 sign", step_es256_sign, NULL, NULL},
		{"(device) HPKE open", step_hpke_open, NULL, NULL},
	};
	const struct measure_side disk[] = {
		{"transaction of 1 release, durable", step_transaction, &batches[0], NULL},
		{"transaction of 16 releases, durable", step_transaction, &batches[1], NULL},
		{"transaction of 128 releases, durable", step_transaction, &batches[2], NULL},
	};

	if (argc != 2)
		measure_die("usage: steps DIRECTORY");
	MUST(secret_process_init());
	MUST(crypto_init());
	tls_pair_open(&tls);
	prepare(argv[1]);
	printf("(size of the request's body in bytes)\t%zu\t0\t0\n", b.body_len);
	measure(sides, sizeof(sides) / sizeof(sides[0]), 5000);
	measure(disk, sizeof(disk) / sizeof(disk[0]), 20000);
	store_close(b.store);
	secret_free(b.record);
	free(b.policy);
	tls_pair_close(&tls);
	return 0;
}
