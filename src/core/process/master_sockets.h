/* SPDX-License-Identifier: MIT */
/* Every socket that is listened at: opened by the master, and kept open for as long as it
 * lives. */
#ifndef QMS_CORE_PROCESS_MASTER_SOCKETS_H
#define QMS_CORE_PROCESS_MASTER_SOCKETS_H

#include "core/conf/conf.h"

/** TCP: binds every listen of `conf` and listens; UDP: sees that its address is free.  Waits up
 * to `wait` nanoseconds for addresses that are in use.  QMS_E_IO: diag says which address and
 * why; nothing stays open. */
QMS_MUST_CHECK qms_err qms_sockets_open(struct qms_conf *conf, qms_time wait,
                                        struct qms_diag *diag);
/** Binds the UDP sockets of a slot that are not there yet: SO_REUSEPORT, buffers as configured
 * (what the kernel gave instead is logged).  The kernel numbers the sockets of an address in
 * the order in which they are bound, and anew when one of them is closed: so slots are opened
 * in their order, and where the numbers matter (qms_sockets_steer) none is ever closed.
 * QMS_E_IO: diag says which address and why. */
QMS_MUST_CHECK qms_err qms_sockets_open_slot(struct qms_conf *conf, size_t slot,
                                             struct qms_diag *diag);
void qms_sockets_close_slot(struct qms_conf *conf, size_t slot);
/** Whether both listen at the same addresses in the same way, server by server. */
bool qms_sockets_same(const struct qms_conf *a, const struct qms_conf *b);
/** Gives the listens of `to` the sockets of `from`.  QMS_E_CONFIG: the two do not listen at the
 * same addresses in the same way; diag names the first difference.  Then qms_sockets_move can
 * help, and workers that are started anew. */
QMS_MUST_CHECK qms_err qms_sockets_share(struct qms_conf *to, struct qms_conf *from,
                                         struct qms_diag *diag);
/** Gives the listens of `to` the sockets that `from` has for the same addresses, whatever is
 * spoken there, and opens the others: TCP ones, and UDP ones for the first `slots` slots.
 * QMS_E_IO: diag says which address and why; nothing new stays open. */
QMS_MUST_CHECK qms_err qms_sockets_move(struct qms_conf *to, struct qms_conf *from,
                                        size_t slots, struct qms_diag *diag);
/** Gives the listens of `to` all sockets that `from` has for the same addresses, those of slots
 * that were opened meanwhile too. */
void qms_sockets_take(struct qms_conf *to, struct qms_conf *from);
/** Closes the sockets of `old` whose addresses `kept` does not have. */
void qms_sockets_leave(struct qms_conf *old, struct qms_conf *kept);
void qms_sockets_close(struct qms_conf *conf);
/** Calls `each` for every listen; stops at the first error. */
qms_err qms_sockets_each(struct qms_conf *conf,
                         qms_err (*each)(void *arg, struct qms_listen *l, bool tcp), void *arg);
/** In a worker: the sockets of its slot become those of the listens, the others are closed. */
void qms_sockets_keep(struct qms_conf *conf, size_t slot);
/** Has the kernel bring packets to the sockets of their workers, and new connections to those
 * of the `live` slots.  May be called again at any time.  QMS_E_IO: diag says why. */
QMS_MUST_CHECK qms_err qms_sockets_steer(struct qms_conf *conf, const struct qms_conf_env *env,
                                         const uint8_t secret[32], const uint8_t *live,
                                         size_t live_count, const bool used[QMS_SLOTS_MAX],
                                         struct qms_diag *diag);

#endif
