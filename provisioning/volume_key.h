/*
 * What opens a volume for an operator: the recovery code as text on --recovery-fd (or typed on the
 * terminal), or 32 raw bytes on --key-fd, as `conclave-device key --fd N` writes them. Also: giving
 * a fresh code out once. Prints its lines.
 */
#ifndef CONCLAVE_PROVISIONING_VOLUME_KEY_H
#define CONCLAVE_PROVISIONING_VOLUME_KEY_H

#include "fs/volume.h"
#include "provisioning/verb.h"

/* Two entries of a verb's table of options. */
#define VOLUME_OPTION_RECOVERY_FD \
	{"recovery-fd", OPTION_TEXT, "N", "read the recovery code from descriptor N"}
#define VOLUME_OPTION_KEY_FD \
	{"key-fd", OPTION_TEXT, "N", "read the 32 bytes of the unlock secret from descriptor N"}

#define VOLUME_OPTION_MIN_GENERATION                                                               \
	{"min-generation", OPTION_TEXT, "G", "exit 21 if the volume's generation is below G"}

/* *key is secret_alloc memory of 32 bytes. */
CV_MUST_CHECK enum cv_err volume_key_get(uint8_t **key, const struct context *ctx);
/* The recovery code of --recovery-fd beside another key; *key stays NULL if that is not given. */
CV_MUST_CHECK enum cv_err volume_recovery_get(uint8_t **key, const struct context *ctx);
/* Exactly 32 bytes, then the end, into `key`. */
CV_MUST_CHECK enum cv_err volume_key_read(uint8_t key[CV_SECRET_BYTES], int fd);

/*
 * Prints why a volume's function failed (`why` names the container already) and returns what the
 * program should exit with: a size out of bounds is a mistake of usage.
 */
CV_MUST_CHECK enum cv_err volume_failed(
	const char *path, enum cv_err err, const struct volume_why *why);

/* The same, for a function whose `why` does not name the container; `what` names the work. */
CV_MUST_CHECK enum cv_err volume_failed_at(
	const char *path, const char *what, enum cv_err err, const struct volume_why *why);

/* --min-generation, or 0. */
CV_MUST_CHECK enum cv_err volume_min_generation(uint64_t *generation, const struct context *ctx);

/* Opens with the key that the command line names, which is wiped again. */
CV_MUST_CHECK enum cv_err volume_open_with_key(
	struct volume **out, const struct context *ctx, const char *path, bool read_only);

/*
 * Shows a secret text once: on the descriptor that `fd_option` names, else on standard output
 * (under --json as member `name`, which is what the script asked for).
 */
CV_MUST_CHECK enum cv_err secret_text_show(struct context *ctx, const char *fd_option,
	const char *name, const char *label, const char *text);

#endif
