/* SPDX-License-Identifier: MIT */
/* Agents: they come, are replaced by their own next connection, and go. */
#include <stdlib.h>
#include <string.h>

#include "chaos.h"

/* The seed and a pattern made of it. */
static void on_datagram(struct qms_connection *conn, void *arg, enum qms_kind kind,
                        struct qms_bytes source, uint8_t priority, struct qms_bytes payload)
{
    struct agent *a = arg;
    uint64_t seed;
    (void)conn, (void)priority, (void)source, (void)kind;

    if (payload.len < sizeof(seed)) {
        chaos_fail(a->chaos, "a datagram of %zu bytes", payload.len);
        return;
    }
    memcpy(&seed, payload.data, sizeof(seed));
    payload.data += sizeof(seed);
    payload.len -= sizeof(seed);
    if (!chaos_matches(seed, 0, payload)) {
        chaos_fail(a->chaos, "a datagram with wrong bytes");
    }
    a->chaos->datagrams++;
}

static void on_ready(struct qms_connection *conn, void *arg)
{
    struct agent *a = arg;

    a->chaos->connections++;
    a->ready = a->ready || conn == a->conn;
}

static void on_stream(struct qms_connection *conn, void *arg, struct qms_stream *st)
{
    (void)conn;
    chaos_flow_accept(arg, st);
}

static void breaks(struct chaos *c, const struct qms_connection *conn)
{
    for (size_t i = 0; i < c->end_count; i++) {
        struct flow *f = c->ends[i]->flow;
        if (f->conn[0] == conn || f->conn[1] == conn) {
            f->broken = true;
        }
    }
}

static void on_closed(struct qms_connection *conn, void *arg, qms_err err, uint64_t code,
                      const char *reason)
{
    struct agent *a = arg;
    bool mine = err == QMS_OK || err == QMS_E_WIRE_REPLACED;

    if (!mine && (code < 0x80 || code > 0xff)) {
        chaos_fail(a->chaos, "the connection of %s ended: %s (%llu, %s)", a->name,
                   qms_strerror(err), (unsigned long long)code, reason);
    }
    breaks(a->chaos, conn);
    if (a->conn == conn) {
        a->conn = NULL;
        a->ready = false;
    }
    qms_connection_release(conn);
}

static const struct qms_connection_callbacks callbacks = {
    .size = sizeof(callbacks),
    .on_ready = on_ready,
    .on_stream = on_stream,
    .on_datagram = on_datagram,
    .on_closed = on_closed,
};

void chaos_agent_breaks(struct agent *a)
{
    struct chaos *c = a->chaos;

    breaks(c, a->conn);
    /* Whoever opens to it now may or may not find it. */
    for (size_t i = 0; i < c->end_count; i++) {
        struct end *e = c->ends[i];
        struct qms_bytes target = qms_stream_target(e->st);
        if (e->side == 0 && target.len == strlen(a->name) &&
            memcmp(target.data, a->name, target.len) == 0) {
            e->flow->broken = true;
        }
    }
}

void chaos_agent_connect(struct agent *a)
{
    struct chaos *c = a->chaos;

    /* Of two on their way, to two workers perhaps, either may be the later one. */
    if (a->conn != NULL && !a->ready) {
        return;
    }
    if (a->conn != NULL) {
        chaos_agent_breaks(a); /* it will be replaced */
    }
    a->ready = false;
    a->conn = NULL;
    if (qms_options_set_agent_id(c->options, a->name) != QMS_OK ||
        qms_connect(c->client, c->options, c->url, &callbacks, a, &a->conn) != QMS_OK) {
        chaos_fail(c, "connect: %s", qms_client_error(c->client));
    }
}

void chaos_agent_leave(struct agent *a)
{
    struct qms_connection *conn = a->conn;

    if (conn == NULL || !a->ready) {
        return;
    }
    chaos_agent_breaks(a);
    a->conn = NULL;
    a->ready = false;
    switch (chaos_random(a->chaos, 3)) {
    case 0:
        qms_connection_release(conn);
        break;
    case 1:
        qms_connection_close(conn, 0, NULL);
        break;
    default:
        qms_connection_close(conn, (uint8_t)(0x80 + chaos_random(a->chaos, 128)), "chaos");
        break;
    }
}
