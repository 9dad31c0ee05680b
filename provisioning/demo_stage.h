/*
 * The stage of `conclave demo`: a fresh private directory, the real programs run in it as child
 * processes, and an end that leaves nothing behind, also after ^C and after a failure.
 *
 * Output of the programs goes to DIR/log; when one fails unexpectedly, its last lines are shown.
 * Orphans of children come to this process (PR_SET_CHILD_SUBREAPER), so that the end finds them.
 */
#ifndef CONCLAVE_PROVISIONING_DEMO_STAGE_H
#define CONCLAVE_PROVISIONING_DEMO_STAGE_H

#include "host/file.h"
#include "host/process.h"
#include "provisioning/verb.h"

#define DEMO_GATEWAYS 3
#define DEMO_ADDRESS_BUF 64
#define DEMO_SECRET_BUF 128 /* a passphrase or code on a pipe */

struct demo_gateway {
	struct process process; /* pid 0: not running */
	char id[16];
	char devices[DEMO_ADDRESS_BUF];	  /* "127.0.0.1:0" until it said where it listens */
	char operators[DEMO_ADDRESS_BUF];
};

struct demo_stage {
	struct context *ctx;
	char dir[FILE_PATH_BUF]; /* "": not made */
	char conclave[FILE_PATH_BUF];
	char gateway[FILE_PATH_BUF];
	char device[FILE_PATH_BUF];
	char mcu[FILE_PATH_BUF]; /* "": not there */
	int log_fd;
	struct demo_gateway gateways[DEMO_GATEWAYS];
};

/* A program, its arguments (NULL-terminated, without the program) and what it inherits. */
struct demo_command {
	const char *program;
	const char *const *args;
	int secret_in;	    /* descriptor to hand on as number 3, or -1 */
	int secret_out[2];  /* descriptors to hand on as 4 and 5, or -1 */
	int timeout_ms;
};

/* Finds the programs, makes the directory, catches signals. */
CV_MUST_CHECK enum cv_err demo_stage_open(struct demo_stage *s, struct context *ctx);
/* Unmounts, ends every process, removes the directory. */
void demo_stage_close(struct demo_stage *s);
bool demo_stopped(void);

/* DIR/name */
CV_MUST_CHECK enum cv_err demo_path(
	const struct demo_stage *s, char out[FILE_PATH_BUF], const char *name);

/* Runs to the end; *code is its exit code. */
CV_MUST_CHECK enum cv_err demo_run(
	struct demo_stage *s, const struct demo_command *command, int *code);
/* The same for a command that must exit with `wanted`; else says so and shows its last lines. */
CV_MUST_CHECK enum cv_err demo_expect(
	struct demo_stage *s, const struct demo_command *command, int wanted);
/* A plain command without secrets that must succeed within a minute. */
CV_MUST_CHECK enum cv_err demo_do(
	struct demo_stage *s, const char *program, const char *const *args);
/* Starts the gateway with the addresses it had, and waits for its ready line. */
CV_MUST_CHECK enum cv_err demo_gateway_start(struct demo_stage *s, struct demo_gateway *g);
CV_MUST_CHECK enum cv_err demo_gateway_stop(struct demo_stage *s, struct demo_gateway *g);
/* Member `name` of the one JSON object or of the last line "name value" in DIR/file. */
CV_MUST_CHECK enum cv_err demo_find_word(const struct demo_stage *s, const char *file,
	const char *word, char *out, size_t cap);

#endif
