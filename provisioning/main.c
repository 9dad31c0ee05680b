/* `conclave`: finds the verb and runs it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "host/exit_code.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/crypto.h"
#include "provisioning/options.h"
#include "provisioning/verb.h"

/* The number of words that name the verb, 0 if they do not. */
static int verb_words(const struct verb *v, int argc, char **argv)
{
	if (v->noun == NULL)
		return strcmp(argv[1], v->name) == 0 ? 1 : 0;
	return argc > 2 && strcmp(argv[1], v->noun) == 0 && strcmp(argv[2], v->name) == 0 ? 2 : 0;
}

static const struct verb *find_verb(int argc, char **argv, int *words)
{
	for (size_t i = 0; verbs[i] != NULL; i++) {
		*words = verb_words(verbs[i], argc, argv);
		if (*words > 0)
			return verbs[i];
	}
	return NULL;
}

static int run_verb(const struct verb *v, int argc, char **argv)
{
	struct context ctx = {.verb = v};
	bool help = false;
	enum cv_err err = options_parse(&ctx, argc, argv, &help);

	if (err != CV_OK)
		return exit_code_of(err);
	if (help) {
		options_print_help(v);
		return EXIT_CODE_OK;
	}
	ctx.result = cJSON_CreateObject();
	if (ctx.result == NULL)
		return EXIT_CODE_INTERNAL;
	err = v->run(&ctx);
	if (ctx.json) {
		char *text;

		cJSON_AddBoolToObject(ctx.result, "ok", err == CV_OK);
		cJSON_AddNumberToObject(ctx.result, "exit", exit_code_of(err));
		text = cJSON_PrintUnformatted(ctx.result);
		if (text == NULL || printf("%s\n", text) < 0 || fflush(stdout) != 0)
			err = err == CV_OK ? CV_ERR_IO : err;
		cJSON_free(text);
	}
	cJSON_Delete(ctx.result);
	return exit_code_of(err);
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int main(int argc, char **argv)
{
	const struct verb *v;
	int words = 0;

	log_init("conclave");
	if (argc < 2 || is_help(argv[1])) {
		options_print_overview(NULL);
		return argc < 2 ? EXIT_CODE_USAGE : EXIT_CODE_OK;
	}
	if (argc > 2 && options_is_noun(argv[1]) && is_help(argv[2])) {
		options_print_overview(argv[1]);
		return EXIT_CODE_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("conclave %s\n", CONCLAVE_VERSION);
		return EXIT_CODE_OK;
	}
	v = find_verb(argc, argv, &words);
	if (v == NULL) {
		if (options_is_noun(argv[1]))
			log_error("%s command: %s%s%s: see conclave %s --help",
				argc > 2 ? "unknown" : "incomplete", argv[1], argc > 2 ? " " : "",
				argc > 2 ? argv[2] : "", argv[1]);
		else
			log_error("unknown command: %s: see conclave --help", argv[1]);
		return EXIT_CODE_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	if (secret_process_init() != CV_OK) {
		log_error("secret memory: %s", secret_last_error());
		return EXIT_CODE_INTERNAL;
	}
	if (crypto_init() != CV_OK) {
		log_error("cryptography: the libraries did not start: is RLIMIT_MEMLOCK (ulimit "
			  "-l) at least 8 MiB?");
		return EXIT_CODE_INTERNAL;
	}
	return run_verb(v, argc - 1 - words, argv + 1 + words);
}
