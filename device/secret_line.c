#include "device/secret_line.h"

#include <stdint.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "host/file.h"

enum cv_err secret_line_read(char *out, size_t cap, int fd, const char *prompt)
{
	struct termios old, quiet;
	size_t len = 0;

	if (tcgetattr(fd, &old) == 0) {
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(fd, TCSAFLUSH, &quiet);
		fprintf(stderr, "%s: ", prompt);
		ssize_t n = read(fd, out, cap - 1);
		tcsetattr(fd, TCSAFLUSH, &old);
		fputc('\n', stderr);
		len = n > 0 ? (size_t)n : 0;
	} else {
		enum cv_err err = file_read_descriptor(fd, (uint8_t *)out, cap - 1, &len);

		if (err != CV_OK)
			return err;
	}
	out[len] = '\0';
	return CV_OK;
}
