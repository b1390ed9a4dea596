/* SPDX-License-Identifier: MIT */
/* Messages to a syslog server: RFC 3164 text, one datagram a line, over UDP or a Unix socket.
 */
#ifndef QMS_CORE_CONF_SYSLOG_H
#define QMS_CORE_CONF_SYSLOG_H

#include "core/conf/arena.h"
#include "core/conf/conf.h"

struct qms_syslog;

/** Whether a log's target means a syslog server: "syslog:...". */
bool qms_syslog_is(const char *target);
/** Reads
 * "syslog:server=ADDRESS[:PORT]|unix:PATH[,facility=F][,severity=S][,tag=T][,nohostname]".
 * Addresses are numeric: a worker that builds its configuration again must not ask a resolver.
 * Defaults: port 514, local7, info, quicms.  QMS_E_CONFIG: diag says what was expected. */
QMS_MUST_CHECK qms_err qms_syslog_parse(struct qms_arena *arena, const char *target,
                                        const struct qms_syslog **out, struct qms_diag *diag);
/** A socket to send from; -1 and errno. */
int qms_syslog_open(const struct qms_syslog *s);
/** Sends one line; a newline at its end is left out, and what is beyond 8 KiB.  False: it is
 * lost (nobody there, no room). */
bool qms_syslog_send(const struct qms_syslog *s, int fd, struct qms_bytes line);

#endif
