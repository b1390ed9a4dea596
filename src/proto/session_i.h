/* SPDX-License-Identifier: MIT */
/* What the rooms of the session share: its state and that of its streams.
 *
 *   session.c          life, link events, deadlines, the budget for malformed input
 *   session_control.c  the CONTROL stream both ways
 *   session_head.c     first bytes of streams that the peer opens, and holding them
 *   session_route.c    routes that are under way: open, RESULT, payload, refusals
 *   session_chunks.c   payload whose end is marked
 *   session_priority.c urgencies of living streams
 *   session_receipt.c  how much of a stream has arrived
 *   session_handles.c  handle -> stream, handles used, urgencies that came too early
 *   session_datagram.c contexts
 */
#ifndef QMS_PROTO_SESSION_I_H
#define QMS_PROTO_SESSION_I_H

#include "base/list.h"
#include "proto/session.h"
#include "proto/session_handles.h"

/** Type and length in their longest encodings, and the body. */
#define QMS_HEAD_FULL    (16 + QMS_ROUTE_HEADER_MAX)
#define QMS_RESULT_FULL  (8 + QMS_RESULT_MAX)
#define QMS_CONTROL_FULL (16 + QMS_CONTROL_MAX)
/** Control bytes that may wait for acknowledgement. */
#define QMS_CONTROL_QUEUE ((uint64_t)256 * 1024)

enum qms_session_phase {
    QMS_SESSION_HELLO,   /* HELLO was neither sent nor received */
    QMS_SESSION_ANSWER,  /* HELLO was; WELCOME or REFUSED was not */
    QMS_SESSION_OPEN,    /* WELCOME was */
    QMS_SESSION_REFUSED, /* REFUSED was; waits to be read before the link is closed */
    QMS_SESSION_CLOSED   /* the link is closing: only the ends of streams are told */
};

enum qms_ss_state {
    QMS_SS_HEAD,    /* opened by the peer, stream type or header not complete */
    QMS_SS_HELD,    /* a ROUTE that waits for the answer to HELLO */
    QMS_SS_CONTROL, /* the CONTROL stream */
    QMS_SS_RESULT,  /* opened here, RESULT not complete */
    QMS_SS_PAYLOAD,
    QMS_SS_OVER /* refused or failed; what still comes is dropped */
};

/* One stream; owned by the session, freed in the link's on_stream_closed. */
struct qms_ss {
    struct qms_session_stream pub; /* first */
    struct qms_list all;           /* in session->streams */
    struct qms_list wait;          /* in session->waiting or ->held, or in none */
    struct qms_ss *next;           /* in its bucket of handles */
    uint8_t *head;                 /* first bytes that are not decodable yet */
    uint32_t head_len, head_cap;
    uint32_t credited;       /* how many of the first bytes were credited */
    uint32_t own_unacked;    /* bytes of the header or RESULT sent here, not acknowledged */
    uint64_t received, told; /* bytes in all, and as the last RECEIPT said */
    struct qms_list untold;  /* in session->untold while the two differ */
    qms_time header_at;      /* deadline while HEAD */
    uint8_t state;           /* enum qms_ss_state */
    bool announced;          /* the layer above knows it */
    bool indexed;            /* in the table of handles */
    bool held_fin;           /* FIN came while held */
    bool result_done;        /* RESULT was sent, or was told to the layer above */
    bool refused;            /* by RESULT, STREAM_STATUS or STOP_SENDING: ends by itself */
    bool stopped;            /* STOP_SENDING was sent: what still comes is dropped */
    bool early_stop;         /* STOP_SENDING came before the header was complete */
    uint8_t early_code;
    bool stop_seen; /* by STOP_SENDING or STREAM_STATUS, whichever came first */
    struct qms_chunks {
        uint64_t left_in, left_out; /* bytes of the chunk under way */
        uint8_t head[8];            /* of an incoming one, not complete */
        uint8_t head_len;
        bool ended; /* the incoming direction, in whatever way: the rest is of no interest */
        bool told;  /* that it has */
    } chunks;
};

struct qms_session {
    struct qms_link *link; /* NULL after on_closed */
    const struct qms_session_events *events;
    const struct qms_session_limits *limits;
    void *user;
    bool connecting;
    bool release;           /* WELCOME was sent; held input is worked on by the next expire */
    bool receipts_owed;     /* one found no room among what waits on CONTROL */
    struct qms_list untold; /* streams of which something came since their last RECEIPT */
    uint64_t untold_bytes;
    uint8_t phase; /* enum qms_session_phase */
    uint8_t linger_code;
    uint64_t min_version, max_version; /* as offered in HELLO */
    uint64_t offered, caps;            /* enum qms_cap: of HELLO, and those of them that hold */
    bool chunks_in, chunks_out;        /* payload from and to the other side is in chunks */
    qms_time hello_at, linger_at;

    struct qms_ss *control;
    uint64_t control_written, control_acked;

    struct qms_list streams, waiting, held;
    size_t held_count, held_bytes;
    qms_time malformed_from;
    unsigned malformed;
    uint64_t next_handle;
    struct qms_handles handles;

    struct qms_list contexts_in, contexts_out; /* most recently used first */
    unsigned contexts_in_count, contexts_out_count;
    uint64_t next_context;
};

/** Accepting side: what comes now may be a replay (doc/wire.md section 9). */
static inline bool qms_session_early(const struct qms_session *s)
{
    return !s->connecting && s->link != NULL && s->link->early;
}
/** Neither refused nor closing. */
static inline bool qms_session_lives(const struct qms_session *s)
{
    return s->phase < QMS_SESSION_REFUSED;
}
static inline struct qms_ss *qms_ss_of(struct qms_session_stream *st)
{
    return (struct qms_ss *)(void *)st;
}
static inline bool qms_ss_can_send(const struct qms_ss *st)
{
    return st->pub.bidi || st->pub.opener;
}
static inline bool qms_ss_can_receive(const struct qms_ss *st)
{
    return st->pub.bidi || !st->pub.opener;
}

/* session.c */
/** Closes the link; nothing but ends is told from here on. */
void qms_session_fail(struct qms_session *s, uint8_t code, const char *reason);
void qms_session_odd(struct qms_session *s, const char *what);
/** Counts malformed input and closes the connection when there was too much of it. */
void qms_session_malformed(struct qms_session *s, const char *what);
/** NULL: out of memory. */
struct qms_ss *qms_ss_new(struct qms_session *s, struct qms_link_stream *ls, bool opener);
/** Takes it out of every list and frees it. */
void qms_ss_free(struct qms_ss *st);

/* session_control.c */
/** Writes a message with the queue's limit.  Errors as qms_session_send. */
QMS_MUST_CHECK qms_err qms_session_control_write(struct qms_session *s,
                                                 const struct qms_control *m);
void qms_session_control_input(struct qms_session *s, struct qms_bytes data, bool fin);
/** Works on what came before WELCOME was sent. */
void qms_session_control_resume(struct qms_session *s);
void qms_session_control_acked(struct qms_session *s, uint64_t len);

/* session_head.c */
void qms_ss_head_input(struct qms_ss *st, struct qms_bytes data, bool fin);
void qms_ss_held_input(struct qms_ss *st, struct qms_bytes data, bool fin);
void qms_session_release_held(struct qms_session *s);
/** Takes it out of what is held, or of what waits for its header. */
void qms_ss_leave_held(struct qms_ss *st);
/** First bytes so far: `data` alone, or what was kept with `data` behind it (up to `full`). */
QMS_MUST_CHECK qms_err qms_ss_gather(struct qms_ss *st, struct qms_bytes data, size_t full,
                                     struct qms_bytes *in);
/** Appends to what is kept.  QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_ss_keep(struct qms_ss *st, struct qms_bytes data);
/** What answers a header or RESULT that could not be decoded, on its stream. */
uint8_t qms_ss_code_of(qms_err err);
void qms_ss_drop_head(struct qms_ss *st);
/** Gives credit for `len` bytes back, as long as there is a link stream. */
void qms_ss_consume(struct qms_ss *st, size_t len);
/** Credits the first bytes up to the `upto`-th. */
void qms_ss_credit(struct qms_ss *st, size_t upto);
/** Ends a stream that the layer above never saw: RESET and STOP_SENDING with `code`. */
void qms_ss_reject(struct qms_ss *st, uint8_t code);
/** RESET and STOP_SENDING on a link stream, whichever directions it has.  Takes NULL. */
void qms_link_stream_refuse(struct qms_link_stream *ls, uint8_t code);

/* session_route.c */
/** Bytes of the session's own on a stream.  QMS_E_NOMEM, QMS_E_CLOSED. */
QMS_MUST_CHECK qms_err qms_ss_write_own(struct qms_ss *st, struct qms_bytes bytes);
/** A stream that the layer above knows breaks the protocol: both directions end with `code`. */
void qms_ss_fail(struct qms_ss *st, uint8_t code, const char *what);
void qms_ss_announce(struct qms_ss *st, const struct qms_route_header *h);
void qms_ss_result_input(struct qms_ss *st, struct qms_bytes data, bool fin);
void qms_ss_payload_input(struct qms_ss *st, struct qms_bytes data, bool fin);
void qms_ss_on_reset(struct qms_ss *st, uint64_t code);
void qms_ss_on_stop(struct qms_ss *st, uint64_t code);
void qms_ss_on_acked(struct qms_ss *st, uint64_t len);
void qms_session_on_stream_status(struct qms_session *s, const struct qms_control *m);

/* session_chunks.c */
/** Payload in chunks has come; tells what is in them. */
void qms_ss_chunks_input(struct qms_ss *st, struct qms_bytes data, bool fin);
/** Writes payload as a chunk.  Errors as the link's write; what was announced before one is
 * filled by the next write. */
QMS_MUST_CHECK qms_err qms_ss_chunks_write(struct qms_ss *st, struct qms_blob *blob, size_t off,
                                           size_t len);
/** Marks the end and finishes the direction. */
void qms_ss_chunks_finish(struct qms_ss *st);

/* session_priority.c */
void qms_session_on_priority(struct qms_session *s, const struct qms_control *m);
/** Applies a PRIORITY that overtook the stream's header. */
void qms_ss_recall_priority(struct qms_ss *st);

/* session_receipt.c */
/** `len` more bytes of a stream of the peer have come; `fin`: they are the last.  Sends a
 * RECEIPT where one is due. */
void qms_ss_received(struct qms_ss *st, size_t len, bool fin);
/** Sends what is due to be told of all streams, as far as there is room on CONTROL. */
void qms_session_tell_receipts(struct qms_session *s);
/** Nothing more is to be told of the stream for now. */
void qms_ss_receipts_over(struct qms_ss *st);
void qms_session_on_receipt(struct qms_session *s, const struct qms_control *m);

/* session_datagram.c */
void qms_session_contexts_free(struct qms_session *s);
void qms_session_on_bind(struct qms_session *s, const struct qms_control *m);
void qms_session_on_unbind(struct qms_session *s, uint64_t context);
void qms_session_on_datagram(struct qms_session *s, struct qms_bytes data);

#endif
