#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/enroll.h"
#include "device/identity.h"
#include "device/install.h"
#include "device/options.h"
#include "device/secret_line.h"
#include "device/settings.h"
#include "device/verb.h"
#include "host/bundle.h"
#include "host/exit_code.h"
#include "host/file.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/crypto.h"

#define USAGE "install BUNDLE [--passphrase-fd N] [--state DIR] [--force]"
#define PHRASE_MAX 128
#define LAST_FILE "mac.root"
#define TURNS 3 /* public files, secret ones, mac.root */

/* What a bundle may bring, name for name (docs/protocol.md section 11). */
struct bundle_rule {
	const char *name;
	mode_t mode;
	bool required;
};

static const struct bundle_rule rules[] = {
	{ "device.json", 0644, true },	{ "gateways.json", 0644, true },
	{ "share-set.jws", 0644, true }, { "roots/fleet.pub", 0644, true },
	{ "roots/tls.pem", 0644, true }, { LAST_FILE, 0600, true },
	{ "attest.key", 0600, true },	{ "settings.sealed", 0644, false },
	{ TPM_STATE_NAME, 0600, false },
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

static const struct bundle_rule *rule_of(const char *name)
{
	for (size_t i = 0; i < RULES; i++)
		if (strcmp(rules[i].name, name) == 0)
			return &rules[i];
	return NULL;
}

static enum cv_err check_names(const struct bundle *b, const char *path)
{
	for (size_t i = 0; i < b->count; i++)
		if (rule_of(b->files[i].name) == NULL) {
			log_error("%s: holds a file that does not belong in it: %s", path,
				b->files[i].name);
			return CV_ERR_FORMAT;
		}
	for (size_t i = 0; i < RULES; i++)
		if (rules[i].required && bundle_find(b, rules[i].name) == NULL) {
			log_error("%s: lacks %s", path, rules[i].name);
			return CV_ERR_FORMAT;
		}
	return CV_OK;
}

/* From whoever types it, or from the TPM that proved itself to the operator. */
static enum cv_err find_passphrase(char *phrase, const struct options *o)
{
	struct enroll_options e = { .state_dir = o->state_dir };
	struct settings s;
	enum cv_err err;

	if (o->passphrase_fd >= 0) {
		err = secret_line_read(
			phrase, PHRASE_MAX, o->passphrase_fd, "Passphrase of the bundle");
		if (err != CV_OK)
			log_error("passphrase: %s", cv_err_text(err));
		return err;
	}
	err = settings_load(&s, o);
	e.tcti = s.tcti;
	return err == CV_OK ? enroll_passphrase(&e, phrase) : err;
}

/* The keys of a TPM's enrolment never travelled: they are here already. */
static enum cv_err add_own_files(struct bundle *b, const char *path, const struct options *o)
{
	if (bundle_find(b, TPM_STATE_NAME) != NULL) {
		log_error("%s: holds a file that does not belong in it: %s", path, TPM_STATE_NAME);
		return CV_ERR_FORMAT;
	}
	return o->passphrase_fd >= 0 ? CV_OK : enroll_add_files(o->state_dir, b);
}

static enum cv_err open_bundle(struct bundle *b, const char *path, const struct options *o)
{
	char *phrase = secret_alloc(PHRASE_MAX);
	uint8_t *data = NULL;
	size_t len = 0;
	enum cv_err err = CV_ERR_MEMORY;

	if (phrase == NULL) {
		log_error("memory: %s", secret_last_error());
		return err;
	}
	err = file_read(&data, &len, path, BUNDLE_MAX);
	if (err != CV_OK) {
		log_error("%s: %s", path, cv_err_text(err));
		goto out;
	}
	err = find_passphrase(phrase, o);
	if (err != CV_OK)
		goto out;
	err = bundle_open(b, data, len, phrase);
	if (err == CV_ERR_SEAL && o->passphrase_fd < 0)
		log_error("%s: not made for this device's last enrolment, or the file was changed",
			path);
	else if (err == CV_ERR_SEAL)
		log_error("%s: wrong passphrase, or the file was changed", path);
	else if (err == CV_ERR_ARGUMENT)
		log_error("passphrase: not of the form XXXXX-XXXXX-XXXXX-XXXXX-XXXXXX");
	else if (err == CV_ERR_FORMAT)
		log_error("%s: not a device bundle", path);
	else if (err != CV_OK)
		log_error("%s: %s", path, cv_err_text(err));
	if (err == CV_OK)
		err = add_own_files(b, path, o);
	if (err == CV_OK)
		err = check_names(b, path);
out:
	free(data);
	secret_free(phrase);
	return err;
}

/*
 * The secrets go last, of them mac.root, and the check comes after all: a state directory without
 * mac.root is not installed, so a crash in between leaves nothing that looks complete.
 */
static int turn_of(const char *name)
{
	if (strcmp(name, LAST_FILE) == 0)
		return TURNS - 1;
	return rule_of(name)->mode == 0600 ? 1 : 0;
}

static enum cv_err write_files(const struct bundle *b, const char *dir, int turn)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = CV_OK;

	for (size_t i = 0; i < b->count && err == CV_OK; i++) {
		const struct bundle_file *f = &b->files[i];

		if (turn_of(f->name) != turn)
			continue;
		err = file_path_join(path, sizeof(path), dir, f->name);
		if (err == CV_OK)
			err = file_write_atomic(path, f->data, f->len, rule_of(f->name)->mode);
		if (err != CV_OK)
			log_error("%s: %s", path, cv_err_text(err));
	}
	return err;
}

static enum cv_err make_directories(const char *dir)
{
	char roots[FILE_PATH_BUF];
	enum cv_err err = file_make_dir(dir, 0700);

	if (err == CV_OK)
		err = file_check_private_dir(dir);
	if (err == CV_OK)
		err = file_path_join(roots, sizeof(roots), dir, "roots");
	if (err == CV_OK)
		err = file_make_dir(roots, 0700);
	if (err != CV_OK)
		log_error("state directory %s: %s", dir, cv_err_text(err));
	return err;
}

enum cv_err install_allowed(const struct options *o)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = file_path_join(path, sizeof(path), o->state_dir, LAST_FILE);

	if (err == CV_OK && file_exists(path) && !o->force) {
		log_error("%s: holds a device already: --force replaces it for good", o->state_dir);
		err = CV_ERR_EXISTS;
	}
	return err;
}

static enum cv_err install(const struct bundle *b, const struct options *o)
{
	const char *dir = o->state_dir;
	struct identity *id = NULL;
	enum cv_err err = install_allowed(o);

	if (err == CV_OK)
		err = make_directories(dir);
	for (int turn = 0; turn < TURNS && err == CV_OK; turn++)
		err = write_files(b, dir, turn);
	if (err != CV_OK)
		return err;
	id = secret_alloc(sizeof(*id));
	if (id == NULL) {
		log_error("memory: %s", secret_last_error());
		return CV_ERR_MEMORY;
	}
	err = identity_load(id, dir);
	if (err == CV_OK)
		printf("installed device %s of fleet %s in %s: %u of %u gateways unlock it\n",
			id->device, id->fleet, dir, id->share_set.threshold, id->share_set.count);
	secret_free(id);
	return err;
}

enum cv_err install_bundle(const struct options *o, const char *path)
{
	struct bundle b = { .count = 0 };
	enum cv_err err = open_bundle(&b, path, o);

	if (err == CV_OK)
		err = install(&b, o);
	bundle_wipe(&b);
	if (err == CV_OK && o->passphrase_fd < 0)
		err = enroll_forget(o->state_dir);
	return err;
}

int verb_install(int argc, char **argv)
{
	struct options o;
	bool help;
	enum cv_err err = options_parse(
		&o, argc, argv, OPTION_PASSPHRASE_FD | OPTION_FORCE, USAGE, &help);

	if (help)
		return EXIT_CODE_OK;
	if (err == CV_OK && o.word_count != 1) {
		log_error("install: usage: conclave-device %s", USAGE);
		err = CV_ERR_ARGUMENT;
	}
	if (err == CV_OK && o.passphrase_fd < 0 && !enroll_is_pending(o.state_dir)) {
		log_error("install: no enrolment of a TPM is pending in %s: give the bundle's "
			  "passphrase with --passphrase-fd N",
			o.state_dir);
		err = CV_ERR_ARGUMENT;
	}
	if (err != CV_OK)
		return EXIT_CODE_USAGE;
	err = crypto_init();
	if (err == CV_OK)
		err = install_bundle(&o, o.words[0]);
	if (err == CV_ERR_ARGUMENT || err == CV_ERR_FORMAT || err == CV_ERR_SEAL)
		return EXIT_CODE_CONFIG;
	return exit_code_of(err);
}
