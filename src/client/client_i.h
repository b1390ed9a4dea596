/* SPDX-License-Identifier: MIT */
/* Inside of the client library: the structs behind the handles of <quicms/client.h>.
 *
 * No callback of the application runs inside an event of the session or the link.  Events only
 * note what is due; the turn (client.c) runs callbacks afterwards.  So the application may
 * close and release whatever it likes at any place, and nothing is freed under anyone's feet:
 * released handles go to a reap list that the end of the turn empties.
 *
 * What a connection stands on is a struct qms_driver: sockets and names (dial.c, loop.c), the
 * browser's WebTransport (wasm/), or in tests a fake link.  connection.c, stream*.c and
 * events.c know only the session.
 */
#ifndef QMS_CLIENT_I_H
#define QMS_CLIENT_I_H

#include <quicms/client.h>

#include "base/blob.h"
#include "base/heap.h"
#include "base/list.h"
#include "client/mailbox.h"
#include "client/settings.h"
#include "proto/session.h"

#define QMS_ERROR_TEXT_MAX      512
#define QMS_REASON_MAX          256
#define QMS_TICKET_MAX          16384
#define QMS_WAITING_STREAMS_MAX 4096         /* opened before on_ready */
#define QMS_EVENTS_MAX          1024         /* control events that wait for their callback */
#define QMS_EVENT_BYTES_MAX     (256u << 10) /* datagrams that wait for their callback */
#define QMS_PINGS_MAX           64
#define QMS_REQUESTS_MAX        1024
#define QMS_MEMBERS_MAX         1024        /* groups, topics and watches */
#define QMS_MESSAGES_OUT_MAX    (16u << 20) /* bytes of messages that are not done yet */

/* ---- what moves the bytes ---- */

struct qms_driver;

/* One a client. */
struct qms_driver_ops {
    /** Descriptor of qms_client_fd; -1: none. */
    int (*fd)(const struct qms_driver *d);
    /** Reads what is there; events of sessions run. */
    void (*receive)(struct qms_driver *d, qms_time now);
    /** Sends what the turn has queued, and frees links that have ended. */
    void (*flush)(struct qms_driver *d, qms_time now);
    /** Earliest instant of the driver's own timers. */
    qms_time (*next_at)(const struct qms_driver *d);
    /** The next turn is due at this instant; 0: at once.  Makes the descriptor wake the
     * application then. */
    void (*arm)(struct qms_driver *d, qms_time at);
    /** Blocks until the descriptor is readable or `at`.  QMS_E_IO (errno). */
    qms_err (*wait)(struct qms_driver *d, qms_time at);
    void (*free)(struct qms_driver *d);
};
struct qms_driver {
    const struct qms_driver_ops *ops;
};
/** The driver of this platform: loop.c's, or in a browser wasm/driver.c's.  QMS_E_NOMEM,
 * QMS_E_IO (errno). */
QMS_MUST_CHECK qms_err qms_driver_new(struct qms_client *client, struct qms_driver **out);

/* How one connection gets its link; `dial` of struct qms_connection.  NULL in tests. */
struct qms_dial;
/* What its URLs begin with. */
extern const char qms_dial_scheme[];
/** Next step of an attempt, at the connection's timer: qms_connection_start or _fail follows.
 */
void qms_dial_step(struct qms_connection *c, qms_time now);
/** A link that never became ready has ended.  True: another address is tried, by
 * qms_dial_step. */
bool qms_dial_again(struct qms_connection *c, const struct qms_link_close *why);
/** Instant at which qms_dial_step wants to be called. */
qms_time qms_dial_next_at(const struct qms_connection *c);
/** A sentence why the connection did not come to be. */
void qms_dial_explain(const struct qms_connection *c, qms_err err, char *out, size_t cap);
void qms_dial_stop(struct qms_connection *c); /* no more attempts */
void qms_dial_free(struct qms_dial *d);       /* takes NULL */

/* ---- context (client.c) ---- */

struct qms_client {
    struct qms_mailbox *mail;
    struct qms_driver *driver; /* NULL in tests */
    struct qms_list connections;
    size_t connection_count;
    struct qms_list due;     /* connections with callbacks to run */
    struct qms_list touched; /* connections whose timer may have moved */
    struct qms_list reap_connections, reap_streams;
    struct qms_list listeners, due_listeners;
    struct qms_heap timers;
    qms_time now;
    bool in_turn, awake, stop;
    struct qms_client_thread *thread; /* NULL: the application drives it */
    size_t resolving;
    char error[QMS_ERROR_TEXT_MAX];
    uint64_t attempted, succeeded, failed;
    uint64_t bytes_sent, bytes_received; /* of ended connections */
};

/** A client without driver: its user calls qms_client_turn. */
QMS_MUST_CHECK qms_err qms_client_new_bare(struct qms_client **out);
void qms_client_turn(struct qms_client *client, qms_time now);
/** When the next turn is due; 0: at once. */
qms_time qms_client_next_at(const struct qms_client *client);
/** A turn is wanted. */
void qms_client_wake(struct qms_client *client);
/** The turn's clock, or outside of a turn a fresh one. */
qms_time qms_client_now(const struct qms_client *client);

/** thread.c: ends the thread, if there is one. */
void qms_client_join(struct qms_client *client);

/* ---- connection (connection.c, events.c, control.c) ---- */

enum qms_conn_state {
    QMS_CONN_DIALING, /* to WELCOME */
    QMS_CONN_READY,
    QMS_CONN_CLOSING, /* closed by this side; the session has not ended yet */
    QMS_CONN_CLOSED
};

enum qms_event_type {
    QMS_EVENT_REFUSED,
    QMS_EVENT_STREAM,
    QMS_EVENT_DATAGRAM,
    QMS_EVENT_THROTTLED,
    QMS_EVENT_GOAWAY,
    QMS_EVENT_PONG,
    QMS_EVENT_TOKEN,
    QMS_EVENT_DONE,
    QMS_EVENT_PRESENCE,
    QMS_EVENT_TICKET,
    QMS_EVENT_RECONNECTING,
    QMS_EVENT_HELLO /* of a connection that a listener has taken */
};

/* Something for a connection's callback. */
struct qms_event {
    struct qms_list node;
    enum qms_event_type type;
    qms_err err;
    enum qms_kind kind;
    uint8_t priority;
    unsigned what;
    uint64_t ms;
    qms_time rtt;
    struct qms_stream *stream;
    qms_done *done;
    void *done_arg;
    size_t text_len, len; /* of data: a NUL-terminated text, then bytes */
    uint8_t data[];
};

/* A group, a topic or a watch that this agent wants; kept across reconnects. */
struct qms_member {
    struct qms_list node;
    enum qms_kind kind; /* QMS_KIND_SELF: a watch */
    uint64_t watch;     /* its number, which is also the request's */
    bool granted;       /* once; `done` has been told */
    qms_done *done;
    void *arg;
    struct qms_event *told; /* for its answer; NULL: none is wanted */
    bool has_weight, has_priority, has_slow_policy;
    uint64_t weight, slow_policy;
    uint8_t priority;
    size_t len;
    char name[QMS_NAME_MAX]; /* or prefix */
};

/* A question over CONTROL that REPLY answers. */
struct qms_request {
    struct qms_list node;
    uint64_t req;
    bool token;                /* AUTH */
    struct qms_member *member; /* JOIN and WATCH: NULL once it was left meanwhile */
    qms_done *done;            /* LEAVE and UNWATCH, and a JOIN that was left */
    void *arg;
    struct qms_event *told; /* for the answer to this side's own question */
};

/* A session that its broker has told to go away; its streams end on it (parting.c). */
#define QMS_PARTING_MAX 4
struct qms_parting {
    struct qms_session *session; /* NULL: none */
    qms_time leave_at;
    uint64_t confirm_sent;   /* of the connection, when it began to part */
    uint64_t sent, received; /* bytes */
    bool closing;
};

struct qms_connection {
    struct qms_client *client;
    struct qms_list node, due_node, touched_node, reap_node;
    struct qms_heap_node timer;
    struct qms_connection_callbacks cb;
    void *arg;
    struct qms_options settings; /* a copy; its `trust` is a reference */
    enum qms_conn_state state;
    bool released;
    bool ready_due, closed_due;
    struct qms_session *session; /* NULL: no link (yet, or any more) */
    struct qms_parting parting[QMS_PARTING_MAX];
    struct qms_dial *dial;
    qms_time deadline; /* of on_ready */
    char id[QMS_NAME_MAX + 1];
    char remote[72], local[72];

    struct qms_list events;
    size_t event_count, event_bytes;
    uint64_t datagrams_dropped; /* here, for lack of room */

    struct qms_list streams; /* all of them, released ones included */
    size_t stream_count, waiting_count;
    struct qms_list due_streams;

    uint64_t ping_sent, ping_answered; /* counters */
    struct qms_list pings; /* events for the answers to come; `rtt` is when each was sent */
    struct qms_list confirming; /* streams whose on_closed waits (confirm.c) */
    uint64_t confirm_sent, confirm_done;

    struct qms_list requests;
    size_t request_count;
    uint64_t next_request;
    struct qms_list members;
    size_t member_count;

    bool timed_out; /* this attempt: its session is being closed */
    bool leaving;   /* GOAWAY: streams wait for the next session */
    qms_time leave_at, reconnect_at, ready_at;
    uint64_t retry_after_ms; /* of REFUSED */
    unsigned attempts, redirects;
    uint64_t reconnects;
    char ticket_key[65]; /* of the attempt under way; "": nothing is kept */
    char *redirect;      /* URL of the next attempt; NULL: the first one again */
    /* Begins the next attempt; dial.c's, or a test's. */
    qms_err (*redial)(struct qms_connection *c, const char *url);

    struct qms_heap calls;   /* deadlines of qms_request (call.c) */
    size_t messages_out;     /* bytes of qms_message_send not done yet */
    struct qms_taken *taken; /* by a listener; NULL: begun by this side */
    size_t assembled_bytes;  /* memory of messages that have not come whole yet */

    qms_err close_err; /* what on_closed tells */
    uint64_t close_code;
    char close_reason[QMS_ERROR_TEXT_MAX];
    bool refused;
    uint64_t last_stats[QMS_CONNECTION_STAT_COUNT];
    uint64_t broker_stats[QMS_STAT_COUNT]; /* broker_stats.c */
    qms_time broker_stats_at;              /* asked */
    bool broker_stats_known, stats_partial;
};

/** The connection's memory and settings; nothing is started.  Errors of qms_connect. */
QMS_MUST_CHECK qms_err qms_connection_new(struct qms_client *client,
                                          const struct qms_options *options,
                                          const struct qms_connection_callbacks *callbacks,
                                          void *arg, struct qms_connection **out);
/** Its session over a link, and HELLO.  On failure the link is closed. */
QMS_MUST_CHECK qms_err qms_connection_start(struct qms_connection *c, struct qms_link *link);
/** WELCOME was sent or received: what waited leaves, on_ready is due. */
void qms_connection_became_ready(struct qms_connection *c);
/** "IP:PORT"; "" for none. */
void qms_address_text(const struct sockaddr *sa, char *out, size_t cap);
/** Ends a connection that has no session.  `reason`: a sentence. */
void qms_connection_fail(struct qms_connection *c, qms_err err, const char *reason);
/** Frees the struct; its streams are gone. */
void qms_connection_destroy(struct qms_connection *c);
/** Callbacks are to be run, or timers have moved. */
void qms_connection_due(struct qms_connection *c);
void qms_connection_touch(struct qms_connection *c);
void qms_connection_dispatch(struct qms_connection *c);
void qms_connection_expire(struct qms_connection *c, qms_time now);
qms_time qms_connection_next_at(const struct qms_connection *c);
/** On the reap list once nobody holds it any more. */
void qms_connection_check_reap(struct qms_connection *c);
/** QMS_OK, or why nothing can be sent on it. */
qms_err qms_connection_check_open(const struct qms_connection *c);

/** A new event at the end of the queue, or NULL: no memory or no room (it is left out). */
struct qms_event *qms_event_add(struct qms_connection *c, enum qms_event_type type,
                                struct qms_bytes text, struct qms_bytes bytes);
/** An event without data for an answer that must be told, made by the call that asks: so a lack
 * of memory is that call's error.  Freed by qms_free, or used.  NULL: no memory. */
struct qms_event *qms_event_reserve(enum qms_event_type type);
void qms_event_use(struct qms_connection *c, struct qms_event *e);
void qms_events_dispatch(struct qms_connection *c);
void qms_events_clear(struct qms_connection *c);

/** The session is gone: no answers come to the PINGs under way. */
void qms_pings_forget(struct qms_connection *c);
void qms_connection_on_control(struct qms_session *s, const struct qms_control *msg);
/** A message over CONTROL. */
qms_err qms_connection_send(struct qms_connection *c, const struct qms_control *m);
/** QMS_E_STATE before on_ready, QMS_E_CLOSED. */
qms_err qms_connection_check_ready(const struct qms_connection *c);

/* request.c */
/** Notes a question that is about to be sent; NULL and why. */
struct qms_request *qms_request_new(struct qms_connection *c, qms_err *err);
void qms_request_free(struct qms_connection *c, struct qms_request *r);
void qms_requests_on_reply(struct qms_connection *c, uint64_t req, uint64_t status);
/** The session is gone: what has ended with it is told, joins and watches wait. */
void qms_requests_lost(struct qms_connection *c);
void qms_requests_clear(struct qms_connection *c);
/** Has `done` called, by the event that was reserved for it, which is gone then. */
void qms_done_note(struct qms_connection *c, struct qms_event **told, qms_done *done, void *arg,
                   qms_err err);

/* broker_stats.c */
/** Asks the broker for its figures; `done` follows.  Errors as for qms_connection_ping. */
QMS_MUST_CHECK qms_err qms_broker_stats_ask(struct qms_connection *c, qms_done *done,
                                            void *arg);
/** The same, unless it was asked within the last second. */
void qms_broker_stats_refresh(struct qms_connection *c);
void qms_broker_stats_on(struct qms_connection *c, const struct qms_control *m);
/** Puts what the broker told last in the place of what a link cannot know. */
void qms_broker_stats_fill(const struct qms_connection *c, uint64_t *values);

/* member.c */
/** The connection is ready: joins and watches what is wanted. */
void qms_members_join(struct qms_connection *c);
/** The connection is over: tells those who still wait. */
void qms_members_end(struct qms_connection *c, qms_err err);
void qms_members_clear(struct qms_connection *c);
void qms_member_answered(struct qms_connection *c, struct qms_member *m, qms_err err);
void qms_members_on_presence(struct qms_connection *c, const struct qms_control *m);

/* ticket.c */
/** Asks the store for the ticket of a server; bytes in `buf`, 0: none. */
size_t qms_ticket_load(struct qms_connection *c, uint8_t *buf, size_t cap);
/** From within an event: notes that it is to be saved. */
void qms_ticket_note(struct qms_connection *c, struct qms_bytes ticket);
void qms_ticket_save(struct qms_connection *c, const char *key, struct qms_bytes ticket);

/* reconnect.c */
/** The connection was lost or did not come to be.  True: it will be tried again. */
bool qms_reconnect_try(struct qms_connection *c, qms_err err, const char *reason);
/** Notes a REDIRECT URL for the next attempt; false: it is not followed. */
bool qms_reconnect_redirect(struct qms_connection *c, struct qms_bytes url);
void qms_reconnect_on_goaway(struct qms_connection *c, uint64_t deadline_ms,
                             struct qms_bytes redirect);
/** Leaves a broker that goes away once no stream lives on it. */
void qms_reconnect_check_leave(struct qms_connection *c);
/** Its timers: the end of the delay, GOAWAY's deadline. */
void qms_reconnect_expire(struct qms_connection *c, qms_time now);
qms_time qms_reconnect_next_at(const struct qms_connection *c);
/** Keeps `last_stats` fresh while there is a link. */
void qms_connection_read_stats(struct qms_connection *c);
/** Closes a link that nobody wants, before anyone took its events. */
void qms_link_abandon(struct qms_link *link);

/* parting.c */
bool qms_parting_is(struct qms_connection *c, const struct qms_session *s);
bool qms_parting_any(const struct qms_connection *c);
/** The connection's session parts; it has none then.  False: there are too many that do. */
bool qms_parting_begin(struct qms_connection *c, qms_time leave_at);
/** Closes those that nothing needs any more. */
void qms_parting_check(struct qms_connection *c);
/** Closes all.  Whether there are any left. */
bool qms_parting_close_all(struct qms_connection *c, uint8_t code);
/** The session's on_closed. */
void qms_parting_closed(struct qms_connection *c, struct qms_session *s, qms_err err);
void qms_parting_free(struct qms_connection *c);
qms_time qms_parting_next_at(const struct qms_connection *c);
void qms_parting_expire(struct qms_connection *c, qms_time now);

/* confirm.c */
/** The session over which PING `number` went is gone: nothing more will come about what waits
 * for it. */
void qms_confirm_lost(struct qms_connection *c, uint64_t number);
/** A unidirectional stream of this side has been acknowledged to its end. */
void qms_stream_confirm(struct qms_stream *st);
/** Whether the PONG was an answer to qms_stream_confirm. */
bool qms_confirm_pong(struct qms_connection *c, const uint8_t bytes[8]);
/** A STREAM_STATUS of a stream that the session has forgotten. */
void qms_confirm_status(struct qms_connection *c, const struct qms_control *m);

extern const struct qms_session_events qms_client_session_events;

/** A stream of the peer becomes the application's, a message's, or nobody's. */
void qms_connection_hand_over(struct qms_connection *c, struct qms_stream *st);

/* ---- listeners (listener.h), as connections and the turn see them ---- */

struct qms_taken;
void qms_listeners_dispatch(struct qms_client *client);
/** Frees those that were released, or all. */
void qms_listeners_reap(struct qms_client *client, bool all);

/* All take connections that nobody has `taken`, and then do nothing. */
void qms_taken_free(struct qms_connection *c);
/** Lets go of its listener's socket. */
void qms_taken_leave(struct qms_connection *c);
void qms_taken_ended(struct qms_connection *c);
void qms_taken_dispatch(struct qms_connection *c);
void qms_taken_expire(struct qms_connection *c, qms_time now);

/* The rest only for those that were. */
qms_time qms_taken_next_at(const struct qms_connection *c);
void qms_taken_hello(struct qms_connection *c, const struct qms_control *hello);
/** Asks who decides, and lets it in or not. */
void qms_taken_decide(struct qms_connection *c);
/** The code for a route that nobody needs to be asked about; QMS_CODE_OK: ask. */
uint8_t qms_taken_refuses(const struct qms_connection *c, const struct qms_route_header *h);
/** A stream of the peer: asks, then hands it over or refuses it. */
void qms_taken_stream(struct qms_connection *c, struct qms_stream *st);
struct qms_bytes qms_taken_peer(const struct qms_connection *c);
/** Code of a verdict that is not QMS_OK. */
uint8_t qms_verdict_code(qms_err verdict);

/* ---- stream (stream*.c) ---- */

enum qms_stream_due {
    QMS_DUE_RESULT = 1,
    QMS_DUE_READABLE = 2,
    QMS_DUE_WRITABLE = 4,
    QMS_DUE_STOPPED = 8,
    QMS_DUE_CLOSED = 16,
    QMS_DUE_SKIPPED = 32
};

/* One direction. */
enum qms_half {
    QMS_HALF_OPEN,
    QMS_HALF_ENDED, /* sending: finished; receiving: FIN received, bytes may wait to be read */
    QMS_HALF_DEAD /* reset, stopped, refused, connection gone, or this direction is not there */
};

/* The header's fields in one allocation. */
struct qms_stream_info {
    enum qms_kind kind;
    struct qms_bytes target, source, meta, content_type, traceparent, token;
    uint64_t length_hint, accept_deadline_ms;
    bool has_deadline;
    bool message; /* the stream is one message of qms_message_send */
    uint8_t data[];
};

struct qms_stream_answer {
    struct qms_bytes reason, meta, acceptor, redirect;
    uint64_t retry_after_ms;
    uint8_t data[];
};

struct qms_stream {
    struct qms_connection *c;
    struct qms_session_stream *session_stream; /* NULL before launch and after its end */
    struct qms_list node, due_node, reap_node, confirm_node;
    struct qms_stream_callbacks cb;
    void *arg;
    unsigned due;
    bool opener, bidi, released;
    bool waiting;  /* opened before on_ready, not yet launched */
    bool answered; /* acceptor: accept or reject was called */
    bool over;     /* on_closed is due or has run */
    bool confirming;
    /* Waits, and all the same has left as early data: `pending` is kept until WELCOME. */
    bool early, early_fin;
    uint8_t early_forward, early_reverse;
    uint64_t early_len, confirm_number;
    uint8_t flags, forward, reverse;
    uint64_t handle;
    struct qms_stream_info *info;
    struct qms_stream_answer *answer;
    qms_err result;

    enum qms_half tx;
    qms_err tx_err;           /* of later writes, when dead */
    struct qms_blobq pending; /* before launch */
    struct qms_blob *tail;    /* being filled */
    uint64_t written, acked;
    uint64_t blocked_us[4]; /* as the session's stream told last; order of the figures */
    bool want_writable;

    enum qms_half rx;
    uint8_t rx_code; /* of a stop that waits with the stream */
    qms_err rx_err;
    struct qms_blobq received;
    uint64_t received_bytes, read_bytes;
    uint64_t skipped, skipped_told; /* messages; the second: by on_skipped */

    qms_err fate;         /* what on_closed tells; QMS_OK: nothing went wrong */
    bool fate_is_closing; /* the connection ended; its error is not known yet */

    struct qms_frames *frames; /* of a FRAMED stream with on_message (frames.c) */
    /* What of the library uses this stream in the place of an application; freed with it. */
    void *inside;
    void (*inside_free)(void *inside);
};

/** As qms_stream_open; `message`: its header says that it is one message. */
QMS_MUST_CHECK qms_err qms_stream_open_as(struct qms_connection *c, enum qms_kind kind,
                                          const char *name, unsigned flags, uint8_t priority,
                                          const struct qms_open *params, bool message,
                                          const struct qms_stream_callbacks *callbacks,
                                          void *arg, struct qms_stream **out);
/** A stream that the peer opened.  NULL: no memory. */
struct qms_stream *qms_stream_accepted(struct qms_connection *c, struct qms_session_stream *st,
                                       const struct qms_route_header *h);
/** The connection is ready: sends what waited. */
void qms_stream_launch(struct qms_stream *st);
/** HELLO is on its way as early data: so go streams that may, within the bounds of doc/wire.md
 * section 9. */
void qms_streams_launch_early(struct qms_connection *c);
/** The session of an early stream has ended, or the stream has.  True: it waits again. */
bool qms_stream_early_lost(struct qms_stream *st);
/** Ends both directions without telling the other side; on_closed becomes due. */
void qms_stream_kill(struct qms_stream *st, qms_err err);
void qms_stream_destroy(struct qms_stream *st);
void qms_stream_note(struct qms_stream *st, unsigned due);
void qms_stream_dispatch(struct qms_stream *st);
/** Whether it is over now: then on_closed becomes due, or a released one is reaped. */
void qms_stream_check_over(struct qms_stream *st);
void qms_stream_set_fate(struct qms_stream *st, qms_err err);
/** The other side refused it. */
void qms_stream_refused(struct qms_stream *st, const struct qms_result *r);

void qms_stream_tx_dead(struct qms_stream *st, qms_err err);
void qms_stream_tx_acked(struct qms_stream *st, uint64_t len);
/** What was written before the launch goes to the session. */
qms_err qms_stream_tx_launch(struct qms_stream *st);
/** The same without an end, and keeping it; the first `skip` bytes have gone before. */
qms_err qms_stream_tx_write(struct qms_stream *st, uint64_t skip);
/** Hands an opened stream to the session. */
qms_err qms_stream_attach(struct qms_stream *st);

/** Sends both parts, or nothing.  Takes all of them whenever the send buffer is not full.
 * Errors as qms_stream_write. */
QMS_MUST_CHECK qms_err qms_stream_write_whole(struct qms_stream *st, struct qms_bytes head,
                                              struct qms_bytes body);

void qms_stream_rx_data(struct qms_stream *st, struct qms_bytes data, bool fin);
void qms_stream_rx_dead(struct qms_stream *st, qms_err err);

/** Keeps how long it was blocked: the session's stream may end at any time. */
void qms_stream_keep_blocked(struct qms_stream *st);

/** QMS_E_RESET for 0, else QMS_E_WIRE + code. */
qms_err qms_stream_code_error(uint64_t code);

/** QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_stream_info_set(struct qms_stream *st,
                                           const struct qms_route_header *h);
void qms_stream_info_header(const struct qms_stream *st, struct qms_route_header *out);
QMS_MUST_CHECK qms_err qms_stream_answer_set(struct qms_stream *st, const struct qms_result *r);

/* ---- messages (assembly.c, frames.c, message.c, call.c) ---- */

/* One message on its way in.  Its memory grows with what has come, never with what was
 * announced, and counts for the connection. */
struct qms_assembly {
    uint8_t *data;
    size_t len, cap;
};
/** Moves received bytes of the stream over, until `a` holds `want`, and gives their credit
 * back.  QMS_E_LIMIT: too much memory in messages of this connection; QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_assembly_fill(struct qms_assembly *a, struct qms_stream *st,
                                         uint64_t want);
void qms_assembly_fini(struct qms_assembly *a, struct qms_connection *c);

/* A whole message, lent to a callback: the stream may be released meanwhile. */
struct qms_lent {
    struct qms_bytes bytes;
    struct qms_blob *blob;
    struct qms_assembly own;
};
/** Takes a message of `len` bytes: out of `a` when that holds something, else from one run of
 * what the stream has received, uncopied.  False: it is neither. */
bool qms_lent_take(struct qms_lent *l, struct qms_assembly *a, struct qms_stream *st,
                   uint64_t len);
void qms_lent_return(struct qms_lent *l, struct qms_connection *c);

/** Whether the application wants messages instead of bytes. */
bool qms_frames_wanted(const struct qms_stream *st);
/** Runs on_message for what has come.  True: on_readable is to be told of the end. */
bool qms_frames_run(struct qms_stream *st);
void qms_frames_free(struct qms_stream *st);

/** Takes a stream that is one message, if on_message wants it. */
bool qms_message_take(struct qms_connection *c, struct qms_stream *st);
/** Requests whose deadline has passed. */
void qms_calls_expire(struct qms_connection *c, qms_time now);

/* Parameters object, read by stream.c. */
struct qms_open {
    uint8_t meta[2048], content_type[128], traceparent[55], token[4096];
    size_t meta_len, content_type_len, token_len;
    bool has_traceparent, has_length, has_deadline;
    uint64_t length_hint, accept_deadline_ms;
};

#endif
