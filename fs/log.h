/*
 * The log ring: where it lies, and appending frames to it (docs/volume-format.md, 10).
 *
 * Positions are bytes that only grow; a position's place in the ring is its rest modulo the ring's
 * length. Frames lie one behind the other. A frame never shares a block with one that was promised
 * to be durable: whoever is about to flush calls log_round first. What the older of the two
 * superblock pairs needs for its replay is never overwritten.
 *
 * Threads  the volume's lock covers it.
 */
#ifndef CONCLAVE_FS_LOG_H
#define CONCLAVE_FS_LOG_H

#include "fs/frame.h"
#include "fs/layout.h"
#include "fs/store.h"
#include "protocol/err.h"

#define FEATURE_LOG ((uint64_t)1) /* the log may hold frames that must be replayed */

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

struct log {
	struct store *store;
	uint64_t ring;  /* byte of the container where it begins */
	uint64_t bytes; /* its length */
	bool active;    /* changes are logged: not while a volume is made, opened or read only */
	struct frame_cipher cipher;
	uint64_t next;        /* sequence number of the next frame */
	uint64_t durable;     /* every frame up to this one is durable */
	uint64_t head;        /* position of the next frame */
	uint64_t tail;        /* position where the newest durable superblock starts replay */
	uint64_t tail_before; /* the older pair's: from here on nothing is overwritten */
	uint8_t *buf;         /* the begun block, and room for a frame behind it */
};

/* Place and length for a volume of `blocks`: 1/64 of it within the bounds, behind superblock 3. */
void log_place(struct log_descriptor *d, uint64_t blocks);
/* Writes random bytes over the whole ring, so that its space is really there. */
CV_MUST_CHECK enum cv_err log_fill(const struct log_descriptor *d, struct store *store);

void log_encode(uint8_t out[LOG_DESCRIPTOR_BYTES], const struct log_descriptor *d);
void log_decode(struct log_descriptor *d, const uint8_t in[LOG_DESCRIPTOR_BYTES]);
bool log_valid(const struct log_descriptor *d, uint64_t blocks);

/* Over the ring of a superblock, at its tail. Nothing is allocated. */
void log_attach(struct log *l, struct store *store, const struct log_descriptor *d);
/* A fresh key into the descriptor and sequence numbers from 1: before the session's checkpoint. */
CV_MUST_CHECK enum cv_err log_renew(struct log *l, struct log_descriptor *d);
/* After it: frames may be appended. */
CV_MUST_CHECK enum cv_err log_start(struct log *l, const struct log_descriptor *d,
	const uint8_t volume_id[CV_VOLUME_ID_BYTES]);
/* The same in the middle of a session, after a checkpoint with a renewed key. */
CV_MUST_CHECK enum cv_err log_restart(struct log *l, const struct log_descriptor *d,
	const uint8_t volume_id[CV_VOLUME_ID_BYTES]);
void log_wipe(struct log *l);

/* A frame with `len` bytes of records fits without overwriting what a replay may need. */
bool log_has_room(const struct log *l, size_t len);
/*
 * Seals and writes one frame. On CV_OK it outlives the process, and the machine once a flush that
 * began later has returned. After an error nothing may be appended any more: the volume freezes.
 */
CV_MUST_CHECK enum cv_err log_append(struct log *l, const uint8_t *records, size_t len);
/* The next frame begins a new block. */
void log_round(struct log *l);

/* The newest frame; every frame up to it has been written. */
static inline uint64_t log_newest(const struct log *l)
{
	return l->next - 1;
}

/* Bytes that a replay from the newest durable superblock would read. */
static inline uint64_t log_used(const struct log *l)
{
	return l->head - l->tail;
}

#endif
