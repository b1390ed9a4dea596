/* SPDX-License-Identifier: MIT */
/* What is done next, by chance. */
#include <stdlib.h>
#include <string.h>

#include "chaos.h"

/* Streams alive at once; beyond, more end than begin. */
#define ENDS_MAX 2000

static uint8_t some_code(struct chaos *c)
{
    return (uint8_t)(0x80 + chaos_random(c, 128));
}

static void send_datagram(struct agent *a)
{
    struct chaos *c = a->chaos;
    const char *to = c->agents[chaos_random(c, c->agent_count)].name;
    uint8_t buf[1000];
    size_t len = sizeof(uint64_t) + chaos_random(c, 800);
    uint64_t seed = chaos_random(c, UINT64_MAX);

    memcpy(buf, &seed, sizeof(seed));
    chaos_pattern(seed, 0, buf + sizeof(seed), len - sizeof(seed));
    bool service = chaos_random(c, 8) == 0;
    qms_err err = qms_datagram_send(a->conn, service ? QMS_KIND_SERVICE : QMS_KIND_AGENT,
                                    service ? "echo" : to, (uint8_t)chaos_random(c, 256),
                                    (struct qms_bytes){buf, len});
    if (err != QMS_OK && err != QMS_E_CLOSED && err != QMS_E_STATE && err != QMS_E_TOO_LARGE) {
        chaos_fail(c, "datagram: %s", qms_strerror(err));
    }
}

static void ask_something(struct agent *a)
{
    struct chaos *c = a->chaos;
    uint64_t watch;
    qms_err err;

    switch (chaos_random(c, 3)) {
    case 0:
        err = qms_connection_ping(a->conn);
        break;
    case 1:
        err = qms_connection_join(a->conn, QMS_KIND_GROUP, "none", NULL, NULL, NULL);
        break;
    default:
        err = qms_connection_watch(a->conn, "", NULL, NULL, &watch);
        break;
    }
    if (err != QMS_OK && err != QMS_E_LIMIT && err != QMS_E_CLOSED && err != QMS_E_EXISTS &&
        err != QMS_E_STATE) {
        chaos_fail(c, "a question: %s", qms_strerror(err));
    }
}

static void act_on_agent(struct agent *a)
{
    struct chaos *c = a->chaos;
    uint64_t what = chaos_random(c, 400);

    if (a->conn == NULL) {
        if (chaos_random(c, 8) == 0) {
            chaos_agent_connect(a);
        }
    } else if (what < 2) {
        chaos_agent_leave(a);
    } else if (what < 4) {
        chaos_agent_connect(a);
    } else if (what < 60) {
        send_datagram(a);
    } else if (what < 80) {
        ask_something(a);
    } else if (c->end_count < ENDS_MAX) {
        chaos_flow_open(a);
    }
}

static void change_urgency(struct end *e)
{
    struct chaos *c = e->flow->chaos;
    int forward = e->side == 0 ? (int)chaos_random(c, 257) - 1 : -1;
    qms_err err = qms_stream_set_priority(e->st, forward, (int)chaos_random(c, 256));

    if (err != QMS_OK && err != QMS_E_CLOSED && err < QMS_E_WIRE && !e->flow->broken &&
        !e->flow->refused) {
        chaos_fail(c, "priority: %s", qms_strerror(err));
    }
}

static void act_on_end(struct end *e)
{
    struct chaos *c = e->flow->chaos;
    uint64_t what = chaos_random(c, 100);

    if (what < 40) {
        chaos_end_write(e, 1 + chaos_random(c, what < 3 ? 500000 : 10000));
    } else if (what < 58) {
        chaos_end_finish(e);
    } else if (what < 62) {
        chaos_end_reset(e, some_code(c));
    } else if (what < 66) {
        chaos_end_stop(e, some_code(c));
    } else if (what < 69) {
        chaos_end_release(e);
    } else if (what < 74) {
        change_urgency(e);
    } else if (what < 80) {
        e->paused = true;
    } else if (what < 90) {
        chaos_end_answer(e);
    } else {
        e->paused = false;
        chaos_end_read(e);
    }
}

void chaos_act(struct chaos *c)
{
    if (c->end_count == 0 || chaos_random(c, 4) == 0) {
        act_on_agent(&c->agents[chaos_random(c, c->agent_count)]);
    } else {
        act_on_end(c->ends[chaos_random(c, c->end_count)]);
    }
}

void chaos_wind_up(struct chaos *c)
{
    for (size_t i = c->end_count; i-- > 0;) {
        struct end *e = c->ends[i];
        e->paused = false;
        chaos_end_answer(e);
        chaos_end_finish(e);
        chaos_end_read(e);
    }
}
