/* Between tree.c and tree_node.c: loading, dirtying and sealing of single nodes. */
#ifndef CONCLAVE_FS_TREE_NODE_H
#define CONCLAVE_FS_TREE_NODE_H

#include "fs/tree.h"

/*
 * Makes a clean node dirty: its old place is retired, the parent (dirty already; NULL for the
 * root) points to its new id. Nothing to do for a dirty one.
 */
CV_MUST_CHECK enum cv_err tree_node_dirty(
	struct tree *t, struct node *n, struct node *parent, unsigned slot);

#endif
