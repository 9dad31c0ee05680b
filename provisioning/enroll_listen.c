#include "provisioning/enroll_listen.h"

#include <stdlib.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/crypto.h"
#include "provisioning/options.h"
#include "provisioning/volume_key.h"

struct door {
	uint8_t key[PSK_LINK_KEY_BYTES];
	char token[PSK_LINK_TOKEN_BUF];
	char bound[PSK_LINK_ADDRESS_BUF];
};

static enum cv_err open_door(struct door *d, int *fd, struct context *ctx, const char *address)
{
	enum cv_err err;

	if (ctx->json && option_text(ctx, "token-out-fd") == NULL) {
		log_error("--listen: with --json the token needs --token-out-fd N: the object "
			  "comes at the end");
		return CV_ERR_ARGUMENT;
	}
	err = psk_link_listen(fd, d->bound, address);
	if (err != CV_OK) {
		log_error("--listen: %s: %s", address,
			err == CV_ERR_ARGUMENT ? "not HOST:PORT of this machine"
					       : cv_err_text(err));
		return err == CV_ERR_UNREACHABLE ? CV_ERR_CONFIG : err;
	}
	err = crypto_random(d->key, sizeof(d->key));
	if (err == CV_OK)
		err = psk_link_token_encode(d->token, d->bound, d->key);
	if (err == CV_OK)
		err = secret_text_show(ctx, "token-out-fd", "token",
			"one-time token, for `conclave-device enroll --token-fd 0`  ", d->token);
	return err;
}

/* The first caller who has the token; others cost no more than their own connection. */
static enum cv_err await_device(struct psk_link **link, const struct door *d, int fd,
	const char *device, uint64_t deadline_ms)
{
	enum cv_err err = CV_ERR_SEAL;

	for (int i = 0; i < ENROLL_STRANGERS_MAX && err == CV_ERR_SEAL; i++) {
		err = psk_link_accept(link, fd, d->key, deadline_ms, ENROLL_HANDSHAKE_MS);
		if (err == CV_ERR_SEAL)
			log_warning(
				"device %s: somebody without the token called: ignored", device);
	}
	if (err == CV_ERR_TIMEOUT)
		log_error("device %s: it did not come within %d s: the token is void", device,
			ENROLL_LISTEN_MS / 1000);
	else if (err == CV_ERR_SEAL)
		log_error("device %s: too many callers without the token: it is void", device);
	else if (err != CV_OK)
		log_error("device %s: --listen: %s", device, cv_err_text(err));
	return err == CV_ERR_SEAL ? CV_ERR_DENIED : err;
}

static enum cv_err hear(struct psk_link *link, const char *device, const char *what,
	struct enroll_text *out, uint64_t deadline_ms)
{
	enum cv_err err =
		psk_link_receive(link, out->text, ENROL_TPM_TEXT_MAX, &out->len, deadline_ms);

	if (err != CV_OK) {
		log_error("device %s: %s: %s: it says why", device, what, cv_err_text(err));
		return err;
	}
	out->text[out->len] = '\0';
	return CV_OK;
}

static enum cv_err converse(struct psk_link *link, const struct enroll_case *c,
	struct enroll_proof *proof, uint64_t deadline_ms)
{
	struct enroll_text request, challenge, response;
	enum cv_err err = hear(link, c->device, "request", &request, deadline_ms);

	if (err == CV_OK)
		err = enroll_challenge(c, &request, &challenge);
	if (err != CV_OK)
		return err;
	err = psk_link_send(link, challenge.text, challenge.len, deadline_ms);
	if (err != CV_OK)
		log_error("device %s: challenge: %s", c->device, cv_err_text(err));
	if (err == CV_OK)
		err = hear(link, c->device, "response", &response, deadline_ms);
	if (err == CV_OK)
		return enroll_response(c, &response, proof);
	/* nobody will answer it any more */
	return enroll_done(c) == CV_OK ? err : CV_ERR_IO;
}

enum cv_err enroll_listen(struct psk_link **link, struct context *ctx,
	const struct enroll_case *c, const char *address, struct enroll_proof *proof)
{
	const uint64_t deadline_ms = clock_monotonic_ms() + ENROLL_LISTEN_MS;
	struct door *d = secret_alloc(sizeof(*d));
	int fd = -1;
	enum cv_err err = d != NULL ? open_door(d, &fd, ctx, address) : CV_ERR_MEMORY;

	if (err == CV_OK)
		err = await_device(link, d, fd, c->device, deadline_ms);
	if (fd >= 0)
		close(fd); /* one device, one time */
	secret_free(d);
	return err == CV_OK ? converse(*link, c, proof, deadline_ms) : err;
}

enum cv_err enroll_deliver(struct psk_link *link, const char *device, const char *bundle)
{
	uint8_t *data = NULL;
	size_t len = 0;
	enum cv_err err = file_read(&data, &len, bundle, BUNDLE_MAX);

	if (err == CV_OK)
		err = psk_link_send(
			link, data, len, clock_monotonic_ms() + ENROLL_HANDSHAKE_MS);
	free(data);
	if (err != CV_OK)
		log_warning("device %s: %s: it has not got its bundle: bring it by hand, the TPM "
			    "opens it: `conclave-device install %s`",
			device, cv_err_text(err), bundle);
	return CV_OK;
}
