/* Header values and fingerprints: what parses has one form, so writing it gives the input back. */
#include <stdlib.h>
#include <string.h>

#include "protocol/join.h"
#include "protocol/mac.h"
#include "protocol/op.h"

static void expect(const char *written, const char *data, size_t len)
{
	if (strlen(written) != len || memcmp(written, data, len) != 0)
		abort();
}

static void request(const char *data, size_t len)
{
	char device[CV_ID_BUF], text[MAC_REQUEST_HEADER_BUF];
	uint8_t mac[CV_MAC_BYTES];

	if (mac_request_header_parse(data, len, device, mac) != CV_OK)
		return;
	if (mac_request_header(text, device, mac) != CV_OK)
		abort();
	expect(text, data, len);
}

static void response(const char *data, size_t len)
{
	char text[MAC_RESPONSE_HEADER_BUF];
	uint8_t mac[CV_MAC_BYTES];

	if (mac_response_header_parse(data, len, mac) != CV_OK)
		return;
	if (mac_response_header(text, mac) != CV_OK)
		abort();
	expect(text, data, len);
}

static void op(const char *data, size_t len)
{
	uint8_t nonce[CV_NONCE_BYTES], sig[CV_ES256_SIG_BYTES];
	char text[OP_HEADER_BUF];

	if (op_header_parse(data, len, nonce, sig) != CV_OK)
		return;
	if (op_header(text, nonce, sig) != CV_OK)
		abort();
	expect(text, data, len);
}

static void op_reply(const char *data, size_t len)
{
	uint8_t sig[CV_ES256_SIG_BYTES];
	struct op_reply reply = {0};
	char text[OP_REPLY_HEADER_BUF];

	if (op_reply_header_parse(data, len, &reply, sig) != CV_OK)
		return;
	if (op_reply_header(text, &reply, sig) != CV_OK)
		abort();
	expect(text, data, len);
}

static void fingerprint(const char *data, size_t len)
{
	uint8_t print[CV_HASH_BYTES], again[CV_HASH_BYTES];
	char written[FINGERPRINT_BUF];
	char *text = calloc(1, len + 1);

	if (text == NULL)
		return;
	memcpy(text, data, len);
	if (fingerprint_parse(print, text) == CV_OK) {
		fingerprint_text(written, print);
		if (fingerprint_parse(again, written) != CV_OK ||
			memcmp(print, again, sizeof(print)) != 0)
			abort();
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(const char *, size_t) = {
		request, response, op, op_reply, fingerprint};

	if (size > 0)
		parsers[data[0] % (sizeof(parsers) / sizeof(parsers[0]))](
			(const char *)data + 1, size - 1);
	return 0;
}
