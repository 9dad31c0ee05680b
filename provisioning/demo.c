/* `demo`: the whole path with real programs, in a private directory, in under a minute. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/exit_code.h"
#include "host/log.h"
#include "protocol/crypto.h"
#include "provisioning/demo_compare.h"
#include "provisioning/demo_stage.h"
#include "provisioning/options.h"
#include "provisioning/verbs.h"

#define DEVICE_MS 20000
#define ADD_MS 60000
#define ATTEMPT "4s" /* for the mounts that are to fail */

static const char *const sources[] = {
	"/usr/share/common-licenses", "/usr/share/doc/base-files", "/etc/apt", NULL};

struct demo {
	struct demo_stage stage;
	int step;
	const char *source;
	char fleet[FILE_PATH_BUF], state[FILE_PATH_BUF], run[FILE_PATH_BUF];
	char volume[FILE_PATH_BUF], mount_point[FILE_PATH_BUF], mcu_state[FILE_PATH_BUF];
	char bundle[FILE_PATH_BUF], config[FILE_PATH_BUF];
	char passphrase[DEMO_SECRET_BUF];
	uint64_t mount_ms;
};

static void tell(struct demo *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void tell(struct demo *d, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	say(d->stage.ctx, "%2d. %s", ++d->step, line);
}

static enum cv_err require_fuse(void)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		close(fd);
		return CV_OK;
	}
	log_error("demo: /dev/fuse: %s: the mount is the point of it: load the module (modprobe "
		  "fuse), or give the container the device (--device /dev/fuse --cap-add SYS_ADMIN)",
		strerror(errno));
	return CV_ERR_FUSE;
}

static enum cv_err make_paths(struct demo *d)
{
	const struct {
		char *out;
		const char *name;
	} all[] = {{d->fleet, "fleet"}, {d->state, "device"}, {d->run, "run"},
		{d->volume, "volume.cv"}, {d->mount_point, "mnt"}, {d->mcu_state, "sensor"},
		{d->bundle, "fleet/devices/pump-1/bundle"}, {d->config, "device.ini"}};
	enum cv_err err = CV_OK;

	for (size_t i = 0; err == CV_OK && i < sizeof(all) / sizeof(all[0]); i++)
		err = demo_path(&d->stage, all[i].out, all[i].name);
	if (err == CV_OK)
		err = file_make_dir(d->mount_point, 0700);
	if (err == CV_OK)
		err = file_make_dir(d->run, 0700);
	if (err == CV_OK)
		err = file_write_new(d->config, "", 0, 0600);
	for (size_t i = 0; sources[i] != NULL && d->source == NULL; i++)
		if (access(sources[i], R_OK | X_OK) == 0)
			d->source = sources[i];
	return err == CV_OK && d->source == NULL ? CV_ERR_NOT_FOUND : err;
}

static enum cv_err make_fleet(struct demo *d)
{
	const char *const args[] = {
		"fleet", "init", "--name", "demo", "--fleet", d->fleet, "--no-passphrase", NULL};

	tell(d, "a fleet: root keys, TLS root, operator admin (keys in clear, in %s, removed at "
		"the end)",
		d->stage.dir);
	return demo_do(&d->stage, d->stage.conclave, args);
}

static enum cv_err join_gateway(struct demo *d, struct demo_gateway *g)
{
	struct demo_stage *s = &d->stage;
	char state[FILE_PATH_BUF], request[FILE_PATH_BUF], grant[FILE_PATH_BUF], name[32];
	char fingerprint[DEMO_SECRET_BUF];
	const char *const init[] = {"init", "--name", g->id, "--state", state, "--request", request,
		"--reserve-records", "1000", NULL};
	const char *const add[] = {"gateway", "add", request, "--fingerprint", fingerprint,
		"--fleet", d->fleet, NULL};
	const char *const install[] = {"install", grant, "--state", state, NULL};
	const char *const address[] = {"gateway", "address", g->id, "--address", g->devices,
		"--operators", g->operators, "--fleet", d->fleet, NULL};
	enum cv_err err = demo_path(s, state, g->id);

	snprintf(name, sizeof(name), "%s.req", g->id);
	if (err == CV_OK)
		err = demo_path(s, request, name);
	snprintf(name, sizeof(name), "%s.grant", g->id);
	if (err == CV_OK)
		err = demo_path(s, grant, name);
	if (err == CV_OK)
		err = demo_do(s, s->gateway, init);
	/* what a person reads off the gateway's console */
	if (err == CV_OK)
		err = demo_find_word(s, "log", "fingerprint ", fingerprint, sizeof(fingerprint));
	if (err == CV_OK)
		err = demo_do(s, s->conclave, add);
	if (err == CV_OK)
		err = demo_do(s, s->gateway, install);
	if (err == CV_OK)
		err = demo_gateway_start(s, g);
	return err == CV_OK ? demo_do(s, s->conclave, address) : err;
}

static enum cv_err join_gateways(struct demo *d)
{
	enum cv_err err = CV_OK;

	tell(d, "three gateways make their keys, join by fingerprint and start on loopback");
	for (size_t i = 0; err == CV_OK && i < DEMO_GATEWAYS; i++) {
		err = join_gateway(d, &d->stage.gateways[i]);
		if (err == CV_OK)
			say(d->stage.ctx, "      %s: devices %s, operators %s",
				d->stage.gateways[i].id, d->stage.gateways[i].devices,
				d->stage.gateways[i].operators);
	}
	return err;
}

/* One line that a child wrote into a pipe. */
static enum cv_err take_line(int fd, char out[DEMO_SECRET_BUF])
{
	size_t len = 0;
	enum cv_err err = file_read_descriptor(fd, (uint8_t *)out, DEMO_SECRET_BUF - 1, &len);

	if (err != CV_OK)
		return err;
	while (len > 0 && out[len - 1] == '\n')
		len--;
	out[len] = '\0';
	return len > 0 ? CV_OK : CV_ERR_FORMAT;
}

static void close_pipe(int fds[2])
{
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static enum cv_err add_device(struct demo *d)
{
	const char *const args[] = {"device", "add", "pump-1", "--gateways", "g1,g2,g3",
		"--threshold", "2", "--volume", d->volume, "--size", "64MiB", "--import", d->source,
		"--reveal-reason", "--passphrase-out-fd", "4", "--recovery-out-fd", "5", "--fleet",
		d->fleet, NULL};
	int phrase[2] = {-1, -1}, recovery[2] = {-1, -1};
	char code[DEMO_SECRET_BUF];
	struct demo_command command = {.program = d->stage.conclave, .args = args, .secret_in = -1,
		.timeout_ms = ADD_MS};
	enum cv_err err = CV_OK;

	tell(d, "device pump-1: a secret split 2 of 3, %s imported into an encrypted volume of "
		"64 MiB",
		d->source);
	if (pipe2(phrase, O_CLOEXEC) != 0 || pipe2(recovery, O_CLOEXEC) != 0)
		err = file_error(errno);
	command.secret_out[0] = phrase[1];
	command.secret_out[1] = recovery[1];
	if (err == CV_OK)
		err = demo_expect(&d->stage, &command, 0);
	for (int i = 0; i < 2; i++) {
		int *fds = i == 0 ? phrase : recovery;

		if (fds[1] >= 0)
			close(fds[1]);
		fds[1] = -1;
	}
	if (err == CV_OK)
		err = take_line(phrase[0], d->passphrase);
	if (err == CV_OK)
		err = take_line(recovery[0], code);
	if (err == CV_OK)
		say(d->stage.ctx, "      recovery code, for paper: %.11s-...", code);
	crypto_wipe(code, sizeof(code));
	close_pipe(phrase);
	close_pipe(recovery);
	return err;
}

static enum cv_err install_device(struct demo *d)
{
	const char *const args[] = {"install", d->bundle, "--passphrase-fd", "3", "--state",
		d->state, "--run", d->run, "--config", d->config, NULL};
	int fds[2] = {-1, -1};
	struct demo_command command = {.program = d->stage.device, .args = args,
		.secret_out = {-1, -1}, .timeout_ms = DEVICE_MS};
	enum cv_err err = CV_OK;

	tell(d, "the device takes its bundle, sealed under a passphrase that was shown once");
	if (pipe2(fds, O_CLOEXEC) != 0)
		return file_error(errno);
	err = file_write_descriptor(fds[1], d->passphrase, strlen(d->passphrase));
	crypto_wipe(d->passphrase, sizeof(d->passphrase));
	close(fds[1]);
	fds[1] = -1;
	command.secret_in = fds[0];
	if (err == CV_OK)
		err = demo_expect(&d->stage, &command, 0);
	close_pipe(fds);
	return err;
}

static enum cv_err mount(struct demo *d, const char *timeout, int wanted)
{
	const char *const args[] = {"mount", d->volume, d->mount_point, "--timeout", timeout,
		"--state", d->state, "--run", d->run, "--config", d->config, NULL};
	struct demo_command command = {.program = d->stage.device, .args = args, .secret_in = -1,
		.secret_out = {-1, -1}, .timeout_ms = DEVICE_MS};
	uint64_t start = clock_monotonic_ms();
	enum cv_err err = demo_expect(&d->stage, &command, wanted);

	d->mount_ms = clock_monotonic_ms() - start;
	return err;
}

static enum cv_err unmount(struct demo *d)
{
	const char *const args[] = {"unmount", "--state", d->state, "--run", d->run, "--config",
		d->config, NULL};

	return demo_do(&d->stage, d->stage.device, args);
}

static enum cv_err unlock_two_of_three(struct demo *d)
{
	struct demo_gateway *g3 = &d->stage.gateways[2];
	uint64_t files = 0, bytes = 0;
	enum cv_err err;

	tell(d, "gateway g3 is stopped; the device asks all three at once and mounts");
	err = demo_gateway_stop(&d->stage, g3);
	if (err == CV_OK)
		err = mount(d, "15s", 0);
	if (err != CV_OK)
		return err;
	say(d->stage.ctx, "      unlocked by 2 of 3 and mounted in %llu ms",
		(unsigned long long)d->mount_ms);
	tell(d, "every file is read back through the mount and compared");
	err = demo_compare_trees(d->source, d->mount_point, &files, &bytes);
	if (err != CV_OK) {
		log_error("demo: what the mount gave is not what was imported: %s",
			cv_err_text(err));
		return err;
	}
	say(d->stage.ctx, "      %llu files, %llu bytes: the same",
		(unsigned long long)files, (unsigned long long)bytes);
	cJSON_AddNumberToObject(d->stage.ctx->result, "mount_ms", (double)d->mount_ms);
	cJSON_AddNumberToObject(d->stage.ctx->result, "files", (double)files);
	return unmount(d);
}

static enum cv_err run_microcontroller(struct demo *d)
{
	const char *const add[] = {"device", "add", "sensor-1", "--mcu", "--gateways", "g1,g2",
		"--threshold", "2", "--state-dir", d->mcu_state, "--reveal-reason", "--fleet",
		d->fleet, NULL};
	const char *const boot[] = {"--state", d->mcu_state, "--timeout", "15", NULL};
	enum cv_err err;

	if (d->stage.mcu[0] == '\0') {
		tell(d, "conclave-mcu is not built here: the microcontroller's part is left out");
		return CV_OK;
	}
	tell(d, "a microcontroller (conclave-mcu, built for this host) boots with sealed settings");
	err = demo_do(&d->stage, d->stage.conclave, add);
	if (err == CV_OK)
		err = demo_do(&d->stage, d->stage.mcu, boot);
	if (err == CV_OK)
		say(d->stage.ctx, "      asked one gateway after the other, opened them, signalled "
				  "the mount");
	return err;
}

static enum cv_err show_dead_gateways(struct demo *d)
{
	struct demo_gateway *g2 = &d->stage.gateways[1];
	enum cv_err err;

	tell(d, "g2 dies too: one gateway is left, two are needed");
	err = demo_gateway_stop(&d->stage, g2);
	if (err == CV_OK)
		err = mount(d, ATTEMPT, EXIT_CODE_TOO_FEW);
	if (err != CV_OK)
		return err;
	say(d->stage.ctx, "      locked: conclave-device mount exits %d (too few gateways)",
		EXIT_CODE_TOO_FEW);
	return demo_gateway_start(&d->stage, g2);
}

static enum cv_err show_denial(struct demo *d)
{
	const char *const revoke[] = {"device", "revoke", "pump-1", "--reason", "stolen", "--fleet",
		d->fleet, NULL};
	enum cv_err err;

	tell(d, "the device is stolen: g2 is back, the operator revokes pump-1 at g1 and g2");
	err = demo_do(&d->stage, d->stage.conclave, revoke);
	if (err == CV_OK)
		err = mount(d, ATTEMPT, EXIT_CODE_DENIED);
	if (err == CV_OK)
		say(d->stage.ctx, "      denied: conclave-device mount exits %d, though the thief "
				  "has every key of the device",
			EXIT_CODE_DENIED);
	return err;
}

static enum cv_err show_audit(struct demo *d)
{
	const char *const verify[] = {"audit", "verify", "g1", "--fleet", d->fleet, NULL};

	tell(d, "the operator walks the audit chain of g1 against the head that its keeper signed");
	return demo_do(&d->stage, d->stage.conclave, verify);
}

static enum cv_err play(struct demo *d)
{
	static enum cv_err (*const scenes[])(struct demo *) = {make_paths, make_fleet,
		join_gateways, add_device, install_device, unlock_two_of_three,
		run_microcontroller, show_dead_gateways, show_denial, show_audit};
	enum cv_err err = CV_OK;

	for (size_t i = 0; err == CV_OK && i < sizeof(scenes) / sizeof(scenes[0]); i++)
		err = demo_stopped() ? CV_ERR_TIMEOUT : scenes[i](d);
	return err;
}

static enum cv_err demo_run_verb(struct context *ctx)
{
	uint64_t start = clock_monotonic_ms();
	struct demo *d = calloc(1, sizeof(*d));
	enum cv_err err = d != NULL ? require_fuse() : CV_ERR_MEMORY;

	if (err != CV_OK) {
		free(d);
		return err;
	}
	say(ctx, "Conclave %s: everything below is real, on loopback, without users of its own or "
		 "systemd (so the gateways' processes are fenced off less than when packaged).",
		CONCLAVE_VERSION);
	err = demo_stage_open(&d->stage, ctx);
	if (err == CV_OK)
		err = play(d);
	demo_stage_close(&d->stage);
	if (err == CV_OK)
		say(ctx, "done in %.1f s; every process ended, everything removed",
			(double)(clock_monotonic_ms() - start) / 1000);
	else
		log_error("demo: %s; every process ended, everything removed",
			demo_stopped() ? "stopped" : "failed");
	cJSON_AddNumberToObject(ctx->result, "ms", (double)(clock_monotonic_ms() - start));
	free(d);
	return err;
}

const struct verb verb_demo = {
	.name = "demo",
	.args = "",
	.summary = "play the whole path with real programs and clean up\n"
		   "Three gateways, a device, a volume, an unlock by 2 of 3, a microcontroller, a\n"
		   "dead gateway, a denial. Needs /dev/fuse (else it exits 30), and no network.",
	.run = demo_run_verb,
};
