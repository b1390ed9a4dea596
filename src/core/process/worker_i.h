/* SPDX-License-Identifier: MIT */
/* Inside of a worker: shared by worker.c (life and loop) and worker_orders.c (the master's
 * word). */
#ifndef QMS_CORE_PROCESS_WORKER_I_H
#define QMS_CORE_PROCESS_WORKER_I_H

#include <event2/event.h>

#include "core/conf/carrier.h"
#include "core/http/http.h"
#include "core/process/worker.h"
#include "core/process/worker_channel.h"

enum qms_worker_phase {
    QMS_WORKER_SERVING,
    QMS_WORKER_RETIRED,  /* a newer generation serves; agents leave by themselves */
    QMS_WORKER_DRAINING, /* routes under way may end */
    QMS_WORKER_CLOSING,  /* every peer was told; the last packets leave */
    QMS_WORKER_DONE
};

struct qms_worker {
    const struct qms_conf_env *env;
    struct qms_conf *conf; /* the one in force */
    struct event_base *base;
    struct qms_broker *broker;
    struct qms_carrier *carrier;
    struct qms_http_server *http;
    struct event *timer, *orders, *mesh_read;
    struct qms_mesh *mesh;
    struct qms_board *board;
    size_t slot;
    int bell;
    int channel;
    enum qms_worker_phase phase;
    bool orphan; /* the master is gone */
    qms_time trim_at;
    size_t most; /* connections since memory was given back last */
    qms_time now;
    qms_time settle_at; /* DRAINING: not before this may idle peers be closed */
    qms_time until;     /* end of the phase whatever happens; QMS_NEVER while serving */
};

/** Reads and obeys what the master said; libevent's callback for the channel. */
void qms_worker_on_orders(evutil_socket_t fd, short what, void *arg);
/* worker_mesh.c */
/** Joins the other workers, if there are any.  QMS_E_CONFIG and others: diag says why. */
QMS_MUST_CHECK qms_err qms_worker_mesh_start(struct qms_worker *w,
                                             const struct qms_worker_start *start,
                                             struct qms_diag *diag);
/** Waits, a moment at most, until the workers that were there have told their agents, so that
 * none of them is called offline here. */
void qms_worker_mesh_settle(struct qms_worker *w, size_t peers);
/** Obeys PEER and LOST. */
void qms_worker_mesh_order(struct qms_worker *w, struct qms_message *m);
void qms_worker_mesh_stop(struct qms_worker *w);

/** A newer generation serves: asks the agents to leave, and serves those that are there until
 * they have, or until `within` nanoseconds have passed. */
void qms_worker_retire(struct qms_worker *w, qms_time within);
/** Stops accepting and asks the agents to leave; leaves within `within` nanoseconds. */
void qms_worker_drain(struct qms_worker *w, qms_time within);
/** Closes every peer; leaves as soon as that is told, within two seconds. */
void qms_worker_close(struct qms_worker *w);

#endif
