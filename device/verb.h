/*
 * One verb of `conclave-device`, one file. A verb parses its own arguments and returns an exit code
 * (host/exit_code.h); it has printed one line on failure.
 */
#ifndef CONCLAVE_DEVICE_VERB_H
#define CONCLAVE_DEVICE_VERB_H

struct verb {
	const char *name;
	const char *arguments; /* for the help */
	const char *summary;
	int (*run)(int argc, char **argv); /* argv[0] is the verb */
};

int verb_enroll(int argc, char **argv);
int verb_install(int argc, char **argv);

int verb_mount(int argc, char **argv);
int verb_unmount(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_events(int argc, char **argv);
int verb_inventory(int argc, char **argv);
int verb_key(int argc, char **argv);

#endif
