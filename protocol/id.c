#include "protocol/id.h"

#include <string.h>

#include "protocol/crypto.h"
#include "protocol/line.h"

static int lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

int id_valid(const char *text, size_t len)
{
	if (len < 1 || len > CV_ID_MAX || !lower_or_digit(text[0]))
		return 0;
	for (size_t i = 1; i < len; i++) {
		if (!lower_or_digit(text[i]) && text[i] != '-')
			return 0;
	}
	return 1;
}

enum cv_err id_copy(char out[CV_ID_BUF], const char *text, size_t len)
{
	if (!id_valid(text, len))
		return CV_ERR_FORMAT;
	memcpy(out, text, len);
	out[len] = '\0';
	return CV_OK;
}

enum cv_err gateway_dns_name(
	char out[GATEWAY_DNS_BUF], const char *fleet, const char *gateway)
{
	static const char infix[] = "/gateway/";
	uint8_t hash[CV_HASH_BYTES];
	struct line l;
	enum cv_err err;

	if (!id_valid(fleet, strlen(fleet)) || !id_valid(gateway, strlen(gateway)))
		return CV_ERR_ARGUMENT;
	err = crypto_sha256(hash,
		(const struct crypto_part[]){{fleet, strlen(fleet)}, {infix, sizeof(infix) - 1},
			{gateway, strlen(gateway)}},
		3);
	if (err != CV_OK)
		return err;
	line_begin(&l, out, GATEWAY_DNS_BUF);
	line_text(&l, "g-");
	line_hex(&l, hash, 8);
	line_text(&l, ".conclave.internal");
	return line_end(&l);
}

enum cv_err spiffe_uri(
	char out[SPIFFE_URI_BUF], const char *fleet, const char *kind, const char *id)
{
	struct line l;

	if (!id_valid(fleet, strlen(fleet)) || !id_valid(id, strlen(id)))
		return CV_ERR_ARGUMENT;
	line_begin(&l, out, SPIFFE_URI_BUF);
	line_text(&l, "spiffe://");
	line_text(&l, fleet);
	line_text(&l, "/");
	line_text(&l, kind);
	line_text(&l, "/");
	line_text(&l, id);
	return line_end(&l);
}
