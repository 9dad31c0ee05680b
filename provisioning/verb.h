/*
 * A verb of `conclave`: what it is called, what it takes, what it does. verbs.c holds the table;
 * each verb has a file of its own, which defines the struct.
 *
 * Errors   run returns the result that becomes the exit code (host/exit_code.h) after printing its
 *          own line with log_error: the caller prints nothing more.
 * Output   text for people goes through say(), which is silent under --json; the members that a
 *          script wants go into context.result, printed as one object at the end.
 */
#ifndef CONCLAVE_PROVISIONING_VERB_H
#define CONCLAVE_PROVISIONING_VERB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "protocol/err.h"

#define VERB_OPTIONS_MAX 40
#define VERB_REPEAT_MAX 64
#define VERB_ARGS_MAX 2

enum option_kind {
	OPTION_FLAG,
	OPTION_TEXT,
	OPTION_LIST /* may be given several times */
};

struct option_spec {
	const char *name; /* without the dashes */
	enum option_kind kind;
	const char *value; /* what --help calls it; NULL for a flag */
	const char *help;
};

struct option_value {
	const char *text[VERB_REPEAT_MAX];
	size_t count;
};

struct verb;

struct context {
	const struct verb *verb;
	struct option_value common[8]; /* in the order of options.c's table */
	struct option_value values[VERB_OPTIONS_MAX];
	const char *args[VERB_ARGS_MAX];
	size_t arg_count;
	bool json;
	cJSON *result;
};

struct verb {
	const char *noun; /* "fleet"; NULL for a verb of one word */
	const char *name;
	const char *args; /* shown in the usage line, "" for none */
	size_t args_min, args_max;
	const char *summary;
	const struct option_spec *options;
	size_t option_count;
	enum cv_err (*run)(struct context *ctx);
};

/* NULL-terminated. */
extern const struct verb *const verbs[];

#endif
