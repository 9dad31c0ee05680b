#include "gateway/user.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/config.h"
#include "host/file.h"
#include "host/log.h"

/* Every directory above `path` lets others pass. `path` itself is ours to make or to mend. */
static bool others_pass(const char *path)
{
	char prefix[FILE_PATH_BUF];
	struct stat st;

	if (path[0] != '/' || strlen(path) >= sizeof(prefix))
		return false;
	for (const char *slash = path; slash != NULL; slash = strchr(slash + 1, '/')) {
		size_t n = slash == path ? 1 : (size_t)(slash - path);

		memcpy(prefix, path, n);
		prefix[n] = '\0';
		if (stat(prefix, &st) != 0 || (st.st_mode & S_IXOTH) == 0)
			return false;
	}
	return true;
}

bool user_separation(const char *state)
{
	return geteuid() == 0 && getpwnam(CONFIG_USER_FRONT) != NULL &&
		getpwnam(CONFIG_USER_KEEPER) != NULL && getpwnam(CONFIG_USER_SENDER) != NULL &&
		others_pass(state);
}

const char *user_for_role(const char *state, const char *name)
{
	return user_separation(state) ? name : NULL;
}

enum cv_err user_become(const char *name)
{
	struct passwd *pw;

	if (name == NULL)
		return CV_OK;
	pw = getpwnam(name);
	if (pw == NULL || pw->pw_uid == 0) {
		log_error("user %s: does not exist or is root", name);
		return CV_ERR_NOT_FOUND;
	}
	if (initgroups(name, pw->pw_gid) != 0 ||
		setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
		setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0) {
		log_error("user %s: cannot become it: %s", name, strerror(errno));
		return CV_ERR_PERMISSION;
	}
	if (setresuid(0, 0, 0) == 0) {
		log_error("user %s: could become root again", name);
		return CV_ERR_INTERNAL;
	}
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
		log_error("user %s: prctl: %s", name, strerror(errno));
		return CV_ERR_PERMISSION;
	}
	return CV_OK;
}

static _Noreturn void run_child(
	int report, const char *user, user_step step, void *argument, void *result, size_t len)
{
	enum cv_err err = user_become(user);

	if (err == CV_OK)
		err = step(argument, result);
	if (err == CV_OK && len > 0)
		err = file_write_descriptor(report, result, len);
	_exit((int)err);
}

enum cv_err user_run(const char *user, user_step step, void *argument, void *result, size_t len)
{
	enum cv_err err = CV_ERR_INTERNAL;
	size_t got = 0;
	int report[2], status = 0;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) != 0)
		return file_error(errno);
	pid = fork();
	if (pid == 0) {
		close(report[0]);
		run_child(report[1], user, step, argument, result, len);
	}
	close(report[1]);
	if (pid < 0) {
		err = file_error(errno);
		goto out;
	}
	if (len > 0)
		err = file_read_descriptor(report[0], result, len, &got);
	else
		err = CV_OK;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status))
		err = CV_ERR_INTERNAL;
	else if (WEXITSTATUS(status) != 0)
		err = (enum cv_err)WEXITSTATUS(status);
	else if (err == CV_OK && got != len)
		err = CV_ERR_INTERNAL;
out:
	close(report[0]);
	return err;
}

static enum cv_err own(const char *path, const char *user, mode_t type)
{
	struct passwd *pw;
	struct stat st;

	if (user == NULL)
		return CV_OK;
	pw = getpwnam(user);
	if (pw == NULL)
		return CV_ERR_NOT_FOUND;
	if (lstat(path, &st) != 0)
		return file_error(errno);
	if ((st.st_mode & S_IFMT) != type)
		return CV_ERR_PERMISSION;
	if (st.st_uid == pw->pw_uid)
		return CV_OK;
	/* lchown: a link put in its place by the old owner leads nowhere */
	return lchown(path, pw->pw_uid, pw->pw_gid) == 0 ? CV_OK : file_error(errno);
}

enum cv_err user_directory(const char *path, const char *user)
{
	enum cv_err err = file_make_dir(path, 0700);

	return err == CV_OK ? own(path, user, S_IFDIR) : err;
}

enum cv_err user_own_file(const char *path, const char *user)
{
	enum cv_err err = own(path, user, S_IFREG);

	return err == CV_ERR_NOT_FOUND ? CV_OK : err;
}
