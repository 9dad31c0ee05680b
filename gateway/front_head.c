#include "gateway/front_request.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <civetweb.h>

#include "protocol/message.h"

#define OP_PREFIX "/v1/op/"
#define OP_NAME_MAX 32

static const char *const device_targets[] = { MESSAGE_TARGET_NONCE, MESSAGE_TARGET_AUTHORIZE,
	MESSAGE_TARGET_CHECK, MESSAGE_TARGET_EVENTS, MESSAGE_TARGET_STATUS };

/* Headers that say how to read the request, or who asks: twice is two answers to one question. */
static const char *const once[] = { "Host", "Content-Length", "Content-Type", "Transfer-Encoding",
	"Expect", "Connection", MAC_HEADER_NAME, OP_HEADER_NAME, OP_CERT_HEADER_NAME };

static bool target_known(enum front_listener listener, const char *target)
{
	size_t n;

	if (listener == FRONT_OPERATORS) {
		if (strncmp(target, OP_PREFIX, strlen(OP_PREFIX)) != 0)
			return false;
		target += strlen(OP_PREFIX);
		n = strspn(target, "abcdefghijklmnopqrstuvwxyz-");
		return n > 0 && n <= OP_NAME_MAX && target[n] == '\0';
	}
	for (size_t i = 0; i < sizeof(device_targets) / sizeof(device_targets[0]); i++)
		if (strcmp(target, device_targets[i]) == 0)
			return true;
	return false;
}

static bool is_token(const char *text)
{
	size_t n = strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return n > 0 && text[n] == '\0';
}

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e)
			return false;
	return true;
}

static bool headers_valid(const struct mg_request_info *info)
{
	bool seen[sizeof(once) / sizeof(once[0])] = { false };

	if (info->num_headers > FRONT_HEADERS_MAX)
		return false;
	for (int i = 0; i < info->num_headers; i++) {
		const struct mg_header *h = &info->http_headers[i];

		if (h->name == NULL || h->value == NULL || !is_token(h->name) ||
			!is_printable(h->value))
			return false;
		for (size_t j = 0; j < sizeof(once) / sizeof(once[0]); j++) {
			if (strcasecmp(h->name, once[j]) != 0)
				continue;
			if (seen[j])
				return false;
			seen[j] = true;
		}
	}
	return true;
}

static const char *header(const struct mg_request_info *info, const char *name)
{
	for (int i = 0; i < info->num_headers; i++)
		if (strcasecmp(info->http_headers[i].name, name) == 0)
			return info->http_headers[i].value;
	return NULL;
}

/* The value, or "" if there is none. 400 if it cannot be one. */
static unsigned int copy_header(
	const struct mg_request_info *info, const char *name, char *out, size_t cap)
{
	const char *value = header(info, name);

	if (value == NULL)
		value = "";
	if (strlen(value) >= cap)
		return 400;
	memcpy(out, value, strlen(value) + 1);
	return 0;
}

static unsigned int check_length(
	struct front_head *head, const struct mg_request_info *info, size_t max)
{
	const char *text = header(info, "Content-Length");
	size_t value = 0;

	if (text == NULL || text[0] == '\0' || header(info, "Transfer-Encoding") != NULL)
		return 400;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return 400;
		if (value <= (size_t)1 << 40)
			value = value * 10 + (size_t)(*text - '0');
	}
	head->body_len = value;
	return value > max ? 413 : 0;
}

static unsigned int check_type(const struct mg_request_info *info)
{
	static const char type[] = "application/json";
	const char *value = header(info, "Content-Type");

	if (value == NULL || strncasecmp(value, type, strlen(type)) != 0)
		return 415;
	value += strlen(type);
	value += strspn(value, " \t");
	if (*value == '\0')
		return 0;
	if (*value++ != ';')
		return 415;
	value += strspn(value, " \t");
	return strcasecmp(value, "charset=utf-8") == 0 ? 0 : 415;
}

static unsigned int check_framing(struct front_head *head, enum front_listener listener,
	const struct mg_request_info *info)
{
	const char *expect;
	unsigned int status;

	if (info->http_version == NULL || strcmp(info->http_version, "1.1") != 0 ||
		info->request_method == NULL || info->request_uri == NULL ||
		!is_printable(info->request_uri) || info->query_string != NULL)
		return 400;
	if (!headers_valid(info))
		return 400;
	/* what there is to discard is known from here on */
	status = check_length(
		head, info, listener == FRONT_OPERATORS ? CV_OP_BODY_MAX : CV_BODY_MAX);
	expect = header(info, "Expect");
	head->expect_continue = expect != NULL;
	if (!target_known(listener, info->request_uri))
		return 404;
	if (strcmp(info->request_method, "POST") != 0)
		return 405;
	if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
		return 400;
	return status != 0 ? status : check_type(info);
}

static unsigned int copy_operator(
	struct ipc_request *r, const struct mg_request_info *info, const char *fleet)
{
	unsigned int status = copy_header(info, OP_HEADER_NAME, r->op, sizeof(r->op));

	r->type = IPC_OPERATOR;
	if (status == 0)
		status = copy_header(info, OP_CERT_HEADER_NAME, r->op_cert, sizeof(r->op_cert));
	if (status != 0)
		return status;
	/* the handshake demanded it; without one nobody is asking */
	if (info->client_cert == NULL || info->client_cert->peer_cert == NULL ||
		tls_operator_id(r->operator_id, info->client_cert->peer_cert, fleet) != CV_OK)
		return 400;
	return 0;
}

unsigned int front_head_check(struct front_head *head, enum front_listener listener,
	const struct mg_request_info *info, const char *fleet)
{
	struct ipc_request *r = &head->request;
	unsigned int status = check_framing(head, listener, info);

	if (status != 0)
		return status;
	snprintf(r->method, sizeof(r->method), "%s", info->request_method);
	snprintf(r->target, sizeof(r->target), "%s", info->request_uri);
	if (listener == FRONT_OPERATORS)
		return copy_operator(r, info, fleet);
	r->type = IPC_DEVICE;
	return copy_header(info, MAC_HEADER_NAME, r->mac, sizeof(r->mac));
}
