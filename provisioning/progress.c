#include "provisioning/progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/clock.h"

#define UPDATE_MS 100

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

void progress_begin(struct progress *p, const char *what, bool bytes)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal};

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	*p = (struct progress){.what = what, .bytes = bytes, .terminal = isatty(STDERR_FILENO) == 1};
}

static void show_line(const struct progress *p, uint64_t done, uint64_t total, const char *name)
{
	const char *unit = p->bytes ? "MiB" : "blocks";
	unsigned shift = p->bytes ? 20 : 0;

	if (total > 0)
		fprintf(stderr, "\r\033[K%s: %3llu %%  %llu of %llu %s  %.40s", p->what,
			(unsigned long long)(done >= total ? 100 : done * 100 / total),
			(unsigned long long)(done >> shift), (unsigned long long)(total >> shift),
			unit, name);
	else
		fprintf(stderr, "\r\033[K%s: %llu %s  %.40s", p->what,
			(unsigned long long)(done >> shift), unit, name);
	fflush(stderr);
}

int progress_show(void *user, uint64_t done, uint64_t total, const char *name)
{
	struct progress *p = user;
	uint64_t now = clock_monotonic_ms();

	if (p->terminal && now - p->shown_ms >= UPDATE_MS) {
		char safe[64];
		size_t i;

		/* a file's name must not steer the terminal */
		for (i = 0; name != NULL && name[i] != '\0' && i + 1 < sizeof(safe); i++)
			safe[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
		safe[i] = '\0';
		show_line(p, done, total, safe);
		p->shown_ms = now;
	}
	return stopped ? 1 : 0;
}

void progress_end(struct progress *p)
{
	if (p->terminal && p->shown_ms != 0)
		fprintf(stderr, "\r\033[K");
	p->shown_ms = 0;
}

bool progress_stopped(void)
{
	return stopped != 0;
}
