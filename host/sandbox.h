/*
 * Giving up power: user, capabilities, system calls (libseccomp) and files (Landlock, by raw
 * system call, ABI probed at run time).
 *
 * Every process calls sandbox_enter once it holds all the descriptors it needs and before it
 * reads the first byte that a peer controls. Order: groups and user, capabilities (all sets and
 * the bounding set), no_new_privs, Landlock, seccomp.
 *
 * Profiles (system calls are lists of what is allowed, but for MONITOR)
 *   KEEPER   no sockets but inherited ones, no new processes; files only below `paths`
 *   SENDER   outgoing network, no listening, no new processes; files only below `paths`
 *   FRONT    network, no new processes; files only below `paths`
 *   VOLUME   no network, no new processes, no opening of files at all: inherited descriptors only
 *   WATCHER  outgoing network, connections on a listener that it has, no new processes, files as
 *            its user; of all capabilities only CAP_SYS_ADMIN, of what that opens only umount2. No
 *            Landlock: it would forbid umount2
 *   MONITOR  starts the others, and what it forbids they inherit: so only what none of them may
 *            do (ptrace, mounts, modules, bpf, ...); capabilities and user stay
 * A refused call gets EPERM, but exec and ptrace end the process (SIGSYS). KEEPER, SENDER and
 * FRONT can also read the system's libraries and TLS roots, SENDER the resolver's files.
 * A build with AddressSanitizer has no system call filter: its leak check needs ptrace.
 *
 * Mode     SANDBOX_REQUIRE: any layer that cannot be had fails with CV_ERR_PERMISSION.
 *          SANDBOX_BEST_EFFORT: goes on without it; sandbox_warning then names what is missing,
 *          for the program to print once.
 * Threads  call it before other threads start: user and capabilities are set for all threads by
 *          libc, Landlock and seccomp hold for the caller and what it starts later.
 */
#ifndef CONCLAVE_HOST_SANDBOX_H
#define CONCLAVE_HOST_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/err.h"

enum sandbox_mode { SANDBOX_BEST_EFFORT, SANDBOX_REQUIRE };

enum sandbox_profile {
	SANDBOX_KEEPER,
	SANDBOX_SENDER,
	SANDBOX_FRONT,
	SANDBOX_MONITOR,
	SANDBOX_WATCHER,
	SANDBOX_VOLUME
};

struct sandbox_path {
	const char *path; /* file or directory (then all below it); must exist */
	bool writable;	  /* else read only */
};

struct sandbox_spec {
	enum sandbox_mode mode;
	enum sandbox_profile profile;
	const char *user; /* switch to this user and its groups; NULL: stay */
	const struct sandbox_path *paths; /* VOLUME, MONITOR, WATCHER: not used */
	size_t path_count;
};

CV_MUST_CHECK enum cv_err sandbox_enter(const struct sandbox_spec *spec);
/* What is weaker than asked for, in one line; NULL if nothing. After an error: why. */
const char *sandbox_warning(void);

/* "require" or "best-effort"; anything else is CV_ERR_CONFIG. */
CV_MUST_CHECK enum cv_err sandbox_mode_parse(enum sandbox_mode *out, const char *word);

#endif
