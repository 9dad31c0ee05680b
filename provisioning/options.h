/*
 * The command line: long options only, `--name VALUE` or `--name=VALUE`, in any order with the
 * arguments; `--` ends the options. No option carries a secret: those come on descriptors.
 */
#ifndef CONCLAVE_PROVISIONING_OPTIONS_H
#define CONCLAVE_PROVISIONING_OPTIONS_H

#include "protocol/limits.h"
#include "provisioning/verb.h"

/*
 * Parses what follows the verb's words. CV_ERR_ARGUMENT, with the line printed, for an unknown,
 * repeated or incomplete option and a wrong number of arguments. *help is set when --help is there.
 */
CV_MUST_CHECK enum cv_err options_parse(struct context *ctx, int argc, char **argv, bool *help);

bool option_flag(const struct context *ctx, const char *name);
/* NULL if it was not given. */
const char *option_text(const struct context *ctx, const char *name);
const struct option_value *option_list(const struct context *ctx, const char *name);

/* The next ones print their line. *out keeps its value if the option was not given. */
CV_MUST_CHECK enum cv_err option_uint(
	const struct context *ctx, const char *name, uint64_t min, uint64_t max, uint64_t *out);
/* 4096, 64KiB, 8MiB, 2GiB, also 8M and 2G. */
CV_MUST_CHECK enum cv_err option_size(const struct context *ctx, const char *name, uint64_t *out);
/* An open descriptor; -1 if the option was not given. */
CV_MUST_CHECK enum cv_err option_fd(const struct context *ctx, const char *name, int *fd);
/* An id; `out` stays as it is if the option was not given. */
CV_MUST_CHECK enum cv_err option_id(
	const struct context *ctx, const char *name, char out[CV_ID_BUF]);
/* The argument at `index` as an id; `what` names it in the message. */
CV_MUST_CHECK enum cv_err arg_id(const struct context *ctx, size_t index, const char *what);

void options_print_help(const struct verb *verb);
/* Of all commands, or of those of one noun. */
void options_print_overview(const char *noun);
bool options_is_noun(const char *word);

/* Text for people on standard output; nothing under --json. */
void say(const struct context *ctx, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
