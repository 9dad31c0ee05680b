#include "provisioning/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/log.h"
#include "protocol/id.h"

static const struct option_spec common_options[] = {
	{"fleet", OPTION_TEXT, "DIR",
		"the fleet's directory (else $CONCLAVE_FLEET, ./conclave-fleet)"},
	{"operator", OPTION_TEXT, "NAME", "who acts (else $CONCLAVE_OPERATOR, admin)"},
	{"passphrase-fd", OPTION_TEXT, "N", "read the passphrase of the keys from descriptor N"},
	{"json", OPTION_FLAG, NULL, "print one JSON object for scripts"},
	{"help", OPTION_FLAG, NULL, "show this and exit"},
};
#define COMMON_COUNT (sizeof(common_options) / sizeof(common_options[0]))
_Static_assert(COMMON_COUNT <= 8, "struct context holds 8");

struct found {
	const struct option_spec *spec;
	struct option_value *value;
};

static struct found find_option(struct context *ctx, const char *name, size_t len)
{
	const struct verb *v = ctx->verb;

	for (size_t i = 0; i < v->option_count; i++)
		if (strlen(v->options[i].name) == len && memcmp(v->options[i].name, name, len) == 0)
			return (struct found){&v->options[i], &ctx->values[i]};
	for (size_t i = 0; i < COMMON_COUNT; i++)
		if (strlen(common_options[i].name) == len &&
			memcmp(common_options[i].name, name, len) == 0)
			return (struct found){&common_options[i], &ctx->common[i]};
	return (struct found){NULL, NULL};
}

static const struct option_value *value_of(const struct context *ctx, const char *name)
{
	/* find_option only hands out pointers into ctx; it changes nothing */
	struct found f = find_option((struct context *)ctx, name, strlen(name));

	return f.value;
}

static enum cv_err usage_error(const struct verb *v, const char *problem, const char *what)
{
	log_error("%s%s%s: %s: %s; try --help", v->noun != NULL ? v->noun : "",
		v->noun != NULL ? " " : "", v->name, problem, what);
	return CV_ERR_ARGUMENT;
}

/* argv[*i] starts with two dashes; *i moves over a value of its own. */
static enum cv_err take_option(struct context *ctx, int argc, char **argv, int *i)
{
	const char *text = argv[*i] + 2;
	size_t len = strcspn(text, "=");
	struct found f = find_option(ctx, text, len);

	if (f.spec == NULL)
		return usage_error(ctx->verb, "unknown option", argv[*i]);
	if (f.spec->kind == OPTION_FLAG && text[len] == '=')
		return usage_error(ctx->verb, "takes no value", f.spec->name);
	if (f.value->count == (f.spec->kind == OPTION_LIST ? (size_t)VERB_REPEAT_MAX : 1u))
		return usage_error(ctx->verb, "given too often", f.spec->name);
	if (f.spec->kind == OPTION_FLAG)
		text = "";
	else if (text[len] == '=')
		text += len + 1;
	else if (*i + 1 < argc)
		text = argv[++*i];
	else
		return usage_error(ctx->verb, "needs a value", f.spec->name);
	f.value->text[f.value->count++] = text;
	return CV_OK;
}

enum cv_err options_parse(struct context *ctx, int argc, char **argv, bool *help)
{
	bool only_args = false;
	enum cv_err err;

	*help = false;
	for (int i = 0; i < argc; i++) {
		if (!only_args && strcmp(argv[i], "--") == 0) {
			only_args = true;
		} else if (!only_args && strcmp(argv[i], "-h") == 0) {
			*help = true;
		} else if (!only_args && strncmp(argv[i], "--", 2) == 0) {
			err = take_option(ctx, argc, argv, &i);
			if (err != CV_OK)
				return err;
		} else if (ctx->arg_count < ctx->verb->args_max) {
			ctx->args[ctx->arg_count++] = argv[i];
		} else {
			return usage_error(ctx->verb, "one argument too many", argv[i]);
		}
	}
	*help = *help || option_flag(ctx, "help");
	ctx->json = option_flag(ctx, "json");
	if (!*help && ctx->arg_count < ctx->verb->args_min)
		return usage_error(ctx->verb, "arguments are missing", ctx->verb->args);
	return CV_OK;
}

bool option_flag(const struct context *ctx, const char *name)
{
	const struct option_value *v = value_of(ctx, name);

	return v != NULL && v->count > 0;
}

const char *option_text(const struct context *ctx, const char *name)
{
	const struct option_value *v = value_of(ctx, name);

	return v != NULL && v->count > 0 ? v->text[0] : NULL;
}

const struct option_value *option_list(const struct context *ctx, const char *name)
{
	static const struct option_value none;
	const struct option_value *v = value_of(ctx, name);

	return v != NULL ? v : &none;
}

/* Digits only; *end points behind them. */
static enum cv_err parse_digits(const char *text, uint64_t *out, const char **end)
{
	uint64_t value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (value > (UINT64_MAX - 9) / 10)
			return CV_ERR_RANGE;
		value = value * 10 + (uint64_t)(*p - '0');
	}
	if (p == text)
		return CV_ERR_FORMAT;
	*out = value;
	*end = p;
	return CV_OK;
}

enum cv_err option_uint(
	const struct context *ctx, const char *name, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *text = option_text(ctx, name);
	const char *end = NULL;
	uint64_t value = 0;

	if (text == NULL)
		return CV_OK;
	if (parse_digits(text, &value, &end) != CV_OK || *end != '\0' || value < min ||
		value > max) {
		log_error("--%s: %s: not a number from %llu to %llu", name, text,
			(unsigned long long)min, (unsigned long long)max);
		return CV_ERR_ARGUMENT;
	}
	*out = value;
	return CV_OK;
}

enum cv_err option_size(const struct context *ctx, const char *name, uint64_t *out)
{
	static const struct {
		const char *suffix;
		unsigned shift;
	} units[] = {{"", 0}, {"K", 10}, {"KiB", 10}, {"M", 20}, {"MiB", 20}, {"G", 30},
		{"GiB", 30}, {"T", 40}, {"TiB", 40}};
	const char *text = option_text(ctx, name);
	const char *end = NULL;
	uint64_t value = 0;

	if (text == NULL)
		return CV_OK;
	if (parse_digits(text, &value, &end) == CV_OK)
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
			if (strcmp(end, units[i].suffix) == 0 &&
				value <= UINT64_MAX >> units[i].shift) {
				*out = value << units[i].shift;
				return CV_OK;
			}
	log_error("--%s: %s: not a size (4096, 64KiB, 8MiB, 2GiB)", name, text);
	return CV_ERR_ARGUMENT;
}

enum cv_err option_fd(const struct context *ctx, const char *name, int *fd)
{
	uint64_t value = 0;
	enum cv_err err;

	*fd = -1;
	if (option_text(ctx, name) == NULL)
		return CV_OK;
	err = option_uint(ctx, name, 0, 65535, &value);
	if (err != CV_OK)
		return err;
	if (fcntl((int)value, F_GETFD) < 0) {
		log_error("--%s: descriptor %d: %s", name, (int)value, strerror(errno));
		return CV_ERR_ARGUMENT;
	}
	*fd = (int)value;
	return CV_OK;
}

enum cv_err option_id(const struct context *ctx, const char *name, char out[CV_ID_BUF])
{
	const char *text = option_text(ctx, name);

	if (text == NULL)
		return CV_OK;
	if (id_copy(out, text, strlen(text)) == CV_OK)
		return CV_OK;
	log_error("--%s: %s: 1 to 63 of a-z, 0-9 and -", name, text);
	return CV_ERR_ARGUMENT;
}

enum cv_err arg_id(const struct context *ctx, size_t index, const char *what)
{
	const char *text = index < ctx->arg_count ? ctx->args[index] : "";

	if (id_valid(text, strlen(text)))
		return CV_OK;
	log_error("%s: %s: an id has 1 to 63 of a-z, 0-9 and -, and does not start with -", what,
		text);
	return CV_ERR_ARGUMENT;
}

static void print_option(const struct option_spec *o)
{
	char left[64];

	snprintf(left, sizeof(left), "--%s%s%s", o->name, o->value != NULL ? " " : "",
		o->value != NULL ? o->value : "");
	printf("  %-26s %s%s\n", left, o->help,
		o->kind == OPTION_LIST ? " (may be given several times)" : "");
}

void options_print_help(const struct verb *v)
{
	printf("conclave %s%s%s%s%s [OPTION...]\n\n%s\n\n", v->noun != NULL ? v->noun : "",
		v->noun != NULL ? " " : "", v->name, v->args[0] != '\0' ? " " : "", v->args,
		v->summary);
	for (size_t i = 0; i < v->option_count; i++)
		print_option(&v->options[i]);
	for (size_t i = 0; i < COMMON_COUNT; i++)
		print_option(&common_options[i]);
}

static bool is_of(const struct verb *v, const char *noun)
{
	return noun == NULL || (v->noun != NULL && strcmp(v->noun, noun) == 0);
}

bool options_is_noun(const char *word)
{
	for (size_t i = 0; verbs[i] != NULL; i++)
		if (is_of(verbs[i], word))
			return true;
	return false;
}

void options_print_overview(const char *noun)
{
	printf("conclave: an operator's tool for fleets, gateways, devices and volumes\n\n");
	for (size_t i = 0; verbs[i] != NULL; i++) {
		const struct verb *v = verbs[i];
		size_t line = strcspn(v->summary, "\n");
		char left[64];

		if (!is_of(v, noun))
			continue;
		snprintf(left, sizeof(left), "%s%s%s%s%s", v->noun != NULL ? v->noun : "",
			v->noun != NULL ? " " : "", v->name, v->args[0] != '\0' ? " " : "",
			v->args);
		printf("  %-34s %.*s\n", left, (int)line, v->summary);
	}
	printf("\n`conclave NOUN VERB --help` tells more. Exit codes and files: conclave(1).\n");
}

void say(const struct context *ctx, const char *format, ...)
{
	va_list args;

	if (ctx->json)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	fputc('\n', stdout);
	fflush(stdout);
}
