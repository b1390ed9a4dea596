/* SPDX-License-Identifier: MIT */
/* quicms-chaos: many agents in one process do random legal things to each other through a real
 * broker, and every byte, end and error is checked.
 *
 * What must hold whatever happens: bytes arrive in order and unchanged; an end is told only
 * where the sender has finished and all of it has arrived; an error carries the code that
 * somebody gave; and once nobody begins anything new, every stream comes to its end.
 */
#ifndef QMS_CHAOS_H
#define QMS_CHAOS_H

#include <quicms/client.h>

struct chaos;

/* One direction of a flow, seen by both its ends: they live in one process. */
struct direction {
    uint64_t seed, written, received;
    bool finished, reset, stopped;
    uint8_t reset_code, stop_code;
};

/* A stream from one agent to another, or to a service. */
struct flow {
    struct chaos *chaos;
    uint64_t id;
    struct direction dir[2];              /* the opener's, the acceptor's */
    const struct qms_connection *conn[2]; /* may be gone: only to compare */
    bool bidi;
    bool echoes;    /* a service that sends back what it is sent */
    bool discards;  /* a service that sends nothing but the end */
    bool broken;    /* a connection of it ended: any error may follow */
    bool refused;   /* or may be: any error may follow */
    char story[64]; /* what its ends did, in short */
    unsigned ends;  /* alive */
};

/* A handle of a stream. */
struct end {
    struct flow *flow;
    struct qms_stream *st;
    unsigned side; /* 0: it opened the flow */
    bool answered, paused, got_all;
    size_t at; /* in chaos->ends */
};

struct agent {
    struct chaos *chaos;
    struct qms_connection *conn; /* the newest; NULL: none */
    bool ready;
    char name[64];
};

struct chaos {
    struct qms_client *client;
    struct qms_options *options;
    const char *url;
    uint64_t seed, random;
    struct agent *agents;
    unsigned agent_count;
    struct flow **flows; /* by id */
    uint64_t flow_count, flow_cap;
    struct end **ends; /* alive */
    size_t end_count, end_cap;
    uint64_t bytes, clean_ends, errors, refusals, connections, datagrams;
    bool ending; /* nothing new begins */
    unsigned failures;
};

/* main.c */
uint64_t chaos_random(struct chaos *c, uint64_t below);
__attribute__((format(printf, 2, 3))) void chaos_fail(struct chaos *c, const char *format, ...);

/* agent.c */
/** Connects it, whether or not it is connected already. */
void chaos_agent_connect(struct agent *a);
/** Its flows may meet any error from now on. */
void chaos_agent_breaks(struct agent *a);
/** Ends its connection in one way or another. */
void chaos_agent_leave(struct agent *a);

/* flow.c */
void chaos_flow_open(struct agent *from);
void chaos_flow_accept(struct agent *a, struct qms_stream *st);
void chaos_end_answer(struct end *e);
/** Writes up to `len` bytes more of its direction. */
void chaos_end_write(struct end *e, size_t len);
void chaos_end_finish(struct end *e);
void chaos_end_reset(struct end *e, uint8_t code);
void chaos_end_stop(struct end *e, uint8_t code);
void chaos_end_read(struct end *e);
void chaos_end_release(struct end *e);
/** Adds to the story: the side, and a letter. */
void chaos_note(struct end *e, char what);
bool chaos_matches(uint64_t seed, uint64_t offset, struct qms_bytes data);
void chaos_pattern(uint64_t seed, uint64_t offset, uint8_t *out, size_t len);

/* act.c */
/** One random thing. */
void chaos_act(struct chaos *c);
/** What is left to do for all that is alive to come to its end. */
void chaos_wind_up(struct chaos *c);

#endif
