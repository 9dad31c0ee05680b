#include "gateway/monitor_role.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config.h"
#include "gateway/config_state.h"
#include "gateway/front.h"
#include "gateway/keeper.h"
#include "gateway/tls.h"
#include "gateway/tls_selftest.h"
#include "gateway/user.h"
#include "host/exit_code.h"
#include "host/ini.h"
#include "host/log.h"
#include "host/secret.h"
#include "notify/sender.h"
#include "protocol/crypto.h"

static const char *const titles[ROLE_COUNT] = { "conclave-gateway: front",
	"conclave-gateway: keeper", "conclave-gateway: sender", "conclave-gateway: self-test" };
static const char *const log_names[ROLE_COUNT] = { "conclave-gateway[front]",
	"conclave-gateway[keeper]", "conclave-gateway[sender]", "conclave-gateway[self-test]" };

struct role_context {
	struct gateway_config cfg;
	struct state_pin pin;
	const char *config_name;
	int argc;
	char **argv;
};

const char *role_title(enum role role)
{
	return titles[role];
}

const char *role_name(enum role role)
{
	return titles[role] + strlen("conclave-gateway: ");
}

int role_of_title(const char *title)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		if (title != NULL && strcmp(title, titles[i]) == 0)
			return i;
	return -1;
}

static int run_front(struct role_context *r)
{
	struct config_address *a[] = { &r->cfg.devices, &r->cfg.operators, &r->cfg.metrics };
	const struct front_config config = {
		.cfg = &r->cfg,
		.pin = &r->pin,
		.config_name = r->config_name,
		.user = user_for_role(r->cfg.state, CONFIG_USER_FRONT),
		.keeper_fd = ROLE_FD_WORK,
		.control_fd = ROLE_FD_CONTROL,
	};

	/* a restarted front takes the ports that were announced */
	for (int i = 0; i < 3 && i + 2 < r->argc; i++)
		if (config_address_parse(a[i], r->argv[i + 2]) != CV_OK)
			return EXIT_CODE_INTERNAL;
	return front_run(&config);
}

static int run_keeper(struct role_context *r)
{
	static char store[FILE_PATH_BUF], store_key[FILE_PATH_BUF], keys[FILE_PATH_BUF];
	const struct keeper_config config = {
		.gateway = r->cfg.id,
		.fleet = r->pin.fleet,
		.fleet_root = r->pin.fleet_root,
		.store_path = store,
		.store_key_path = store_key,
		.keys_dir = keys,
		.reserve_records = r->cfg.reserve_records,
		.limits = r->cfg.keeper,
		.front_fd = ROLE_FD_WORK,
		.control_fd = ROLE_FD_CONTROL,
		.sender_fd = ROLE_FD_ALERTS,
		.privacy = r->cfg.privacy,
		.sandbox = r->cfg.sandbox,
		.user = user_for_role(r->cfg.state, CONFIG_USER_KEEPER),
	};

	if (state_path(store, r->cfg.state, STATE_STORE) != CV_OK ||
		state_path(store_key, r->cfg.state, STATE_STORE_KEY) != CV_OK ||
		state_path(keys, r->cfg.state, STATE_KEYS) != CV_OK)
		return EXIT_CODE_CONFIG;
	return keeper_run(&config);
}

static enum cv_err sender_sandbox(void *context)
{
	const struct role_context *r = context;
	char dir[FILE_PATH_BUF];
	const struct sandbox_path paths[] = { { dir, true }, { "/etc", false }, { "/usr", false },
		{ "/lib", false }, { "/run", false } };
	const struct sandbox_spec spec = {
		.mode = r->cfg.sandbox,
		.profile = SANDBOX_SENDER,
		.paths = paths,
		.path_count = sizeof(paths) / sizeof(paths[0]),
	};
	enum cv_err err = state_path(dir, r->cfg.state, STATE_SENDER);

	if (err == CV_OK)
		err = sandbox_enter(&spec);
	if (err != CV_OK)
		log_error("sandbox: %s", sandbox_warning() != NULL ? sandbox_warning() :
			cv_err_text(err));
	else if (sandbox_warning() != NULL)
		log_warning("sandbox: weaker than asked for: %s", sandbox_warning());
	return err;
}

static void sender_ready(void *context)
{
	const char ready = ROLE_SENDER_READY;

	(void)context;
	if (send(ROLE_FD_CONTROL, &ready, 1, MSG_NOSIGNAL) != 1)
		log_error("the monitor is gone");
}

static int run_sender(struct role_context *r)
{
	static char outbox[FILE_PATH_BUF];
	const struct config_sender *s = &r->cfg.sender;
	const struct sender_config config = {
		.channel_fd = ROLE_FD_WORK,
		.gateway = r->cfg.id,
		.outbox_path = outbox,
		.destinations = s->destinations,
		.destination_count = s->count,
		.allow_http = s->allow_http,
		.ca_file = s->ca_file[0] != '\0' ? s->ca_file : NULL,
		.attempts_max = s->attempts,
		.outbox_max = s->outbox_max,
		.timeout_ms = s->timeout_ms,
		.enter_sandbox = sender_sandbox,
		.ready = sender_ready,
		.context = r,
	};
	/* first of all: what it makes and reads is this user's */
	enum cv_err err = user_become(user_for_role(r->cfg.state, CONFIG_USER_SENDER));

	if (err == CV_OK)
		err = state_path(outbox, r->cfg.state, STATE_OUTBOX);
	return err == CV_OK ? sender_run(&config) : exit_code_of(err);
}

static int run_selftest(struct role_context *r)
{
	struct config_address address;
	char path[FILE_PATH_BUF], why[TLS_WHY_MAX] = "";
	X509 *root = NULL;
	enum cv_err err = user_become(user_for_role(r->cfg.state, CONFIG_USER_FRONT));

	if (err != CV_OK || r->argc < 3 || config_address_parse(&address, r->argv[2]) != CV_OK ||
		state_path(path, r->cfg.state, STATE_TLS_ROOT) != CV_OK)
		return EXIT_CODE_INTERNAL;
	err = tls_certificate_read(&root, path, why);
	if (err == CV_OK)
		err = tls_selftest(&address, root, r->pin.fleet, r->cfg.id, why);
	X509_free(root);
	if (err == CV_OK)
		return EXIT_CODE_OK;
	log_error("self-test: %s: %s", r->argv[2], why);
	return EXIT_CODE_INTERNAL;
}

static void ignore_mistake(void *context, const char *line)
{
	(void)context;
	log_error("%s", line);
}

static enum cv_err read_config(struct role_context *r)
{
	struct stat st;
	char *text;
	ssize_t n;
	enum cv_err err = CV_ERR_CONFIG;

	if (fstat(ROLE_FD_CONFIG, &st) != 0 || st.st_size < 0 || st.st_size > INI_FILE_MAX)
		return err;
	text = calloc(1, (size_t)st.st_size + 1);
	if (text == NULL)
		return CV_ERR_MEMORY;
	/* the offset is shared with every other process that has this memfd */
	n = pread(ROLE_FD_CONFIG, text, (size_t)st.st_size, 0);
	if (n == st.st_size)
		err = config_parse(
			&r->cfg, r->config_name, text, (size_t)n, false, ignore_mistake, NULL);
	free(text);
	close(ROLE_FD_CONFIG);
	return err;
}

_Noreturn void role_main(enum role role, int argc, char **argv)
{
	static int (*const run[ROLE_COUNT])(struct role_context *) = { run_front, run_keeper,
		run_sender, run_selftest };
	struct role_context *r = calloc(1, sizeof(*r));
	enum cv_err err = CV_ERR_MEMORY;
	int code = EXIT_CODE_INTERNAL;

	log_init(log_names[role]);
	signal(SIGPIPE, SIG_IGN);
	if (r != NULL) {
		r->config_name = argc > 1 ? argv[1] : "configuration";
		r->argc = argc;
		r->argv = argv;
		err = secret_process_init();
	}
	if (err == CV_OK)
		err = crypto_init();
	if (err == CV_OK)
		err = read_config(r);
	if (err == CV_OK)
		err = state_pin_read(&r->pin, r->cfg.state);
	if (err == CV_OK) {
		log_set_level(r->cfg.log_level);
		code = run[role](r);
	} else {
		log_error("cannot start: %s", cv_err_text(err));
		code = exit_code_of(err);
	}
	/* threads may be running: no exit handlers under their feet */
	_exit(code);
}
