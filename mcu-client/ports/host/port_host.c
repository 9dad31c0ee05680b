#include "ports/host/port_host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "ports/software.h"
#include "protocol/crypto.h"

#define PATH_BUF 96
#define PROGRAM_MAX (64u << 20)

static int state_fd = -1;
static struct evidence_digest firmware;

enum cv_err port_host_open(const char *state_dir, const char **problem)
{
	struct stat st;

	*problem = "cannot open the state directory";
	state_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state_fd < 0)
		return CV_ERR_CONFIG;
	*problem = "the state directory must belong to this user and have mode 0700";
	if (fstat(state_fd, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
		port_host_close();
		return CV_ERR_CONFIG;
	}
	*problem = NULL;
	return CV_OK;
}

void port_host_close(void)
{
	if (state_fd >= 0)
		close(state_fd);
	state_fd = -1;
}

uint64_t port_unix_s(void)
{
	time_t now = time(NULL);

	return now > 0 ? (uint64_t)now : 0;
}

uint64_t port_monotonic_ms(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_BOOTTIME, &ts) != 0)
		return 0;
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void port_wait_ms(uint32_t ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	(void)nanosleep(&ts, NULL);
}

static enum cv_err read_all(int fd, void *out, size_t cap, size_t *len)
{
	uint8_t *p = out;
	uint8_t extra;
	size_t have = 0;

	for (;;) {
		ssize_t n = have < cap ? read(fd, p + have, cap - have) : read(fd, &extra, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return CV_ERR_IO;
		if (n == 0)
			break;
		if (have == cap)
			return CV_ERR_TOO_LONG;
		have += (size_t)n;
	}
	*len = have;
	return CV_OK;
}

enum cv_err port_nv_get(const char *name, void *out, size_t cap, size_t *len)
{
	enum cv_err err = CV_ERR_INTERNAL;
	int fd = openat(state_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? CV_ERR_NOT_FOUND : CV_ERR_IO;
	err = read_all(fd, out, cap, len);
	close(fd);
	return err;
}

static enum cv_err write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return errno == ENOSPC ? CV_ERR_FULL : CV_ERR_IO;
		data += n;
		len -= (size_t)n;
	}
	return fsync(fd) == 0 ? CV_OK : CV_ERR_IO;
}

enum cv_err port_nv_set(const char *name, const void *data, size_t len)
{
	char temp[PATH_BUF];
	enum cv_err err = CV_ERR_INTERNAL;
	int fd = -1;
	int n = snprintf(temp, sizeof(temp), ".%s.new", name);

	if (n < 0 || (size_t)n >= sizeof(temp))
		return CV_ERR_TOO_LONG;
	fd = openat(state_fd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return CV_ERR_IO;
	err = write_all(fd, data, len);
	if (close(fd) != 0 && err == CV_OK)
		err = CV_ERR_IO;
	if (err == CV_OK && renameat(state_fd, temp, state_fd, name) != 0)
		err = CV_ERR_IO;
	if (err == CV_OK && fsync(state_fd) != 0)
		err = CV_ERR_IO;
	if (err != CV_OK)
		(void)unlinkat(state_fd, temp, 0);
	return err;
}

enum cv_err port_host_measure(void)
{
	struct stat st;
	void *map = MAP_FAILED;
	enum cv_err err = CV_ERR_IO;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return CV_ERR_IO;
	if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size < (off_t)PROGRAM_MAX)
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return err;
	strcpy(firmware.name, "firmware");
	err = crypto_sha256(firmware.value,
		&(struct crypto_part){.data = map, .len = (size_t)st.st_size}, 1);
	munmap(map, (size_t)st.st_size);
	return err;
}

/* 1 if a debugger is attached; also when /proc cannot say. */
static int traced(void)
{
	static const char key[] = "TracerPid:\t0\n";
	char status[2048];
	ssize_t n = -1;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 1;
	n = read(fd, status, sizeof(status) - 1);
	close(fd);
	if (n <= 0)
		return 1;
	status[n] = 0;
	return strstr(status, key) == NULL;
}

enum cv_err port_platform(struct evidence_platform *platform)
{
	struct utsname u;

	memset(platform, 0, sizeof(*platform));
	if (uname(&u) != 0)
		return CV_ERR_IO;
	(void)snprintf(platform->hwmodel, sizeof(platform->hwmodel), "host-%.32s", u.machine);
	(void)snprintf(platform->swname, sizeof(platform->swname), "conclave-mcu");
	(void)snprintf(platform->swversion, sizeof(platform->swversion), "%s", CONCLAVE_VERSION);
	platform->dbgstat = traced() ? EVIDENCE_DEBUG_ENABLED : EVIDENCE_DEBUG_DISABLED;
	platform->digest_count = 1;
	platform->digests[0] = firmware;
	return CV_OK;
}

uint64_t port_instructions(void)
{
	return 0;
}

void software_pin_show(const char *line)
{
	(void)puts(line);
	(void)fflush(stdout);
}

void *port_secret_memory(size_t len)
{
	static void *memory;
	static size_t size;

	if (memory == NULL) {
		memory =
			mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory == MAP_FAILED || mlock(memory, len) != 0) {
			memory = NULL;
			return NULL;
		}
		(void)madvise(memory, len, MADV_DONTDUMP);
		size = len;
	}
	return len == size ? memory : NULL;
}

void port_log(const char *line)
{
	(void)fprintf(stderr, "conclave-mcu: %s\n", line);
}
