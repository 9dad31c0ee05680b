#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/config.h"
#include "gateway/init.h"
#include "gateway/monitor.h"
#include "gateway/monitor_role.h"
#include "host/exit_code.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/crypto.h"

static const char usage[] =
	"usage: conclave-gateway [run] [--config FILE]\n"
	"       conclave-gateway --check-config [--config FILE]\n"
	"       conclave-gateway init [--name ID] [--state DIR] [--request FILE]\n"
	"                             [--config FILE] [--address ADDRESS:PORT]\n"
	"                             [--reserve-records N]\n"
	"       conclave-gateway install GRANT [--state DIR]\n"
	"\n"
	"A gateway holds one share of each device's unlock secret and releases it to devices that\n"
	"prove who they are, what they run and where.\n"
	"\n"
	"run        (also without a verb) answers devices and operators until SIGTERM;\n"
	"           SIGHUP reloads certificates, log level, limits and alert destinations\n"
	"init       makes the gateway's keys and its request to join a fleet (ID.req) and prints\n"
	"           the request's fingerprint; harmless when repeated\n"
	"install    takes the fleet's grant (ID.grant) and pins the fleet's root, once\n"
	"\n"
	"  --config FILE          configuration (" CONFIG_PATH_DEFAULT "); init takes id, state and\n"
	"                         reserve_records from it, or writes a first one there\n"
	"                         (with --state it needs this option to do so)\n"
	"  --check-config         say every mistake in the configuration, by line, and exit\n"
	"  --name ID              the gateway's id: lower case, digits, dashes\n"
	"  --state DIR            keys and store (" CONFIG_STATE_DEFAULT ")\n"
	"  --request FILE         where init writes the request (./ID.req)\n"
	"  --address ADDRESS:PORT devices' address in the configuration that init writes\n"
	"  --reserve-records N    disk space set aside for so many releases (100000)\n"
	"  --help, --version\n"
	"\n"
	"exit codes: 0 ok, 1 internal, 2 usage, 3 configuration, 20 store tampered with,\n"
	"            22 address or store in use, 23 newer store, 25 disk full or read-only\n";

struct options {
	const char *verb;
	const char *operand;
	const char *config;
	const char *name;
	const char *state;
	const char *request;
	const char *address;
	const char *reserve;
	bool check_config;
};

enum option_value { OPT_CONFIG = 256, OPT_CHECK, OPT_NAME, OPT_STATE, OPT_REQUEST, OPT_ADDRESS,
	OPT_RESERVE, OPT_HELP, OPT_VERSION };

static const struct option long_options[] = {
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "check-config", no_argument, NULL, OPT_CHECK },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "state", required_argument, NULL, OPT_STATE },
	{ "request", required_argument, NULL, OPT_REQUEST },
	{ "address", required_argument, NULL, OPT_ADDRESS },
	{ "reserve-records", required_argument, NULL, OPT_RESERVE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static int usage_error(const char *what)
{
	fprintf(stderr, "conclave-gateway: %s: see conclave-gateway --help\n", what);
	return EXIT_CODE_USAGE;
}

/* -1: go on; else the exit code. */
static int parse(struct options *o, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		switch (c) {
		case OPT_CONFIG:
			o->config = optarg;
			break;
		case OPT_CHECK:
			o->check_config = true;
			break;
		case OPT_NAME:
			o->name = optarg;
			break;
		case OPT_STATE:
			o->state = optarg;
			break;
		case OPT_REQUEST:
			o->request = optarg;
			break;
		case OPT_ADDRESS:
			o->address = optarg;
			break;
		case OPT_RESERVE:
			o->reserve = optarg;
			break;
		case OPT_HELP:
			fputs(usage, stdout);
			return EXIT_CODE_OK;
		case OPT_VERSION:
			puts("conclave-gateway " CONCLAVE_VERSION);
			return EXIT_CODE_OK;
		default:
			return EXIT_CODE_USAGE;
		}
	o->verb = optind < argc ? argv[optind++] : "run";
	o->operand = optind < argc ? argv[optind++] : NULL;
	return optind < argc ? usage_error("too many arguments") : -1;
}

static int run(const struct options *o)
{
	const char *config = o->config != NULL ? o->config : CONFIG_PATH_DEFAULT;

	if (o->operand != NULL || o->name != NULL || o->state != NULL || o->request != NULL ||
		o->address != NULL || o->reserve != NULL)
		return usage_error("run takes --config only");
	return o->check_config ? monitor_check_config(config) : monitor_run(config);
}

static int init(const struct options *o)
{
	/* A state directory of its own, as in a test, has no business with the system's file. */
	const char *config =
		o->config == NULL && o->state == NULL ? CONFIG_PATH_DEFAULT : o->config;
	struct init_options options = {
		.gateway = o->name,
		.state = o->state,
		.request = o->request,
		.config = config,
		.address = o->address,
	};
	unsigned int reserve = 0;
	char rest;

	if (o->operand != NULL || o->check_config)
		return usage_error("init takes options only");
	if (o->name == NULL && (config == NULL || access(config, F_OK) != 0))
		return usage_error("init needs --name, or --config of a file that is there");
	if (o->reserve != NULL &&
		(sscanf(o->reserve, "%9u%c", &reserve, &rest) != 1 || reserve == 0))
		return usage_error("--reserve-records is not a number");
	options.reserve_records = reserve;
	return exit_code_of(init_gateway(&options));
}

static int install(const struct options *o)
{
	if (o->operand == NULL)
		return usage_error("install needs the grant's file");
	if (o->name != NULL || o->config != NULL || o->request != NULL || o->address != NULL ||
		o->reserve != NULL || o->check_config)
		return usage_error("install takes --state only");
	return exit_code_of(init_install(
		o->operand, o->state != NULL ? o->state : CONFIG_STATE_DEFAULT));
}

static const struct {
	const char *name;
	int (*run)(const struct options *);
} verbs[] = { { "run", run }, { "init", init }, { "install", install } };

int main(int argc, char **argv)
{
	struct options o = { .verb = NULL };
	int role = role_of_title(argv[0]);
	int code;

	if (role >= 0)
		role_main((enum role)role, argc, argv);
	log_init("conclave-gateway");
	code = parse(&o, argc, argv);
	if (code >= 0)
		return code;
	signal(SIGPIPE, SIG_IGN);
	if (secret_process_init() != CV_OK) {
		log_error("%s", secret_last_error());
		return EXIT_CODE_INTERNAL;
	}
	if (crypto_init() != CV_OK) {
		log_error("the crypto library does not start");
		return EXIT_CODE_INTERNAL;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(o.verb, verbs[i].name) == 0)
			return verbs[i].run(&o);
	fprintf(stderr, "conclave-gateway: unknown verb %s: see conclave-gateway --help\n", o.verb);
	return EXIT_CODE_USAGE;
}
