/* SPDX-License-Identifier: MIT */
/* Logs beyond the error log: files and syslog servers that modules and the core name in a
 * configuration.
 *
 * The master opens them, before privileges are dropped, and hands the descriptors to its
 * workers like those of the root directories (qms_conf_root_slots); a worker never opens a
 * file.  Lines may be gathered before they are written; what cannot be written is counted and
 * dropped, never waited for.
 */
#ifndef QMS_CORE_CONF_LOGS_H
#define QMS_CORE_CONF_LOGS_H

#include "core/conf/conf.h"

/** Logs of one configuration. */
#define QMS_LOGS_MAX 32
/** Largest buffer of a log, and longest line, in bytes. */
#define QMS_LOG_BUFFER_MAX ((size_t)1 << 20)

struct qms_syslog; /* core/conf/syslog.h */

/** Whether a target as written can be meant: a word that is almost "stderr" or "syslog:" would
 * be a file of that name.  QMS_E_CONFIG: diag says so. */
QMS_MUST_CHECK qms_err qms_log_target_check(const char *target, struct qms_diag *diag);

/** In the master: opens the error log as the sink of base/log.h, also anew.  QMS_E_IO (errno):
 * the old sink stays. */
QMS_MUST_CHECK qms_err qms_error_log_open(const struct qms_conf *conf);
/** Whether it can be opened; a file is there afterwards.  QMS_E_IO: diag says which and why, at
 * its line. */
QMS_MUST_CHECK qms_err qms_error_log_check(const struct qms_conf *conf, struct qms_diag *diag);
/** In a worker: the same log by a descriptor, which it takes over.  False, and it is untouched:
 * the master means a syslog server that this configuration does not know; `fingerprint` as for
 * qms_logs_take. */
bool qms_error_log_take(const struct qms_conf *conf, int fd, uint32_t fingerprint);

struct qms_log_file {
    const char *target; /* absolute path, "stderr", or "syslog:..." as written */
    const char *file;   /* of the directive that named it first */
    unsigned line;
    int fd;                          /* -1: not opened (yet) */
    bool secret;                     /* a new file is its owner's alone */
    const struct qms_syslog *syslog; /* NULL: a file */
    size_t buffer_max;               /* 0: every line is written at once */
    qms_time flush_for;
    char *buffer; /* of the worker; NULL: not needed so far */
    size_t used;
    qms_time flush_at;    /* QMS_NEVER: nothing waits */
    uint64_t lines, lost; /* not yet taken by qms_logs_count */
};

/** Opens what is not open yet.  QMS_E_CONFIG: diag says which and why. */
QMS_MUST_CHECK qms_err qms_logs_open(struct qms_conf *conf, struct qms_diag *diag);
/** In the master: opens all once more by their names.  What cannot be opened keeps its old
 * descriptor, and the error log says so. */
void qms_logs_reopen(struct qms_conf *conf);
/** The descriptors, for a message; returns how many.  They stay the configuration's. */
size_t qms_logs_fds(const struct qms_conf *conf, int fds[QMS_LOGS_MAX]);
/** In a worker: the same logs, opened anew.  Takes the descriptors over.  False (and they are
 * untouched): the master means other logs. */
bool qms_logs_take(struct qms_conf *conf, const int *fds, size_t count, uint32_t fingerprint);
/** Equal where the same logs are named, the error log among them. */
uint32_t qms_logs_fingerprint(const struct qms_conf *conf);

/** Writes what has waited long enough. */
void qms_logs_turn(struct qms_conf *conf, qms_time now);
/** Writes all that waits. */
void qms_logs_flush(struct qms_conf *conf);
qms_time qms_logs_next_at(const struct qms_conf *conf);
/** Lines written or dropped since the last call. */
void qms_logs_count(struct qms_conf *conf, uint64_t *lines, uint64_t *lost);
/** Writes what waits and frees the buffers; the descriptors are not its to close. */
void qms_logs_fini(struct qms_conf *conf);

#endif
