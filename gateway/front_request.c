#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <civetweb.h>

#include "gateway/front_conn.h"
#include "gateway/front_request.h"
#include "gateway/front_server.h"
#include "host/clock.h"
#include "host/log.h"
#include "protocol/message.h"

#define PROBLEM_MAX 512
#define HEAD_BUF 768
#define DISCARD_MAX 262144 /* of a body that is refused, so that the refusal is read */
#define KEEPER_GRACE_MS 1000 /* to write the answer */

static const char *status_text(unsigned int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 413:
		return "Content Too Large";
	case 415:
		return "Unsupported Media Type";
	case 503:
		return "Service Unavailable";
	default:
		return "Unknown";
	}
}

/* One write: one TLS record and one segment for all but the longest answers. */
static int send_answer(struct mg_connection *conn, const struct ipc_answer *a, bool close)
{
	size_t cap = HEAD_BUF + a->body_len;
	char *out = malloc(cap);
	int n, sent = -1;

	if (out == NULL)
		return -1;
	n = snprintf(out, HEAD_BUF,
		"HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		"Cache-Control: no-store\r\n%s%s%s%s%sConnection: %s\r\n\r\n",
		a->status, status_text(a->status), a->content_type, a->body_len, a->header_name,
		a->header_name[0] != '\0' ? ": " : "", a->header_value,
		a->header_name[0] != '\0' ? "\r\n" : "", a->status == 405 ? "Allow: POST\r\n" : "",
		close ? "close" : "keep-alive");
	if (n > 0 && n < HEAD_BUF) {
		memcpy(out + n, a->body, a->body_len);
		sent = mg_write(conn, out, (size_t)n + a->body_len);
	}
	free(out);
	return sent;
}

static void send_problem(struct mg_connection *conn, unsigned int status)
{
	const struct refusal refusal = {
		.status = status,
		.retry = status == 503 ? RETRY_LATER : RETRY_NO,
		.retry_after_s = status == 503 ? 1 : 0,
	};
	struct ipc_answer a = { .status = status, .content_type = "application/problem+json" };
	char body[PROBLEM_MAX];

	if (refusal_encode(body, sizeof(body), &a.body_len, &refusal, 0) != CV_OK)
		a.body_len = 0;
	a.body = (const uint8_t *)body;
	(void)send_answer(conn, &a, true);
}

void front_refuse(struct front *f, enum front_listener listener, struct mg_connection *conn,
	unsigned int status)
{
	struct front_conn *c = listener == FRONT_METRICS ? NULL : front_conn_self();

	if (c != NULL) {
		c->requests++;
		if (status != 503)
			front_budget_charge(&f->budget, c->peer, clock_monotonic_ms());
	}
	front_count(f, listener, status);
	mg_disable_connection_keep_alive(conn);
	send_problem(conn, status);
}

/* Reads what a refused client still sends, within its deadline: closing at once would reset. */
static void discard_body(struct mg_connection *conn, uint64_t len)
{
	char sink[4096];
	uint64_t got = 0;
	int n;

	while (got < len && got < DISCARD_MAX) {
		n = mg_read(conn, sink, sizeof(sink));
		if (n <= 0)
			return;
		got += (uint64_t)n;
	}
}

/* 0, or the status that refuses. */
static unsigned int read_body(
	struct mg_connection *conn, uint8_t *body, size_t len, uint64_t deadline_ms)
{
	size_t got = 0;

	while (got < len) {
		int n = mg_read(conn, body + got, len - got);

		if (n <= 0 || (got + (size_t)n < len && clock_monotonic_ms() >= deadline_ms))
			return 400;
		got += (size_t)n;
	}
	return 0;
}

static unsigned int ask_keeper(struct front *f, struct ipc_request *request,
	struct front_answer *answer, struct front_conn *c)
{
	uint64_t deadline = clock_monotonic_ms() + atomic_load(&f->keeper_timeout_ms);
	enum cv_err err;

	front_conn_deadline(c, deadline + KEEPER_GRACE_MS, true);
	err = front_pending_ask(f->pending, request, deadline, answer);
	if (err == CV_OK)
		return 0;
	log_debug("front: %s %s: keeper: %s", request->peer, request->target, cv_err_text(err));
	return 503;
}

static bool must_close(struct front *f, struct front_conn *c)
{
	return ++c->requests >= atomic_load(&f->requests_per_connection) ||
		atomic_load(&f->draining);
}

/* The keeper's own refusals that cost the address something. */
static bool is_failure(enum front_listener listener, unsigned int status)
{
	return status == 400 || status == 401 || (status == 403 && listener == FRONT_OPERATORS);
}

static unsigned int relay(struct front *f, enum front_listener listener,
	struct mg_connection *conn, struct ipc_request *request, struct front_conn *c)
{
	struct front_answer answer;
	unsigned int status = ask_keeper(f, request, &answer, c);
	bool close;

	if (status != 0)
		return status;
	close = must_close(f, c);
	if (close || send_answer(conn, &answer.head, false) < 0) {
		if (close)
			(void)send_answer(conn, &answer.head, true);
		mg_disable_connection_keep_alive(conn);
	}
	front_count(f, listener, answer.head.status);
	if (is_failure(listener, answer.head.status))
		front_budget_charge(&f->budget, c->peer, clock_monotonic_ms());
	free(answer.body);
	return 0;
}

static unsigned int serve(struct front *f, enum front_listener listener,
	struct mg_connection *conn, struct front_head *head, struct front_conn *c)
{
	uint64_t deadline = clock_monotonic_ms() + atomic_load(&f->request_timeout_ms);
	uint8_t *body = NULL;
	unsigned int status;

	front_conn_deadline(c, deadline, true);
	if (!front_budget_allows(&f->budget, c->peer, clock_monotonic_ms()))
		return 503;
	status = front_head_check(head, listener, mg_get_request_info(conn), f->fleet);
	if (status != 0)
		return status;
	body = malloc(head->body_len + 1);
	if (body == NULL)
		return 503;
	if (head->expect_continue)
		(void)mg_write(conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	status = read_body(conn, body, head->body_len, deadline);
	head->expect_continue = false;
	if (status == 0) {
		snprintf(head->request.peer, sizeof(head->request.peer), "%s", c->peer);
		head->request.body = body;
		head->request.body_len = head->body_len;
		head->body_len = 0; /* taken: nothing to discard */
		status = relay(f, listener, conn, &head->request, c);
	}
	free(body);
	return status;
}

int front_request(struct front *f, enum front_listener listener, struct mg_connection *conn)
{
	struct front_head *head = calloc(1, sizeof(*head));
	struct front_conn *c = front_conn_self();
	unsigned int status = 503;

	if (head != NULL && c != NULL)
		status = serve(f, listener, conn, head, c);
	if (status != 0) {
		front_refuse(f, listener, conn, status);
		/* who waits for "100 Continue" sends nothing more */
		if (head != NULL && !head->expect_continue)
			discard_body(conn, head->body_len);
	}
	free(head);
	if (c != NULL)
		front_conn_deadline(c, clock_monotonic_ms() + atomic_load(&f->keep_alive_ms) +
			atomic_load(&f->request_timeout_ms), false);
	return status != 0 ? (int)status : 200;
}
