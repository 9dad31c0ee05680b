#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "device/control.h"
#include "device/last.h"
#include "device/options.h"
#include "device/report.h"
#include "device/verb.h"
#include "host/exit_code.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/json_get.h"

#define USAGE "status [--offline] [--json]"

/* "mount": what the watcher says, or null. */
static void add_mount(cJSON *doc, const struct options *o)
{
	char text[CONTROL_TEXT_MAX];
	int code = 0;
	cJSON *mount = NULL;

	if (control_ask(&code, text, o->run_dir, "status") == CV_OK && code == EXIT_CODE_OK)
		mount = cJSON_Parse(text);
	cJSON_AddItemToObject(doc, "mount", mount != NULL ? mount : cJSON_CreateNull());
}

static void add_last(cJSON *doc, const struct options *o)
{
	struct cJSON *last = NULL;

	if (last_read(&last, o->state_dir) != CV_OK)
		last = cJSON_CreateNull();
	cJSON_AddItemToObject(doc, "last_unlock", last);
}

static void add_gateways(cJSON *doc, const struct identity *id, const struct report_status *status)
{
	cJSON *list = cJSON_AddArrayToObject(doc, "gateways");

	for (size_t i = 0; i < id->share_set.count; i++) {
		cJSON *g = cJSON_CreateObject();

		cJSON_AddItemToArray(list, g);
		cJSON_AddStringToObject(g, "gateway", id->share_set.members[i].gateway);
		cJSON_AddStringToObject(g, "address", id->addresses[i]);
		if (status == NULL)
			continue;
		cJSON_AddBoolToObject(g, "answered", status[i].answered);
		if (!status[i].answered) {
			cJSON_AddStringToObject(g, "result", status[i].detail);
			continue;
		}
		cJSON_AddStringToObject(g, "state", device_state_name(status[i].answer.state));
		cJSON_AddNumberToObject(
			g, "policy_version", (double)status[i].answer.policy_version);
		cJSON_AddNumberToObject(g, "lease_seconds", status[i].answer.lease_s);
		cJSON_AddNumberToObject(
			g, "store_revision", (double)status[i].answer.store_revision);
	}
}

static const char *text_of(const cJSON *object, const char *name, const char *fallback)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsString(item) ? item->valuestring : fallback;
}

static double number_of(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static void print_last(const cJSON *last)
{
	const cJSON *steps = cJSON_GetObjectItemCaseSensitive(last, "steps_us");
	const cJSON *step;

	if (!cJSON_IsObject(last)) {
		printf("last unlock  none\n");
		return;
	}
	printf("last unlock  %s: %s, attempt %.0f\n", text_of(last, "time", "?"),
		number_of(last, "exit_code") == 0 ? "ok" : text_of(last, "outcome", "?"),
		number_of(last, "attempts"));
	printf("steps       ");
	cJSON_ArrayForEach(step, steps)
		printf(" %s %.1f ms%s", step->string, step->valuedouble / 1000,
			step->next != NULL ? "," : "\n");
}

static void print_gateway(const cJSON *g)
{
	const cJSON *answered = cJSON_GetObjectItemCaseSensitive(g, "answered");

	printf("gateway %-12s %-24s ", text_of(g, "gateway", "?"), text_of(g, "address", "?"));
	if (answered == NULL)
		printf("not asked\n");
	else if (cJSON_IsTrue(answered))
		printf("%s, policy %.0f\n", text_of(g, "state", "?"),
			number_of(g, "policy_version"));
	else
		printf("%s\n", text_of(g, "result", "?"));
}

static double mib(const cJSON *object, const char *name)
{
	return number_of(object, name) / (1 << 20);
}

static void print_volume(const cJSON *v)
{
	const cJSON *cache = cJSON_GetObjectItemCaseSensitive(v, "cache");
	const cJSON *kind;
	double hits = number_of(cache, "hits");
	double all = hits + number_of(cache, "misses");

	printf("volume       %.1f of %.1f MiB used, %.1f MiB free, %.0f objects, generation %.0f%s\n",
		mib(v, "used"), mib(v, "size"), mib(v, "free"), number_of(v, "objects"),
		number_of(v, "generation"),
		cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(v, "frozen")) ?
			", FROZEN read-only after an error" :
			"");
	printf("done        ");
	cJSON_ArrayForEach(kind, cJSON_GetObjectItemCaseSensitive(v, "requests"))
		printf(" %s %.0f,", kind->string, kind->valuedouble);
	printf(" checkpoints %.0f\n", number_of(v, "checkpoints"));
	printf("bytes        %.1f MiB read, %.1f MiB written, unused for %.0f s\n",
		mib(v, "bytes_read"), mib(v, "bytes_written"), number_of(v, "idle_s"));
	printf("node cache   %.1f %% hits, %.0f of %.0f nodes\n", all > 0 ? hits * 100 / all : 100,
		number_of(cache, "nodes"), number_of(cache, "nodes_max"));
	printf("errors       %.0f I/O, %.0f of them damage; full %.0f times\n",
		number_of(v, "io_errors"), number_of(v, "tampered"), number_of(v, "no_space"));
	if (text_of(v, "last_error", NULL) != NULL)
		printf("last error   %s\n", text_of(v, "last_error", NULL));
}

static void print_text(const cJSON *doc)
{
	const cJSON *mount = cJSON_GetObjectItemCaseSensitive(doc, "mount");
	const cJSON *volume = cJSON_GetObjectItemCaseSensitive(mount, "volume");
	const cJSON *g;

	if (text_of(doc, "device", NULL) != NULL)
		printf("device       %s of fleet %s, %.0f of %d gateways unlock it, epoch %.0f\n",
			text_of(doc, "device", "?"), text_of(doc, "fleet", "?"),
			number_of(doc, "threshold"),
			cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(doc, "gateways")),
			number_of(doc, "epoch"));
	if (cJSON_IsObject(mount))
		printf("mounted      %s from %s, for %.0f s\n", text_of(mount, "mount_point", "?"),
			text_of(mount, "container", "?"), number_of(mount, "mounted_s"));
	else
		printf("mounted      no\n");
	if (cJSON_IsObject(volume))
		print_volume(volume);
	if (text_of(doc, "device", NULL) != NULL)
		print_last(cJSON_GetObjectItemCaseSensitive(doc, "last_unlock"));
	cJSON_ArrayForEach(g, cJSON_GetObjectItemCaseSensitive(doc, "gateways"))
		print_gateway(g);
}

static enum cv_err ask_gateways(const struct identity *id, struct report_status *status)
{
	struct transport *t = NULL;
	enum cv_err err = transport_open(&t, id);

	if (err == CV_OK)
		err = report_ask_status(t, id, status);
	transport_close(t);
	return err;
}

static enum cv_err add_device(cJSON *doc, const struct options *o, struct identity *id)
{
	struct report_status status[CV_MEMBERS_MAX];
	enum cv_err err = o->offline ? CV_OK : ask_gateways(id, status);

	cJSON_AddStringToObject(doc, "fleet", id->fleet);
	cJSON_AddStringToObject(doc, "device", id->device);
	cJSON_AddStringToObject(doc, "trust_class", id->trust_class);
	cJSON_AddNumberToObject(doc, "epoch", id->share_set.epoch);
	cJSON_AddNumberToObject(doc, "threshold", id->share_set.threshold);
	add_last(doc, o);
	add_gateways(doc, id, err == CV_OK && !o->offline ? status : NULL);
	return err;
}

/* `id` is NULL where no device is installed. */
static enum cv_err run(const struct options *o, struct identity *id)
{
	cJSON *doc = cJSON_CreateObject();
	enum cv_err err = CV_OK;
	char *text;

	add_mount(doc, o);
	if (id != NULL)
		err = add_device(doc, o, id);
	text = o->json ? cJSON_Print(doc) : NULL;
	if (text != NULL)
		printf("%s\n", text);
	else
		print_text(doc);
	cJSON_free(text);
	cJSON_Delete(doc);
	if (err != CV_OK)
		log_error("status: %s", cv_err_text(err));
	return err;
}

/* A volume that was opened by its recovery code, on a machine that is no device. */
static bool is_mount_alone(const struct options *o)
{
	char text[CONTROL_TEXT_MAX];
	char path[PATH_MAX];
	int code;

	(void)snprintf(path, sizeof(path), "%s/device.json", o->state_dir);
	return access(path, F_OK) != 0 && errno == ENOENT &&
	       control_ask(&code, text, o->run_dir, "status") == CV_OK;
}

int verb_status(int argc, char **argv)
{
	struct options o;
	struct identity *id = NULL;
	bool help;
	enum cv_err err =
		options_parse(&o, argc, argv, OPTION_OFFLINE | OPTION_JSON, USAGE, &help);

	if (help)
		return EXIT_CODE_OK;
	if (err == CV_OK && o.word_count != 0) {
		log_error("status: usage: conclave-device %s", USAGE);
		err = CV_ERR_ARGUMENT;
	}
	if (err != CV_OK)
		return EXIT_CODE_USAGE;
	if (is_mount_alone(&o))
		return exit_code_of(run(&o, NULL));
	id = secret_alloc(sizeof(*id));
	if (id == NULL) {
		log_error("memory: %s", secret_last_error());
		return EXIT_CODE_INTERNAL;
	}
	err = o.offline ? identity_load_public(id, o.state_dir) : identity_load(id, o.state_dir);
	if (err == CV_OK)
		err = run(&o, id);
	identity_wipe(id);
	secret_free(id);
	return exit_code_of(err);
}
