/* What a container shows without any key, and a copy of its superblocks. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/slots.h"
#include "fs/why.h"
#include "host/file.h"

static enum cv_err read_slots(
	int *out, struct slots **slots, const char *path, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct volume_why inner = { "" };
	struct store_file file;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return why_set(why, file_error(errno), "%s: %s", path, strerror(errno));
	*slots = calloc(1, sizeof(**slots));
	if (!*slots) {
		(void)close(fd);
		return CV_ERR_MEMORY;
	}
	store_file_init(&file, fd);
	err = slots_read(*slots, &file.store, &inner);
	if (err) {
		(void)why_set(why, err, "%.100s: %s", path, inner.text);
		(void)close(fd);
		free(*slots);
		return err;
	}
	*out = fd;
	return CV_OK;
}

/* Looks a flock up in /proc/locks: trying the lock could make a real opener fail. */
static bool locked(int fd)
{
	bool found = false;
	char line[256];
	struct stat st;
	FILE *f;

	if (fstat(fd, &st))
		return false;
	f = fopen("/proc/locks", "re");
	while (f && !found && fgets(line, sizeof(line), f)) {
		unsigned long inode;
		unsigned major_number;
		unsigned minor_number;
		char kind[16];

		if (sscanf(line, "%*d: %15s %*s %*s %*d %x:%x:%lu", kind, &major_number,
			    &minor_number, &inode) == 4)
			found = strcmp(kind, "FLOCK") == 0 && inode == st.st_ino &&
				major_number == major(st.st_dev) &&
				minor_number == minor(st.st_dev);
	}
	if (f)
		(void)fclose(f);
	return found;
}

static void fill(struct volume_info *info, const struct slots *s, unsigned newest)
{
	const struct super_clear *c = &s->clear[newest];

	memset(info, 0, sizeof(*info));
	memcpy(info->volume_id, c->volume_id, sizeof(info->volume_id));
	info->version = c->version;
	info->generation = c->generation;
	info->size_bytes = c->blocks * BLOCK_BYTES;
	info->clean = !(c->features & FEATURE_LOG);
	for (unsigned i = 0; i < SUPER_SLOTS; i++)
		info->superblocks +=
			s->peek[i] == CV_OK && c->generation - s->clear[i].generation <= 1;
	for (unsigned i = 0; i < KEY_SLOTS; i++) {
		info->slots[i].kind = (enum volume_slot_kind)c->slots[i].kind;
		info->slots[i].epoch = c->slots[i].epoch;
		memcpy(info->slots[i].share_set_hash, c->slots[i].share_set_hash, CV_HASH_BYTES);
	}
}

enum cv_err volume_info(const char *path, struct volume_info *info, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct slots *slots = NULL;
	int fd = -1;

	err = read_slots(&fd, &slots, path, why);
	if (err)
		return err;
	fill(info, slots, slots_newest_unproven(slots));
	info->in_use = locked(fd);
	(void)close(fd);
	free(slots);
	return CV_OK;
}

enum cv_err volume_header_backup(const char *path, const char *backup, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct slots *slots = NULL;
	int fd = -1;

	err = read_slots(&fd, &slots, path, why);
	if (err)
		return err;
	/* read again under the lock: a checkpoint may have been on its way */
	if (flock(fd, LOCK_SH | LOCK_NB)) {
		err = why_set(why, CV_ERR_BUSY, "%s: in use by another process", path);
		goto out;
	}
	for (unsigned i = 0; i < SUPER_SLOTS; i++) {
		struct store_file file;

		store_file_init(&file, fd);
		err = store_read(&file.store, super_slot_block(i) * BLOCK_BYTES, slots->block[i],
			BLOCK_BYTES);
		if (err) {
			(void)why_set(why, err, "%s: superblock %u cannot be read", path, i);
			goto out;
		}
	}
	err = file_write_new(backup, slots->block, sizeof(slots->block), 0600);
	if (err)
		(void)why_set(why, err, "%.120s: %s", backup, cv_err_text(err));
out:
	(void)close(fd);
	free(slots);
	return err;
}
