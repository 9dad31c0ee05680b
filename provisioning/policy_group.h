/*
 * Policies of groups on the operator's side: files with the JSON or with the signed text.
 *
 * Errors print their line.
 */
#ifndef CONCLAVE_PROVISIONING_POLICY_GROUP_H
#define CONCLAVE_PROVISIONING_POLICY_GROUP_H

#include "protocol/group.h"
#include "provisioning/fleet.h"

#define POLICY_SECOND_SUFFIX ".second"

struct policy_file {
	char *json;	   /* compact; malloc'ed */
	size_t json_len;
	char *text;	   /* the signed text, malloc'ed; NULL for a file with the JSON only */
	size_t text_len;
	struct opcert signer; /* with text */
	char fleet[CV_ID_BUF];
	char group[CV_ID_BUF];
	uint64_t version;
};

/* Is this a file with a group's policy (JSON or signed) and not a device's? False if unreadable. */
bool policy_is_group(const char *path);
/*
 * Reads and lints. A signed file is verified against the fleet's root; `fleet` may be NULL for one
 * with the JSON only. CV_ERR_CONFIG for what is no policy.
 */
CV_MUST_CHECK enum cv_err policy_group_read(
	struct policy_file *file, const char *path, const struct fleet *fleet);
/* The same for a signed text that a gateway sent; `what` names it in the message. */
CV_MUST_CHECK enum cv_err policy_group_text(struct policy_file *file, const char *what,
	const char *text, size_t len, const struct fleet *fleet);
void policy_group_free(struct policy_file *file);

#endif
