/* SPDX-License-Identifier: MIT */
/* `set` functions of the core's directives whose arguments are more than one value.  Contract:
 * struct qms_directive in quicms/module.h; `object` is what the block fills (blocks.c). */
#ifndef QMS_CORE_CONF_CUSTOM_H
#define QMS_CORE_CONF_CUSTOM_H

#include "core/conf/conf.h"

typedef qms_err qms_conf_set(void *object, const struct qms_directive *d, int argc,
                             const char *const *argv, struct qms_diag *diag);

/* Of struct qms_conf. */
qms_conf_set qms_conf_set_user, qms_conf_set_worker_processes, qms_conf_set_error_log,
    qms_conf_set_priority_guard, qms_conf_set_route_buffer, qms_conf_set_http_listen,
    qms_conf_set_allowed_hosts, qms_conf_set_keepalive, qms_conf_set_agent_id_format;
/** keep_alive_for until check.c knows idle_for. */
#define QMS_CONF_KEEPALIVE_AUTO UINT64_MAX
/* Of struct qms_server_conf. */
qms_conf_set qms_conf_set_listen, qms_conf_set_tls, qms_conf_set_auth,
    qms_conf_set_auth_backoff, qms_conf_set_allowed_origins;
/* Of struct qms_identity. */
qms_conf_set qms_conf_set_client_ca;
/* Of struct qms_route_conf (build_route.c). */
qms_conf_set qms_conf_set_deny, qms_conf_set_priority_clamp, qms_conf_set_queue,
    qms_conf_set_on_slow, qms_conf_set_dial;

/* Of struct qms_upstream_conf (build_upstream.c). */
qms_conf_set qms_conf_set_upstream_agent, qms_conf_set_upstream_ca, qms_conf_set_upstream_pin,
    qms_conf_set_upstream_token, qms_conf_set_upstream_rules, qms_conf_set_upstream_certificate,
    qms_conf_set_upstream_key, qms_conf_set_upstream_health;

/** The identity of that name, or NULL. */
struct qms_identity *qms_conf_identity(const struct qms_conf *conf, const char *name);
/** A new one at the end of conf->identities; NULL: out of memory, diag filled. */
struct qms_identity *qms_conf_identity_add(struct qms_conf *conf, const char *name,
                                           struct qms_diag *diag);
/** Name of the identity that `tls self-signed` means. */
#define QMS_CONF_SELF_SIGNED "self-signed"

#endif
