/* The POSIX name of what lwIP declares. */
#include <lwip/sockets.h>

/* lwIP refuses it: there is no other program to keep a socket from. */
#ifndef F_SETFD
#define F_SETFD 2
#define FD_CLOEXEC 1
#endif
