/* SPDX-License-Identifier: MIT */
/* Two sessions over a fake link, each with a log of its events as text.
 *
 * Side `a` connects, side `b` accepts.  One event is one line of the log, payload in quotes:
 *     route 0 agent:b 16
 *     data 0 "hello"
 *     fin 0
 */
#ifndef QMS_TEST_SESSION_DUO_H
#define QMS_TEST_SESSION_DUO_H

#include "fake_link.h"
#include "proto/session.h"

/* One side.  The fields of the second part say what it does by itself in its events. */
struct duo_side {
    struct qms_session *s; /* NULL after on_closed */
    char *log;             /* since the last duo_take; never NULL */
    size_t log_len, log_cap;
    struct qms_session_stream *last; /* of the newest route, either way, still living */
    size_t routes, results, accepted, refused, closed, fins, bytes, acked, oddities;
    bool ended; /* on_closed ran */

    bool quiet;                                      /* counts, but logs nothing */
    bool holds_hello;                                /* does not answer HELLO */
    uint8_t refuses;                                 /* HELLO with this status */
    uint64_t caps;                                   /* offered in HELLO, or granted */
    bool holds_result;                               /* does not answer routes */
    uint8_t rejects;                                 /* routes with this status, reason "no" */
    bool holds_credit;                               /* does not consume */
    bool echoes;                                     /* writes back what it reads, and FIN */
    void (*on_route)(struct qms_session_stream *st); /* instead of the RESULT above */
};

struct duo {
    struct fake_pair *pair;
    struct duo_side a, b;
};

/** Makes both sessions; nothing has been said yet.  `config` and `limits` may be NULL.  False:
 * memory ran out (only where a test makes it). */
bool duo_init(struct duo *d, const struct fake_config *config,
              const struct qms_session_limits *limits);
/** duo_init, HELLO of agent "a1" and its WELCOME; both logs are empty afterwards. */
void duo_connect(struct duo *d, const struct fake_config *config);
void duo_fini(struct duo *d);

/** Sends HELLO: versions 1 to 1, agent id "a1", token "secret". */
qms_err duo_hello(struct duo *d);
/** Turns and deadlines that are due, until both sides are quiet. */
void duo_settle(struct duo *d);
void duo_settle_by(struct duo *d, size_t chunk);
/** Moves the clock, then settles. */
void duo_advance(struct duo *d, qms_time by);
/** The log since the last call; valid until the next event of that side. */
const char *duo_take(struct duo_side *side);

/** Opens a route to agent `target` with an urgency; the stream is side->last too. */
struct qms_session_stream *duo_open(struct duo_side *side, bool bidi, const char *target,
                                    uint8_t priority);
qms_err duo_write(struct qms_session_stream *st, const char *text);
struct qms_bytes duo_text(const char *text);

/** One session alone, logging to `side`, whose peer the test plays itself.  NULL: no memory. */
struct qms_session *duo_one(struct duo_side *side, struct qms_link *link, bool connecting,
                            const struct qms_session_limits *limits);

/** Limits with the default values that report to the log. */
extern const struct qms_session_limits duo_limits;

#endif
