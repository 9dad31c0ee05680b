/*
 * What this machine is made of and what was booted on it, as /sys and /proc tell it.
 *
 * Items    dmi.* (files of /sys/class/dmi/id), cpu.model, cpu.serial, disk.NAME (serial number or
 *          WWID of block devices that are neither removable nor made of others), net.NAME (MAC
 *          address of interfaces with hardware behind them, if it is the hardware's own).
 *          Placeholders of makers who filled nothing in are items like any other; what is absent
 *          or empty is none.
 * Root     "" for this machine; a directory that looks like it in tests.
 */
#ifndef CONCLAVE_DEVICE_INVENTORY_H
#define CONCLAVE_DEVICE_INVENTORY_H

#include "device/settings.h"
#include "protocol/evidence.h"

#define INVENTORY_VALUE_MAX 255

struct inventory_item {
	char name[EVIDENCE_TEXT_BUF];
	char value[INVENTORY_VALUE_MAX + 1]; /* printable; cut */
};

/* In a fixed order, at most CV_INVENTORY_MAX; what does not fit is left out with one line. */
size_t inventory_collect(struct inventory_item items[CV_INVENTORY_MAX], const char *root);
/* The claim `inventory`. CV_ERR_CRYPTO. */
CV_MUST_CHECK enum cv_err inventory_claim(struct evidence_platform *p, const char *root);
/* The claims `kernel`, `boot_state`, `cmdline`; what cannot be read is left out. */
CV_MUST_CHECK enum cv_err inventory_platform(struct evidence_platform *p, const char *root);

#endif
