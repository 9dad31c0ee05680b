/* Alerts, destinations and a private directory for the tests of notify/. */
#ifndef CONCLAVE_TESTS_NOTIFY_SAMPLE_H
#define CONCLAVE_TESTS_NOTIFY_SAMPLE_H

#include "notify/destination.h"
#include "notify/event.h"

#define SAMPLE_TIME_S 1764000000u

/* Fails the running test if something is wrong with it. */
struct event_alert sample_alert(enum event_type type);
struct destination sample_destination(const char *name, enum event_severity least);

/* A directory of its own for the test, made by sample_setup, removed by sample_teardown. */
int sample_setup(void **state);
int sample_teardown(void **state);
const char *sample_path(const char *name);
/* Writes a file into the directory and gives its path. */
const char *sample_file(const char *name, const char *text, unsigned mode);

#endif
