#include "bench/load_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/measure.h"
#include "host/clock.h"
#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/hpke.h"
#include "protocol/lp.h"
#include "protocol/mac.h"
#include "protocol/message.h"

#define ANSWER_MAX 8192

const char *load_fault_name(enum load_fault fault)
{
	static const char *const names[LOAD_FAULTS_] = {"ok", "connect", "tls", "http", "status",
		"mac", "message", "share"};

	return (unsigned)fault < LOAD_FAULTS_ ? names[fault] : "unknown";
}

SSL_CTX *load_client_tls(const char *ca_file)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	MUST(!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION));
	MUST(!SSL_CTX_set1_groups_list(ctx, "X25519"));
	MUST(!SSL_CTX_load_verify_locations(ctx, ca_file, NULL));
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return ctx;
}

static enum load_fault tls_connect(SSL **out, const struct load_target *target)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL *ssl = NULL;

	if (fd < 0 ||
		connect(fd, (const struct sockaddr *)&target->address,
			sizeof(target->address)) != 0) {
		if (fd >= 0)
			close(fd);
		return LOAD_CONNECT;
	}
	ssl = SSL_new(target->tls);
	MUST(!ssl || !SSL_set_fd(ssl, fd) || !SSL_set_tlsext_host_name(ssl, target->name) ||
		!SSL_set1_host(ssl, target->name));
	if (SSL_connect(ssl) != 1) {
		SSL_free(ssl);
		close(fd);
		return LOAD_TLS;
	}
	*out = ssl;
	return LOAD_OK;
}

static void tls_close(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}

enum load_fault load_handshake(const struct load_target *target)
{
	SSL *ssl = NULL;
	enum load_fault fault = tls_connect(&ssl, target);

	if (!fault)
		tls_close(ssl);
	return fault;
}

struct exchange {
	const struct load_target *target;
	const struct load_device *device;
	SSL *ssl;
	uint8_t request_mac[CV_MAC_BYTES];
	char buffer[ANSWER_MAX];
	char *body; /* of the answer, inside buffer */
	size_t body_len;
};

static struct mac_scope scope_of(const struct exchange *x)
{
	return (struct mac_scope){x->target->fleet, x->target->gateway, x->device->id};
}

static enum load_fault send_request(
	struct exchange *x, const char *path, const char *body, size_t len)
{
	char packet[CV_BODY_MAX + 1024], header[MAC_REQUEST_HEADER_BUF];
	struct mac_scope scope = scope_of(x);
	int n;

	MUST(mac_request(x->request_mac, x->device->mac_key, &scope, "POST", path, body, len));
	MUST(mac_request_header(header, x->device->id, x->request_mac));
	n = snprintf(packet, sizeof(packet),
		"POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n" MAC_HEADER_NAME ": %s\r\n\r\n",
		path, x->target->name, len, header);
	MUST(n < 0 || (size_t)n + len > sizeof(packet));
	memcpy(packet + n, body, len);
	return SSL_write(x->ssl, packet, n + (int)len) == n + (int)len ? LOAD_OK : LOAD_HTTP;
}

/* The value of a header, up to the end of its line; NULL if it is not there. */
static const char *find_header(const char *head, const char *name, size_t *len)
{
	size_t name_len = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
		const char *at = line + 2;

		if (strncasecmp(at, name, name_len) == 0 && at[name_len] == ':') {
			at += name_len + 1;
			at += strspn(at, " ");
			*len = strcspn(at, "\r");
			return at;
		}
	}
	return NULL;
}

static enum load_fault read_answer(struct exchange *x, unsigned *status, size_t *head_len)
{
	size_t have = 0, want = 0, len = 0;
	char *end = NULL;

	while (!end || have < want) {
		int n = SSL_read(x->ssl, x->buffer + have, (int)(sizeof(x->buffer) - 1 - have));
		const char *value;

		if (n <= 0)
			return LOAD_HTTP;
		have += (size_t)n;
		x->buffer[have] = 0;
		if (end || !(end = strstr(x->buffer, "\r\n\r\n")))
			continue;
		value = find_header(x->buffer, "Content-Length", &len);
		*head_len = (size_t)(end - x->buffer) + 4;
		x->body_len = value ? strtoul(value, NULL, 10) : 0;
		want = *head_len + x->body_len;
		if (!value || want >= sizeof(x->buffer))
			return LOAD_HTTP;
	}
	x->body = x->buffer + *head_len;
	return sscanf(x->buffer, "HTTP/1.1 %3u", status) == 1 ? LOAD_OK : LOAD_HTTP;
}

static enum load_fault check_answer(struct exchange *x, unsigned status)
{
	uint8_t mac[CV_MAC_BYTES], want[CV_MAC_BYTES];
	struct mac_scope scope = scope_of(x);
	const char *value;
	size_t len = 0;

	value = find_header(x->buffer, MAC_HEADER_NAME, &len);
	if (status != 200)
		return LOAD_STATUS;
	if (!value || mac_response_header_parse(value, len, mac) != CV_OK ||
		mac_response(want, x->device->mac_key, &scope, x->request_mac, status, x->body,
			x->body_len) != CV_OK ||
		!crypto_equal(mac, want, sizeof(mac)))
		return LOAD_MAC;
	return LOAD_OK;
}

static enum load_fault ask(struct exchange *x, const char *path, const char *body, size_t len)
{
	enum load_fault fault = send_request(x, path, body, len);
	unsigned status = 0;
	size_t head_len = 0;

	if (!fault)
		fault = read_answer(x, &status, &head_len);
	return fault ? fault : check_answer(x, status);
}

static enum load_fault ask_nonce(struct exchange *x, uint8_t nonce[CV_NONCE_BYTES])
{
	struct nonce_request request = {.epoch = LOAD_EPOCH};
	struct nonce_answer answer;
	enum load_fault fault;
	char body[512];
	size_t len = 0;

	MUST(crypto_random(request.request_id, sizeof(request.request_id)));
	memcpy(request.volume_id, x->device->volume_id, sizeof(request.volume_id));
	memcpy(request.boot_id, x->device->boot_id, sizeof(request.boot_id));
	MUST(nonce_request_encode(body, sizeof(body), &len, &request));
	fault = ask(x, MESSAGE_TARGET_NONCE, body, len);
	if (fault)
		return fault;
	if (nonce_answer_decode(&answer, x->body, x->body_len) != CV_OK)
		return LOAD_MESSAGE;
	memcpy(nonce, answer.nonce, CV_NONCE_BYTES);
	return LOAD_OK;
}

/* Everything in the token is made here and now: it is signed over a nonce that is just here. */
static void make_token(char token[CV_EVIDENCE_MAX + 1], size_t *len,
	const struct load_device *d, const uint8_t nonce[CV_NONCE_BYTES])
{
	struct jws_signer signer = jws_key_signer(d->attest_private);
	struct evidence ev = {.purpose = EVIDENCE_UNLOCK, .epoch = LOAD_EPOCH, .nonce_count = 1};
	char work[CV_EVIDENCE_MAX];

	memcpy(ev.ueid, d->ueid, sizeof(ev.ueid));
	memcpy(ev.volume_id, d->volume_id, sizeof(ev.volume_id));
	memcpy(ev.share_set_hash, d->share_set_hash, sizeof(ev.share_set_hash));
	memcpy(ev.boot_key, d->boot_public, sizeof(ev.boot_key));
	memcpy(ev.nonces[0], nonce, CV_NONCE_BYTES);
	memcpy(ev.platform.boot_id, d->boot_id, sizeof(d->boot_id));
	strcpy(ev.platform.swname, "conclave-device");
	strcpy(ev.platform.swversion, CONCLAVE_VERSION);
	ev.platform.uptime_s = clock_uptime_s();
	ev.platform.dbgstat = EVIDENCE_DEBUG_DISABLED;
	ev.platform.digest_count = 1;
	strcpy(ev.platform.digests[0].name, "kernel");
	MUST(hex_decode(ev.platform.digests[0].value, CV_HASH_BYTES, LOAD_KERNEL_DIGEST_HEX,
		2 * CV_HASH_BYTES));
	MUST(evidence_encode(token, CV_EVIDENCE_MAX + 1, len, &ev, &signer, work, sizeof(work)));
}

static enum load_fault open_share(const struct exchange *x,
	const struct authorize_answer *answer, const uint8_t nonce[CV_NONCE_BYTES])
{
	uint8_t info[512], aad[256], share[CV_SECRET_BYTES];
	struct hpke_context_info ci = {info, 0, aad, 0};
	const struct load_device *d = x->device;
	struct lp lp;

	lp_begin(&lp, info, sizeof(info), "conclave-share-v1");
	lp_text(&lp, x->target->fleet);
	lp_text(&lp, x->target->gateway);
	lp_text(&lp, d->id);
	lp_bytes(&lp, d->volume_id, sizeof(d->volume_id));
	lp_u64(&lp, LOAD_EPOCH);
	MUST(lp_end(&lp, &ci.info_len));
	lp_begin(&lp, aad, sizeof(aad), "conclave-share-aad-v1");
	lp_bytes(&lp, nonce, CV_NONCE_BYTES);
	lp_u64(&lp, LOAD_X);
	lp_bytes(&lp, d->share_set_hash, sizeof(d->share_set_hash));
	MUST(lp_end(&lp, &ci.aad_len));
	if (hpke_open(share, d->boot_private, &ci, answer->sealed_share,
		    sizeof(answer->sealed_share)) != CV_OK ||
		!crypto_equal(share, d->share, sizeof(share)))
		return LOAD_SHARE;
	return LOAD_OK;
}

static enum load_fault ask_share(
	struct exchange *x, const uint8_t nonce[CV_NONCE_BYTES], bool open)
{
	char token[CV_EVIDENCE_MAX + 1], body[CV_BODY_MAX];
	struct authorize_request request = {.epoch = LOAD_EPOCH, .evidence = token};
	struct authorize_answer answer;
	enum load_fault fault;
	size_t len = 0;

	make_token(token, &request.evidence_len, x->device, nonce);
	MUST(crypto_random(request.request_id, sizeof(request.request_id)));
	memcpy(request.volume_id, x->device->volume_id, sizeof(request.volume_id));
	memcpy(request.nonce, nonce, CV_NONCE_BYTES);
	MUST(authorize_request_encode(body, sizeof(body), &len, &request));
	fault = ask(x, MESSAGE_TARGET_AUTHORIZE, body, len);
	if (fault)
		return fault;
	if (authorize_answer_decode(&answer, x->body, x->body_len) != CV_OK)
		return LOAD_MESSAGE;
	return open ? open_share(x, &answer, nonce) : LOAD_OK;
}

enum load_fault load_release(
	const struct load_target *target, const struct load_device *device, bool open)
{
	struct exchange x = {.target = target, .device = device};
	uint8_t nonce[CV_NONCE_BYTES];
	enum load_fault fault = tls_connect(&x.ssl, target);

	if (fault)
		return fault;
	fault = ask_nonce(&x, nonce);
	if (!fault)
		fault = ask_share(&x, nonce, open);
	tls_close(x.ssl);
	return fault;
}
