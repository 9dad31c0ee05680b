/* One line that explains a refusal: what, who, why. */
#ifndef CONCLAVE_FS_WHY_H
#define CONCLAVE_FS_WHY_H

#include "fs/volume.h"

/* Sets the text (NULL is allowed) and returns `err`, so that a caller may return it at once. */
__attribute__((format(printf, 3, 4))) enum cv_err why_set(
	struct volume_why *why, enum cv_err err, const char *format, ...);

#endif
