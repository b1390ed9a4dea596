/* SPDX-License-Identifier: MIT */
/* What became of the last reload, for `quicms -s reload`: a signal carries no answer.
 *
 * A small file beside the pid file, "NUMBER ok" or "NUMBER SENTENCE", which the master replaces
 * as a whole when a reload is through.  The number is a new one each time, so whoever read it
 * before sending the signal knows the answer to theirs, or to a later one, when it differs. */
#ifndef QMS_CORE_PROCESS_RELOAD_ANSWER_H
#define QMS_CORE_PROCESS_RELOAD_ANSWER_H

#include "core/conf/diag.h"

/** `error` empty: all went well.  Cut to one line of at most 1,000 bytes.  QMS_E_IO,
 * QMS_E_TOO_LARGE (the path). */
QMS_MUST_CHECK qms_err qms_reload_answer_write(const char *pid_file, uint64_t number,
                                               const char *error);
/** Forgets what an earlier broker wrote. */
void qms_reload_answer_drop(const char *pid_file);
/** The number of the last answer; 0: there is none. */
uint64_t qms_reload_answer_number(const char *pid_file);
/** Waits until there is an answer of another number than `before`.  QMS_E_TIMEOUT;
 * QMS_E_CONFIG: the reload was refused; the diagnostic says why in both cases. */
QMS_MUST_CHECK qms_err qms_reload_answer_wait(const char *pid_file, uint64_t before,
                                              qms_time within, struct qms_diag *diag);

#endif
