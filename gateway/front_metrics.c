/* GET /healthz, /readyz, /metrics on the plain loopback listener. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <civetweb.h>

#include "gateway/front_conn.h"
#include "gateway/front_server.h"
#include "host/clock.h"
#include "protocol/json_get.h"

#define METRICS_MAX 262144
#define HEALTH_TIMEOUT_MS 1000

struct text {
	char buf[METRICS_MAX];
	size_t len;
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->buf + t->len, sizeof(t->buf) - t->len, format, args);
	va_end(args);
	if (n > 0 && (size_t)n < sizeof(t->buf) - t->len)
		t->len += (size_t)n;
	else
		t->buf[t->len] = '\0'; /* a line that does not fit is left out whole */
}

static void add_number(
	struct text *t, const char *name, const char *type, const char *help, uint64_t value)
{
	add(t, "# HELP conclave_%s %s\n# TYPE conclave_%s %s\nconclave_%s %" PRIu64 "\n", name,
		help, name, type, name, value);
}

static int respond(struct mg_connection *conn, int status, const char *type, const char *body)
{
	mg_printf(conn,
		"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		"Cache-Control: no-store\r\n%sConnection: close\r\n\r\n%s",
		status, status == 200 ? "OK" : "Refused", type, strlen(body),
		status == 405 ? "Allow: GET\r\n" : "", body);
	return status;
}

/* The keeper's numbers; NULL if it does not answer. */
static cJSON *ask_health(struct front *f)
{
	struct ipc_request *request = calloc(1, sizeof(*request));
	struct front_answer answer;
	cJSON *tree = NULL;

	if (request == NULL)
		return NULL;
	request->type = IPC_HEALTH;
	if (front_pending_ask(f->pending, request, clock_monotonic_ms() + HEALTH_TIMEOUT_MS,
		    &answer) == CV_OK) {
		if (answer.head.status != 200 || json_parse(&tree, (const char *)answer.body,
			    answer.head.body_len, IPC_ANSWER_BODY_MAX) != CV_OK)
			tree = NULL;
		free(answer.body);
	}
	free(request);
	return tree;
}

static const char *text_of(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return text != NULL ? text : "";
}

static double number_of(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* Which versions of which policies it goes by, a line each. */
static void ready_text(struct text *t, const cJSON *health)
{
	const cJSON *item;

	add(t, "ready\n");
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(health, "policies"))
	{
		add(t, "policy %s %.0f", text_of(item, "group"), number_of(item, "in_force"));
		if (number_of(item, "canary") > 0)
			add(t, " canary %.0f", number_of(item, "canary"));
		add(t, "\n");
	}
	if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(health, "fleet_frozen")))
		add(t, "fleet frozen\n");
}

/* NULL, with the text filled, if it is ready. */
static const char *not_ready(struct front *f, struct text *t)
{
	cJSON *health;
	const char *why = NULL;
	int writable = 0;

	if (atomic_load(&f->draining))
		return "draining\n";
	health = ask_health(f);
	if (health == NULL)
		why = "the keeper does not answer\n";
	else if (json_get_bool(health, "store_writable", &writable) != CV_OK || !writable)
		why = "the store cannot be written\n";
	else
		ready_text(t, health);
	json_free(health);
	return why;
}

static void add_front(struct text *t, struct front *f)
{
	static const char *const names[] = { "devices", "operators" };
	uint32_t open, busy;

	front_conn_count(&open, &busy);
	add_number(t, "front_connections", "gauge", "Connections that are open.", open);
	add_number(t, "front_requests_in_hand", "gauge", "Requests being worked on.", busy);
	add_number(t, "front_keeper_queue", "gauge", "Requests that wait for the keeper.",
		front_pending_count(f->pending));
	add_number(t, "front_handshakes_total", "counter", "TLS handshakes that were begun.",
		atomic_load(&f->handshakes));
	add_number(t, "front_handshakes_failed_total", "counter",
		"Connections that never made a request.", atomic_load(&f->failed_handshakes));
	add_number(t, "front_turned_away_total", "counter",
		"Connections of addresses without budget.", atomic_load(&f->turned_away));
	add_number(t, "front_expired_total", "counter", "Connections ended by their deadline.",
		atomic_load(&f->expired));
	pthread_rwlock_rdlock(&f->identity.lock);
	add_number(t, "tls_certificate_not_after_seconds", "gauge",
		"End of the TLS certificate's validity, seconds since 1970.",
		tls_not_after_s(f->identity.cert));
	pthread_rwlock_unlock(&f->identity.lock);
	add(t, "# HELP conclave_front_answers_total Answers by listener and status.\n"
	       "# TYPE conclave_front_answers_total counter\n");
	for (int l = 0; l < FRONT_METRICS; l++)
		for (int s = 0; s < FRONT_STATUSES - 1; s++)
			add(t,
				"conclave_front_answers_total{listener=\"%s\",status=\"%u\"} "
				"%lu\n",
				names[l], front_statuses[s], atomic_load(&f->answered[l][s]));
}

/* A member of the keeper's numbers: all are counters but those that can fall. */
static void add_member(struct text *t, const cJSON *item)
{
	static const char *const gauges[] = { "store_revision", "devices", "audit_seq", "queue",
		"clock_trusted", "uptime_ms", "reserve_left", "store_writable", "fleet_frozen",
		"policy_groups" };
	bool gauge = false;

	if (!cJSON_IsNumber(item) && !cJSON_IsBool(item))
		return;
	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
		gauge |= strcmp(item->string, gauges[i]) == 0;
	add(t, "# TYPE conclave_keeper_%s%s %s\nconclave_keeper_%s%s %.0f\n", item->string,
		gauge ? "" : "_total", gauge ? "gauge" : "counter", item->string,
		gauge ? "" : "_total", cJSON_IsNumber(item) ? item->valuedouble :
							      (double)cJSON_IsTrue(item));
}

static void add_keeper(struct text *t, const cJSON *health)
{
	const cJSON *item, *reasons = NULL, *sender;

	add_number(t, "keeper_up", "gauge", "The keeper answers.", health != NULL);
	cJSON_ArrayForEach(item, health)
		add_member(t, item);
	sender = cJSON_GetObjectItemCaseSensitive(health, "sender");
	if (cJSON_IsString(sender))
		add(t, "%s", sender->valuestring);
	if (health == NULL || json_get_object(health, "reasons", &reasons) != CV_OK)
		return;
	add(t, "# HELP conclave_keeper_verdicts_total Verdicts by reason.\n"
	       "# TYPE conclave_keeper_verdicts_total counter\n");
	cJSON_ArrayForEach(item, reasons)
		if (cJSON_IsNumber(item))
			add(t, "conclave_keeper_verdicts_total{reason=\"%s\"} %.0f\n", item->string,
				item->valuedouble);
}

static void add_policies(struct text *t, const cJSON *health)
{
	const cJSON *policies = cJSON_GetObjectItemCaseSensitive(health, "policies"), *item;

	add(t, "# HELP conclave_policy_version Version of a group's policy that is in force.\n"
	       "# TYPE conclave_policy_version gauge\n");
	cJSON_ArrayForEach(item, policies)
		add(t, "conclave_policy_version{group=\"%s\"} %.0f\n", text_of(item, "group"),
			number_of(item, "in_force"));
	add(t, "# HELP conclave_policy_canary_version The same of its canaries, 0 without any.\n"
	       "# TYPE conclave_policy_canary_version gauge\n");
	cJSON_ArrayForEach(item, policies)
		if (number_of(item, "canary") > 0)
			add(t, "conclave_policy_canary_version{group=\"%s\"} %.0f\n",
				text_of(item, "group"), number_of(item, "canary"));
}

static int metrics(struct front *f, struct mg_connection *conn)
{
	struct text *t = calloc(1, sizeof(*t));
	cJSON *health;
	int status;

	if (t == NULL)
		return respond(conn, 503, "text/plain; charset=utf-8", "no memory\n");
	health = ask_health(f);
	add_front(t, f);
	add_keeper(t, health);
	add_policies(t, health);
	json_free(health);
	status = respond(conn, 200, "text/plain; version=0.0.4; charset=utf-8", t->buf);
	free(t);
	return status;
}

static int readiness(struct front *f, struct mg_connection *conn, const char *type)
{
	struct text *t = calloc(1, sizeof(*t));
	const char *why = t == NULL ? "no memory\n" : not_ready(f, t);
	const int status = respond(conn, why == NULL ? 200 : 503, type, why == NULL ? t->buf : why);

	free(t);
	return status;
}

int front_metrics_request(struct front *f, struct mg_connection *conn)
{
	static const char type[] = "text/plain; charset=utf-8";
	const struct mg_request_info *info = mg_get_request_info(conn);

	mg_disable_connection_keep_alive(conn);
	if (strcmp(info->request_method, "GET") != 0)
		return respond(conn, 405, type, "only GET\n");
	if (strcmp(info->request_uri, "/healthz") == 0)
		return respond(conn, 200, type, "ok\n");
	if (strcmp(info->request_uri, "/metrics") == 0)
		return metrics(f, conn);
	if (strcmp(info->request_uri, "/readyz") != 0)
		return respond(conn, 404, type, "not found\n");
	return readiness(f, conn, type);
}
