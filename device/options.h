/*
 * Options that every verb takes, and the settings that come out of them and of device.ini.
 */
#ifndef CONCLAVE_DEVICE_OPTIONS_H
#define CONCLAVE_DEVICE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "host/file.h"
#include "protocol/err.h"

#define OPTIONS_STATE_DIR "/var/lib/conclave-device"
#define OPTIONS_RUN_DIR "/run/conclave-device"
#define OPTIONS_CONFIG_FILE "/etc/conclave/device.ini"

#define OPTIONS_MOUNT_MAX 2048

/* Which of the options below a verb takes. */
enum option_flag {
	OPTION_FOREGROUND = 1,	  /* -f, --foreground */
	OPTION_TIMEOUT = 2,	  /* --timeout T */
	OPTION_LAZY = 4,	  /* --lazy */
	OPTION_FORGET = 8,	  /* --forget */
	OPTION_JSON = 16,	  /* --json */
	OPTION_OFFLINE = 32,	  /* --offline */
	OPTION_FD = 64,		  /* --fd N */
	OPTION_PASSPHRASE_FD = 128, /* --passphrase-fd N */
	OPTION_READ_ONLY = 256,	  /* --read-only */
	OPTION_FORCE = 512,	  /* --force */
	OPTION_ACCEPT_OLDER = 1024, /* --accept-older */
	OPTION_MOUNT = 2048,	    /* -o WORD,... */
	OPTION_SECRET = 4096,	    /* --key-fd N, --recovery-fd N */
	OPTION_ENROLL = 8192 /* --request, --challenge, --response, --token-fd, --ek, --ek-certificate */
};

struct options {
	const char *state_dir;
	const char *run_dir;
	const char *config_file;
	bool config_named; /* then it must exist */
	bool foreground, lazy, forget, json, offline, read_only, force, accept_older;
	uint64_t timeout_ms; /* 0 = not given */
	int fd;		     /* -1 = not given */
	int passphrase_fd;
	int key_fd, recovery_fd;	 /* the secret comes from there, not from gateways */
	char mount_list[OPTIONS_MOUNT_MAX]; /* every -o, joined by commas */
	int token_fd;
	const char *request_file, *challenge_file, *response_file; /* NULL = not given */
	const char *ek_kind, *ek_certificate_file;
	/* what is left over */
	char **words;
	int word_count;
};

/* "30s", "2m", "500ms", "1h", or seconds, more than 0; false if it is not that. */
bool options_duration(uint64_t *ms, const char *text);
bool options_descriptor(int *fd, const char *text);

/*
 * Fills `o` and prints what is wrong. CV_ERR_ARGUMENT: a line was printed. *help is set when
 * --help was given and printed.
 */
CV_MUST_CHECK enum cv_err options_parse(struct options *o, int argc, char **argv,
	unsigned int allowed, const char *usage, bool *help);

#endif
