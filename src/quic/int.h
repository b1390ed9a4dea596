/* SPDX-License-Identifier: MIT */
/* The endpoint from inside: sockets, routes, connections.
 *
 *   socket   a UDP socket and what waits for room in it
 *   route    what connection ids lead to: a living connection, or for three PTOs after its end
 *            the close packet to repeat
 *   conn     a living connection: ngtcp2's, TLS, streams, scheduler
 *
 * Owner of all three is the endpoint.  A connection dies at the top of the call stack only,
 * never inside a callback of ngtcp2 (conn_end.c).
 */
#ifndef QMS_QUIC_INT_H
#define QMS_QUIC_INT_H

#include <ngtcp2/ngtcp2.h>

#include "base/dgramq.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/sched.h"
#include "quic/allowance.h"
#include "quic/cid.h"
#include "quic/crowd.h"
#include "quic/crypto_in.h"
#include "quic/endpoint.h"
#include "quic/peek.h"
#include "quic/proven.h"
#include "quic/stream.h"
#include "quic/tls_int.h"
#include "quic/token.h"
#include "quic/udp.h"

/* Longest reason that fits into a packet with its CONNECTION_CLOSE. */
#define QMS_REASON_MAX 1024
/* Streams that may wait for the peer's stream limit. */
#define QMS_PENDING_MAX 4096
/* Room of the send buffer: what one UDP_SEGMENT call can carry. */
#define QMS_TX_SIZE 65536

struct qms_dest;

/* ---- sockets ---- */

struct qms_socket {
    struct qms_udp udp;
    struct qms_endpoint *ep;
    bool owned;               /* a client's: closed with its route */
    bool watched;             /* the user was asked to watch it */
    bool waiting;             /* the kernel's buffer is full */
    struct qms_dest *route;   /* a client's only route: ids need not be looked up */
    const char *const *alpns; /* a listener's */
    struct qms_tls_server *tls;
    struct qms_list stalled; /* connections that wait for room */
    /* The batch that found no room: copied, since the send buffer is shared. */
    uint8_t *held;
    size_t held_len, held_segment;
    union qms_sockaddr held_remote, held_local;
    socklen_t held_remote_len;
};

/* ---- routes ---- */

struct qms_cid {
    uint8_t len, data[NGTCP2_MAX_CIDLEN];
};

struct qms_dest {
    struct qms_quic_conn *conn; /* NULL: the connection has ended */
    struct qms_endpoint *ep;
    struct qms_socket *sock;
    struct qms_heap_node timer; /* of the connection, or the end of the closing period */
    struct qms_list ended;      /* in the order of their ends */
    struct qms_cid *cids;       /* registered in the map; servers only */
    size_t cid_count, cid_cap;
    uint8_t *packet; /* CONNECTION_CLOSE to repeat; NULL: drain silently */
    size_t packet_len;
    union qms_sockaddr remote, local;
    socklen_t remote_len;
    unsigned heard, answer_at; /* packets since the end; doubled with every answer */
};

/* ---- endpoint ---- */

struct qms_endpoint {
    struct qms_quic_config config;
    struct qms_quic_keys keys;
    const struct qms_endpoint_events *events;
    void *user;
    qms_endpoint_watch *watch;
    qms_time now;
    bool accepting;
    bool passes_on; /* not accepting: newcomers go to others */
    int slot; /* of this worker among those that share the sockets' addresses; -1: alone */
    bool injecting; /* the datagram under way was passed on to here */

    struct qms_map *routes;  /* connection id -> route */
    struct qms_cid last_cid; /* the one looked up last: a batch is mostly one connection's */
    struct qms_dest *last_route;
    struct qms_heap timers;
    struct qms_list dirty; /* connections with something to write */
    struct qms_list conns;
    struct qms_list ended; /* routes in their closing period, oldest first */
    size_t ended_count;
    struct qms_crowd half_open; /* server: handshakes under way */

    struct qms_socket **by_fd;
    size_t by_fd_cap;
    int *listeners; /* socket number -> descriptor */
    size_t listener_count;

    uint16_t probes[8]; /* path-MTU probes above ngtcp2's own */
    size_t probe_count;

    struct qms_udp_rx *rx;
    uint8_t *tx; /* QMS_TX_SIZE */
    struct qms_peek peek;

    struct qms_tls_early early; /* anti_replay NULL: no early data is taken */
    struct qms_replay *replay;  /* owned; NULL when the configuration names one */

    struct qms_allowance stateless_resets;
    struct qms_endpoint_stats stats;
};

/* ---- connections ---- */

struct qms_quic_conn {
    struct qms_link link;
    struct qms_endpoint *ep;
    struct qms_socket *sock;     /* of the path in use */
    struct qms_socket *old_sock; /* client: read until the new path is validated; NULL: none */
    bool old_over;               /* it is */
    qms_time follow_at, move_at; /* no attempt before */
    struct qms_dest *route;
    ngtcp2_conn *ng;
    struct qms_proven proven; /* server: what the client has shown of itself */
    uint16_t half_open;       /* server: its counter in the endpoint's crowd */
    struct qms_tls_session tls;
    struct qms_crypto_level crypto_in[3]; /* by ngtcp2_encryption_level */
    struct qms_list dirty;                /* in the endpoint's, or in the socket's `stalled` */
    struct qms_list all;

    struct qms_list streams;    /* those with an id */
    struct qms_list pending[2]; /* uni, bidi: wait for the peer's limit */
    size_t pending_count;
    struct qms_quic_stream **table; /* id -> stream, chained */
    size_t table_cap, stream_count;
    uint64_t granted; /* sum of the shares of all streams */
    uint64_t window;  /* of the connection: granted and not consumed */
    struct qms_sched sched;
    struct qms_standstill standstill;
    struct qms_dgramq datagrams;

    void (*on_ticket)(void *arg, struct qms_bytes ticket);
    void *ticket_arg;

    bool server;
    bool announced;   /* server: the layer above was told of it */
    bool early;       /* client: parameters of an earlier connection are in use */
    bool handshaken;  /* TLS is complete */
    bool ready;       /* on_ready was called */
    bool ended;       /* on its way out: operations do nothing */
    bool close_asked; /* by the layer above */
    bool reset_seen;  /* the peer sent a stateless reset */
    uint64_t close_code;
    char *close_reason;
    size_t close_reason_len;

    struct qms_link_stats stats; /* the counted part */
    uint64_t streams_lost;       /* lost packets of closed streams */
    unsigned cancels; /* streams that the peer broke off in the datagram being read */
    struct qms_allowance cancel_allowance, odd_allowance;
    uint64_t odd_excused; /* by packets sent, so far */
};

/* endpoint.c */
struct qms_socket *qms_socket_of_fd(const struct qms_endpoint *ep, int fd);
/** Never back: ngtcp2 ends the process when a connection's time does. */
void qms_endpoint_set_clock(struct qms_endpoint *ep, qms_time now);
void qms_conn_dirty(struct qms_quic_conn *c);
void qms_endpoint_set_watched(struct qms_socket *sock, bool watch);

/* socket.c */
qms_err qms_socket_add(struct qms_endpoint *ep, int fd, bool owned, struct qms_socket **out);
void qms_socket_free(struct qms_socket *sock);
/** Sends; keeps what finds no room (the socket is `waiting` then) and drops what is refused.
 * The errno that says that nobody listens there, or 0. */
int qms_socket_send(struct qms_socket *sock, const struct qms_udp_batch *b);
/** Tries what is held again. */
void qms_socket_writable(struct qms_socket *sock);

/* route.c */
struct qms_dest *qms_dest_new(struct qms_endpoint *ep, struct qms_socket *sock);
QMS_MUST_CHECK qms_err qms_dest_add_cid(struct qms_dest *r, const uint8_t *id, size_t len);
void qms_dest_remove_cid(struct qms_dest *r, const uint8_t *id, size_t len);
struct qms_dest *qms_dest_find(struct qms_endpoint *ep, const uint8_t *id, size_t len);
/** Turns the route of an ended connection into a closing or draining entry until `until`. */
void qms_dest_linger(struct qms_dest *r, qms_time until);
/** A packet for a connection that has ended. */
void qms_dest_answer(struct qms_dest *r);
void qms_dest_free(struct qms_dest *r);

/* foreign.c */
/** Passes a datagram of another worker on.  True: nothing is left to do with it. */
bool qms_foreign(struct qms_socket *sock, const ngtcp2_version_cid *vc, struct qms_bytes pkt,
                 const struct qms_udp_message *m);
/** Whether somebody else takes what would begin a connection here. */
bool qms_foreign_newcomer(struct qms_socket *sock, const ngtcp2_pkt_hd *hd,
                          struct qms_bytes pkt, const struct qms_udp_message *m);
/* endpoint.c */
/** One datagram. */
void qms_endpoint_demux(struct qms_socket *sock, struct qms_bytes pkt,
                        const struct qms_udp_message *m);

/* accept.c: a datagram that belongs to no connection of ours. */
void qms_accept(struct qms_socket *sock, const ngtcp2_version_cid *vc, struct qms_bytes pkt,
                const struct qms_udp_message *m);
void qms_accept_version(struct qms_socket *sock, const ngtcp2_version_cid *vc,
                        struct qms_bytes pkt, const struct qms_udp_message *m);
void qms_accept_reset(struct qms_socket *sock, const ngtcp2_version_cid *vc,
                      struct qms_bytes pkt, const struct qms_udp_message *m);

/* conn.c */
struct qms_quic_conn *qms_conn_new(struct qms_endpoint *ep, struct qms_socket *sock,
                                   bool server);
void qms_conn_settings(const struct qms_endpoint *ep, ngtcp2_settings *settings,
                       ngtcp2_transport_params *params);
ngtcp2_path qms_conn_path(struct qms_socket *sock, const union qms_sockaddr *local,
                          socklen_t local_len, const union qms_sockaddr *remote,
                          socklen_t remote_len);
/** Feeds a packet; the connection may be gone afterwards. */
void qms_conn_read(struct qms_quic_conn *c, struct qms_socket *sock, struct qms_bytes pkt,
                   const struct qms_udp_message *m);
void qms_conn_expire(struct qms_quic_conn *c);
void qms_conn_timer(struct qms_quic_conn *c);

/* conn_end.c: only at the top of the call stack. */
/** Ends by an ngtcp2 error, telling the peer what is fit to be told. */
void qms_conn_fail(struct qms_quic_conn *c, int liberr);
/** Ends because of the socket's errno. */
/** The peer has broken a stream off: counts that once a stream, and not where it answers a
 * STOP_SENDING of this side. */
static inline void qms_conn_count_break(struct qms_quic_conn *c, struct qms_quic_stream *st)
{
    c->cancels += !st->broken_off && !st->stop_asked;
    st->broken_off = true;
}
/** The peer does too much of something: closes with PROTOCOL_VIOLATION and the reason, which is
 * static text. */
void qms_conn_flooded(struct qms_quic_conn *c, const char *reason);
void qms_conn_unreachable(struct qms_quic_conn *c, int err);
/** Ends as the layer above has asked. */
void qms_conn_close_asked(struct qms_quic_conn *c);
/** Frees without events. */
void qms_conn_free(struct qms_quic_conn *c);

/* conn_callbacks.c */
extern const ngtcp2_callbacks qms_conn_client_callbacks, qms_conn_server_callbacks;

/* conn_streams.c */
qms_err qms_conn_stream_register(struct qms_quic_conn *c, struct qms_quic_stream *st,
                                 int64_t id);
struct qms_quic_stream *qms_conn_stream_find(const struct qms_quic_conn *c, int64_t id);
/** Tells the layer above and frees. */
void qms_conn_stream_close(struct qms_quic_conn *c, struct qms_quic_stream *st);
/** Opens what waits for the peer's limit. */
void qms_conn_open_pending(struct qms_quic_conn *c, bool bidi);
/** Puts the stream into the scheduler or takes it out, as it wants. */
void qms_conn_stream_schedule(struct qms_quic_conn *c, struct qms_quic_stream *st);
/** Forgets what the stream has queued and lets no more of it out. */
void qms_conn_stream_send_over(struct qms_quic_conn *c, struct qms_quic_stream *st);
/** Tells the layer above about STOP_SENDING frames just received. */
void qms_conn_deliver_stops(struct qms_quic_conn *c, const struct qms_peek *peek);

/* credit.c */
/** Window of a new connection. */
uint64_t qms_conn_first_window(const struct qms_quic_config *config);
/** Takes note of the stream's share in the connection's window: after its opening, and after
 * its receiving side has ended. */
void qms_conn_grant(struct qms_quic_conn *c, struct qms_quic_stream *st);
/** Gives credit for `len` bytes, at most what was received and not consumed. */
void qms_conn_consume(struct qms_quic_conn *c, struct qms_quic_stream *st, uint64_t len);
/** Nobody will consume what the stream still holds. */
void qms_conn_forfeit(struct qms_quic_conn *c, struct qms_quic_stream *st);
/** The server has refused early data: what was sent as such waits to be sent again. */
void qms_conn_streams_again(struct qms_quic_conn *c);

/* connect.c */
/** A connected socket; -1 and errno. */
int qms_client_socket(const struct sockaddr *remote, socklen_t remote_len);

/* migrate.c */
/** Contract of qms_link_ops.migrate. */
qms_err qms_conn_migrate(struct qms_quic_conn *c);
/** The kernel refused to send: moves if the address of this side has changed. */
void qms_conn_follow(struct qms_quic_conn *c);
void qms_conn_path_validated(struct qms_quic_conn *c, const ngtcp2_path *path);
/** Only at the top of the call stack. */
void qms_conn_drop_old_socket(struct qms_quic_conn *c);

/* early.c */
/** Client: uses what an earlier connection has left, before the first packet. */
struct qms_bytes qms_conn_resume(struct qms_quic_conn *c, const struct qms_quic_resume *r);
/** Client: the handshake is complete, and with it known what became of early data. */
qms_err qms_conn_early_decided(struct qms_quic_conn *c);
/** Server: the peer's first early stream.  QMS_E_PROTOCOL: early data is not for its ALPN. */
qms_err qms_conn_early_announce(struct qms_quic_conn *c);
void qms_conn_on_ticket(struct qms_tls_session *s);

/* link_ops.c */
extern const struct qms_link_ops qms_quic_link_ops;
size_t qms_conn_datagram_max(const struct qms_quic_conn *c);

/* send.c */
/** Writes one burst; the connection may be gone afterwards. */
void qms_conn_write(struct qms_quic_conn *c);

/* liberr.c */
/** What an ngtcp2 error of a connection means for the layer above. */
qms_err qms_err_from_ngtcp2(int liberr);
/** What a transport code sent by the peer means. */
qms_err qms_err_from_transport(uint64_t code);

static inline struct qms_quic_conn *qms_conn_of_link(struct qms_link *link)
{
    return (struct qms_quic_conn *)link;
}
static inline struct qms_quic_stream *qms_stream_of(struct qms_link_stream *st)
{
    return (struct qms_quic_stream *)st;
}

#endif
