/* SPDX-License-Identifier: MIT */
/* The broker of one worker, without sockets or loop: peers, directory, routes, module chain.
 * A carrier (src/link) hands it links; a loop drives its clock. */
#ifndef QMS_CORE_BROKER_BROKER_H
#define QMS_CORE_BROKER_BROKER_H

#include <jansson.h>

#include "base/link.h"
#include "core/conf/conf.h"
#include "core/shared/mesh.h"
#include "core/shared/stats.h"

struct qms_broker;
struct qms_board;
struct qms_dialer; /* core/broker/upstream.h */
struct qms_peer;

/* What other workers send that is not the broker's own business. */
struct qms_broker_hooks {
    /** A UDP packet of ours that reached another worker; the bytes may change. */
    void (*on_packet)(void *arg, struct qms_bytes bytes);
    void *packet_arg;
    /** A part of an answer about agents; `more`: others follow.  Empty and no more: the worker
     * is lost. */
    void (*on_tell)(void *arg, unsigned slot, uint32_t id, struct qms_bytes part, bool more);
    void *tell_arg;
    /** Begins a connection to an upstream's agent and gives it to qms_broker_dialed, which sets
     * `*peer`.  Errors of the system and of qms_broker_dialed; QMS_E_CONFIG: its trust cannot
     * be used.  NULL: the carrier does not dial. */
    qms_err (*dial)(void *arg, const struct qms_upstream_conf *u,
                    const struct qms_upstream_agent *a, struct qms_dialer *dialer,
                    struct qms_peer **peer);
    void *dial_arg;
};

/** `conf` gets a reference.  Starts the modules.  NULL: diag says why. */
struct qms_broker *qms_broker_new(struct qms_conf *conf, qms_time now, struct qms_diag *diag);
/** Counts in `page` (the caller's, shared with other workers) from now on; before anything is
 * accepted. */
void qms_broker_use_stats(struct qms_broker *b, struct qms_stats_page *page);
/** The counters of all workers, for the service `stats`. */
void qms_broker_use_board(struct qms_broker *b, const struct qms_board *board);
/** Joins the other workers; before anything is accepted.  The mesh stays the caller's and must
 * be freed before the broker.  QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_broker_join_mesh(struct qms_broker *b, struct qms_mesh *mesh);
/** NULL: this worker is alone. */
struct qms_mesh *qms_broker_mesh(struct qms_broker *b);
struct qms_broker_hooks *qms_broker_hooks(struct qms_broker *b);
/** Workers that have told all their agents so far. */
size_t qms_broker_snapshots(const struct qms_broker *b);
/** The mesh's turn: sends what the broker gathered for other workers.  Whether one of them was
 * lost. */
bool qms_broker_flush_mesh(struct qms_broker *b);
/** Gives the loop to modules that want it.  `*failed` names the module. */
QMS_MUST_CHECK qms_err qms_broker_loop(struct qms_broker *b, void *base, const char **failed);
/** Ends what routes are left, while the mesh can still be told; all links must be closed (or
 * their carrier stopped) before. */
void qms_broker_end_routes(struct qms_broker *b);
/** After that. */
void qms_broker_free(struct qms_broker *b);

/** A new connection's address asks the modules (on_connect).  False: refused and counted. */
bool qms_broker_admit(struct qms_broker *b, const struct qms_server_conf *server,
                      const struct sockaddr *remote, qms_time now);
/** Balances an admit that returned true, once, when that connection is over. */
void qms_broker_leave(struct qms_broker *b, const struct qms_server_conf *server,
                      const struct sockaddr *remote, qms_time now);
/** A link that speaks the agent protocol: sets its events; the peer lives as long as the link.
 * `on_gone(arg)` is called once when the link is gone (its streams first); may be NULL.
 * QMS_E_NOMEM: the link has no events yet, and on_gone is not called. */
QMS_MUST_CHECK qms_err qms_broker_accept(struct qms_broker *b,
                                         const struct qms_server_conf *server,
                                         struct qms_link *link, void (*on_gone)(void *arg),
                                         void *arg);

/** A link that this side has begun: HELLO is sent on it.  Contract of qms_broker_accept, but
 * where it fails after the link got its events, its end is told to `on_gone` too, and it is
 * being closed (QMS_E_CLOSED is never the error). */
QMS_MUST_CHECK qms_err qms_broker_dialed(struct qms_broker *b, struct qms_dialer *dialer,
                                         struct qms_link *link, void (*on_gone)(void *arg),
                                         void *arg, struct qms_peer **out);

/** New configuration in force: peers move to the server with the same index and listens, and
 * are asked again (on_reload); those whose server is no longer there are closed with
 * GOING_AWAY. Takes a reference.  The modules must be the same ones, else nothing changes but a
 * log line. */
void qms_broker_reload(struct qms_broker *b, struct qms_conf *conf, qms_time now);
/** GOAWAY to every agent; new routes are refused GOING_AWAY; routes under way go on. */
void qms_broker_drain(struct qms_broker *b, qms_time deadline_for, qms_time now);
/** A newer generation of workers serves: GOAWAY to every agent, and to those that are welcomed
 * later.  Until they leave they are served whole, with new routes from and to them; an agent
 * that has connected anew elsewhere keeps its connection here for the routes on it. */
void qms_broker_retire(struct qms_broker *b, qms_time deadline_for, qms_time now);
/** Closes every peer with `code`. */
void qms_broker_close_all(struct qms_broker *b, uint8_t code, const char *reason);
/** Peers that are still connected, and routes still open. */
size_t qms_broker_peer_count(const struct qms_broker *b);
size_t qms_broker_route_count(const struct qms_broker *b);

qms_time qms_broker_next_at(const struct qms_broker *b);
/** Timers, module ticks, credit that was delayed, deferred frees.  Call once a loop turn. */
void qms_broker_turn(struct qms_broker *b, qms_time now);

struct qms_conf *qms_broker_conf(struct qms_broker *b);
bool qms_broker_draining(const struct qms_broker *b);
/** Its page of counters, for those who count on its behalf (carriers). */
struct qms_stats_page *qms_broker_stats(struct qms_broker *b);
/** Worker memory of the i-th module (for HTTP locations). */
void *qms_broker_module_worker(struct qms_broker *b, size_t module);
/* What is listed at the HTTP endpoint. */
enum qms_rows_kind { QMS_ROWS_AGENTS, QMS_ROWS_CONNECTIONS, QMS_ROWS_STREAMS };
struct qms_rows_query {
    enum qms_rows_kind kind;
    uint32_t max;           /* rows */
    struct qms_bytes agent; /* those that have to do with this id only; empty: all */
};
/** Those of this worker, {rows: [...], total: N}, as doc/http.md has them; a new reference,
 * NULL when memory is out. */
json_t *qms_broker_rows_json(struct qms_broker *b, const struct qms_rows_query *query,
                             qms_time now);

#endif
