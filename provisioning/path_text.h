/* File names of a volume for a terminal or a JSON document: they may hold any byte. */
#ifndef CONCLAVE_PROVISIONING_PATH_TEXT_H
#define CONCLAVE_PROVISIONING_PATH_TEXT_H

#include <stddef.h>

#include "provisioning/verb.h"

/*
 * A line for people (not under --json) and a member of `list` (NULL: none): something is wrong with
 * `path`, "" being the volume as a whole. The member, or NULL.
 */
cJSON *problem_add(const struct context *ctx, cJSON *list, const char *path, const char *what);

#endif
