#include "provisioning/gateway_record.h"

#include <stdio.h>
#include <string.h>

#include "host/jsonfile.h"
#include "host/log.h"
#include "protocol/base64url.h"
#include "protocol/id.h"
#include "protocol/join.h"
#include "protocol/json_get.h"

#define RECORD_MAX 8192

static enum cv_err decode(struct gateway_record *r, const cJSON *doc)
{
	uint64_t version = 0;
	enum cv_err err = json_get_u64(doc, "v", 1, 1, &version);

	if (err == CV_OK)
		err = json_get_id(doc, "gateway", r->id);
	if (err == CV_OK)
		err = json_get_bytes(doc, "keeper_key", r->keeper_key, sizeof(r->keeper_key));
	if (err == CV_OK)
		err = json_get_bytes(
			doc, "enrolment_key", r->enrolment_key, sizeof(r->enrolment_key));
	if (err == CV_OK)
		err = json_get_bytes(doc, "fingerprint", r->fingerprint, sizeof(r->fingerprint));
	if (err == CV_OK)
		err = json_get_text(doc, "address", r->address, sizeof(r->address));
	if (err == CV_OK)
		err = json_get_text(doc, "operators", r->operators, sizeof(r->operators));
	return err;
}

enum cv_err gateway_record_read(
	struct gateway_record *record, const struct fleet *fleet, const char *id)
{
	struct gateway_record r;
	char path[FILE_PATH_BUF];
	cJSON *doc = NULL;
	enum cv_err err;

	if (!id_valid(id, strlen(id))) {
		log_error("gateway: %s: not an id", id);
		return CV_ERR_ARGUMENT;
	}
	err = fleet_path(fleet, path, "gateways/%s.json", id);
	if (err != CV_OK)
		return err;
	err = jsonfile_read(&doc, path, RECORD_MAX);
	if (err == CV_OK)
		err = decode(&r, doc);
	if (err == CV_OK && strcmp(r.id, id) != 0)
		err = CV_ERR_MISMATCH;
	cJSON_Delete(doc);
	if (err == CV_ERR_NOT_FOUND)
		log_error("gateway %s: fleet %s has none of that name: add it with `conclave "
			  "gateway add`",
			id, fleet->id);
	else if (err != CV_OK)
		log_error("gateway %s: %s: %s", id, path, cv_err_text(err));
	else
		*record = r;
	return err;
}

static int add_bytes(cJSON *doc, const char *name, const void *data, size_t len)
{
	char text[BASE64URL_BUF(CV_ES256_PUBLIC_BYTES)];

	return base64url_encode(text, sizeof(text), data, len) == CV_OK &&
	       cJSON_AddStringToObject(doc, name, text) != NULL;
}

enum cv_err gateway_record_write(const struct gateway_record *r, const struct fleet *fleet)
{
	char path[FILE_PATH_BUF];
	cJSON *doc = cJSON_CreateObject();
	enum cv_err err = fleet_path(fleet, path, "gateways/%s.json", r->id);

	if (err == CV_OK &&
		(cJSON_AddNumberToObject(doc, "v", 1) == NULL ||
			cJSON_AddStringToObject(doc, "gateway", r->id) == NULL ||
			!add_bytes(doc, "keeper_key", r->keeper_key, sizeof(r->keeper_key)) ||
			!add_bytes(doc, "enrolment_key", r->enrolment_key,
				sizeof(r->enrolment_key)) ||
			!add_bytes(doc, "fingerprint", r->fingerprint, sizeof(r->fingerprint)) ||
			cJSON_AddStringToObject(doc, "address", r->address) == NULL ||
			cJSON_AddStringToObject(doc, "operators", r->operators) == NULL))
		err = CV_ERR_MEMORY;
	if (err == CV_OK)
		err = jsonfile_write(path, doc, 0644);
	if (err != CV_OK)
		log_error("gateway %s: %s: %s", r->id, path, cv_err_text(err));
	cJSON_Delete(doc);
	return err;
}

static int valid_port(const char *text)
{
	unsigned port = 0;
	size_t len = strlen(text);

	if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
		return 0;
	for (size_t i = 0; i < len; i++)
		port = port * 10 + (unsigned)(text[i] - '0');
	return port >= 1 && port <= 65535;
}

static int valid_host(const char *text, size_t len)
{
	static const char name[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	static const char v6[] = "abcdefABCDEF0123456789:.%";

	if (len > 2 && text[0] == '[' && text[len - 1] == ']')
		return strspn(text + 1, v6) == len - 2;
	return len > 0 && strspn(text, name) >= len;
}

enum cv_err gateway_address_parse(char out[ADDRESS_BUF], const char *text, const char *what)
{
	const char *colon = strrchr(text, ':');

	if (colon == NULL || strlen(text) >= ADDRESS_BUF || !valid_port(colon + 1) ||
		!valid_host(text, (size_t)(colon - text))) {
		log_error(
			"%s: %s: must be HOST:PORT, with an IPv6 address in brackets", what, text);
		return CV_ERR_ARGUMENT;
	}
	strcpy(out, text);
	return CV_OK;
}
