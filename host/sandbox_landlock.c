/*
 * Landlock by raw system calls (landlock(7)); what the headers of Debian 12 do not know yet is
 * defined here. Rights are asked for as far as the running kernel's ABI has them.
 */
#include "host/sandbox_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RIGHT_EXECUTE (UINT64_C(1) << 0)
#define RIGHT_WRITE_FILE (UINT64_C(1) << 1)
#define RIGHT_READ_FILE (UINT64_C(1) << 2)
#define RIGHT_READ_DIR (UINT64_C(1) << 3)
#define RIGHT_REMOVE_DIR (UINT64_C(1) << 4)
#define RIGHT_REMOVE_FILE (UINT64_C(1) << 5)
#define RIGHT_MAKE_DIR (UINT64_C(1) << 7)
#define RIGHT_MAKE_REG (UINT64_C(1) << 8)
#define RIGHT_MAKE_SOCK (UINT64_C(1) << 9)
#define RIGHT_TRUNCATE (UINT64_C(1) << 14)
#define RIGHTS_ABI_1 ((UINT64_C(1) << 13) - 1)
#define RIGHTS_ABI_2 ((UINT64_C(1) << 14) - 1) /* and REFER */
#define RIGHTS_ABI_3 ((UINT64_C(1) << 15) - 1) /* and TRUNCATE */
#define RIGHTS_ABI_5 ((UINT64_C(1) << 16) - 1) /* and IOCTL_DEV */

#define READING (RIGHT_READ_FILE | RIGHT_READ_DIR)
#define WRITING                                                                                    \
	(RIGHT_WRITE_FILE | RIGHT_REMOVE_DIR | RIGHT_REMOVE_FILE | RIGHT_MAKE_DIR |                \
		RIGHT_MAKE_REG | RIGHT_MAKE_SOCK | RIGHT_TRUNCATE)
#define OF_FILES (RIGHT_EXECUTE | RIGHT_WRITE_FILE | RIGHT_READ_FILE | RIGHT_TRUNCATE)

/* What every library may open behind our back; missing ones do not matter. */
static const char *const system_paths[] = { "/usr/lib", "/usr/share/zoneinfo", "/lib", "/lib64",
	"/etc/ssl", "/etc/ld.so.cache", "/etc/localtime", "/dev/null", "/dev/urandom", NULL };
static const char *const resolver_paths[] = { "/etc/resolv.conf", "/etc/hosts",
	"/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services",
	"/etc/ca-certificates", "/usr/share/ca-certificates", "/run/systemd/resolve",
	"/run/resolvconf", "/run/NetworkManager", NULL };

static uint64_t rights_of_abi(long abi)
{
	if (abi >= 5)
		return RIGHTS_ABI_5;
	if (abi >= 3)
		return RIGHTS_ABI_3;
	return abi == 2 ? RIGHTS_ABI_2 : RIGHTS_ABI_1;
}

/* 0, or -1 with errno. */
static int allow(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights };
	struct stat st;
	int result = -1;
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			rule.allowed_access &= OF_FILES;
		rule.parent_fd = fd;
		result = (int)syscall(
			SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	}
	int saved = errno;
	close(fd);
	errno = saved;
	return result;
}

static void allow_system(int ruleset, const char *const *paths)
{
	for (; *paths != NULL; paths++)
		(void)allow(ruleset, *paths, READING);
}

static enum cv_err fill(
	char why[SANDBOX_WHY_MAX], int ruleset, uint64_t handled, const struct sandbox_spec *spec)
{
	if (spec->profile == SANDBOX_VOLUME)
		return CV_OK;
	allow_system(ruleset, system_paths);
	if (spec->profile == SANDBOX_SENDER)
		allow_system(ruleset, resolver_paths);
	for (size_t i = 0; i < spec->path_count; i++) {
		uint64_t rights = READING | (spec->paths[i].writable ? WRITING & handled : 0);

		if (allow(ruleset, spec->paths[i].path, rights) != 0) {
			snprintf(why, SANDBOX_WHY_MAX, "Landlock: %.80s: %s", spec->paths[i].path,
				strerror(errno));
			return CV_ERR_IO;
		}
	}
	return CV_OK;
}

enum cv_err sandbox_landlock(char why[SANDBOX_WHY_MAX], const struct sandbox_spec *spec)
{
	/* only the first member is known to every ABI */
	struct {
		uint64_t handled_access_fs;
	} attr;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	enum cv_err err;

	if (abi < 1) {
		snprintf(why, SANDBOX_WHY_MAX, "this kernel has no Landlock");
		return CV_ERR_NOT_SUPPORTED;
	}
	attr.handled_access_fs = rights_of_abi(abi);
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0) {
		snprintf(why, SANDBOX_WHY_MAX, "Landlock: %s", strerror(errno));
		return CV_ERR_NOT_SUPPORTED;
	}
	err = fill(why, ruleset, attr.handled_access_fs, spec);
	if (err == CV_OK && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
		snprintf(why, SANDBOX_WHY_MAX, "Landlock: %s", strerror(errno));
		err = CV_ERR_NOT_SUPPORTED;
	}
	close(ruleset);
	return err;
}
