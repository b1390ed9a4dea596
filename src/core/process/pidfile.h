/* SPDX-License-Identifier: MIT */
/* The pid file: who the master is.  The master keeps it locked while it lives, so that a file
 * left over by a crash is never mistaken for a living broker, nor a stranger signalled. */
#ifndef QMS_CORE_PROCESS_PIDFILE_H
#define QMS_CORE_PROCESS_PIDFILE_H

#include <sys/types.h>

#include "core/conf/conf.h"

/** Creates or takes over the file, locks it and writes this process's id.  *fd holds the lock
 * until it is closed (in every process that inherited it).  QMS_E_EXISTS: another one is alive;
 * QMS_E_IO: the system refused.  diag says which and why. */
QMS_MUST_CHECK qms_err qms_pidfile_take(const char *path, int *fd, struct qms_diag *diag);
/** Writes this process's id into the file again, after a fork.  QMS_E_IO: diag says why. */
QMS_MUST_CHECK qms_err qms_pidfile_update(const char *path, int fd, struct qms_diag *diag);
/** Unlinks the file if it is still ours, and unlocks.  Takes -1. */
void qms_pidfile_drop(const char *path, int fd);
/** Sends `signal` to the living owner of the file.  QMS_E_NOT_FOUND: no file, or nobody holds
 * it; QMS_E_IO: not allowed to.  diag says why. */
QMS_MUST_CHECK qms_err qms_pidfile_signal(const char *path, int signal, struct qms_diag *diag);

#endif
