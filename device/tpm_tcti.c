#include "device/tpm_tcti.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#define MAGIC 0x636f6e636c617665ull
#define HANDLES_MAX 4

struct timed {
	TSS2_TCTI_CONTEXT_COMMON_V2 common; /* first: ESAPI sees nothing else */
	TSS2_TCTI_CONTEXT *inner;
	int timeout_ms;
};

static struct timed *timed_of(TSS2_TCTI_CONTEXT *tcti)
{
	return (struct timed *)tcti;
}

static TSS2_RC transmit(TSS2_TCTI_CONTEXT *tcti, size_t size, const uint8_t *command)
{
	return Tss2_Tcti_Transmit(timed_of(tcti)->inner, size, command);
}

/* An answer is there, or `timeout_ms` passed. */
static TSS2_RC await(const struct timed *t)
{
	TSS2_TCTI_POLL_HANDLE handles[HANDLES_MAX];
	size_t count = HANDLES_MAX;
	int n;

	if (Tss2_Tcti_GetPollHandles(t->inner, handles, &count) != TSS2_RC_SUCCESS || count == 0)
		return TSS2_RC_SUCCESS; /* nothing to wait on: the inner one does it its way */
	do
		n = poll(handles, (nfds_t)count, t->timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return TSS2_TCTI_RC_TRY_AGAIN;
	return n < 0 ? TSS2_TCTI_RC_IO_ERROR : TSS2_RC_SUCCESS;
}

static TSS2_RC receive(
	TSS2_TCTI_CONTEXT *tcti, size_t *size, uint8_t *response, int32_t timeout_ms)
{
	struct timed *t = timed_of(tcti);
	TSS2_RC rc;

	(void)timeout_ms; /* ESAPI's blocking calls say "for ever" */
	rc = await(t);
	if (rc == TSS2_TCTI_RC_TRY_AGAIN) { /* ESAPI would ask again, and again */
		(void)Tss2_Tcti_Cancel(t->inner);
		return TSS2_TCTI_RC_IO_ERROR;
	}
	return rc == TSS2_RC_SUCCESS
		       ? Tss2_Tcti_Receive(t->inner, size, response, TSS2_TCTI_TIMEOUT_BLOCK)
		       : rc;
}

static TSS2_RC cancel(TSS2_TCTI_CONTEXT *tcti)
{
	return Tss2_Tcti_Cancel(timed_of(tcti)->inner);
}

static TSS2_RC get_poll_handles(
	TSS2_TCTI_CONTEXT *tcti, TSS2_TCTI_POLL_HANDLE *handles, size_t *count)
{
	return Tss2_Tcti_GetPollHandles(timed_of(tcti)->inner, handles, count);
}

static TSS2_RC set_locality(TSS2_TCTI_CONTEXT *tcti, uint8_t locality)
{
	return Tss2_Tcti_SetLocality(timed_of(tcti)->inner, locality);
}

static TSS2_RC make_sticky(TSS2_TCTI_CONTEXT *tcti, TPM2_HANDLE *handle, uint8_t sticky)
{
	return Tss2_Tcti_MakeSticky(timed_of(tcti)->inner, handle, sticky);
}

static void finalize(TSS2_TCTI_CONTEXT *tcti)
{
	(void)tcti; /* tpm_tcti_close */
}

enum cv_err tpm_tcti_open(TSS2_TCTI_CONTEXT **out, TSS2_TCTI_CONTEXT *inner, int timeout_ms)
{
	struct timed *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return CV_ERR_MEMORY;
	t->common.v1.magic = MAGIC;
	t->common.v1.version = 2;
	t->common.v1.transmit = transmit;
	t->common.v1.receive = receive;
	t->common.v1.finalize = finalize;
	t->common.v1.cancel = cancel;
	t->common.v1.getPollHandles = get_poll_handles;
	t->common.v1.setLocality = set_locality;
	t->common.makeSticky = make_sticky;
	t->inner = inner;
	t->timeout_ms = timeout_ms;
	*out = (TSS2_TCTI_CONTEXT *)t;
	return CV_OK;
}

void tpm_tcti_close(TSS2_TCTI_CONTEXT *tcti)
{
	free(tcti);
}
