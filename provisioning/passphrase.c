#include "provisioning/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "host/file.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/crypto.h"
#include "provisioning/options.h"

#define ENV_FILE "CONCLAVE_PASSPHRASE_FILE"

static void strip_newline(char *text, size_t *len)
{
	while (*len > 0 && (text[*len - 1] == '\n' || text[*len - 1] == '\r'))
		(*len)--;
	text[*len] = '\0';
}

static enum cv_err from_descriptor(char *out, size_t *len, int fd)
{
	enum cv_err err = file_read_descriptor(fd, (uint8_t *)out, PASSPHRASE_MAX + 1, len);

	if (err != CV_OK)
		log_error("descriptor %d: %s", fd, cv_err_text(err));
	return err;
}

static enum cv_err from_file(char *out, size_t *len, const char *path)
{
	uint8_t *data = NULL;
	enum cv_err err = file_read_secret(&data, len, path, PASSPHRASE_MAX + 1);

	if (err != CV_OK) {
		log_error("passphrase: %s: %s (the file must be yours, with mode 0600)", path,
			cv_err_text(err));
		return err;
	}
	memcpy(out, data, *len);
	secret_free(data);
	return CV_OK;
}

/* One line from the terminal without echo. */
static enum cv_err from_terminal(
	char *out, size_t *len, const char *prompt, const char *what, const char *fd_option)
{
	struct termios old, quiet;
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	enum cv_err err = CV_ERR_CONFIG;
	ssize_t n;

	if (tty < 0 || tcgetattr(tty, &old) != 0) {
		log_error("%s: no terminal to ask on: give it on a descriptor (--%s N)%s", what,
			fd_option,
			strcmp(fd_option, "passphrase-fd") == 0 ? " or in $" ENV_FILE : "");
		goto out;
	}
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	/* quiet before the prompt: what is typed after it is neither shown nor flushed away */
	if (tcsetattr(tty, TCSAFLUSH, &quiet) != 0)
		goto out;
	n = -1;
	if (dprintf(tty, "%s (%s): ", prompt, what) < 0)
		goto restore;
	do
		n = read(tty, out, PASSPHRASE_MAX + 1);
	while (n < 0 && errno == EINTR);
restore:
	if (tcsetattr(tty, TCSAFLUSH, &old) == 0 && dprintf(tty, "\n") > 0 && n > 0) {
		*len = (size_t)n;
		err = CV_OK;
	}
out:
	if (tty >= 0)
		close(tty);
	return err;
}

static enum cv_err ask(
	char *out, size_t *len, const char *what, const char *fd_option, bool fresh)
{
	char *again = NULL;
	size_t again_len = 0;
	enum cv_err err = from_terminal(
		out, len, fresh ? "New passphrase" : "Passphrase", what, fd_option);

	if (err != CV_OK || !fresh)
		return err;
	again = secret_alloc(PASSPHRASE_MAX + 2);
	if (again == NULL)
		return CV_ERR_MEMORY;
	err = from_terminal(again, &again_len, "The same again", what, fd_option);
	if (err == CV_OK && (again_len != *len || !crypto_equal(out, again, *len))) {
		log_error("%s: the two are not the same", what);
		err = CV_ERR_CONFIG;
	}
	secret_free(again);
	return err;
}

enum cv_err passphrase_need(struct passphrase *p, const struct context *ctx,
	const char *fd_option, const char *what, bool fresh)
{
	/* the file is for keys: a recovery code, say, never comes from there */
	const char *path = strcmp(fd_option, "passphrase-fd") == 0 ? getenv(ENV_FILE) : NULL;
	size_t len = 0;
	char *text;
	int fd = -1;
	enum cv_err err;

	if (p->text != NULL)
		return CV_OK;
	err = option_fd(ctx, fd_option, &fd);
	if (err != CV_OK)
		return err;
	text = secret_alloc(PASSPHRASE_MAX + 2);
	if (text == NULL) {
		log_error("passphrase: %s", secret_last_error());
		return CV_ERR_MEMORY;
	}
	if (fd >= 0)
		err = from_descriptor(text, &len, fd);
	else if (path != NULL && path[0] != '\0')
		err = from_file(text, &len, path);
	else
		err = ask(text, &len, what, fd_option, fresh);
	if (err == CV_OK) {
		strip_newline(text, &len);
		if (len > PASSPHRASE_MAX || len < (fresh ? PASSPHRASE_MIN : 1)) {
			log_error("%s: must have %d to %d characters", what,
				fresh ? PASSPHRASE_MIN : 1, PASSPHRASE_MAX);
			err = CV_ERR_RANGE;
		}
	}
	if (err != CV_OK) {
		secret_free(text);
		return err;
	}
	p->text = text;
	return CV_OK;
}

void passphrase_wipe(struct passphrase *p)
{
	secret_free(p->text);
	p->text = NULL;
}
