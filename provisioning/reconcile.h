/*
 * Releases and MOUNT_OK events of several gateways' audits, by boot, and what does not add up.
 *
 * Memory   grows with the number of boots on record.
 * Threads  one thread per struct.
 */
#ifndef CONCLAVE_PROVISIONING_RECONCILE_H
#define CONCLAVE_PROVISIONING_RECONCILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

#define RECONCILE_GRACE_S 300 /* a boot that young may still be going on */
#define RECONCILE_BOOT_BUF 33 /* boot id in hex */

enum reconcile_finding {
	RECONCILE_FEW_GATEWAYS,
	RECONCILE_UNCONFIRMED,
	RECONCILE_TWO_KEYS,
	RECONCILE_ALTERNATING
};

struct reconcile_result {
	enum reconcile_finding finding;
	const char *device;
	char boot_id[RECONCILE_BOOT_BUF];
	size_t gateways;
	uint64_t time_s;
};

struct reconcile_rules {
	uint64_t now_s;
	uint64_t since_s;
	const char *device; /* NULL: all */
	/* K of a device; 0: not known, then only what needs no K is looked for */
	size_t (*threshold)(void *user, const char *device);
	void *user;
};

struct reconcile;

CV_MUST_CHECK enum cv_err reconcile_open(struct reconcile **out);
void reconcile_close(struct reconcile *r);
/* One audit text; kinds that say nothing here are passed over. In the order of the audit. */
CV_MUST_CHECK enum cv_err reconcile_add(
	struct reconcile *r, const char *gateway, const char *text);
/* This gateway's audit is not there: what needs all of them is not looked for. */
CV_MUST_CHECK enum cv_err reconcile_missing(struct reconcile *r, const char *gateway);
bool reconcile_incomplete(const struct reconcile *r);
size_t reconcile_boots(const struct reconcile *r);
void reconcile_judge(struct reconcile *r, const struct reconcile_rules *rules,
	void (*found)(void *user, const struct reconcile_result *result), void *user);
/* "few_gateways", ...: letters and _ only. */
const char *reconcile_name(enum reconcile_finding finding);

#endif
