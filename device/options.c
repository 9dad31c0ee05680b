#include "device/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/log.h"

enum { ID_STATE = 256, ID_RUN, ID_CONFIG, ID_TIMEOUT, ID_LAZY, ID_FORGET, ID_JSON, ID_OFFLINE,
	ID_FD, ID_PASSPHRASE_FD, ID_READ_ONLY, ID_FORCE,
	ID_ACCEPT_OLDER, ID_KEY_FD, ID_RECOVERY_FD, ID_REQUEST, ID_CHALLENGE, ID_RESPONSE,
	ID_TOKEN_FD, ID_EK, ID_EK_CERTIFICATE, ID_HELP };

static const struct option long_options[] = {
	{ "state", required_argument, NULL, ID_STATE },
	{ "run", required_argument, NULL, ID_RUN },
	{ "config", required_argument, NULL, ID_CONFIG },
	{ "timeout", required_argument, NULL, ID_TIMEOUT },
	{ "foreground", no_argument, NULL, 'f' },
	{ "lazy", no_argument, NULL, ID_LAZY },
	{ "forget", no_argument, NULL, ID_FORGET },
	{ "json", no_argument, NULL, ID_JSON },
	{ "offline", no_argument, NULL, ID_OFFLINE },
	{ "fd", required_argument, NULL, ID_FD },
	{ "passphrase-fd", required_argument, NULL, ID_PASSPHRASE_FD },
	{ "read-only", no_argument, NULL, ID_READ_ONLY },
	{ "force", no_argument, NULL, ID_FORCE },
	{ "accept-older", no_argument, NULL, ID_ACCEPT_OLDER },
	{ "key-fd", required_argument, NULL, ID_KEY_FD },
	{ "recovery-fd", required_argument, NULL, ID_RECOVERY_FD },
	{ "request", required_argument, NULL, ID_REQUEST },
	{ "challenge", required_argument, NULL, ID_CHALLENGE },
	{ "response", required_argument, NULL, ID_RESPONSE },
	{ "token-fd", required_argument, NULL, ID_TOKEN_FD },
	{ "ek", required_argument, NULL, ID_EK },
	{ "ek-certificate", required_argument, NULL, ID_EK_CERTIFICATE },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, ID_HELP },
	{ NULL, 0, NULL, 0 }
};

/* The flag that allows an option; 0 for those that every verb takes. */
static unsigned int flag_of(int id)
{
	switch (id) {
	case 'f':
		return OPTION_FOREGROUND;
	case ID_TIMEOUT:
		return OPTION_TIMEOUT;
	case ID_LAZY:
		return OPTION_LAZY;
	case ID_FORGET:
		return OPTION_FORGET;
	case ID_JSON:
		return OPTION_JSON;
	case ID_OFFLINE:
		return OPTION_OFFLINE;
	case ID_FD:
		return OPTION_FD;
	case ID_PASSPHRASE_FD:
		return OPTION_PASSPHRASE_FD;
	case ID_READ_ONLY:
		return OPTION_READ_ONLY;
	case ID_FORCE:
		return OPTION_FORCE;
	case ID_ACCEPT_OLDER:
		return OPTION_ACCEPT_OLDER;
	case 'o':
		return OPTION_MOUNT;
	case ID_KEY_FD:
	case ID_RECOVERY_FD:
		return OPTION_SECRET;
	case ID_REQUEST:
	case ID_CHALLENGE:
	case ID_RESPONSE:
	case ID_TOKEN_FD:
	case ID_EK:
	case ID_EK_CERTIFICATE:
		return OPTION_ENROLL;
	default:
		return 0;
	}
}

bool options_duration(uint64_t *ms, const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);
	uint64_t factor;

	if (text[0] < '0' || text[0] > '9' || value > 1000000000)
		return false;
	if (strcmp(end, "ms") == 0)
		factor = 1;
	else if (strcmp(end, "s") == 0 || end[0] == '\0')
		factor = 1000;
	else if (strcmp(end, "m") == 0)
		factor = 60000;
	else if (strcmp(end, "h") == 0)
		factor = 3600000;
	else
		return false;
	*ms = value * factor;
	return *ms > 0;
}

bool options_descriptor(int *fd, const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || value > 65535)
		return false;
	*fd = (int)value;
	return true;
}

static bool add_words(struct options *o, const char *words)
{
	size_t len = strlen(o->mount_list);
	int n = snprintf(o->mount_list + len, sizeof(o->mount_list) - len, "%s%s",
		len != 0 ? "," : "", words);

	return n >= 0 && (size_t)n < sizeof(o->mount_list) - len;
}

/* A name that must not be empty. */
static bool take_name(const char **out, const char *value)
{
	*out = value;
	return value[0] != '\0';
}

/* What only `enroll` has. */
static bool take_enroll(struct options *o, int id, const char *value)
{
	switch (id) {
	case ID_REQUEST:
		return take_name(&o->request_file, value);
	case ID_CHALLENGE:
		return take_name(&o->challenge_file, value);
	case ID_RESPONSE:
		return take_name(&o->response_file, value);
	case ID_EK:
		return take_name(&o->ek_kind, value);
	case ID_EK_CERTIFICATE:
		return take_name(&o->ek_certificate_file, value);
	case ID_TOKEN_FD:
		return options_descriptor(&o->token_fd, value);
	default:
		return false;
	}
}

/* False: the value is wrong. */
static bool take(struct options *o, int id, const char *value)
{
	switch (id) {
	case ID_STATE:
		o->state_dir = value;
		return value[0] != '\0';
	case ID_RUN:
		o->run_dir = value;
		return value[0] != '\0';
	case ID_CONFIG:
		o->config_file = value;
		o->config_named = true;
		return value[0] != '\0';
	case ID_TIMEOUT:
		return options_duration(&o->timeout_ms, value);
	case ID_FD:
		return options_descriptor(&o->fd, value);
	case ID_PASSPHRASE_FD:
		return options_descriptor(&o->passphrase_fd, value);
	case ID_KEY_FD:
		return options_descriptor(&o->key_fd, value);
	case ID_RECOVERY_FD:
		return options_descriptor(&o->recovery_fd, value);
	case 'o':
		return add_words(o, value);
	case 'f':
		o->foreground = true;
		break;
	case 'v':
		log_set_level(LOG_LEVEL_DEBUG);
		break;
	case ID_LAZY:
		o->lazy = true;
		break;
	case ID_FORGET:
		o->forget = true;
		break;
	case ID_JSON:
		o->json = true;
		break;
	case ID_OFFLINE:
		o->offline = true;
		break;
	case ID_READ_ONLY:
		o->read_only = true;
		break;
	case ID_FORCE:
		o->force = true;
		break;
	case ID_ACCEPT_OLDER:
		o->accept_older = true;
		break;
	default:
		return take_enroll(o, id, value);
	}
	return true;
}

enum cv_err options_parse(struct options *o, int argc, char **argv, unsigned int allowed,
	const char *usage, bool *help)
{
	int id;

	*o = (struct options){ .state_dir = OPTIONS_STATE_DIR, .run_dir = OPTIONS_RUN_DIR,
		.config_file = OPTIONS_CONFIG_FILE, .fd = -1, .passphrase_fd = -1,
		.key_fd = -1, .recovery_fd = -1, .token_fd = -1 };
	*help = false;
	opterr = 0;
	optind = 0;
	while ((id = getopt_long(argc, argv, ":fo:v", long_options, NULL)) != -1) {
		if (id == ID_HELP) {
			printf("usage: conclave-device %s\nSee conclave-device --help and "
			       "conclave-device(8).\n",
				usage);
			*help = true;
			return CV_OK;
		}
		if (id == '?' || id == ':' || (flag_of(id) != 0 && (flag_of(id) & allowed) == 0)) {
			log_error("%s: %s: %s (usage: conclave-device %s)", argv[0],
				argv[optind - 1],
				id == ':' ? "needs a value" : "no such option", usage);
			return CV_ERR_ARGUMENT;
		}
		if (!take(o, id, optarg)) {
			log_error("%s: wrong value: %s", argv[0], optarg);
			return CV_ERR_ARGUMENT;
		}
	}
	o->words = argv + optind;
	o->word_count = argc - optind;
	return CV_OK;
}
