/* Answers: made, kept back until the commit, queued while the front does not read. */
#include "gateway/keeper_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/log.h"

static struct keeper_packet *make_packet(struct keeper *k, const struct ipc_answer *answer)
{
	struct keeper_packet *p;
	size_t len = 0;

	if (ipc_answer_encode(k->encoded, IPC_PACKET_MAX, &len, answer) != CV_OK)
		return NULL;
	p = malloc(sizeof(*p) + len);
	if (p == NULL)
		return NULL;
	p->next = NULL;
	p->instead = NULL;
	p->len = len;
	memcpy(p->bytes, k->encoded, len);
	return p;
}

static void push(struct keeper_queue *q, struct keeper_packet *p)
{
	if (q->last == NULL)
		q->first = p;
	else
		q->last->next = p;
	q->last = p;
	q->count++;
}

static struct keeper_packet *pop(struct keeper_queue *q)
{
	struct keeper_packet *p = q->first;

	if (p == NULL)
		return NULL;
	q->first = p->next;
	if (q->first == NULL)
		q->last = NULL;
	q->count--;
	p->next = NULL;
	return p;
}

static void drop(struct keeper_packet *p)
{
	if (p == NULL)
		return;
	free(p->instead);
	free(p);
}

void keeper_queue_wipe(struct keeper_queue *q)
{
	struct keeper_packet *p;

	while ((p = pop(q)) != NULL)
		drop(p);
}

void keeper_flush(struct keeper *k)
{
	while (k->out.first != NULL) {
		const struct keeper_packet *p = k->out.first;

		/* A front that is gone does not miss its answers; the next one has other ids. */
		if (ipc_send(k->cfg->front_fd, p->bytes, p->len, false) == CV_ERR_BUSY)
			return;
		drop(pop(&k->out));
	}
}

void keeper_send(struct keeper *k, const struct ipc_answer *answer)
{
	struct keeper_packet *p = make_packet(k, answer);

	if (p == NULL) {
		log_error("answer: cannot be made: no memory or too long");
		return;
	}
	push(&k->out, p);
	keeper_flush(k);
}

enum cv_err keeper_defer(
	struct keeper *k, const struct ipc_answer *answer, const struct ipc_answer *instead)
{
	struct keeper_packet *p = make_packet(k, answer);

	if (p != NULL && instead != NULL) {
		p->instead = make_packet(k, instead);
		if (p->instead == NULL) {
			drop(p);
			p = NULL;
		}
	}
	if (p == NULL)
		return CV_ERR_MEMORY;
	push(&k->deferred, p);
	return CV_OK;
}

void keeper_release_deferred(struct keeper *k, bool committed)
{
	struct keeper_packet *p;

	while ((p = pop(&k->deferred)) != NULL) {
		struct keeper_packet *go = committed ? p : p->instead;

		if (committed) {
			free(p->instead);
			p->instead = NULL;
		} else {
			free(p);
		}
		if (go != NULL)
			push(&k->out, go);
	}
	keeper_flush(k);
}

enum cv_err keeper_device_answer(struct ipc_answer *out, struct keeper *k,
	const struct keeper_call *call, unsigned int status, const char *body, size_t len)
{
	const struct mac_scope scope = { k->cfg->fleet, k->cfg->gateway, call->rec->device };
	uint8_t mac[CV_MAC_BYTES];
	char header[MAC_RESPONSE_HEADER_BUF];
	enum cv_err err = mac_response(
		mac, call->rec->mac_key, &scope, call->request_mac, status, body, len);

	if (err == CV_OK)
		err = mac_response_header(header, mac);
	if (err != CV_OK)
		return err;
	memset(out, 0, sizeof(*out));
	out->id = call->request->id;
	out->status = status;
	snprintf(out->content_type, sizeof(out->content_type), "%s",
		status == 200 ? "application/json" : "application/problem+json");
	snprintf(out->header_name, sizeof(out->header_name), "%s", MAC_HEADER_NAME);
	snprintf(out->header_value, sizeof(out->header_value), "%s", header);
	out->body = (const uint8_t *)body;
	out->body_len = len;
	return CV_OK;
}
