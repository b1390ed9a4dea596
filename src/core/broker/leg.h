/* SPDX-License-Identifier: MIT */
/* A leg: one agent's stream of a route, between its session and a channel.
 *
 * Bytes that arrive from the agent are copied once, into the leg's chunk, and handed to the
 * channel by reference.  Flow-control credit goes back to the agent exactly as the far end
 * acknowledges, so a slow reader stalls its own writer and nobody else.
 *
 * A leg outlives its stream while bytes that it took in are on their way, so that the memory
 * they occupy stays on the account of the agent that sent them.  Legs that are over are freed
 * at the end of the turn (qms_leg_reap).
 */
#ifndef QMS_CORE_BROKER_LEG_H
#define QMS_CORE_BROKER_LEG_H

#include "core/broker/channel.h"
#include "core/broker/hold.h"
#include "core/broker/route.h"

struct qms_leg {
    struct qms_route *route;       /* a reference */
    struct qms_peer *peer;         /* its agent; the route keeps it */
    struct qms_session_stream *st; /* NULL once closed */
    struct qms_channel *ch;        /* NULL: none yet, or over */
    bool opener;                   /* the leg of the route's opener */
    bool answered;                 /* the opener was told a RESULT, or is not to be told any */
    bool recv_done; /* nothing more is taken from the agent: FIN, RESET, or we stopped it */
    bool send_done; /* nothing more goes to the agent: FIN or RESET */
    bool finished;  /* by FIN, which stands until the agent wants no more */
    uint8_t forward, reverse; /* urgencies as last told */
    struct qms_blob *chunk;   /* where the next bytes go; NULL: none */
    uint64_t uncredited;      /* taken in and not yet acknowledged at the far end */
    uint64_t unacked;         /* written to the agent and not yet acknowledged by it */
    uint64_t held;            /* acknowledged there, withheld by a module */
    struct qms_hold *hold;    /* how it is earned; NULL: nothing was ever withheld */
    struct qms_timer earn;
    struct qms_list ending; /* in broker->ending */
};

/** How a channel reaches a leg. */
extern const struct qms_channel_sink qms_leg_sink;

/** Binds the route to the stream that its opener opened; st->user is the leg.  NULL: no memory.
 */
struct qms_leg *qms_leg_open(struct qms_route *route, struct qms_session_stream *st);
/** The acceptor's leg: opens a stream to `peer` with the header.  The channel belongs to the
 * leg on success only.  Errors of qms_session_open, QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_leg_accept(struct qms_route *route, struct qms_peer *peer,
                                      const struct qms_route_header *h, struct qms_leg **out);
/** Sends the RESULT to the opener; without the acceptor's name where it leaves no room for it.
 * Errors of qms_session_result. */
QMS_MUST_CHECK qms_err qms_leg_result(struct qms_leg *leg, const struct qms_result *r);
/** Answers the opener with a refusal.  Nothing is routed any more. */
void qms_leg_refuse(struct qms_leg *leg, const struct qms_result *r);
/** Ends both legs with a code. */
void qms_leg_abort(struct qms_leg *leg, uint8_t code);
/** Frees the legs that are over. */
void qms_leg_reap(struct qms_broker *b);

/* Events of the session. */
void qms_leg_on_result(struct qms_session_stream *st, const struct qms_result *r);
void qms_leg_on_data(struct qms_session_stream *st, struct qms_bytes data, bool fin);
void qms_leg_on_reset(struct qms_session_stream *st, uint8_t code);
void qms_leg_on_stop(struct qms_session_stream *st, uint8_t code);
void qms_leg_on_acked(struct qms_session_stream *st, uint64_t len);
void qms_leg_on_priority(struct qms_session_stream *st);
void qms_leg_on_stream_closed(struct qms_session_stream *st);

/* Shared by leg.c and leg_sink.c. */
/** Tells the agent that its side of the route is over. */
void qms_leg_end(struct qms_leg *leg, uint8_t code);
/** Hands back credit for `len` bytes that the far end has consumed. */
void qms_leg_give(struct qms_leg *leg, uint64_t len);
/** Hands back all credit: nobody will consume what is on its way. */
void qms_leg_give_all(struct qms_leg *leg);
/** Without a stream and without bytes on their way a leg is over. */
void qms_leg_settle(struct qms_leg *leg);

#endif
