/* A plain in-memory tree that does what a volume should do, and a way to compare the two. */
#ifndef CONCLAVE_TESTS_FS_MODEL_H
#define CONCLAVE_TESTS_FS_MODEL_H

#include "tests/unit/fs/support.h"

#define MODEL_NODES 64
#define MODEL_NAMES 96
#define MODEL_FILE_MAX 300000

struct model_node {
	bool there;
	bool dir;
	uint8_t *data;
	size_t size;
	unsigned links;
	int parent; /* of a directory */
};

struct model_name {
	bool there;
	int dir;
	int node;
	char name[16];
};

struct model {
	struct model_node nodes[MODEL_NODES]; /* 0 is the root directory */
	struct model_name names[MODEL_NAMES];
	size_t file_max;   /* MODEL_FILE_MAX at most */
	bool whole_blocks; /* every step is one transaction that a reader can tell */
};

void model_init(struct model *m);
void model_wipe(struct model *m);

/* One random operation on both; both must come to the same end. Returns false on a mismatch. */
bool model_step(struct model *m, struct volume *v, uint32_t *random);
/* The volume holds exactly this tree. */
bool model_equal(const struct model *m, struct volume *v);

#endif
