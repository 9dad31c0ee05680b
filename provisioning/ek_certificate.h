/*
 * The certificate of an endorsement key: whether a manufacturer whose root this fleet trusts says
 * that the key lives in one of its chips.
 *
 * Source   RFC 5280; TCG EK Credential Profile 2.5 sections 3.2 and 3.5.
 */
#ifndef CONCLAVE_PROVISIONING_EK_CERTIFICATE_H
#define CONCLAVE_PROVISIONING_EK_CERTIFICATE_H

#include "protocol/tpm_ek.h"

#define EK_CERTIFICATE_WHY_BUF 200
#define EK_ROOTS_MAX 256	/* certificates in the directory */
#define EK_ROOT_FILE_MAX 65536	/* bytes of one of its files */

/*
 * `roots` is a directory of PEM files (*.pem, *.crt): self-signed certificates are anchors, others
 * intermediates. `now_s` is the time at which all of the chain must be valid. The certificate is
 * DER of this very key, without anything after it, no CA, and, where it names purposes, one of an
 * endorsement key. Revocation lists are not asked.
 *
 * CV_ERR_SIGNATURE: not believed; `why` says what is wrong, in a few words. CV_ERR_NOT_FOUND: there
 * is no root at all.
 */
CV_MUST_CHECK enum cv_err ek_certificate_verify(const uint8_t *der, size_t len,
	const struct tpm_ek *ek, const char *roots, int64_t now_s,
	char why[EK_CERTIFICATE_WHY_BUF]);

#endif
