#include "device/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "device/counter.h"
#include "device/inventory.h"
#include "host/clock.h"
#include "host/file.h"
#include "host/log.h"
#include "host/process.h"

/* A wall clock before this is one that a power cut reset. */
#define CLOCK_FLOOR_S 1767225600 /* 2026-01-01 */
#define DIGEST_STEP 65536

enum cv_err platform_digest_file(uint8_t out[CV_HASH_BYTES], const char *path)
{
	uint8_t buf[DIGEST_STEP];
	enum cv_err err = CV_ERR_CRYPTO;
	EVP_MD_CTX *ctx = NULL;
	struct stat st;
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return file_error(errno);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		err = CV_ERR_TYPE;
		goto out;
	}
	/* libcrypto, not libsodium: five times the speed where the CPU has SHA instructions */
	ctx = EVP_MD_CTX_new();
	if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		goto out;
	while ((n = read(fd, buf, sizeof(buf))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0 && EVP_DigestUpdate(ctx, buf, (size_t)n) != 1)
			goto out;
	if (n < 0)
		err = file_error(errno);
	else if (EVP_DigestFinal_ex(ctx, out, NULL) == 1)
		err = CV_OK;
out:
	EVP_MD_CTX_free(ctx);
	close(fd);
	return err;
}

static enum cv_err add_digest(struct evidence_platform *p, const char *name, const char *path)
{
	struct evidence_digest *d = &p->digests[p->digest_count];
	enum cv_err err;

	if (p->digest_count == CV_DIGESTS_MAX)
		return CV_ERR_TOO_LONG;
	for (size_t i = 0; i < p->digest_count; i++)
		if (strcmp(p->digests[i].name, name) == 0) {
			log_error("measure %s: named twice", name);
			return CV_ERR_CONFIG;
		}
	err = platform_digest_file(d->value, path);
	if (err != CV_OK) {
		log_error("measure %s: %s: %s", name, path, cv_err_text(err));
		return err;
	}
	strcpy(d->name, name);
	p->digest_count++;
	return CV_OK;
}

static enum cv_err add_digests(
	struct evidence_platform *p, const struct settings *s, const char *volumed_path)
{
	enum cv_err err = add_digest(p, "conclave-device", "/proc/self/exe");

	if (err == CV_OK && volumed_path[0] != '\0')
		err = add_digest(p, "conclave-volumed", volumed_path);
	for (size_t i = 0; i < s->measure_count && err == CV_OK; i++)
		err = add_digest(p, s->measures[i].name, s->measures[i].path);
	return err;
}

static uint64_t issued_at(enum settings_iat rule)
{
	int64_t now = clock_wall_s();

	if (rule == SETTINGS_IAT_NEVER || now <= 0)
		return 0;
	if (rule == SETTINGS_IAT_AUTO && now < CLOCK_FLOOR_S && !clock_wall_synchronised())
		return 0;
	return (uint64_t)now;
}

enum cv_err platform_collect(struct evidence_platform *p, const struct settings *s,
	const char *state_dir, const char *volumed_path, const uint8_t boot_id[CV_BOOT_ID_BYTES])
{
	enum cv_err err;

	memset(p, 0, sizeof(*p));
	memcpy(p->boot_id, boot_id, CV_BOOT_ID_BYTES);
	strcpy(p->oemid, s->oemid);
	strcpy(p->hwmodel, s->hwmodel);
	strcpy(p->hwversion, s->hwversion);
	strcpy(p->swname, "conclave-device");
	strcpy(p->swversion, CONCLAVE_VERSION);
	p->uptime_s = clock_uptime_s();
	p->iat_s = issued_at(s->iat);
	p->dbgstat = process_is_traced() ? EVIDENCE_DEBUG_ENABLED : EVIDENCE_DEBUG_DISABLED;
	err = counter_boots(&p->bootcount, state_dir, boot_id);
	if (err != CV_OK) {
		log_error("%s/boots: %s", state_dir, cv_err_text(err));
		return err;
	}
	err = inventory_platform(p, s->system_root);
	if (err == CV_OK && s->inventory)
		err = inventory_claim(p, s->system_root);
	return err == CV_OK ? add_digests(p, s, volumed_path) : err;
}
