/*
 * The first policy of a device: a file as it is, or the plain one with what the command line adds.
 * Prints its lines.
 */
#ifndef CONCLAVE_PROVISIONING_POLICY_BUILD_H
#define CONCLAVE_PROVISIONING_POLICY_BUILD_H

#include "protocol/limits.h"
#include "provisioning/verb.h"

#define POLICY_OPTIONS                                                                             \
	{"group", OPTION_TEXT, "ID", "the group of devices whose policy holds for it as well"},    \
		{"policy", OPTION_TEXT, "FILE", "the whole policy (then none of the next ones)"},  \
		{"measure", OPTION_LIST, "NAME=HEX", "demand this measurement (SHA-256)"},         \
		{"region", OPTION_LIST, "NAME", "demand one of these regions"},                    \
		{"state", OPTION_LIST, "NAME", "demand one of these states"},                      \
		{"city", OPTION_LIST, "NAME", "demand one of these cities"},                       \
		{"lease", OPTION_TEXT, "SECONDS", "how long an unlock holds (0: without end)"},    \
		{"max-boot-keys", OPTION_TEXT, "N", "unlock keys allowed in one boot (3)"},        \
	{                                                                                          \
		"reveal-reason", OPTION_FLAG, NULL, "let gateways tell the device why they refuse" \
	}

/* JSON text that passes the lint; *len without the NUL. */
CV_MUST_CHECK enum cv_err policy_build(
	const struct context *ctx, char out[CV_POLICY_MAX + 1], size_t *len);

/*
 * If `text` is not JSON as the scanner takes it: says so with line and column of `what`, and
 * returns CV_ERR_CONFIG.
 */
CV_MUST_CHECK enum cv_err policy_check_json(
	const char *what, const char *text, size_t len, size_t max);

/*
 * Reads and lints a policy file, then writes it compactly. *version is its policy_version.
 * CV_ERR_CONFIG, with the line printed, if it is not a policy or would refuse everything.
 */
CV_MUST_CHECK enum cv_err policy_file_read(
	const char *path, char out[CV_POLICY_MAX + 1], size_t *len, uint64_t *version);

#endif
