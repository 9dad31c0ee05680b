#include "device/enroll_online.h"

#include <stdlib.h>

#include "device/secret_line.h"
#include "host/clock.h"
#include "host/log.h"
#include "host/psk_link.h"
#include "host/secret.h"

struct ticket {
	char text[PSK_LINK_TOKEN_BUF + 2]; /* and a line's end */
	char address[PSK_LINK_ADDRESS_BUF];
	uint8_t key[PSK_LINK_KEY_BYTES];
};

static enum cv_err come(struct psk_link **link, int token_fd)
{
	struct ticket *t = secret_alloc(sizeof(*t));
	enum cv_err err = CV_ERR_MEMORY;

	if (t == NULL) {
		log_error("memory: %s", secret_last_error());
		return err;
	}
	err = secret_line_read(t->text, sizeof(t->text), token_fd, "One-time token");
	if (err == CV_OK)
		err = psk_link_token_decode(t->address, t->key, t->text);
	if (err != CV_OK) {
		log_error("token: %s: not what `conclave device add --tpm --listen` printed",
			cv_err_text(err));
		err = CV_ERR_CONFIG;
		goto out;
	}
	err = psk_link_connect(
		link, t->address, t->key, clock_monotonic_ms() + ENROLL_CONNECT_MS);
	if (err == CV_ERR_SEAL)
		log_error("operator at %s: does not know this token: is it void?", t->address);
	else if (err != CV_OK)
		log_error("operator at %s: %s", t->address, cv_err_text(err));
	if (err == CV_ERR_SEAL)
		err = CV_ERR_DENIED;
out:
	secret_free(t);
	return err;
}

static enum cv_err send(struct psk_link *link, const char *what, const struct enroll_text *t)
{
	enum cv_err err =
		psk_link_send(link, t->text, t->len, clock_monotonic_ms() + ENROLL_ANSWER_MS);

	if (err != CV_OK)
		log_error("%s: %s", what, cv_err_text(err));
	return err;
}

static enum cv_err await(struct psk_link *link, const char *what, void *out, size_t cap,
	size_t *len, uint64_t wait_ms)
{
	enum cv_err err =
		psk_link_receive(link, out, cap, len, clock_monotonic_ms() + wait_ms);

	if (err == CV_ERR_UNREACHABLE || err == CV_ERR_SEAL) {
		log_error("%s: the operator's end hung up: it says there why", what);
		return CV_ERR_DENIED;
	}
	if (err != CV_OK)
		log_error("%s: %s", what, cv_err_text(err));
	return err;
}

static enum cv_err prove(struct psk_link *link, const struct enroll_options *o)
{
	struct enroll_text request = {.len = 0}, challenge = {.len = 0}, response = {.len = 0};
	enum cv_err err = enroll_request(o, &request);

	if (err == CV_OK)
		err = send(link, "request", &request);
	if (err == CV_OK)
		err = await(link, "request", challenge.text, ENROL_TPM_TEXT_MAX, &challenge.len,
			ENROLL_ANSWER_MS);
	if (err == CV_OK) {
		challenge.text[challenge.len] = '\0';
		err = enroll_respond(o, &challenge, &response);
	}
	return err == CV_OK ? send(link, "response", &response) : err;
}

static enum cv_err take_bundle(struct psk_link *link, const char *state_dir)
{
	char path[FILE_PATH_BUF];
	uint8_t *data = malloc(BUNDLE_MAX);
	size_t len = 0;
	enum cv_err err = data != NULL ? enroll_bundle_path(state_dir, path) : CV_ERR_MEMORY;

	if (err == CV_OK)
		err = await(link, "bundle", data, BUNDLE_MAX, &len, ENROLL_BUNDLE_MS);
	if (err == CV_OK) {
		err = file_write_atomic(path, data, len, 0600);
		if (err != CV_OK)
			log_error("%s: %s", path, cv_err_text(err));
	}
	free(data);
	return err;
}

enum cv_err enroll_online(const struct enroll_options *o, int token_fd)
{
	struct psk_link *link = NULL;
	enum cv_err err = come(&link, token_fd);

	if (err == CV_OK)
		err = prove(link, o);
	if (err == CV_OK)
		err = take_bundle(link, o->state_dir);
	psk_link_close(link);
	return err;
}
