#include "device/boot_events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/file.h"
#include "host/log.h"

/* securityfs gives files a size of 0: read to the end. */
static enum cv_err read_all(uint8_t **out, size_t *len, const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	uint8_t *data;
	enum cv_err err = CV_ERR_MEMORY;

	if (fd < 0)
		return file_error(errno);
	data = malloc(EVENTLOG_FILE_MAX);
	if (data != NULL)
		err = file_read_descriptor(fd, data, EVENTLOG_FILE_MAX, len);
	close(fd);
	if (err == CV_OK)
		*out = data;
	else
		free(data);
	return err;
}

bool boot_events_read(struct eventlog *out, const char *path)
{
	uint8_t *log = NULL;
	size_t len = 0;
	enum cv_err err = read_all(&log, &len, path);

	if (err == CV_ERR_NOT_FOUND) {
		log_debug("%s: not there: no events go with the quote", path);
		return false;
	}
	if (err == CV_OK)
		err = eventlog_condense(out, log, len);
	free(log);
	if (err == CV_ERR_TOO_LONG)
		log_warning("%s: more events than the %d that a request can hold: none go with the "
			    "quote",
			path, CV_EVENTS_MAX);
	else if (err != CV_OK)
		log_warning("%s: %s: no events go with the quote", path,
			err == CV_ERR_ALGORITHM ? "has no SHA-256 digests" : cv_err_text(err));
	return err == CV_OK;
}
