/* Inside the decoder of a group's policy. Not for other modules. */
#ifndef CONCLAVE_PROTOCOL_GROUP_READ_H
#define CONCLAVE_PROTOCOL_GROUP_READ_H

#include "protocol/group.h"

struct cJSON;

struct group_reader {
	const struct cJSON *tree;
	char *problem; /* may be NULL */
	size_t cap;
};

/* "section: what" into the problem; returns err. */
CV_MUST_CHECK enum cv_err group_complain(const struct group_reader *r, enum cv_err err,
	const char *section, const char *what);
/* group.c: everything but v, fleet, group and rules. */
CV_MUST_CHECK enum cv_err group_read_sections(
	const struct group_reader *r, struct group_policy *p);

#endif
