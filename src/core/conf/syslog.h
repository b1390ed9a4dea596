/* SPDX-License-Identifier: MIT */
/* Messages to a syslog server: RFC 3164 text, one datagram a line, over UDP or a Unix socket.
 */
#ifndef QMS_CORE_CONF_SYSLOG_H
#define QMS_CORE_CONF_SYSLOG_H

#include "base/log.h"
#include "core/conf/arena.h"
#include "core/conf/conf.h"

struct qms_syslog;

/** Whether a log's target means a syslog server: "syslog:...". */
bool qms_syslog_is(const char *target);
/** Reads
 * "syslog:server=HOST[:PORT]|unix:PATH[,facility=F][,severity=S][,tag=T][,nohostname]".
 * Names are resolved by qms_conf_resolve, by the master.  Defaults: port 514, local7, info,
 * quicms.  `leveled`: for the error log, each line of which has a severity of its own, so that
 * none may be written.  QMS_E_CONFIG: diag says what was expected. */
QMS_MUST_CHECK qms_err qms_syslog_parse(struct qms_arena *arena, const char *target,
                                        bool leveled, const struct qms_syslog **out,
                                        struct qms_diag *diag);
/** A socket to send from; -1 and errno. */
int qms_syslog_open(const struct qms_syslog *s);
/** Sends one line; a newline at its end is left out, and what is beyond 8 KiB.  False: it is
 * lost (nobody there, no room). */
bool qms_syslog_send(const struct qms_syslog *s, int fd, struct qms_bytes line);
/** A sink of base/log.h that sends each line with the severity of its level. */
struct qms_log_sink qms_syslog_sink(const struct qms_syslog *s);

#endif
