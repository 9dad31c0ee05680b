/*
 * Every decoder is fed its input cut at each length, with one byte more, and with each single bit
 * flipped. Each copy lies in a buffer of exactly its size, so that a sanitizer sees every overread.
 */
#ifndef CONCLAVE_TESTS_PROTOCOL_DAMAGE_H
#define CONCLAVE_TESTS_PROTOCOL_DAMAGE_H

#include <stddef.h>

#include "protocol/err.h"

typedef enum cv_err (*damage_decode)(const char *data, size_t len);

/* Decodes an exact-size copy. */
enum cv_err damage_run(damage_decode decode, const void *data, size_t len);
void damage_accepts(damage_decode decode, const void *data, size_t len);
void damage_refuses_truncations(damage_decode decode, const void *data, size_t len);
void damage_refuses_one_more(damage_decode decode, const void *data, size_t len);
void damage_refuses_flips(damage_decode decode, const void *data, size_t len);
/* Flips each bit and lets `decode` judge; it fails the test itself when something is wrong. */
void damage_flips(damage_decode decode, const void *data, size_t len);
/* Fails the n-th allocation for each n: CV_ERR_MEMORY, until n is larger than what is needed. */
void damage_reports_no_memory(damage_decode decode, const void *data, size_t len);

#endif
