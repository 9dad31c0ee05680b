#include "fs/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "fs/why.h"

#define CACHE_MIB_MAX 65536
#define IDLE_S_MAX 31536000
#define WORD_MAX 64

const char options_help[] =
	"usage: conclave-volumed --key-fd N --control-fd N --container-fd N --fuse-fd N [options]\n"
	"\n"
	"Serves one encrypted volume. Started by conclave-device, with everything inherited.\n"
	"\n"
	"  --key-fd N           pipe with the 32 bytes of the unlock secret, then end of file\n"
	"  --control-fd N       socket pair to the watcher\n"
	"  --container-fd N     the container, open and locked\n"
	"  --fuse-fd N          /dev/fuse, mounted\n"
	"  --mount-point PATH   unmount there at the end, if that is allowed\n"
	"  --read-only          write nothing to the container\n"
	"  --min-generation G   refuse an older volume\n"
	"  --accept-older       go on when the newest superblocks are unreadable or the log is damaged\n"
	"  --cache-mib M        memory for tree nodes (default 64)\n"
	"  --sandbox MODE       require or best-effort (default)\n"
	"  -o OPT,...           options of the mount:\n"
	"       idle=SECONDS    unmount when unused for so long and nobody is in it\n"
	"       atime           keep access times, as relatime does; noatime is the default\n"
	"       log_paths       name files in log lines by path, not by inode number alone\n"
	"       power=save      let processors sleep while requests come one behind the other\n"
	"       writeback=off   no writes that only the kernel knows of, at a price in speed\n"
	"  --help               this text\n"
	"\n"
	"Exit codes: 0 ok, 1 internal, 2 usage, 20 tampered, 21 older than allowed, 22 in use,\n"
	"23 newer format, 24 not a volume or wrong key, 25 full or read-only, 30 FUSE.\n";

enum {
	OPT_KEY = 256,
	OPT_CONTROL,
	OPT_CONTAINER,
	OPT_FUSE,
	OPT_POINT,
	OPT_READ_ONLY,
	OPT_GENERATION,
	OPT_OLDER,
	OPT_CACHE,
	OPT_SANDBOX,
	OPT_HELP
};

static const struct option table[] = {
	{ "key-fd", required_argument, NULL, OPT_KEY },
	{ "control-fd", required_argument, NULL, OPT_CONTROL },
	{ "container-fd", required_argument, NULL, OPT_CONTAINER },
	{ "fuse-fd", required_argument, NULL, OPT_FUSE },
	{ "mount-point", required_argument, NULL, OPT_POINT },
	{ "read-only", no_argument, NULL, OPT_READ_ONLY },
	{ "min-generation", required_argument, NULL, OPT_GENERATION },
	{ "accept-older", no_argument, NULL, OPT_OLDER },
	{ "cache-mib", required_argument, NULL, OPT_CACHE },
	{ "sandbox", required_argument, NULL, OPT_SANDBOX },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static bool number(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *out <= max;
}

static bool descriptor(const char *text, int *out)
{
	uint64_t n;

	if (!number(text, 65535, &n))
		return false;
	*out = (int)n;
	return true;
}

/* One word of -o. */
static bool take_word(struct options *o, const char *word)
{
	uint64_t n;

	if (strcmp(word, "atime") == 0 || strcmp(word, "noatime") == 0) {
		o->mount.atime = word[0] == 'a';
		return true;
	}
	if (strcmp(word, "log_paths") == 0) {
		o->mount.log_paths = true;
		return true;
	}
	if (strcmp(word, "power=save") == 0 || strcmp(word, "power=speed") == 0) {
		o->mount.save_power = word[7] == 'a';
		return true;
	}
	if (strncmp(word, "idle=", 5) == 0) {
		if (!number(word + 5, IDLE_S_MAX, &n))
			return false;
		o->idle_ms = n * 1000;
		return true;
	}
	if (strcmp(word, "writeback=off") != 0 && strcmp(word, "writeback=on") != 0)
		return false;
	o->mount.no_writeback = word[11] == 'f';
	return true;
}

static bool take_words(struct options *o, const char *list)
{
	char word[WORD_MAX];

	do {
		size_t len = strcspn(list, ",");

		if (len == 0 || len >= sizeof(word))
			return false;
		memcpy(word, list, len);
		word[len] = '\0';
		if (!take_word(o, word))
			return false;
		list += len;
	} while (*list++ == ',');
	return true;
}

static bool take(struct options *o, int option, const char *value)
{
	uint64_t n;

	switch (option) {
	case OPT_KEY:
		return descriptor(value, &o->key_fd);
	case OPT_CONTROL:
		return descriptor(value, &o->control_fd);
	case OPT_CONTAINER:
		return descriptor(value, &o->container_fd);
	case OPT_FUSE:
		return descriptor(value, &o->fuse_fd);
	case OPT_POINT:
		o->mount_point = value;
		return true;
	case OPT_READ_ONLY:
		o->read_only = true;
		return true;
	case OPT_OLDER:
		o->accept_older = true;
		return true;
	case OPT_GENERATION:
		return number(value, UINT64_MAX, &o->min_generation);
	case OPT_CACHE:
		if (!number(value, CACHE_MIB_MAX, &n) || n == 0)
			return false;
		o->cache_bytes = (size_t)n << 20;
		return true;
	case OPT_SANDBOX:
		return sandbox_mode_parse(&o->sandbox, value) == CV_OK;
	case OPT_HELP:
		o->help = true;
		return true;
	case 'o':
		return take_words(o, value);
	default:
		return false;
	}
}

enum cv_err volumed_options_parse(struct options *o, int argc, char **argv, struct volume_why *why)
{
	int option;

	*o = (struct options){ .key_fd = -1,
		.control_fd = -1,
		.container_fd = -1,
		.fuse_fd = -1,
		.sandbox = SANDBOX_BEST_EFFORT };
	opterr = 0;
	while ((option = getopt_long(argc, argv, "o:", table, NULL)) != -1) {
		const char *word = argv[optind - 1];

		if (!take(o, option, optarg))
			return why_set(why, CV_ERR_ARGUMENT, "usage: %s: not understood", word);
	}
	if (o->help)
		return CV_OK;
	if (optind < argc)
		return why_set(why, CV_ERR_ARGUMENT, "usage: %s: not understood", argv[optind]);
	if (o->key_fd < 0 || o->control_fd < 0 || o->container_fd < 0 || o->fuse_fd < 0)
		return why_set(why, CV_ERR_ARGUMENT,
			"usage: --key-fd, --control-fd, --container-fd and --fuse-fd are needed");
	return CV_OK;
}
