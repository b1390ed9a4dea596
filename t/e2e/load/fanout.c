/* SPDX-License-Identifier: MIT */
/* One publisher, many subscribers of two topics, and one that is in one of them only and reads
 * nothing.
 *
 * A FRAMED stream to each topic carries messages, each with the instant at which it was
 * written; the next is written when all subscribers but the slow one have the one before.  So
 * the figures do not depend on a rate that the machine may not keep.  Messages go to the one
 * topic and to the other in turn, and the two of a pair are compared with each other: what else
 * the machine does at that time meets both. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "load.h"

#define HEAD      4    /* length of a message, a varint of four bytes */
#define PAYLOAD   1024 /* of messages that are measured */
#define WARM_UP   5    /* pairs that are not */
#define PAIRS_MAX 1000
/* Before them come large ones: they fill the slow one's window and what the broker keeps for
 * it. */
#define LARGE       16384
#define BEFORE      30
#define SLOW_WINDOW 65536

enum { CALM, SLOW, TOPICS };
static const char *const topics[] = {"fan.calm", "fan.slow"};

struct fanout;

struct sub {
    struct fanout *f;
    struct qms_connection *connection;
    unsigned number;
    struct flow {
        struct sub *sub;
        struct qms_stream *st;
        uint64_t messages;      /* whole ones */
        size_t have, len;       /* bytes of the message under way, and all of it */
        uint8_t head[HEAD + 8]; /* its first bytes */
    } flows[TOPICS];
};

struct fanout {
    struct load *load;
    struct qms_connection_callbacks callbacks;
    struct qms_connection *publisher;
    struct qms_stream *out[TOPICS];
    uint64_t written[TOPICS];
    struct sub *subs; /* the last one is the slow one */
    uint64_t count, joined, streams;
    uint64_t have; /* fast ones that have the newest message */
    bool all_joined, all_have, all_streams, over;
    uint64_t skipped; /* messages, as the slow one was told */
    bool told;
    double *samples;     /* ms, of the newest message: one from each fast one */
    double *all[TOPICS]; /* of all that were measured */
};

static qms_time now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (qms_time)ts.tv_sec * QMS_SECOND + (qms_time)ts.tv_nsec;
}

static bool is_slow(const struct sub *s)
{
    return s->number + 1 == s->f->count;
}

/* ---- subscribers ---- */

static void message_whole(struct flow *w)
{
    struct fanout *f = w->sub->f;
    qms_time at;

    w->messages++;
    memcpy(&at, w->head + HEAD, sizeof(at));
    f->samples[f->have] = (double)(now() - at) / 1e6;
    f->all_have = ++f->have == f->count - 1;
}

/* Its length, once that is here. */
static size_t length_of(const struct flow *w)
{
    size_t len = (size_t)(w->head[0] & 0x3f) << 24 | (size_t)w->head[1] << 16 |
                 (size_t)w->head[2] << 8 | w->head[3];

    if (w->have < HEAD) {
        return HEAD;
    }
    if (w->head[0] >> 6 != 2 || (len != PAYLOAD && len != LARGE)) {
        load_fail(w->sub->f->load, "a message does not begin where it should");
    }
    return HEAD + len;
}

static void take(struct flow *w, struct qms_bytes run)
{
    for (size_t i = 0; i < run.len && !w->sub->f->load->failed;) {
        if (w->have < sizeof(w->head)) {
            w->head[w->have++] = run.data[i++];
            w->len = length_of(w);
        } else {
            size_t rest = w->len - w->have;
            rest = rest < run.len - i ? rest : run.len - i;
            w->have += rest;
            i += rest;
        }
        if (w->have == w->len && w->have > HEAD) {
            w->have = 0;
            message_whole(w);
        }
    }
}

static void on_readable(struct qms_stream *st, void *arg)
{
    struct flow *w = arg;
    struct qms_bytes run;

    while (!is_slow(w->sub) && qms_stream_peek(st, &run) == QMS_OK && run.len > 0) {
        take(w, run);
        if (qms_stream_consume(st, run.len) != QMS_OK) {
            return;
        }
    }
}

static void on_skipped(struct qms_stream *st, void *arg, uint64_t messages)
{
    struct flow *w = arg;

    (void)st;
    if (!is_slow(w->sub)) {
        load_fail(w->sub->f->load, "subscriber %u lost messages", w->sub->number);
    }
    w->sub->f->skipped += messages;
    w->sub->f->told = true;
}

static void on_stream_closed(struct qms_stream *st, void *arg, qms_err err)
{
    struct flow *w = arg;

    if (!w->sub->f->over) {
        load_fail(w->sub->f->load, "a stream of subscriber %u: %s", w->sub->number,
                  qms_strerror(err));
    }
    w->st = NULL;
    qms_stream_release(st);
}

static void on_stream(struct qms_connection *c, void *arg, struct qms_stream *st)
{
    static const struct qms_stream_callbacks callbacks = {.size = sizeof(callbacks),
                                                          .on_readable = on_readable,
                                                          .on_closed = on_stream_closed,
                                                          .on_skipped = on_skipped};
    struct sub *s = arg;
    struct qms_bytes topic = qms_stream_target(st);
    struct flow *w = &s->flows[topic.len > 4 && topic.data[4] == 'c' ? CALM : SLOW];

    (void)c;
    *w = (struct flow){.sub = s, .st = st};
    if (qms_stream_set_callbacks(st, &callbacks, w) != QMS_OK ||
        qms_stream_accept(st, (struct qms_bytes){0}) != QMS_OK) {
        load_fail(s->f->load, "a stream could not be taken");
    }
    s->f->all_streams = ++s->f->streams == 2 * s->f->count - 1;
}

static void on_joined(struct qms_connection *c, void *arg, qms_err err)
{
    struct sub *s = arg;

    (void)c;
    if (err != QMS_OK) {
        load_fail(s->f->load, "subscriber %u cannot join: %s", s->number, qms_strerror(err));
    }
    s->f->all_joined = ++s->f->joined == 2 * s->f->count - 1;
}

static void on_gone(struct qms_connection *c, void *arg, qms_err err, uint64_t code,
                    const char *reason)
{
    struct sub *s = arg;

    (void)c, (void)code;
    if (!s->f->over) {
        load_fail(s->f->load, "subscriber %u lost its connection: %s (%s)", s->number,
                  qms_strerror(err), reason);
    }
}

static void connect_sub(struct fanout *f, struct sub *s)
{
    char id[32];
    size_t window = is_slow(s) ? SLOW_WINDOW : (size_t)1 << 20;

    snprintf(id, sizeof(id), "fan-%u", s->number);
    if (qms_options_set_agent_id(f->load->options, id) != QMS_OK ||
        qms_options_set_receive_window(f->load->options, window, 4 * window) != QMS_OK ||
        qms_connect(f->load->client, f->load->options, f->load->url, &f->callbacks, s,
                    &s->connection) != QMS_OK) {
        load_fail(f->load, "%s: %s", id, qms_client_error(f->load->client));
        return;
    }
    for (int t = is_slow(s) ? SLOW : CALM; t < TOPICS; t++) {
        if (qms_connection_join(s->connection, QMS_KIND_TOPIC, topics[t], NULL, on_joined, s) !=
            QMS_OK) {
            load_fail(f->load, "%s cannot ask for %s", id, topics[t]);
        }
    }
}

/* ---- the publisher ---- */

static void publish(struct fanout *f, int topic, size_t len)
{
    uint8_t message[HEAD + LARGE] = {0x80, 0, (uint8_t)(len >> 8), (uint8_t)len};
    qms_time at = now();
    size_t taken = 0;

    memcpy(message + HEAD, &at, sizeof(at));
    f->have = 0;
    f->all_have = false;
    f->written[topic]++;
    if (qms_stream_write(f->out[topic], (struct qms_bytes){message, HEAD + len}, &taken) !=
            QMS_OK ||
        taken != HEAD + len) {
        load_fail(f->load, "the publisher is held back");
    }
    (void)load_run(f->load, &f->all_have, 60);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *values, size_t count, double q)
{
    size_t at = (size_t)(q * (double)count);

    qsort(values, count, sizeof(*values), by_size);
    return values[at < count ? at : count - 1];
}

/* One message: how long it took until 99 of 100 had it, in ms. */
static double measure(struct fanout *f, int topic, size_t pair)
{
    uint64_t fast = f->count - 1;

    f->samples = f->all[topic] + pair * fast;
    publish(f, topic, PAYLOAD);
    return f->load->failed ? 0 : quantile(f->samples, fast, 0.99);
}

static uint64_t missed_by_others(const struct fanout *f)
{
    uint64_t missed = 0;

    for (uint64_t i = 0; i + 1 < f->count; i++) {
        for (int t = 0; t < TOPICS; t++) {
            missed += f->written[t] - f->subs[i].flows[t].messages;
        }
    }
    return missed;
}

/* `ratio`: the median over the pairs of what a message took with the slow one to what it took
 * without. */
static void report(struct fanout *f, size_t pairs, double ratio)
{
    size_t n = pairs * (f->count - 1);

    printf("{\"subscribers\": %llu, \"messages\": %llu, \"missed_by_others\": %llu, "
           "\"skipped\": %llu, \"calm_p99_ms\": %.2f, \"slow_p99_ms\": %.2f, "
           "\"median_ratio\": %.3f}\n",
           (unsigned long long)f->count, (unsigned long long)(f->written[0] + f->written[1]),
           (unsigned long long)missed_by_others(f), (unsigned long long)f->skipped,
           quantile(f->all[CALM], n, 0.99), quantile(f->all[SLOW], n, 0.99), ratio);
    fflush(stdout);
}

/* Behind the last message it cannot wait for one that fits: the slow one is told at once. */
static void end_slow(struct fanout *f)
{
    f->over = true;  /* streams end from here on */
    f->told = false; /* of those from before its window was full */
    if (qms_stream_finish(f->out[SLOW]) != QMS_OK) {
        load_fail(f->load, "the stream cannot be ended");
    }
    (void)load_run(f->load, &f->told, 60);
}

/* The one that comes first in a pair finds what the other left, so they take turns in that. */
static void run_pairs(struct fanout *f, size_t pairs)
{
    static double ratio[PAIRS_MAX];

    for (int i = 0; i < BEFORE && !f->load->failed; i++) {
        publish(f, SLOW, LARGE);
    }
    for (size_t i = 0; i < WARM_UP + pairs && !f->load->failed; i++) {
        double took[TOPICS];
        size_t pair = i < WARM_UP ? 0 : i - WARM_UP; /* what warms up is overwritten */

        for (int t = 0; t < TOPICS; t++) {
            int topic = (int)(i % TOPICS) ^ t;
            took[topic] = measure(f, topic, pair);
        }
        ratio[pair] = took[SLOW] / took[CALM];
    }
    if (!f->load->failed) {
        end_slow(f);
    }
    if (!f->load->failed) {
        report(f, pairs, quantile(ratio, pairs, 0.5));
    }
}

static void connect_publisher(struct fanout *f)
{
    static const struct qms_connection_callbacks callbacks = {.size = sizeof(callbacks)};
    struct load *l = f->load;

    if (qms_options_set_agent_id(l->options, "fan-publisher") != QMS_OK ||
        qms_connect(l->client, l->options, l->url, &callbacks, NULL, &f->publisher) != QMS_OK) {
        load_fail(l, "fan-publisher: %s", qms_client_error(l->client));
    }
}

static void open_streams(struct fanout *f)
{
    static const struct qms_stream_callbacks callbacks = {.size = sizeof(callbacks)};

    for (int t = 0; t < TOPICS; t++) {
        if (qms_stream_open(f->publisher, QMS_KIND_TOPIC, topics[t],
                            QMS_OPEN_UNI | QMS_OPEN_FRAMED, QMS_PRIORITY_NORMAL, NULL,
                            &callbacks, NULL, &f->out[t]) != QMS_OK) {
            load_fail(f->load, "the stream to %s could not be opened", topics[t]);
        }
    }
}

int load_fanout(struct load *l, uint64_t count, uint64_t pairs)
{
    static struct fanout f; /* its subscribers are there as long as the client */

    f = (struct fanout){.load = l, .count = count};

    f.callbacks = (struct qms_connection_callbacks){
        .size = sizeof(f.callbacks), .on_stream = on_stream, .on_closed = on_gone};
    f.subs = calloc(count, sizeof(*f.subs));
    pairs = pairs < PAIRS_MAX ? pairs : PAIRS_MAX;
    f.all[CALM] = calloc(pairs * count, sizeof(**f.all));
    f.all[SLOW] = calloc(pairs * count, sizeof(**f.all));
    f.samples = f.all[CALM];
    connect_publisher(&f);
    for (unsigned i = 0; f.subs != NULL && f.all[CALM] != NULL && f.all[SLOW] != NULL &&
                         i < count && !l->failed;
         i++) {
        f.subs[i] = (struct sub){.f = &f, .number = i};
        connect_sub(&f, &f.subs[i]);
    }
    if (load_run(l, &f.all_joined, 100)) {
        open_streams(&f);
        (void)load_run(l, &f.all_streams, 60);
        run_pairs(&f, pairs);
    }
    f.over = true;
    free(f.all[CALM]);
    free(f.all[SLOW]);
    return l->failed ? 1 : 0;
}
