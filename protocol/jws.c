#include "protocol/jws.h"

#include <string.h>

#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/json_get.h"
#include "protocol/json_write.h"
#include "protocol/line.h"
#include "protocol/scratch.h"

#define ALG "ES256"
#define SIG_LEN BASE64URL_LEN(CV_ES256_SIG_BYTES)
/* alg, typ, names, quotes and some white space, beside the certificate */
#define HEADER_MAX 256
#define HEADER_CRT_MAX (HEADER_MAX + CV_OPCERT_MAX)

struct jws_parts {
	const char *header;
	size_t header_len;
	const char *payload;
	size_t payload_len;
	const char *sig;
	size_t sig_len;
	size_t signed_len; /* header "." payload */
};

static enum cv_err key_sign(
	void *context, const uint8_t hash[CV_HASH_BYTES], uint8_t sig[CV_ES256_SIG_BYTES])
{
	return crypto_es256_sign(sig, context, hash);
}

struct jws_signer jws_key_signer(const uint8_t private_key[CV_ES256_PRIVATE_BYTES])
{
	/* key_sign only reads it */
	return (struct jws_signer){key_sign, (void *)private_key};
}

/*
 * The header's JSON is written to the end of `out` and encoded to its start. Encoding in place is
 * sound while what was written (4/3 of what was read) stays behind the reading position, which
 * holds when the encoded header and four more characters fit; jws_sign checks more than that.
 */
static enum cv_err put_header(char *out, size_t cap, size_t *len, const char *typ, const char *crt)
{
	size_t json_max = strlen(typ) + (crt != NULL ? strlen(crt) + 10 : 0) + 40;
	struct json_writer w;
	size_t json_len;
	char *json;
	enum cv_err err;

	if (json_max > HEADER_CRT_MAX || cap < BASE64URL_BUF(json_max) + 4)
		return CV_ERR_TOO_LONG;
	json = out + cap - json_max;
	json_begin(&w, json, json_max);
	json_object_open(&w, NULL);
	json_text(&w, "alg", ALG);
	json_text(&w, "typ", typ);
	if (crt != NULL)
		json_text(&w, "crt", crt);
	json_object_close(&w);
	err = json_end(&w, &json_len);
	if (err != CV_OK)
		return err;
	memmove(out + cap - json_len, json, json_len);
	err = base64url_encode(out, cap, out + cap - json_len, json_len);
	if (err == CV_OK)
		*len = BASE64URL_LEN(json_len);
	return err;
}

enum cv_err jws_sign(char *out, size_t cap, size_t *len, const char *typ, const char *crt,
	const char *payload, size_t payload_len, const struct jws_signer *signer)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint8_t hash[CV_HASH_BYTES];
	uint8_t sig[CV_ES256_SIG_BYTES];
	size_t n = 0;

	err = put_header(out, cap, &n, typ, crt);
	if (err != CV_OK)
		goto out;
	if (payload_len > CV_JWS_MAX ||
		cap - n < 1 + BASE64URL_LEN(payload_len) + 1 + SIG_LEN + 1) {
		err = CV_ERR_TOO_LONG;
		goto out;
	}
	out[n++] = '.';
	err = base64url_encode(out + n, cap - n, payload, payload_len);
	if (err != CV_OK)
		goto out;
	n += BASE64URL_LEN(payload_len);
	err = crypto_sha256(hash, &(struct crypto_part){out, n}, 1);
	if (err == CV_OK)
		err = signer->sign(signer->context, hash, sig);
	if (err != CV_OK)
		goto out;
	out[n++] = '.';
	err = base64url_encode(out + n, cap - n, sig, sizeof(sig));
	if (err == CV_OK)
		*len = n + SIG_LEN;
out:
	if (err != CV_OK && cap > 0)
		crypto_wipe(out, cap);
	return err;
}

/* Three runs with a dot between each; base64url_decode refuses a further dot. */
static enum cv_err take_apart(struct jws_parts *parts, const char *text, size_t len)
{
	const char *dot;
	const char *dot2;

	if (len > CV_JWS_MAX)
		return CV_ERR_TOO_LONG;
	dot = len > 0 ? memchr(text, '.', len) : NULL;
	if (dot == NULL)
		return CV_ERR_FORMAT;
	dot2 = memchr(dot + 1, '.', len - (size_t)(dot + 1 - text));
	if (dot2 == NULL)
		return CV_ERR_FORMAT;
	parts->header = text;
	parts->header_len = (size_t)(dot - text);
	parts->payload = dot + 1;
	parts->payload_len = (size_t)(dot2 - dot - 1);
	parts->sig = dot2 + 1;
	parts->sig_len = len - (size_t)(parts->sig - text);
	parts->signed_len = (size_t)(dot2 - text);
	return CV_OK;
}

static enum cv_err parse_header(
	struct cJSON **header, const struct jws_parts *parts, size_t max)
{
	size_t cap = parts->header_len / 4 * 3 + 3;
	size_t len;
	char *json;
	enum cv_err err;

	if (cap > max)
		return CV_ERR_TOO_LONG;
	json = scratch_alloc(cap);
	if (json == NULL)
		return CV_ERR_MEMORY;
	err = base64url_decode(json, cap, &len, parts->header, parts->header_len);
	if (err == CV_OK)
		err = json_parse(header, json, len, max);
	scratch_free(json, cap);
	return err;
}

/* alg first: whatever else is wrong with it, a token of another algorithm is named as such. */
static enum cv_err check_header(const struct cJSON *header, const char *typ, int with_crt)
{
	static const char *const plain[] = {"alg", "typ", NULL};
	static const char *const signed_by[] = {"alg", "typ", "crt", NULL};
	const char *text;
	size_t len;
	enum cv_err err;

	err = json_get_text_ref(header, "alg", &text, &len);
	if (err != CV_OK)
		return err;
	if (!text_equal(text, ALG))
		return CV_ERR_ALGORITHM;
	err = json_only(header, with_crt ? signed_by : plain);
	if (err == CV_OK)
		err = json_get_text_ref(header, "typ", &text, &len);
	if (err != CV_OK)
		return err;
	if (!text_equal(text, typ))
		return CV_ERR_TYPE;
	return with_crt ? json_get_text_ref(header, "crt", &text, &len) : CV_OK;
}

/* The parts of a text whose header is right; *header may be NULL or receives the tree. */
static enum cv_err open_header(struct jws_parts *parts, struct cJSON **header, const char *text,
	size_t len, const char *typ, int with_crt)
{
	struct cJSON *tree = NULL;
	enum cv_err err = take_apart(parts, text, len);

	if (err == CV_OK)
		err = parse_header(&tree, parts, with_crt ? HEADER_CRT_MAX : HEADER_MAX);
	if (err == CV_OK)
		err = check_header(tree, typ, with_crt);
	if (err == CV_OK && header != NULL)
		*header = tree;
	else
		json_free(tree);
	return err;
}

static enum cv_err check_signature(const struct jws_parts *parts,
	const uint8_t public_key[CV_ES256_PUBLIC_BYTES])
{
	uint8_t hash[CV_HASH_BYTES];
	uint8_t sig[CV_ES256_SIG_BYTES];
	enum cv_err err;

	err = base64url_decode_exact(sig, sizeof(sig), parts->sig, parts->sig_len);
	if (err != CV_OK)
		return CV_ERR_FORMAT;
	err = crypto_sha256(hash, &(struct crypto_part){parts->header, parts->signed_len}, 1);
	return err == CV_OK ? crypto_es256_verify(public_key, hash, sig) : err;
}

static enum cv_err verify(const char *text, size_t len, const char *typ, int with_crt,
	const uint8_t public_key[CV_ES256_PUBLIC_BYTES], char *payload, size_t cap,
	size_t *payload_len)
{
	struct jws_parts parts;
	size_t n;
	enum cv_err err;

	if (cap < 1)
		return CV_ERR_ARGUMENT;
	err = open_header(&parts, NULL, text, len, typ, with_crt);
	if (err == CV_OK)
		err = check_signature(&parts, public_key);
	if (err == CV_OK)
		err = base64url_decode(payload, cap - 1, &n, parts.payload, parts.payload_len);
	if (err != CV_OK) {
		crypto_wipe(payload, cap);
		return err;
	}
	payload[n] = '\0';
	*payload_len = n;
	return CV_OK;
}

enum cv_err jws_verify(const char *text, size_t len, const char *typ,
	const uint8_t public_key[CV_ES256_PUBLIC_BYTES], char *payload, size_t cap,
	size_t *payload_len)
{
	return verify(text, len, typ, 0, public_key, payload, cap, payload_len);
}

enum cv_err jws_verify_crt(const char *text, size_t len, const char *typ,
	const uint8_t public_key[CV_ES256_PUBLIC_BYTES], char *payload, size_t cap,
	size_t *payload_len)
{
	return verify(text, len, typ, 1, public_key, payload, cap, payload_len);
}

enum cv_err jws_verify_json(struct cJSON **out, const char *text, size_t len, size_t max,
	const char *typ, const uint8_t public_key[CV_ES256_PUBLIC_BYTES])
{
	size_t payload_len;
	char *payload;
	enum cv_err err;

	if (len > max)
		return CV_ERR_TOO_LONG;
	payload = scratch_alloc(len + 1);
	if (payload == NULL)
		return CV_ERR_MEMORY;
	err = jws_verify(text, len, typ, public_key, payload, len + 1, &payload_len);
	if (err == CV_OK)
		err = json_parse(out, payload, payload_len, max);
	scratch_free(payload, len + 1);
	return err;
}

enum cv_err jws_peek_crt(
	const char *text, size_t len, const char *typ, char *crt, size_t cap, size_t *crt_len)
{
	struct cJSON *header = NULL;
	struct jws_parts parts;
	const char *found;
	size_t n;
	enum cv_err err;

	err = open_header(&parts, &header, text, len, typ, 1);
	if (err != CV_OK)
		return err;
	err = json_get_text_ref(header, "crt", &found, &n);
	if (err == CV_OK && n >= cap)
		err = CV_ERR_TOO_LONG;
	if (err == CV_OK) {
		memcpy(crt, found, n + 1);
		*crt_len = n;
	}
	json_free(header);
	return err;
}
