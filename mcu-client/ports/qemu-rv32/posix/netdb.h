/* The POSIX name of what lwIP declares. */
#include <lwip/netdb.h>
