/* What picolibc asks of a board. */
#include <stdlib.h>
#include <sys/time.h>

#include "ports/qemu-rv32/board.h"

int gettimeofday(struct timeval *now, void *zone)
{
	(void)zone;
	now->tv_sec = (time_t)board_unix_s();
	now->tv_usec = 0;
	return 0;
}

void _exit(int status);

void _exit(int status)
{
	board_exit(status);
}

void abort(void)
{
	board_panic();
}
