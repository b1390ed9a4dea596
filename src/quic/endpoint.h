/* SPDX-License-Identifier: MIT */
/* QUIC endpoint: UDP sockets, and the connections that live on them, over ngtcp2.
 *
 * Brings no event loop: its user watches the sockets, calls qms_endpoint_readable, and at the
 * end of each loop turn qms_endpoint_flush; a timer calls qms_endpoint_expire at
 * qms_endpoint_next_at.  Every connection is a struct qms_link (base/link.h).
 */
#ifndef QMS_QUIC_ENDPOINT_H
#define QMS_QUIC_ENDPOINT_H

#include <sys/socket.h>

#include "base/link.h"
#include "quic/tls.h"

struct qms_endpoint;
struct qms_quic_conn;
struct qms_replay; /* quic/replay.h */

enum qms_congestion { QMS_CC_CUBIC, QMS_CC_RENO, QMS_CC_BBR };

struct qms_quic_config {
    uint64_t stream_window; /* bytes granted on a new stream: 64 KiB */
    uint64_t
        stream_window_max; /* a stream's window grows to this when it limits the flow: 4 MiB */
    /* Sum of the windows of a connection's streams up to which they grow: 16 MiB.  So its peer
     * has at most this unconsumed, or `stream_window` for each stream when that is more. */
    uint64_t connection_window;
    uint64_t max_streams_bidi, max_streams_uni; /* peer's concurrent streams: 1,024 each */
    uint64_t max_datagram; /* largest datagram frame accepted; 0 turns datagrams off: 65,535 */
    size_t datagram_queue; /* bytes of datagrams waiting per connection: 256 KiB */
    qms_time idle_for, keep_alive_for; /* keep_alive 0: off */
    qms_time handshake_for;            /* 5 s */
    enum qms_congestion congestion;
    size_t max_udp_payload;  /* upper end of path-MTU probing: 1,452; up to 65,000 */
    qms_time send_burst;     /* longest burst at the pacing rate: 1 ms */
    unsigned priority_guard; /* 1 packet in N to the longest waiting; 0: strict only: 32 */
    size_t half_open_max;    /* server: handshakes under way: 1,024 */
    size_t retry_above;      /* server: Retry when more are half-open: 100; 0: always */
    /* Server: streams that a peer may break off a second, by RESET_STREAM or STOP_SENDING,
     * twice as many at once: 1,000; and odd frames (peek.h), ten times as many at once: 100.
     * More ends the connection with PROTOCOL_VIOLATION; 0: no limit. */
    unsigned max_resets, max_odd_frames;
    /* Server: the ALPN whose connections may send early data (string lives for ever); NULL:
     * none. Its links have `early` set and events before on_ready. */
    const char *early_alpn;
    /* Shared by all that take the same tickets, outlives the endpoint; NULL: one of the
     * endpoint's own, and tickets that only it can read. */
    struct qms_replay *replay;
    bool udp_gso; /* UDP_SEGMENT and UDP_GRO when the kernel has them: true */
};
extern const struct qms_quic_config qms_quic_config_default;

/* Per-endpoint counters, monotonic. */
struct qms_endpoint_stats {
    uint64_t handshakes_started, handshakes_completed;
    uint64_t handshakes_failed_tls, handshakes_failed_alpn, handshakes_failed_timeout,
        handshakes_failed_refused, handshakes_failed_protocol;
    uint64_t retries_sent, version_negotiations_sent, resets_sent, packets_dropped;
    uint64_t udp_packets_in, udp_packets_out, udp_bytes_in, udp_bytes_out;
    uint64_t udp_reads, udp_writes; /* system calls: shows the batching */
    uint64_t cut_for_resets, cut_for_odd_frames;
    uint64_t connections; /* living now */
};

/* One datagram as it came from a socket. */
struct qms_endpoint_packet {
    int socket; /* number at the endpoint */
    struct qms_bytes data;
    const struct sockaddr *remote, *local;
    socklen_t remote_len, local_len;
};

/* What became of a datagram for another worker. */
enum qms_foreign_fate {
    QMS_FOREIGN_PASSED,
    QMS_FOREIGN_LOST,  /* it cannot be passed on now */
    QMS_FOREIGN_NOBODY /* its worker is gone for good: anyone may answer for it */
};

struct qms_endpoint_events {
    /** Server: a datagram from an address without a connection wants one.  False refuses it
     * (CONNECTION_REFUSED, counted).  May be NULL.  Called before any memory is spent. */
    bool (*on_admit)(struct qms_endpoint *ep, const struct sockaddr *remote);
    /** Server: the TLS handshake completed; `alpn` is one of the configured ones.  Set
     * link->events and link->user now; link's on_ready follows. */
    void (*on_connection)(struct qms_endpoint *ep, struct qms_quic_conn *conn,
                          struct qms_bytes alpn);
    /** Server: a handshake ended without a connection, or an admitted connection that never
     * reached on_connection went away.  Balances on_admit.  May be NULL. */
    void (*on_handshake_failed)(struct qms_endpoint *ep, const struct sockaddr *remote,
                                const char *reason);
    /** Server: whether the secrets of a connection from that address are wanted, asked when it
     * begins; and a line of the NSS key log format with one of them, lent for the call.  Both
     * may be NULL. */
    bool (*on_key_log)(struct qms_endpoint *ep, const struct sockaddr *remote);
    void (*on_key)(struct qms_endpoint *ep, struct qms_bytes line);
    /** Several workers: a datagram whose connection id names the worker in `slot` came to
     * `socket` here.  May be NULL. */
    enum qms_foreign_fate (*on_foreign)(struct qms_endpoint *ep, unsigned slot,
                                        const struct qms_endpoint_packet *packet);
    /** A datagram that would begin a connection came where none is begun any more; `id` is the
     * connection id that its sender chose.  False: nobody takes it.  May be NULL. */
    bool (*on_newcomer)(struct qms_endpoint *ep, struct qms_bytes id,
                        const struct qms_endpoint_packet *packet);
};

/** `server_secret`: 32 random bytes from which Retry, NEW_TOKEN and stateless-reset keys are
 * derived; must be the same in all processes that serve one address.  NULL: out of memory. */
struct qms_endpoint *qms_endpoint_new(const struct qms_quic_config *config,
                                      const uint8_t server_secret[32],
                                      const struct qms_endpoint_events *events, void *user);
/** Drops all connections without a word (close them first); closes the sockets it owns. */
void qms_endpoint_free(struct qms_endpoint *ep);
void *qms_endpoint_user(const struct qms_endpoint *ep);

/** Serves connections that arrive on `fd`, a bound UDP socket that stays the caller's, for the
 * given ALPN names (NULL-ended; must outlive the endpoint), by `tls` (a reference is taken).
 * Returns a socket number for the calls below, or -1 and errno. */
int qms_endpoint_add_listener(struct qms_endpoint *ep, int fd, const char *const *alpns,
                              struct qms_tls_server *tls);
/** New handshakes use `tls` from now on. */
void qms_endpoint_set_tls(struct qms_endpoint *ep, int socket, struct qms_tls_server *tls);
/** Several workers share the addresses of this endpoint: ids name this one's slot, datagrams
 * of the others are passed on by on_foreign.  Before anything is read. */
void qms_endpoint_set_slot(struct qms_endpoint *ep, unsigned slot);
/** The kernel filter that brings datagrams to the sockets of their workers; `out` has
 * QMS_ENDPOINT_FILTER_MAX instructions.  Returns how many it has, 0 on failure. */
#define QMS_ENDPOINT_SLOTS_MAX  128
#define QMS_ENDPOINT_FILTER_MAX (40 + 4 * QMS_ENDPOINT_SLOTS_MAX)
struct sock_filter;
/* `live`: the slots that take new connections, in order; `used`: whether a slot has a worker.
 */
size_t qms_endpoint_filter(const uint8_t server_secret[32], const uint8_t *live,
                           size_t live_count, const bool used[QMS_ENDPOINT_SLOTS_MAX],
                           struct sock_filter *out);
/** Which of `count` slots an id that is none of ours is for. */
size_t qms_endpoint_choose(const struct qms_endpoint *ep, struct qms_bytes id, size_t count);
/** Takes a datagram that reached another worker as if it had come to the socket here. */
void qms_endpoint_inject(struct qms_endpoint *ep, const struct qms_endpoint_packet *packet,
                         qms_time now);
/** No new connections from now on; new ones are refused, or with `pass_on` offered to
 * on_newcomer first. */
void qms_endpoint_stop_accepting(struct qms_endpoint *ep, bool pass_on);

/** Client: a new connection on a socket of its own.  `server_name` for SNI and checking.  The
 * link's events must be set before the next call on the endpoint.  QMS_E_IO (errno),
 * QMS_E_NOMEM, QMS_E_TLS.  `tls` must outlive the connection. */
QMS_MUST_CHECK qms_err qms_endpoint_connect(struct qms_endpoint *ep,
                                            const struct sockaddr *remote, socklen_t remote_len,
                                            const char *server_name, const char *alpn,
                                            struct qms_tls_client *tls,
                                            struct qms_quic_conn **out);

/** Sockets to watch come and go with client connections: called with add or remove, and with
 * `want_write` when the kernel's buffer was full. */
typedef void qms_endpoint_watch(struct qms_endpoint *ep, int fd, bool watch, bool want_write);
void qms_endpoint_set_watch(struct qms_endpoint *ep, qms_endpoint_watch *watch);

/** Reads a bounded batch.  Returns true when more may be waiting.  Here and below: a `now`
 * older than the last counts as the last. */
bool qms_endpoint_readable(struct qms_endpoint *ep, int fd, qms_time now);
void qms_endpoint_writable(struct qms_endpoint *ep, int fd, qms_time now);
/** Earliest instant at which qms_endpoint_expire has work; QMS_NEVER for none. */
qms_time qms_endpoint_next_at(const struct qms_endpoint *ep);
void qms_endpoint_expire(struct qms_endpoint *ep, qms_time now);
/** Writes what the turn has queued and frees what has ended.  Call once at the end of a turn.
 */
void qms_endpoint_flush(struct qms_endpoint *ep, qms_time now);
void qms_endpoint_stats(const struct qms_endpoint *ep, struct qms_endpoint_stats *out);

/* What a client keeps between connections to one server. */
struct qms_quic_resume {
    struct qms_bytes ticket; /* as on_ticket gave it; empty: none.  A bad one is ignored. */
    bool early;              /* streams marked so may go out as early data */
    /** The server has given a ticket, lent for the call; from within an event, so the layer
     * above only takes note.  May be NULL. */
    void (*on_ticket)(void *arg, struct qms_bytes ticket);
    void *arg;
};
/** As qms_endpoint_connect.  When early data can be sent the link has `early` set. */
QMS_MUST_CHECK qms_err qms_endpoint_connect_resumed(
    struct qms_endpoint *ep, const struct sockaddr *remote, socklen_t remote_len,
    const char *server_name, const char *alpn, struct qms_tls_client *tls,
    const struct qms_quic_resume *resume, struct qms_quic_conn **out);

struct qms_link *qms_quic_conn_link(struct qms_quic_conn *conn);
/** The connection of a link whose ops are those of raw QUIC. */
struct qms_quic_conn *qms_quic_conn_of(struct qms_link *link);
struct qms_endpoint *qms_quic_conn_endpoint(struct qms_quic_conn *conn);
/** SHA-256 of the certificate that the peer has shown, and of its public key.  False: none. */
bool qms_quic_conn_peer_certificate(const struct qms_quic_conn *conn, uint8_t whole[32],
                                    uint8_t spki[32]);
/** Sends PING frames at this pace while the connection lives, or at a third of the shorter idle
 * time-out of both sides when that is sooner; 0 turns it off. */
void qms_quic_conn_keep_alive(struct qms_quic_conn *conn, qms_time every);

#endif
