/* `suspect`: what an operator's tool found in the audits of all gateways, told as an alert. */
#include "gateway/opcmd.h"

#include <string.h>

enum opcmd_result opcmd_suspect(struct keeper *k, struct opcmd *op)
{
	static const char *const names[] = { "device", "finding", NULL };
	static const char *const findings[] = {
		"few_gateways", "unconfirmed", "two_keys", "alternating" };
	char finding[EVENT_TOKEN_MAX + 1];
	struct event_alert alert;
	enum opcmd_result result;
	size_t i = 0;

	if (json_only(op->tree, names) != CV_OK ||
		json_get_text(op->tree, "finding", finding, sizeof(finding)) != CV_OK)
		return OPCMD_MALFORMED;
	while (i < sizeof(findings) / sizeof(findings[0]) && strcmp(findings[i], finding) != 0)
		i++;
	if (i == sizeof(findings) / sizeof(findings[0]))
		return OPCMD_MALFORMED;
	result = opcmd_get_device(k, op);
	if (result == OPCMD_OK)
		result = opcmd_begin(k, op, false);
	if (result == OPCMD_OK)
		result = opcmd_audit(k, op, "ok", "finding", finding);
	if (result != OPCMD_OK)
		return result;
	if (event_init(&alert, EVENT_HARVEST_SUSPECTED, k->cfg->gateway, op->device,
		    k->clock.now_s) == CV_OK &&
		event_set_reason(&alert, finding) == CV_OK)
		keeper_alert_later(k, &alert);
	json_text(&op->w, "device", op->device);
	return OPCMD_OK;
}
