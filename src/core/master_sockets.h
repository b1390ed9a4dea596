/* SPDX-License-Identifier: MIT */
/* Every socket that is listened at: opened once by the master, before anything forks, and kept
 * open for as long as it lives. */
#ifndef QMS_CORE_MASTER_SOCKETS_H
#define QMS_CORE_MASTER_SOCKETS_H

#include "core/conf.h"

/** Binds every listen of `conf` and sets its fd.  UDP: one socket for each worker slot, in the
 * order of the slots, which is the order the kernel numbers them in; SO_REUSEPORT, buffers as
 * configured
 * (what the kernel gave instead is logged); TCP: listening.  All non-blocking and
 * close-on-exec. QMS_E_IO: diag says which address and why; nothing stays open. */
QMS_MUST_CHECK qms_err qms_sockets_open(struct qms_conf *conf, struct qms_diag *diag);
/** Gives the listens of `to` the sockets of `from`.  QMS_E_CONFIG: the two do not listen at the
 * same addresses in the same way; diag names the first difference. */
QMS_MUST_CHECK qms_err qms_sockets_share(struct qms_conf *to, struct qms_conf *from,
                                         struct qms_diag *diag);
void qms_sockets_close(struct qms_conf *conf);
/** In a worker: the sockets of its slot become those of the listens, the others are closed. */
void qms_sockets_keep(struct qms_conf *conf, size_t slot);
/** Has the kernel bring packets to the sockets of their workers.  QMS_E_IO: diag says why. */
QMS_MUST_CHECK qms_err qms_sockets_steer(struct qms_conf *conf, const struct qms_conf_env *env,
                                         const uint8_t secret[32], struct qms_diag *diag);

#endif
