/* conclave-mcu: the microcontroller client built for the host. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "client.h"
#include "heap.h"
#include "ports/host/port_host.h"
#include "ports/host/stack.h"
#include "ports/software.h"
#include "protocol/crypto.h"

static const char usage[] =
	"usage: conclave-mcu --state DIR [--timeout SECONDS] [--stay SECONDS] [--stats]\n"
	"\n"
	"The microcontroller client, built for this host: unlocks with the gateways one after\n"
	"another, opens the sealed settings with the rebuilt key and signals the mount.\n"
	"\n"
	"  --state DIR        the device's state directory (from `conclave device add --mcu` and\n"
	"                     `conclave-device install`)\n"
	"  --timeout SECONDS  give up after this long; without it, tries without end\n"
	"  --stay SECONDS     stay mounted so long, as a board does: ask the gateways how this device\n"
	"                     stands, lock again when it is revoked; without it, ends when mounted\n"
	"  --stats            print heap and stack figures of this host build\n"
	"  --help, --version\n"
	"\n"
	"exit codes: 0 mounted, 1 internal, 2 usage, 3 configuration, 10 too few gateways reachable,\n"
	"11 denied, 12 deadline, 13 wrong share set, 14 shares invalid, 20 settings tampered,\n"
	"21 settings or program older than allowed\n";

struct arguments {
	const char *state;
	struct client_limits limits;
	int stats;
};

static int seconds_parse(const char *text, uint64_t *ms)
{
	char *end = NULL;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != 0 || v == 0 || v > 86400 * 365)
		return -1;
	*ms = (uint64_t)v * 1000;
	return 0;
}

static uint64_t *seconds_of(struct arguments *a, int option)
{
	return option == 't' ? &a->limits.timeout_ms : &a->limits.stay_ms;
}

/* -1: go on; otherwise the exit code. */
static int arguments_parse(struct arguments *a, int argc, char **argv)
{
	static const struct option options[] = {{"state", required_argument, NULL, 's'},
		{"timeout", required_argument, NULL, 't'},
		{"stay", required_argument, NULL, 'k'}, {"stats", no_argument, NULL, 'S'},
		{"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 's':
			a->state = optarg;
			break;
		case 't':
		case 'k':
			if (seconds_parse(optarg, seconds_of(a, c)) != 0) {
				(void)fprintf(stderr,
					"conclave-mcu: --%s: not a number of seconds: %s\n",
					c == 't' ? "timeout" : "stay", optarg);
				return 2;
			}
			break;
		case 'S':
			a->stats = 1;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			return 0;
		case 'V':
			(void)printf("conclave-mcu %s\n", CONCLAVE_VERSION);
			return 0;
		default:
			return 2;
		}
	}
	if (a->state == NULL || optind != argc) {
		(void)fputs("conclave-mcu: --state DIR is needed; see --help\n", stderr);
		return 2;
	}
	return -1;
}

static void stats_print(const struct client_result *r)
{
	struct heap_stats heap;

	heap_stats(&heap);
	(void)printf("stats (host build; not a microcontroller's figures)\n"
		     "  heap peak            %zu bytes\n"
		     "  largest allocation   %zu bytes\n"
		     "  allocations          %llu\n"
		     "  heap still in use    %zu bytes\n"
		     "  stack peak           %zu bytes\n"
		     "  TLS handshakes       %u\n",
		heap.peak, heap.largest, (unsigned long long)heap.count, heap.in_use, stack_peak(),
		r->handshakes);
}

static void result_print(const struct client_result *r)
{
	if (r->outcome == CV_OK)
		(void)printf("MOUNT_OK %zu of %zu shares (needs %zu) in %llu ms, %zu bytes of "
			     "settings, told %zu gateways\n",
			r->shares, r->members, r->threshold, (unsigned long long)r->unlock_ms,
			r->settings_len, r->events_accepted);
	else
		(void)fprintf(stderr, "conclave-mcu: locked: %s (%zu of %zu shares, needs %zu)\n",
			cv_err_text(r->outcome), r->shares, r->members, r->threshold);
}

static void process_harden(void)
{
	const struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* Runs on a painted stack, so that its depth can be measured. */
static void boot_on_stack(void *context, const void *arguments)
{
	const struct arguments *a = arguments;

	client_run(context, &a->limits);
}

int main(int argc, char **argv)
{
	struct arguments a = {.state = NULL};
	struct client_result result = {.outcome = CV_ERR_INTERNAL};
	const char *problem = NULL;
	int code = arguments_parse(&a, argc, argv);

	if (code >= 0)
		return code;
	process_harden();
	heap_install();
	if (port_host_open(a.state, &problem) != CV_OK) {
		(void)fprintf(stderr, "conclave-mcu: %s: %s\n", a.state, problem);
		return 3;
	}
	if (crypto_init() != CV_OK || port_host_measure() != CV_OK ||
		stack_run(boot_on_stack, &result, &a) != 0) {
		(void)fputs("conclave-mcu: cannot start: crypto or memory failed\n", stderr);
		return 1;
	}
	result_print(&result);
	if (a.stats)
		stats_print(&result);
	port_host_close();
	return software_exit_code(result.outcome);
}
