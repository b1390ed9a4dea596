/* SPDX-License-Identifier: MIT */
#include "test_broker_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/conf/files.h"
#include "qms_test.h"

#define START (1000 * QMS_SECOND)

/* ---- configuration ---- */

static const struct qms_conf_env env = {
    .prefix = "/c", .modules = probe_modules, .module_count = PROBE_MODULES};

struct qms_conf *fixture_conf(const char *quic, const char *server)
{
    static const char name[] = "/c/quicms.conf";
    char text[2048];
    uint8_t pack[4096] = {QMS_CONF_FILE_TEXT};
    uint32_t lens[2] = {sizeof(name) - 1};
    struct qms_diag diag = {0};

    lens[1] = (uint32_t)snprintf(
        text, sizeof(text),
        "quic { %s server { listen 127.0.0.1:4433 quic; tls self-signed; %s } }",
        quic != NULL ? quic : "", server != NULL ? server : "auth off;");
    memcpy(pack + 1, lens, sizeof(lens));
    memcpy(pack + 9, name, lens[0]);
    memcpy(pack + 9 + lens[0], text, lens[1]);

    struct qms_conf *conf = qms_conf_load_packed(
        (struct qms_bytes){pack, 9 + lens[0] + lens[1]}, "quicms.conf", &env, &diag);
    if (conf == NULL) {
        print_error("%s\n", diag.text);
    }
    return conf;
}

/* ---- agents ---- */

static struct stream *stream_new(struct agent *a, struct qms_session_stream *st, bool opener)
{
    struct stream *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    s->agent = a;
    s->st = st;
    s->opener = opener;
    s->reset = s->stop = s->result = -1;
    qms_list_append(&a->streams, &s->node);
    return s;
}

static void text_of(char *out, size_t cap, struct qms_bytes b)
{
    size_t len = b.len < cap - 1 ? b.len : cap - 1;

    if (len > 0) {
        memcpy(out, b.data, len);
    }
    out[len] = '\0';
}

static void a_welcome(struct qms_session *s, const struct qms_control *m)
{
    struct agent *a = qms_session_user(s);
    a->welcomed = true;
    text_of(a->id, sizeof(a->id), m->u.welcome.agent_id);
}
/* Of one that was dialed. */
static void a_hello(struct qms_session *s, const struct qms_control *m)
{
    struct agent *a = qms_session_user(s);
    struct qms_control welcome = {.type = QMS_MSG_WELCOME};

    text_of(a->id, sizeof(a->id), m->u.hello.agent_id);
    welcome.u.welcome.agent_id = m->u.hello.agent_id;
    welcome.u.welcome.max_header = QMS_ROUTE_HEADER_MAX;
    welcome.u.welcome.max_datagram = 1200;
    welcome.u.welcome.caps = a->f->granted;
    a->welcomed = qms_session_welcome(s, &welcome) == QMS_OK;
}
static void a_refused(struct qms_session *s, const struct qms_control *m)
{
    struct agent *a = qms_session_user(s);
    a->refused = (int)m->u.refused.status;
    text_of(a->close_reason, sizeof(a->close_reason), m->u.refused.reason);
}
static void a_control(struct qms_session *s, const struct qms_control *m)
{
    struct agent *a = qms_session_user(s);

    a->goaways += m->type == QMS_MSG_GOAWAY;
    a->throttled += m->type == QMS_MSG_THROTTLED;
    a->stats += m->type == QMS_MSG_STATS;
    if (m->type == QMS_MSG_STATS) {
        memcpy(a->last_stats, m->u.stats.values, sizeof(a->last_stats));
    }
    if (m->type == QMS_MSG_PRESENCE) {
        static const char *const marks[] = {"-", "+", "!"};
        size_t at = strlen(a->presence);
        at = at > sizeof(a->presence) - 256 ? 0 : at; /* the newest are kept */
        snprintf(a->presence + at, sizeof(a->presence) - at, "%s%.*s ",
                 marks[m->u.presence.state], (int)m->u.presence.name.len,
                 (const char *)m->u.presence.name.data);
    }
    if (m->type == QMS_MSG_REPLY && m->u.reply.req < 8) {
        a->replies[m->u.reply.req] = m->u.reply.status + 1;
    }
}
static void a_datagram(struct qms_session *s, enum qms_kind kind, struct qms_bytes name,
                       uint8_t priority, struct qms_bytes payload)
{
    struct agent *a = qms_session_user(s);

    (void)priority;
    a->datagrams++;
    a->datagram_kind = kind;
    text_of(a->datagram_from, sizeof(a->datagram_from), name);
    text_of(a->datagram, sizeof(a->datagram), payload);
}
static void a_route(struct qms_session_stream *st, const struct qms_route_header *h)
{
    struct agent *a = qms_session_user(st->session);
    struct stream *s = stream_new(a, st, false);

    st->user = s;
    text_of(s->source, sizeof(s->source), h->source);
    text_of(s->content_type, sizeof(s->content_type), h->content_type);
    text_of(s->meta, sizeof(s->meta), h->meta);
    text_of(s->traceparent, sizeof(s->traceparent), h->traceparent);
    s->flags = h->flags;
    s->priority = h->priority;
    s->kind = h->kind;
    s->length_hint = h->length_hint;
    s->deadline = h->accept_deadline_ms;
    s->has_hops = h->has_hops;
    s->has_original = h->has_original;
    s->original_kind = h->original_kind;
    text_of(s->original, sizeof(s->original), h->original_target);
    text_of(s->target, sizeof(s->target), h->target);
    s->has_seq = h->has_group_seq;
    s->group_seq = h->group_seq;
    s->has_token = h->stream_token.len > 0;
    if (h->extra.len >= 3) {
        s->extra_value = h->extra.data[h->extra.len - 1];
    }
    if (!a->hold) {
        stream_accept(s, a->answer);
    }
}
static void a_result(struct qms_session_stream *st, const struct qms_result *r)
{
    struct stream *s = st->user;
    s->result = (int)r->status;
    s->retry_after_ms = r->retry_after_ms;
    text_of(s->reason, sizeof(s->reason), r->reason);
    text_of(s->acceptor, sizeof(s->acceptor), r->acceptor);
    s->result_meta = r->meta.len;
}
static void a_data(struct qms_session_stream *st, struct qms_bytes data, bool fin)
{
    struct stream *s = st->user;

    for (size_t i = 0; i < data.len; i++) {
        if (s->received + i < sizeof(s->first) - 1) {
            s->first[s->received + i] = (char)data.data[i];
        }
        s->sum = s->sum * 31 + data.data[i];
    }
    s->received += data.len;
    s->unconsumed += data.len;
    s->fin = s->fin || fin;
    if (!s->agent->slow) {
        stream_consume(s);
    }
}
static void a_reset(struct qms_session_stream *st, uint8_t code)
{
    ((struct stream *)st->user)->reset = code;
}
static void a_stop(struct qms_session_stream *st, uint8_t code)
{
    ((struct stream *)st->user)->stop = code;
    qms_session_reset(st, code);
}
static void a_acked(struct qms_session_stream *st, uint64_t len)
{
    ((struct stream *)st->user)->acked += len;
}
static void a_priority(struct qms_session_stream *st)
{
    ((struct stream *)st->user)->priority_changes++;
}
static void a_skipped(struct qms_session_stream *st, uint64_t count)
{
    ((struct stream *)st->user)->skipped += count;
}
static void a_stream_closed(struct qms_session_stream *st)
{
    struct stream *s = st->user;
    if (s != NULL) {
        s->closed = true;
        s->st = NULL;
    }
}
static void a_closed(struct qms_session *s, const struct qms_link_close *why)
{
    struct agent *a = qms_session_user(s);
    a->closed = true;
    a->close_code = why->application ? (int)why->code : -2;
    if (a->refused < 0) {
        text_of(a->close_reason, sizeof(a->close_reason), why->reason);
    }
}

static const struct qms_session_events agent_events = {
    .on_hello = a_hello,
    .on_welcome = a_welcome,
    .on_refused = a_refused,
    .on_control = a_control,
    .on_datagram = a_datagram,
    .on_route = a_route,
    .on_result = a_result,
    .on_data = a_data,
    .on_reset = a_reset,
    .on_stop = a_stop,
    .on_acked = a_acked,
    .on_priority = a_priority,
    .on_skipped = a_skipped,
    .on_stream_closed = a_stream_closed,
    .on_closed = a_closed,
};

static void agent_free(struct agent *a)
{
    struct qms_list *node;

    qms_session_free(a->s);
    fake_pair_free(a->pair);
    while ((node = qms_list_first(&a->streams)) != NULL) {
        qms_list_remove(node);
        free(QMS_CONTAINER(node, struct stream, node));
    }
    free(a);
}

static struct agent *agent_new(struct broker_fixture *f, bool connecting,
                               const struct fake_config *config)
{
    struct agent *a = calloc(1, sizeof(*a));

    assert_non_null(a);
    a->f = f;
    a->refused = a->close_code = -1;
    qms_list_init(&a->streams);
    a->pair = fake_pair_new(config);
    assert_non_null(a->pair);
    fake_link_advance(a->pair, f->elapsed);
    a->s = qms_session_new(fake_pair_link(a->pair, 0), connecting, NULL, &agent_events, a);
    return a;
}

static qms_err dial(void *arg, const struct qms_upstream_conf *u,
                    const struct qms_upstream_agent *agent, struct qms_dialer *dialer,
                    struct qms_peer **peer)
{
    struct broker_fixture *f = arg;
    struct agent *a = agent_new(f, false, NULL);

    (void)u, (void)agent;
    assert_non_null(a->s);
    assert_true(f->agent_count < AGENTS_MAX);
    f->agents[f->agent_count++] = a;
    return qms_broker_dialed(f->broker, dialer, fake_pair_link(a->pair, 1), NULL, NULL, peer);
}

void fixture_listens(struct broker_fixture *f)
{
    struct qms_broker_hooks *hooks = qms_broker_hooks(f->broker);

    hooks->dial = dial;
    hooks->dial_arg = f;
    settle(f);
}

struct agent *agent_connect_over(struct broker_fixture *f, const char *id, const char *token,
                                 const struct fake_config *config)
{
    struct qms_control hello = {.type = QMS_MSG_HELLO};
    bool silent = id == NULL;
    struct agent *a = agent_new(f, true, config);

    hello.u.hello.min_version = hello.u.hello.max_version = QMS_WIRE_VERSION;
    id = silent ? "" : id;
    hello.u.hello.agent_id = qms_str(id, strlen(id));
    if (token != NULL) {
        hello.u.hello.auth_scheme = QMS_AUTH_TOKEN;
        hello.u.hello.auth = (struct qms_bytes){(const uint8_t *)token, strlen(token)};
    }
    if (a->s == NULL || (!silent && qms_session_hello(a->s, &hello) != QMS_OK) ||
        qms_broker_accept(f->broker, &f->conf->servers[0], fake_pair_link(a->pair, 1), NULL,
                          NULL) != QMS_OK) {
        agent_free(a);
        return NULL;
    }
    assert_true(f->agent_count < AGENTS_MAX);
    f->agents[f->agent_count++] = a;
    settle(f);
    return a;
}

struct agent *agent_connect(struct broker_fixture *f, const char *id, const char *token)
{
    return agent_connect_over(f, id, token, NULL);
}

int agent_ask(struct agent *a, struct qms_control *m)
{
    m->u.join.req = 7; /* every one of them begins with its number */
    a->replies[7] = 0;
    assert_int_equal(qms_session_send(a->s, m), QMS_OK);
    settle(a->f);
    return (int)a->replies[7] - 1;
}

int agent_join(struct agent *a, enum qms_kind kind, const char *name)
{
    struct qms_control m = {.type = QMS_MSG_JOIN};

    m.u.join.kind = kind;
    m.u.join.name = qms_str(name, strlen(name));
    return agent_ask(a, &m);
}

void agent_die(struct agent *a)
{
    fake_link_break(a->pair, QMS_E_IDLE);
}

struct stream *agent_open_with(struct agent *a, bool bidi, const struct qms_route_header *h)
{
    struct qms_session_stream *st;

    if (a->closed || qms_session_open(a->s, bidi, h, NULL, &st) != QMS_OK) {
        return NULL;
    }
    st->user = stream_new(a, st, true);
    return st->user;
}

struct stream *agent_open(struct agent *a, enum qms_kind kind, const char *target, bool bidi,
                          uint8_t priority)
{
    struct qms_route_header h = {
        .kind = (uint8_t)kind,
        .priority = priority,
        .target = {(const uint8_t *)target, strlen(target)},
    };
    return agent_open_with(a, bidi, &h);
}

struct stream *agent_stream(struct agent *a, unsigned n)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &a->streams) {
        if (n-- == 0) {
            return QMS_CONTAINER(node, struct stream, node);
        }
    }
    return NULL;
}

struct stream *agent_incoming(struct agent *a, unsigned n)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &a->streams) {
        struct stream *s = QMS_CONTAINER(node, struct stream, node);
        if (!s->opener && n-- == 0) {
            return s;
        }
    }
    return NULL;
}

unsigned agent_had(struct agent *a)
{
    unsigned n = 0;

    while (agent_incoming(a, n) != NULL) {
        n++;
    }
    return n;
}

static void write_bytes(struct stream *s, struct qms_bytes bytes)
{
    struct qms_blob *blob = qms_blob_copy(bytes);

    if (blob != NULL && s->st != NULL) {
        qms_err err = qms_session_write(s->st, blob, 0, bytes.len);
        assert_true(err == QMS_OK || err == QMS_E_NOMEM || err == QMS_E_CLOSED);
    }
    qms_blob_unref(blob);
}

void stream_write(struct stream *s, const char *text)
{
    write_bytes(s, (struct qms_bytes){(const uint8_t *)text, strlen(text)});
}

uint32_t stream_pour(struct stream *s, size_t len)
{
    uint8_t *data = malloc(len);
    uint32_t sum = 0;

    assert_non_null(data);
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)(i * 7 + i / 251);
        sum = sum * 31 + data[i];
    }
    write_bytes(s, (struct qms_bytes){data, len});
    free(data);
    return sum;
}

void stream_consume(struct stream *s)
{
    if (s->st != NULL) {
        qms_session_consume(s->st, (size_t)s->unconsumed);
        s->unconsumed = 0;
    }
}

void stream_accept(struct stream *s, uint8_t status)
{
    if (s->st != NULL) {
        qms_err err = qms_session_result(s->st, &(struct qms_result){.status = status});
        assert_true(err == QMS_OK || err == QMS_E_NOMEM);
    }
}

/* ---- the world ---- */

bool fixture_try_start(struct broker_fixture *f, const char *quic, const char *server)
{
    struct qms_diag diag = {0};

    *f = (struct broker_fixture){0};
    probe = (struct probe){0};
    f->conf = fixture_conf(quic, server);
    f->broker = f->conf != NULL ? qms_broker_new(f->conf, START, &diag) : NULL;
    if (f->broker == NULL) {
        qms_conf_unref(f->conf);
        return false;
    }
    return true;
}

int fixture_start(struct broker_fixture *f, const char *quic, const char *server)
{
    assert_true(fixture_try_start(f, quic, server));
    return 0;
}

void fixture_close(struct broker_fixture *f)
{
    qms_broker_close_all(f->broker, QMS_CODE_GOING_AWAY, "over");
    settle(f);
    advance(f, 10 * QMS_SECOND); /* refused sessions linger */
}

void fixture_free(struct broker_fixture *f)
{
    assert_int_equal(qms_broker_peer_count(f->broker), 0);
    assert_int_equal(qms_broker_route_count(f->broker), 0);
    qms_broker_free(f->broker);
    for (unsigned i = 0; i < f->agent_count; i++) {
        agent_free(f->agents[i]);
    }
    qms_conf_unref(f->conf);
}

void fixture_nothing_left(void)
{
    assert_int_equal(probe.peers, probe.gones);
    assert_int_equal(probe.opens, probe.closes);
    qms_blob_trim();
    assert_int_equal(qms_blob_total(), 0);
}

void fixture_stop(struct broker_fixture *f)
{
    fixture_close(f);
    fixture_free(f);
    fixture_nothing_left();
}

qms_time fixture_now(const struct broker_fixture *f)
{
    return START + f->elapsed;
}

static bool step_one(struct broker_fixture *f, size_t chunk)
{
    unsigned agents = f->agent_count;
    bool moved = false;

    for (unsigned i = 0; i < agents; i++) {
        moved = fake_link_pump(f->agents[i]->pair, chunk) || moved;
        if (!f->agents[i]->closed && qms_session_next_at(f->agents[i]->s) <= fixture_now(f)) {
            qms_session_expire(f->agents[i]->s, fixture_now(f));
        }
    }
    if (f->mesh != NULL) {
        moved = qms_mesh_read(f->mesh) || moved;
    }
    bool due = qms_broker_next_at(f->broker) <= fixture_now(f);
    qms_broker_turn(f->broker, fixture_now(f));
    (void)qms_broker_flush_mesh(f->broker);
    return moved || due || f->agent_count > agents || /* it has dialed */
           qms_broker_next_at(f->broker) <= fixture_now(f);
}

bool step(struct broker_fixture *f, size_t chunk)
{
    bool moved = step_one(f, chunk);

    return (f->other != NULL && step_one(f->other, chunk)) || moved;
}

/* A message in a ring is seen by who reads it only. */
#define QUIET_TURNS 4

void settle(struct broker_fixture *f)
{
    unsigned turns = 0, quiet = 0;

    while (quiet < (f->other != NULL ? QUIET_TURNS : 1)) {
        quiet = step(f, 0) ? 0 : quiet + 1;
        assert_true(++turns < 100000);
    }
}

static void move_clock(struct broker_fixture *f, qms_time by)
{
    f->elapsed += by;
    for (unsigned i = 0; i < f->agent_count; i++) {
        fake_link_advance(f->agents[i]->pair, by);
    }
}

void advance(struct broker_fixture *f, qms_time by)
{
    move_clock(f, by);
    if (f->other != NULL) {
        move_clock(f->other, by);
    }
    settle(f);
}

uint64_t counted(const struct broker_fixture *f, enum qms_stats_id id)
{
    return qms_stats_get(qms_broker_stats(f->broker), id);
}
