/* SPDX-License-Identifier: MIT */
/* A broker over fake links, with agents that record what happens to them.
 *
 * The broker is on side 1 of each pair, an agent's session on side 0.  All clocks are moved by
 * hand; nothing happens outside settle() and advance(). */
#ifndef QMS_TEST_BROKER_FIXTURE_H
#define QMS_TEST_BROKER_FIXTURE_H

#include "base/list.h"
#include "core/broker/broker.h"
#include "core/broker/broker_state.h"
#include "fake_link.h"
#include "proto/session.h"

struct agent;

/* One stream as an agent sees it. */
struct stream {
    struct qms_list node;
    struct agent *agent;
    struct qms_session_stream *st; /* NULL once closed */
    bool opener, fin, closed;
    int reset, stop, result; /* codes; -1: none came */
    uint64_t retry_after_ms;
    char reason[64], acceptor[QMS_NAME_MAX + 1];
    size_t result_meta;
    uint64_t received, unconsumed, acked;
    uint32_t sum; /* of what was received, order included */
    char first[512];
    /* Of the header, where the agent is the acceptor. */
    char source[QMS_NAME_MAX + 1], content_type[64], meta[64], traceparent[64];
    uint8_t flags, priority, kind;
    uint64_t length_hint, deadline;
    bool has_hops, has_original, has_token;
    uint8_t extra_value; /* first byte of the TLV 0x41 */
    int priority_changes;
    uint64_t group_seq, skipped;
    bool has_seq;
    char original[QMS_NAME_MAX + 1], target[QMS_NAME_MAX + 1];
    uint8_t original_kind;
};

struct agent {
    struct broker_fixture *f;
    struct fake_pair *pair;
    struct qms_session *s;
    struct qms_list streams; /* oldest first */
    bool welcomed, closed;
    char id[QMS_NAME_MAX + 1];
    int refused, close_code; /* -1: not */
    char close_reason[64];
    bool hold;      /* leaves accepted streams unanswered */
    bool slow;      /* consumes nothing */
    uint8_t answer; /* status for new streams */
    unsigned datagrams, throttled, stats, goaways;
    char datagram[64], datagram_from[QMS_NAME_MAX + 1];
    enum qms_kind datagram_kind;
    uint64_t replies[8]; /* status + 1 by request number */
    uint64_t last_stats[QMS_STAT_COUNT];
    char presence[4096]; /* "+id " came, "-id " went, "! " snapshot complete; the newest */
};

#define AGENTS_MAX 64
struct broker_fixture {
    struct qms_conf *conf;
    struct qms_broker *broker;
    struct agent *agents[AGENTS_MAX];
    unsigned agent_count;
    qms_time elapsed; /* since the fake clocks' start */
    /* Another worker of the same broker, and the mesh between them; NULL: none. */
    struct broker_fixture *other;
    struct qms_mesh *mesh;
    uint64_t granted; /* capabilities that agents in upstreams give the broker */
};

/* ---- what the test modules do; see test_broker_probe.c ---- */
struct probe {
    char calls[512];         /* one word a call, in order */
    uint64_t delay_for;      /* on_data answers DELAY for so long; 0: PASS */
    uint64_t bytes_a_second; /* or by what the bytes cost; 0: nothing */
    qms_time paid_at;
    char scopes[64];       /* of the newest route */
    enum qms_verdict slow; /* what auth_slow says */
    struct qms_peer *slow_peer;
    int slow_asked, slow_cancels;
    bool slow_refused;   /* what it was told of the credential last */
    uint8_t reject_byte; /* on_data refuses payload with it; 0: none */
    int fins;            /* ends of data that on_data saw */
    bool reject_open, reject_datagram, reject_reload, reject_connect, reject_watch;
    int64_t expires_at; /* what the authenticator grants */
    const char *names;  /* the id that the credential names; NULL: none */
    int opens, closes, peers, gones, frees, connects, disconnects;
    uint8_t last_status;
    uint64_t last_forward, last_reverse;
    /* What `one_note` says in the block that was given, and the block's words at on_open. */
    const char *note_open, *note_data, *note_datagram, *note_close;
    const char *block;
};
extern struct probe probe;
#define PROBE_MODULES 3
extern const struct qms_module *const probe_modules[PROBE_MODULES];

/** `server`: directives of the server block, such as "auth off;"; `quic`: of the quic block.
 * Either may be NULL. */
int fixture_start(struct broker_fixture *f, const char *quic, const char *server);
/** False when it could not (allocation failures). */
bool fixture_try_start(struct broker_fixture *f, const char *quic, const char *server);
void fixture_stop(struct broker_fixture *f);
/** The same in steps, for several brokers in one test: all are closed, then freed. */
void fixture_close(struct broker_fixture *f);
void fixture_free(struct broker_fixture *f);
void fixture_nothing_left(void);
/** A configuration without a broker. */
struct qms_conf *fixture_conf(const char *quic, const char *server);

/** Connects, says HELLO (id NULL: says nothing; token NULL: none) and settles.  NULL: memory
 * was out. */
struct agent *agent_connect(struct broker_fixture *f, const char *id, const char *token);
/** The same with a link of another kind. */
struct agent *agent_connect_over(struct broker_fixture *f, const char *id, const char *token,
                                 const struct fake_config *config);
/** From now on agents of upstreams are there: each that the broker dials is the newest one of
 * `agents`, and its id what HELLO called the broker. */
void fixture_listens(struct broker_fixture *f);
/** JOIN, and settles; the status of the REPLY, or -1 without one. */
int agent_join(struct agent *a, enum qms_kind kind, const char *name);
/** JOIN, LEAVE, WATCH or UNWATCH as it is written but for its number; the same. */
int agent_ask(struct agent *a, struct qms_control *m);
/** The connection breaks off. */
void agent_die(struct agent *a);

struct stream *agent_open(struct agent *a, enum qms_kind kind, const char *target, bool bidi,
                          uint8_t priority);
struct stream *agent_open_with(struct agent *a, bool bidi, const struct qms_route_header *h);
/** The n-th stream of the agent, oldest first; NULL: not so many. */
struct stream *agent_stream(struct agent *a, unsigned n);
/** The n-th that others opened to it. */
struct stream *agent_incoming(struct agent *a, unsigned n);
/** How many those are. */
unsigned agent_had(struct agent *a);
void stream_write(struct stream *st, const char *text);
/** `len` patterned bytes; their sum comes back with stream->sum at the other end. */
uint32_t stream_pour(struct stream *st, size_t len);
void stream_consume(struct stream *st);
void stream_accept(struct stream *st, uint8_t status);

/** Until nothing moves any more, the clock standing still. */
void settle(struct broker_fixture *f);
/** One pump of every pair, at most `chunk` bytes a stream. */
bool step(struct broker_fixture *f, size_t chunk);
void advance(struct broker_fixture *f, qms_time by);
qms_time fixture_now(const struct broker_fixture *f);

uint64_t counted(const struct broker_fixture *f, enum qms_stats_id id);

#endif
