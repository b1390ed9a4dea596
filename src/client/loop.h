/* SPDX-License-Identifier: MIT */
/* The driver over real sockets: one epoll descriptor over the sockets of all QUIC endpoints,
 * the mailbox and a timer. */
#ifndef QMS_CLIENT_LOOP_H
#define QMS_CLIENT_LOOP_H

#include "client/client_i.h"
#include "quic/endpoint.h"

/* An endpoint has one set of transport parameters; connections with equal options share it. */
struct qms_loop_endpoint;

/** An endpoint with this configuration, found or made; counts as one use.  QMS_E_LIMIT: too
 * many are in use; QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_loop_use(struct qms_driver *d, const struct qms_quic_config *config,
                                    struct qms_loop_endpoint **out);
/** What the options mean for the transport (dial.c). */
struct qms_quic_config qms_loop_config(const struct qms_options *o);

struct qms_listener;
/** An endpoint of its own that serves `fd`, a bound socket, which it closes in the end, also
 * when the call fails; counts as one use.  Its user is the endpoint of the loop.  `alpns` as in
 * qms_endpoint_add_listener.  QMS_E_LIMIT: too many endpoints; QMS_E_NOMEM, QMS_E_IO. */
QMS_MUST_CHECK qms_err qms_loop_listen(struct qms_driver *d,
                                       const struct qms_quic_config *config,
                                       const struct qms_endpoint_events *events, int fd,
                                       const char *const *alpns, struct qms_tls_server *tls,
                                       struct qms_loop_endpoint **out);
void qms_loop_set_listener(struct qms_loop_endpoint *e, struct qms_listener *l);
struct qms_listener *qms_loop_listener(const struct qms_loop_endpoint *e);
/** One more use. */
void qms_loop_reuse(struct qms_loop_endpoint *e);
/** Takes NULL. */
void qms_loop_unuse(struct qms_loop_endpoint *e);
struct qms_endpoint *qms_loop_endpoint_quic(struct qms_loop_endpoint *e);

#endif
