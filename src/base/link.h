/* SPDX-License-Identifier: MIT */
/* A link: anything that carries streams and datagrams between two ends.
 *
 * Kinds: a raw QUIC connection (src/quic), a server-side WebTransport session (src/h3, itself
 * standing on a QUIC link), the browser's WebTransport object (wasm), a fake in memory (t/lib).
 * The agent protocol (src/proto/session.h) needs nothing but this.
 *
 * Rules that every kind keeps:
 *  - One thread.  An operation only queues; it never calls an event before it returns.  Events
 *    may call any operation.
 *  - Bytes in events are lent for the call.
 *  - After on_stream_closed the stream is gone; after on_closed the link's streams are gone too
 *    (each had its on_stream_closed first) and the link itself dies when the event returns.
 *  - Codes are those of this link: a raw QUIC link carries 62-bit application codes, a
 *    WebTransport link 32-bit ones.
 */
#ifndef QMS_BASE_LINK_H
#define QMS_BASE_LINK_H

#include <quicms/types.h>

#include "base/blob.h"

struct sockaddr;
struct qms_link;

/* Embedded first in each kind's stream.  Owned by the link. */
struct qms_link_stream {
    struct qms_link *link;
    void *user; /* of the layer above; NULL until it sets it */
    int64_t id; /* QUIC stream id; -1 while not yet known or never known (browser) */
    bool bidi;  /* both directions */
    bool local; /* opened by this side */
    bool early; /* may go out as early data; set before its first write */
    /* Carries what keeps the link going: leaves ahead of every urgency, and credit of the
     * connection is kept for it, so that streams nobody reads cannot hold it up.  Set before
     * its first write; links without such means ignore it. */
    bool vital;
};

struct qms_link_stats {
    uint64_t bytes_sent, bytes_received; /* UDP payload */
    uint64_t packets_sent, packets_received, packets_lost;
    uint64_t datagrams_sent, datagrams_received, datagrams_dropped;
    uint64_t streams_opened, streams_closed;    /* by either side */
    uint64_t cwnd, bytes_in_flight;             /* bytes */
    qms_time rtt_smoothed, rtt_latest, rtt_min; /* durations; 0 while not measured */
    uint64_t send_buffered;       /* bytes queued and not acknowledged, all streams */
    uint64_t priority_inversions; /* packets sent while a more urgent stream waited */
    bool early_data_accepted;
    bool partial; /* only payload and streams are known: no packets, no round trips */
};

/* Send side and receive side of one stream. */
struct qms_link_stream_stats {
    uint64_t bytes_written, bytes_acked, bytes_received; /* payload bytes */
    uint64_t buffered;                                   /* written, not yet acknowledged */
    uint64_t send_credit; /* bytes the peer still allows on this stream */
    /* How long there was something to send that had to wait: for the stream's credit, the
     * connection's, the congestion controller, or behind other streams. */
    qms_time blocked_stream, blocked_credit, blocked_congestion, blocked_priority;
};

/* Why a link ended. */
struct qms_link_close {
    qms_err err;             /* QMS_OK: closed with `code` by this or the other side */
    bool by_peer;            /* the other side closed, or broke off */
    bool application;        /* `code` is an application code, not a transport one */
    uint64_t code;           /* as sent or received */
    struct qms_bytes reason; /* UTF-8, not NUL-terminated, untrusted; lent */
};

struct qms_link_ops {
    const char *carrier; /* "quic", "webtransport": label in logs and metrics */

    /** Opens a stream.  Never waits: while the peer's stream limit is used up the stream is
     * queued and what is written to it too.  QMS_E_CLOSED after close, QMS_E_NOMEM,
     * QMS_E_LIMIT when too many already wait for the peer's limit. */
    qms_err (*open)(struct qms_link *link, bool bidi, uint8_t priority,
                    struct qms_link_stream **out);
    /** Appends a range of a blob to what is sent; takes a reference, released when the peer
     * acknowledged it.  No limit is applied here: the caller bounds what it queues.
     * QMS_E_CLOSED: finished, reset or stopped; QMS_E_NOMEM. */
    qms_err (*write)(struct qms_link_stream *st, struct qms_blob *blob, size_t off, size_t len);
    /** FIN after what was written.  Idempotent. */
    void (*finish)(struct qms_link_stream *st);
    /** RESET_STREAM: drops what is queued.  No effect once all data and FIN are acknowledged.
     */
    void (*reset)(struct qms_link_stream *st, uint64_t code);
    /** STOP_SENDING; later data of this stream is dropped and credited by the link itself. */
    void (*stop)(struct qms_link_stream *st, uint64_t code);
    /** Urgency of what this side sends on the stream; 255 first. */
    void (*set_priority)(struct qms_link_stream *st, uint8_t priority);
    /** Gives flow-control credit back for `len` received bytes (RFC 9000 section 4.1). */
    void (*consume)(struct qms_link_stream *st, size_t len);
    void (*stream_stats)(struct qms_link_stream *st, struct qms_link_stream_stats *out);

    /** Queues an unreliable datagram made of the concatenated parts (copied).  QMS_E_TOO_LARGE,
     * QMS_E_CLOSED, QMS_E_UNSUPPORTED.  When the queue is full the oldest of the least urgent
     * is dropped and counted. */
    qms_err (*datagram)(struct qms_link *link, uint8_t priority, const struct qms_bytes *parts,
                        size_t count);
    /** Largest datagram that fits now, bytes; 0 when the peer takes none. */
    size_t (*datagram_max)(struct qms_link *link);

    /** Ends the link in good order with an application code; queued stream data is dropped.
     * on_closed follows once the close is on its way (and, for WebTransport, the peer's side
     * was heard or a bounded time has passed).  Idempotent. */
    void (*close)(struct qms_link *link, uint64_t code, struct qms_bytes reason);
    void (*stats)(struct qms_link *link, struct qms_link_stats *out);
    /** The peer's and own address of the path in use; either may be NULL.  Valid for the call.
     */
    void (*addresses)(struct qms_link *link, const struct sockaddr **remote,
                      const struct sockaddr **local);
    /** Accepting side: the last address of the peer that it has shown to be its own (RFC 9000
     * section 8), NULL when it has shown none yet.  Valid for the call.  NULL here: every path
     * of this kind of link is the peer's own. */
    const struct sockaddr *(*validated_remote)(struct qms_link *link);
    /** While `has_receipts`: `len` bytes in all that were written to the stream are with the
     * other end's session.  Told now and then, and with the last byte.  NULL: this kind wants
     * none. */
    void (*receipt)(struct qms_link_stream *st, uint64_t len);
    /** The certificates that the peer has shown, leaf first, DER, not looked at; lent while the
     * link lives.  At most `max`; how many.  NULL: this kind of link has none. */
    size_t (*peer_chain)(struct qms_link *link, struct qms_bytes *out, size_t max);
    /** Connecting side: goes on from another local port, keeping everything.  NULL: this kind
     * cannot.  QMS_E_STATE: not now (the handshake is not confirmed, or an earlier move is not
     * over, or not a second old); QMS_E_AGAIN: the peer must give a connection id first;
     * QMS_E_CLOSED, QMS_E_IO (errno), QMS_E_NOMEM. */
    qms_err (*migrate)(struct qms_link *link);
};

struct qms_link_events {
    /** The link can be used: the handshake is complete (WebTransport: session established).
     * Only links with `early` set have events before it. */
    void (*on_ready)(struct qms_link *link);
    /** The peer opened a stream; first bytes follow in on_data. */
    void (*on_stream)(struct qms_link *link, struct qms_link_stream *st);
    /** In order.  `fin`: nothing follows.  Credit comes back only by `consume`. */
    void (*on_data)(struct qms_link_stream *st, struct qms_bytes data, bool fin);
    /** The peer reset its direction; undelivered bytes were dropped and credited by the link.
     */
    void (*on_reset)(struct qms_link_stream *st, uint64_t code);
    /** The peer wants no more data.  The upper layer answers with reset (or finish). */
    void (*on_stop)(struct qms_link_stream *st, uint64_t code);
    /** `len` more payload bytes were acknowledged by the peer. */
    void (*on_acked)(struct qms_link_stream *st, uint64_t len);
    /** Both directions are over; the stream is freed when this returns. */
    void (*on_stream_closed)(struct qms_link_stream *st);
    void (*on_datagram)(struct qms_link *link, struct qms_bytes data);
    void (*on_closed)(struct qms_link *link, const struct qms_link_close *why);
};

/* Embedded first in each kind. */
struct qms_link {
    const struct qms_link_ops *ops;
    const struct qms_link_events *events; /* set by the layer above before the first event */
    void *user;                           /* of the layer above */
    qms_time now; /* the turn's clock, refreshed by whoever drives the link before any event */
    /* Until on_ready, early data (RFC 9001 section 4.6).  Accepting side: what comes now may be
     * a replay.  Connecting side: streams marked early go out now, and again by themselves when
     * the other side refuses that. */
    bool early;
    /* `stop` may never reach the peer: the protocol above has to tell it as well. */
    bool quiet_stops;
    /* `stop` may cost the peer what was sent to it just before. */
    bool harmful_stops;
    /* A program that is cut off may seem to have finished its streams: the protocol above has
     * to mark their ends itself. */
    bool loose_ends;
    /* Connecting side: what `write` takes may lie about for long before it leaves, and nothing
     * below tells what arrived: the protocol above shall (`receipt`).  Set before `open`; the
     * other one is set by the session when the other end has agreed. */
    bool wants_receipts, has_receipts;
};

/** The peer's address that a rule about addresses may look at; NULL: it has proved none. */
static inline const struct sockaddr *qms_link_validated_remote(struct qms_link *link)
{
    const struct sockaddr *remote = NULL;

    if (link->ops->validated_remote != NULL) {
        return link->ops->validated_remote(link);
    }
    link->ops->addresses(link, &remote, NULL);
    return remote;
}

#endif
