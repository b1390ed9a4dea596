/* SPDX-License-Identifier: MIT */
/* Client of the quicms broker: connections, streams and datagrams of one agent.
 *
 * The library brings no thread of its own to the application and no event loop: a context
 * (struct qms_client) is driven by the application's loop through a file descriptor, a timeout
 * and qms_client_process, or by qms_client_run.
 *
 * Threads:   a client and all handles made from it belong to one thread.  Only
 *            qms_client_post may be called from another one.
 * Callbacks: run inside qms_client_process (and qms_client_run) and nowhere else: no other call
 *            runs a callback before it returns.  Every call is allowed inside every callback,
 *            release of the handle it runs on included, except qms_client_process,
 *            qms_client_run and qms_client_free.  Callbacks of one handle come in the order of
 *            the events; a callback pointer may be NULL.
 * Ownership: a handle is the application's from the call (or on_stream) that gives it until it
 *            calls the handle's release; after that none of its callbacks runs any more.
 *            Strings and structs passed in are copied; bytes passed to callbacks are lent until
 *            the callback returns.  free and release take NULL.
 * Errors:    functions that can fail return qms_err (<quicms/error.h>) and have no effect when
 *            they fail.  QMS_E_NOMEM may come from every one that is declared to fail.
 * Units:     sizes in bytes; durations qms_time (nanoseconds) unless a name ends in _ms.
 *
 * The wire protocol is doc/wire.md; flow control is that of RFC 9000 section 4.
 */
#ifndef QUICMS_CLIENT_H
#define QUICMS_CLIENT_H

#include <quicms/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qms_client;     /* context: one per thread that uses the library */
struct qms_options;    /* how to connect */
struct qms_connection; /* one connection to a broker */
struct qms_open;       /* optional header fields of a stream to open */
struct qms_stream;     /* one stream to or from another agent, group, topic or service */

/* ---------------------------------------------------------------- context ---- */

/**
 * Makes a context.
 *
 * @retval QMS_OK       *out is the caller's, ended with qms_client_free
 * @retval QMS_E_NOMEM  out of memory
 * @retval QMS_E_IO     the system gave no descriptor (errno is set)
 */
QMS_API QMS_MUST_CHECK qms_err qms_client_new(struct qms_client **out);

/** Ends the context: living connections are told (code GOING_AWAY) without waiting for an
 * answer, no callback runs, and every handle made from it becomes invalid.  Not from a
 * callback. */
QMS_API void qms_client_free(struct qms_client *client);

/** Descriptor to watch for reading with poll, epoll or the like; it also becomes readable when
 * a timer of the library has run out or a call has left something to send, so watching it is
 * enough.  It stays the library's and lives as long as the client. */
QMS_API int qms_client_fd(const struct qms_client *client);

/** Milliseconds until qms_client_process should be called even if the descriptor is silent,
 * rounded up; 0: now; -1: no limit.  For loops that cannot trust the descriptor's timers. */
QMS_API int qms_client_timeout(const struct qms_client *client);

/** Does what is to be done now, runs callbacks, and sends.  Never blocks; harmless when there
 * is nothing to do. */
QMS_API void qms_client_process(struct qms_client *client);

/** Waits and processes for this duration (QMS_NEVER: no end), or until qms_client_stop.
 *
 * @retval QMS_OK         stopped
 * @retval QMS_E_TIMEOUT  the duration has passed
 * @retval QMS_E_IO       waiting failed (errno is set)
 */
QMS_API qms_err qms_client_run(struct qms_client *client, qms_time duration);

/** Makes the qms_client_run under way (else the next one) return after the current turn. */
QMS_API void qms_client_stop(struct qms_client *client);

/** Starts a thread that is in qms_client_run until qms_client_stop or qms_client_free.  The
 * client and its handles are that thread's from here on: callbacks run there, and other threads
 * reach it by qms_client_post.  qms_client_free, from any other thread, ends it first.
 *
 * @retval QMS_E_STATE  it was started before
 * @retval QMS_E_IO     the system gave no thread (errno is set)
 */
QMS_API QMS_MUST_CHECK qms_err qms_client_start_thread(struct qms_client *client);

/**
 * Has `fn(client, arg)` called from qms_client_process.  Any thread, until qms_client_free
 * begins; calls posted by one thread run in their order.
 *
 * @retval QMS_OK        it will be called once, unless the client is freed before
 * @retval QMS_E_LIMIT   65,536 calls are waiting
 * @retval QMS_E_NOMEM   out of memory
 */
QMS_API QMS_MUST_CHECK qms_err qms_client_post(struct qms_client *client,
                                               void (*fn)(struct qms_client *client, void *arg),
                                               void *arg);

/** A sentence about the last qms_connect that failed at once, naming what was wrong; "" when
 * there was none.  Valid until the next qms_connect. */
QMS_API const char *qms_client_error(const struct qms_client *client);

/** Version of the library, "MAJOR.MINOR.PATCH". */
QMS_API const char *qms_client_version(void);

/* Counters of a client: X(NAME, "label"). */
#define QMS_CLIENT_STAT_TABLE(X)                                                               \
    X(ATTEMPTED, "connections_attempted")                                                      \
    X(SUCCEEDED, "connections_succeeded")                                                      \
    X(FAILED, "connections_failed")                                                            \
    X(BYTES_SENT, "bytes_sent")                                                                \
    X(BYTES_RECEIVED, "bytes_received")

enum qms_client_stat {
#define QMS_STAT_ENUM(name, label) QMS_CLIENT_##name,
    QMS_CLIENT_STAT_TABLE(QMS_STAT_ENUM)
#undef QMS_STAT_ENUM
        QMS_CLIENT_STAT_COUNT
};

/** Writes the first `count` counters, in the order of enum qms_client_stat, to `values`;
 * entries that this version of the library does not know become 0. */
QMS_API void qms_client_stats(const struct qms_client *client, uint64_t *values, size_t count);
/** Label of a counter, or NULL. */
QMS_API const char *qms_client_stat_name(unsigned stat);

/* ---------------------------------------------------------------- options ---- */

/* One object says how to connect; it may serve any number of qms_connect calls, is read by them
 * only, and may be changed or freed at any time.  Connections made from one object share its
 * loaded trust store. */

/** Defaults: no token, id assigned by the broker, the system's trust store.  NULL: no memory.
 */
QMS_API struct qms_options *qms_options_new(void);
QMS_API void qms_options_free(struct qms_options *o);

/** Token for scheme "token" of HELLO, at most 8,192 bytes; NULL or "": none.
 * QMS_E_TOO_LARGE, QMS_E_NOMEM. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_token(struct qms_options *o, const char *token);
/** Id to ask for; NULL or "": the broker assigns one.  QMS_E_INVALID: not a name of doc/wire.md
 * (1..128 bytes of A-Z a-z 0-9 . _ ~ : @ / + -). */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_agent_id(struct qms_options *o, const char *id);
/** PEM file of the authorities to trust instead of the system's; NULL: the system's.  It is
 * read by qms_connect. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_ca_file(struct qms_options *o, const char *path);
/** Trusts a server by the SHA-256 of its public key (SPKI) or of its whole certificate, 64 hex
 * digits, colons allowed.  With pins the chain, the name and the dates are not looked at.  May
 * be called again for further pins, up to 16 (QMS_E_LIMIT).  QMS_E_INVALID: not such a text. */
QMS_API QMS_MUST_CHECK qms_err qms_options_add_certificate_pin(struct qms_options *o,
                                                               const char *sha256_hex);
/** Turns every check of the server's identity off.  For tests: anyone in between can read and
 * change everything. */
QMS_API void qms_options_set_insecure(struct qms_options *o, bool insecure);
/** PEM files of a certificate and its key to show to the server; both NULL: none.
 * QMS_E_INVALID: only one of the two. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_client_certificate(struct qms_options *o,
                                                                  const char *cert_file,
                                                                  const char *key_file);
/** Name for SNI and for the check of the certificate, where it is not the URL's host; NULL: the
 * host. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_server_name(struct qms_options *o,
                                                           const char *name);
/** File that TLS secrets are appended to in the format of SSLKEYLOGFILE; NULL: none. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_keylog_file(struct qms_options *o,
                                                           const char *path);

/** Streams that the other side may have open at once, 1..65,536 each (1,024).
 * QMS_E_INVALID: outside. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_max_streams(struct qms_options *o, uint32_t bidi,
                                                           uint32_t uni);
/** Silence after which a connection ends with QMS_E_IDLE, 1 s..1 h (30 s); the smaller of both
 * sides' values holds (RFC 9000 section 10.1).  QMS_E_INVALID: outside. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_idle_timeout(struct qms_options *o, qms_time t);
/** Pace of PING frames while nothing else is sent, so that the connection and the NAT bindings
 * on its way stay (10 s); 0: none.  QMS_E_INVALID: below 100 ms. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_keep_alive(struct qms_options *o, qms_time t);
/** Time from qms_connect to on_ready, name resolution included, after which the connection ends
 * with QMS_E_TIMEOUT, 10 ms..5 min (10 s).  QMS_E_INVALID: outside. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_connect_timeout(struct qms_options *o,
                                                               qms_time t);
/** "cubic" (default), "reno" or "bbr".  QMS_E_INVALID: another word. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_congestion_control(struct qms_options *o,
                                                                  const char *name);
/** Upper end of path-MTU probing, 1,200..65,000 bytes of UDP payload (1,452).
 * QMS_E_INVALID: outside. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_max_udp_payload(struct qms_options *o,
                                                               size_t len);
/** Flow-control windows: what the other side may send without being read, on one stream (4 MiB,
 * reached only by streams that need it) and on all of them (16 MiB, or 64 KiB for each when
 * that is more); 64 KiB..1 GiB, the second not below the first.  QMS_E_INVALID. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_receive_window(struct qms_options *o,
                                                              size_t stream, size_t connection);
/** Bytes that qms_stream_write takes ahead of the other side's acknowledgements, for each
 * stream, 4 KiB..64 MiB (256 KiB).  What fits here bounds a stream's speed: this many bytes a
 * round trip.  QMS_E_INVALID: outside. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_send_buffer(struct qms_options *o, size_t len);

/** Largest message sent or taken by this side (see "message" below), 1 KiB..64 MiB (1 MiB).
 * QMS_E_INVALID: outside. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_max_message(struct qms_options *o, size_t len);
/** Asked for the token of each HELLO, reconnects included, instead of qms_options_set_token.
 * `token(arg)` runs inside qms_client_process, must not call the library, and returns a text
 * that lives until the next call of it (NULL or over 8,192 bytes: no token is sent).  NULL:
 * none. */
QMS_API void qms_options_set_token_callback(struct qms_options *o,
                                            const char *(*token)(void *arg), void *arg);
/** Keeps what servers give for the next connection (RFC 8446 section 4.6.1), so that it can
 * begin with early data.  `key`: 64 hex digits that stand for host, port, server name, ALPN and
 * everything that decides whom this side trusts.  Both run inside qms_client_process and must
 * not call the library.  Tickets are as secret as keys.
 *  load  writes the newest ticket of `key` to `buf` and returns its length, 0: none.  It should
 *        not give the same one twice: that would tell observers that both connections are one
 *        client's.
 *  save  keeps at most 16,384 bytes, lent for the call
 * Both NULL: nothing is kept, the default.  QMS_E_INVALID: only one of the two. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_ticket_store(
    struct qms_options *o, size_t (*load)(void *arg, const char *key, uint8_t *buf, size_t cap),
    void (*save)(void *arg, const char *key, struct qms_bytes ticket), void *arg);
/** The same in a folder that exists, one file of mode 0600 for each key; processes may share
 * it.  Files that cannot be read or written are done without.  NULL: nothing is kept. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_ticket_dir(struct qms_options *o,
                                                          const char *dir);
/** Whether a connection with a ticket sends HELLO, and streams opened with
 * QMS_OPEN_IDEMPOTENT before qms_client_process first runs, as early data (RFC 9001 section
 * 4.6, doc/wire.md section 9): at most 8 of them with 8 KiB, the rest follows after on_ready.
 * On, unless turned off here.  What the broker refuses to take so early is sent again by
 * itself; QMS_CONNECTION_EARLY_DATA_ACCEPTED tells. */
QMS_API void qms_options_set_early_data(struct qms_options *o, bool early_data);
/** Has connections come back by themselves: after a failed attempt or a lost connection the
 * next attempt begins after `min`, doubled for each failure in a row up to `max`, of which a
 * random half is taken off (min: 10 ms..5 min, max: min..1 h).  Both 0: off, the default.
 * QMS_E_INVALID: outside.
 *
 * What happens then: on_reconnecting, and on_ready once more when it has worked.  Streams do
 * not survive (their on_closed tells the error of the connection), but those opened meanwhile
 * wait; groups, topics and watches are joined anew.  The connection timeout holds for each
 * attempt; there is no limit to their number.  It ends for good, with on_closed, when this side
 * closes it, when the server's identity is refused (QMS_E_CERTIFICATE, QMS_E_TLS), on a
 * violation of the protocol, and when the broker's answer would be the same again:
 * UNAUTHENTICATED, FORBIDDEN, UNSUPPORTED, EXPIRED (the first and the last not with a token
 * callback) and REPLACED.
 *
 * GOAWAY and REDIRECT are followed too: after GOAWAY the connection is made anew at once
 * (on_reconnecting with QMS_E_WIRE_GOING_AWAY, on_ready), to the URL named if it is a quic://
 * one, while streams that live go on over the old one until they end or the deadline has
 * passed; a refusal that names one is followed at once.  The certificate is checked for
 * the new host's name.  More than 4 redirects without 30 s of service in between are ignored;
 * after a failed attempt the first URL counts again. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_reconnect(struct qms_options *o, qms_time min,
                                                         qms_time max);

/* ------------------------------------------------------------- connection ---- */

/** What was throttled (doc/wire.md section 5, THROTTLED). */
enum qms_throttled {
    QMS_THROTTLE_STREAMS = 1,
    QMS_THROTTLE_BYTES = 2,
    QMS_THROTTLE_DATAGRAMS = 3
};

/** What is known of a watched agent (doc/wire.md section 5, PRESENCE). */
enum qms_presence {
    QMS_PRESENCE_OFFLINE = 0,
    QMS_PRESENCE_ONLINE = 1,
    QMS_PRESENCE_SNAPSHOT_END = 2
};

/** Callbacks of a connection.  Set `size` to sizeof(struct qms_connection_callbacks) and what
 * is not wanted to NULL; the table is copied.  New entries are only ever added at the end. */
struct qms_connection_callbacks {
    size_t size;
    /** The broker has welcomed the agent; qms_connection_id tells the id.  Comes once, and with
     * qms_options_set_reconnect again after each on_reconnecting that led to a connection. */
    void (*on_ready)(struct qms_connection *c, void *arg);
    /** The broker refused the agent; on_closed follows with the same error.
     * `err`: QMS_E_WIRE + UNAUTHENTICATED, FORBIDDEN, BUSY, RATE_LIMITED, UNSUPPORTED, ...
     * `retry_after_ms`: 0 when not told.  `reason`, `redirect` (URL): "" when not told; the
     * other side's text, not to be trusted. */
    void (*on_refused)(struct qms_connection *c, void *arg, qms_err err,
                       uint64_t retry_after_ms, const char *reason, const char *redirect);
    /** The other side opened a stream.  It is now the application's: give it callbacks with
     * qms_stream_set_callbacks, answer with qms_stream_accept or qms_stream_reject, now or
     * later, and release it in the end.  Without this callback streams are rejected (REJECTED).
     */
    void (*on_stream)(struct qms_connection *c, void *arg, struct qms_stream *st);
    /** A datagram from `source`: an agent's id (kind AGENT) or the name of a service of the
     * broker (kind SERVICE). */
    void (*on_datagram)(struct qms_connection *c, void *arg, enum qms_kind kind,
                        struct qms_bytes source, uint8_t priority, struct qms_bytes payload);
    /** The broker holds this agent back.  `what`: enum qms_throttled. */
    void (*on_throttled)(struct qms_connection *c, void *arg, unsigned what,
                         uint64_t retry_after_ms);
    /** The other side will close within `deadline_ms`; streams opened from now on are refused,
     * those that live go on.  `redirect`: URL of another broker, or "". */
    void (*on_goaway)(struct qms_connection *c, void *arg, qms_err status, uint64_t deadline_ms,
                      const char *redirect);
    /** Answer to qms_connection_ping. */
    void (*on_pong)(struct qms_connection *c, void *arg, qms_time round_trip);
    /** Answer to qms_connection_refresh_token: QMS_OK or QMS_E_WIRE + code. */
    void (*on_token)(struct qms_connection *c, void *arg, qms_err err);
    /** The connection is over; comes once, as its last callback, unless it was released before.
     * Its streams had their on_closed, except those with received bytes not yet read (see
     * qms_stream_callbacks.on_closed).
     *  err     QMS_OK                 closed by this side with code 0
     *          QMS_E_WIRE + code      closed by either side with that code
     *          QMS_E_RESOLVE, QMS_E_CONNECT, QMS_E_TIMEOUT, QMS_E_TLS, QMS_E_CERTIFICATE
     *                                 no connection came to be
     *          QMS_E_IDLE, QMS_E_TRANSPORT, QMS_E_PROTOCOL, QMS_E_CLOSED, QMS_E_IO, QMS_E_NOMEM
     *                                 it broke; QMS_E_CLOSED: the other side closed with code 0
     *  code    as sent or received (RFC 9000 section 10.2); 0 when there is none
     *  reason  the other side's words (not to be trusted) or a sentence of the library; may be
     * "" */
    void (*on_closed)(struct qms_connection *c, void *arg, qms_err err, uint64_t code,
                      const char *reason);
    /** A message of qms_message_send, whole.  `from` tells its source, target, priority, meta
     * and content type by the getters of struct qms_stream; it is lent until the callback
     * returns and must not be given to any other call.  Without this callback such a message
     * arrives in on_stream, as a bidirectional stream to accept, read and finish (to a topic:
     * as a unidirectional one). */
    void (*on_message)(struct qms_connection *c, void *arg, const struct qms_stream *from,
                       struct qms_bytes message);
    /** With qms_options_set_reconnect: the connection is lost, or an attempt has failed, with
     * what on_closed would have told; the next attempt begins in `delay`.  `attempt` counts
     * from 1 and begins anew after a while of service. */
    void (*on_reconnecting)(struct qms_connection *c, void *arg, qms_err err,
                            const char *reason, unsigned attempt, qms_time delay);
    /** An agent whose id begins with the prefix of a watch came or went (enum qms_presence).
     * First those that are there, then SNAPSHOT_END with an empty id, then what changes.  After
     * a reconnect the watch begins anew like that, and who left meanwhile is not told. */
    void (*on_presence)(struct qms_connection *c, void *arg, uint64_t watch, unsigned presence,
                        const char *agent);
};

/**
 * Begins a connection to a broker.  Returns at once; on_ready or on_closed follows.
 *
 * Streams may be opened and written before on_ready; they leave when the broker has welcomed
 * the agent.
 *
 * @param options  NULL: the defaults
 * @param url      "quic://HOST:PORT"; HOST is a name, an IPv4 address or an [IPv6 address].  A
 *                 name is resolved without blocking, and its addresses are tried in turn.
 *
 * @retval QMS_OK             *out is the caller's, ended with qms_connection_release
 * @retval QMS_E_INVALID      not such a URL, or callbacks->size is 0
 * @retval QMS_E_UNSUPPORTED  an https:// URL: those are for browsers
 * @retval QMS_E_CONFIG       a file named by the options cannot be read or used
 * @retval QMS_E_LIMIT        64 names are being resolved already, or connections of 64
 * different sets of transport options and listeners are there
 * @retval QMS_E_IO           the system gave no thread (errno is set)
 * qms_client_error has a sentence about each failure.
 */
QMS_API QMS_MUST_CHECK qms_err qms_connect(struct qms_client *client,
                                           const struct qms_options *options, const char *url,
                                           const struct qms_connection_callbacks *callbacks,
                                           void *arg, struct qms_connection **out);

/** Ends the connection in good order with a code and a reason (NULL: none; at most 256 bytes
 * are sent).  Stream data not yet acknowledged is dropped: finish streams and wait for their
 * on_closed first.  on_closed follows.  No effect when it is closing already.  `code`: enum
 * qms_code or 0x80..0xFF. */
QMS_API void qms_connection_close(struct qms_connection *c, uint8_t code, const char *reason);
/** Gives the handle back; closes with code 0 if still open.  Stream handles stay valid until
 * they are released themselves. */
QMS_API void qms_connection_release(struct qms_connection *c);
/** Whether it is closing or closed: nothing can be opened or sent any more. */
QMS_API bool qms_connection_is_closed(const struct qms_connection *c);
/** Whether on_ready has come and the connection is not closed. */
QMS_API bool qms_connection_is_ready(const struct qms_connection *c);
QMS_API void *qms_connection_arg(const struct qms_connection *c);
QMS_API struct qms_client *qms_connection_client(const struct qms_connection *c);

/** This agent's id as the broker confirmed or assigned it, "" before on_ready.  Lives as long
 * as the handle. */
QMS_API const char *qms_connection_id(const struct qms_connection *c);
/** "IP:PORT" or "[IP]:PORT" of the path in use; "" while there is none.  Valid until the next
 * call of the same function on this handle. */
QMS_API const char *qms_connection_remote_address(struct qms_connection *c);
QMS_API const char *qms_connection_local_address(struct qms_connection *c);

/** Goes on from another local port, and from another address where the system has changed it
 * (RFC 9000 section 9); streams and everything else stay.  A changed address is followed
 * without this call too, as soon as the system refuses to send from the old one; a change that
 * it does not notice, such as a new network behind a router, is what this call is for.
 *
 * @retval QMS_OK             packets leave from the new port from now on
 * @retval QMS_E_STATE        before on_ready, in the first round trip after it, while an
 * earlier move is not confirmed, or within a second of it
 * @retval QMS_E_AGAIN        the broker must first give another connection id; try later
 * @retval QMS_E_UNSUPPORTED  the carrier cannot
 * @retval QMS_E_IO           the system gave no socket (errno is set)
 * @retval QMS_E_CLOSED       the connection is closing or closed
 */
QMS_API QMS_MUST_CHECK qms_err qms_connection_migrate(struct qms_connection *c);
/** Asks the broker for a sign of life over CONTROL; on_pong follows.  QMS_E_STATE: before
 * on_ready; QMS_E_LIMIT: 64 are unanswered; QMS_E_CLOSED. */
QMS_API QMS_MUST_CHECK qms_err qms_connection_ping(struct qms_connection *c);
/** Shows a fresh token on the living connection (AUTH, doc/wire.md section 5); on_token
 * follows, and reconnects send it in HELLO. QMS_E_INVALID: empty; QMS_E_TOO_LARGE: over 8,192
 * bytes; QMS_E_STATE: before on_ready; QMS_E_CLOSED. */
QMS_API QMS_MUST_CHECK qms_err qms_connection_refresh_token(struct qms_connection *c,
                                                            const char *token);

/* ------------------------------------------- groups, topics and presence ---- */

/* Before on_ready these calls wait for it; what was granted is asked for again after each
 * reconnect. */

struct qms_join; /* optional fields of JOIN; reusable, read by qms_connection_join only */

/** The broker's answer to one of the calls below.  `err`: QMS_OK; QMS_E_WIRE + code (NOT_FOUND,
 * FORBIDDEN, UNSUPPORTED, ...); or the error of the connection that ended first.  Comes once
 * for each call that succeeded, before on_closed; and once more, with the error, for a join or
 * watch that the broker has granted and refuses after a reconnect: it is over then.  Does not
 * come after qms_connection_release. */
typedef void qms_done(struct qms_connection *c, void *arg, qms_err err);

/** NULL: no memory. */
QMS_API struct qms_join *qms_join_new(void);
QMS_API void qms_join_free(struct qms_join *p);
/** Share of a group's streams that this member wants beside the others'; below 2^62
 * (QMS_E_INVALID). */
QMS_API QMS_MUST_CHECK qms_err qms_join_set_weight(struct qms_join *p, uint64_t weight);
/** Members of a higher priority are asked first. */
QMS_API void qms_join_set_priority(struct qms_join *p, uint8_t priority);
/** What the broker does when this subscriber of a topic is too slow, by the broker's number for
 * it; below 2^62 (QMS_E_INVALID). */
QMS_API QMS_MUST_CHECK qms_err qms_join_set_slow_policy(struct qms_join *p, uint64_t policy);

/**
 * Becomes a member of a group, or a subscriber of a topic: streams opened to it arrive by
 * on_stream.
 *
 * @param kind    QMS_KIND_GROUP or QMS_KIND_TOPIC
 * @param params  may be NULL
 * @param done    may be NULL
 *
 * @retval QMS_OK         `done` follows
 * @retval QMS_E_INVALID  bad kind or name
 * @retval QMS_E_EXISTS   joined, or asked for, already
 * @retval QMS_E_LIMIT    1,024 groups, topics and watches of this connection are there, or
 * 1,024 answers are awaited
 * @retval QMS_E_CLOSED   the connection is closing or closed
 */
QMS_API QMS_MUST_CHECK qms_err qms_connection_join(struct qms_connection *c, enum qms_kind kind,
                                                   const char *name,
                                                   const struct qms_join *params,
                                                   qms_done *done, void *arg);
/** Ends a membership; `done` follows.  QMS_E_NOT_FOUND: not joined; QMS_E_INVALID, QMS_E_LIMIT,
 * QMS_E_CLOSED as for join. */
QMS_API QMS_MUST_CHECK qms_err qms_connection_leave(struct qms_connection *c,
                                                    enum qms_kind kind, const char *name,
                                                    qms_done *done, void *arg);
/** Has on_presence told about agents whose id begins with `prefix` ("": all).  `*watch` names
 * the watch in on_presence and unwatch, across reconnects.  Errors as for join. */
QMS_API QMS_MUST_CHECK qms_err qms_connection_watch(struct qms_connection *c,
                                                    const char *prefix, qms_done *done,
                                                    void *arg, uint64_t *watch);
/** Ends a watch; `done` follows, on_presence for it does not.  Errors as for leave. */
QMS_API QMS_MUST_CHECK qms_err qms_connection_unwatch(struct qms_connection *c, uint64_t watch,
                                                      qms_done *done, void *arg);

/* ---------------------------------------------------------------- figures ---- */

/* Figures of a connection: X(NAME, "label").  RTTs in microseconds. */
#define QMS_CONNECTION_STAT_TABLE(X)                                                           \
    X(BYTES_SENT, "bytes_sent")                                                                \
    X(BYTES_RECEIVED, "bytes_received")                                                        \
    X(PACKETS_SENT, "packets_sent")                                                            \
    X(PACKETS_RECEIVED, "packets_received")                                                    \
    X(PACKETS_LOST, "packets_lost")                                                            \
    X(RTT_SMOOTHED_US, "rtt_smoothed_us")                                                      \
    X(RTT_LATEST_US, "rtt_latest_us")                                                          \
    X(RTT_MIN_US, "rtt_min_us")                                                                \
    X(CWND, "congestion_window")                                                               \
    X(IN_FLIGHT, "bytes_in_flight")                                                            \
    X(STREAMS_OPEN, "streams_open")                                                            \
    X(STREAMS_CLOSED, "streams_closed")                                                        \
    X(DATAGRAMS_SENT, "datagrams_sent")                                                        \
    X(DATAGRAMS_RECEIVED, "datagrams_received")                                                \
    X(DATAGRAMS_DROPPED, "datagrams_dropped")                                                  \
    X(SEND_BUFFERED, "send_buffered")                                                          \
    X(EARLY_DATA_ACCEPTED, "early_data_accepted")                                              \
    X(RECONNECTS, "reconnects")

enum qms_connection_stat {
#define QMS_STAT_ENUM(name, label) QMS_CONNECTION_##name,
    QMS_CONNECTION_STAT_TABLE(QMS_STAT_ENUM)
#undef QMS_STAT_ENUM
        QMS_CONNECTION_STAT_COUNT
};

/** As qms_client_stats.  After the connection has ended: the last figures. */
QMS_API void qms_connection_stats(struct qms_connection *c, uint64_t *values, size_t count);
QMS_API const char *qms_connection_stat_name(unsigned stat);

/* ----------------------------------------------------------------- stream ---- */

/** How a stream is opened (doc/wire.md section 3). */
enum qms_open_flags {
    QMS_OPEN_BIDI = 0,       /* both directions */
    QMS_OPEN_IDEMPOTENT = 1, /* harmless when it is delivered twice: may travel as early data */
    QMS_OPEN_NO_RESULT = 2,  /* no RESULT on the way back: on_result does not come */
    QMS_OPEN_FRAMED = 4,     /* the payload is a sequence of messages */
    QMS_OPEN_UNI = 0x100     /* only this side sends */
};

/** Callbacks of a stream; rules as for struct qms_connection_callbacks. */
struct qms_stream_callbacks {
    size_t size;
    /** The answer to a stream this side opened.  QMS_OK: accepted (bidirectional streams only).
     * QMS_E_WIRE + code: refused (OFFLINE, FORBIDDEN, REJECTED, ...), on_closed follows; the
     * qms_stream_result_* functions tell more.  A unidirectional stream hears of refusals only.
     */
    void (*on_result)(struct qms_stream *st, void *arg, qms_err err);
    /** Bytes, the end or a reset arrived since the last call: qms_stream_read tells which.
     * Bytes left unread do not make it come again. */
    void (*on_readable)(struct qms_stream *st, void *arg);
    /** After a write that took less than it was given (or QMS_E_AGAIN): there is room again, at
     * least half of the send buffer. */
    void (*on_writable)(struct qms_stream *st, void *arg);
    /** The other side wants no more bytes (STOP_SENDING, RFC 9000 section 3.5); the sending
     * direction has been reset and later writes fail with `err`, QMS_E_WIRE + code
     * (QMS_E_RESET for code 0). */
    void (*on_stopped)(struct qms_stream *st, void *arg, qms_err err);
    /** Both directions are over: what was sent is acknowledged or reset, what was received is
     * read to its end or reset.  Comes once, as the last callback; bytes not yet read hold it
     * back.  QMS_OK: each direction ended with a FIN.  Else what ended the first one otherwise:
     * the refusal, the code of a reset or stop (QMS_E_RESET for code 0), the connection's
     * error, or QMS_E_CLOSED for this side's own reset, stop or reject. */
    void (*on_closed)(struct qms_stream *st, void *arg, qms_err err);
    /** A message on a stream opened with QMS_OPEN_FRAMED, whole, in order.  With this callback
     * the library reads such a stream: the application must not, and on_readable comes only at
     * the end or at a reset, which qms_stream_read then tells.  A message over the limit of
     * qms_options_set_max_message stops the stream (TOO_LARGE; qms_stream_read and on_closed:
     * QMS_E_TOO_LARGE), one cut short by the end does too (PROTOCOL; QMS_E_PROTOCOL).  Set
     * later, it begins with what was not read: set it at a message's border. */
    void (*on_message)(struct qms_stream *st, void *arg, struct qms_bytes message);
    /** The broker left out `messages` whole messages of a stream to a topic that was opened
     * with QMS_OPEN_FRAMED, because this subscriber was slow (STREAM_STATUS, doc/wire.md
     * section 5). `messages` > 0, those since the last call; which ones is not told.  It
     * travels beside the stream: bytes from before the gap may still wait to be read.  What
     * came while there was no such callback is told when one is set;
     * QMS_STREAM_MESSAGES_SKIPPED is the sum of all.  A number that the end of a stream
     * overtakes on the network is not told. */
    void (*on_skipped)(struct qms_stream *st, void *arg, uint64_t messages);
};

/* Optional fields of the ROUTE header.  Reusable; read by qms_stream_open only. */

/** NULL: no memory. */
QMS_API struct qms_open *qms_open_new(void);
QMS_API void qms_open_free(struct qms_open *p);
/** Free bytes for the acceptor, at most 2,048 (QMS_E_TOO_LARGE). */
QMS_API QMS_MUST_CHECK qms_err qms_open_set_meta(struct qms_open *p, struct qms_bytes meta);
/** Media type of the payload, at most 128 bytes (QMS_E_TOO_LARGE). */
QMS_API QMS_MUST_CHECK qms_err qms_open_set_content_type(struct qms_open *p, const char *type);
/** Number of payload bytes that will follow, a hint only; below 2^62 (QMS_E_INVALID). */
QMS_API QMS_MUST_CHECK qms_err qms_open_set_length_hint(struct qms_open *p, uint64_t len);
/** The broker answers TIMEOUT when the acceptor has not answered by then; below 2^62. */
QMS_API QMS_MUST_CHECK qms_err qms_open_set_accept_deadline(struct qms_open *p, uint64_t ms);
/** W3C Trace Context: a traceparent of 55 bytes, well-formed (else QMS_E_INVALID). */
QMS_API QMS_MUST_CHECK qms_err qms_open_set_traceparent(struct qms_open *p, const char *text);
/** Token that authenticates this stream alone, at most 4,096 bytes (QMS_E_TOO_LARGE); all
 * fields of a header together fit into 4,096. */
QMS_API QMS_MUST_CHECK qms_err qms_open_set_stream_token(struct qms_open *p,
                                                         struct qms_bytes token);

/**
 * Opens a stream.  Needs no round trip: it can be written at once.  While the other side's
 * limit of concurrent streams is used up it waits in line.
 *
 * @param kind      what `name` means
 * @param name      agent id, group, topic or service; "" or NULL for QMS_KIND_SELF
 * @param flags     enum qms_open_flags, combined; QMS_KIND_TOPIC needs QMS_OPEN_UNI
 * @param priority  urgency of both directions, 255 first (enum qms_priority)
 * @param params    further header fields; may be NULL
 * @param callbacks may be NULL
 *
 * @retval QMS_OK           *out is the caller's, ended with qms_stream_release
 * @retval QMS_E_INVALID    bad name, kind or flags
 * @retval QMS_E_TOO_LARGE  the header fields together are over 4,096 bytes
 * @retval QMS_E_LIMIT      too many streams wait for the other side's limit, or 4,096 wait for
 *                          on_ready
 * @retval QMS_E_CLOSED     the connection is closing or closed
 */
QMS_API QMS_MUST_CHECK qms_err qms_stream_open(struct qms_connection *c, enum qms_kind kind,
                                               const char *name, unsigned flags,
                                               uint8_t priority, const struct qms_open *params,
                                               const struct qms_stream_callbacks *callbacks,
                                               void *arg, struct qms_stream **out);

/** Gives the handle back: no callback follows.  A sending direction that was finished goes on
 * until it is acknowledged; one that was not is reset, and the receiving direction is stopped
 * if it has not ended (both CANCELLED); a stream that was not answered yet is rejected
 * (REJECTED). */
QMS_API void qms_stream_release(struct qms_stream *st);

/** Callbacks of a stream that the other side opened, or new ones for one of this side's.  Set
 * in on_stream they miss nothing.  QMS_E_INVALID: size is 0. */
QMS_API QMS_MUST_CHECK qms_err qms_stream_set_callbacks(
    struct qms_stream *st, const struct qms_stream_callbacks *callbacks, void *arg);
QMS_API void *qms_stream_arg(const struct qms_stream *st);
QMS_API struct qms_connection *qms_stream_connection(const struct qms_stream *st);

/** Answers a stream that the other side opened: sends RESULT 0 with `meta` (at most 512 bytes,
 * may be empty) on a bidirectional one, which may be written from then on; for a unidirectional
 * one
 * (`meta` ignored) it only notes that the stream is wanted.  Reading needs no answer.
 * QMS_E_STATE: this side opened it, or it was answered; QMS_E_TOO_LARGE; QMS_E_CLOSED. */
QMS_API QMS_MUST_CHECK qms_err qms_stream_accept(struct qms_stream *st, struct qms_bytes meta);
/** Refuses a stream with a status (enum qms_code except OK, or 0x80..0xFF) and a reason of at
 * most 256 bytes (longer ones are cut; NULL: none); on_closed follows.  Errors as for accept,
 * and QMS_E_INVALID for status 0. */
QMS_API QMS_MUST_CHECK qms_err qms_stream_reject(struct qms_stream *st, uint8_t status,
                                                 const char *reason);

/* What is known of a stream.  Bytes and strings live as long as the handle; absent ones are
 * empty.  For a stream this side opened they are what it was opened with. */

/** The header's handle: unique among the streams of this connection that the same side opened.
 * UINT64_MAX before a stream of this side has left. */
QMS_API uint64_t qms_stream_id(const struct qms_stream *st);
QMS_API bool qms_stream_is_opener(const struct qms_stream *st); /* this side opened it */
QMS_API bool qms_stream_is_bidi(const struct qms_stream *st);
QMS_API enum qms_kind qms_stream_kind(const struct qms_stream *st);
/** Name that the stream was opened to; on the accepting side the original one (a group, say).
 */
QMS_API struct qms_bytes qms_stream_target(const struct qms_stream *st);
/** Id of the agent that opened it, vouched for by the broker; empty for this side's own. */
QMS_API struct qms_bytes qms_stream_source(const struct qms_stream *st);
QMS_API struct qms_bytes qms_stream_meta(const struct qms_stream *st);
QMS_API struct qms_bytes qms_stream_content_type(const struct qms_stream *st);
/** The opener's W3C traceparent: 55 bytes, or empty.  The broker passes on well-formed ones
 * only.
 */
QMS_API struct qms_bytes qms_stream_traceparent(const struct qms_stream *st);
QMS_API struct qms_bytes qms_stream_token(const struct qms_stream *st);
/** UINT64_MAX when not told. */
QMS_API uint64_t qms_stream_length_hint(const struct qms_stream *st);
/** Urgency of the opener's and of the acceptor's direction now. */
QMS_API uint8_t qms_stream_forward_priority(const struct qms_stream *st);
QMS_API uint8_t qms_stream_reverse_priority(const struct qms_stream *st);

/* The RESULT's fields, from on_result on (doc/wire.md section 4). */
QMS_API struct qms_bytes qms_stream_result_reason(const struct qms_stream *st);
QMS_API struct qms_bytes qms_stream_result_meta(const struct qms_stream *st);
QMS_API struct qms_bytes qms_stream_result_acceptor(const struct qms_stream *st);
QMS_API struct qms_bytes qms_stream_result_redirect(const struct qms_stream *st);
QMS_API uint64_t
qms_stream_result_retry_after_ms(const struct qms_stream *st); /* 0: not told */

/**
 * Sends a copy of as many bytes as fit into the send buffer.
 *
 * @param taken  receives the number of bytes taken; when it is less than data.len, on_writable
 *               follows
 *
 * @retval QMS_OK        *taken > 0, or data is empty
 * @retval QMS_E_AGAIN   the buffer is full, *taken is 0; on_writable follows
 * @retval QMS_E_CLOSED  finished or reset by this side, or unidirectional from the other
 * @retval QMS_E_STATE   the other side's bidirectional stream was not accepted yet
 * @retval QMS_E_WIRE+c  refused, or stopped by the other side with code c (QMS_E_RESET for 0)
 * @retval others        the connection's error
 */
QMS_API QMS_MUST_CHECK qms_err qms_stream_write(struct qms_stream *st, struct qms_bytes data,
                                                size_t *taken);

/**
 * Sends bytes without copying them: they must not change until `release(arg)` is called, once
 * they are acknowledged or dropped.  Takes all of `data` whenever the send buffer is not full,
 * however long `data` is, at most 1 GiB (QMS_E_TOO_LARGE).
 *
 * `release` (may be NULL for memory that lives for ever) runs in qms_client_process,
 * qms_client_free, or in a call that ends the stream or connection; it must not call the
 * library. When the call fails it is not run.  Errors as for qms_stream_write.
 */
QMS_API QMS_MUST_CHECK qms_err qms_stream_write_blob(struct qms_stream *st,
                                                     struct qms_bytes data,
                                                     void (*release)(void *arg), void *arg);

/**
 * Reads received bytes, in order, and gives their flow-control credit back.
 *
 * @param buf  `cap` bytes, cap > 0
 * @param len  receives the number of bytes read
 *
 * @retval QMS_OK        *len > 0: bytes; *len == 0: the end (FIN), everything was received
 * @retval QMS_E_AGAIN   nothing there now; on_readable follows
 * @retval QMS_E_CLOSED  stopped by this side, or only this side sends on the stream
 * @retval QMS_E_WIRE+c  refused, or reset by the other side with code c (QMS_E_RESET for 0):
 *                       the bytes so far are not the whole
 * @retval others        the connection's error, likewise not the end
 */
QMS_API QMS_MUST_CHECK qms_err qms_stream_read(struct qms_stream *st, void *buf, size_t cap,
                                               size_t *len);
/** As qms_stream_read, but lends the first run of bytes instead of copying and gives no credit.
 * `*data` is valid until the next call on this stream other than getters, and until the
 * callback returns or qms_client_process is called.  Empty with QMS_OK: the end. */
QMS_API QMS_MUST_CHECK qms_err qms_stream_peek(struct qms_stream *st, struct qms_bytes *data);
/** Drops the first `len` received bytes, which need not be one run, and gives their credit
 * back. QMS_E_INVALID: more than qms_stream_readable. */
QMS_API QMS_MUST_CHECK qms_err qms_stream_consume(struct qms_stream *st, size_t len);
/** Received bytes that wait to be read. */
QMS_API size_t qms_stream_readable(const struct qms_stream *st);
/** Room in the send buffer now; 0 also when nothing can be written any more. */
QMS_API size_t qms_stream_writable(const struct qms_stream *st);

/** FIN after what was written.  QMS_OK also when it was finished already.  A bidirectional
 * stream of the other side that was not answered: QMS_E_STATE.  Else as qms_stream_write. */
QMS_API QMS_MUST_CHECK qms_err qms_stream_finish(struct qms_stream *st);
/** Ends the sending direction at once (RESET_STREAM); what the other side has not received is
 * dropped.  No effect when it has ended.  `code`: enum qms_code or 0x80..0xFF. */
QMS_API void qms_stream_reset(struct qms_stream *st, uint8_t code);
/** Ends the receiving direction (STOP_SENDING); what was received and not read is dropped.  No
 * effect when it has ended. */
QMS_API void qms_stream_stop(struct qms_stream *st, uint8_t code);
/** Changes the urgency of the opener's direction and of the acceptor's, 0..255, -1 to leave one
 * as it is; the other side is told.  The acceptor may change only `reverse`.  QMS_E_INVALID;
 * QMS_E_CLOSED: the stream is over. */
QMS_API QMS_MUST_CHECK qms_err qms_stream_set_priority(struct qms_stream *st, int forward,
                                                       int reverse);

/* Figures of a stream in payload bytes, and microseconds in which bytes waited to be sent: for
 * the stream's flow-control credit, the connection's (RFC 9000 section 4.1), the congestion
 * controller with its pacing, or behind other streams; the messages that on_skipped counts:
 * X(NAME, "label"). */
#define QMS_STREAM_STAT_TABLE(X)                                                               \
    X(BYTES_WRITTEN, "bytes_written")                                                          \
    X(BYTES_ACKED, "bytes_acknowledged")                                                       \
    X(BYTES_RECEIVED, "bytes_received")                                                        \
    X(BYTES_READ, "bytes_read")                                                                \
    X(SEND_BUFFERED, "send_buffered")                                                          \
    X(RECEIVE_BUFFERED, "receive_buffered")                                                    \
    X(SEND_CREDIT, "send_credit")                                                              \
    X(BLOCKED_STREAM_US, "blocked_stream_credit_us")                                           \
    X(BLOCKED_CONNECTION_US, "blocked_connection_credit_us")                                   \
    X(BLOCKED_CONGESTION_US, "blocked_congestion_us")                                          \
    X(BLOCKED_PRIORITY_US, "blocked_priority_us")                                              \
    X(MESSAGES_SKIPPED, "messages_skipped")

enum qms_stream_stat {
#define QMS_STAT_ENUM(name, label) QMS_STREAM_##name,
    QMS_STREAM_STAT_TABLE(QMS_STAT_ENUM)
#undef QMS_STAT_ENUM
        QMS_STREAM_STAT_COUNT
};

/** As qms_client_stats. */
QMS_API void qms_stream_stats(const struct qms_stream *st, uint64_t *values, size_t count);
QMS_API const char *qms_stream_stat_name(unsigned stat);

/* --------------------------------------------------------------- datagram ---- */

/** Largest payload of a datagram to `name` now; 0 before on_ready and when the other side takes
 * none (RFC 9221). */
QMS_API size_t qms_datagram_max(struct qms_connection *c, const char *name);
/**
 * Sends an unreliable datagram (doc/wire.md section 6).  Never blocks: when too many wait, the
 * oldest of the least urgent is dropped and counted.
 *
 * @retval QMS_OK             queued
 * @retval QMS_E_INVALID      bad name or kind
 * @retval QMS_E_TOO_LARGE    over qms_datagram_max
 * @retval QMS_E_UNSUPPORTED  the other side takes no datagrams
 * @retval QMS_E_STATE        before on_ready
 * @retval QMS_E_CLOSED       the connection is closing or closed
 */
QMS_API QMS_MUST_CHECK qms_err qms_datagram_send(struct qms_connection *c, enum qms_kind kind,
                                                 const char *name, uint8_t priority,
                                                 struct qms_bytes payload);

#ifdef __cplusplus
}
#endif

/* Whole messages instead of streams of bytes. */
#include <quicms/message.h>

#endif
