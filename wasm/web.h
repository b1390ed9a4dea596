/* SPDX-License-Identifier: MIT */
/* The client library in a browser: a driver over the page's own event loop, and links over its
 * WebTransport objects (W3C WebTransport; doc/wire.md's second carrier).
 *
 * webtransport.js is the only part that touches the browser.  What happens there arrives in
 * calls of qms_web_on_* between turns, each noted by the session as an event of any link is;
 * the turn itself comes from the page's loop soon after (qms_js_arm).
 *
 * The scheduler is ours, not the browser's: a link hands at most QMS_WEB_UNRESOLVED bytes to
 * the browser that it has not taken yet, one piece a stream, most urgent first; and no more
 * than the window has room for that have not arrived.
 */
#ifndef QMS_WASM_WEB_H
#define QMS_WASM_WEB_H

#include "base/dgramq.h"
#include "base/link.h"
#include "base/sched.h"
#include "client/client_i.h"

#define QMS_WEB_UNRESOLVED (32u << 10)  /* bytes given to writers, not yet resolved */
#define QMS_WEB_PIECE      (16u << 10)  /* most bytes in one write */
#define QMS_WEB_WINDOW     (256u << 10) /* received on one stream and not consumed */
#define QMS_WEB_OPENING    8            /* streams asked of the browser at once */
#define QMS_WEB_WAITING    4096         /* streams that wait to be asked for */
#define QMS_WEB_DATAGRAMS  (64u << 10)  /* bytes of datagrams that wait */
#define QMS_WEB_SCRATCH    (64u << 10)  /* largest piece that comes in at once */
#define QMS_WEB_GUARD      32           /* as the native link's priority_guard */

struct qms_web {
    struct qms_driver base;
    struct qms_client *client;
    struct qms_list links;
    uint8_t scratch[QMS_WEB_SCRATCH]; /* where webtransport.js puts what came */
    uint8_t gathered[QMS_WEB_PIECE];  /* small ranges that leave in one write */
};

/* What the browser was given and the other side has not told to have (window.c). */
struct qms_web_window {
    struct qms_list waiting; /* streams with such bytes, longest without a RECEIPT first */
    size_t used, size;       /* bytes that count, and how many may */
    qms_time took, least; /* from giving a piece to its RECEIPT: the last time, the shortest */
    /* Since `size` was judged last: bytes told, the shortest time, whether it kept something
     * back. */
    size_t told;
    qms_time quickest;
    bool full;
    bool quick; /* it was never too large yet */
};

struct qms_web_link {
    struct qms_link link; /* first */
    struct qms_web *web;
    struct qms_connection *c; /* whose HELLO it carries; for keep-alive */
    struct qms_list node, streams;
    struct qms_list over; /* streams with an on_stream_closed to come */
    struct qms_sched sched;
    struct qms_prioq unopened;
    struct qms_dgramq datagrams;
    struct qms_web_window window;
    unsigned opening, waiting; /* asked of the browser; not asked yet */
    size_t unresolved, datagram_max;
    int id; /* of webtransport.js; 0: none */
    bool ready, views;
    /* A stream of this urgency has more to give, and the browser may take it in a moment. */
    bool held;
    uint8_t held_for;
    qms_time held_until;
    /* What on_closed is going to tell, from within the next turn. */
    bool closed;
    struct qms_link_close why;
    char reason[QMS_ERROR_TEXT_MAX];
    /* Heard: bytes of the other side; asked: the last PING of keep-alive's. */
    qms_time heard_at, asked_at, keep_alive_for, idle_for; /* keep_alive_for 0: none */
    struct qms_link_stats stats;
};

enum qms_web_opened { QMS_WEB_UNASKED, QMS_WEB_ASKED, QMS_WEB_OPEN };

struct qms_web_stream {
    struct qms_link_stream s; /* first */
    struct qms_web_link *w;
    struct qms_list node, over_node;
    struct qms_sched_node turn;
    struct qms_prioq_node place; /* among the unopened */
    struct qms_blobq queue;
    enum qms_web_opened opened;
    uint8_t priority;
    int id;                           /* of webtransport.js; 0: none */
    size_t in_flight;                 /* bytes of the write under way */
    bool finish, fin_sent, fin_taken; /* taken: by the browser */
    bool tx_over, rx_over, stopped;   /* stopped: by this side */
    bool reported;                    /* on_stream_closed is on its way */
    unsigned stop_code;
    uint64_t uncredited;
    struct qms_list receipt_node;
    uint64_t handed, arrived; /* bytes given to the browser; told to be with the other side */
    size_t counted;           /* of the difference, in the window */
    uint64_t probe;           /* `handed` behind the piece that is measured; 0: none */
    qms_time probe_at, receipt_at;
    bool stuck; /* nothing was told of it for long */
    struct qms_link_stream_stats stats;
    qms_time queued_at; /* since when bytes wait that the link did not take; 0: none do */
};

/* driver.c */
static inline struct qms_web *qms_web_of(struct qms_driver *d)
{
    return (struct qms_web *)(void *)d;
}

/* link.c */
/** A link whose session webtransport.js is asked for.  `hashes`: `count` times 32 bytes.
 * NULL: no memory. */
struct qms_web_link *qms_web_link_new(struct qms_web *web, const struct qms_options *o,
                                      const char *url);
/** Forgets it without a word, its streams too. */
void qms_web_link_free(struct qms_web_link *w);
/** The clocks that events and calls below them look at. */
void qms_web_link_clock(struct qms_web_link *w);
/** The same, for a sign of life of the other side. */
void qms_web_link_heard(struct qms_web_link *w);
/** Asks for a sign of life, or gives up, where it is time to. */
void qms_web_link_expire(struct qms_web_link *w, qms_time now);
qms_time qms_web_link_next_at(const struct qms_web_link *w);
/** Ends of streams and of the link that are due: runs events.  True: the link is gone. */
bool qms_web_link_settle(struct qms_web_link *w);

/* send.c */
/** Gives the browser what it has room for. */
void qms_web_send(struct qms_web_link *w);
/** Notes that a stream has something to send, or an end. */
void qms_web_stream_due(struct qms_web_stream *st);
/** Nothing more goes out on it. */
void qms_web_stream_tx_over(struct qms_web_stream *st);

/* window.c */
void qms_web_window_init(struct qms_web_window *win);
/** Whether the browser may be given a piece of the stream now. */
bool qms_web_window_room(struct qms_web_stream *st);
/** Whether the stream may get nothing until a RECEIPT comes, whatever room there is. */
bool qms_web_window_holds(const struct qms_web_stream *st);
/** `len` more bytes of the stream were given to the browser. */
void qms_web_window_handed(struct qms_web_stream *st, size_t len);
/** Whether a RECEIPT for its last bytes is to be expected soon. */
bool qms_web_window_awaits(const struct qms_web_stream *st);
/** Nothing is expected of the stream any more. */
void qms_web_window_forget(struct qms_web_stream *st);
/** Operation `receipt` of the link. */
void qms_web_window_receipt(struct qms_link_stream *s, uint64_t len);
qms_time qms_web_window_next_at(const struct qms_web_window *win);
void qms_web_window_expire(struct qms_web_window *win, qms_time now);

/* stream.c */
extern const struct qms_link_ops qms_web_link_ops;
/** NULL: no memory. */
struct qms_web_stream *qms_web_stream_new(struct qms_web_link *w, bool bidi, bool local,
                                          uint8_t priority);
void qms_web_stream_free(struct qms_web_stream *st);
/** Both directions over: on_stream_closed is due. */
void qms_web_stream_check(struct qms_web_stream *st);

/* mailbox.c */
/** Whom it wakes. */
void qms_web_mailbox_for(struct qms_mailbox *m, struct qms_web *web);

/* dial.c */
/** Sends a PING that is due. */
void qms_web_keep_alive(struct qms_web_link *w);

/* ---- webtransport.js: what it offers.  None of these calls anything here before it returns.
 * ---- */

extern void qms_js_arm(struct qms_web *web, double ms); /* below 0: never */
extern void qms_js_forget_driver(struct qms_web *web);
/** 0: awake, or the time has passed; 1: another call waits already; 2: this build cannot. */
extern int qms_js_wait(struct qms_web *web, double ms);
extern int qms_js_connect(struct qms_web_link *w, const char *url, const uint8_t *hashes,
                          unsigned count, const char *hashes_url);
extern void qms_js_close(int link, unsigned code, const uint8_t *reason, size_t len);
extern void qms_js_forget(int id); /* a link or a stream */
extern unsigned qms_js_datagram_max(int link);
extern int qms_js_datagram(int link, const uint8_t *data, size_t len); /* 0: not now */
extern int qms_js_open(int link, struct qms_web_stream *st, int bidi, int priority);
extern int qms_js_write(int stream, const uint8_t *data, size_t len, int view);
extern void qms_js_finish(int stream);
extern void qms_js_reset(int stream, unsigned code);
extern void qms_js_stop(int stream, unsigned code);
/* Whether the browser is Firefox: its stops do not reach the other side, and it takes bytes
 * long before they leave. */
extern int qms_js_firefox(void);
extern void qms_js_read(int stream);
extern void qms_js_priority(int stream, int priority);

#endif
