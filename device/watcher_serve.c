#include "device/watcher_state.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "device/control.h"
#include "device/mount_point.h"
#include "device/mount_record.h"
#include "host/clock.h"
#include "host/exit_code.h"
#include "host/log.h"
#include "host/ready.h"
#include "protocol/crypto.h"

#define REPORT_FIRST_MS UINT64_C(5000)
#define REPORT_MOST_MS UINT64_C(300000)
#define POLL_MOST_MS UINT64_C(60000)
#define QUERY_PATIENCE_MS 2000

/*
 * Unmounting is the kernel's work: it writes what is dirty to the volume process, then takes
 * /dev/fuse away, and the volume process answers with a last checkpoint and CLOSED.
 */
static enum cv_err begin_unmount(struct watcher *w, bool lazy)
{
	enum cv_err err = mount_point_detach(w->request->mount_point, lazy);

	if (err == CV_OK) {
		w->mounted = false;
		if (ready_notify("STOPPING=1") != CV_OK)
			log_warning("systemd: cannot say that we stop");
	}
	return err;
}

/*
 * Nobody used the volume for as long as -o idle says. Whether somebody is in it, the kernel knows.
 */
static void take_idle(struct watcher *w)
{
	if (w->mounted && begin_unmount(w, false) == CV_OK)
		log_info("%s: unused: unmounted", w->request->mount_point);
}

/* False when the volume process has nothing more to say. */
static bool receive_message(struct watcher *w, struct volume_ctl_message *m)
{
	enum cv_err err = volume_process_receive(&w->volume, m);

	if (err != CV_OK)
		return false;
	if (m->type == VOLUME_CTL_CLOSED) {
		w->closed = true;
		w->generation = m->generation;
	} else if (m->type == VOLUME_CTL_STATUS) {
		w->durable = m->generation;
	} else if (m->type == VOLUME_CTL_FAILED) {
		log_error("volume: %s", m->text);
	} else if (m->type == VOLUME_CTL_IDLE) {
		take_idle(w);
	}
	return true;
}

/* "volume": what the volume process counts; it may be busy, and is not waited for. */
static void add_volume(struct watcher *w, cJSON *doc)
{
	struct volume_ctl_message m = { .type = 0 };
	struct pollfd fd = { .fd = w->volume.control, .events = POLLIN };
	cJSON *volume = NULL;

	if (volume_process_send(&w->volume, VOLUME_CTL_QUERY, "") != CV_OK)
		return;
	while (m.type != VOLUME_CTL_STATUS && poll(&fd, 1, QUERY_PATIENCE_MS) == 1)
		if (!receive_message(w, &m))
			return;
	if (m.type == VOLUME_CTL_STATUS)
		volume = cJSON_Parse(m.text);
	cJSON_AddItemToObject(doc, "volume", volume != NULL ? volume : cJSON_CreateNull());
}

static void answer_status(struct watcher *w, int client)
{
	cJSON *doc = cJSON_CreateObject();
	char *text;

	cJSON_AddStringToObject(doc, "container", w->request->container);
	cJSON_AddStringToObject(doc, "mount_point", w->request->mount_point);
	cJSON_AddBoolToObject(doc, "read_only", w->request->read_only);
	cJSON_AddNumberToObject(doc, "generation_at_mount", (double)w->generation);
	cJSON_AddNumberToObject(
		doc, "mounted_s", (double)((clock_monotonic_ms() - w->since_ms) / 1000));
	cJSON_AddNumberToObject(doc, "watcher_pid", (double)getpid());
	cJSON_AddNumberToObject(doc, "volume_pid", (double)w->volume.process.pid);
	add_volume(w, doc);
	text = cJSON_PrintUnformatted(doc);
	control_answer(client, EXIT_CODE_OK, text != NULL ? text : "{}");
	cJSON_free(text);
	cJSON_Delete(doc);
}

static void answer_unmount(struct watcher *w, int client, bool lazy)
{
	enum cv_err err;

	if (w->client >= 0) {
		control_answer(client, EXIT_CODE_IN_USE, "already unmounting");
		close(client);
		return;
	}
	err = begin_unmount(w, lazy);
	if (err == CV_OK && !lazy) {
		w->client = client; /* answered when the volume is closed */
		return;
	}
	if (err == CV_OK)
		control_answer(client, EXIT_CODE_OK, "detached: closes with its last user");
	else if (err == CV_ERR_BUSY)
		control_answer(client, EXIT_CODE_IN_USE, "in use: somebody works in it");
	else
		control_answer(client, exit_code_of(err), cv_err_text(err));
	close(client);
}

static void serve_client(struct watcher *w)
{
	char text[CONTROL_TEXT_MAX];
	int client = -1;

	if (control_accept(&client, text, w->control_fd) != CV_OK)
		return;
	if (strcmp(text, "unmount") == 0 || strcmp(text, "unmount lazy") == 0) {
		answer_unmount(w, client, strcmp(text, "unmount lazy") == 0);
		return;
	}
	if (strcmp(text, "status") == 0)
		answer_status(w, client);
	else
		control_answer(client, EXIT_CODE_USAGE, "no such request");
	close(client);
}

/* In use or not, the mount ends, and nothing that was written may be lost. */
static void end_mount(struct watcher *w)
{
	if (begin_unmount(w, false) == CV_OK)
		return;
	log_warning("%s: in use: detached; ends after a last checkpoint",
		w->request->mount_point);
	if (ready_notify("STOPPING=1") != CV_OK)
		log_warning("systemd: cannot say that we stop");
	/* it first has the kernel write back what is dirty, which no detached mount can be told */
	if (volume_process_send(&w->volume, VOLUME_CTL_UNMOUNT, "lazy") != CV_OK)
		log_error("%s: cannot unmount", w->request->mount_point);
}

static void take_signal(struct watcher *w)
{
	int number = process_signal_read(w->signal_fd);

	if (number != 0 && number != SIGHUP && w->mounted)
		end_mount(w);
}

/* Not where a recovery code opened the volume, nor where nothing is written. */
static bool has_anchor(const struct watcher *w)
{
	return w->unlock != NULL && !w->request->read_only;
}

static int farewell(struct watcher *w)
{
	char status[PROCESS_STATUS_BUF], text[256];
	int code = EXIT_CODE_OK;

	volume_process_reap(&w->volume);
	if (w->closed && has_anchor(w))
		anchor_watch_tell(&w->anchor, w->unlock, &w->report, w->generation);
	if (w->closed && w->locked)
		code = EXIT_CODE_DENIED;
	if (w->closed)
		snprintf(text, sizeof(text), "unmounted: generation %llu is on disk",
			(unsigned long long)w->generation);
	else {
		code = EXIT_CODE_INTERNAL;
		snprintf(text, sizeof(text), "volume process %s without a last checkpoint",
			process_status_text(status, w->volume.status));
		log_error("%s: %s", w->request->mount_point, text);
	}
	if (w->mounted && mount_point_is_dead(w->request->mount_point) &&
		mount_point_detach(w->request->mount_point, true) != CV_OK)
		log_warning("%s: nothing behind it any more, but still mounted",
			w->request->mount_point);
	watcher_clean_up(w);
	if (w->client >= 0) {
		control_answer(w->client, code, text);
		close(w->client);
		w->client = -1;
	}
	return code;
}

/* Full jitter in 0 .. min(5 min, 5 s * 2^n), so that a fleet does not knock in step. */
static void report_again_later(struct watcher *w)
{
	uint64_t most = REPORT_FIRST_MS << (w->report_tries < 6 ? w->report_tries : 6);
	uint32_t random = 0;

	w->report_tries++;
	if (crypto_random(&random, sizeof(random)) != CV_OK)
		random = UINT32_MAX;
	w->report_at_ms = clock_monotonic_ms() + 1 +
		random % (uint32_t)(most < REPORT_MOST_MS ? most : REPORT_MOST_MS);
}

static uint64_t report_due_ms(const struct watcher *w)
{
	return w->report.waiting == 0 || w->report.counter == 0 ? UINT64_MAX : w->report_at_ms;
}

static int poll_timeout(const struct watcher *w)
{
	uint64_t now = clock_monotonic_ms();
	uint64_t due = report_due_ms(w);
	uint64_t standing = w->mounted ? standing_watch_due_ms(&w->standing) : UINT64_MAX;

	if (standing < due)
		due = standing;
	if (w->mounted && has_anchor(w) && w->anchor.ask_at_ms < due)
		due = w->anchor.ask_at_ms;
	if (due == UINT64_MAX)
		return -1;
	/* poll sleeps through a suspend; what is due is looked up once a minute */
	return due <= now ? 0 : (int)(due - now < POLL_MOST_MS ? due - now : POLL_MOST_MS);
}

/* A gateway that was down at the mount hears of it when it is back. */
static void report_again(struct watcher *w)
{
	if (clock_monotonic_ms() < report_due_ms(w))
		return;
	if (report_send(w->unlock, &w->report) != CV_OK)
		log_warning("events: cannot be sent");
	report_again_later(w);
}

/* The device was revoked, or its lease is over: the volume is locked, used or not. */
static void stand_again(struct watcher *w)
{
	const char *why = w->mounted ? standing_watch_run(&w->standing, w->unlock) : NULL;

	if (why == NULL)
		return;
	log_warning("%s: locked: %s", w->request->mount_point, why);
	w->locked = true;
	end_mount(w);
}

static void anchor_again(struct watcher *w)
{
	if (!w->mounted || !has_anchor(w))
		return;
	if (w->anchor.asked && w->durable != 0) {
		anchor_watch_tell(&w->anchor, w->unlock, &w->report, w->durable);
	} else if (anchor_watch_due(&w->anchor)) {
		w->durable = 0;
		if (volume_process_send(&w->volume, VOLUME_CTL_QUERY, "") != CV_OK)
			log_warning("volume process: cannot be asked for its generation");
	}
}

int watcher_serve(struct watcher *w)
{
	struct volume_ctl_message m;

	report_again_later(w);
	anchor_watch_init(&w->anchor, w->request->settings);
	if (w->unlock != NULL)
		standing_watch_init(&w->standing, w->request->settings, w->unlock);
	struct pollfd fds[] = { { .fd = w->signal_fd, .events = POLLIN },
		{ .fd = w->control_fd, .events = POLLIN },
		{ .fd = w->volume.control, .events = POLLIN } };

	for (;;) {
		if (poll(fds, 3, poll_timeout(w)) < 0 && errno != EINTR)
			break;
		report_again(w);
		stand_again(w);
		if (fds[0].revents != 0)
			take_signal(w);
		if (fds[1].revents != 0)
			serve_client(w);
		/* a client's question may have taken the message already */
		if (fds[2].revents != 0 && poll(&fds[2], 1, 0) == 1 && !receive_message(w, &m))
			break;
		anchor_again(w);
	}
	return farewell(w);
}

void watcher_clean_up(struct watcher *w)
{
	int *const fds[] = { &w->container_fd, &w->signal_fd, &w->control_fd };
	char path[FILE_PATH_BUF];

	if (w->control_fd >= 0) {
		mount_record_remove(w->request->options->run_dir);
		if (file_path_join(path, sizeof(path), w->request->options->run_dir,
			    CONTROL_SOCKET) == CV_OK)
			unlink(path);
	}
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	unlock_close(w->unlock);
	w->unlock = NULL;
	if (w->lock_fd >= 0)
		close(w->lock_fd);
	w->lock_fd = -1;
}
