/* SPDX-License-Identifier: MIT */
/* From one binary of the master to the next: execve in the same process.
 *
 * The process id, the children and the descriptors stay; all else that the master knows goes
 * through an anonymous file as JSON, whose number stands in the environment.  The next binary
 * takes it over whole, or gives it back: the one before is run again out of the descriptor of
 * its executable, from the same file. */
#ifndef QMS_CORE_PROCESS_HANDOVER_H
#define QMS_CORE_PROCESS_HANDOVER_H

#include "core/process/master_i.h"

/** Writes all down and runs `binary`.  Returns only when that cannot be, with nothing changed;
 * diag says why. */
void qms_handover_run(struct qms_master *m, const char *binary, struct qms_diag *diag);

struct qms_handover; /* what was found */

/** What a former binary has left for this process; NULL: nothing.  Once. */
struct qms_handover *qms_handover_take(void);
void qms_handover_free(struct qms_handover *h); /* takes NULL */
/** Why the next binary gave it back to this one; NULL: this is the next one. */
const char *qms_handover_refused(const struct qms_handover *h);
/** The configuration that was in force, for the one that takes it back.  NULL: diag says why.
 */
struct qms_conf *qms_handover_conf(const struct qms_handover *h, const char *file,
                                   const struct qms_conf_env *env, struct qms_diag *diag);
/** Makes all of it m's, with m->conf being loaded: slots and their processes, sockets, zones,
 * counters, secret, pid file.  QMS_E_CONFIG (other listens), QMS_E_PROTOCOL, QMS_E_IO,
 * QMS_E_NOMEM: diag says why, and m must not be used. */
QMS_MUST_CHECK qms_err qms_handover_adopt(struct qms_handover *h, struct qms_master *m,
                                          struct qms_diag *diag);
/** Runs the binary before again, with `why`.  Returns only when that fails too. */
void qms_handover_return(struct qms_handover *h, char *const *argv, const char *why);

#endif
