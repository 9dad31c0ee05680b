/*
 * A volume from the command line, for the tests of fs/ alone: the 32 bytes of the key come on
 * standard input. test_fs_mount.py and test_volume_reader.py build it.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/checkpoint.h"
#include "fs/data.h"
#include "fs/dir.h"
#include "fs/volume.h"
#include "host/exit_code.h"
#include "host/secret.h"
#include "protocol/crypto.h"

static int finish(enum cv_err err, const struct volume_why *why)
{
	if (err)
		fprintf(stderr, "fs_tool: %s (%s)\n", why->text, cv_err_text(err));
	return exit_code_of(err);
}

static int create(const uint8_t *key, char **argv)
{
	uint8_t recovery[VOLUME_RECOVERY_BYTES];
	struct volume_why why = { "" };
	struct volume_create_options o = { .size_bytes = strtoull(argv[3], NULL, 10),
		.unlock_secret = key,
		.epoch = 1,
		.recovery_code = recovery };

	memset(recovery, 0x77, sizeof(recovery));
	memset(o.volume_id, 0xab, sizeof(o.volume_id));
	memset(o.share_set_hash, 0xcd, sizeof(o.share_set_hash));
	return finish(volume_create(argv[2], &o, &why), &why);
}

static enum cv_err import(struct volume *v, char **argv, struct volume_why *why)
{
	struct volume_import_report r;
	enum cv_err err = volume_import(v, argv[3], "/", NULL, NULL, &r, why);

	if (!err)
		printf("files=%" PRIu64 " dirs=%" PRIu64 " symlinks=%" PRIu64 " links=%" PRIu64
		       " bytes=%" PRIu64 "\n",
			r.files, r.dirs, r.symlinks, r.links, r.bytes);
	return err;
}

static enum cv_err check(struct volume *v)
{
	struct volume_check_report r;
	enum cv_err err = volume_check(v, NULL, NULL, &r);

	if (err)
		return err;
	printf("problems=%" PRIu64 " files=%" PRIu64 " orphans=%" PRIu64 "\n", r.problems, r.files,
		r.orphans);
	for (unsigned i = 0; i < r.first_count; i++)
		printf("%s\n", r.first[i]);
	return r.problems ? CV_ERR_TAMPERED : CV_OK;
}

/* Files, two syncs and no end: the process leaves as if it had been killed. */
static enum cv_err unclean(struct volume *v)
{
	enum cv_err err = CV_OK;

	for (unsigned i = 0; i < 8 && !err; i++) {
		struct dir_new new = { .mode = S_IFREG | 0644 };
		uint8_t data[5000] = { (uint8_t)i };
		char text[4] = { 'f', (char)('0' + i) };
		struct dir_name name = { text, 2 };
		uint64_t object;
		size_t done;

		err = dir_create(v, OBJECT_ROOT, &name, &new, &object);
		if (!err)
			err = data_write(v, object, 0, data, sizeof(data), &done);
		if (!err && i % 3 == 2)
			err = volume_sync(v);
	}
	if (!err)
		_exit(0);
	return err;
}

/* Unlinked and not freed, with a checkpoint that says so; then it leaves as if killed. */
static enum cv_err orphans(struct volume *v)
{
	static const char *const names[] = { "f0", "f1", "f2" };
	uint8_t data[10000] = { 1 };
	enum cv_err err = CV_OK;

	for (unsigned i = 0; i < 3 && !err; i++) {
		struct dir_new new = { .mode = S_IFREG | 0644 };
		struct dir_name name = { names[i], 2 };
		uint64_t object;
		uint64_t gone;
		size_t done;

		err = dir_create(v, OBJECT_ROOT, &name, &new, &object);
		if (!err)
			err = data_write(v, object, 0, data, sizeof(data) / (i + 1), &done);
		if (!err && i < 2)
			err = dir_unlink(v, OBJECT_ROOT, &name, &gone);
	}
	if (!err)
		err = checkpoint_run(v, SUPER_OPEN);
	if (!err)
		_exit(0);
	return err;
}

static int work(const uint8_t *key, int argc, char **argv)
{
	bool writes = strcmp(argv[1], "import") == 0 || strcmp(argv[1], "unclean") == 0 ||
		      strcmp(argv[1], "orphans") == 0;
	struct volume_open_options o = { .secret = key, .read_only = !writes };
	struct volume_why why = { "" };
	enum cv_err closed;
	struct volume *v;
	enum cv_err err = volume_open(&v, argv[2], &o, &why);

	if (err)
		return finish(err, &why);
	if (writes && argc == 4)
		err = import(v, argv, &why);
	else if (strcmp(argv[1], "unclean") == 0)
		err = unclean(v);
	else if (strcmp(argv[1], "orphans") == 0)
		err = orphans(v);
	else if (strcmp(argv[1], "cat") == 0 && argc == 4)
		err = volume_export(v, argv[3], STDOUT_FILENO);
	else if (strcmp(argv[1], "check") == 0)
		err = check(v);
	else
		err = CV_ERR_ARGUMENT;
	closed = volume_close(v);
	return finish(err ? err : closed, &why);
}

int main(int argc, char **argv)
{
	uint8_t key[CV_SECRET_BYTES];

	if (argc < 3 || secret_process_init() != CV_OK || crypto_init() != CV_OK)
		return 2;
	if (read(STDIN_FILENO, key, sizeof(key)) != (ssize_t)sizeof(key))
		return 2;
	if (strcmp(argv[1], "create") == 0 && argc == 4)
		return create(key, argv);
	return work(key, argc, argv);
}
