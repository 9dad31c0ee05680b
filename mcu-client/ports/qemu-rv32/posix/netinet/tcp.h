/* The POSIX name of what lwIP declares. */
#include <lwip/sockets.h>
