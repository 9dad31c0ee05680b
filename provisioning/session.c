#include "provisioning/session.h"

#include <stdlib.h>

#include "host/log.h"
#include "provisioning/op_http.h"

enum cv_err session_open(struct session **out, const struct context *ctx, const char *device,
	enum op_role role)
{
	struct session *s = calloc(1, sizeof(*s));
	enum cv_err err = s != NULL ? op_http_init() : CV_ERR_MEMORY;

	if (err != CV_OK) {
		free(s);
		return err;
	}
	err = fleet_open(&s->fleet, ctx, false);
	if (err != CV_OK) {
		free(s);
		return err;
	}
	if (device != NULL)
		err = device_record_read(&s->record, &s->fleet, device);
	if (err == CV_OK)
		err = operator_open(&s->op, &s->fleet, ctx, &s->passphrase, role);
	s->client = (struct op_client){.fleet = &s->fleet, .op = &s->op};
	if (err != CV_OK) {
		session_close(s);
		return err;
	}
	*out = s;
	return CV_OK;
}

void session_close(struct session *s)
{
	if (s == NULL)
		return;
	operator_wipe(&s->op);
	passphrase_wipe(&s->passphrase);
	fleet_close(&s->fleet);
	free(s);
}
