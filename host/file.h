/*
 * Files: bounded reads, writes that survive a power cut, ownership of secret files, locks.
 *
 * Errors   CV_ERR_NOT_FOUND, CV_ERR_EXISTS, CV_ERR_PERMISSION (also: a symbolic link where none
 *          may be, or a secret file that others can read or own), CV_ERR_FULL, CV_ERR_READ_ONLY,
 *          CV_ERR_TOO_LONG (over the limit), CV_ERR_BUSY (locked by another), CV_ERR_MEMORY,
 *          CV_ERR_IO for the rest. errno is left as the failing call set it.
 * Threads  every call, from any thread.
 */
#ifndef CONCLAVE_HOST_FILE_H
#define CONCLAVE_HOST_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/err.h"

#define FILE_PATH_BUF 4096

/* The one mapping of errno values. */
enum cv_err file_error(int error_number);

/* `dir`/`name` into out; CV_ERR_TOO_LONG if it does not fit. */
CV_MUST_CHECK enum cv_err file_path_join(char *out, size_t cap, const char *dir, const char *name);

/*
 * The whole of a regular file of at most `limit` bytes. *out is malloc'ed, NUL-terminated beyond
 * *len, and the caller's to free; both are untouched on failure. Symbolic links are followed.
 */
CV_MUST_CHECK enum cv_err file_read(uint8_t **out, size_t *len, const char *path, size_t limit);

/*
 * The same for a file that holds a secret: not through a symbolic link, owned by the effective
 * user or root, no permission at all for group and others (systemd's credentials, 0440 for root's
 * own group under $CREDENTIALS_DIRECTORY, are let through). *out is from secret_alloc, with one
 * NUL beyond *len; release it with secret_free.
 */
CV_MUST_CHECK enum cv_err file_read_secret(
	uint8_t **out, size_t *len, const char *path, size_t limit);
/* A secret file of exactly `len` bytes (else CV_ERR_FORMAT) into the caller's memory. */
CV_MUST_CHECK enum cv_err file_read_secret_exact(uint8_t *out, size_t len, const char *path);

/* Reads a descriptor to its end; more than cap bytes is CV_ERR_TOO_LONG. */
CV_MUST_CHECK enum cv_err file_read_descriptor(int fd, uint8_t *out, size_t cap, size_t *len);
/* Writes everything, over EINTR and short writes. */
CV_MUST_CHECK enum cv_err file_write_descriptor(int fd, const void *data, size_t len);

/*
 * Temporary file in the same directory, fsync, rename over `path`, fsync of the directory. After
 * CV_OK the new content is durable; at any crash point `path` holds the old or the new content.
 * CV_ERR_EXISTS if something else than a regular file has that name: nothing changes.
 */
CV_MUST_CHECK enum cv_err file_write_atomic(
	const char *path, const void *data, size_t len, mode_t mode);
/* The same, but CV_ERR_EXISTS if `path` is there already (and nothing changes). */
CV_MUST_CHECK enum cv_err file_write_new(
	const char *path, const void *data, size_t len, mode_t mode);

/* Makes one directory if it is not there; an existing one must be a directory. */
CV_MUST_CHECK enum cv_err file_make_dir(const char *path, mode_t mode);
/* CV_OK if `path` is a directory of ours (or root's) that nobody else can write. */
CV_MUST_CHECK enum cv_err file_check_private_dir(const char *path);
/* Removes a file and makes that durable; CV_ERR_NOT_FOUND if there was none. */
CV_MUST_CHECK enum cv_err file_remove(const char *path);
CV_MUST_CHECK enum cv_err file_sync_dir(const char *path);
bool file_exists(const char *path);

/*
 * An exclusive flock on `path` (made with 0600 if missing), without waiting: CV_ERR_BUSY if held.
 * The lock lives as long as the descriptor and its duplicates.
 */
CV_MUST_CHECK enum cv_err file_lock(int *fd, const char *path);

/* CV_OK if statfs says that `path` is RAM (tmpfs or ramfs); CV_ERR_MISMATCH if it is not. */
CV_MUST_CHECK enum cv_err file_check_ram(const char *path);

#endif
