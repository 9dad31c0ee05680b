#include "bench/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t measure_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

_Noreturn void measure_die(const char *what)
{
	fprintf(stderr, "bench: failed: %s\n", what);
	exit(1);
}

static uint64_t time_of(const struct measure_side *side, size_t times)
{
	uint64_t start = measure_now_ns();

	if (side->run_timed)
		return side->run_timed(side->context, times);
	side->run(side->context, times);
	return measure_now_ns() - start;
}

static size_t calibrate(const struct measure_side *side, uint64_t round_ns)
{
	size_t times = 1;
	uint64_t took = time_of(side, times);

	while (took < round_ns / 4 && times < (size_t)1 << 40) {
		times *= 2;
		took = time_of(side, times);
	}
	return took >= round_ns ? times : (size_t)((double)times * (double)round_ns / (double)took);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void measure(const struct measure_side *sides, size_t count, uint64_t round_us)
{
	static double rounds[MEASURE_SIDES_MAX][MEASURE_ROUNDS];
	size_t times[MEASURE_SIDES_MAX];

	if (count > MEASURE_SIDES_MAX)
		measure_die("too many sides");
	for (size_t i = 0; i < count; i++)
		times[i] = calibrate(&sides[i], round_us * 1000);
	for (size_t r = 0; r < MEASURE_ROUNDS; r++) {
		for (size_t i = 0; i < count; i++)
			rounds[i][r] = (double)time_of(&sides[i], times[i]) / (double)times[i];
	}
	for (size_t i = 0; i < count; i++) {
		qsort(rounds[i], MEASURE_ROUNDS, sizeof(double), compare);
		printf("%s\t%.1f\t%.1f\t%.1f\n", sides[i].name, rounds[i][MEASURE_ROUNDS / 2],
			rounds[i][0], rounds[i][MEASURE_ROUNDS - 1]);
	}
	fflush(stdout);
}
