/* SPDX-License-Identifier: MIT */
/* Looking at some connections closely: debug lines of those that `debug_connection` picks,
 * whatever the level of the error log, and the TLS secrets of those that `key_log` picks. */
#ifndef QMS_CORE_CONF_DEBUG_H
#define QMS_CORE_CONF_DEBUG_H

#include <sys/socket.h>

#include "base/network.h"
#include "core/conf/conf.h"
#include "core/conf/logs.h"

/* One word of debug_connection. */
struct qms_debug_rule {
    const char *agent; /* pattern of ids; NULL: the network */
    struct qms_network network;
};

struct qms_key_log {
    struct qms_log_file *file;
    const struct qms_network *networks; /* none: every connection */
    size_t network_count;
};

/** Whether debug_connection picks connections from there, or of that agent. */
bool qms_debug_address(const struct qms_conf *conf, const struct sockaddr *remote);
bool qms_debug_agent(const struct qms_conf *conf, struct qms_bytes id);

/** Whether the secrets of a connection from there are logged. */
bool qms_key_log_has(const struct qms_server_conf *server, const struct sockaddr *remote);
/** A line of the key log. */
void qms_key_log_write(const struct qms_server_conf *server, struct qms_bytes line,
                       qms_time now);
/** Says in the error log which secrets are written where: nobody shall overlook that. */
void qms_key_log_warn(const struct qms_conf *conf);

/** `set` of the two directives. */
qms_err qms_conf_set_debug_connection(void *object, const struct qms_directive *d, int argc,
                                      const char *const *argv, struct qms_diag *diag);
qms_err qms_conf_set_key_log(void *object, const struct qms_directive *d, int argc,
                             const char *const *argv, struct qms_diag *diag);

#endif
