#include "fs/import_xattr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>

#include "fs/acl.h"
#include "fs/checkpoint.h"
#include "fs/why.h"
#include "host/file.h"
#include "protocol/crypto.h"

#define HOST_VALUE_MAX 65536

struct source {
	char path[64 + NAME_BYTES_MAX];
	char names[HOST_VALUE_MAX];
	uint8_t value[HOST_VALUE_MAX];
};

static bool starts(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* What a volume keeps; other namespaces are the host filesystem's own business. */
static bool wanted(const char *name)
{
	return starts(name, "user.") || starts(name, "trusted.") || starts(name, "security.") ||
	       strcmp(name, ACL_ACCESS) == 0 || strcmp(name, ACL_DEFAULT) == 0;
}

static enum cv_err put(
	struct volume *v, uint64_t object, const char *name, const uint8_t *value, size_t len)
{
	struct dir_name x = { name, strlen(name) };
	enum cv_err err = CV_ERR_INTERNAL;

	(void)pthread_mutex_lock(&v->lock);
	if (strcmp(name, ACL_ACCESS) == 0 || strcmp(name, ACL_DEFAULT) == 0)
		err = acl_set(v, object, strcmp(name, ACL_DEFAULT) == 0, value, len, true);
	else
		err = xattr_set(v, object, &x, value, len, 0);
	if (!err)
		err = checkpoint_if_due(v);
	(void)pthread_mutex_unlock(&v->lock);
	return err;
}

static enum cv_err copy_one(struct volume *v, struct source *s, const char *label, uint64_t object,
	const char *name, uint64_t *count, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	ssize_t n = lgetxattr(s->path, name, s->value, sizeof(s->value));

	/* gone meanwhile */
	if (n < 0 && errno == ENODATA)
		return CV_OK;
	if (n < 0)
		return why_set(why, file_error(errno), "import: %.100s: attribute %.60s: %s", label,
			name, strerror(errno));
	err = put(v, object, name, s->value, (size_t)n);
	crypto_wipe(s->value, (size_t)n);
	if (err)
		return why_set(why, err, "import: %.100s: attribute %.60s: %s", label, name,
			cv_err_text(err));
	(*count)++;
	return CV_OK;
}

enum cv_err import_xattrs(struct volume *v, int dir_fd, const char *name, uint64_t object,
	uint64_t *count, struct volume_why *why)
{
	enum cv_err err = CV_OK;
	struct source *s = malloc(sizeof(*s));
	ssize_t len;

	if (!s)
		return CV_ERR_MEMORY;
	/* by name, and not through a link: also of fifos and links, which cannot be opened */
	(void)snprintf(s->path, sizeof(s->path), "/proc/self/fd/%d/%s", dir_fd, name);
	len = llistxattr(s->path, s->names, sizeof(s->names));
	if (len < 0 && errno != ENOTSUP && errno != ENOSYS)
		err = why_set(why, file_error(errno), "import: %.100s: attributes: %s", name,
			strerror(errno));
	for (ssize_t at = 0; at < len && !err; at += (ssize_t)strlen(s->names + at) + 1)
		if (wanted(s->names + at))
			err = copy_one(v, s, name, object, s->names + at, count, why);
	free(s);
	return err;
}
