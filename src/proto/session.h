/* SPDX-License-Identifier: MIT */
/* One end of the agent protocol (doc/wire.md) over a link: the engine that the broker runs for
 * each peer and the client library for each connection.  No I/O, no clock.
 *
 * It owns the CONTROL stream, HELLO and its deadline, the first bytes of every stream (type,
 * ROUTE, RESULT), handles, datagram contexts and the budget for malformed input.  Payload bytes
 * pass straight through.  It decides nothing about routing or rights: its events do.
 *
 * Ownership: a session is made for one link and takes the link's `events` and `user`.  It is
 * freed by its owner after on_closed (from inside that event is allowed).  A session stream
 * lives until on_stream_closed returns; its `user` belongs to the layer above.
 * Reentrancy: as for links, no call below runs an event before it returns, qms_session_expire
 * excepted: it runs the events of held routes, so it must not be called from within an event.
 *
 * Handles: the opener counts up; the receiver refuses (PROTOCOL) a handle that was used before,
 * but takes them in any order, because an urgent stream opened later is meant to arrive
 * earlier.
 */
#ifndef QMS_PROTO_SESSION_H
#define QMS_PROTO_SESSION_H

#include "base/link.h"
#include "proto/control.h"
#include "proto/datagram.h"
#include "proto/route.h"

struct qms_session;

/* A ROUTE stream seen from this end. */
struct qms_session_stream {
    struct qms_session *session;
    struct qms_link_stream *link_stream; /* NULL once closed below */
    void *user;                          /* of the layer above */
    uint64_t handle;
    bool opener; /* this side sent the ROUTE header */
    bool bidi;
    uint8_t flags;            /* enum qms_route_flags of its header */
    uint8_t forward, reverse; /* urgency of the opener's and of the acceptor's direction */
};

struct qms_session_events {
    /** Accepting side: the peer's HELLO.  Answer with qms_session_welcome or
     * qms_session_refuse, now or later; ROUTE streams are held (bounded) meanwhile. */
    void (*on_hello)(struct qms_session *s, const struct qms_control *hello);
    /** Connecting side. */
    void (*on_welcome)(struct qms_session *s, const struct qms_control *welcome);
    /** Connecting side; on_closed follows. */
    void (*on_refused)(struct qms_session *s, const struct qms_control *refused);
    /** GOAWAY JOIN LEAVE WATCH UNWATCH PRESENCE REPLY AUTH PONG THROTTLED STATS_REQUEST STATS.
     * PING is answered, PRIORITY, DGRAM_BIND/UNBIND and STREAM_STATUS are handled below.
     * Also a STREAM_STATUS of an own stream that has been closed already (a short
     * unidirectional one may be acknowledged before its refusal comes). */
    void (*on_control)(struct qms_session *s, const struct qms_control *msg);
    /** A datagram with its context resolved.  On the broker's side `name` is the target, on the
     * agent's (qms_session_is_agent) the source (kind AGENT, or SERVICE: a service of the
     * broker). */
    void (*on_datagram)(struct qms_session *s, enum qms_kind kind, struct qms_bytes name,
                        uint8_t priority, struct qms_bytes payload);

    /** The peer opened a route.  The header is lent.  Data follows at once.  The broker's side
     * never sees SOURCE in it: from an agent that is malformed. */
    void (*on_route)(struct qms_session_stream *st, const struct qms_route_header *h);
    /** Opener of a bidirectional route: the RESULT.  Status 0: payload follows.  Otherwise the
     * stream ends by itself: the forward direction is reset here, and only on_stream_closed
     * follows.  Also called once for a unidirectional route that was refused (STOP_SENDING, or
     * STREAM_STATUS with its reason), instead of on_stop.  May come before on_welcome for a
     * route that was opened before it. */
    void (*on_result)(struct qms_session_stream *st, const struct qms_result *r);
    void (*on_data)(struct qms_session_stream *st, struct qms_bytes data, bool fin);
    /** Codes are one byte (enum qms_code or 0x80..0xFF). */
    void (*on_reset)(struct qms_session_stream *st, uint8_t code);
    /** The peer wants no more.  Answer with qms_session_reset or qms_session_finish.  The
     * opener of a route whose RESULT is still due is told behind the RESULT: together they are
     * a refusal, and then only on_result is called. */
    void (*on_stop)(struct qms_session_stream *st, uint8_t code);
    /** `len` payload bytes (the header does not count) were acknowledged. */
    void (*on_acked)(struct qms_session_stream *st, uint64_t len);
    /** PRIORITY from the peer, already applied to what this side sends; st->forward and
     * st->reverse hold the new values. */
    void (*on_priority)(struct qms_session_stream *st);
    /** Acceptor of a FRAMED route: `count` whole messages were left out of it because this side
     * was slow.  Which ones is not told.  May be NULL. */
    void (*on_skipped)(struct qms_session_stream *st, uint64_t count);
    /** The stream is freed when this returns; st->link_stream is NULL already. */
    void (*on_stream_closed)(struct qms_session_stream *st);

    /** A deadline began without another event: qms_session_next_at may be earlier now.  May be
     * NULL, for a layer that asks each turn. */
    void (*on_deadline)(struct qms_session *s);

    /** The link is gone; all streams had their on_stream_closed. */
    void (*on_closed)(struct qms_session *s, const struct qms_link_close *why);
};

struct qms_session_limits {
    qms_time hello_for;            /* HELLO must come within this of on_ready: 5 s */
    qms_time header_for;           /* ROUTE header within this of its stream's opening: 5 s */
    unsigned held_streams;         /* before HELLO is accepted: 16 */
    size_t held_bytes;             /* 16 KiB */
    unsigned malformed_per_minute; /* 16 */
    unsigned max_contexts;         /* datagram contexts each way: 64 */
    /** Called with what the wire counts as odd, a static label: malformed_header,
     * malformed_result, malformed_chunk, header_timeout, held_overflow, malformed_datagram,
     * early_datagram, unknown_context, context_limit, context_memory, pong_dropped,
     * status_dropped.  May be NULL. */
    void (*on_oddity)(struct qms_session *s, const char *what);
};
extern const struct qms_session_limits qms_session_limits_default;

/** `connecting`: this side sends HELLO.  Takes link->events and link->user over.
 * NULL: out of memory.  `limits` may be NULL; it must outlive the session. */
struct qms_session *qms_session_new(struct qms_link *link, bool connecting,
                                    const struct qms_session_limits *limits,
                                    const struct qms_session_events *events, void *user);
/** Takes NULL.  Only after on_closed, or before the link was ever ready. */
void qms_session_free(struct qms_session *s);
void *qms_session_user(const struct qms_session *s);
struct qms_link *qms_session_link(const struct qms_session *s); /* NULL after on_closed */

/** Next instant at which qms_session_expire must be called, QMS_NEVER for none. */
qms_time qms_session_next_at(const struct qms_session *s);
void qms_session_expire(struct qms_session *s, qms_time now);

/** Connecting side: opens CONTROL and sends HELLO (type is set here).  May be called before
 * the link is ready.  QMS_E_TOO_LARGE, QMS_E_INVALID, QMS_E_STATE (twice), QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_session_hello(struct qms_session *s,
                                         const struct qms_control *hello);
/** Accepting side, after on_hello: sends WELCOME (type and version are set here, capabilities
 * that HELLO did not offer are taken out) and releases the held routes (their on_route comes
 * from the next qms_session_expire; qms_session_next_at is then `now`).  QMS_E_STATE: no HELLO,
 * or it was answered.  QMS_E_NOMEM, QMS_E_INVALID. */
QMS_MUST_CHECK qms_err qms_session_welcome(struct qms_session *s,
                                           const struct qms_control *welcome);
/** Accepting side: REFUSED; the link is closed with `status` once that was acknowledged, or
 * after 2 s, since closing drops what is queued.  Meanwhile only ends are told.  Before HELLO
 * came or after WELCOME the link is closed at once.  A HELLO without a common version is
 * refused (UNSUPPORTED) by the session itself. */
void qms_session_refuse(struct qms_session *s, uint8_t status, uint64_t retry_after_ms,
                        const char *reason);
/** Any other message.  QMS_E_STATE: before HELLO (connecting) or WELCOME (accepting) was sent;
 * QMS_E_LIMIT: more than 256 KiB of control messages wait unacknowledged (half of
 * it for PRIORITY); QMS_E_INVALID: a type that the session sends itself (HELLO, WELCOME,
 * REFUSED, DGRAM_BIND, DGRAM_UNBIND, RECEIPT), or a bad field; QMS_E_CLOSED, QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_session_send(struct qms_session *s, const struct qms_control *msg);
bool qms_session_accepted(const struct qms_session *s); /* WELCOME was sent or received */
/** Whether this side stands in the agent's place (doc/wire.md, Terms): it has connected, or was
 * connected to by a broker that it trusts (QMS_CAP_RELAY).  Before WELCOME: it connects.  An
 * agent is told the source of streams and datagrams, a broker is not. */
bool qms_session_is_agent(const struct qms_session *s);

/** Opens a route; handle is chosen here, h->handle is ignored.  Allowed on the connecting side
 * before WELCOME, but not before HELLO (QMS_E_STATE).  QMS_E_INVALID: SOURCE from the
 * agent's side, or a bidirectional TOPIC.  Errors of the link's open and of
 * qms_route_encode.  A failed call takes no handle. */
QMS_MUST_CHECK qms_err qms_session_open(struct qms_session *s, bool bidi,
                                        const struct qms_route_header *h, void *user,
                                        struct qms_session_stream **out);
/** Acceptor: the RESULT of a bidirectional route.  Status 0 accepts; any other status sends it,
 * FIN, and STOP_SENDING(status) for the forward direction.  On a unidirectional route: nothing
 * for status 0, else STOP_SENDING(status) and STREAM_STATUS.  With QMS_ROUTE_NO_RESULT status 0
 * sends nothing, another one resets and stops.  After a refusal only
 * on_stream_closed follows.  Accepting towards an opener that stopped listening is no error.
 * QMS_E_STATE when called twice or by the opener; QMS_E_INVALID: a status above 0xFF or a bad
 * field; QMS_E_CLOSED. */
QMS_MUST_CHECK qms_err qms_session_result(struct qms_session_stream *st,
                                          const struct qms_result *r);
/** Payload.  As the link's write.  QMS_E_STATE: the acceptor's payload comes behind its RESULT;
 * before that, finish does nothing. */
QMS_MUST_CHECK qms_err qms_session_write(struct qms_session_stream *st, struct qms_blob *blob,
                                         size_t off, size_t len);
void qms_session_finish(struct qms_session_stream *st);
void qms_session_reset(struct qms_session_stream *st, uint8_t code);
void qms_session_stop(struct qms_session_stream *st, uint8_t code);
void qms_session_consume(struct qms_session_stream *st, size_t len);
/** Sends PRIORITY and applies it to what this side sends.  The opener may set both, the
 * acceptor only `reverse` (QMS_E_INVALID otherwise).  `mask`: 1 forward, 2 reverse. */
QMS_MUST_CHECK qms_err qms_session_set_priority(struct qms_session_stream *st, uint8_t mask,
                                                uint8_t forward, uint8_t reverse);
/** Applies an urgency to what this side sends without telling the peer (the broker's legs). */
void qms_session_apply_priority(struct qms_session_stream *st, uint8_t priority);
/** Tells the peer a status and reason of a stream (STREAM_STATUS). */
QMS_MUST_CHECK qms_err qms_session_stream_status(struct qms_session_stream *st, uint8_t status,
                                                 const char *reason);
void qms_session_stream_stats(struct qms_session_stream *st, struct qms_link_stream_stats *out);

/** Sends a datagram to (agent's side) or from (broker's side) a name.  A context is bound
 * by DGRAM_BIND on first use and the datagram then carries the name in place until the binding
 * can be known (see session_datagram.c); the least recently used context is unbound for another
 * name, unless it was used within the last second.  On the wire only a binding carries an
 * urgency: a datagram with its name in place arrives as NORMAL. QMS_E_TOO_LARGE,
 * QMS_E_UNSUPPORTED (peer takes no datagrams), QMS_E_STATE (before WELCOME), QMS_E_INVALID (bad
 * name or kind), QMS_E_CLOSED. */
QMS_MUST_CHECK qms_err qms_session_datagram(struct qms_session *s, enum qms_kind kind,
                                            struct qms_bytes name, uint8_t priority,
                                            struct qms_bytes payload);
/** Largest payload of a datagram to `name` now. */
size_t qms_session_datagram_max(struct qms_session *s, struct qms_bytes name);

/** Closes the link; on_closed follows. */
void qms_session_close(struct qms_session *s, uint8_t code, const char *reason);

#endif
