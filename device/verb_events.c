#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "device/boot_events.h"
#include "device/options.h"
#include "device/settings.h"
#include "device/verb.h"
#include "host/exit_code.h"
#include "host/file.h"
#include "host/log.h"

#define USAGE "events [FILE]"
#define DATA_SHOWN 64

/*
 * What the log says of the event: for people, as nobody vouches for it. Text in UTF-16 is common.
 */
static void print_data(const struct eventlog_event *e)
{
	size_t shown = 0;

	for (size_t i = 0; i < e->data_len && shown < DATA_SHOWN; i++) {
		if (e->data[i] >= 0x20 && e->data[i] <= 0x7e) {
			putchar(e->data[i]);
			shown++;
		} else if (e->data[i] != 0) {
			putchar('.');
			shown++;
		}
	}
	putchar('\n');
}

static enum cv_err print(const uint8_t *log, size_t len)
{
	struct eventlog_reader r;
	struct eventlog_event e;
	enum cv_err err = eventlog_open(&r, log, len);

	while (err == CV_OK && (err = eventlog_next(&r, &e)) == CV_OK) {
		if (e.type == EVENTLOG_NO_ACTION || e.sha256 == NULL)
			continue;
		printf("%2u %08x ", e.pcr, e.type);
		for (size_t i = 0; i < CV_HASH_BYTES; i++)
			printf("%02x", e.sha256[i]);
		putchar(' ');
		print_data(&e);
	}
	return err == CV_ERR_NOT_FOUND ? CV_OK : err;
}

static enum cv_err print_file(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	uint8_t *log = malloc(EVENTLOG_FILE_MAX);
	size_t len = 0;
	enum cv_err err = fd < 0 ? file_error(errno) : CV_ERR_MEMORY;

	if (fd >= 0 && log != NULL)
		err = file_read_descriptor(fd, log, EVENTLOG_FILE_MAX, &len);
	if (err == CV_OK)
		err = print(log, len);
	if (err != CV_OK)
		log_error("events: %s: %s", path, cv_err_text(err));
	if (fd >= 0)
		close(fd);
	free(log);
	return err;
}

int verb_events(int argc, char **argv)
{
	struct options o;
	struct settings s;
	bool help;
	enum cv_err err = options_parse(&o, argc, argv, 0, USAGE, &help);

	if (help)
		return EXIT_CODE_OK;
	if (err == CV_OK && o.word_count > 1) {
		log_error("events: usage: conclave-device %s", USAGE);
		err = CV_ERR_ARGUMENT;
	}
	if (err == CV_OK)
		err = settings_load(&s, &o);
	if (err == CV_OK)
		err = print_file(o.word_count == 1 ? o.words[0] : s.event_log);
	return exit_code_of(err);
}
