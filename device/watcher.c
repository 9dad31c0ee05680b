#include "device/watcher.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "device/anchor.h"
#include "device/control.h"
#include "device/last.h"
#include "device/mount_point.h"
#include "device/mount_record.h"
#include "device/report.h"
#include "device/volume_process.h"
#include "device/watcher_key.h"
#include "device/watcher_state.h"
#include "host/clock.h"
#include "host/exit_code.h"
#include "host/log.h"
#include "host/ready.h"
#include "host/sandbox.h"
#include "host/secret.h"
#include "protocol/crypto.h"

static const int watched_signals[] = { SIGTERM, SIGINT, SIGHUP, 0 };

/* Takes everything that can fail without asking a gateway. */
static enum cv_err prepare(struct watcher *w)
{
	const struct watcher_request *r = w->request;
	char path[FILE_PATH_BUF];
	enum cv_err err = control_run_dir(r->options->run_dir);

	if (err == CV_OK)
		err = file_path_join(path, sizeof(path), r->options->run_dir, "lock");
	if (err != CV_OK)
		return err;
	err = file_lock(&w->lock_fd, path);
	if (err != CV_OK) {
		log_error("%s: %s", path,
			err == CV_ERR_BUSY ? "another mount holds this run directory" :
					     cv_err_text(err));
		return err;
	}
	if (r->log_fd >= 0 && ftruncate(r->log_fd, 0) != 0)
		log_warning("log: %s", strerror(errno));
	err = volume_process_find(w->program, sizeof(w->program));
	if (err != CV_OK) {
		log_error("conclave-volumed: %s (see CONCLAVE_VOLUMED)", cv_err_text(err));
		return CV_ERR_CONFIG;
	}
	if (mount_point_is_dead(r->mount_point)) {
		/* watcher and volume process were both killed: nobody else takes it away */
		log_warning("%s: a mount with nobody behind it: taken away", r->mount_point);
		err = mount_point_detach(r->mount_point, true);
		if (err != CV_OK)
			return err;
	}
	err = mount_point_check(r->mount_point);
	if (err != CV_OK)
		return err;
	err = volume_container_open(&w->container_fd, r->container, r->read_only);
	if (err != CV_OK) {
		log_error("container %s: %s", r->container,
			err == CV_ERR_BUSY	? "in use by another mount" :
			err == CV_ERR_READ_ONLY ? "on a read-only filesystem or device: mount it with -o ro" :
						  cv_err_text(err));
		return err;
	}
	return process_signal_fd(&w->signal_fd, watched_signals);
}

static enum cv_err unlock(struct watcher *w)
{
	const struct watcher_request *r = w->request;
	struct unlock_request request = { .settings = r->settings,
		.state_dir = r->options->state_dir,
		.run_dir = r->options->run_dir,
		.volumed_path = w->program,
		.purpose = EVIDENCE_UNLOCK,
		.timeout_ms = r->options->timeout_ms,
		.stop_fd = w->signal_fd };
	enum cv_err err = unlock_open(&w->unlock, &request);

	return err == CV_OK ? unlock_run(w->unlock) : err;
}

/* The first message decides. */
static enum cv_err await_ready(struct watcher *w, struct volume_ctl_message *m)
{
	char status[PROCESS_STATUS_BUF];
	enum cv_err err = volume_process_receive(&w->volume, m);

	if (err == CV_OK && m->type == VOLUME_CTL_READY)
		return CV_OK;
	if (err == CV_OK && m->type == VOLUME_CTL_FAILED) {
		/* in the foreground the volume process has just said why on the same terminal */
		log_error("container %s: %s", w->request->container,
			m->text[0] != '\0' && w->request->log_fd >= 0 ?
				m->text :
				cv_err_text((enum cv_err)m->error));
		return m->error > 0 && m->error < CV_ERR_COUNT_ ? (enum cv_err)m->error :
								  CV_ERR_INTERNAL;
	}
	volume_process_reap(&w->volume);
	log_error("volume process %s", process_status_text(status, w->volume.status));
	return CV_ERR_INTERNAL;
}

/* The newest generation that a gateway vouches for with our own anchor. */
static uint64_t newest_anchor(const struct unlock *u)
{
	uint64_t newest = 0, generation;

	for (size_t i = 0; i < u->identity.share_set.count; i++) {
		const char *anchor = u->handshake.members[i].anchor;

		if (anchor[0] == '\0')
			continue;
		if (anchor_read(&generation, &u->identity, anchor) != CV_OK)
			log_warning("gateway %s: its anchor is not this device's: not used",
				u->identity.share_set.members[i].gateway);
		else if (generation > newest)
			newest = generation;
	}
	return newest;
}

static enum cv_err start_volume(struct watcher *w, struct volume_ctl_message *m)
{
	const struct watcher_request *r = w->request;
	struct mount_options options = {
		.read_only = r->read_only, .allow_other = r->settings->allow_other,
		.flags = r->settings->mount_flags, .source = r->container
	};
	struct volume_start start = { .program = w->program, .mount_point = r->mount_point,
		.container_fd = w->container_fd, .log_fd = r->log_fd, .read_only = r->read_only,
		.cache_mib = r->settings->cache_mib, .words = r->settings->volume_words,
		.min_generation =
			r->options->accept_older || w->unlock == NULL ? 0 : newest_anchor(w->unlock),
		.accept_older = r->options->accept_older };
	uint8_t *secret = secret_alloc(CV_SECRET_BYTES);
	enum cv_err err = CV_ERR_MEMORY;

	if (secret == NULL) {
		log_error("memory: %s", secret_last_error());
		return err;
	}
	err = w->unlock != NULL ? unlock_secret(w->unlock, secret) :
				  watcher_key_read(secret, r->options);
	if (err == CV_OK)
		err = mount_point_attach(&start.fuse_fd, r->mount_point, &options);
	if (err != CV_OK)
		goto out;
	w->mounted = true;
	err = volume_process_start(&w->volume, &start, secret);
	close(start.fuse_fd); /* theirs now: when they end, the mount ends */
	if (err == CV_OK)
		err = await_ready(w, m);
out:
	secret_free(secret);
	if (w->unlock != NULL)
		unlock_forget_secret(w->unlock);
	return err;
}

/* The token that MOUNT_FAIL carries. */
static const char *fail_reason(enum cv_err err)
{
	switch (exit_code_of(err)) {
	case EXIT_CODE_TAMPERED:
		return "tampered";
	case EXIT_CODE_TOO_OLD:
		return "too_old";
	case EXIT_CODE_VERSION:
		return "version";
	case EXIT_CODE_NOT_VOLUME:
		return "wrong_key";
	case EXIT_CODE_NO_SPACE:
		return "no_space";
	case EXIT_CODE_FUSE:
		return "fuse";
	default:
		return "error";
	}
}

static void tell_gateways(struct watcher *w, enum cv_err outcome)
{
	enum cv_err err;

	w->report = (struct report){ .event = outcome == CV_OK ? DEVICE_EVENT_MOUNT_OK :
								 DEVICE_EVENT_MOUNT_FAIL,
		.reason = outcome == CV_OK ? NULL : fail_reason(outcome),
		.generation = outcome == CV_OK ? w->generation : 0 };
	err = report_send(w->unlock, &w->report);
	if (err == CV_OK)
		err = report_liars(w->unlock);
	if (err != CV_OK)
		log_warning("events: %s", cv_err_text(err));
}

/*
 * The volume process runs and the mount stands: from here on only answers of gateways are read, and
 * no program is started any more. Who is not root unmounts by fusermount3 and stays as he is.
 */
static enum cv_err give_up_power(void)
{
	const struct sandbox_spec spec = { .mode = SANDBOX_BEST_EFFORT,
		.profile = SANDBOX_WATCHER };
	enum cv_err err;

	if (geteuid() != 0)
		return CV_OK;
	err = sandbox_enter(&spec);
	if (err != CV_OK)
		log_error("sandbox: %s", cv_err_text(err));
	else if (sandbox_warning() != NULL)
		log_warning("sandbox: %s", sandbox_warning());
	return err;
}

static enum cv_err announce(struct watcher *w, const struct volume_ctl_message *m)
{
	const struct watcher_request *r = w->request;
	struct mount_record record = { .container = "" };
	char line[FILE_PATH_BUF + 128];
	enum cv_err err = control_listen(&w->control_fd, r->options->run_dir);

	snprintf(record.container, sizeof(record.container), "%s", r->container);
	snprintf(record.mount_point, sizeof(record.mount_point), "%s", r->mount_point);
	if (err == CV_OK)
		err = mount_record_write(r->options->run_dir, &record);
	if (err != CV_OK) {
		log_error("run directory %s: %s", r->options->run_dir, cv_err_text(err));
		return err;
	}
	err = give_up_power();
	if (err != CV_OK)
		return err;
	w->generation = m->generation;
	w->since_ms = clock_monotonic_ms();
	snprintf(line, sizeof(line),
		"ready device=%s mount=%s epoch=%u generation=%llu unlock_ms=%llu",
		w->unlock != NULL ? w->unlock->identity.device : "-", r->mount_point, m->epoch,
		(unsigned long long)m->generation,
		w->unlock != NULL ? (unsigned long long)(w->unlock->times.done_us / 1000) : 0);
	r->ready(r->context, line);
	if (ready_notify("READY=1") != CV_OK)
		log_warning("systemd: cannot say that the mount is ready");
	return CV_OK;
}

/* An operator's recovery: no gateway is asked, and none hears of it. */
static enum cv_err bring_up_with_key(struct watcher *w)
{
	struct volume_ctl_message m = { .type = 0 };
	enum cv_err err = start_volume(w, &m);

	return err == CV_OK ? announce(w, &m) : err;
}

static enum cv_err bring_up(struct watcher *w)
{
	struct volume_ctl_message m = { .type = 0 };
	struct last_mount last = { .mount_point = w->request->mount_point };
	enum cv_err err = unlock(w);

	if (w->unlock == NULL)
		return err;
	if (err != CV_OK) {
		last_write(w->unlock, err, &last);
		if (!w->unlock->stopped && report_liars(w->unlock) != CV_OK)
			log_warning("events: not sent");
		return err;
	}
	uint64_t start = clock_monotonic_us();
	err = start_volume(w, &m);
	last.volume_us = clock_monotonic_us() - start;
	last.generation = m.generation;
	if (err == CV_OK)
		err = announce(w, &m);
	last_write(w->unlock, err, &last);
	tell_gateways(w, err);
	return err;
}

int watcher_run(const struct watcher_request *request)
{
	struct watcher w = { .request = request, .lock_fd = -1, .container_fd = -1,
		.signal_fd = -1, .control_fd = -1, .client = -1,
		.volume = { .control = -1, .process = { .pidfd = -1 } } };
	enum cv_err err = prepare(&w);

	if (err == CV_OK)
		err = watcher_key_given(request->options) ? bring_up_with_key(&w) : bring_up(&w);
	int code = err == CV_OK ? watcher_serve(&w) : exit_code_of(err);
	if (err != CV_OK && w.mounted && mount_point_detach(request->mount_point, true) != CV_OK)
		log_warning("%s: still mounted", request->mount_point);
	volume_process_reap(&w.volume);
	watcher_clean_up(&w);
	return code;
}
