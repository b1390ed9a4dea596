/* SPDX-License-Identifier: MIT */
/* What the files of this folder share; nobody else includes it.
 *
 * One rule keeps re-entrancy simple.  nghttp3's callbacks only note what happened.  The layer
 * above is called from qms_h3_settle and from the link's events, never below a call into
 * nghttp3 and never from an operation.  Operations of session links may be called from
 * anywhere: they queue, and at most write out what nghttp3 has ready (qms_h3_pump).
 */
#ifndef QMS_H3_INT_H
#define QMS_H3_INT_H

#include <nghttp3/nghttp3.h>

#include "base/list.h"
#include "h3/capsule.h"
#include "h3/frames.h"
#include "h3/h3.h"
#include "h3/settings.h"

/* Codes of the WebTransport draft that are not in the mapped range. */
#define WT_BUFFERED_STREAM_REJECTED 0x3994bd84
#define WT_SESSION_GONE             0x170d7b68
#define H3_DATAGRAM_ERROR           0x33

#define SECTION_MAX      16384             /* a field section, as SETTINGS says */
#define SECTION_FATAL    (4 * SECTION_MAX) /* beyond it the connection is closed */
#define BODY_WINDOW      (256 * 1024)      /* unacknowledged bytes of a response */
#define BODY_WINDOW_ALL  (1024 * 1024)     /* of all responses of a connection */
#define DROPPED_MAX      (256 * 1024) /* of a body that nobody wants, before it is stopped */
#define FILES_MAX        32           /* open at once on a connection */
#define PENDING_MAX      16           /* CONNECT requests that wait for SETTINGS */
#define STREAMS_AHEAD    1024         /* see max_client_streams in nghttp3_glue.c */
#define ODDITIES_MAX     256          /* a second */
#define CLOSE_WAIT       (2 * QMS_SECOND)        /* for the peer's side of a closing session */
#define AFTER_FIN        (100 * QMS_MILLISECOND) /* see session.c */
#define ABORT_AFTER      (250 * QMS_MILLISECOND) /* likewise */
#define BIND_RETRY       (10 * QMS_MILLISECOND)  /* while the ids of our streams are unknown */
#define HELD_WAIT        (5 * QMS_SECOND)        /* of a stream for its session */
#define PRIORITY_CONTROL QMS_PRIORITY_CRITICAL
#define PRIORITY_FILES   QMS_PRIORITY_LOW

struct qms_h3_session;

enum qms_h3_kind {
    KIND_NEW,  /* peer's; its first varint is not whole yet */
    KIND_HTTP, /* request stream in nghttp3's hands */
    KIND_UNI,  /* control or QPACK stream of the peer, in nghttp3's hands */
    KIND_OWN,  /* our control and QPACK streams */
    KIND_HELD, /* WebTransport; its session is not there yet */
    KIND_WT,   /* WebTransport; known to the session's user */
    KIND_SINK  /* refused or over: what still comes is dropped and credited */
};

enum qms_h3_field {
    FIELD_METHOD,
    FIELD_SCHEME,
    FIELD_AUTHORITY,
    FIELD_PATH,
    FIELD_PROTOCOL,
    FIELD_ORIGIN,
    FIELD_IF_NONE_MATCH,
    FIELD_IF_MODIFIED_SINCE,
    FIELD_WT_PROTOCOLS,
    FIELD_COUNT
};

/* A request and its response.  Owned by its stream. */
struct qms_h3_exchange {
    nghttp3_rcbuf *fields[FIELD_COUNT]; /* NULL: absent */
    size_t section;                     /* size of the field section, RFC 9114 section 4.2.2 */
    struct qms_h3_frames frames;
    struct qms_capsule_parser capsules; /* CONNECT only */
    enum qms_capsule_status capsule_status;
    struct qms_h3_session *session; /* of an accepted CONNECT */
    bool connect;                   /* method CONNECT */
    bool awaited;                   /* CONNECT that waits for SETTINGS */
    bool answered, stopped;         /* stopped: STOP_SENDING was sent */
    uint64_t dropped;               /* bytes of an unwanted body */
    bool peer_fin, peer_reset;
    uint64_t reset_code; /* with peer_reset */

    /* The response body: a file, or the capsules of a session. */
    int fd; /* -1: none */
    uint64_t offset, left;
    struct qms_blob *chunk;  /* given to nghttp3, not yet written to the link */
    bool chunk_written;      /* the link has all of it */
    struct qms_blob *queued; /* capsules that wait for nghttp3 to ask */
    bool body_end;           /* FIN behind what is queued */
    bool body_blocked;       /* read callback said WOULDBLOCK because of BODY_WINDOW */
    bool body_failed;        /* the file could not be read */
    uint64_t unacked;
};

/* One stream of the link below. */
struct qms_h3_stream {
    struct qms_link_stream up; /* the session link's stream (KIND_WT); must be first */
    struct qms_h3 *h3;
    struct qms_link_stream *below; /* NULL: closed while held, see held.c */
    enum qms_h3_kind kind;
    struct qms_list node;   /* h3->requests, h3->held or session->streams */
    struct qms_list answer; /* h3->answers */
    uint8_t head[16];       /* incoming prefix while it is incomplete */
    uint8_t head_len;
    uint8_t prefix_len;     /* prefix of this stream, whichever side wrote it */
    uint8_t prefix_unacked; /* own prefix bytes not acknowledged yet */
    bool bidi, local;
    struct qms_h3_exchange *req;    /* KIND_HTTP */
    struct qms_h3_session *session; /* KIND_WT */
    struct qms_h3_frames *frames;   /* KIND_UNI: of the control stream */
    /* KIND_HELD */
    int64_t session_id;
    struct qms_blobq q;
    bool q_fin;
    qms_time held_until;
};

enum qms_h3_session_state { SESSION_OPEN, SESSION_CLOSING, SESSION_OVER };

/* A WebTransport session.  Owned by h3->sessions. */
struct qms_h3_session {
    struct qms_link link; /* must be first */
    struct qms_h3 *h3;
    struct qms_h3_stream *connect; /* NULL once closed below */
    int64_t id;
    struct qms_list node, streams;
    enum qms_h3_session_state state;
    qms_time close_until; /* SESSION_CLOSING */
    qms_time abort_at;    /* SESSION_CLOSING: of its streams, without an answer */
    bool answered;        /* SESSION_CLOSING: the peer's side was heard */
    bool aborted;         /* the streams were reset and stopped */
    uint32_t code;        /* SESSION_CLOSING: ours */
    uint8_t *reason;      /* may be NULL */
    size_t reason_len;
};

struct qms_h3 {
    struct qms_link *link;
    const struct qms_h3_config *config;
    const struct qms_h3_events *events;
    void *user;
    nghttp3_conn *conn;
    struct qms_h3_stream *own[3]; /* control, QPACK encoder, QPACK decoder */
    struct qms_h3_settings settings;
    struct qms_list requests, answers, held, sessions;
    unsigned session_count, held_count, file_count, awaited_count;
    size_t held_bytes;
    uint64_t body_unacked;
    uint64_t request_count, priority_updates; /* in all */
    int64_t gone[4]; /* ids of the sessions that ended last, -1: none */
    unsigned gone_next;
    qms_time odd_from;
    unsigned odd_count;
    qms_time end_at;     /* QMS_NEVER, or when the connection is closed at the latest */
    uint64_t fatal_code; /* set by a callback that fails on purpose; 0: none */
    qms_time bind_at, bind_until; /* until our streams are bound; bind_until 0: not opened */
    bool bound, ready, settings_seen, in_lib, failed, closing, ending;
    bool body_failed; /* a request has body_failed set */
};

/* --- h3.c: connection, timers --- */
/** Closes the connection with an HTTP/3 code; nghttp3 is not called any more. */
void qms_h3_fail(struct qms_h3 *h3, uint64_t code);
/** Counts something that an honest peer seldom does; too many in a second end the connection.
 */
void qms_h3_oddity(struct qms_h3 *h3);
/** Calls the layer above for everything that callbacks have noted, then pumps. */
void qms_h3_settle(struct qms_h3 *h3);
/** The connection ends when all is answered, in CLOSE_WAIT at the latest. */
void qms_h3_end_soon(struct qms_h3 *h3);
struct qms_h3_stream *qms_h3_stream_new(struct qms_h3 *h3, struct qms_link_stream *below);
void qms_h3_stream_free(struct qms_h3_stream *s);
/** STOP_SENDING and, when this side may send, RESET_STREAM; the stream becomes a sink. */
void qms_h3_refuse(struct qms_h3_stream *s, uint64_t code);
void qms_h3_consume(struct qms_h3_stream *s, size_t len);

/* --- nghttp3_glue.c --- */
QMS_MUST_CHECK qms_err qms_h3_lib_new(struct qms_h3 *h3);
/** Opens our three streams and sends SETTINGS once their ids are known.  Idempotent. */
void qms_h3_lib_start(struct qms_h3 *h3);
void qms_h3_lib_read(struct qms_h3_stream *s, struct qms_bytes data, bool fin);
/** The peer reset a request, or stopped it, or it is gone. */
void qms_h3_lib_reset(struct qms_h3_stream *s);
void qms_h3_lib_stopped(struct qms_h3_stream *s);
void qms_h3_lib_closed(struct qms_h3_stream *s);
/** The request's body has more to give. */
void qms_h3_lib_resume(struct qms_h3_stream *s);
/** Answers.  With a body, qms_h3_body_read is asked for it. */
void qms_h3_lib_respond(struct qms_h3_stream *s, const nghttp3_nv *fields, size_t count,
                        bool body);
void qms_h3_lib_goaway(struct qms_h3 *h3);
/** A request's id joins what PRIORITY_UPDATE may name. */
void qms_h3_lib_saw_request(struct qms_h3 *h3, int64_t id);

/* --- pump.c --- */
/** Moves what nghttp3 has ready into the link.  Calls no event. */
void qms_h3_pump(struct qms_h3 *h3);

/* --- body.c --- */
nghttp3_ssize qms_h3_body_read(struct qms_h3_stream *s, nghttp3_vec *vec, uint32_t *flags);
void qms_h3_body_written(struct qms_h3_stream *s, size_t len);
void qms_h3_body_acked(struct qms_h3_stream *s, uint64_t len);
/** Resets the responses whose file could not be read. */
void qms_h3_body_reap(struct qms_h3 *h3);
void qms_h3_body_fini(struct qms_h3_stream *s);

/* --- demux.c --- */
void qms_h3_demux(struct qms_h3_stream *s, struct qms_bytes data, bool fin);
void qms_h3_demux_reset(struct qms_h3_stream *s);
/* --- held.c --- */
void qms_h3_hold(struct qms_h3_stream *s, int64_t session_id);
void qms_h3_held_data(struct qms_h3_stream *s, struct qms_bytes data, bool fin);
/** Takes a held stream out, dropping and crediting what it holds; its kind is the caller's. */
void qms_h3_unhold(struct qms_h3_stream *s);
/** The link closed `s`.  True: it was held, whole, and stays so without its link's stream. */
bool qms_h3_held_closed(struct qms_h3_stream *s);
void qms_h3_held_clear(struct qms_h3 *h3);
/** Gives the streams that waited for a session to it, in the order of their arrival. */
void qms_h3_release(struct qms_h3_session *session);
/** No such session will be: its streams are refused. */
void qms_h3_reject_held(struct qms_h3 *h3, int64_t session_id, uint64_t code);
qms_time qms_h3_held_next_at(const struct qms_h3 *h3);
void qms_h3_held_expire(struct qms_h3 *h3, qms_time now);

/* --- request.c --- */
QMS_MUST_CHECK qms_err qms_h3_request_new(struct qms_h3_stream *s);
void qms_h3_request_free(struct qms_h3_stream *s);
/** NULL: no such request is alive.  A connection has few, so a walk is enough. */
struct qms_h3_stream *qms_h3_request_find(const struct qms_h3 *h3, int64_t id);
/** A field of the request; false: the section is beyond SECTION_FATAL. */
bool qms_h3_request_field(struct qms_h3_stream *s, int32_t token, nghttp3_rcbuf *name,
                          nghttp3_rcbuf *value);
/** The field section is whole: the request waits for qms_h3_settle. */
void qms_h3_request_whole(struct qms_h3_stream *s);
/** Body bytes; for a CONNECT they are capsules. */
void qms_h3_request_body(struct qms_h3_stream *s, struct qms_bytes data);
/** Answers the requests that can be; true when there was one. */
bool qms_h3_answer_next(struct qms_h3 *h3);
struct qms_bytes qms_h3_request_get(const struct qms_h3_stream *s, enum qms_h3_field f);

/* --- respond.c --- */
/** A status other than 200; a GET gets it in words too. */
void qms_h3_respond_status(struct qms_h3_stream *s, int status);
/** The file in s->req->fd follows when there is a `body`. */
void qms_h3_respond_file(struct qms_h3_stream *s, const struct qms_web_file *file, bool body);
/** 304: the asker has that file already. */
void qms_h3_respond_unchanged(struct qms_h3_stream *s, const struct qms_web_file *file);

/* --- connect.c --- */
void qms_h3_answer_connect(struct qms_h3_stream *s);

/* --- session.c --- */
QMS_MUST_CHECK qms_err qms_h3_session_new(struct qms_h3_stream *connect,
                                          struct qms_h3_session **out);
struct qms_h3_session *qms_h3_session_find(const struct qms_h3 *h3, int64_t id);
bool qms_h3_session_gone(const struct qms_h3 *h3, int64_t id);
/** Ends the session when its CONNECT stream says so; true when it did. */
bool qms_h3_session_check(struct qms_h3_session *session);
/** The connection is gone; `why` tells those whose end was not agreed on before. */
void qms_h3_session_lost(struct qms_h3_session *session, const struct qms_link_close *why);
/** Timers of a closing session. */
qms_time qms_h3_session_next_at(const struct qms_h3_session *session);
void qms_h3_session_expire(struct qms_h3_session *session, qms_time now);

/* --- session_stream.c --- */
extern const struct qms_link_ops qms_h3_session_ops;
/** Makes `s` a stream of the session, known to its user by on_stream unless it is local. */
void qms_h3_wt_attach(struct qms_h3_stream *s, struct qms_h3_session *session);
/** on_stream_closed for the user; what still happens below is nobody's. */
void qms_h3_wt_detach(struct qms_h3_stream *s);
void qms_h3_wt_data(struct qms_h3_stream *s, struct qms_bytes data, bool fin);
void qms_h3_wt_reset(struct qms_h3_stream *s, uint64_t code);
void qms_h3_wt_stop(struct qms_h3_stream *s, uint64_t code);
void qms_h3_wt_acked(struct qms_h3_stream *s, uint64_t len);
/** session.c's part of the ops table. */
void qms_h3_session_close(struct qms_link *link, uint64_t code, struct qms_bytes reason);

#endif
