#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/notify/sample.h"

static char directory[64];

struct event_alert sample_alert(enum event_type type)
{
	struct event_alert a;
	uint8_t boot_id[16] = {0xab, 0xcd};

	assert_int_equal(event_init(&a, type, "gw-a", "cam-7", SAMPLE_TIME_S), CV_OK);
	assert_int_equal(event_set_reason(&a, "measurement_mismatch"), CV_OK);
	assert_int_equal(event_add_number(&a, EVENT_KEY_epoch, 3), CV_OK);
	assert_int_equal(event_add_hex(&a, EVENT_KEY_boot_id, boot_id), CV_OK);
	return a;
}

struct destination sample_destination(const char *name, enum event_severity least)
{
	struct destination d = {.kind = DESTINATION_WEBHOOK, .least = least, .file = "/nowhere"};

	snprintf(d.name, sizeof(d.name), "%s", name);
	return d;
}

int sample_setup(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/conclave-notify-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

int sample_teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return system(command);
}

const char *sample_path(const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

const char *sample_file(const char *name, const char *text, unsigned mode)
{
	const char *path = sample_path(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return path;
}
