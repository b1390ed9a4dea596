/* SPDX-License-Identifier: MIT */
/* A client at one end of a fake link, and at the other a session that plays the broker and does
 * as the test tells it.  Time is the fake link's. */
#ifndef QMS_TEST_CLIENT_FIXTURE_H
#define QMS_TEST_CLIENT_FIXTURE_H

#include "client/client_i.h"
#include "fake_link.h"
#include "qms_test.h"

#define PEER_STREAMS 64

/* A route at the broker's end, opened by either side. */
struct peer_stream {
    struct qms_session_stream *ss; /* NULL once closed */
    uint8_t data[1 << 20];
    size_t len;
    bool fin, answered, closed, bidi;
    int reset, stopped; /* code, -1: none */
    uint64_t result;    /* UINT64_MAX: none */
    char meta[64], target[QMS_NAME_MAX + 1];
    uint8_t priority;
    uint64_t length_hint, accept_deadline_ms;
    char traceparent[64];
};

enum welcome { WELCOME, REFUSE, SILENT };

/* What happened at a stream of the client, in order: one letter a callback (r result, R
 * readable, W writable, S stopped, C closed, M message, K skipped). */
struct watch {
    struct fixture *f;
    struct qms_stream *st; /* NULL once released */
    char log[64];
    char message[1 << 16]; /* the last one, by on_message */
    size_t message_len, messages;
    uint64_t skipped; /* as on_skipped told last */
    qms_err result, stopped, closed;
    char got[1 << 16];
    size_t len;
    bool end;     /* a read returned the end */
    qms_err read; /* what the last read returned */
    bool keep;    /* leave bytes unread */
    char act_on;  /* letter at which `act` runs */
    void (*act)(struct watch *w);
};

struct fixture {
    struct fake_pair *pair;
    struct qms_client *client;
    struct qms_connection *conn; /* NULL once released */
    struct qms_session *peer;
    enum welcome welcome;
    bool peer_closed;
    struct qms_link_close peer_why;
    char peer_reason[128];
    struct peer_stream *streams[PEER_STREAMS];
    size_t count;
    struct qms_control last; /* control message that reached the broker */
    char datagram[64], datagram_name[32];

    char log[128]; /* y ready, f refused, s stream, d datagram, t throttled, g goaway, p pong,
                      k token, c closed, m message */
    qms_err refused, closed, token, goaway;
    struct fake_pair *old[8];        /* of sessions before a reconnect */
    struct qms_session *old_peer[8]; /* their brokers' ends; NULL: gone */
    size_t old_count;
    qms_err lost, done; /* told by on_reconnecting (letter x), by a qms_done (letter D) */
    qms_time delay;
    unsigned attempt;
    char url[128];      /* that the last attempt was redirected to */
    char presence[128]; /* "WATCH/STATE/AGENT;" each (letter P) */
    size_t presences;
    char reason[QMS_ERROR_TEXT_MAX], refused_reason[128];
    uint64_t close_code, retry_after_ms;
    qms_time pong;
    char got_datagram[64], got_source[32];
    char message[1 << 16]; /* the last one */
    size_t message_len, messages;
    struct watch accepted; /* the last stream that the broker opened */
    bool keep_accepted;    /* do not release it by on_closed */
    char act_on;
    void (*act)(struct fixture *f);
};

/** Started as fixture_new, but to come back after 100 ms to 1 s, each time over a new pair of
 * links. */
struct fixture *fixture_reconnecting(enum welcome welcome);
/** A qms_done: letter D. */
void note_done(struct qms_connection *c, void *arg, qms_err err);
/** Moves the clock and settles. */
void pass(struct fixture *f, qms_time by);

/** Started but not welcomed; `setup` settles and clears the log. */
struct fixture *fixture_new(enum welcome welcome, const struct fake_config *config);
void fixture_free(struct fixture *f);
int setup(void **state);
int teardown(void **state);

/** Turns of link, client and broker until nothing happens. */
void settle(struct fixture *f);
/** One pump of `chunk` bytes a stream and a turn of the client. */
void step(struct fixture *f, size_t chunk);

struct qms_stream *open_to(struct fixture *f, struct watch *w, const char *agent,
                           unsigned flags);
struct qms_bytes text(const char *s);
/** The broker opens a stream to the client; kind, target and source are set here. */
struct peer_stream *peer_opens_as(struct fixture *f, bool bidi, struct qms_route_header h);
struct peer_stream *peer_opens(struct fixture *f, bool bidi, const char *meta);
void peer_writes(struct peer_stream *p, const char *s, bool fin);
void peer_sends(struct fixture *f, struct qms_control m);
/** Answers with this status. */
void peer_answers(struct peer_stream *p, uint64_t status, const char *reason);

#endif
