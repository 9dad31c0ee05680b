#include "host/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/sandbox_internal.h"

static char warning[512];

const char *sandbox_warning(void)
{
	return warning[0] != '\0' ? warning : NULL;
}

enum cv_err sandbox_mode_parse(enum sandbox_mode *out, const char *word)
{
	if (strcmp(word, "require") == 0)
		*out = SANDBOX_REQUIRE;
	else if (strcmp(word, "best-effort") == 0)
		*out = SANDBOX_BEST_EFFORT;
	else
		return CV_ERR_CONFIG;
	return CV_OK;
}

static enum cv_err change_user(char why[SANDBOX_WHY_MAX], const char *user)
{
	struct passwd *pw;
	uid_t old = geteuid();

	errno = 0;
	pw = getpwnam(user);
	if (pw == NULL) {
		snprintf(why, SANDBOX_WHY_MAX, "no user %.32s", user);
		return CV_ERR_NOT_FOUND;
	}
	if (pw->pw_uid == old && old == getuid())
		return CV_OK;
	if (initgroups(user, pw->pw_gid) != 0 ||
		setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
		setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0) {
		snprintf(why, SANDBOX_WHY_MAX, "cannot become user %.32s: %s", user,
			strerror(errno));
		return CV_ERR_PERMISSION;
	}
	/* the way back must be closed */
	if (pw->pw_uid != 0 && setresuid(old, old, old) == 0) {
		snprintf(why, SANDBOX_WHY_MAX, "could become user %u again", (unsigned int)old);
		return CV_ERR_INTERNAL;
	}
	return CV_OK;
}

/* All but `kept` (a bit mask of capabilities 0 to 31), which must be there. */
static enum cv_err drop_capabilities(char why[SANDBOX_WHY_MAX], uint32_t kept)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	/* without CAP_SETPCAP the bounding set stays; no_new_privs makes it worthless */
	for (int cap = 0; cap < 64; cap++)
		if ((cap > 31 || (kept >> cap & 1) == 0) &&
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EINVAL &&
			errno != EPERM)
			goto failed;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
		goto failed;
	memset(data, 0, sizeof(data));
	data[0].permitted = kept;
	data[0].effective = kept;
	if (syscall(SYS_capset, &header, data) != 0)
		goto failed;
	return CV_OK;
failed:
	snprintf(why, SANDBOX_WHY_MAX, "cannot drop capabilities: %s", strerror(errno));
	return CV_ERR_PERMISSION;
}

static uint32_t kept_by(enum sandbox_profile profile)
{
	return profile == SANDBOX_WATCHER ? UINT32_C(1) << CAP_SYS_ADMIN : 0;
}

static enum cv_err no_new_privileges(char why[SANDBOX_WHY_MAX])
{
	/* a change of user may have reset the dumpable flag */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		return CV_OK;
	snprintf(why, SANDBOX_WHY_MAX, "cannot set no_new_privs: %s", strerror(errno));
	return CV_ERR_PERMISSION;
}

/* Notes a layer that failed. CV_OK if the mode lets us go on. */
static enum cv_err note(enum sandbox_mode mode, const char *why)
{
	size_t n = strlen(warning);

	snprintf(warning + n, sizeof(warning) - n, "%s%s", n > 0 ? "; " : "", why);
	return mode == SANDBOX_REQUIRE ? CV_ERR_PERMISSION : CV_OK;
}

enum cv_err sandbox_enter(const struct sandbox_spec *spec)
{
	char why[SANDBOX_WHY_MAX] = "";
	bool monitor = spec->profile == SANDBOX_MONITOR;
	enum cv_err err = CV_OK;

	warning[0] = '\0';
	/* A user that was named is never optional: files and sockets were handed over for it. */
	if (spec->user != NULL && !monitor)
		err = change_user(why, spec->user);
	if (err != CV_OK) {
		(void)note(SANDBOX_REQUIRE, why);
		return err;
	}
	if (!monitor && drop_capabilities(why, kept_by(spec->profile)) != CV_OK)
		err = note(spec->mode, why);
	if (err == CV_OK && no_new_privileges(why) != CV_OK)
		err = note(spec->mode, why);
	if (err == CV_OK && !monitor && spec->profile != SANDBOX_WATCHER &&
		sandbox_landlock(why, spec) != CV_OK)
		err = note(spec->mode, why);
	if (err == CV_OK && sandbox_seccomp(why, spec->profile) != CV_OK)
		err = note(spec->mode, why);
	return err;
}
