/*
 * The load generator.
 *
 *	load fill STATE FLEET GATEWAY SEED-HEX COUNT
 *	load release ADDRESS PORT CA-FILE FLEET GATEWAY SEED-HEX COUNT THREADS SECONDS
 *	load handshake ADDRESS PORT[,PORT...] CA-FILE NAME THREADS SECONDS
 *
 * fill puts COUNT devices into the store of a stopped gateway. release lets them ask in turn, each
 * over a new connection, from THREADS threads at once; handshake only connects and does TLS, the
 * ports in turn. Output, tab-separated: done, failed, seconds, per second, median ms, 99th
 * percentile ms, largest ms, own CPU seconds; and a line for each kind of failure.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/load_client.h"
#include "bench/load_fill.h"
#include "bench/measure.h"
#include "host/secret.h"
#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/id.h"

#define THREADS_MAX 64
#define PORTS_MAX 8
#define SAMPLES_MAX 400000
#define OPEN_EVERY 64 /* one answer in so many is opened and its share compared */

struct load {
	struct load_target targets[PORTS_MAX];
	size_t target_count;
	struct load_device *devices; /* NULL: handshakes */
	uint32_t device_count;
	uint64_t end_ns;
	atomic_uint next;
	atomic_uint faults[LOAD_FAULTS_];
	uint32_t *latency_us;
	atomic_uint samples;
};

static struct load load;

static void *work(void *unused)
{
	(void)unused;
	while (measure_now_ns() < load.end_ns) {
		unsigned n = atomic_fetch_add(&load.next, 1), sample;
		const struct load_target *target = &load.targets[n % load.target_count];
		uint64_t start = measure_now_ns();
		enum load_fault fault;

		if (load.devices)
			fault = load_release(target, &load.devices[n % load.device_count],
				n % OPEN_EVERY == 0);
		else
			fault = load_handshake(target);
		atomic_fetch_add(&load.faults[fault], 1);
		sample = fault ? SAMPLES_MAX : atomic_fetch_add(&load.samples, 1);
		if (sample < SAMPLES_MAX)
			load.latency_us[sample] = (uint32_t)((measure_now_ns() - start) / 1000);
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void report(double seconds, double cpu)
{
	unsigned done = load.faults[LOAD_OK], failed = 0;
	size_t samples = load.samples < SAMPLES_MAX ? load.samples : SAMPLES_MAX;

	for (int f = LOAD_OK + 1; f < LOAD_FAULTS_; f++)
		failed += load.faults[f];
	qsort(load.latency_us, samples, sizeof(uint32_t), compare);
	if (samples == 0)
		samples = 1;
	printf("%u\t%u\t%.2f\t%.1f\t%.2f\t%.2f\t%.2f\t%.2f\n", done, failed, seconds,
		(double)done / seconds, load.latency_us[samples / 2] / 1e3,
		load.latency_us[samples * 99 / 100] / 1e3, load.latency_us[samples - 1] / 1e3, cpu);
	for (int f = LOAD_OK + 1; f < LOAD_FAULTS_; f++) {
		if (load.faults[f])
			printf("%s\t%u\n", load_fault_name((enum load_fault)f), load.faults[f]);
	}
}

static void run(const char *threads_text, const char *seconds_text)
{
	size_t threads = strtoul(threads_text, NULL, 10);
	pthread_t ids[THREADS_MAX];
	uint64_t start;
	double cpu;

	if (threads < 1 || threads > THREADS_MAX)
		measure_die("1 to 64 threads");
	load.latency_us = calloc(SAMPLES_MAX, sizeof(uint32_t));
	MUST(!load.latency_us);
	signal(SIGPIPE, SIG_IGN);
	cpu = cpu_seconds();
	start = measure_now_ns();
	load.end_ns = start + (uint64_t)(atof(seconds_text) * 1e9);
	for (size_t i = 0; i < threads; i++)
		MUST(pthread_create(&ids[i], NULL, work, NULL));
	for (size_t i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	report((double)(measure_now_ns() - start) / 1e9, cpu_seconds() - cpu);
	free(load.latency_us);
}

static void add_targets(const char *address, char *ports, struct load_target base)
{
	char *rest = NULL;

	for (char *p = strtok_r(ports, ",", &rest); p; p = strtok_r(NULL, ",", &rest)) {
		MUST(load.target_count == PORTS_MAX);
		base.address.sin_family = AF_INET;
		base.address.sin_port = htons((uint16_t)atoi(p));
		MUST(inet_pton(AF_INET, address, &base.address.sin_addr) != 1);
		load.targets[load.target_count++] = base;
	}
}

static void read_seed(uint8_t seed[LOAD_SEED_BYTES], const char *text)
{
	MUST(hex_decode(seed, LOAD_SEED_BYTES, text, strlen(text)));
}

static void release(char **a)
{
	static char name[GATEWAY_DNS_BUF];
	uint8_t seed[LOAD_SEED_BYTES];

	MUST(gateway_dns_name(name, a[5], a[6]));
	add_targets(a[2], a[3],
		(struct load_target){.fleet = a[5],
			.gateway = a[6],
			.name = name,
			.tls = load_client_tls(a[4])});
	read_seed(seed, a[7]);
	load.device_count = (uint32_t)strtoul(a[8], NULL, 10);
	load.devices = calloc(load.device_count, sizeof(*load.devices));
	MUST(!load.devices);
	for (uint32_t n = 0; n < load.device_count; n++)
		load_device_make(&load.devices[n], seed, a[5], n);
	run(a[9], a[10]);
	free(load.devices);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	MUST(secret_process_init());
	MUST(crypto_init());
	if (strcmp(what, "fill") == 0 && argc == 7) {
		uint8_t seed[LOAD_SEED_BYTES];

		read_seed(seed, argv[5]);
		load_fill(argv[2], argv[3], argv[4], seed, (uint32_t)strtoul(argv[6], NULL, 10));
	} else if (strcmp(what, "release") == 0 && argc == 11) {
		release(argv);
	} else if (strcmp(what, "handshake") == 0 && argc == 8) {
		add_targets(argv[2], argv[3],
			(struct load_target){.name = argv[5], .tls = load_client_tls(argv[4])});
		run(argv[6], argv[7]);
	} else {
		measure_die("usage: load fill|release|handshake ...: see bench/load.c");
	}
	if (load.target_count > 0)
		SSL_CTX_free(load.targets[0].tls);
	return 0;
}
