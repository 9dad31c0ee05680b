#include "device/watcher_key.h"

#include <string.h>
#include <unistd.h>

#include "device/secret_line.h"
#include "host/log.h"
#include "host/recovery_code.h"
#include "host/secret.h"
#include "protocol/crypto.h"

#define TEXT_MAX 256

bool watcher_key_given(const struct options *o)
{
	return o->key_fd >= 0 || o->recovery_fd >= 0;
}

static enum cv_err read_raw(uint8_t secret[CV_SECRET_BYTES], int fd)
{
	uint8_t *key = secret_alloc(CV_SECRET_BYTES + 1); /* one more shows what is too long */
	size_t len = 0;
	enum cv_err err = CV_ERR_MEMORY;

	if (key != NULL)
		err = file_read_descriptor(fd, key, CV_SECRET_BYTES + 1, &len);
	if (err == CV_ERR_TOO_LONG || (err == CV_OK && len != CV_SECRET_BYTES))
		err = CV_ERR_FORMAT;
	if (err == CV_OK)
		memcpy(secret, key, CV_SECRET_BYTES);
	else
		log_error("key: descriptor %d: must give exactly %d bytes: %s", fd, CV_SECRET_BYTES,
			cv_err_text(err));
	secret_free(key);
	return err == CV_ERR_FORMAT ? CV_ERR_WRONG_KEY : err;
}

static enum cv_err read_code(uint8_t secret[CV_SECRET_BYTES], int fd)
{
	char *text = secret_alloc(TEXT_MAX);
	enum cv_err err = CV_ERR_MEMORY;

	if (text != NULL)
		err = secret_line_read(text, TEXT_MAX, fd, "Recovery code");
	if (err == CV_OK)
		err = recovery_code_parse(secret, text, strcspn(text, "\n"));
	if (err == CV_ERR_MISMATCH)
		log_error("recovery code: a character is wrong: look at it again");
	else if (err == CV_ERR_FORMAT || err == CV_ERR_TOO_LONG)
		log_error("recovery code: must be 11 groups of 5 of A-Z and 2-7");
	else if (err != CV_OK)
		log_error("recovery code: descriptor %d: %s", fd, cv_err_text(err));
	secret_free(text);
	if (err == CV_ERR_MISMATCH || err == CV_ERR_FORMAT || err == CV_ERR_TOO_LONG)
		err = CV_ERR_WRONG_KEY;
	return err;
}

enum cv_err watcher_key_read(uint8_t secret[CV_SECRET_BYTES], const struct options *o)
{
	int fd = o->key_fd >= 0 ? o->key_fd : o->recovery_fd;
	enum cv_err err = crypto_init();

	if (err != CV_OK)
		return err;
	err = o->key_fd >= 0 ? read_raw(secret, fd) : read_code(secret, fd);
	if (fd > STDERR_FILENO)
		(void)close(fd);
	return err;
}
