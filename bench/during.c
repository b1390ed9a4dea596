/* SPDX-License-Identifier: MIT */
/* What agents notice while a command runs that should disturb none: a reload, an upgrade.
 *
 * Three kinds of load go on from half a second before it until a second after its end: streams
 * that live all the time, new streams one after the other, and new connections.  Everything
 * that ends otherwise than asked for is counted, and the longest time in which an agent had to
 * wait for anything is told. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define PAIRS       4    /* of agents: one asks, the other answers */
#define PIECE       8192 /* bytes of a turn of a living stream */
#define CONNECT_GAP 0.02 /* seconds between new connections */
#define NEWCOMERS   64   /* of them at a time */
#define BEFORE      0.5
#define AFTER       1.0
#define AT_MOST     600.0 /* seconds that the command may take */

struct during;

/* One kind of waiting, and the longest that was seen. */
struct pause {
    double longest;
    uint64_t count;
};

/* An agent that stays. */
struct stayer {
    struct during *d;
    struct qms_connection *conn;
    bool ready;
};

/* A stream of an asking agent: whole pieces there and back. */
struct talk {
    struct during *d;
    struct qms_stream *st;
    unsigned pair;
    bool lives; /* goes on to the end; else one piece, and another stream follows */
    double asked_at;
    size_t sent, received; /* of the piece under way */
    uint64_t pieces;
};

struct newcomer {
    struct during *d;
    struct qms_connection *conn;
    double from;
    bool ready;
};

struct during {
    struct bench *bench;
    struct stayer asks[PAIRS], answers[PAIRS];
    struct newcomer newcomers[NEWCOMERS];
    uint8_t piece[PIECE];
    struct pause living, opening, connecting;
    uint64_t connections_lost, handshakes_failed, streams_reset, moved, wrong;
    unsigned talking;
    bool ending;
    double next_at;
    char why[96]; /* the first thing that went wrong */
};

static void note(struct pause *p, double took)
{
    p->longest = took > p->longest ? took : p->longest;
    p->count++;
}

static void blame(struct during *d, const char *what, qms_err err)
{
    if (d->why[0] == '\0') {
        snprintf(d->why, sizeof(d->why), "; first: %s: %s", what, qms_strerror(err));
    }
}

/* ---- the answering side ---- */

static void echo(struct qms_stream *st, void *arg)
{
    uint8_t buf[PIECE];
    size_t len = 0, taken = 0;
    qms_err err;
    (void)arg;

    while ((err = qms_stream_read(st, buf, sizeof(buf), &len)) == QMS_OK && len > 0) {
        /* The asking side has one piece under way, which the send buffer holds. */
        (void)!qms_stream_write(st, (struct qms_bytes){buf, len}, &taken);
    }
    if (err == QMS_OK || err == QMS_E_CLOSED) {
        (void)!qms_stream_finish(st);
    }
}

static void echo_closed(struct qms_stream *st, void *arg, qms_err err)
{
    (void)arg, (void)err;
    qms_stream_release(st);
}

static void on_stream(struct qms_connection *c, void *arg, struct qms_stream *st)
{
    static const struct qms_stream_callbacks callbacks = {
        .size = sizeof(callbacks), .on_readable = echo, .on_closed = echo_closed};
    (void)c, (void)arg;

    if (qms_stream_set_callbacks(st, &callbacks, NULL) != QMS_OK ||
        qms_stream_accept(st, (struct qms_bytes){NULL, 0}) != QMS_OK) {
        qms_stream_release(st);
    }
}

/* ---- the asking side ---- */

static void talk_begin(struct during *d, unsigned pair, bool lives);

static void send_piece(struct talk *t)
{
    size_t taken = 0;

    while (t->sent < PIECE &&
           qms_stream_write(t->st, (struct qms_bytes){t->d->piece + t->sent, PIECE - t->sent},
                            &taken) == QMS_OK &&
           taken > 0) {
        t->sent += taken;
    }
    if (t->sent == PIECE && (!t->lives || t->d->ending)) {
        (void)!qms_stream_finish(t->st);
    }
}

static void begin_piece(struct talk *t)
{
    t->sent = t->received = 0;
    t->asked_at = bench_now();
    send_piece(t);
}

static void on_writable(struct qms_stream *st, void *arg)
{
    (void)st;
    send_piece(arg);
}

static void on_readable(struct qms_stream *st, void *arg)
{
    struct talk *t = arg;
    uint8_t buf[PIECE];
    size_t len = 0;

    while (qms_stream_read(st, buf, sizeof(buf), &len) == QMS_OK && len > 0) {
        size_t over = len > PIECE - t->received ? len - (PIECE - t->received) : 0;
        t->d->wrong += over > 0 || memcmp(buf, t->d->piece + t->received, len - over) != 0;
        t->received += len - over;
    }
    if (t->received == PIECE) {
        note(t->lives ? &t->d->living : &t->d->opening, bench_now() - t->asked_at);
        t->pieces++;
        if (t->lives && !t->d->ending) {
            begin_piece(t);
        } else if (t->lives) {
            (void)!qms_stream_finish(st);
        }
    }
}

static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    struct talk *t = arg;
    struct during *d = t->d;

    if (err != QMS_OK || t->received != PIECE) {
        d->streams_reset++;
        blame(d, t->lives ? "a living stream" : "a new stream", err);
    }
    qms_stream_release(st);
    d->talking--;
    if (!d->ending && !t->lives) {
        talk_begin(d, t->pair, false);
    }
    free(t);
}

static void talk_begin(struct during *d, unsigned pair, bool lives)
{
    static const struct qms_stream_callbacks callbacks = {.size = sizeof(callbacks),
                                                          .on_readable = on_readable,
                                                          .on_writable = on_writable,
                                                          .on_closed = on_closed};
    struct talk *t = calloc(1, sizeof(*t));
    char target[32];

    /* Each asks another one, so that routes cross workers. */
    snprintf(target, sizeof(target), "answers-%u", (pair + 1) % PAIRS);
    if (t == NULL) {
        bench_die("out of memory");
    }
    *t = (struct talk){.d = d, .pair = pair, .lives = lives};
    if (qms_stream_open(d->asks[pair].conn, QMS_KIND_AGENT, target, QMS_OPEN_BIDI,
                        QMS_PRIORITY_NORMAL, NULL, &callbacks, t, &t->st) != QMS_OK) {
        bench_die("a stream could not be opened");
    }
    d->talking++;
    begin_piece(t);
}

/* ---- agents that stay ---- */

static void stays_ready(struct qms_connection *c, void *arg)
{
    (void)c;
    ((struct stayer *)arg)->ready = true;
}

/* A broker that is replaced asks its agents to move: that is no loss. */
static void stays_moving(struct qms_connection *c, void *arg, qms_err err, const char *reason,
                         unsigned attempt, qms_time delay)
{
    struct stayer *s = arg;
    (void)c, (void)attempt, (void)delay, (void)reason;

    if (err == QMS_E_WIRE_GOING_AWAY) {
        s->d->moved++;
    } else {
        s->d->connections_lost++;
        blame(s->d, reason, err);
    }
}

static void stays_closed(struct qms_connection *c, void *arg, qms_err err, uint64_t code,
                         const char *reason)
{
    struct stayer *s = arg;
    (void)c, (void)code, (void)reason;

    if (!s->d->ending) {
        s->d->connections_lost++;
        blame(s->d, "a connection", err);
    }
}

static struct qms_options *options(const struct bench *b, const char *id)
{
    struct qms_options *o = qms_options_new();

    if (o == NULL || qms_options_set_agent_id(o, id) != QMS_OK ||
        qms_options_set_token(o, b->token) != QMS_OK ||
        (b->pin != NULL && qms_options_add_certificate_pin(o, b->pin) != QMS_OK)) {
        bench_die("the options were refused");
    }
    qms_options_set_insecure(o, b->pin == NULL);
    return o;
}

static void stay(struct during *d, struct stayer *s, const char *kind, unsigned number)
{
    static const struct qms_connection_callbacks callbacks = {.size = sizeof(callbacks),
                                                              .on_ready = stays_ready,
                                                              .on_stream = on_stream,
                                                              .on_reconnecting = stays_moving,
                                                              .on_closed = stays_closed};
    char id[32];

    snprintf(id, sizeof(id), "%s-%u", kind, number);
    struct qms_options *o = options(d->bench, id);
    s->d = d;
    if (qms_options_set_reconnect(o, 10 * QMS_MILLISECOND, QMS_SECOND) != QMS_OK ||
        qms_connect(d->bench->client, o, d->bench->url, &callbacks, s, &s->conn) != QMS_OK) {
        bench_die("%s", qms_client_error(d->bench->client));
    }
    qms_options_free(o);
    for (double until = bench_now() + 10; !s->ready;) {
        if (bench_now() > until) {
            bench_die("%s could not connect within 10 s", id);
        }
        (void)qms_client_run(d->bench->client, 10 * QMS_MILLISECOND);
    }
}

/* ---- agents that come and go ---- */

static void comes_ready(struct qms_connection *c, void *arg)
{
    struct newcomer *n = arg;

    n->ready = true;
    note(&n->d->connecting, bench_now() - n->from);
    qms_connection_close(c, 0, NULL);
}

static void comes_closed(struct qms_connection *c, void *arg, qms_err err, uint64_t code,
                         const char *reason)
{
    struct newcomer *n = arg;
    (void)code, (void)reason;

    if (!n->ready) {
        n->d->handshakes_failed++;
        blame(n->d, "a handshake", err);
    }
    qms_connection_release(c);
    n->conn = NULL;
}

static void come(struct during *d)
{
    static const struct qms_connection_callbacks callbacks = {
        .size = sizeof(callbacks), .on_ready = comes_ready, .on_closed = comes_closed};
    struct newcomer *n = d->newcomers;

    while (n < d->newcomers + NEWCOMERS && n->conn != NULL) {
        n++;
    }
    if (n == d->newcomers + NEWCOMERS) {
        return; /* as many as may be are on their way; they are counted when they fail */
    }
    struct qms_options *o = options(d->bench, "");
    *n = (struct newcomer){.d = d, .from = bench_now()};
    if (qms_connect(d->bench->client, o, d->bench->url, &callbacks, n, &n->conn) != QMS_OK) {
        bench_die("%s", qms_client_error(d->bench->client));
    }
    qms_options_free(o);
}

/* ---- the run ---- */

static void turn(struct during *d)
{
    double now = bench_now();

    if (!d->ending && now >= d->next_at) {
        d->next_at = now + CONNECT_GAP;
        come(d);
    }
    (void)qms_client_run(d->bench->client, 5 * QMS_MILLISECOND);
}

static void run_for(struct during *d, double seconds)
{
    for (double until = bench_now() + seconds; bench_now() < until;) {
        turn(d);
    }
}

/* The command finds the broker that the bench has started in its environment. */
static pid_t start_command(const struct bench *b, const char *command)
{
    char conf[96], pid[16];

    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (b->broker > 0) {
            snprintf(conf, sizeof(conf), "%s/quicms.conf", b->dir);
            snprintf(pid, sizeof(pid), "%d", (int)b->broker);
            setenv("QUICMS_DIR", b->dir, 1);
            setenv("QUICMS_CONF", conf, 1);
            setenv("QUICMS_PID", pid, 1);
        }
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    if (child < 0) {
        bench_die("the command cannot be run: %s", strerror(errno));
    }
    return child;
}

static int run_command(struct during *d, const char *command, double *took)
{
    pid_t child = start_command(d->bench, command);
    double from = bench_now();
    int status = 0;

    while (waitpid(child, &status, WNOHANG) == 0) {
        if (bench_now() - from > AT_MOST) {
            bench_die("the command has not ended after %.0f s", AT_MOST);
        }
        turn(d);
    }
    *took = bench_now() - from;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void end(struct during *d)
{
    d->ending = true;
    for (double until = bench_now() + 30; d->talking > 0;) {
        if (bench_now() > until) {
            d->streams_reset += d->talking;
            snprintf(d->why, sizeof(d->why), "; %u streams did not end", d->talking);
            return;
        }
        turn(d);
    }
    run_for(d, 0.2); /* newcomers on their way */
}

static int report(const struct during *d, int status, double took)
{
    const struct bench *b = d->bench;
    uint64_t bad = d->connections_lost + d->handshakes_failed + d->streams_reset + d->wrong;
    double longest =
        d->living.longest > d->opening.longest ? d->living.longest : d->opening.longest;

    longest = d->connecting.longest > longest ? d->connecting.longest : longest;
    bench_row(b, "command", took, "s", "status %d%s", status, d->why);
    bench_row(b, "connections lost", (double)d->connections_lost, "",
              "of %d that stay; asked to move %llu times", 2 * PAIRS,
              (unsigned long long)d->moved);
    bench_row(b, "handshakes failed", (double)d->handshakes_failed, "",
              "of %llu; longest %.1f ms", (unsigned long long)d->connecting.count,
              d->connecting.longest * 1e3);
    bench_row(b, "streams reset", (double)d->streams_reset, "",
              "of %llu new ones and %d that live; %llu wrong pieces",
              (unsigned long long)d->opening.count, PAIRS, (unsigned long long)d->wrong);
    bench_row(b, "worst pause", longest * 1e3, "ms",
              "living streams %.1f, new streams %.1f, new connections %.1f",
              d->living.longest * 1e3, d->opening.longest * 1e3, d->connecting.longest * 1e3);
    return status != 0 ? status : bad > 0 ? 1 : 0;
}

int bench_during(struct bench *b, const char *command)
{
    struct during *d = calloc(1, sizeof(*d));
    double took = 0;

    if (d == NULL) {
        bench_die("out of memory");
    }
    d->bench = b;
    for (size_t i = 0; i < PIECE; i++) {
        d->piece[i] = (uint8_t)(i * 7 + i / 251);
    }
    for (unsigned i = 0; i < PAIRS; i++) {
        stay(d, &d->answers[i], "answers", i);
        stay(d, &d->asks[i], "asks", i);
    }
    for (unsigned i = 0; i < PAIRS; i++) {
        talk_begin(d, i, true);
        talk_begin(d, i, false);
    }
    run_for(d, BEFORE);
    int status = run_command(d, command, &took);
    run_for(d, AFTER);
    end(d);
    status = report(d, status, took);
    qms_client_free(b->client);
    b->client = NULL;
    free(d);
    return status;
}
