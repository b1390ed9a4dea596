/* SPDX-License-Identifier: MIT */
/* The system calls that are left to a worker. */
#ifndef QMS_CORE_PROCESS_SECCOMP_H
#define QMS_CORE_PROCESS_SECCOMP_H

#include "core/conf/conf.h"

/** From now on this process can only make the system calls that serving needs: files are opened
 * by openat2 from a directory that it has open and no other way, no program is run, no process
 * or thread begun, no memory becomes code.  Others fail with EPERM; what only an intruder asks
 * for ends the process.  Builds with sanitizers, which need more, refuse only the latter kind,
 * with EPERM.  For ever, also for children.  QMS_E_IO: diag says why. */
QMS_MUST_CHECK qms_err qms_seccomp_apply(struct qms_diag *diag);

#endif
