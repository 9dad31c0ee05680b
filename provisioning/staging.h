/*
 * A directory that appears at once or not at all: it is filled under a hidden name beside its
 * place, and renamed when everything in it is durable. What a crash leaves under the hidden name
 * is removed by the next staging_begin for the same place.
 */
#ifndef CONCLAVE_PROVISIONING_STAGING_H
#define CONCLAVE_PROVISIONING_STAGING_H

#include "host/file.h"

struct staging {
	char place[FILE_PATH_BUF];
	char dir[FILE_PATH_BUF]; /* fill this; "" when none is open */
};

/* CV_ERR_EXISTS if `place` is there and is not an empty directory. */
CV_MUST_CHECK enum cv_err staging_begin(struct staging *s, const char *place);
CV_MUST_CHECK enum cv_err staging_path(
	const struct staging *s, char out[FILE_PATH_BUF], const char *name);
CV_MUST_CHECK enum cv_err staging_make_dir(const struct staging *s, const char *name);
/* For a place that is taken: its directory stays in use until the commit. */
CV_MUST_CHECK enum cv_err staging_begin_over(struct staging *s, const char *place);
/* Durable and in place on CV_OK. */
CV_MUST_CHECK enum cv_err staging_commit(struct staging *s);
/*
 * The same over what is in place, by exchanging both names at once. What was there is kept as
 * `.NAME.replaced` beside it; one that was replaced before goes.
 */
CV_MUST_CHECK enum cv_err staging_commit_over(struct staging *s);
/* Removes what was filled; does nothing after a commit. */
void staging_abort(struct staging *s);

/* Removes a directory and all below it, without following links. */
CV_MUST_CHECK enum cv_err staging_remove_tree(const char *path);

#endif
