/* SPDX-License-Identifier: MIT */
/* What a worker gives up before it reads the first byte from the network. */
#ifndef QMS_CORE_PROCESS_PRIVILEGES_H
#define QMS_CORE_PROCESS_PRIVILEGES_H

#include "core/conf/conf.h"

/** Whether the `user` and `group` that workers of a root master become exist; nothing is
 * changed.  QMS_E_CONFIG: diag says which does not. */
QMS_MUST_CHECK qms_err qms_privileges_check(const struct qms_conf *conf, struct qms_diag *diag);
/** As root: becomes conf->user (without one quicms if there is such a user, else nobody), with
 * that user's group only.  As anyone: no capabilities, no new privileges, no core dumps, not
 * traceable.  QMS_E_CONFIG or QMS_E_IO: diag says why, and the process must end. */
QMS_MUST_CHECK qms_err qms_privileges_drop(const struct qms_conf *conf, struct qms_diag *diag);
/** Raises the soft limit of open files to the hard one. */
void qms_privileges_raise_files(void);

#endif
