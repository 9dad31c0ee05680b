#include "device/tpm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

#include "device/tpm_tcti.h"
#include "host/log.h"

#define DEVICE_PREFIX "device:"

/* A response code of the TPM itself without the number of the handle, session or parameter. */
static TSS2_RC bare(TSS2_RC rc)
{
	if ((rc & TSS2_RC_LAYER_MASK) != TSS2_TPM_RC_LAYER &&
		(rc & TSS2_RC_LAYER_MASK) != TSS2_RESMGR_TPM_RC_LAYER &&
		(rc & TSS2_RC_LAYER_MASK) != TSS2_RESMGR_RC_LAYER)
		return rc;
	rc &= ~TSS2_RC_LAYER_MASK;
	return (rc & TPM2_RC_FMT1) != 0 ? rc & (TPM2_RC_FMT1 | 0x3f) : rc;
}

int tpm_answered(TSS2_RC rc, TSS2_RC wanted)
{
	return bare(rc) == wanted;
}

struct meaning {
	TSS2_RC rc; /* bare */
	enum cv_err err;
	const char *text;
};

static const struct meaning meanings[] = {
	{TPM2_RC_RETRY, CV_ERR_BUSY, "busy: try again"},
	{TPM2_RC_YIELDED, CV_ERR_BUSY, "busy: try again"},
	{TPM2_RC_TESTING, CV_ERR_BUSY, "busy with its self-test: try again"},
	{TPM2_RC_NV_RATE, CV_ERR_BUSY, "busy: try again"},
	{TPM2_RC_NV_UNAVAILABLE, CV_ERR_BUSY, "busy: try again"},
	{TPM2_RC_CANCELED, CV_ERR_BUSY, "the command was cancelled: try again"},
	{TPM2_RC_OBJECT_MEMORY, CV_ERR_BUSY,
		"busy: it has no room for a key: other programs left theirs in it (use a resource "
		"manager)"},
	{TPM2_RC_SESSION_MEMORY, CV_ERR_BUSY,
		"busy: it has no room for a session: other programs left theirs in it (use a "
		"resource manager)"},
	{TPM2_RC_OBJECT_HANDLES, CV_ERR_BUSY, "busy: it has no room for a key"},
	{TPM2_RC_SESSION_HANDLES, CV_ERR_BUSY, "busy: it has no room for a session"},
	{TPM2_RC_MEMORY, CV_ERR_BUSY, "busy: it has no room"},
	{TPM2_RC_INITIALIZE, CV_ERR_BUSY, "it was reset, and not started since: try again"},
	{TPM2_RC_REFERENCE_H0, CV_ERR_BUSY, "it was reset while it was working: try again"},
	{TPM2_RC_REFERENCE_H1, CV_ERR_BUSY, "it was reset while it was working: try again"},
	{TPM2_RC_REFERENCE_S0, CV_ERR_BUSY, "it was reset while it was working: try again"},
	{TPM2_RC_HANDLE, CV_ERR_BUSY, "it was reset while it was working: try again"},
	{TPM2_RC_FAILURE, CV_ERR_TPM, "it failed its self-test: power the machine off and on"},
	{TPM2_RC_LOCKOUT, CV_ERR_TPM, "it is locked out after wrong passwords"},
	{TPM2_RC_HIERARCHY, CV_ERR_TPM,
		"its endorsement hierarchy is switched off: see the firmware's set-up"},
	{TPM2_RC_BAD_AUTH, CV_ERR_TPM, "its endorsement hierarchy has a password"},
	{TPM2_RC_AUTH_FAIL, CV_ERR_TPM, "its endorsement hierarchy has a password"},
	{TSS2_TCTI_RC_IO_ERROR, CV_ERR_BUSY, "it went away or did not answer in time: try again"},
	{TSS2_ESYS_RC_MEMORY, CV_ERR_MEMORY, "no memory"},
};

static const struct meaning *meaning_of(TSS2_RC rc)
{
	const TSS2_RC wanted = bare(rc);

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].rc == wanted)
			return &meanings[i];
	return NULL;
}

enum cv_err tpm_result(const struct tpm *t, TSS2_RC rc, const char *what)
{
	const struct meaning *m = meaning_of(rc);

	if (rc == TSS2_RC_SUCCESS)
		return CV_OK;
	if (m != NULL) {
		log_error("TPM %s: %s: %s", t->name, what, m->text);
		return m->err;
	}
	/* what a transport says when the other end is gone has several codes */
	if ((rc & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER) {
		log_error("TPM %s: %s: it went away: try again", t->name, what);
		return CV_ERR_BUSY;
	}
	log_error("TPM %s: %s: %s (0x%08x)", t->name, what, Tss2_RC_Decode(rc), (unsigned int)rc);
	return CV_ERR_TPM;
}

void tpm_flush(const struct tpm *t, ESYS_TR *handle)
{
	if (*handle == ESYS_TR_NONE)
		return;
	if (Esys_FlushContext(t->esys, *handle) != TSS2_RC_SUCCESS)
		(void)Esys_TR_Close(t->esys, handle);
	*handle = ESYS_TR_NONE;
}

/* The library says only that it failed: ask the kernel why. */
static enum cv_err explain_open(const char *tcti, TSS2_RC rc)
{
	const size_t prefix = sizeof(DEVICE_PREFIX) - 1;
	int fd;

	if (strncmp(tcti, DEVICE_PREFIX, prefix) != 0) {
		log_error("TPM %s: no TPM answers there, or the TCTI string is wrong (0x%08x): see "
			  "[tpm] tcti in device.ini(5)",
			tcti, (unsigned int)rc);
		return CV_ERR_TPM;
	}
	fd = open(tcti + prefix, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == EBUSY) {
		log_error("TPM %s: busy: another program holds it: try again", tcti);
		return CV_ERR_BUSY;
	}
	if (fd < 0)
		log_error("TPM %s: %s%s", tcti, strerror(errno),
			errno == ENOENT ? ": this machine shows no TPM: is it on in the firmware's "
					  "set-up?"
					: "");
	else
		log_error("TPM %s: it cannot be used (0x%08x): is it a TPM 2.0?", tcti,
			(unsigned int)rc);
	if (fd >= 0)
		close(fd);
	return CV_ERR_TPM;
}

enum cv_err tpm_open(struct tpm *t, const char *tcti)
{
	TSS2_RC rc;
	enum cv_err err;

	memset(t, 0, sizeof(*t));
	t->name = tcti;
	/* the library prints on standard error by itself: ours is the one line */
	if (setenv("TSS2_LOG", "all+NONE", 0) != 0)
		return CV_ERR_MEMORY;
	rc = Tss2_TctiLdr_Initialize(tcti, &t->inner);
	if (rc != TSS2_RC_SUCCESS)
		return explain_open(tcti, rc);
	err = tpm_tcti_open(&t->timed, t->inner, TPM_TIMEOUT_MS);
	if (err == CV_OK)
		err = tpm_result(t, Esys_Initialize(&t->esys, t->timed, NULL), "start");
	if (err != CV_OK)
		tpm_close(t);
	return err;
}

void tpm_close(struct tpm *t)
{
	if (t->esys != NULL)
		Esys_Finalize(&t->esys);
	tpm_tcti_close(t->timed);
	if (t->inner != NULL)
		Tss2_TctiLdr_Finalize(&t->inner);
	memset(t, 0, sizeof(*t));
}
