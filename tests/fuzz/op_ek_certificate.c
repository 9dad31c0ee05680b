/*
 * The certificate of an endorsement key, as a stranger's device sends it: nothing that is not signed
 * under a root may be believed, and here there is no root.
 */
#include <stdlib.h>

#include "protocol/crypto.h"
#include "provisioning/ek_certificate.h"
#include "tests/vectors/credential_vectors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tpm_ek ek;
	char why[EK_CERTIFICATE_WHY_BUF];

	if (ek.kind == 0 && (crypto_init() != CV_OK ||
				    tpm_ek_decode(&ek, v_ek_area, sizeof(v_ek_area)) != CV_OK))
		abort();
	if (ek_certificate_verify(data, size, &ek, "/nonexistent", 1800000000, why) == CV_OK)
		abort();
	return 0;
}
