/* SPDX-License-Identifier: MIT */
/* What a reload cannot change in a process that runs: values that a process, a socket or a QUIC
 * endpoint is made with. */
#ifndef QMS_CORE_CONF_RESTART_H
#define QMS_CORE_CONF_RESTART_H

#include "core/conf/conf.h"

/** Calls `each` with the name of every directive that differs between the two and takes effect
 * at the next start only.  Returns how many there are. */
size_t qms_conf_restart_each(const struct qms_conf *running, const struct qms_conf *wanted,
                             void (*each)(void *arg, const char *directive), void *arg);
/** The same for those that only workers started anew follow; sockets are not looked at. */
size_t qms_conf_workers_each(const struct qms_conf *running, const struct qms_conf *wanted,
                             void (*each)(void *arg, const char *directive), void *arg);

#endif
