/*
 * Timing of small functions, several sides in turn: rounds alternate between the sides, so that a
 * machine that slows down slows all of them, and the median of the rounds is told.
 *
 * Output   one line per side on standard output, tab-separated: name, median ns, smallest round,
 *          largest round (ns per call). bench/run.py makes the tables.
 */
#ifndef CONCLAVE_BENCH_MEASURE_H
#define CONCLAVE_BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#define MEASURE_ROUNDS 21
#define MEASURE_SIDES_MAX 32

struct measure_side {
	const char *name;
	void (*run)(void *context, size_t times); /* does its work `times` times */
	void *context;
	/* instead of run, for work that times itself: returns the ns that count */
	uint64_t (*run_timed)(void *context, size_t times);
};

/* CLOCK_MONOTONIC */
uint64_t measure_now_ns(void);
/* Calibrates each side to about round_us per round, then measures and prints. */
void measure(const struct measure_side *sides, size_t count, uint64_t round_us);
/* Ends the program with one line. */
_Noreturn void measure_die(const char *what);

/* A benchmark that goes wrong has no figure. */
#define MUST(expression) \
	do { \
		if (expression) \
			measure_die(#expression); \
	} while (0)

#endif
