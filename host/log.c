#include "host/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *log_program = "conclave";
static atomic_int log_level_now = LOG_LEVEL_INFO;
static bool log_to_journal;

static const char *const level_words[] = { "error", "warning", "info", "debug" };
static const int level_priority[] = { 3, 4, 6, 7 };

/* JOURNAL_STREAM holds device:inode of the stream that systemd connected us to. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream != NULL && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
		fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void log_init(const char *program)
{
	log_program = program;
	log_to_journal = stderr_is_journal();
}

void log_set_level(enum log_level level)
{
	atomic_store(&log_level_now, (int)level);
}

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load(&log_level_now);
}

/* Length of a well-formed UTF-8 sequence of a printable character at s, or 0. */
static size_t printable_len(const unsigned char *s)
{
	size_t n;

	if (s[0] >= 0x20 && s[0] < 0x7f)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* U+0080..U+009F are control characters too */
	return s[0] == 0xc2 && s[1] < 0xa0 ? 0 : n;
}

size_t log_escape(char *out, size_t cap, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *s = (const unsigned char *)text;
	size_t len = 0;

	while (*s != '\0') {
		size_t n = printable_len(s);

		if (len + 4 + 3 >= cap) {
			memcpy(out + len, "...", 4);
			return len + 3;
		}
		if (n != 0) {
			memcpy(out + len, s, n);
			len += n;
			s += n;
			continue;
		}
		out[len++] = '\\';
		out[len++] = 'x';
		out[len++] = hex[*s >> 4];
		out[len++] = hex[*s & 15];
		s++;
	}
	out[len] = '\0';
	return len;
}

__attribute__((format(printf, 2, 0)))
static void log_write(enum log_level level, const char *format, va_list args)
{
	char text[LOG_LINE_MAX];
	char line[LOG_LINE_MAX + 128];
	int head;

	if ((int)level > atomic_load(&log_level_now))
		return;
	vsnprintf(text, sizeof(text), format, args);
	if (log_to_journal)
		head = snprintf(line, 128, "<%d>%.60s: ", level_priority[level], log_program);
	else
		head = snprintf(line, 128, "%.60s: %s%s", log_program,
			level == LOG_LEVEL_INFO ? "" : level_words[level],
			level == LOG_LEVEL_INFO ? "" : ": ");
	size_t len = (size_t)head + log_escape(line + head, LOG_LINE_MAX + 1, text);

	line[len++] = '\n';
	ssize_t n = write(STDERR_FILENO, line, len);
	(void)n; /* nowhere left to say that it failed */
}

#define LOG_FUNCTION(name, level)                                                                  \
	void name(const char *format, ...)                                                         \
	{                                                                                          \
		va_list args;                                                                      \
												   \
		va_start(args, format);                                                            \
		log_write(level, format, args);                                                    \
		va_end(args);                                                                      \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
