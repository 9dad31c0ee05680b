/* conclave-volumed: one encrypted volume behind one FUSE mount (host/volume_ctl.h). */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "fs/control.h"
#include "fs/options.h"
#include "fs/serve.h"
#include "fs/why.h"
#include "host/exit_code.h"
#include "host/file.h"
#include "host/log.h"
#include "host/process.h"
#include "host/secret.h"
#include "protocol/crypto.h"

/* Exactly 32 bytes and then the end; one more byte of room shows what is too long. */
static enum cv_err read_key(uint8_t **out, int fd)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint8_t *key = secret_alloc(CV_SECRET_BYTES + 1);
	size_t len = 0;

	if (!key)
		return CV_ERR_MEMORY;
	err = file_read_descriptor(fd, key, CV_SECRET_BYTES + 1, &len);
	(void)close(fd);
	if (!err && len != CV_SECRET_BYTES)
		err = CV_ERR_FORMAT;
	if (err) {
		secret_free(key);
		return err;
	}
	*out = key;
	return CV_OK;
}

/* What needs files, privileges or other processes comes before the sandbox and before any key. */
static enum cv_err prepare(struct serve *s, const struct options *o, struct volume_why *why)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, 0 };
	const struct sandbox_spec sandbox = { .mode = o->sandbox, .profile = SANDBOX_VOLUME };
	enum cv_err err = CV_ERR_INTERNAL;

	if (o->mount_point) {
		err = unmounter_open(&s->unmounter, o->mount_point);
		if (err)
			return why_set(why, err, "unmounter: %s", cv_err_text(err));
	}
	err = process_signal_fd(&s->signal_fd, signals);
	if (err)
		return why_set(why, err, "signals: %s", cv_err_text(err));
	s->ready_fd = eventfd(0, EFD_CLOEXEC);
	s->ended_fd = eventfd(0, EFD_CLOEXEC);
	if (s->ready_fd < 0 || s->ended_fd < 0)
		return why_set(why, CV_ERR_IO, "eventfd: %s", strerror(errno));
	/* OpenSSL reads its configuration once, on first use */
	if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_CIPHERS |
					OPENSSL_INIT_ADD_ALL_DIGESTS,
		    NULL) != 1)
		return why_set(why, CV_ERR_CRYPTO, "crypto: OpenSSL does not start");
	err = crypto_init();
	if (err)
		return why_set(why, err, "crypto: %s", cv_err_text(err));
	err = mount_new(&s->mount, o->fuse_fd, o->mount_point, &o->mount, why);
	if (err)
		return err;
	err = sandbox_enter(&sandbox);
	if (err)
		return why_set(why, err, "sandbox: %s",
			sandbox_warning() ? sandbox_warning() : cv_err_text(err));
	if (sandbox_warning())
		log_warning("sandbox: %s", sandbox_warning());
	return CV_OK;
}

static enum cv_err open_volume(struct serve *s, const struct options *o, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct volume_open_options open_options = { .read_only = o->read_only,
		.min_generation = o->min_generation,
		.accept_older = o->accept_older,
		.cache_bytes = o->cache_bytes };
	uint8_t *key = NULL;

	err = read_key(&key, o->key_fd);
	if (err)
		return why_set(why, err, "key: 32 bytes and an end of file expected");
	open_options.secret = key;
	err = volume_open_fd(&s->volume, o->container_fd, &open_options, why);
	secret_free(key);
	if (!err && volume_notice(s->volume))
		log_warning("volume: %s", volume_notice(s->volume));
	return err;
}

int main(int argc, char **argv)
{
	struct serve s = { .unmounter = { -1 }, .signal_fd = -1, .ready_fd = -1, .ended_fd = -1 };
	enum cv_err err = CV_ERR_INTERNAL;
	struct volume_why why = { "" };
	struct options o;

	log_init("conclave-volumed");
	/* a heap for each worker would keep what another one frees; allocations are rare and short */
	(void)mallopt(M_ARENA_MAX, 1);
	err = secret_process_init();
	if (err) {
		log_error("start: %s", secret_last_error());
		return exit_code_of(err);
	}
	if (volumed_options_parse(&o, argc, argv, &why)) {
		log_error("%s (--help shows the options)", why.text);
		return EXIT_CODE_USAGE;
	}
	if (o.help)
		return fputs(options_help, stdout) < 0 ? EXIT_CODE_INTERNAL : EXIT_CODE_OK;
	s.control_fd = o.control_fd;
	s.idle_ms = o.idle_ms;
	err = prepare(&s, &o, &why);
	if (!err)
		err = open_volume(&s, &o, &why);
	if (err) {
		log_error("%s", why.text);
		control_failed(o.control_fd, err, why.text);
		return exit_code_of(err);
	}
	return exit_code_of(serve_run(&s));
}
