/*
 * Reading a TPM's big-endian structures. Sticky: after the first short read every further one gives
 * zeros and `failed` stays set. Whoever reads checks `failed`, and `left` for bytes left over.
 */
#ifndef CONCLAVE_PROTOCOL_TPM_READ_H
#define CONCLAVE_PROTOCOL_TPM_READ_H

#include <stddef.h>
#include <stdint.h>

/* TPM_ALG_ID; the underscore keeps them apart from tpm2-tss's macros. */
#define TPM_ALG_SHA256_ 0x000b
#define TPM_ALG_NULL_ 0x0010
#define TPM_ALG_ECDSA_ 0x0018
#define TPM_ALG_ECC_ 0x0023
#define TPM_ECC_NIST_P256_ 0x0003

struct tpm_reader {
	const uint8_t *data;
	size_t left;
	int failed;
};

/* An unsigned number of 1 .. 8 bytes. */
uint64_t tpm_read_number(struct tpm_reader *r, size_t bytes);
void tpm_read_bytes(struct tpm_reader *r, void *out, size_t len);
/* A TPM2B of exactly `len` bytes. */
void tpm_read_sized(struct tpm_reader *r, void *out, size_t len);

#endif
