/*
 * The words of -o and of `options` in device.ini: how to mount, as mount(8) and fstab(5) write it.
 * docs/man/conclave-device.8 lists them. Words that only concern those who mount (_netdev, nofail,
 * x-...) are taken and do nothing.
 */
#ifndef CONCLAVE_DEVICE_MOUNT_WORDS_H
#define CONCLAVE_DEVICE_MOUNT_WORDS_H

#include "device/settings.h"

/*
 * Words that say where things are and how to unlock: run=, state=, config=, timeout=, key_fd=,
 * recovery_fd=, accept_older. They go into `o`; all others are only looked at. `list` is cut up and
 * must live as long as `o`. CV_ERR_ARGUMENT: a line was printed, about this or any other word.
 */
CV_MUST_CHECK enum cv_err mount_words_options(struct options *o, char *list);

/*
 * The words that say how to mount, into `s`; the last one wins. Those for `o` are passed over on
 * the command line, and not understood elsewhere. CV_ERR_ARGUMENT: bad holds the word.
 */
#define MOUNT_WORD_MAX 256
CV_MUST_CHECK enum cv_err mount_words_settings(struct settings *s, const char *list,
	bool command_line, char bad[MOUNT_WORD_MAX]);

#endif
