/*
 * Exit codes are part of the interface: scripts and units branch on them. The manual pages list
 * the same table. One mapping from enum cv_err, used by every program.
 */
#ifndef CONCLAVE_HOST_EXIT_CODE_H
#define CONCLAVE_HOST_EXIT_CODE_H

#include "protocol/err.h"

enum exit_code {
	EXIT_CODE_OK = 0,
	EXIT_CODE_INTERNAL = 1,
	EXIT_CODE_USAGE = 2,
	EXIT_CODE_CONFIG = 3,
	EXIT_CODE_NOT_BUILT = 4,
	EXIT_CODE_TOO_FEW = 10,	   /* too few gateways reachable */
	EXIT_CODE_DENIED = 11,
	EXIT_CODE_DEADLINE = 12,
	EXIT_CODE_SHARE_SET = 13,  /* wrong share set */
	EXIT_CODE_SHARES = 14,	   /* shares invalid */
	EXIT_CODE_TAMPERED = 20,
	EXIT_CODE_TOO_OLD = 21,	   /* older than allowed */
	EXIT_CODE_IN_USE = 22,
	EXIT_CODE_VERSION = 23,	   /* newer format or unknown feature */
	EXIT_CODE_NOT_VOLUME = 24, /* not a volume, or wrong key */
	EXIT_CODE_NO_SPACE = 25,   /* full or read-only */
	EXIT_CODE_FUSE = 30,
	EXIT_CODE_TPM = 31	   /* absent, cleared, another one, or it refuses */
};

int exit_code_of(enum cv_err err);

#endif
