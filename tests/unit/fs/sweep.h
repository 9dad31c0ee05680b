/*
 * Work that must lose nothing, whatever happens to the container meanwhile: a tree of known content,
 * and the ways to cut such work short.
 */
#ifndef CONCLAVE_TESTS_FS_SWEEP_H
#define CONCLAVE_TESTS_FS_SWEEP_H

#include "tests/unit/fs/support.h"

/* Files of many sizes, directories, links, holes, attributes. */
void tree_make(struct volume *v);
/* Exactly that tree, and a clean check. */
void tree_assert(struct volume *v);
/* Now, and when it was closed and opened again; closes and frees. */
void tree_assert_now_and_later(struct volume *v, struct image *image);
/* A closed image of `size` bytes with the tree. */
struct image *tree_image(uint64_t size);

/* Work on an open volume; an error ends it. */
typedef enum cv_err sweep_work(struct volume *v);

/*
 * Power cuts: records the work and the closing, then opens what each prefix of the calls leaves
 * (all around flushes, each `every`-th otherwise) and what random subsets of unflushed writes leave.
 */
void sweep_cuts(const struct image *base, sweep_work *work, unsigned every);
/* The n-th write or flush fails, for every n; also: all from the n-th on. */
void sweep_failures(const struct image *base, sweep_work *work, unsigned every);

#endif
