#include <unistd.h>

#include "device/control.h"
#include "device/last.h"
#include "device/options.h"
#include "device/report.h"
#include "device/unlock.h"
#include "device/verb.h"
#include "device/volume_process.h"
#include "host/exit_code.h"
#include "host/file.h"
#include "host/log.h"
#include "host/secret.h"

#define USAGE "key --fd N [--timeout T]"
#define TIMEOUT_DEFAULT_MS 10000

static enum cv_err hand_over(const struct unlock *u, int fd)
{
	uint8_t *secret = secret_alloc(CV_SECRET_BYTES);
	enum cv_err err = CV_ERR_MEMORY;

	if (secret == NULL) {
		log_error("memory: %s", secret_last_error());
		return err;
	}
	err = unlock_secret(u, secret);
	if (err == CV_OK)
		err = file_write_descriptor(fd, secret, CV_SECRET_BYTES);
	if (err != CV_OK)
		log_error("descriptor %d: %s", fd, cv_err_text(err));
	secret_free(secret);
	return err;
}

static int run(const struct options *o, const struct settings *s)
{
	const struct last_mount no_mount = { .generation = 0 };
	char volumed[FILE_PATH_BUF] = "";
	struct unlock *u = NULL;
	struct unlock_request request = { .settings = s, .state_dir = o->state_dir,
		.run_dir = o->run_dir, .volumed_path = volumed, .purpose = EVIDENCE_UNLOCK,
		.timeout_ms = o->timeout_ms != 0 ? o->timeout_ms : TIMEOUT_DEFAULT_MS,
		.stop_fd = -1 };
	enum cv_err err = control_run_dir(o->run_dir);

	if (err == CV_OK && volume_process_find(volumed, sizeof(volumed)) != CV_OK)
		volumed[0] = '\0'; /* not needed here; a policy may ask for its digest */
	if (err == CV_OK)
		err = unlock_open(&u, &request);
	if (err != CV_OK)
		return exit_code_of(err);
	err = unlock_run(u);
	if (err == CV_OK)
		err = hand_over(u, o->fd);
	close(o->fd); /* the reader need not wait for the rest */
	last_write(u, err, &no_mount);
	if (report_liars(u) != CV_OK)
		log_warning("events: not sent");
	unlock_close(u);
	return exit_code_of(err);
}

int verb_key(int argc, char **argv)
{
	struct options o;
	struct settings s;
	bool help;
	enum cv_err err = options_parse(&o, argc, argv, OPTION_FD | OPTION_TIMEOUT, USAGE, &help);

	if (help)
		return EXIT_CODE_OK;
	if (err == CV_OK && (o.word_count != 0 || o.fd < 0)) {
		log_error("key: usage: conclave-device %s", USAGE);
		err = CV_ERR_ARGUMENT;
	}
	if (err == CV_OK && isatty(o.fd)) {
		log_error("key: descriptor %d is a terminal: the secret is not for eyes", o.fd);
		err = CV_ERR_ARGUMENT;
	}
	if (err == CV_OK)
		err = settings_load(&s, &o);
	return err == CV_OK ? run(&o, &s) : exit_code_of(err);
}
