#include "fs/why.h"

#include <stdarg.h>
#include <stdio.h>

enum cv_err why_set(struct volume_why *why, enum cv_err err, const char *format, ...)
{
	va_list args;

	if (!why)
		return err;
	va_start(args, format);
	(void)vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	return err;
}
