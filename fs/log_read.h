/*
 * Reading the log ring at open: frame after frame from the tail, and a search behind the place
 * where that ends. Memory is bounded by two frames, however long the ring is.
 *
 * Threads  one thread.
 */
#ifndef CONCLAVE_FS_LOG_READ_H
#define CONCLAVE_FS_LOG_READ_H

#include "fs/log.h"

struct log_reader {
	struct store *store;
	struct frame_cipher cipher;
	uint64_t ring;  /* byte of the container where it begins */
	uint64_t bytes; /* its length */
	uint64_t tail;  /* position where replay starts */
	uint64_t first; /* sequence number there */
	uint64_t at;    /* position of the next frame */
	uint64_t seq;   /* its sequence number */
	uint8_t *window; /* what of the ring is in memory */
	uint64_t window_at;
	size_t window_len;
	uint64_t unreadable; /* blocks that the container did not give; they count as zeros */
	uint8_t *records; /* of the frame that was read last; plaintext */
};

CV_MUST_CHECK enum cv_err log_reader_init(struct log_reader *r, struct store *store,
	const struct log_descriptor *d, const uint8_t volume_id[CV_VOLUME_ID_BYTES]);
void log_reader_wipe(struct log_reader *r);
/* Back to the tail. */
void log_reader_rewind(struct log_reader *r);

/*
 * The next frame: its head, and r->records. CV_ERR_NOT_FOUND where no frame with the next number
 * opens; r->at and r->seq are then the place and the number that are missing.
 */
CV_MUST_CHECK enum cv_err log_reader_next(struct log_reader *r, struct frame_head *h);

/*
 * Whether a frame behind r->at says that frame r->seq was durable. *found is then its number. What
 * cannot be decided in time bounded by the ring's length counts as found, with *found 0: a power
 * cut does not leave such a ring.
 */
CV_MUST_CHECK enum cv_err log_reader_search(struct log_reader *r, bool *proof, uint64_t *found);

/* Byte of the container of a position. */
static inline uint64_t log_reader_byte(const struct log_reader *r, uint64_t position)
{
	return r->ring + position % r->bytes;
}

#endif
