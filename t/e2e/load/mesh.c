/* SPDX-License-Identifier: MIT */
/* Many agents, each with streams to others, whatever worker of the broker has them.
 *
 * With a size every stream must carry that many bytes each way.  Without one the streams go on
 * until standard input ends; agents that lose their connection connect again at once, and what
 * the streams ended with is counted, so that a worker may be killed meanwhile. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "load.h"

#define FAN_MAX   8    /* streams that each of many agents opens */
#define ALL_MAX   64   /* up to this many agents everybody talks with everybody */
#define SHORT     1000 /* with streams so short, however many they are */
#define AT_A_TIME 4000 /* streams that are open */

struct mesh;

struct member {
    struct mesh *mesh;
    struct qms_connection *connection;
    unsigned number;
    qms_time lost_at; /* 0: connected */
};

struct end {
    struct end *prev, *next; /* all that live */
    struct mesh *mesh;
    uint64_t write_seed, read_seed, written, received;
    bool opener;
};

struct mesh {
    struct load *load;
    struct qms_connection_callbacks callbacks;
    struct member *members;
    struct end *ends;
    uint64_t count, size, fan, ready, begun, whole, streams;
    uint64_t next; /* stream to be opened next, of count * fan */
    uint64_t worker_lost, peer_gone, other, lost, back;
    qms_time longest;
    bool all_ready, done, over;
};

static qms_time now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (qms_time)ts.tv_sec * QMS_SECOND + (qms_time)ts.tv_nsec;
}

/* ---- streams ---- */

static void pump(struct qms_stream *st, struct end *e)
{
    uint64_t size = e->mesh->size != 0 ? e->mesh->size : UINT64_MAX;

    if (e->written < size) {
        qms_err err = load_write(st, e->write_seed, &e->written, size);
        if (err != QMS_OK && err != QMS_E_AGAIN && e->mesh->size != 0) {
            load_fail(e->mesh->load, "write: %s", qms_strerror(err));
        }
    }
}

static void on_writable(struct qms_stream *st, void *arg)
{
    pump(st, arg);
}

static void on_readable(struct qms_stream *st, void *arg)
{
    struct end *e = arg;
    qms_err err = load_read(e->mesh->load, st, e->read_seed, &e->received);

    if (e->mesh->size != 0 && err != QMS_OK && err != QMS_E_AGAIN) {
        load_fail(e->mesh->load, "read: %s", qms_strerror(err));
    } else if (e->mesh->size == 0 && err == QMS_OK) {
        load_fail(e->mesh->load, "an endless stream came to its end");
    }
}

static void end_free(struct end *e)
{
    if (e->prev != NULL) {
        e->prev->next = e->next;
    } else {
        e->mesh->ends = e->next;
    }
    if (e->next != NULL) {
        e->next->prev = e->prev;
    }
    free(e);
}

static void open_more(struct mesh *c);

static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    struct end *e = arg;
    struct mesh *c = e->mesh;

    qms_stream_release(st);
    if (c->size != 0 && (err != QMS_OK || e->received != c->size || e->written != c->size)) {
        load_fail(c->load, "a stream ended early: %s", qms_strerror(err));
    }
    c->worker_lost += err == QMS_E_WIRE_WORKER_LOST;
    c->peer_gone += err == QMS_E_WIRE_PEER_GONE || err == QMS_E_CLOSED;
    c->other += err != QMS_OK && err != QMS_E_CLOSED && err != QMS_E_WIRE_WORKER_LOST &&
                err != QMS_E_WIRE_PEER_GONE;
    c->whole += err == QMS_OK;
    c->done = c->size != 0 && c->whole == 2 * c->count * c->fan;
    end_free(e);
    open_more(c);
}

static const struct qms_stream_callbacks stream_callbacks = {
    .size = sizeof(stream_callbacks),
    .on_readable = on_readable,
    .on_writable = on_writable,
    .on_closed = on_closed,
};

static struct end *end_new(struct mesh *c, uint64_t seed, bool opener)
{
    struct end *e = calloc(1, sizeof(*e));

    if (e != NULL) {
        *e = (struct end){.mesh = c, .opener = opener, .next = c->ends};
        if (c->ends != NULL) {
            c->ends->prev = e;
        }
        c->ends = e;
        e->write_seed = 2 * seed + (opener ? 0 : 1);
        e->read_seed = 2 * seed + (opener ? 1 : 0);
    }
    return e;
}

static void on_stream(struct qms_connection *connection, void *arg, struct qms_stream *st)
{
    struct member *m = arg;
    struct qms_bytes meta = qms_stream_meta(st);
    uint64_t seed = 0;
    (void)connection;

    memcpy(&seed, meta.data, meta.len < sizeof(seed) ? meta.len : sizeof(seed));
    struct end *e = end_new(m->mesh, seed, false);
    if (e == NULL || qms_stream_set_callbacks(st, &stream_callbacks, e) != QMS_OK ||
        qms_stream_accept(st, (struct qms_bytes){NULL, 0}) != QMS_OK) {
        if (m->mesh->size != 0) {
            load_fail(m->mesh->load, "accept failed");
        }
        qms_stream_release(st); /* its opener is gone already */
        end_free(e);
        return;
    }
    pump(st, e);
}

static void open_one(struct mesh *c, uint64_t from, uint64_t to)
{
    struct qms_open *params = qms_open_new();
    struct qms_stream *st = NULL;
    uint64_t seed = from * c->count + to;
    struct end *e = end_new(c, seed, true);
    char name[32];

    snprintf(name, sizeof(name), "mesh-%u", (unsigned)to);
    if (e == NULL || params == NULL ||
        qms_open_set_meta(params, (struct qms_bytes){(const uint8_t *)&seed, sizeof(seed)}) !=
            QMS_OK ||
        qms_stream_open(c->members[from].connection, QMS_KIND_AGENT, name, QMS_OPEN_BIDI,
                        QMS_PRIORITY_NORMAL, params, &stream_callbacks, e, &st) != QMS_OK) {
        load_fail(c->load, "no stream to %s", name);
    } else {
        c->streams++;
        pump(st, e);
    }
    qms_open_free(params);
}

/* ---- agents ---- */

static void on_ready(struct qms_connection *connection, void *arg)
{
    struct member *m = arg;
    struct mesh *c = m->mesh;
    (void)connection;

    if (m->lost_at != 0) {
        qms_time took = now() - m->lost_at;
        c->longest = took > c->longest ? took : c->longest;
        m->lost_at = 0;
        c->back++;
    }
    c->all_ready = ++c->ready == c->count;
}

static void on_gone(struct qms_connection *connection, void *arg, qms_err err, uint64_t code,
                    const char *reason)
{
    struct member *m = arg;
    (void)connection;

    if (m->mesh->over) {
        return;
    }
    if (m->mesh->size != 0) {
        load_fail(m->mesh->load, "mesh-%u lost its connection: %s (code %llu, %s)", m->number,
                  qms_strerror(err), (unsigned long long)code, reason);
        return;
    }
    m->mesh->lost += m->lost_at == 0;
    m->lost_at = m->lost_at != 0 ? m->lost_at : now();
    m->connection = NULL; /* connects again in the turn */
}

static void connect_member(struct mesh *c, struct member *m)
{
    char id[32];

    snprintf(id, sizeof(id), "mesh-%u", m->number);
    if (qms_options_set_agent_id(c->load->options, id) != QMS_OK ||
        qms_connect(c->load->client, c->load->options, c->load->url, &c->callbacks, m,
                    &m->connection) != QMS_OK) {
        load_fail(c->load, "%s: %s", id, qms_client_error(c->load->client));
    }
}

/* Every agent's first stream, then every agent's second: so all of them are busy. */
static void open_more(struct mesh *c)
{
    uint64_t apart = c->fan == c->count - 1 ? 1 : c->count / (c->fan + 1);

    while (!c->over && !c->load->failed && c->next < c->count * c->fan &&
           c->streams - c->whole / 2 < AT_A_TIME) {
        uint64_t i = c->next % c->count, k = c->next / c->count + 1;
        c->next++;
        open_one(c, i, (i + k * apart + (apart == 1 ? 0 : k - 1)) % c->count);
    }
}

/* ---- the run ---- */

static bool input_over(void)
{
    struct pollfd in = {.fd = 0, .events = POLLIN};
    char byte;

    return poll(&in, 1, 0) > 0 && fread(&byte, 1, 1, stdin) == 0;
}

static void run_until_told(struct mesh *c)
{
    while (!c->load->failed && !input_over()) {
        for (uint64_t i = 0; i < c->count; i++) {
            if (c->members[i].connection == NULL) {
                connect_member(c, &c->members[i]);
            }
        }
        (void)qms_client_run(c->load->client, 5 * QMS_MILLISECOND);
    }
}

static void report(const struct mesh *c, double seconds)
{
    printf("{\"agents\": %llu, \"streams\": %llu, \"ok\": %s, \"seconds\": %.3f, "
           "\"connections_lost\": %llu, \"connections_back\": %llu, \"longest_ms\": %.1f, "
           "\"worker_lost\": %llu, \"peer_gone\": %llu, \"other_ends\": %llu}\n",
           (unsigned long long)c->count, (unsigned long long)c->streams,
           c->load->failed ? "false" : "true", seconds, (unsigned long long)c->lost,
           (unsigned long long)c->back, (double)c->longest / 1e6,
           (unsigned long long)c->worker_lost, (unsigned long long)c->peer_gone,
           (unsigned long long)c->other);
    fflush(stdout);
}

int load_mesh(struct load *l, uint64_t count, uint64_t size)
{
    struct mesh c = {.load = l, .count = count, .size = size};

    c.fan = count <= ALL_MAX || (size > 0 && size <= SHORT) ? count - 1 : FAN_MAX;
    c.fan = size == 0 ? 2 : c.fan;
    c.callbacks = (struct qms_connection_callbacks){.size = sizeof(c.callbacks),
                                                    .on_ready = on_ready,
                                                    .on_stream = on_stream,
                                                    .on_closed = on_gone};
    c.members = calloc(count, sizeof(*c.members));
    for (unsigned i = 0; c.members != NULL && i < count; i++) {
        c.members[i] = (struct member){.mesh = &c, .number = i};
        connect_member(&c, &c.members[i]);
    }
    if (!load_run(l, &c.all_ready, 60)) {
        return 1;
    }
    qms_time from = now();
    open_more(&c);
    if (size == 0) {
        puts("{\"running\": true}");
        fflush(stdout);
        run_until_told(&c);
    } else {
        (void)load_run(l, &c.done, 200);
    }
    report(&c, (double)(now() - from) / 1e9);
    c.over = true;
    while (c.ends != NULL) {
        end_free(c.ends);
    }
    free(c.members);
    return l->failed ? 1 : 0;
}
