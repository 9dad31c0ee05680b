#include "fs/awake.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "host/log.h"

#define ROW 16
#define SOON_NS 1000000
#define PATIENCE_MS 4
/* The shallowest state of a real processor, WFI or C1; deeper ones take 30 us and more. */
#define SHALLOW_US 2
#define NO_LIMIT_US 2000000000 /* PM_QOS_CPU_LATENCY_DEFAULT_VALUE */

/* A virtual processor has one state; leaving it is the host's work, which the driver counts as 1 us. */
static bool halts(void)
{
	static const char driver[] = "haltpoll";
	char text[32] = "";
	int fd = open("/sys/devices/system/cpu/cpuidle/current_driver", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	(void)close(fd);
	return strncmp(text, driver, sizeof(driver) - 1) == 0;
}

void awake_init(struct awake *a, bool wanted)
{
	*a = (struct awake){ .fd = -1 };
	if (!wanted)
		return;
	a->fd = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC);
	a->limit_us = halts() ? 0 : SHALLOW_US;
}

void awake_wipe(struct awake *a)
{
	if (a->fd >= 0)
		(void)close(a->fd);
	a->fd = -1;
}

static void limit(struct awake *a, int32_t us, bool held)
{
	a->held = held;
	if (write(a->fd, &us, sizeof(us)) == (ssize_t)sizeof(us))
		return;
	log_warning("idle states: /dev/cpu_dma_latency does not take a limit; requests take longer");
	a->held = false;
	awake_wipe(a); /* and with it whatever it held */
}

void awake_request(struct awake *a, uint64_t after_ns)
{
	if (a->fd < 0)
		return;
	a->row = after_ns < SOON_NS ? a->row + 1 : 0;
	if (!a->held && a->row >= ROW)
		limit(a, a->limit_us, true);
}

void awake_wait(struct awake *a, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (a->held && poll(&p, 1, PATIENCE_MS) == 0)
		limit(a, NO_LIMIT_US, false);
}
