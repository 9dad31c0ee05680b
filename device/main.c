#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "device/verb.h"
#include "host/exit_code.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/crypto.h"

static const struct verb verbs[] = {
	{ "enroll", "--request FILE | --challenge FILE --response FILE | --token-fd N",
		"let this device's TPM prove itself to an operator", verb_enroll },
	{ "install", "BUNDLE [--passphrase-fd N]", "unpack a device bundle into the state directory",
		verb_install },
	{ "mount", "[-f] [-o WORD,...] [--timeout T] [CONTAINER MOUNT-POINT]",
		"ask the gateways, open the volume, mount it", verb_mount },
	{ "unmount", "[--lazy] [--forget] [MOUNT-POINT]", "unmount; returns when everything is on disk",
		verb_unmount },
	{ "status", "[--offline] [--json]", "the mount, the last unlock, the gateways",
		verb_status },
	{ "check", "[--timeout T] [--json]", "would this device be unlocked now?", verb_check },
	{ "events", "[FILE]", "what was measured in this boot, for a policy's `events`", verb_events },
	{ "inventory", "[--json]", "what this machine is made of, for `conclave device inventory`",
		verb_inventory },
	{ "key", "--fd N [--timeout T]", "write the unlock secret to an inherited descriptor",
		verb_key },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void usage(FILE *to)
{
	fprintf(to, "usage: conclave-device VERB [OPTIONS]\n\n");
	for (size_t i = 0; i < VERBS; i++)
		fprintf(to, "  %-8s %s\n           %s\n", verbs[i].name, verbs[i].arguments,
			verbs[i].summary);
	fprintf(to, "\nOptions of every verb:\n"
		    "  --state DIR    identity and keys (/var/lib/conclave-device)\n"
		    "  --run DIR      run directory (/run/conclave-device)\n"
		    "  --config FILE  configuration (/etc/conclave/device.ini)\n"
		    "  -v, --verbose  say more\n"
		    "  --help, --version\n\n"
		    "See conclave-device(8) and device.ini(5).\n");
}

int main(int argc, char **argv)
{
	log_init("conclave-device");
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		usage(stderr);
		return EXIT_CODE_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return EXIT_CODE_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("conclave-device %s\n", CONCLAVE_VERSION);
		return EXIT_CODE_OK;
	}
	for (size_t i = 0; i < VERBS; i++) {
		if (strcmp(argv[1], verbs[i].name) != 0)
			continue;
		if (secret_process_init() != CV_OK) {
			log_error("start: %s", secret_last_error());
			return EXIT_CODE_INTERNAL;
		}
		return verbs[i].run(argc - 1, argv + 1);
	}
	log_error("no such verb: %s (try --help)", argv[1]);
	return EXIT_CODE_USAGE;
}
