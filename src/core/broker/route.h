/* SPDX-License-Identifier: MIT */
/* A route: one stream on its way through the broker, as modules see it.  Its legs (leg.h) move
 * the bytes; each holds a reference, and the last one to go ends the route. */
#ifndef QMS_CORE_BROKER_ROUTE_H
#define QMS_CORE_BROKER_ROUTE_H

#include "core/broker/broker_state.h"
#include "proto/trace.h"

struct qms_leg;

struct qms_route {
    struct qms_broker *broker;
    unsigned refs;
    /* References.  opener NULL: it is another worker's, where the route is counted and the
     * modules are asked; acceptor NULL: none yet, a service, or another worker's. */
    struct qms_peer *opener, *acceptor;
    struct qms_leg *opener_leg; /* NULL once it is gone */
    /* Of the configuration in force: what holds for the opener and for the acceptor.  A reload
     * sets both anew, so a living route is always under the newest rules. */
    const struct qms_route_conf *block, *acceptor_block;
    struct qms_list node; /* in broker->routes */
    enum qms_kind kind;
    uint8_t flags, priority;
    bool bidi;
    bool retried;   /* the directory was asked a second time */
    uint8_t status; /* the first thing that went wrong; QMS_CODE_OK: nothing */
    size_t asked;   /* modules that know of it */
    size_t target_len;
    char target[QMS_NAME_MAX];
    size_t content_type_len;
    char content_type[128];
    char *scopes;         /* that a token of its own grants; NULL: it has none */
    const char *reason;   /* static label: why the broker or a module ended it; NULL: not so */
    bool cut;             /* it was under way then */
    const char *taken_by; /* id of an acceptor at another worker (qms_free); NULL: not told */
    int64_t stream_id;    /* on the opener's connection */
    bool traced;          /* the next is there, and well-formed */
    char traceparent[QMS_TRACEPARENT_LEN];
    uint64_t forward, reverse;                      /* payload bytes */
    qms_time opened_at, answered_at, first_byte_at; /* 0: not yet */
    struct qms_timer deadline;                      /* for the RESULT */
    uint8_t *stream_data;                           /* the modules', behind the struct */
};

/** With one reference, for its caller.  NULL: out of memory. */
struct qms_route *qms_route_begin(struct qms_peer *opener, const struct qms_route_header *h,
                                  bool bidi, qms_time now);
/** The acceptor's half of a route that another worker's agent opens.  Until it
 * has an acceptor its block is that of the first server. */
struct qms_route *qms_route_begin_remote(struct qms_broker *b, const struct qms_route_header *h,
                                         bool bidi, qms_time now);
/** Takes the blocks from the configuration in force. */
void qms_route_reload(struct qms_route *r);
void qms_route_ref(struct qms_route *r);
void qms_route_unref(struct qms_route *r);
/** Keeps the first status that is not OK. */
void qms_route_note(struct qms_route *r, uint8_t status);
/** The broker or a module refuses it: keeps the first static label. */
void qms_route_blame(struct qms_route *r, const char *label);
/** A module has cut it off for what was sent on it. */
void qms_route_blame_cut(struct qms_route *r, const char *label);
/** An agent has it now; a member of a group may take the place of another one. */
void qms_route_set_acceptor(struct qms_route *r, struct qms_peer *acceptor);
/** The same of an agent at another worker. */
void qms_route_set_acceptor_id(struct qms_route *r, struct qms_bytes id);
/** The opener is told the RESULT; `acceptor` is who gave it, empty where nobody did. */
void qms_route_answered(struct qms_route *r, struct qms_bytes acceptor, qms_time now);

#endif
