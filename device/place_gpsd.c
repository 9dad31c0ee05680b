/* A position from gpsd (gpsd_json(5), protocol 3). */
#include "device/place.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "host/clock.h"

#define WATCH "?WATCH={\"enable\":true,\"json\":true};\n"
#define RECEIVERS_MAX 8
#define RETRY_MS 200
#define ACCURACY_MAX_M 4000000.0

struct receiver {
	char path[128];
	char driver[EVIDENCE_TEXT_BUF];
	char firmware[EVIDENCE_TEXT_BUF];
};

struct gpsd {
	int fd;
	int stop_fd;
	uint64_t deadline_ms;
	struct receiver receivers[RECEIVERS_MAX];
	size_t receiver_count;
	size_t len;
	char buf[PLACE_LINE_MAX];
};

static const char *text_of(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsString(item) ? item->valuestring : "";
}

/* False if it is not there or no number; the caller checks its range, so that NaN cannot pass. */
static bool number_of(const cJSON *object, const char *name, double *out)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	if (!cJSON_IsNumber(item))
		return false;
	*out = item->valuedouble;
	return true;
}

static enum cv_err wait_for(struct gpsd *g, short events)
{
	for (;;) {
		struct pollfd fds[2] = { { g->fd, events, 0 }, { g->stop_fd, POLLIN, 0 } };
		const uint64_t now = clock_monotonic_ms();
		int n;

		if (now >= g->deadline_ms)
			return CV_ERR_TIMEOUT;
		n = poll(fds, g->stop_fd >= 0 ? 2 : 1, (int)(g->deadline_ms - now));
		if (n < 0 && errno != EINTR)
			return CV_ERR_IO;
		if (n > 0)
			return fds[1].revents != 0 && g->stop_fd >= 0 ? CV_ERR_TIMEOUT : CV_OK;
	}
}

static enum cv_err connect_one(struct gpsd *g, const struct addrinfo *a)
{
	int error = 0;
	socklen_t len = sizeof(error);
	enum cv_err err = CV_OK;

	g->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (g->fd < 0)
		return CV_ERR_IO;
	if (connect(g->fd, a->ai_addr, a->ai_addrlen) != 0) {
		err = errno == EINPROGRESS ? wait_for(g, POLLOUT) : CV_ERR_UNREACHABLE;
		if (err == CV_OK && (getsockopt(g->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 ||
					    error != 0))
			err = CV_ERR_UNREACHABLE;
	}
	if (err != CV_OK) {
		close(g->fd);
		g->fd = -1;
	}
	return err;
}

/* Addresses are numbers: a name would ask a resolver that may not be there yet. */
static enum cv_err connect_to(struct gpsd *g, const struct settings_place *s)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	char port[8];
	enum cv_err err = CV_ERR_UNREACHABLE;

	snprintf(port, sizeof(port), "%u", s->gpsd_port);
	if (getaddrinfo(s->gpsd_host, port, &hints, &list) != 0)
		return CV_ERR_FORMAT;
	err = connect_one(g, list);
	freeaddrinfo(list);
	if (err == CV_OK &&
		send(g->fd, WATCH, sizeof(WATCH) - 1, MSG_NOSIGNAL) != sizeof(WATCH) - 1)
		err = CV_ERR_UNREACHABLE;
	return err;
}

static void note_receiver(struct gpsd *g, const cJSON *device)
{
	const char *path = text_of(device, "path");
	struct receiver *r = NULL;

	for (size_t i = 0; i < g->receiver_count; i++) {
		if (strcmp(g->receivers[i].path, path) == 0)
			r = &g->receivers[i];
	}
	if (r == NULL && g->receiver_count < RECEIVERS_MAX &&
		strlen(path) < sizeof(g->receivers[0].path))
		r = &g->receivers[g->receiver_count++];
	if (r == NULL)
		return;
	strcpy(r->path, path);
	place_text(r->driver, text_of(device, "driver"));
	place_text(r->firmware, text_of(device, "subtype"));
}

static uint32_t accuracy_of(const cJSON *report)
{
	double metres = 0, east = 0, north = 0;
	bool known = number_of(report, "eph", &metres);

	if (!known && number_of(report, "epx", &east) && number_of(report, "epy", &north)) {
		known = true;
		metres = east + north; /* no less than the root of the sum of squares */
	}
	if (!known || !(metres >= 0 && metres <= ACCURACY_MAX_M))
		return EVIDENCE_ACCURACY_UNKNOWN;
	return (uint32_t)(metres * 1000 + 0.999);
}

/* CV_ERR_NOT_FOUND: a report without a position. */
static enum cv_err take_report(struct gpsd *g, const cJSON *report, struct place_fix *fix)
{
	const char *path = text_of(report, "device");
	double mode = 0, lat = 0, lon = 0;

	/*
	 * gpsd repeats coordinates that a receiver without a fix sends: such a report has no time
	 */
	if (!number_of(report, "mode", &mode) || !(mode >= 2) ||
		text_of(report, "time")[0] == '\0' ||
		!number_of(report, "lat", &lat) || !number_of(report, "lon", &lon) ||
		place_degrees(&fix->lat_e7, lat, 90) != CV_OK ||
		place_degrees(&fix->lon_e7, lon, 180) != CV_OK)
		return CV_ERR_NOT_FOUND;
	fix->accuracy_mm = accuracy_of(report);
	fix->has_age = true;
	fix->taken_ms = clock_monotonic_ms();
	strcpy(fix->source, "gpsd");
	for (size_t i = 0; i < g->receiver_count; i++) {
		if (strcmp(g->receivers[i].path, path) != 0)
			continue;
		strcpy(fix->receiver, g->receivers[i].driver);
		strcpy(fix->firmware, g->receivers[i].firmware);
	}
	return CV_OK;
}

static enum cv_err take_line(struct gpsd *g, size_t len, struct place_fix *fix)
{
	cJSON *tree = cJSON_ParseWithLength(g->buf, len);
	const char *class = text_of(tree, "class");
	enum cv_err err = CV_ERR_NOT_FOUND;
	const cJSON *device;

	if (tree == NULL)
		return CV_ERR_FORMAT;
	if (strcmp(class, "TPV") == 0)
		err = take_report(g, tree, fix);
	else if (strcmp(class, "DEVICE") == 0)
		note_receiver(g, tree);
	else if (strcmp(class, "DEVICES") == 0)
		cJSON_ArrayForEach(device, cJSON_GetObjectItemCaseSensitive(tree, "devices"))
			note_receiver(g, device);
	cJSON_Delete(tree);
	return err;
}

static enum cv_err read_more(struct gpsd *g)
{
	enum cv_err err = g->len < sizeof(g->buf) ? wait_for(g, POLLIN) : CV_ERR_TOO_LONG;
	ssize_t n;

	if (err != CV_OK)
		return err;
	n = recv(g->fd, g->buf + g->len, sizeof(g->buf) - g->len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return CV_OK;
	if (n <= 0)
		return CV_ERR_UNREACHABLE;
	g->len += (size_t)n;
	return CV_OK;
}

static enum cv_err next_position(struct gpsd *g, struct place_fix *fix)
{
	for (;;) {
		const char *end = memchr(g->buf, '\n', g->len);
		const size_t len = end != NULL ? (size_t)(end - g->buf) : 0;
		enum cv_err err = CV_ERR_NOT_FOUND;

		if (end == NULL) {
			err = read_more(g);
			if (err != CV_OK)
				return err;
			continue;
		}
		if (len > 1)
			err = take_line(g, len, fix);
		if (err != CV_ERR_NOT_FOUND)
			return err;
		g->len -= len + 1;
		memmove(g->buf, g->buf + len + 1, g->len);
	}
}

static enum cv_err ask_once(
	struct gpsd *g, struct place_fix *fix, const struct settings_place *s)
{
	enum cv_err err = connect_to(g, s);

	g->len = 0;
	if (err == CV_OK)
		err = next_position(g, fix);
	if (g->fd >= 0)
		close(g->fd);
	g->fd = -1;
	return err;
}

/* At boot gpsd may start after us, and starts again when it fails. */
enum cv_err place_gpsd(struct place_fix *fix, const struct settings_place *s, int stop_fd)
{
	struct gpsd g = { .fd = -1, .stop_fd = stop_fd,
		.deadline_ms = clock_monotonic_ms() + s->wait_ms };
	enum cv_err err;

	while ((err = ask_once(&g, fix, s)) == CV_ERR_UNREACHABLE) {
		struct pollfd stop = { stop_fd, POLLIN, 0 };

		if (clock_monotonic_ms() + RETRY_MS >= g.deadline_ms ||
			poll(&stop, 1, RETRY_MS) > 0)
			break;
	}
	return err;
}
