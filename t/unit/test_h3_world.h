/* SPDX-License-Identifier: MIT */
/* A browser and an HTTP/3 server on two links in memory, and the user of the server's sessions.
 *
 * The browser is nghttp3's client for honest requests, and raw streams for everything else. */
#ifndef QMS_TEST_H3_WORLD_H
#define QMS_TEST_H3_WORLD_H

#include <nghttp3/nghttp3.h>

#include "fake_link.h"
#include "h3/h3.h"
#include "qms_test.h"

#define WORLD_STREAMS 2048
#define WORLD_USERS   8

struct bytes {
    uint8_t *data;
    size_t len, cap;
};

/* One stream as the browser sees it; outlives the stream. */
struct page_stream {
    struct world *w;
    struct qms_link_stream *st; /* NULL once closed */
    int64_t id;
    bool http, fin, reset, stopped, seen;
    uint64_t reset_code, stop_code;
    struct bytes raw; /* all that arrived */
    /* responses */
    int status;
    char type[64], wt_protocol[64], length[32], allow[32], cache[32], csp[256];
    char etag[64], modified[64];
    struct bytes body;
};

/* One stream as the session's user sees it; outlives the stream. */
struct user_stream {
    struct world *w;
    struct qms_link_stream *st; /* NULL once closed */
    bool fin, reset, stopped, local;
    uint64_t reset_code, stop_code, acked;
    struct bytes in;
};

struct user {
    struct world *w;
    struct qms_link *session; /* NULL once closed */
    bool ready, closed;
    struct qms_link_close why;
    char reason[1100];
    unsigned events;
};

struct world {
    struct fake_pair *pair;
    struct qms_link *client; /* NULL once closed */
    struct qms_link_close client_why;
    char client_reason[64];
    struct page_stream *page[WORLD_STREAMS];
    size_t page_count;
    nghttp3_conn *http; /* the browser's */
    int http_error;
    bool http_bound;
    struct page_stream *own[3];
    bool settings_held;     /* the browser sends no SETTINGS yet */
    struct bytes datagrams; /* payloads with their quarter stream id, joined */
    unsigned datagram_count;

    struct qms_h3 *h3; /* NULL once closed */
    struct qms_h3_config config;
    int root_fd, second_fd; /* of files; second_fd: below /second; -1: none */
    int answer;             /* of on_session_request */
    struct bytes asked;     /* authority|path|query|origin|protocols of the last one */
    unsigned asked_count;
    int last_status;
    uint64_t last_body;
    unsigned requests;
    struct qms_link_close server_why;

    struct user users[WORLD_USERS];
    size_t user_count;
    struct user_stream *streams[WORLD_STREAMS];
    size_t stream_count;
    struct bytes user_datagrams;
    unsigned user_datagram_count;
    bool keep_credit; /* the user does not consume */
    /* Called at each event of a session's user, with its number. */
    void (*at_event)(struct world *w, struct qms_link *session, unsigned n);
    unsigned event_count;
    /* In turn number fail_turn (from 1; 0: never) the allocation after fail_after more fails.
     */
    unsigned turn, fail_turn;
    uint64_t fail_after;
};

void bytes_add(struct bytes *b, const void *data, size_t len);

int world_setup(void **state);
int world_teardown(void **state);
struct world *world_new(void);
void world_free(struct world *w);
/** Lets everything happen that can. */
void world_run(struct world *w);
void world_run_by(struct world *w, size_t chunk);
/** Moves the clock, expires what is due, and runs. */
void world_wait(struct world *w, qms_time by);
/** The browser opens its control and QPACK streams. */
void world_start(struct world *w);

/** A raw stream of the browser's. */
struct page_stream *page_open(struct world *w, bool bidi);
void page_send(struct page_stream *s, const void *data, size_t len);
void page_fin(struct page_stream *s);
#define PAGE_SEND(s, literal) page_send((s), (literal), sizeof(literal) - 1)
/** A request: name, value, ..., NULL.  With `open` its stream stays open for capsules. */
struct page_stream *page_request(struct world *w, int open, ...);
struct page_stream *page_get(struct world *w, const char *path);
/** An honest CONNECT for a WebTransport session. */
struct page_stream *page_connect(struct world *w);
/** A DATA frame on a CONNECT stream, by hand. */
void page_capsule(struct page_stream *s, const void *data, size_t len);
/** The browser with a session that is established; returns its CONNECT stream. */
struct page_stream *page_session(struct world *w);
/** The n-th stream that the server opened, its own three not counted. */
struct page_stream *page_from_server(struct world *w, size_t n);
/** Whether both ends of the connection are gone; the code of the closing. */
bool world_closed(const struct world *w, uint64_t *code);

#endif
