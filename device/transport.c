#include "device/transport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "device/tls.h"
#include "host/clock.h"
#include "protocol/id.h"
#include "protocol/mac.h"

#define HEADERS_MAX 8192
#define WAIT_MAX_MS 60000

struct peer {
	struct transport *transport;
	struct tls_peer tls;
	CURL *easy;
	struct curl_slist *headers;
	struct curl_slist *connect_to;
	bool busy;
	bool done; /* finished, not yet fetched */
	bool dates_told;
	CURLcode result;
	const char *address;
	char dns[GATEWAY_DNS_BUF];
	char *request;
	size_t header_bytes;
	bool has_mac, two_macs;
	char mac_header[MAC_RESPONSE_HEADER_BUF];
	size_t mac_header_len;
	size_t body_len;
	char body[CV_BODY_MAX];
	char error[CURL_ERROR_SIZE];
	char detail[TRANSPORT_DETAIL_BUF];
};

struct transport {
	CURLM *multi;
	struct tls_root root;
	size_t count;
	struct peer peers[CV_MEMBERS_MAX];
};

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
	struct peer *p = arg;
	size_t len = size * n;

	if (len > sizeof(p->body) - p->body_len)
		return 0; /* libcurl then ends the transfer with CURLE_WRITE_ERROR */
	memcpy(p->body + p->body_len, data, len);
	p->body_len += len;
	return len;
}

static size_t take_header(char *data, size_t size, size_t n, void *arg)
{
	static const char name[] = MAC_HEADER_NAME ":";
	struct peer *p = arg;
	size_t len = size * n, end = len, start = sizeof(name) - 1;

	p->header_bytes += len;
	if (p->header_bytes > HEADERS_MAX)
		return 0;
	if (len < start || strncasecmp(data, name, start) != 0)
		return len;
	while (end > start &&
		(data[end - 1] == '\r' || data[end - 1] == '\n' || data[end - 1] == ' '))
		end--;
	while (start < end && data[start] == ' ')
		start++;
	if (p->has_mac || end - start >= sizeof(p->mac_header)) {
		p->two_macs = true; /* which one was meant is not for us to guess */
		return len;
	}
	memcpy(p->mac_header, data + start, end - start);
	p->mac_header_len = end - start;
	p->has_mac = true;
	return len;
}

static CURLcode set_up_tls(CURL *easy, void *ctx, void *arg)
{
	struct peer *p = arg;

	(void)easy;
	return tls_peer_attach(ctx, &p->tls) == CV_OK ? CURLE_OK : CURLE_SSL_CIPHER;
}

static bool set_options(struct peer *p)
{
	CURL *e = p->easy;
	bool ok = true;

#define SET(option, value) ok = curl_easy_setopt(e, option, value) == CURLE_OK && ok
	SET(CURLOPT_PRIVATE, p);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOPROXY, "*");
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_CAINFO, NULL);
	SET(CURLOPT_CAPATH, NULL);
	SET(CURLOPT_SSL_CTX_FUNCTION, set_up_tls);
	SET(CURLOPT_SSL_CTX_DATA, p);
	SET(CURLOPT_CONNECT_TO, p->connect_to);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CV_CONNECT_TIMEOUT_MS);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, p);
	SET(CURLOPT_HEADERFUNCTION, take_header);
	SET(CURLOPT_HEADERDATA, p);
	SET(CURLOPT_ERRORBUFFER, p->error);
	SET(CURLOPT_TCP_NODELAY, 1L);
#undef SET
	return ok;
}

static enum cv_err open_peer(struct transport *t, size_t i, const struct identity *id)
{
	struct peer *p = &t->peers[i];
	const char *gateway = id->share_set.members[i].gateway;
	const char *colon = strrchr(id->addresses[i], ':');
	char text[IDENTITY_ADDRESS_BUF + GATEWAY_DNS_BUF + 16];
	enum cv_err err;

	p->transport = t;
	p->address = id->addresses[i];
	p->tls.root = &t->root;
	if (colon == NULL) /* gateways.json does not name it: never reachable */
		return CV_OK;
	err = gateway_dns_name(p->dns, id->fleet, gateway);
	if (err == CV_OK)
		err = spiffe_uri(p->tls.uri, id->fleet, "gateway", gateway);
	if (err != CV_OK)
		return err;
	snprintf(text, sizeof(text), "%s%s:%s", p->dns, colon, p->address);
	p->connect_to = curl_slist_append(NULL, text);
	p->easy = curl_easy_init();
	if (p->connect_to == NULL || p->easy == NULL || !set_options(p))
		return CV_ERR_MEMORY;
	return CV_OK;
}

enum cv_err transport_open(struct transport **out, const struct identity *id)
{
	struct transport *t = calloc(1, sizeof(*t));
	enum cv_err err = CV_ERR_MEMORY;

	if (t == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(t);
		return err;
	}
	t->count = id->share_set.count;
	t->multi = curl_multi_init();
	if (t->multi != NULL)
		err = tls_root_open(&t->root, id->tls_root);
	for (size_t i = 0; i < t->count && err == CV_OK; i++)
		err = open_peer(t, i, id);
	if (err != CV_OK) {
		transport_close(t);
		return err;
	}
	*out = t;
	return CV_OK;
}

void transport_close(struct transport *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->count; i++) {
		struct peer *p = &t->peers[i];

		if (p->busy && !p->done)
			curl_multi_remove_handle(t->multi, p->easy);
		curl_easy_cleanup(p->easy);
		curl_slist_free_all(p->headers);
		curl_slist_free_all(p->connect_to);
		free(p->request);
	}
	curl_multi_cleanup(t->multi);
	tls_root_close(&t->root);
	free(t);
}

static struct curl_slist *build_headers(const char *mac_header)
{
	char line[sizeof(MAC_HEADER_NAME) + MAC_REQUEST_HEADER_BUF + 4];
	struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
	struct curl_slist *grown = curl_slist_append(list, "Expect:");

	snprintf(line, sizeof(line), "%s: %s", MAC_HEADER_NAME, mac_header);
	if (list == NULL || grown == NULL || curl_slist_append(grown, line) == NULL) {
		curl_slist_free_all(list);
		return NULL;
	}
	return list;
}

static void clear_answer(struct peer *p)
{
	p->done = false;
	p->header_bytes = p->body_len = p->mac_header_len = 0;
	p->has_mac = p->two_macs = false;
	p->error[0] = '\0';
	p->tls.fault = NULL;
}

static bool set_request(struct peer *p, const char *target, const char *mac_header,
	const char *body, size_t len, uint64_t left_ms)
{
	char url[GATEWAY_DNS_BUF + CV_TARGET_MAX + 32];

	curl_slist_free_all(p->headers);
	p->headers = build_headers(mac_header);
	free(p->request);
	p->request = malloc(len + 1);
	if (p->headers == NULL || p->request == NULL)
		return false;
	memcpy(p->request, body, len);
	snprintf(url, sizeof(url), "https://%s%s%s", p->dns, strrchr(p->address, ':'), target);
	return curl_easy_setopt(p->easy, CURLOPT_URL, url) == CURLE_OK &&
		curl_easy_setopt(p->easy, CURLOPT_HTTPHEADER, p->headers) == CURLE_OK &&
		curl_easy_setopt(p->easy, CURLOPT_POSTFIELDSIZE, (long)len) == CURLE_OK &&
		curl_easy_setopt(p->easy, CURLOPT_POSTFIELDS, p->request) == CURLE_OK &&
		curl_easy_setopt(p->easy, CURLOPT_TIMEOUT_MS, (long)left_ms) == CURLE_OK;
}

enum cv_err transport_send(struct transport *t, size_t member, const char *target,
	const char *mac_header, const char *body, size_t len, uint64_t deadline_ms)
{
	uint64_t now = clock_monotonic_ms();
	struct peer *p;

	if (member >= t->count)
		return CV_ERR_ARGUMENT;
	p = &t->peers[member];
	if (p->busy)
		return CV_ERR_BUSY;
	clear_answer(p);
	if (p->easy == NULL) {
		p->result = CURLE_COULDNT_RESOLVE_HOST;
		p->busy = p->done = true;
		return CV_OK;
	}
	if (!set_request(p, target, mac_header, body, len,
		    deadline_ms > now ? deadline_ms - now : 1))
		return CV_ERR_MEMORY;
	if (curl_multi_add_handle(t->multi, p->easy) != CURLM_OK)
		return CV_ERR_INTERNAL;
	p->busy = true;
	return CV_OK;
}

bool transport_busy(const struct transport *t, size_t member)
{
	return t->peers[member].busy;
}

size_t transport_busy_count(const struct transport *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->count; i++)
		n += t->peers[i].busy;
	return n;
}

static void collect_done(struct transport *t)
{
	int left;
	CURLMsg *m;

	while ((m = curl_multi_info_read(t->multi, &left)) != NULL) {
		struct peer *p = NULL;
		CURLcode result = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&p);
		curl_multi_remove_handle(t->multi, p->easy);
		p->result = result;
		p->done = true;
	}
}

void transport_push(struct transport *t)
{
	int running;

	curl_multi_perform(t->multi, &running);
	collect_done(t);
}

bool transport_wait(struct transport *t, uint64_t wake_ms, int fd)
{
	struct curl_waitfd extra = { .fd = fd, .events = CURL_WAIT_POLLIN };
	uint64_t now = clock_monotonic_ms();
	uint64_t left = wake_ms > now ? wake_ms - now : 0;

	transport_push(t);
	for (size_t i = 0; i < t->count; i++)
		if (t->peers[i].done)
			left = 0;
	curl_multi_poll(t->multi, &extra, fd >= 0 ? 1 : 0,
		(int)(left < WAIT_MAX_MS ? left : WAIT_MAX_MS), NULL);
	transport_push(t);
	return fd >= 0 && extra.revents != 0;
}

/* A refused connection, a silent one and a wrong one are three things to an operator. */
static enum handshake_fault fault_of(const struct peer *p)
{
	CURLcode r = p->result;

	if (r == CURLE_OK)
		return HANDSHAKE_FAULT_NONE;
	if (r == CURLE_COULDNT_CONNECT || r == CURLE_COULDNT_RESOLVE_HOST)
		return HANDSHAKE_FAULT_REFUSED;
	if (r == CURLE_OPERATION_TIMEDOUT)
		return HANDSHAKE_FAULT_TIMEOUT;
	if (r == CURLE_PEER_FAILED_VERIFICATION || r == CURLE_SSL_CONNECT_ERROR ||
		r == CURLE_SSL_CIPHER)
		return HANDSHAKE_FAULT_TLS;
	return HANDSHAKE_FAULT_TRANSPORT;
}

static const char *describe(struct peer *p, enum handshake_fault fault)
{
	const char *what = NULL;
	long os_error = 0;

	if (p->easy == NULL)
		return "gateways.json has no address for it";
	curl_easy_getinfo(p->easy, CURLINFO_OS_ERRNO, &os_error);
	if (fault == HANDSHAKE_FAULT_TIMEOUT)
		what = "timed out";
	else if (fault == HANDSHAKE_FAULT_TLS && p->tls.fault != NULL)
		what = p->tls.fault;
	else if (p->result == CURLE_COULDNT_RESOLVE_HOST)
		what = "name not found";
	else if (p->result == CURLE_WRITE_ERROR)
		what = "answer too long";
	else if (fault == HANDSHAKE_FAULT_REFUSED && os_error != 0)
		what = strerror((int)os_error);
	else
		what = p->error[0] != '\0' ? p->error : curl_easy_strerror(p->result);
	snprintf(p->detail, sizeof(p->detail), "%c%.80s (%.70s)",
		what[0] >= 'A' && what[0] <= 'Z' && !(what[1] >= 'A' && what[1] <= 'Z') ?
			what[0] + 32 :
			what[0],
		what + 1, p->address);
	return p->detail;
}

bool transport_next(struct transport *t, struct transport_result *out)
{
	for (size_t i = 0; i < t->count; i++) {
		struct peer *p = &t->peers[i];
		long status = 0;

		if (!p->done)
			continue;
		p->done = p->busy = false;
		*out = (struct transport_result){ .member = i, .fault = fault_of(p) };
		if (out->fault != HANDSHAKE_FAULT_NONE) {
			out->detail = describe(p, out->fault);
			return true;
		}
		curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &status);
		out->status = (unsigned int)status;
		out->mac_header = p->has_mac && !p->two_macs ? p->mac_header : NULL;
		out->mac_header_len = out->mac_header != NULL ? p->mac_header_len : 0;
		out->body = p->body;
		out->body_len = p->body_len;
		return true;
	}
	return false;
}

bool transport_dates_off(struct transport *t, size_t member)
{
	struct peer *p = &t->peers[member];

	if (!p->tls.dates_off || p->dates_told)
		return false;
	p->dates_told = true;
	return true;
}
