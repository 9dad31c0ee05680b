#include "protocol/tpm_ek.h"

#include <string.h>

#include "protocol/tpm_read.h"

#define HEAD_BYTES 48
#define RSA_BYTES 256
#define POINT_UNCOMPRESSED 0x04

#define POLICY_SECRET_ENDORSEMENT                                                              \
	0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, \
		0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b,      \
		0x33, 0x14, 0x69, 0xaa

/* type, nameAlg, attributes 000300b2, authPolicy, AES-128-CFB: all but what differs below */
#define HEAD(type) \
	{0x00, type, 0x00, 0x0b, 0x00, 0x03, 0x00, 0xb2, 0x00, 0x20, POLICY_SECRET_ENDORSEMENT, \
		0x00, 0x06, 0x00, 0x80, 0x00, 0x43}

static const uint8_t rsa_head[HEAD_BYTES] = HEAD(0x01);
static const uint8_t ecc_head[HEAD_BYTES] = HEAD(0x23);
/* scheme null, 2048 bits, exponent 0 (65537) */
static const uint8_t rsa_parameters[] = {0x00, 0x10, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00};
/* scheme null, NIST P-256, kdf null */
static const uint8_t ecc_parameters[] = {0x00, 0x10, 0x00, 0x03, 0x00, 0x10};

const char *tpm_ek_kind_name(enum tpm_ek_kind kind)
{
	return kind == TPM_EK_RSA ? "rsa" : "ecc";
}

enum tpm_ek_kind tpm_ek_kind_parse(const char *name)
{
	if (strcmp(name, "rsa") == 0)
		return TPM_EK_RSA;
	return strcmp(name, "ecc") == 0 ? TPM_EK_ECC : (enum tpm_ek_kind)0;
}

static void append(uint8_t *out, size_t *len, const uint8_t *data, size_t data_len)
{
	memcpy(out + *len, data, data_len);
	*len += data_len;
}

static void append_zeros(uint8_t *out, size_t *len, size_t count)
{
	const uint8_t size[] = {(uint8_t)(count >> 8), (uint8_t)count};

	append(out, len, size, sizeof(size));
	memset(out + *len, 0, count);
	*len += count;
}

void tpm_ek_template(uint8_t out[TPM_EK_PUBLIC_MAX], size_t *len, enum tpm_ek_kind kind)
{
	*len = 0;
	if (kind == TPM_EK_RSA) {
		append(out, len, rsa_head, sizeof(rsa_head));
		append(out, len, rsa_parameters, sizeof(rsa_parameters));
		append_zeros(out, len, RSA_BYTES);
	} else {
		append(out, len, ecc_head, sizeof(ecc_head));
		append(out, len, ecc_parameters, sizeof(ecc_parameters));
		append_zeros(out, len, CV_HASH_BYTES);
		append_zeros(out, len, CV_HASH_BYTES);
	}
}

static enum cv_err read_rsa(struct tpm_ek *ek, struct tpm_reader *r)
{
	uint8_t parameters[sizeof(rsa_parameters)];

	tpm_read_bytes(r, parameters, sizeof(parameters));
	tpm_read_sized(r, ek->key, RSA_BYTES);
	if (r->failed || r->left != 0)
		return CV_ERR_FORMAT;
	if (memcmp(parameters, rsa_parameters, sizeof(parameters)) != 0)
		return CV_ERR_ALGORITHM;
	ek->kind = TPM_EK_RSA;
	ek->key_len = RSA_BYTES;
	return (ek->key[0] & 0x80) != 0 && (ek->key[RSA_BYTES - 1] & 1) != 0 ? CV_OK
									      : CV_ERR_RANGE;
}

static enum cv_err read_ecc(struct tpm_ek *ek, struct tpm_reader *r)
{
	uint8_t parameters[sizeof(ecc_parameters)];

	tpm_read_bytes(r, parameters, sizeof(parameters));
	ek->key[0] = POINT_UNCOMPRESSED;
	tpm_read_sized(r, ek->key + 1, CV_HASH_BYTES);
	tpm_read_sized(r, ek->key + 1 + CV_HASH_BYTES, CV_HASH_BYTES);
	if (r->failed || r->left != 0)
		return CV_ERR_FORMAT;
	if (memcmp(parameters, ecc_parameters, sizeof(parameters)) != 0)
		return CV_ERR_ALGORITHM;
	ek->kind = TPM_EK_ECC;
	ek->key_len = CV_ES256_PUBLIC_BYTES;
	return CV_OK;
}

enum cv_err tpm_ek_decode(struct tpm_ek *ek, const uint8_t *area, size_t len)
{
	struct tpm_reader r = {area, len, 0};
	uint8_t head[HEAD_BYTES];
	struct tpm_ek decoded;
	enum cv_err err = CV_ERR_ALGORITHM;

	if (len > TPM_EK_PUBLIC_MAX)
		return CV_ERR_TOO_LONG;
	memset(&decoded, 0, sizeof(decoded));
	tpm_read_bytes(&r, head, sizeof(head));
	if (r.failed)
		return CV_ERR_FORMAT;
	if (memcmp(head, rsa_head, sizeof(head)) == 0)
		err = read_rsa(&decoded, &r);
	else if (memcmp(head, ecc_head, sizeof(head)) == 0)
		err = read_ecc(&decoded, &r);
	if (err == CV_OK)
		err = tpm_name(decoded.name, area, len);
	if (err == CV_OK)
		*ek = decoded;
	return err;
}
