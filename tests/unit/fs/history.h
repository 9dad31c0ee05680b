/*
 * A recorded course of work on a volume: what the tree was after each step, what of it was answered
 * and what was promised to be durable after how many calls to the container; and the states that a
 * killed process or a power cut may leave of it.
 */
#ifndef CONCLAVE_TESTS_FS_HISTORY_H
#define CONCLAVE_TESTS_FS_HISTORY_H

#include "tests/unit/fs/model.h"

#define HISTORY_STEPS_MAX 1200

struct history_step {
	uint64_t digest;   /* of the whole tree after it */
	size_t answered;   /* recorded calls when it returned */
	size_t durable_at; /* recorded calls when a flush that covers it returned; SIZE_MAX: never */
};

struct history {
	struct image *base;  /* before the first recorded call */
	struct image *image; /* with the record */
	struct history_step steps[HISTORY_STEPS_MAX]; /* 0: before the first step */
	size_t count;
	struct model model;
	struct volume *volume;
	uint32_t random;
};

struct history_shape {
	uint32_t seed;
	unsigned steps;
	unsigned syncs;       /* one step in so many is followed by an fsync; 0: none */
	unsigned checkpoints; /* one in so many by a checkpoint */
	bool busy;            /* work goes on during flushes, as with several threads */
	bool wrap;            /* the log's ring ends inside the course */
};

/* Names, types, links, sizes and content of everything. */
uint64_t tree_digest(struct volume *v);
/* The same; false if something could not be read, with the error. */
bool try_digest(struct volume *v, uint64_t *digest, enum cv_err *err);

/* Records; h->volume stays open. */
void history_make(struct history *h, const struct history_shape *shape);
void history_free(struct history *h);
/* More steps of the same kind. */
void history_go_on(struct history *h, const struct history_shape *shape, unsigned steps);
/* The same without random work: the caller works on h->volume and notes each step. */
void history_begin(struct history *h, bool wrap);
void history_note(struct history *h);
void history_fsync(struct history *h);
/* The process is gone, and a new one opens the volume. */
void history_reopen(struct history *h);

/* The last step that was answered, or promised durable, when `calls` calls had returned. */
size_t history_answered(const struct history *h, size_t calls);
size_t history_durable(const struct history *h, size_t calls);

/* How a write that no flush covered arrived. */
enum arrival { ARRIVED_WHOLE, ARRIVED_NOT, ARRIVED_PAGES, ARRIVED_SECTORS, ARRIVED_GARBAGE };
void apply_arrival(
	struct image *image, const struct record_op *op, enum arrival how, uint32_t *random);

/* The recorded call that ends the last completed flush before `calls`, and what it covers. */
size_t history_flushed(const struct history *h, size_t calls);

/*
 * Opens the state, which is released, and compares: the tree is that of a step from `low` to
 * `high`. `check` looks at the whole volume, too. Returns the step.
 */
size_t history_assert(const struct history *h, struct image *state, size_t low, size_t high,
	bool check, const char *what);

/* States that history_assert has opened. */
unsigned long history_states(void);

/* CONCLAVE_LONG is set: ten times as much. */
unsigned long_factor(void);

#endif
