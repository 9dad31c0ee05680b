/*
 * SQLite's file layer with a fault to order: the n-th write or sync fails, or the process dies on
 * it. Used in a keeper's process, ordered from the test's.
 */
#ifndef CONCLAVE_TESTS_FAULTY_VFS_H
#define CONCLAVE_TESTS_FAULTY_VFS_H

enum faulty_action {
	FAULTY_NONE = 0,
	FAULTY_KILL,	  /* SIGKILL before the operation */
	FAULTY_KILL_HALF, /* SIGKILL after half of a write */
	FAULTY_FULL,	  /* each write from then on: no space */
	FAULTY_SYNC	  /* each sync from then on: an I/O error */
};

/* In memory that test and keeper share. */
struct faulty_order {
	volatile int action;
	volatile int countdown; /* operations until it happens */
	volatile int operations; /* counted while action is FAULTY_NONE */
};

struct faulty_order *faulty_order_new(void);
/* For rig->in_child; context is the order. */
void faulty_vfs_install(void *order);

#endif
