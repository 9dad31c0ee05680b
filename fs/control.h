/* The volume process's end of the control socket (host/volume_ctl.h). */
#ifndef CONCLAVE_FS_CONTROL_H
#define CONCLAVE_FS_CONTROL_H

#include "fs/mount.h"
#include "host/volume_ctl.h"

/* A watcher that is gone is no error. */
void control_ready(int fd, const struct volume *volume);
void control_failed(int fd, enum cv_err err, const char *text);
void control_closed(int fd, uint64_t generation, enum cv_err err);
/* Counters as JSON; `err` is what the request came to. */
void control_status(int fd, struct volume *volume, struct mount *mount, enum cv_err err);
/* Nobody used the volume for a while: the watcher may unmount it. */
void control_idle(int fd);

/* 1: a message; 0: the watcher closed its end; -1: nothing that can be understood. */
int control_receive(int fd, struct volume_ctl_message *message);

#endif
