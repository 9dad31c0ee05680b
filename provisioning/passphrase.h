/*
 * The passphrase that protects an operator's keys: from --passphrase-fd, from the file that
 * $CONCLAVE_PASSPHRASE_FILE names, or from a prompt on the terminal. Asked for once per run, and
 * only when a sealed key file is met.
 */
#ifndef CONCLAVE_PROVISIONING_PASSPHRASE_H
#define CONCLAVE_PROVISIONING_PASSPHRASE_H

#include "provisioning/verb.h"

#define PASSPHRASE_MIN 8
#define PASSPHRASE_MAX 255

struct passphrase {
	char *text; /* secret_alloc; NULL until it was needed */
};

/*
 * `fd_option` names the option that may carry a descriptor; `what` says in the prompt whose it is;
 * `fresh` asks twice and checks the length. Prints its line on failure: CV_ERR_CONFIG if there is
 * no source, CV_ERR_RANGE for a length out of bounds.
 */
CV_MUST_CHECK enum cv_err passphrase_need(struct passphrase *p, const struct context *ctx,
	const char *fd_option, const char *what, bool fresh);
void passphrase_wipe(struct passphrase *p);

#endif
