/*
 * An encrypted volume in one container (a file or a block device): make, open, fill, check, close.
 * The format and its rules are docs/volume-format.md; the FUSE mount over this is fs/mount.h.
 *
 * Threads  a struct volume may be used from several threads; one lock inside serialises them.
 *          The functions that take a path and no volume are independent of each other.
 * Locks    opening takes flock(LOCK_EX) (LOCK_SH for read-only) on the container, so a second
 *          opener gets CV_ERR_BUSY while the first lives.
 * Errors   every function that opens a container may return
 *            CV_ERR_NOT_FOUND    no such container
 *            CV_ERR_PERMISSION   the container may not be opened or written
 *            CV_ERR_READ_ONLY    its filesystem is read-only, and a read-write open was asked for
 *            CV_ERR_BUSY         another process has it open
 *            CV_ERR_NOT_VOLUME   not a volume, or too short to be one
 *            CV_ERR_VERSION      newer format version or unknown feature bit
 *            CV_ERR_WRONG_KEY    no key slot opens with this secret
 *            CV_ERR_TAMPERED     damage that no power cut can explain
 *            CV_ERR_TOO_OLD      generation below min_generation
 *            CV_ERR_IO           the container could not be read or written
 *          and a refused open never changes a byte of the container. `why` (may be NULL) then holds
 *          one line without a newline: what, who, why. It never holds a secret.
 */
#ifndef CONCLAVE_FS_VOLUME_H
#define CONCLAVE_FS_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

#define VOLUME_SIZE_MIN ((uint64_t)32 << 20)
#define VOLUME_SIZE_MAX ((uint64_t)1 << 46)
#define VOLUME_KEY_SLOTS 8
#define VOLUME_RECOVERY_BYTES 32
#define VOLUME_WHY_MAX 256

struct volume;

struct volume_why {
	char text[VOLUME_WHY_MAX];
};

enum volume_slot_kind {
	VOLUME_SLOT_EMPTY = 0,
	VOLUME_SLOT_SHARE_SET = 1, /* opened by the unlock secret that K gateways give back */
	VOLUME_SLOT_RECOVERY = 2   /* opened by a random 256-bit recovery code */
};

/*
 * Called during long work. total is 0 while it is not known; name is the path or phase at hand and
 * valid during the call only. A return value other than 0 stops the work: the function then
 * returns CV_ERR_TIMEOUT and leaves a volume that opens.
 */
typedef int volume_progress(void *user, uint64_t done, uint64_t total, const char *name);

struct volume_create_options {
	uint64_t size_bytes; /* rounded down to 4096; 0 = the size the file or device has */
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
	const uint8_t *unlock_secret; /* CV_SECRET_BYTES, borrowed during the call */
	uint32_t epoch;
	uint8_t share_set_hash[CV_HASH_BYTES];
	const uint8_t *recovery_code; /* VOLUME_RECOVERY_BYTES, borrowed; NULL: no such slot */
	bool full;      /* write every block with random bytes, so that use does not show */
	bool overwrite; /* take a block device that is not empty */
	volume_progress *progress; /* may be NULL; counts bytes */
	void *user;
};

/*
 * Make a volume with an empty root directory at `path` (mode 0600, owned by the caller).
 * The file must not exist (CV_ERR_EXISTS); a block device must exist, be unused (CV_ERR_BUSY) and
 * zero where labels are (CV_ERR_EXISTS), and size_bytes may be 0.
 * On failure a file that this call made is removed. On success everything is durable.
 * CV_ERR_RANGE: size below VOLUME_SIZE_MIN or above VOLUME_SIZE_MAX. CV_ERR_FULL: no space.
 */
CV_MUST_CHECK enum cv_err volume_create(
	const char *path, const struct volume_create_options *options, struct volume_why *why);

struct volume_open_options {
	const uint8_t *secret; /* CV_SECRET_BYTES: unlock secret or recovery code, borrowed */
	bool read_only;
	uint64_t min_generation; /* CV_ERR_TOO_OLD below this; 0 = any */
	/* Go on with the newest superblock that opens, whatever the others are, and with the log up to
	 * the place where it is damaged; volume_notice then says what was given up. */
	bool accept_older;
	size_t cache_bytes; /* node cache; 0 = default (64 MiB) */
};

/* Open; each key slot is tried. *out is set on success only and is freed by volume_close. */
CV_MUST_CHECK enum cv_err volume_open(struct volume **out, const char *path,
	const struct volume_open_options *options, struct volume_why *why);

/* The same on a descriptor that stays the caller's and that the caller has locked. */
CV_MUST_CHECK enum cv_err volume_open_fd(struct volume **out, int fd,
	const struct volume_open_options *options, struct volume_why *why);

/*
 * Last checkpoint (also frees what open-but-unlinked files held), then release and wipe, whatever
 * the result. An error says that the last changes may not be durable. NULL is allowed.
 */
CV_MUST_CHECK enum cv_err volume_close(struct volume *volume);

/* Everything done so far is durable when this returns CV_OK. */
CV_MUST_CHECK enum cv_err volume_sync(struct volume *volume);

uint64_t volume_generation(const struct volume *volume);
/* What was odd at open, but no reason to refuse; NULL if nothing. Lives with the volume. */
const char *volume_notice(const struct volume *volume);
/* The key slot that opened this volume. */
uint32_t volume_epoch(const struct volume *volume);
enum volume_slot_kind volume_kind(const struct volume *volume);

struct volume_import_report {
	uint64_t files; /* regular files, each hard-linked file once */
	uint64_t dirs;
	uint64_t symlinks;
	uint64_t links;    /* further names of hard-linked files */
	uint64_t specials; /* fifos, sockets and device nodes */
	uint64_t xattrs;   /* extended attributes and access lists */
	uint64_t bytes;
};

/*
 * Copy what is inside the host directory `source` into the directory `target` of the volume ("/" or
 * a path that exists): files, directories, symlinks, fifos and nodes with modes, owners, times, hard
 * links, holes, extended attributes and access lists. Mount points below `source` are crossed. A
 * name that exists in the volume: CV_ERR_EXISTS, unless both are directories. The result is durable
 * on CV_OK; after an error part of the tree may be there. Progress counts bytes, and names the file.
 * CV_ERR_FULL: the volume is full. CV_ERR_TOO_LONG: an attribute does not fit a volume.
 */
CV_MUST_CHECK enum cv_err volume_import(struct volume *volume, const char *source,
	const char *target, volume_progress *progress, void *user,
	struct volume_import_report *report, struct volume_why *why);

/*
 * Read up to `len` bytes at `offset` of the regular file at `path` ("/a/b"; symlinks are not
 * followed). *got is the number of bytes, less than len only at the end of the file.
 */
CV_MUST_CHECK enum cv_err volume_read(struct volume *volume, const char *path, uint64_t offset,
	void *buf, size_t len, size_t *got);

/* Write the whole regular file at `path` to the descriptor `fd`. */
CV_MUST_CHECK enum cv_err volume_export(struct volume *volume, const char *path, int fd);

struct volume_check_report {
	uint64_t nodes;
	uint64_t items;
	uint64_t files;
	uint64_t dirs;
	uint64_t data_blocks; /* mapped, and each opened under its tag */
	uint64_t used_blocks; /* marked in the bitmap */
	uint64_t free_blocks;
	uint64_t orphans;       /* unlinked, to be reaped at the next read-write open; no problem */
	uint64_t leaked_blocks; /* marked used, referenced by nothing */
	uint64_t problems;
	char first[8][160]; /* the first problems, one line each */
	unsigned first_count;
};

/*
 * Verify the whole volume: every node and data block under its tag, the order and form of all
 * items, directories against inodes and link counts, and the bitmap against what is referenced.
 * CV_OK: the report is complete and problems may be more than 0. Progress counts blocks.
 */
CV_MUST_CHECK enum cv_err volume_check(struct volume *volume, volume_progress *progress, void *user,
	struct volume_check_report *report);

struct volume_slot_info {
	enum volume_slot_kind kind;
	uint32_t epoch;
	uint8_t share_set_hash[CV_HASH_BYTES];
};

struct volume_info {
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
	uint32_t version;
	uint64_t generation;
	uint64_t size_bytes;
	unsigned superblocks; /* of 4, those that are readable and agree with the newest generation
			       */
	bool in_use;          /* another process holds the container */
	bool clean;           /* the log is empty; not so while in use, or after a crash */
	struct volume_slot_info slots[VOLUME_KEY_SLOTS]; /* unused ones have kind EMPTY */
};

/* Needs no key, so nothing in it is authenticated. Never waits for a lock, writes nothing. */
CV_MUST_CHECK enum cv_err volume_info(
	const char *path, struct volume_info *info, struct volume_why *why);

/*
 * Copy the superblock slots to the new file `backup` (CV_ERR_EXISTS if it is there), mode 0600,
 * durable. Needs no key and holds nothing that the container does not show. CV_ERR_BUSY while the
 * volume is open read-write.
 */
CV_MUST_CHECK enum cv_err volume_header_backup(
	const char *path, const char *backup, struct volume_why *why);

#endif
