#include "gateway/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "protocol/lp.h"

#define LABEL_DEVICE "ipc-device"
#define LABEL_OPERATOR "ipc-operator"
#define LABEL_HEALTH "ipc-health"
#define LABEL_ANSWER "ipc-answer"
#define LABEL_RELOAD "ipc-reload"
#define LABEL_DRAIN "ipc-drain"
#define LABEL_READY "ipc-ready"
#define LABEL_DRAINED "ipc-drained"

#define BUFFER_BYTES (8 * IPC_PACKET_MAX)

enum cv_err ipc_pair(int fds[2])
{
	const int size = BUFFER_BYTES;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
		return CV_ERR_IO;
	/* The kernel caps it at wmem_max, which still holds two of the largest packets. */
	for (int i = 0; i < 2; i++)
		(void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return CV_OK;
}

enum cv_err ipc_send(int fd, const uint8_t *packet, size_t len, bool wait)
{
	const int flags = MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT);
	ssize_t n;

	do {
		n = send(fd, packet, len, flags);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return (size_t)n == len ? CV_OK : CV_ERR_IO;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
		return CV_ERR_BUSY;
	if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
		return CV_ERR_UNREACHABLE;
	return CV_ERR_IO;
}

enum cv_err ipc_receive(int fd, uint8_t *packet, size_t cap, size_t *len, bool wait)
{
	const int flags = MSG_TRUNC | (wait ? 0 : MSG_DONTWAIT);
	ssize_t n;

	do {
		n = recv(fd, packet, cap, flags);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return CV_ERR_BUSY;
		return errno == ECONNRESET ? CV_ERR_UNREACHABLE : CV_ERR_IO;
	}
	if (n == 0)
		return CV_ERR_UNREACHABLE;
	if ((size_t)n > cap)
		return CV_ERR_TOO_LONG;
	*len = (size_t)n;
	return CV_OK;
}

/* The label of a packet as text; false if it has none that fits. */
static bool label_of(char out[32], const uint8_t *packet, size_t len)
{
	size_t n;

	if (len < 4)
		return false;
	n = (size_t)packet[0] << 24 | (size_t)packet[1] << 16 | (size_t)packet[2] << 8 | packet[3];
	if (n == 0 || n > 31 || n > len - 4)
		return false;
	memcpy(out, packet + 4, n);
	out[n] = '\0';
	return true;
}

enum cv_err ipc_request_encode(
	uint8_t *out, size_t cap, size_t *len, const struct ipc_request *m)
{
	struct lp lp;

	switch (m->type) {
	case IPC_DEVICE:
		lp_begin(&lp, out, cap, LABEL_DEVICE);
		lp_u64(&lp, m->id);
		lp_text(&lp, m->peer);
		lp_text(&lp, m->method);
		lp_text(&lp, m->target);
		lp_text(&lp, m->mac);
		lp_bytes(&lp, m->body, m->body_len);
		return lp_end(&lp, len);
	case IPC_OPERATOR:
		lp_begin(&lp, out, cap, LABEL_OPERATOR);
		lp_u64(&lp, m->id);
		lp_text(&lp, m->peer);
		lp_text(&lp, m->operator_id);
		lp_text(&lp, m->method);
		lp_text(&lp, m->target);
		lp_text(&lp, m->op);
		lp_text(&lp, m->op_cert);
		lp_bytes(&lp, m->body, m->body_len);
		return lp_end(&lp, len);
	case IPC_HEALTH:
		lp_begin(&lp, out, cap, LABEL_HEALTH);
		lp_u64(&lp, m->id);
		return lp_end(&lp, len);
	}
	return CV_ERR_ARGUMENT;
}

static enum cv_err read_device(struct ipc_request *m, const uint8_t *packet, size_t len)
{
	struct lp_reader r;

	m->type = IPC_DEVICE;
	lp_read_begin(&r, packet, len, LABEL_DEVICE);
	m->id = lp_read_u64(&r);
	lp_read_text(&r, m->peer, sizeof(m->peer));
	lp_read_text(&r, m->method, sizeof(m->method));
	lp_read_text(&r, m->target, sizeof(m->target));
	lp_read_text(&r, m->mac, sizeof(m->mac));
	m->body = lp_read_bytes(&r, &m->body_len);
	if (m->body_len > CV_BODY_MAX)
		return CV_ERR_FORMAT;
	return lp_read_end(&r) == CV_OK ? CV_OK : CV_ERR_FORMAT;
}

static enum cv_err read_operator(struct ipc_request *m, const uint8_t *packet, size_t len)
{
	struct lp_reader r;

	m->type = IPC_OPERATOR;
	lp_read_begin(&r, packet, len, LABEL_OPERATOR);
	m->id = lp_read_u64(&r);
	lp_read_text(&r, m->peer, sizeof(m->peer));
	lp_read_text(&r, m->operator_id, sizeof(m->operator_id));
	lp_read_text(&r, m->method, sizeof(m->method));
	lp_read_text(&r, m->target, sizeof(m->target));
	lp_read_text(&r, m->op, sizeof(m->op));
	lp_read_text(&r, m->op_cert, sizeof(m->op_cert));
	m->body = lp_read_bytes(&r, &m->body_len);
	if (m->body_len > CV_OP_BODY_MAX)
		return CV_ERR_FORMAT;
	return lp_read_end(&r) == CV_OK ? CV_OK : CV_ERR_FORMAT;
}

enum cv_err ipc_request_decode(struct ipc_request *m, const uint8_t *packet, size_t len)
{
	struct lp_reader r;
	char label[32];

	memset(m, 0, sizeof(*m));
	if (!label_of(label, packet, len))
		return CV_ERR_FORMAT;
	if (strcmp(label, LABEL_DEVICE) == 0)
		return read_device(m, packet, len);
	if (strcmp(label, LABEL_OPERATOR) == 0)
		return read_operator(m, packet, len);
	if (strcmp(label, LABEL_HEALTH) != 0)
		return CV_ERR_FORMAT;
	m->type = IPC_HEALTH;
	lp_read_begin(&r, packet, len, LABEL_HEALTH);
	m->id = lp_read_u64(&r);
	return lp_read_end(&r) == CV_OK ? CV_OK : CV_ERR_FORMAT;
}

enum cv_err ipc_answer_encode(uint8_t *out, size_t cap, size_t *len, const struct ipc_answer *m)
{
	struct lp lp;

	if (m->body_len > IPC_ANSWER_BODY_MAX)
		return CV_ERR_TOO_LONG;
	lp_begin(&lp, out, cap, LABEL_ANSWER);
	lp_u64(&lp, m->id);
	lp_u64(&lp, m->status);
	lp_text(&lp, m->content_type);
	lp_text(&lp, m->header_name);
	lp_text(&lp, m->header_value);
	lp_bytes(&lp, m->body, m->body_len);
	return lp_end(&lp, len);
}

enum cv_err ipc_answer_decode(struct ipc_answer *m, const uint8_t *packet, size_t len)
{
	struct lp_reader r;
	uint64_t status;

	memset(m, 0, sizeof(*m));
	lp_read_begin(&r, packet, len, LABEL_ANSWER);
	m->id = lp_read_u64(&r);
	status = lp_read_u64(&r);
	lp_read_text(&r, m->content_type, sizeof(m->content_type));
	lp_read_text(&r, m->header_name, sizeof(m->header_name));
	lp_read_text(&r, m->header_value, sizeof(m->header_value));
	m->body = lp_read_bytes(&r, &m->body_len);
	if (status < 100 || status > 599 || m->body_len > IPC_ANSWER_BODY_MAX)
		return CV_ERR_FORMAT;
	m->status = (unsigned int)status;
	return lp_read_end(&r) == CV_OK ? CV_OK : CV_ERR_FORMAT;
}

static const char *control_label(enum ipc_control_type type)
{
	switch (type) {
	case IPC_RELOAD:
		return LABEL_RELOAD;
	case IPC_DRAIN:
		return LABEL_DRAIN;
	case IPC_READY:
		return LABEL_READY;
	case IPC_DRAINED:
		return LABEL_DRAINED;
	}
	return NULL;
}

enum cv_err ipc_control_encode(uint8_t *out, size_t cap, size_t *len, const struct ipc_control *m)
{
	const char *label = control_label(m->type);
	struct lp lp;

	if (label == NULL)
		return CV_ERR_ARGUMENT;
	lp_begin(&lp, out, cap, label);
	if (m->type == IPC_RELOAD) {
		lp_u64(&lp, (uint64_t)m->log_level);
		lp_u64(&lp, m->limits.device_burst);
		lp_u64(&lp, m->limits.device_per_minute);
		lp_u64(&lp, m->limits.audit_refusals_per_minute);
		lp_u64(&lp, m->limits.batch_max);
		lp_u64(&lp, m->limits.mount_ok_ms);
	}
	return lp_end(&lp, len);
}

static enum cv_err read_u32(struct lp_reader *r, uint32_t *out)
{
	const uint64_t value = lp_read_u64(r);

	if (value > UINT32_MAX)
		return CV_ERR_FORMAT;
	*out = (uint32_t)value;
	return CV_OK;
}

static enum cv_err read_reload(struct ipc_control *m, struct lp_reader *r)
{
	uint32_t level = 0;

	if (read_u32(r, &level) != CV_OK || level > (uint32_t)LOG_LEVEL_DEBUG ||
		read_u32(r, &m->limits.device_burst) != CV_OK ||
		read_u32(r, &m->limits.device_per_minute) != CV_OK ||
		read_u32(r, &m->limits.audit_refusals_per_minute) != CV_OK ||
		read_u32(r, &m->limits.batch_max) != CV_OK ||
		read_u32(r, &m->limits.mount_ok_ms) != CV_OK)
		return CV_ERR_FORMAT;
	m->log_level = (enum log_level)level;
	return CV_OK;
}

enum cv_err ipc_control_decode(struct ipc_control *m, const uint8_t *packet, size_t len)
{
	static const enum ipc_control_type types[] = {
		IPC_RELOAD, IPC_DRAIN, IPC_READY, IPC_DRAINED};
	struct lp_reader r;
	char label[32];

	memset(m, 0, sizeof(*m));
	if (!label_of(label, packet, len))
		return CV_ERR_FORMAT;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(label, control_label(types[i])) != 0)
			continue;
		m->type = types[i];
		lp_read_begin(&r, packet, len, label);
		if (m->type == IPC_RELOAD && read_reload(m, &r) != CV_OK)
			return CV_ERR_FORMAT;
		return lp_read_end(&r) == CV_OK ? CV_OK : CV_ERR_FORMAT;
	}
	return CV_ERR_FORMAT;
}
