/* SPDX-License-Identifier: MIT */
/* Direct connections: an agent that takes them from other agents, without a broker between.
 *
 * The protocol is the same (doc/wire.md), with this side in the broker's place: agents connect
 * with qms_connect and a URL that names this address.  There is nobody to vouch for anyone, so
 * who is let in is this side's own decision: by a token, by a certificate's public key, or by a
 * callback.  Rules on threads, callbacks, ownership and errors as in <quicms/client.h>.
 */
#ifndef QUICMS_LISTEN_H
#define QUICMS_LISTEN_H

#include <quicms/client.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qms_listener;

/* ---------------------------------------------------------------- options ---- */

/* A listener takes from struct qms_options: the certificate and key of
 * qms_options_set_client_certificate as its own (none: it mints a self-signed pair, which its
 * peers pin), the agent id as its own, the limits on streams, windows and messages, the idle
 * timeout, keep-alive, congestion control and the connect timeout, within which a connection
 * must have been let in. */

/** Connections at once, 1..1,000,000 (1,024).  Those beyond are refused (BUSY), and without an
 * answer when they are many.  QMS_E_INVALID: outside. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_max_connections(struct qms_options *o,
                                                               uint32_t count);
/** Asks peers for a certificate.  They may have none, and whoever signed one is not looked at:
 * qms_connection_peer_certificate tells whose key it was. */
QMS_API void qms_options_set_request_certificate(struct qms_options *o, bool request);
/** A token that lets an agent in; with one or more, those who show none of them are refused
 * (UNAUTHENTICATED) before authenticate_connection is asked.
 *
 * @param id     the only agent id it is good for; NULL: any
 * @param token  1..8,192 bytes
 *
 * QMS_E_INVALID: not a name, or no token; QMS_E_TOO_LARGE; QMS_E_LIMIT: 1,024 tokens. */
QMS_API QMS_MUST_CHECK qms_err qms_options_add_accepted_token(struct qms_options *o,
                                                              const char *id,
                                                              const char *token);
/** The same for the token of a broker that dials this side (`token_file` of its upstream
 * block).  Who shows it, and says that it is a broker, is believed: streams and datagrams come
 * from the agents that it names, and qms_connection_is_broker tells.  Of everybody else the
 * peer itself is the source, whatever it says.  Whoever has the token can speak for any agent.
 * Errors as for qms_options_add_accepted_token, of whose limit it is a part. */
QMS_API QMS_MUST_CHECK qms_err qms_options_add_broker_token(struct qms_options *o,
                                                            const char *token);
/** The same for a broker that shows a certificate (`certificate` of its upstream block), by the
 * SHA-256 of its public key (SPKI), 64 hex digits, colons allowed, up to 16 of them
 * (QMS_E_LIMIT).  Peers are asked for a certificate then.  With tokens or broker pins, whoever
 * has none of either is refused (UNAUTHENTICATED).  QMS_E_INVALID: not such a text. */
QMS_API QMS_MUST_CHECK qms_err qms_options_add_broker_pin(struct qms_options *o,
                                                          const char *sha256_hex);
/** New connections a second, and how many may come at once after a pause; of all together, and
 * of each address (an IPv6 address counts by its first 64 bits).  0 a second: no limit (the
 * default).  Those beyond are refused (RATE_LIMITED, with the time to wait), and without an
 * answer when they do not stop.  QMS_E_INVALID: over 1,000,000, or a burst of 0. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_accept_rate(struct qms_options *o,
                                                           uint32_t per_second, uint32_t burst);
QMS_API QMS_MUST_CHECK qms_err qms_options_set_accept_rate_per_address(struct qms_options *o,
                                                                       uint32_t per_second,
                                                                       uint32_t burst);

/* --------------------------------------------------------------- listener ---- */

/** Callbacks of a listener; rules as for struct qms_connection_callbacks. */
struct qms_listener_callbacks {
    size_t size;
    /** An agent wants in and has passed the ready-made checks.
     * qms_connection_peer_id, _peer_token, _peer_certificate and _remote_address tell who.
     *  QMS_OK           it is let in; on_connection follows
     *  QMS_E_AGAIN      not decided yet: `c` is the application's from now on, and it calls
     *                   qms_connection_admit within the connect timeout
     *  QMS_E_WIRE + c   it is refused with that code
     *  others           it is refused (UNAUTHENTICATED)
     * Except with QMS_E_AGAIN, `c` is lent.  Without this callback everyone is let in. */
    qms_err (*authenticate_connection)(struct qms_listener *l, void *arg,
                                       struct qms_connection *c);
    /** An agent that was let in has opened a stream, which on_stream of its connection has not
     * seen yet.  qms_stream_token and the other getters tell its header, qms_stream_peek its
     * first bytes, as far as they have come.
     *  QMS_OK           on_stream follows (or on_message)
     *  QMS_E_AGAIN      more bytes are needed: it is asked again when they have come
     *  QMS_E_WIRE + c   the stream is refused with that code
     *  others           the stream is refused (UNAUTHENTICATED)
     * `st` is lent.  Without this callback all streams go to on_stream. */
    qms_err (*authenticate_stream)(struct qms_listener *l, void *arg, struct qms_connection *c,
                                   struct qms_stream *st);
    /** An agent was let in.  The connection is the application's: it gives it callbacks with
     * qms_connection_set_callbacks and releases it in the end.  on_ready follows.  Must not be
     * NULL. */
    void (*on_connection)(struct qms_listener *l, void *arg, struct qms_connection *c);
    /** What qms_listener_stop has begun is done: no connection is left.  Comes once. */
    void (*on_stopped)(struct qms_listener *l, void *arg);
};

/**
 * Takes connections at an address, from now on.
 *
 * @param options  NULL: the defaults
 * @param address  "IP:PORT" or "[IP]:PORT"; port 0: a free one, which
 *                 qms_listener_local_address tells
 *
 * @retval QMS_OK         *out is the caller's, ended with qms_listener_release
 * @retval QMS_E_INVALID  not such an address, callbacks->size is 0 or on_connection is NULL
 * @retval QMS_E_CONFIG   certificate or key cannot be read or used
 * @retval QMS_E_IO       the address cannot be had (errno is set)
 * @retval QMS_E_LIMIT    64 listeners and sets of options are in use
 * qms_client_error has a sentence about each failure.
 */
QMS_API QMS_MUST_CHECK qms_err qms_listen(struct qms_client *client,
                                          const struct qms_options *options,
                                          const char *address,
                                          const struct qms_listener_callbacks *callbacks,
                                          void *arg, struct qms_listener **out);

/** Stops in good order: new connections are refused, living ones are told (GOAWAY) and new
 * streams on them refused (GOING_AWAY); those that still live after `patience` are closed
 * (GOING_AWAY).  on_stopped follows.  Called again, only the shorter patience counts. */
QMS_API void qms_listener_stop(struct qms_listener *l, qms_time patience);
/** Gives the handle back: the address is free again and every connection taken is closed
 * (GOING_AWAY).  Handles of connections stay valid until they are released themselves. */
QMS_API void qms_listener_release(struct qms_listener *l);

/** "IP:PORT" or "[IP]:PORT".  Lives as long as the handle. */
QMS_API const char *qms_listener_local_address(const struct qms_listener *l);
/** SHA-256 of this side's public key as 64 hex digits: what a peer gives to
 * qms_options_add_certificate_pin.  Lives as long as the handle. */
QMS_API const char *qms_listener_pin(const struct qms_listener *l);
QMS_API struct qms_client *qms_listener_client(const struct qms_listener *l);

/* Counters of a listener: X(NAME, "label"). */
#define QMS_LISTENER_STAT_TABLE(X)                                                             \
    X(ACCEPTED, "connections_accepted")                                                        \
    X(ACTIVE, "connections_active")                                                            \
    X(REFUSED, "connections_refused")                                                          \
    X(RATE_LIMITED, "connections_rate_limited")                                                \
    X(BUSY, "connections_over_limit")                                                          \
    X(HANDSHAKES_FAILED, "handshakes_failed")                                                  \
    X(STREAMS_REFUSED, "streams_refused")                                                      \
    X(BYTES_SENT, "bytes_sent")                                                                \
    X(BYTES_RECEIVED, "bytes_received")

enum qms_listener_stat {
#define QMS_STAT_ENUM(name, label) QMS_LISTENER_##name,
    QMS_LISTENER_STAT_TABLE(QMS_STAT_ENUM)
#undef QMS_STAT_ENUM
        QMS_LISTENER_STAT_COUNT
};

/** As qms_client_stats. */
QMS_API void qms_listener_stats(const struct qms_listener *l, uint64_t *values, size_t count);
QMS_API const char *qms_listener_stat_name(unsigned stat);

/* ---------------------------------------------------- accepted connections ---- */

/* On an accepted connection qms_connection_id is this side's id ("direct" unless one was set),
 * and streams and datagrams have the peer's id as their source.  Streams to an agent id that is
 * not this side's are refused (NOT_FOUND), where this side has set one; what kind and name mean
 * otherwise is the application's affair.  To the peer, streams are opened with QMS_KIND_SELF.
 *
 * On that of a broker which is believed (qms_connection_is_broker) all is as on a connection to
 * a broker: source, target and original target of streams are what the broker says, and streams
 * and datagrams go to whom they name.
 */

/** Answer that authenticate_connection has put off: QMS_OK, QMS_E_WIRE + code, or another error
 * for UNAUTHENTICATED.  QMS_E_STATE: nothing to answer; QMS_E_CLOSED: it has ended meanwhile.
 */
QMS_API QMS_MUST_CHECK qms_err qms_connection_admit(struct qms_connection *c, qms_err verdict);
/** Believes the peer, which is known by other means than a token (its certificate, say), to be
 * a broker: as with qms_options_add_broker_token.  In authenticate_connection, or before
 * qms_connection_admit.  QMS_E_UNSUPPORTED: it does not say that it is a broker that names
 * sources; QMS_E_STATE: too late, or nothing to decide here. */
QMS_API QMS_MUST_CHECK qms_err qms_connection_trust_broker(struct qms_connection *c);
/** Whether the peer is a broker that was let in and is believed. */
QMS_API bool qms_connection_is_broker(const struct qms_connection *c);
/** Callbacks of a connection, from the next callback on.  QMS_E_INVALID: size is 0. */
QMS_API QMS_MUST_CHECK qms_err qms_connection_set_callbacks(
    struct qms_connection *c, const struct qms_connection_callbacks *callbacks, void *arg);
/** The id that the peer has named, or was given; "" on connections of this side's own. */
QMS_API const char *qms_connection_peer_id(const struct qms_connection *c);
/** The credential that the peer has shown; empty when it showed none, and once it was let in.
 */
QMS_API struct qms_bytes qms_connection_peer_token(const struct qms_connection *c);
/** SHA-256 of the public key of the peer's certificate, 32 bytes, the peer having proved that
 * it holds the private one.  False: it has shown none. */
QMS_API bool qms_connection_peer_certificate(const struct qms_connection *c, uint8_t out[32]);

#ifdef __cplusplus
}
#endif
#endif
