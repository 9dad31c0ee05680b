#include "gateway/init.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/config.h"
#include "gateway/config_state.h"
#include "gateway/keeper.h"
#include "gateway/tls_cert.h"
#include "gateway/user.h"
#include "host/file.h"
#include "host/log.h"
#include "protocol/id.h"
#include "protocol/join.h"
#include "protocol/json_write.h"

#define REQUEST_MAX 4096

struct init_paths {
	const char *gateway;
	uint32_t reserve_records;
	char key[FILE_PATH_BUF];
	char csr[FILE_PATH_BUF];
	char store[FILE_PATH_BUF];
	char store_key[FILE_PATH_BUF];
	char keys[FILE_PATH_BUF];
};

static enum cv_err make_paths(struct init_paths *p, const struct init_options *o)
{
	enum cv_err err = state_path(p->key, o->state, STATE_TLS_KEY);

	p->gateway = o->gateway;
	p->reserve_records = o->reserve_records;
	if (err == CV_OK)
		err = state_path(p->csr, o->state, STATE_TLS_CSR);
	if (err == CV_OK)
		err = state_path(p->store, o->state, STATE_STORE);
	if (err == CV_OK)
		err = state_path(p->store_key, o->state, STATE_STORE_KEY);
	if (err == CV_OK)
		err = state_path(p->keys, o->state, STATE_KEYS);
	return err;
}

static enum cv_err make_directory(const char *state, const char *name, const char *user)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = state_path(path, state, name);

	if (err == CV_OK)
		err = user_directory(path, user != NULL ? user_for_role(state, user) : NULL);
	if (err != CV_OK)
		log_error("directory %s/%s: %s", state, name, cv_err_text(err));
	return err;
}

static enum cv_err make_directories(const char *state)
{
	enum cv_err err = file_make_dir(state, 0711);

	if (err != CV_OK) {
		log_error("directory %s: %s", state, cv_err_text(err));
		return err;
	}
	/* made with the umask of whoever called us: the roles must be able to pass through */
	if (user_separation(state) && chmod(state, 0711) != 0)
		return file_error(errno);
	err = make_directory(state, STATE_FRONT, CONFIG_USER_FRONT);
	if (err == CV_OK)
		err = make_directory(state, STATE_KEEPER, CONFIG_USER_KEEPER);
	if (err == CV_OK)
		err = make_directory(state, STATE_KEYS, NULL);
	if (err == CV_OK)
		err = make_directory(state, STATE_SENDER, CONFIG_USER_SENDER);
	return err;
}

static enum cv_err pin_gateway(const struct init_options *o)
{
	struct state_pin pin;
	enum cv_err err = state_pin_read(&pin, o->state);

	if (err == CV_OK && strcmp(pin.gateway, o->gateway) != 0) {
		log_error("%s: belongs to gateway %s already", o->state, pin.gateway);
		return CV_ERR_EXISTS;
	}
	if (err == CV_ERR_NOT_FOUND) {
		memset(&pin, 0, sizeof(pin));
		memcpy(pin.gateway, o->gateway, strlen(o->gateway) + 1);
		err = state_pin_write(&pin, o->state);
	}
	if (err != CV_OK)
		log_error("%s/%s: %s", o->state, STATE_PIN, cv_err_text(err));
	return err;
}

static enum cv_err front_step(void *argument, void *result)
{
	const struct init_paths *p = argument;
	char why[TLS_WHY_MAX] = "";
	enum cv_err err = tls_key_make(p->key, why);

	(void)result;
	if (err == CV_OK)
		err = tls_csr_make(p->csr, p->key, p->gateway, why);
	if (err != CV_OK)
		log_error("%s", why);
	return err;
}

static enum cv_err keeper_step(void *argument, void *result)
{
	const struct init_paths *p = argument;
	struct keeper_config cfg = {
		.gateway = p->gateway,
		.store_path = p->store,
		.store_key_path = p->store_key,
		.keys_dir = p->keys,
		.reserve_records = p->reserve_records,
		.front_fd = -1,
		.control_fd = -1,
		.sender_fd = -1,
	};

	return keeper_init(&cfg, result);
}

/* The keeper reads its keys as root, before it becomes its user; the store is that user's. */
static enum cv_err give_store(const struct init_paths *p, const char *user)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
	char path[FILE_PATH_BUF + 16];
	enum cv_err err = CV_OK;

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]) && err == CV_OK; i++) {
		snprintf(path, sizeof(path), "%s%s", p->store, suffixes[i]);
		err = user_own_file(path, user);
	}
	if (err != CV_OK)
		log_error("%s: %s", path, cv_err_text(err));
	return err;
}

/* The CSR as the front's child wrote it, read back by us: it is public. */
static enum cv_err csr_text(const char *path, char pem[TLS_PEM_MAX + 1], uint8_t **der, size_t *len)
{
	X509_REQ *csr = NULL;
	uint8_t *text = NULL;
	size_t text_len = 0;
	char why[TLS_WHY_MAX] = "";
	enum cv_err err = tls_csr_read(&csr, path, why);

	if (err == CV_OK)
		err = tls_csr_der(der, len, csr);
	if (err == CV_OK)
		err = file_read(&text, &text_len, path, TLS_PEM_MAX);
	if (err == CV_OK)
		memcpy(pem, text, text_len + 1);
	else
		log_error("%s", why[0] != '\0' ? why : cv_err_text(err));
	free(text);
	X509_REQ_free(csr);
	return err;
}

static enum cv_err request_encode(char out[REQUEST_MAX], size_t *len, const char *gateway,
	const struct keeper_public *keys, const char *csr)
{
	struct json_writer w;

	json_begin(&w, out, REQUEST_MAX - 1);
	json_object_open(&w, NULL);
	json_u64(&w, "v", 1);
	json_text(&w, "gateway", gateway);
	json_bytes(&w, "keeper_key", keys->keeper_key, sizeof(keys->keeper_key));
	json_bytes(&w, "enrolment_key", keys->enrolment_key, sizeof(keys->enrolment_key));
	json_text(&w, "csr", csr);
	json_object_close(&w);
	return json_end(&w, len);
}

static enum cv_err write_request(
	const struct init_options *o, const struct init_paths *p, const struct keeper_public *keys)
{
	char pem[TLS_PEM_MAX + 1], out[REQUEST_MAX], text[FINGERPRINT_BUF], name[CV_ID_BUF + 8];
	const char *path = o->request;
	uint8_t *der = NULL, fingerprint[CV_HASH_BYTES];
	size_t der_len = 0, len = 0;
	enum cv_err err = csr_text(p->csr, pem, &der, &der_len);

	if (err != CV_OK)
		return err;
	if (path == NULL) {
		snprintf(name, sizeof(name), "%s.req", o->gateway);
		path = name;
	}
	err = gateway_request_fingerprint(fingerprint, o->gateway, keys->keeper_key,
		keys->enrolment_key, der, der_len);
	if (err == CV_OK)
		err = request_encode(out, &len, o->gateway, keys, pem);
	if (err == CV_OK) {
		out[len++] = '\n';
		err = file_write_atomic(path, out, len, 0644);
	}
	if (err == CV_OK) {
		fingerprint_text(text, fingerprint);
		printf("request %s\nfingerprint %s\n", path, text);
	} else {
		log_error("%s: %s", path, cv_err_text(err));
	}
	free(der);
	return err;
}

/* /etc/conclave is not there before the first one. */
static enum cv_err make_parent(const char *path)
{
	char parent[FILE_PATH_BUF];
	const char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return CV_OK;
	if ((size_t)(slash - path) >= sizeof(parent))
		return CV_ERR_TOO_LONG;
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	return mkdir(parent, 0755) == 0 || errno == EEXIST ? CV_OK : file_error(errno);
}

static enum cv_err write_config(const struct init_options *o)
{
	struct config_address address;
	char text[FILE_PATH_BUF + 512];
	const char *devices = o->address != NULL ? o->address : "0.0.0.0:7443";
	enum cv_err err = config_address_parse(&address, devices);
	int n;

	if (err != CV_OK) {
		log_error("--address %s: not ADDRESS:PORT", devices);
		return CV_ERR_ARGUMENT;
	}
	if (o->config == NULL)
		return CV_OK;
	n = snprintf(text, sizeof(text),
		"# conclave-gateway.ini(5) explains every key.\n"
		"[gateway]\nid = %s\nstate = %s\n\n[listen]\ndevices = %s\n",
		o->gateway, o->state, devices);
	if (n < 0 || (size_t)n >= sizeof(text))
		return CV_ERR_TOO_LONG;
	err = make_parent(o->config);
	if (err == CV_OK)
		err = file_write_new(o->config, text, (size_t)n, 0644);
	if (err == CV_ERR_EXISTS)
		return CV_OK;
	if (err != CV_OK)
		log_error("%s: %s", o->config, cv_err_text(err));
	else
		printf("configuration %s\n", o->config);
	return err;
}

static void say_mistake(void *context, const char *line)
{
	(void)context;
	log_error("%s", line);
}

/* Fills what the options leave open; what both say must be the same. */
static enum cv_err use_config(struct init_options *o, struct gateway_config *cfg)
{
	char *text = NULL;
	size_t len = 0;
	enum cv_err err = config_read_text(&text, &len, o->config);

	if (err != CV_OK) {
		log_error("%s: %s", o->config, cv_err_text(err));
		return err;
	}
	err = config_parse(cfg, o->config, text, len, false, say_mistake, NULL);
	free(text);
	if (err != CV_OK)
		return err;
	if (o->gateway == NULL)
		o->gateway = cfg->id;
	if (o->state == NULL)
		o->state = cfg->state;
	if (o->reserve_records == 0)
		o->reserve_records = cfg->reserve_records;
	if (strcmp(o->gateway, cfg->id) == 0 && strcmp(o->state, cfg->state) == 0)
		return CV_OK;
	log_error("%s: is for gateway %s in %s", o->config, cfg->id, cfg->state);
	return CV_ERR_CONFIG;
}

static enum cv_err check_options(const struct init_options *o)
{
	if (o->gateway == NULL) {
		log_error("init: --name is missing");
		return CV_ERR_ARGUMENT;
	}
	if (!id_valid(o->gateway, strlen(o->gateway))) {
		log_error("--name %s: not an id (lower case, digits, dashes)", o->gateway);
		return CV_ERR_ARGUMENT;
	}
	if (o->state[0] != '/') {
		log_error("--state %s: not an absolute path", o->state);
		return CV_ERR_ARGUMENT;
	}
	return CV_OK;
}

static enum cv_err make_everything(const struct init_options *o, struct init_paths *p)
{
	struct keeper_public keys;
	enum cv_err err = make_paths(p, o);

	if (err == CV_OK)
		err = write_config(o);
	if (err == CV_OK)
		err = make_directories(o->state);
	if (err == CV_OK)
		err = pin_gateway(o);
	if (err == CV_OK)
		err = user_run(
			user_for_role(o->state, CONFIG_USER_FRONT), front_step, p, NULL, 0);
	if (err == CV_OK)
		err = user_run(NULL, keeper_step, p, &keys, sizeof(keys));
	if (err == CV_OK)
		err = give_store(p, user_for_role(o->state, CONFIG_USER_KEEPER));
	if (err == CV_OK)
		err = write_request(o, p, &keys);
	return err;
}

enum cv_err init_gateway(const struct init_options *options)
{
	struct init_options o = *options;
	struct gateway_config *cfg = calloc(1, sizeof(*cfg));
	struct init_paths *p = calloc(1, sizeof(*p));
	enum cv_err err = cfg != NULL && p != NULL ? CV_OK : CV_ERR_MEMORY;

	if (err == CV_OK && o.config != NULL && file_exists(o.config))
		err = use_config(&o, cfg);
	if (o.state == NULL)
		o.state = CONFIG_STATE_DEFAULT;
	if (err == CV_OK)
		err = check_options(&o);
	if (err == CV_OK)
		err = make_everything(&o, p);
	free(p);
	free(cfg);
	return err;
}
