#include "device/unlock_tpm.h"

#include <string.h>

#include "device/tpm.h"
#include "host/log.h"

enum cv_err unlock_tpm_boot_id(struct unlock *u)
{
	struct tpm t;
	enum cv_err err = tpm_open(&t, u->request.settings->tcti);

	if (err == CV_OK) {
		err = tpm_boot_id_read(&t, u->boot_id);
		tpm_close(&t);
	}
	if (err != CV_ERR_BUSY)
		return err;
	log_warning("unlock: going on: the TPM is asked again when it must quote");
	memset(u->boot_id, 0, sizeof(u->boot_id));
	return CV_OK;
}

enum cv_err unlock_tpm_quote(
	void *context, struct tpm_quote *quote, const char *token, size_t token_len)
{
	struct unlock *u = context;
	uint8_t binding[CV_HASH_BYTES], boot_id[CV_BOOT_ID_BYTES];
	enum cv_err err = tpm_quote_binding(binding, token, token_len);

	if (err == CV_OK)
		err = tpm_attest_once(
			u->request.settings->tcti, &u->identity.tpm, binding, quote, boot_id);
	quote->has_events = u->has_events;
	if (u->has_events)
		quote->events = u->events;
	if (err != CV_OK || memcmp(boot_id, u->boot_id, sizeof(boot_id)) == 0)
		return err;
	/* it slept, or was reset, since the boot id was read: the token must say the new one */
	memcpy(u->boot_id, boot_id, sizeof(boot_id));
	memcpy(u->platform.boot_id, boot_id, sizeof(boot_id));
	return CV_ERR_MISMATCH;
}
