#include "host/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static uint64_t boottime_us(void)
{
	struct timespec t = { 0, 0 };

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_monotonic_ms(void)
{
	return boottime_us() / 1000;
}

uint64_t clock_monotonic_us(void)
{
	return boottime_us();
}

uint64_t clock_uptime_s(void)
{
	return boottime_us() / 1000000;
}

int64_t clock_wall_s(void)
{
	return clock_wall_ms() / 1000;
}

int64_t clock_wall_ms(void)
{
	struct timespec t = { 0, 0 };

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool clock_wall_synchronised(void)
{
	struct timex t = { .modes = 0 };

	return adjtimex(&t) != TIME_ERROR && (t.status & STA_UNSYNC) == 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

enum cv_err clock_boot_id(uint8_t out[CV_BOOT_ID_BYTES])
{
	uint8_t id[CV_BOOT_ID_BYTES] = { 0 };
	char text[64];
	size_t digits = 0;
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return CV_ERR_IO;
	ssize_t n = read(fd, text, sizeof(text));
	close(fd);
	for (ssize_t i = 0; i < n; i++) {
		int digit = hex_digit(text[i]);

		if (digit < 0)
			continue;
		if (digits == 2 * CV_BOOT_ID_BYTES)
			return CV_ERR_FORMAT;
		id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | digit);
		digits++;
	}
	if (digits != 2 * CV_BOOT_ID_BYTES)
		return CV_ERR_FORMAT;
	for (size_t i = 0; i < CV_BOOT_ID_BYTES; i++)
		out[i] = id[i];
	return CV_OK;
}

void clock_format_utc(char out[CLOCK_TEXT_BUF], int64_t wall_s)
{
	const int64_t end_of_9999 = 253402300799;
	time_t t = (time_t)wall_s;
	struct tm tm;

	if (wall_s < 0 || wall_s > end_of_9999 || gmtime_r(&t, &tm) == NULL ||
		strftime(out, CLOCK_TEXT_BUF, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(out, CLOCK_TEXT_BUF, "invalid-time");
}
