#include "host/recovery_code.h"

#include <string.h>

#include "protocol/crypto.h"

#define CHECK_BYTES 2
#define RAW_BYTES (RECOVERY_CODE_BYTES + CHECK_BYTES)
#define CHARACTERS 55 /* 272 bits and 3 zero bits */
#define GROUP 5

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static enum cv_err check_bytes(uint8_t raw[RAW_BYTES], uint8_t out[CHECK_BYTES])
{
	struct crypto_part part = {raw, RECOVERY_CODE_BYTES};
	uint8_t hash[CV_HASH_BYTES];
	enum cv_err err = crypto_sha256(hash, &part, 1);

	if (err == CV_OK)
		memcpy(out, hash, CHECK_BYTES);
	crypto_wipe(hash, sizeof(hash));
	return err;
}

/* The 5 bits from bit 5 * i on; bits past the end are zero. */
static unsigned five_bits(const uint8_t raw[RAW_BYTES], size_t i)
{
	size_t bit = i * 5, byte = bit / 8;
	unsigned word = (unsigned)raw[byte] << 8;

	if (byte + 1 < RAW_BYTES)
		word |= raw[byte + 1];
	return word >> (11 - bit % 8) & 31;
}

enum cv_err recovery_code_text(
	char out[RECOVERY_CODE_BUF], const uint8_t code[RECOVERY_CODE_BYTES])
{
	uint8_t raw[RAW_BYTES];
	size_t at = 0;
	enum cv_err err;

	memcpy(raw, code, RECOVERY_CODE_BYTES);
	err = check_bytes(raw, raw + RECOVERY_CODE_BYTES);
	for (size_t i = 0; err == CV_OK && i < CHARACTERS; i++) {
		if (i > 0 && i % GROUP == 0)
			out[at++] = '-';
		out[at++] = alphabet[five_bits(raw, i)];
	}
	if (err == CV_OK)
		out[at] = '\0';
	crypto_wipe(raw, sizeof(raw));
	return err;
}

static int character_value(char c)
{
	const char *p;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	p = c != '\0' ? strchr(alphabet, c) : NULL;
	return p != NULL ? (int)(p - alphabet) : -1;
}

static int is_separator(char c)
{
	return c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static enum cv_err decode(uint8_t raw[RAW_BYTES], const char *text, size_t len)
{
	unsigned word = 0, bits = 0;
	size_t characters = 0, bytes = 0;

	for (size_t i = 0; i < len; i++) {
		int value = character_value(text[i]);

		if (is_separator(text[i]))
			continue;
		if (value < 0 || ++characters > CHARACTERS)
			return CV_ERR_FORMAT;
		word = (word << 5 | (unsigned)value) & 0xfff;
		bits += 5;
		if (bits >= 8) {
			bits -= 8;
			raw[bytes++] = (uint8_t)(word >> bits);
		}
	}
	return characters == CHARACTERS && (word & 7) == 0 ? CV_OK : CV_ERR_FORMAT;
}

enum cv_err recovery_code_parse(
	uint8_t code[RECOVERY_CODE_BYTES], const char *text, size_t len)
{
	uint8_t raw[RAW_BYTES] = {0}, check[CHECK_BYTES];
	enum cv_err err = decode(raw, text, len);

	if (err == CV_OK)
		err = check_bytes(raw, check);
	if (err == CV_OK && memcmp(check, raw + RECOVERY_CODE_BYTES, CHECK_BYTES) != 0)
		err = CV_ERR_MISMATCH;
	if (err == CV_OK)
		memcpy(code, raw, RECOVERY_CODE_BYTES);
	else
		crypto_wipe(code, RECOVERY_CODE_BYTES);
	crypto_wipe(raw, sizeof(raw));
	return err;
}
