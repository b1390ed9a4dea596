/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "test_h3_world.h"

void bytes_add(struct bytes *b, const void *data, size_t len)
{
    if (b->len + len + 1 > b->cap) {
        b->cap = 2 * (b->len + len + 1);
        b->data = realloc(b->data, b->cap);
        assert_non_null(b->data);
    }
    if (len > 0) {
        memcpy(b->data + b->len, data, len);
    }
    b->len += len;
    b->data[b->len] = 0;
}

static void copy_text(char *out, size_t room, const uint8_t *data, size_t len)
{
    len = len < room - 1 ? len : room - 1;
    if (len > 0) {
        memcpy(out, data, len);
    }
    out[len] = 0;
}

/* --- the browser's link --- */

static struct page_stream *page_add(struct world *w, struct qms_link_stream *st)
{
    struct page_stream *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    assert_true(w->page_count < WORLD_STREAMS);
    s->w = w;
    s->st = st;
    s->id = st->id;
    st->user = s;
    w->page[w->page_count++] = s;
    return s;
}

static void page_on_ready(struct qms_link *link)
{
    (void)link;
}

static void page_on_stream(struct qms_link *link, struct qms_link_stream *st)
{
    page_add(link->user, st);
}

/* Server streams of HTTP/3's own: those that do not start like 0x54. */
static bool for_http(struct page_stream *s, struct qms_bytes data)
{
    if (!s->seen && s->st != NULL && !s->st->local && !s->st->bidi && data.len > 0) {
        s->http = data.data[0] != 0x40;
        s->seen = true;
    }
    return s->http;
}

static void page_on_data(struct qms_link_stream *st, struct qms_bytes data, bool fin)
{
    struct page_stream *s = st->user;
    struct world *w = s->w;

    bytes_add(&s->raw, data.data, data.len);
    s->fin = fin;
    s->id = st->id;
    w->client->ops->consume(st, data.len);
    if (for_http(s, data) && w->http_error == 0) {
        nghttp3_ssize n = nghttp3_conn_read_stream(w->http, st->id, data.data, data.len, fin);
        w->http_error = n < 0 ? (int)n : 0;
    }
}

static void page_on_reset(struct qms_link_stream *st, uint64_t code)
{
    struct page_stream *s = st->user;
    s->reset = true;
    s->reset_code = code;
}

static void page_on_stop(struct qms_link_stream *st, uint64_t code)
{
    struct page_stream *s = st->user;
    s->stopped = true;
    s->stop_code = code;
    s->w->client->ops->reset(st, code);
}

static void page_on_acked(struct qms_link_stream *st, uint64_t len)
{
    (void)st, (void)len;
}

static void page_on_stream_closed(struct qms_link_stream *st)
{
    struct page_stream *s = st->user;
    s->st = NULL;
}

static void page_on_datagram(struct qms_link *link, struct qms_bytes data)
{
    struct world *w = link->user;
    w->datagram_count++;
    bytes_add(&w->datagrams, data.data, data.len);
}

static void page_on_closed(struct qms_link *link, const struct qms_link_close *why)
{
    struct world *w = link->user;
    w->client = NULL;
    w->client_why = *why;
    copy_text(w->client_reason, sizeof(w->client_reason), why->reason.data, why->reason.len);
    w->client_why.reason = (struct qms_bytes){NULL, 0};
}

static const struct qms_link_events page_events = {
    page_on_ready, page_on_stream,        page_on_data,     page_on_reset,  page_on_stop,
    page_on_acked, page_on_stream_closed, page_on_datagram, page_on_closed,
};

/* --- the browser's HTTP --- */

static int http_header(nghttp3_conn *conn, int64_t id, int32_t token, nghttp3_rcbuf *name,
                       nghttp3_rcbuf *value, uint8_t flags, void *user, void *stream_user)
{
    struct page_stream *s = stream_user;
    nghttp3_vec n = nghttp3_rcbuf_get_buf(name), v = nghttp3_rcbuf_get_buf(value);
    static const struct {
        const char *name;
        size_t offset, size;
    } kept[] = {
        {"content-type", offsetof(struct page_stream, type), 64},
        {"content-length", offsetof(struct page_stream, length), 32},
        {"wt-protocol", offsetof(struct page_stream, wt_protocol), 64},
        {"allow", offsetof(struct page_stream, allow), 32},
        {"etag", offsetof(struct page_stream, etag), 64},
        {"last-modified", offsetof(struct page_stream, modified), 64},
        {"cache-control", offsetof(struct page_stream, cache), 32},
        {"content-security-policy", offsetof(struct page_stream, csp), 256},
    };

    (void)conn, (void)id, (void)flags, (void)user;
    if (token == NGHTTP3_QPACK_TOKEN__STATUS) {
        s->status = (int)strtol((const char *)v.base, NULL, 10);
    }
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        if (n.len == strlen(kept[i].name) && memcmp(n.base, kept[i].name, n.len) == 0) {
            copy_text((char *)s + kept[i].offset, kept[i].size, v.base, v.len);
        }
    }
    return 0;
}

static int http_data(nghttp3_conn *conn, int64_t id, const uint8_t *data, size_t len,
                     void *user, void *stream_user)
{
    struct page_stream *s = stream_user;
    (void)conn, (void)id, (void)user;
    bytes_add(&s->body, data, len);
    return 0;
}

static nghttp3_ssize http_nothing(nghttp3_conn *conn, int64_t id, nghttp3_vec *vec,
                                  size_t count, uint32_t *flags, void *user, void *stream_user)
{
    (void)conn, (void)id, (void)vec, (void)count, (void)flags, (void)user, (void)stream_user;
    return NGHTTP3_ERR_WOULDBLOCK;
}

static struct page_stream *page_by_id(struct world *w, int64_t id)
{
    for (size_t i = 0; i < w->page_count; i++) {
        if (w->page[i]->id == id) {
            return w->page[i];
        }
    }
    return NULL;
}

static void http_pump(struct world *w)
{
    nghttp3_vec vec[16];
    int64_t id;
    int fin;
    nghttp3_ssize n;

    while (w->http_bound && w->client != NULL && w->http_error == 0 &&
           (n = nghttp3_conn_writev_stream(w->http, &id, &fin, vec, 16)) >= 0 && id >= 0) {
        struct page_stream *s = page_by_id(w, id);
        size_t len = 0;
        for (nghttp3_ssize i = 0; i < n; i++) {
            len += vec[i].len;
            if (s != NULL && s->st != NULL && !(w->settings_held && s == w->own[0])) {
                page_send(s, vec[i].base, vec[i].len);
            }
        }
        assert_int_equal(nghttp3_conn_add_write_offset(w->http, id, len), 0);
        assert_int_equal(nghttp3_conn_add_ack_offset(w->http, id, len), 0);
        if (fin && s != NULL) {
            page_fin(s);
        }
    }
}

static nghttp3_conn *http_new(struct world *w)
{
    static const nghttp3_callbacks callbacks = {.recv_header = http_header,
                                                .recv_data = http_data};
    nghttp3_settings settings;
    nghttp3_conn *conn;

    nghttp3_settings_default(&settings);
    settings.h3_datagram = 1;
    settings.qpack_max_dtable_capacity = 4096;
    settings.qpack_blocked_streams = 100;
    assert_int_equal(nghttp3_conn_client_new(&conn, &callbacks, &settings, NULL, w), 0);
    return conn;
}

/* --- the server's owner and its sessions' user --- */

static void event(struct world *w, struct qms_link *session)
{
    struct user *u = session->user;

    u->events++;
    assert_false(u->closed);
    assert_true(session->now == fake_link_now(w->pair));
    w->event_count++;
    if (w->at_event != NULL) {
        w->at_event(w, session, w->event_count);
    }
}

static struct user_stream *user_add(struct world *w, struct qms_link_stream *st)
{
    struct user_stream *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    assert_true(w->stream_count < WORLD_STREAMS);
    s->w = w;
    s->st = st;
    s->local = st->local;
    st->user = s;
    w->streams[w->stream_count++] = s;
    return s;
}

static struct user_stream *user_of(struct qms_link_stream *st)
{
    /* A stream that a test opened itself is adopted with its first event. */
    if (st->user == NULL) {
        user_add(((struct user *)st->link->user)->w, st);
    }
    return st->user;
}

static void user_on_ready(struct qms_link *session)
{
    struct user *u = session->user;
    u->ready = true;
    event(u->w, session);
}

static void user_on_stream(struct qms_link *session, struct qms_link_stream *st)
{
    struct user *u = session->user;
    assert_true(u->ready);
    user_add(u->w, st);
    event(u->w, session);
}

static void user_on_data(struct qms_link_stream *st, struct qms_bytes data, bool fin)
{
    struct user_stream *s = user_of(st);
    assert_false(s->fin);
    assert_false(s->reset);
    bytes_add(&s->in, data.data, data.len);
    s->fin = fin;
    if (!s->w->keep_credit) {
        st->link->ops->consume(st, data.len);
    }
    event(s->w, st->link);
}

static void user_on_reset(struct qms_link_stream *st, uint64_t code)
{
    struct user_stream *s = user_of(st);
    s->reset = true;
    s->reset_code = code;
    event(s->w, st->link);
}

static void user_on_stop(struct qms_link_stream *st, uint64_t code)
{
    struct user_stream *s = user_of(st);
    s->stopped = true;
    s->stop_code = code;
    st->link->ops->reset(st, code);
    event(s->w, st->link);
}

static void user_on_acked(struct qms_link_stream *st, uint64_t len)
{
    struct user_stream *s = user_of(st);
    s->acked += len;
    event(s->w, st->link);
}

static void user_on_stream_closed(struct qms_link_stream *st)
{
    struct user_stream *s = user_of(st);
    struct qms_link *session = st->link;
    s->st = NULL;
    event(s->w, session);
}

static void user_on_datagram(struct qms_link *session, struct qms_bytes data)
{
    struct user *u = session->user;
    u->w->user_datagram_count++;
    bytes_add(&u->w->user_datagrams, data.data, data.len);
    event(u->w, session);
}

static void user_on_closed(struct qms_link *session, const struct qms_link_close *why)
{
    struct user *u = session->user;
    struct world *w = u->w;

    for (size_t i = 0; i < w->stream_count; i++) {
        assert_true(w->streams[i]->st == NULL || w->streams[i]->st->link != session);
    }
    event(w, session);
    u->session = NULL;
    u->closed = true;
    u->why = *why;
    copy_text(u->reason, sizeof(u->reason), why->reason.data, why->reason.len);
    u->why.reason = (struct qms_bytes){NULL, 0};
}

static const struct qms_link_events user_events = {
    user_on_ready, user_on_stream,        user_on_data,     user_on_reset,  user_on_stop,
    user_on_acked, user_on_stream_closed, user_on_datagram, user_on_closed,
};

static int on_session_request(struct qms_h3 *h3, const struct qms_h3_request *req)
{
    struct world *w = qms_h3_user(h3);
    const struct qms_bytes parts[] = {req->authority, req->path, req->query, req->origin,
                                      req->protocols};

    w->asked.len = 0;
    for (size_t i = 0; i < 5; i++) {
        bytes_add(&w->asked, parts[i].data, parts[i].len);
        bytes_add(&w->asked, "|", 1);
    }
    w->asked_count++;
    return w->answer;
}

static void on_session(struct qms_h3 *h3, struct qms_link *session)
{
    struct world *w = qms_h3_user(h3);
    struct user *u = &w->users[w->user_count++];

    assert_true(w->user_count <= WORLD_USERS);
    assert_ptr_equal(qms_h3_of_session(session), h3);
    u->w = w;
    u->session = session;
    session->events = &user_events;
    session->user = u;
}

static void on_request(struct qms_h3 *h3, int status, struct qms_bytes path, uint64_t body_len)
{
    struct world *w = qms_h3_user(h3);
    (void)path;
    w->requests++;
    w->last_status = status;
    w->last_body = body_len;
}

static void on_closed(struct qms_h3 *h3, const struct qms_link_close *why)
{
    struct world *w = qms_h3_user(h3);
    w->h3 = NULL;
    w->server_why = *why;
    w->server_why.reason = (struct qms_bytes){NULL, 0};
}

static int root_of(struct qms_h3 *h3, struct qms_bytes path)
{
    const struct world *w = qms_h3_user(h3);

    return path.len >= 7 && memcmp(path.data, "/second", 7) == 0 ? w->second_fd : w->root_fd;
}

static const struct qms_h3_events h3_events = {
    .on_session_request = on_session_request,
    .on_session = on_session,
    .root_of = root_of,
    .on_request = on_request,
    .on_closed = on_closed,
};

/* --- the world --- */

struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    w->pair = fake_pair_new(NULL);
    assert_non_null(w->pair);
    w->client = fake_pair_link(w->pair, 0);
    w->client->events = &page_events;
    w->client->user = w;
    w->http = http_new(w);
    w->config =
        (struct qms_h3_config){.max_sessions = 1, .held_bytes = 65536, .held_streams = 16};
    w->root_fd = w->second_fd = -1;
    w->answer = 200;
    w->h3 = qms_h3_new(fake_pair_link(w->pair, 1), &w->config, &h3_events, w);
    return w;
}

void world_free(struct world *w)
{
    /* An orderly end, so that the leak checker sees everything that was forgotten. */
    fake_link_break(w->pair, QMS_E_IDLE);
    fake_link_settle(w->pair);
    assert_true(w->h3 == NULL);
    fake_pair_free(w->pair);
    nghttp3_conn_del(w->http);
    for (size_t i = 0; i < w->page_count; i++) {
        free(w->page[i]->raw.data);
        free(w->page[i]->body.data);
        free(w->page[i]);
    }
    for (size_t i = 0; i < w->stream_count; i++) {
        free(w->streams[i]->in.data);
        free(w->streams[i]);
    }
    free(w->datagrams.data);
    free(w->user_datagrams.data);
    free(w->asked.data);
    free(w);
}

int world_setup(void **state)
{
    struct world *w = world_new();
    assert_non_null(w->h3);
    *state = w;
    return 0;
}

int world_teardown(void **state)
{
    world_free(*state);
    assert_int_equal(qms_blob_total(), 0);
    qms_blob_trim();
    return 0;
}

static void expire(struct world *w)
{
    if (w->h3 != NULL && qms_h3_next_at(w->h3) <= fake_link_now(w->pair)) {
        qms_h3_expire(w->h3, fake_link_now(w->pair));
    }
}

static bool turn(struct world *w, size_t chunk)
{
    if (++w->turn == w->fail_turn) {
        qms_mem_fail_after(w->fail_after);
    }
    bool moved = fake_link_pump(w->pair, chunk);
    qms_mem_fail_after(UINT64_MAX);
    return moved;
}

void world_run_by(struct world *w, size_t chunk)
{
    for (int i = 0; i < 4; i++) {
        do {
            http_pump(w);
        } while (turn(w, chunk));
        expire(w);
    }
}

void world_run(struct world *w)
{
    world_run_by(w, 0);
}

void world_wait(struct world *w, qms_time by)
{
    fake_link_advance(w->pair, by);
    expire(w);
    world_run(w);
}

void world_start(struct world *w)
{
    for (int i = 0; i < 3; i++) {
        w->own[i] = page_open(w, false);
    }
    assert_int_equal(nghttp3_conn_bind_control_stream(w->http, w->own[0]->id), 0);
    assert_int_equal(nghttp3_conn_bind_qpack_streams(w->http, w->own[1]->id, w->own[2]->id), 0);
    w->http_bound = true;
    http_pump(w);
    world_wait(w, 20 * QMS_MILLISECOND);
}

struct page_stream *page_open(struct world *w, bool bidi)
{
    struct qms_link_stream *st;

    assert_non_null(w->client);
    assert_int_equal(w->client->ops->open(w->client, bidi, 128, &st), QMS_OK);
    struct page_stream *s = page_add(w, st);
    /* One turn gives it its id; nothing of it is sent, for nothing was written. */
    fake_link_pump(w->pair, 0);
    s->id = st->id;
    assert_true(s->id >= 0);
    return s;
}

void page_send(struct page_stream *s, const void *data, size_t len)
{
    struct qms_blob *blob = qms_blob_copy((struct qms_bytes){data, len});

    assert_non_null(blob);
    if (s->st != NULL) {
        (void)s->w->client->ops->write(s->st, blob, 0, len);
    }
    qms_blob_unref(blob);
}

void page_fin(struct page_stream *s)
{
    if (s->st != NULL) {
        s->w->client->ops->finish(s->st);
    }
}

struct page_stream *page_request(struct world *w, int open, ...)
{
    static const nghttp3_data_reader nothing = {http_nothing};
    nghttp3_nv nv[32];
    size_t n = 0;
    va_list ap;

    va_start(ap, open);
    for (const char *name; (name = va_arg(ap, const char *)) != NULL; n++) {
        const char *value = va_arg(ap, const char *);
        assert_true(n < 32);
        nv[n] = (nghttp3_nv){(const uint8_t *)name, (const uint8_t *)value, strlen(name),
                             strlen(value), NGHTTP3_NV_FLAG_NONE};
    }
    va_end(ap);
    struct page_stream *s = page_open(w, true);
    s->http = true;
    assert_int_equal(
        nghttp3_conn_submit_request(w->http, s->id, nv, n, open ? &nothing : NULL, s), 0);
    http_pump(w);
    return s;
}

struct page_stream *page_get(struct world *w, const char *path)
{
    return page_request(w, 0, ":method", "GET", ":scheme", "https", ":authority", "b.test",
                        ":path", path, NULL);
}

struct page_stream *page_connect(struct world *w)
{
    return page_request(w, 1, ":method", "CONNECT", ":protocol", "webtransport", ":scheme",
                        "https", ":authority", "b.test", ":path", "/quicms?x=1", "origin",
                        "https://page.test", "sec-webtransport-http3-draft02", "1",
                        "wt-available-protocols", "\"other\", \"quicms-1\"", NULL);
}

void page_capsule(struct page_stream *s, const void *data, size_t len)
{
    uint8_t head[3] = {0x00, (uint8_t)(0x40 | len >> 8), (uint8_t)len};

    assert_true(len < 0x4000);
    page_send(s, head, sizeof(head));
    page_send(s, data, len);
}

struct page_stream *page_session(struct world *w)
{
    world_start(w);
    struct page_stream *connect = page_connect(w);
    world_run(w);
    assert_int_equal(connect->status, 200);
    assert_true(w->users[0].ready);
    return connect;
}

struct page_stream *page_from_server(struct world *w, size_t n)
{
    for (size_t i = 0; i < w->page_count; i++) {
        struct page_stream *s = w->page[i];
        if (s->id % 2 == 1 && !s->http && n-- == 0) {
            return s;
        }
    }
    return NULL;
}

bool world_closed(const struct world *w, uint64_t *code)
{
    *code = w->client_why.code;
    return w->client == NULL && w->h3 == NULL;
}
