#include "provisioning/push.h"

#include <stdlib.h>
#include <string.h>

#include "host/log.h"
#include "provisioning/options.h"
#include "provisioning/round.h"

/* {"package":JWS}; a compact JWS needs no escaping. */
static char *package_body(const struct fleet *fleet, const char *device, const char *gateway)
{
	char path[FILE_PATH_BUF];
	uint8_t *text = NULL;
	size_t len = 0;
	char *body;
	cJSON *doc;
	enum cv_err err = fleet_path(fleet, path, "devices/%s/packages/%s.jws", device, gateway);

	if (err == CV_OK)
		err = file_read(&text, &len, path, CV_JWS_MAX);
	if (err != CV_OK) {
		log_error("package of %s for gateway %s: %s", device, gateway, cv_err_text(err));
		return NULL;
	}
	doc = cJSON_CreateObject();
	body = cJSON_AddStringToObject(doc, "package", (const char *)text) != NULL
		       ? cJSON_PrintUnformatted(doc)
		       : NULL;
	cJSON_Delete(doc);
	free(text);
	return body;
}

/* Keeps only the gateway named `only`. */
static enum cv_err select_one(struct round *r, const char *only)
{
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->errands[i].gateway.id, only) == 0) {
			r->errands[0].gateway = r->errands[i].gateway;
			r->count = 1;
			return CV_OK;
		}
	log_error("--gateway: %s: holds no share of this device", only);
	return CV_ERR_ARGUMENT;
}

enum cv_err push_packages(struct context *ctx, const struct op_client *client,
	const struct device_record *record, const char *only)
{
	struct round r;
	enum cv_err err = round_init(&r, client->fleet, &record->set);

	if (err != CV_OK)
		return err;
	if (only != NULL)
		err = select_one(&r, only);
	for (size_t i = 0; err == CV_OK && i < r.count; i++) {
		r.errands[i].body =
			package_body(client->fleet, record->id, r.errands[i].gateway.id);
		err = r.errands[i].body != NULL ? CV_OK : CV_ERR_IO;
	}
	if (err == CV_OK) {
		round_run(&r, ctx, client, record->reenrolled ? "reenrol" : "enrol", "enrolled");
		if (r.done < r.count) {
			log_error("device %s: %zu of %zu gateways have their package: go on with "
				  "`conclave device push %s`",
				record->id, r.done, r.count, record->id);
			err = round_shortfall(&r);
		}
	}
	round_free(&r);
	return err;
}
