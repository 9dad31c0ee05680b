#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/enroll_online.h"
#include "device/install.h"
#include "device/options.h"
#include "device/settings.h"
#include "device/verb.h"
#include "host/exit_code.h"
#include "host/log.h"
#include "protocol/crypto.h"

#define USAGE                                                                                      \
	"enroll --request FILE [--ek ecc|rsa] [--ek-certificate FILE]\n"                           \
	"       conclave-device enroll --challenge FILE --response FILE\n"                        \
	"       conclave-device enroll --token-fd N [--ek ecc|rsa] [--ek-certificate FILE] [--force]"

static enum cv_err write_text(const char *path, const struct enroll_text *t)
{
	enum cv_err err = file_write_atomic(path, t->text, t->len, 0644);

	if (err != CV_OK)
		log_error("%s: %s", path, cv_err_text(err));
	return err;
}

static enum cv_err read_text(const char *path, struct enroll_text *t)
{
	uint8_t *data = NULL;
	enum cv_err err = file_read(&data, &t->len, path, ENROL_TPM_TEXT_MAX);

	if (err != CV_OK) {
		log_error("%s: %s", path, cv_err_text(err));
		return err == CV_ERR_TOO_LONG ? CV_ERR_CONFIG : err;
	}
	memcpy(t->text, data, t->len + 1);
	free(data);
	return CV_OK;
}

static enum cv_err request(const struct options *o, const struct enroll_options *e)
{
	struct enroll_text text = {.len = 0};
	enum cv_err err = enroll_request(e, &text);

	if (err == CV_OK)
		err = write_text(o->request_file, &text);
	if (err == CV_OK)
		printf("request %s: take it to the operator: `conclave device add|reenroll ID --tpm "
		       "--request FILE --challenge FILE`\n",
			o->request_file);
	return err;
}

static enum cv_err respond(const struct options *o, const struct enroll_options *e)
{
	struct enroll_text challenge = {.len = 0}, response = {.len = 0};
	enum cv_err err = read_text(o->challenge_file, &challenge);

	if (err == CV_OK)
		err = enroll_respond(e, &challenge, &response);
	if (err == CV_OK)
		err = write_text(o->response_file, &response);
	if (err == CV_OK)
		printf("response %s: take it to the operator: `conclave device add|reenroll ID --tpm "
		       "--response FILE ...`, and bring back the bundle for `conclave-device "
		       "install`\n",
			o->response_file);
	return err;
}

static enum cv_err online(const struct options *o, const struct enroll_options *e)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = install_allowed(o);

	if (err == CV_OK)
		err = enroll_online(e, o->token_fd);
	if (err == CV_OK)
		err = enroll_bundle_path(o->state_dir, path);
	return err == CV_OK ? install_bundle(o, path) : err;
}

/* Which of the ways is meant; NULL if none or several are. */
static enum cv_err (*choose(const struct options *o))(
	const struct options *, const struct enroll_options *)
{
	const bool asks = o->request_file != NULL;
	const bool answers = o->challenge_file != NULL && o->response_file != NULL;
	const bool half = (o->challenge_file != NULL) != (o->response_file != NULL);
	const bool key = o->ek_kind != NULL || o->ek_certificate_file != NULL;

	const bool calls = o->token_fd >= 0;

	if (half || asks + answers + calls != 1 || (key && answers) || (o->force && !calls))
		return NULL;
	if (calls)
		return online;
	return asks ? request : respond;
}

static int run(const struct options *o)
{
	enum cv_err (*way)(const struct options *, const struct enroll_options *) = choose(o);
	struct enroll_options e = {.state_dir = o->state_dir,
		.ek_kind = o->ek_kind,
		.certificate_file = o->ek_certificate_file};
	struct settings s;
	enum cv_err err;

	if (way == NULL || o->word_count != 0) {
		log_error("enroll: usage: conclave-device %s", USAGE);
		return EXIT_CODE_USAGE;
	}
	err = crypto_init();
	if (err == CV_OK)
		err = settings_load(&s, o);
	if (err != CV_OK)
		return exit_code_of(err);
	e.tcti = s.tcti;
	err = way(o, &e);
	return err == CV_ERR_MISMATCH ? EXIT_CODE_CONFIG : exit_code_of(err);
}

int verb_enroll(int argc, char **argv)
{
	struct options o;
	bool help;
	enum cv_err err = options_parse(&o, argc, argv, OPTION_ENROLL | OPTION_FORCE, USAGE, &help);

	if (help)
		return EXIT_CODE_OK;
	return err == CV_OK ? run(&o) : EXIT_CODE_USAGE;
}
