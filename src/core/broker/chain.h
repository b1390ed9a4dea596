/* SPDX-License-Identifier: MIT */
/* The module chain: asks each module in the order of the module table (authenticators in
 * that of `auth`), and finds the memory that belongs to it.  The core knows modules by their
 * callbacks only.
 *
 * A peer and a route each carry one block of memory for all modules together; the chain knows
 * where in it each one's part begins. */
#ifndef QMS_CORE_BROKER_CHAIN_H
#define QMS_CORE_BROKER_CHAIN_H

#include "core/conf/conf.h"
#include "core/shared/stats.h"

struct qms_chain {
    const struct qms_module *const *modules;
    size_t count;
    size_t *peer_at, *stream_at; /* offsets of the modules' parts */
    size_t peer_size, stream_size;
    void **worker;                       /* the modules' worker memory */
    struct qms_stats_page *const *stats; /* what modules count in; NULL: nothing */
};

#define QMS_SCOPES_MAX 1024

/* What HELLO or AUTH came to. */
struct qms_chain_auth {
    uint64_t accepted;  /* bit i: module i accepted the credential */
    int64_t expires_at; /* the earliest of the grants; 0: never */
    bool refused_by_authenticator;
    struct qms_limits limits;
    size_t id_len; /* 0: the credential names no id */
    char id[QMS_NAME_MAX];
    char scopes[QMS_SCOPES_MAX];
};

/** `modules` must outlive the chain.  QMS_E_NOMEM; QMS_E_LIMIT: over QMS_CHAIN_MAX. */
QMS_MUST_CHECK qms_err qms_chain_init(struct qms_chain *c,
                                      const struct qms_module *const *modules, size_t count);
void qms_chain_fini(struct qms_chain *c);

/* A credential on its way through the `auth` list; zeroed: at the beginning. */
struct qms_chain_hello {
    bool begun;   /* those who only object were asked */
    bool failed;  /* with `all`: one has refused; the rest is asked for the time it takes */
    bool waiting; /* module `asked` answers later */
    size_t next, asked;     /* turn (chain.c turn_of); number of the module */
    struct qms_refusal why; /* of the first that refused */
    struct qms_chain_auth auth;
};

/** worker_start of all; after a failure those that were started are stopped.  `*failed` names
 * the module. */
QMS_MUST_CHECK qms_err qms_chain_start(struct qms_chain *c, const struct qms_conf *conf,
                                       qms_time now, const char **failed);
void qms_chain_stop(struct qms_chain *c);
void qms_chain_tick(struct qms_chain *c, const struct qms_conf *conf, qms_time now);

/** False: refused, `why` is filled; nothing has to be balanced then. */
bool qms_chain_connect(struct qms_chain *c, const struct qms_server_conf *server,
                       const void *remote, qms_time now, struct qms_refusal *why);
void qms_chain_disconnect(struct qms_chain *c, const struct qms_server_conf *server,
                          const void *remote, qms_time now);

/** worker_loop of all.  `*failed` names the module. */
QMS_MUST_CHECK qms_err qms_chain_loop(struct qms_chain *c, void *base, const char **failed);
/** ACCEPT: the credential is good by the server's `auth` list, at->auth says what is granted.
 * REJECT: at->why says why; refusals of authenticators all read alike, only the label differs.
 * LATER: an authenticator asks elsewhere; called again with the same arguments it goes on where
 * it was, and qms_chain_hello_cancel ends it. */
enum qms_verdict qms_chain_hello(const struct qms_chain *c,
                                 const struct qms_server_conf *server, struct qms_peer *peer,
                                 uint8_t *peer_data, const struct qms_credential *cred,
                                 qms_time now, struct qms_chain_hello *at);
/** Back to the beginning; a module that was to answer later hears that it need not. */
void qms_chain_hello_cancel(const struct qms_chain *c, struct qms_chain_hello *at,
                            uint8_t *peer_data);
/** The same, and it is refused for lack of that answer: at->why is `why`, whose label stands
 * unless another's refusal alone was reason enough (`all`); at->auth grants nothing. */
void qms_chain_hello_give_up(const struct qms_chain *c, const struct qms_server_conf *server,
                             struct qms_chain_hello *at, uint8_t *peer_data,
                             const struct qms_refusal *why);
/** Whether modules that accepted a peer once satisfy the server's `auth` list. */
bool qms_chain_still_authenticated(const struct qms_chain *c,
                                   const struct qms_server_conf *server, uint64_t accepted);
void qms_chain_peer(const struct qms_chain *c, const struct qms_server_conf *server,
                    struct qms_peer *peer, uint8_t *peer_data, qms_time now);
void qms_chain_peer_gone(const struct qms_chain *c, struct qms_peer *peer, uint8_t *peer_data,
                         qms_time now);
/** Before the peer's memory is freed. */
void qms_chain_peer_free(const struct qms_chain *c, uint8_t *peer_data);
/** Asks everyone again.  `out` starts from nothing and ends with what is granted now; a module
 * that accepted the peer once and has no word about reloads grants `old` again. */
bool qms_chain_reload(const struct qms_chain *c, const struct qms_server_conf *server,
                      struct qms_peer *peer, uint8_t *peer_data, uint64_t accepted,
                      const struct qms_grant *old, qms_time now, struct qms_chain_auth *out,
                      struct qms_refusal *why);

/** `*asked`: how many modules know of the route, for qms_chain_close.  False: refused. */
bool qms_chain_open(const struct qms_chain *c, const struct qms_route_conf *block,
                    uint8_t *stream_data, uint8_t *peer_data, const struct qms_route *route,
                    qms_time now, size_t *asked, struct qms_refusal *why);
/** False: refused, nothing of it may be passed on.  `*until`: when the credit for these bytes
 * may be given back; 0: at once. */
bool qms_chain_data(const struct qms_chain *c, const struct qms_route_conf *block,
                    uint8_t *stream_data, uint8_t *peer_data, const struct qms_route *route,
                    const struct qms_payload *payload, qms_time now, qms_time *until,
                    struct qms_refusal *why);
/** False: it is dropped; of `why` only the label is set. */
bool qms_chain_datagram(const struct qms_chain *c, const struct qms_route_conf *block,
                        struct qms_peer *peer, uint8_t *peer_data, enum qms_kind kind,
                        struct qms_bytes target, struct qms_bytes payload, qms_time now,
                        struct qms_refusal *why);
/** False: the agent may not be a member of that group, or subscriber of that topic. */
bool qms_chain_join(const struct qms_chain *c, const struct qms_route_conf *block,
                    struct qms_peer *peer, uint8_t *peer_data, enum qms_kind kind,
                    struct qms_bytes name, qms_time now, struct qms_refusal *why);
/** False: the agent may not watch agents of that prefix. */
bool qms_chain_watch(const struct qms_chain *c, const struct qms_server_conf *server,
                     struct qms_peer *peer, uint8_t *peer_data, struct qms_bytes prefix,
                     qms_time now, struct qms_refusal *why);
void qms_chain_close(const struct qms_chain *c, const struct qms_route_conf *block,
                     uint8_t *stream_data, const struct qms_route *route, size_t asked,
                     uint8_t status, qms_time now);
/** Behind qms_chain_close, for every route. */
void qms_chain_log(const struct qms_chain *c, const struct qms_route_conf *block,
                   const struct qms_route *route, uint8_t status, qms_time now);

#endif
