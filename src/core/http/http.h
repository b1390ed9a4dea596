/* SPDX-License-Identifier: MIT */
/* HTTP endpoint of a worker (libevent's evhttp over TCP, loopback by default): /healthz,
 * /readyz, /api/v1/..., locations of modules, and the files below http_root. */
#ifndef QMS_CORE_HTTP_HTTP_H
#define QMS_CORE_HTTP_HTTP_H

#include <event2/event.h>

#include "core/broker/broker.h"
#include "core/shared/board.h"

struct qms_http_server;

/** Serves the http_listens of the broker's configuration (fds are listening and stay the
 * caller's).  Reads qms_broker_conf anew with every request, so a reload needs no call here.
 * `env` must outlive the server.  NULL: diag says why. */
struct qms_http_server *qms_http_start(struct event_base *base, struct qms_broker *broker,
                                       const struct qms_board *board,
                                       const struct qms_conf_env *env, struct qms_diag *diag);
/** /readyz answers 503 from now on. */
void qms_http_set_draining(struct qms_http_server *h);
/** Takes no new connections: another worker does.  Those that are there are served on. */
void qms_http_stop_accepting(struct qms_http_server *h);
void qms_http_stop(struct qms_http_server *h); /* takes NULL */

#endif
