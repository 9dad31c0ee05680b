/*
 * The log ring's descriptor. The ring is set aside and written at create, and each read-write
 * mount draws a fresh log key; format version 1 without the feature bit FEATURE_LOG puts no frame
 * into it, so there is nothing to replay.
 */
#ifndef CONCLAVE_FS_LOG_H
#define CONCLAVE_FS_LOG_H

#include "fs/layout.h"
#include "fs/store.h"
#include "protocol/err.h"

#define FEATURE_LOG                                                                                \
	((uint64_t)1) /* the log may hold frames that must be replayed; not known here */

#define LOG_BYTES_MIN ((uint64_t)2 << 20)
#define LOG_BYTES_MAX ((uint64_t)32 << 20)
#define LOG_DESCRIPTOR_BYTES 64

struct log_descriptor {
	uint64_t ring;   /* first block */
	uint64_t blocks; /* length */
	uint64_t tail;   /* block within the ring where replay starts */
	uint64_t seq;    /* sequence number of the first frame there */
	uint8_t key[AEAD_KEY_BYTES];
};

/* Place and length for a volume of `blocks`: 1/64 of it within the bounds, behind superblock 3. */
void log_place(struct log_descriptor *log, uint64_t blocks);
/* A fresh random key, tail and sequence number back at their start. */
CV_MUST_CHECK enum cv_err log_renew(struct log_descriptor *log);
/* Writes random bytes over the whole ring, so that its space is really there. */
CV_MUST_CHECK enum cv_err log_fill(const struct log_descriptor *log, struct store *store);

void log_encode(uint8_t out[LOG_DESCRIPTOR_BYTES], const struct log_descriptor *log);
void log_decode(struct log_descriptor *log, const uint8_t in[LOG_DESCRIPTOR_BYTES]);
bool log_valid(const struct log_descriptor *log, uint64_t blocks);

#endif
