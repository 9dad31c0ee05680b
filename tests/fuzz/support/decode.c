#include "tests/fuzz/support/decode.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/crypto.h"
#include "protocol/enrol.h"
#include "protocol/evidence.h"
#include "protocol/opcert.h"
#include "protocol/share_set.h"
#include "tests/vectors/protocol_vectors.h"

static const struct op_trust trust = {"acme", v_root_public, NULL, 0};

static enum cv_err no_sign(
	void *context, const uint8_t hash[CV_HASH_BYTES], uint8_t sig[CV_ES256_SIG_BYTES])
{
	(void)context;
	(void)hash;
	memset(sig, 0, CV_ES256_SIG_BYTES);
	return CV_OK;
}

static const struct jws_signer signer = {no_sign, NULL};
static char text_again[CV_JWS_MAX];

static void must(enum cv_err err)
{
	if (err != CV_OK)
		abort();
}

static void evidence(const char *text, size_t len)
{
	static char work[CV_EVIDENCE_MAX];
	static struct evidence ev, again;
	size_t n;

	if (evidence_decode(&ev, text, len, v_attestation_public) != CV_OK || ev.other_profile)
		return;
	must(evidence_encode(text_again, sizeof(text_again), &n, &ev, &signer, work, sizeof(work)));
	must(evidence_decode(&again, text_again, n, v_attestation_public));
	if (memcmp(&ev, &again, sizeof(ev)) != 0)
		abort();
}

static void opcert(const char *text, size_t len)
{
	struct opcert cert, again;
	size_t n;

	if (opcert_decode(&cert, text, len, "acme", v_root_public) != CV_OK)
		return;
	must(opcert_encode(text_again, sizeof(text_again), &n, &cert, &signer));
	must(opcert_decode(&again, text_again, n, "acme", v_root_public));
	if (memcmp(&cert, &again, sizeof(cert)) != 0)
		abort();
}

static void revocations(const char *text, size_t len)
{
	static struct revocations list, again;
	size_t n;

	if (revocations_decode(&list, text, len, "acme", v_root_public) != CV_OK)
		return;
	must(revocations_encode(text_again, sizeof(text_again), &n, &list, &signer));
	must(revocations_decode(&again, text_again, n, "acme", v_root_public));
	if (memcmp(&list, &again, sizeof(list)) != 0)
		abort();
}

static void share_set(const char *text, size_t len)
{
	static struct share_set set, again;
	size_t n;

	if (share_set_decode(&set, text, len, &trust) != CV_OK)
		return;
	must(share_set_encode(text_again, sizeof(text_again), &n, &set, v_opcert, &signer));
	must(share_set_decode(&again, text_again, n, &trust));
	if (memcmp(&set, &again, sizeof(set)) != 0)
		abort();
}

static void enrol(const char *text, size_t len)
{
	static struct enrolment e;
	struct opcert cert;

	if (enrolment_open(&e, text, len, &trust, "gw-b", v_enrolment_private, &cert) == CV_OK &&
		(strcmp(e.gateway, "gw-b") != 0 || e.threshold > e.members || e.x == 0))
		abort();
}

void document_decode(enum document_kind kind, const char *text, size_t len)
{
	switch (kind) {
	case DOCUMENT_EVIDENCE:
		evidence(text, len);
		break;
	case DOCUMENT_OPCERT:
		opcert(text, len);
		break;
	case DOCUMENT_REVOCATIONS:
		revocations(text, len);
		break;
	case DOCUMENT_SHARE_SET:
		share_set(text, len);
		break;
	case DOCUMENT_ENROL:
		enrol(text, len);
		break;
	case DOCUMENT_KINDS:
		break;
	}
}
