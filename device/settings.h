/*
 * device.ini: what an administrator may set. A missing file means the defaults.
 */
#ifndef CONCLAVE_DEVICE_SETTINGS_H
#define CONCLAVE_DEVICE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "device/options.h"
#include "protocol/evidence.h"

/* When a mounted volume is locked again without being asked. */
enum settings_relock {
	SETTINGS_RELOCK_REVOKED, /* N-K+1 gateways say that the device is revoked */
	SETTINGS_RELOCK_LEASE,	 /* that, or the lease has ended */
	SETTINGS_RELOCK_NEVER
};

#define SETTINGS_WORDS_MAX 256
#define SETTINGS_EVENT_LOG_DEFAULT "/sys/kernel/security/tpm0/binary_bios_measurements"
#define SETTINGS_TCTI_DEFAULT "device:/dev/tpmrm0"
#define SETTINGS_TCTI_BUF 256

enum settings_iat { SETTINGS_IAT_AUTO, SETTINGS_IAT_ALWAYS, SETTINGS_IAT_NEVER };

struct settings_measure {
	char name[EVIDENCE_TEXT_BUF];
	char path[FILE_PATH_BUF];
};

enum settings_place_from { SETTINGS_PLACE_HERE, SETTINGS_PLACE_FILE, SETTINGS_PLACE_GPSD };

struct settings_place {
	enum settings_place_from from;
	bool has_region, has_position;
	char region[EVIDENCE_TEXT_BUF];
	char state[EVIDENCE_TEXT_BUF];
	char city[EVIDENCE_TEXT_BUF];
	char source[EVIDENCE_TEXT_BUF];
	int32_t lat_e7, lon_e7;
	uint32_t accuracy_mm;
	char file[FILE_PATH_BUF];
	char gpsd_host[64]; /* a number */
	uint16_t gpsd_port;
	uint32_t wait_ms; /* for gpsd */
};

struct settings {
	char container[FILE_PATH_BUF];
	char mount_point[FILE_PATH_BUF]; /* "" = must be named on the command line */
	bool allow_other;
	bool read_only;
	enum settings_relock relock;
	uint32_t status_interval_s; /* how often a mounted device asks how it stands */
	uint32_t cache_mib; /* 0 = the volume process's own default */
	unsigned long mount_flags; /* of mount(2), without MS_RDONLY */
	char volume_words[SETTINGS_WORDS_MAX]; /* -o of the volume process */
	enum settings_iat iat;
	char hwmodel[EVIDENCE_TEXT_BUF];
	char oemid[EVIDENCE_TEXT_BUF];
	char hwversion[EVIDENCE_TEXT_BUF];
	struct settings_measure measures[CV_DIGESTS_MAX - 2]; /* two are our own programs */
	size_t measure_count;
	char tcti[SETTINGS_TCTI_BUF];
	struct settings_place place;
	bool inventory;
	char event_log[FILE_PATH_BUF];
	char system_root[FILE_PATH_BUF]; /* "": this machine's /sys and /proc */
};

/* Reads o->config_file; prints every mistake. CV_ERR_CONFIG, CV_ERR_NOT_FOUND if it was named. */
CV_MUST_CHECK enum cv_err settings_load(struct settings *s, const struct options *o);

/* "52.5200066" to 525200066; at most `limit` degrees. */
CV_MUST_CHECK enum cv_err settings_degrees(int32_t *out, const char *text, int limit);

#endif
