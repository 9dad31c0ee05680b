#include "tests/unit/protocol/documents.h"

#include "protocol/base64url.h"
#include "tests/unit/protocol/check.h"

const struct op_trust vector_trust = {"acme", v_root_public, NULL, VECTOR_IAT + 1};

void document_sign(char out[DOCUMENT_BUF], const char *header, const char *payload,
	const uint8_t private_key[CV_ES256_PRIVATE_BYTES])
{
	uint8_t hash[CV_HASH_BYTES], sig[CV_ES256_SIG_BYTES];
	size_t n;

	assert_int_equal(base64url_encode(out, DOCUMENT_BUF, header, strlen(header)), CV_OK);
	n = strlen(out);
	out[n++] = '.';
	assert_int_equal(
		base64url_encode(out + n, DOCUMENT_BUF - n, payload, strlen(payload)), CV_OK);
	n += strlen(out + n);
	assert_int_equal(crypto_sha256(hash, &(struct crypto_part){out, n}, 1), CV_OK);
	assert_int_equal(crypto_es256_sign(sig, private_key, hash), CV_OK);
	out[n++] = '.';
	assert_int_equal(base64url_encode(out + n, DOCUMENT_BUF - n, sig, sizeof(sig)), CV_OK);
}

void document_make(char out[DOCUMENT_BUF], const char *typ, const char *crt, const char *payload,
	const uint8_t private_key[CV_ES256_PRIVATE_BYTES])
{
	static char header[CV_JWS_MAX];

	snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"typ\":\"%s\"%s%s%s}", typ,
		crt != NULL ? ",\"crt\":\"" : "", crt != NULL ? crt : "", crt != NULL ? "\"" : "");
	document_sign(out, header, payload, private_key);
}

void text_replace(char *out, size_t cap, const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	if (at == NULL)
		fail_msg("%s is not in %s", from, text);
	assert_true(strlen(text) - strlen(from) + strlen(to) < cap);
	snprintf(out, cap, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

void certificate_make(char out[CV_OPCERT_MAX + 1], uint32_t roles)
{
	struct jws_signer signer = jws_key_signer(v_root_private);
	struct opcert cert = {"acme", "alice", {0}, roles, VECTOR_IAT, VECTOR_EXP};
	size_t len;

	memcpy(cert.key, v_operator_public, sizeof(cert.key));
	assert_int_equal(opcert_encode(out, CV_OPCERT_MAX + 1, &len, &cert, &signer), CV_OK);
}
