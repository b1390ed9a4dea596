/* SPDX-License-Identifier: MIT */
#include "test_quic_rig.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "qms_test.h"

static const char *const alpns[] = {"quicms/1", "h3", NULL};

#define FNV_START 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

static uint64_t fnv(uint64_t h, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        h = (h ^ p[i]) * FNV_PRIME;
    }
    return h;
}

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 2654435761u >> 13);
}

uint64_t rig_hash(size_t len)
{
    uint64_t h = FNV_START;

    for (size_t i = 0; i < len; i++) {
        uint8_t b = pattern(i);
        h = fnv(h, &b, 1);
    }
    return h;
}

/* ---- events ---- */

static struct rig_side *side_of(struct qms_link *link)
{
    return link->user;
}

struct rig_stream *rig_note(struct rig_side *side, struct qms_link_stream *st)
{
    struct rig_stream *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    s->st = st;
    s->id = st->id;
    s->side = side;
    s->sum = FNV_START;
    s->next = side->streams;
    side->streams = s;
    st->user = s;
    side->opened++;
    return s;
}

static void hook(struct qms_link *link, const char *event)
{
    struct rig_side *side = side_of(link);

    if (side->hook != NULL && ++side->events == side->hook_at) {
        side->hook(side, link, event);
    }
}

static void on_ready(struct qms_link *link)
{
    hook(link, "ready");
    side_of(link)->ready = true;
}

static void on_stream(struct qms_link *link, struct qms_link_stream *st)
{
    (void)rig_note(side_of(link), st);
    hook(link, "stream");
}

static void echo_back(struct rig_stream *s, struct qms_bytes data, bool fin)
{
    struct qms_blob *blob = qms_blob_copy(data);

    if (data.len > 0) {
        qms_err err = s->st->link->ops->write(s->st, blob, 0, data.len);
        assert_true(err == QMS_OK || err == QMS_E_CLOSED);
    }
    qms_blob_unref(blob);
    if (fin) {
        s->st->link->ops->finish(s->st);
    }
}

static void on_data(struct qms_link_stream *st, struct qms_bytes data, bool fin)
{
    struct rig_stream *s = st->user;
    struct rig_side *side = s->side;

    hook(st->link, "data");
    s->received += data.len;
    side->received += data.len;
    s->sum = fnv(s->sum, data.data, data.len);
    if (!side->hold) {
        st->link->ops->consume(st, data.len);
    }
    if (fin) {
        s->fin = true;
        s->order = (unsigned)++side->finished;
    }
    if (side->echo && st->bidi) {
        echo_back(s, data, fin);
    }
}

static void on_reset(struct qms_link_stream *st, uint64_t code)
{
    struct rig_stream *s = st->user;

    hook(st->link, "reset");
    s->reset = true;
    s->reset_code = code;
}

static void on_stop(struct qms_link_stream *st, uint64_t code)
{
    struct rig_stream *s = st->user;

    hook(st->link, "stop");
    s->stopped = true;
    s->stop_code = code;
}

static void on_acked(struct qms_link_stream *st, uint64_t len)
{
    hook(st->link, "acked");
    ((struct rig_stream *)st->user)->acked += len;
}

static void on_stream_closed(struct qms_link_stream *st)
{
    struct rig_stream *s = st->user;

    hook(st->link, "stream closed");
    s->id = st->id;
    s->st = NULL;
    s->closed = true;
    s->side->closed_streams++;
}

static void on_datagram(struct qms_link *link, struct qms_bytes data)
{
    struct rig_side *side = side_of(link);

    hook(link, "datagram");
    side->last_datagram_len = data.len;
    if (data.len > 0) {
        memcpy(side->last_datagram, data.data,
               data.len < sizeof(side->last_datagram) ? data.len : sizeof(side->last_datagram));
        side->datagram_first[side->datagrams & 255] = data.data[0];
    }
    side->datagrams++;
}

static void on_closed(struct qms_link *link, const struct qms_link_close *why)
{
    struct rig_side *side = side_of(link);
    size_t len =
        why->reason.len < sizeof(side->reason) - 1 ? why->reason.len : sizeof(side->reason) - 1;

    hook(link, "closed");
    assert_false(side->closed);
    side->closed = true;
    side->why = *why;
    memset(side->reason, 0, sizeof(side->reason));
    if (len > 0) {
        memcpy(side->reason, why->reason.data, len);
    }
    side->link = NULL;
    for (struct rig_stream *s = side->streams; s != NULL; s = s->next) {
        assert_true(s->closed);
    }
}

static const struct qms_link_events events = {
    .on_ready = on_ready,
    .on_stream = on_stream,
    .on_data = on_data,
    .on_reset = on_reset,
    .on_stop = on_stop,
    .on_acked = on_acked,
    .on_stream_closed = on_stream_closed,
    .on_datagram = on_datagram,
    .on_closed = on_closed,
};

void rig_adopt(struct rig_side *side, struct qms_quic_conn *conn)
{
    side->link = qms_quic_conn_link(conn);
    side->link->events = &events;
    side->link->user = side;
}

static bool on_admit(struct qms_endpoint *ep, const struct sockaddr *remote)
{
    struct rig_side *side = qms_endpoint_user(ep);

    assert_int_equal(remote->sa_family, side->rig->address.ss_family);
    if (side->refuse) {
        return false;
    }
    side->admitted++;
    return true;
}

static void on_connection(struct qms_endpoint *ep, struct qms_quic_conn *conn,
                          struct qms_bytes alpn)
{
    struct rig_side *side = qms_endpoint_user(ep);

    memcpy(side->alpn, alpn.data, alpn.len);
    side->alpn[alpn.len] = '\0';
    rig_adopt(side, conn);
}

static void on_handshake_failed(struct qms_endpoint *ep, const struct sockaddr *remote,
                                const char *reason)
{
    struct rig_side *side = qms_endpoint_user(ep);

    assert_non_null(remote);
    assert_non_null(reason);
    side->failed++;
}

static const struct qms_endpoint_events endpoint_events = {
    .on_admit = on_admit,
    .on_connection = on_connection,
    .on_handshake_failed = on_handshake_failed,
};

/* ---- loop ---- */

static void watch(struct qms_endpoint *ep, int fd, bool on, bool want_write)
{
    struct rig_side *side = qms_endpoint_user(ep);
    struct rig *r = side->rig;
    size_t i = 0;

    while (i < r->fd_count && r->fds[i].fd != fd) {
        i++;
    }
    if (!on) {
        assert_true(i < r->fd_count);
        r->fds[i] = r->fds[--r->fd_count];
        return;
    }
    if (i == r->fd_count) {
        assert_true(r->fd_count < RIG_FDS);
        r->fds[r->fd_count++].fd = fd;
        r->fds[i].side = side;
    }
    r->fds[i].want_write = want_write;
    r->blocked += want_write;
}

static void expire(struct rig_side *side)
{
    qms_time now = qms_clock_now();

    if (qms_endpoint_next_at(side->ep) <= now) {
        qms_endpoint_expire(side->ep, now);
    }
    qms_endpoint_flush(side->ep, qms_clock_now());
}

/* Moves what waits at one end of the relay to the other. */
static void relay(struct rig *r, int from)
{
    uint8_t data[65536];
    struct sockaddr_storage source;
    socklen_t len = sizeof(source);
    ssize_t n;

    while ((n = recvfrom(r->relay_fds[from], data, sizeof(data), MSG_DONTWAIT,
                         (struct sockaddr *)&source, &len)) >= 0) {
        const struct sockaddr_storage *to = from == 0 ? &r->relay_server : &r->relay_client;
        if (from == 0) {
            r->relay_client = source;
        }
        /* Never the first packets, so that the handshake is not what is tested. */
        if (++r->relayed < 20 || r->relayed % r->lose != 0) {
            (void)sendto(r->relay_fds[!from], data, (size_t)n, 0, (const struct sockaddr *)to,
                         r->address_len);
        }
    }
}

static int wait_ms(const struct rig *r, int max_ms)
{
    qms_time next = qms_endpoint_next_at(r->client.ep), now = qms_clock_now();

    if (!r->server_stalled && qms_endpoint_next_at(r->server.ep) < next) {
        next = qms_endpoint_next_at(r->server.ep);
    }
    if (next <= now) {
        return 0;
    }
    qms_time ms = (next - now + QMS_MILLISECOND - 1) / QMS_MILLISECOND;
    return ms < (qms_time)max_ms ? (int)ms : max_ms;
}

void rig_turn(struct rig *r, int max_ms)
{
    struct pollfd p[RIG_FDS];
    struct rig_side *sides[RIG_FDS];
    size_t n = 0;

    if (r->lose > 0) {
        relay(r, 0);
        relay(r, 1);
        max_ms = max_ms < 1 ? max_ms : 1;
    }
    for (size_t i = 0; i < r->fd_count; i++) {
        if (r->server_stalled && r->fds[i].side == &r->server) {
            continue;
        }
        p[n].fd = r->fds[i].fd;
        p[n].events = (short)(POLLIN | (r->fds[i].want_write ? POLLOUT : 0));
        p[n].revents = 0;
        sides[n++] = r->fds[i].side;
    }
    assert_true(poll(p, (nfds_t)n, wait_ms(r, max_ms)) >= 0);
    for (size_t i = 0; i < n; i++) {
        if (p[i].revents & POLLOUT) {
            qms_endpoint_writable(sides[i]->ep, p[i].fd, qms_clock_now());
        }
        if (p[i].revents & (POLLIN | POLLERR)) {
            (void)qms_endpoint_readable(sides[i]->ep, p[i].fd, qms_clock_now());
        }
    }
    expire(&r->client);
    if (!r->server_stalled) {
        expire(&r->server);
    }
}

static bool flag_set(const void *arg)
{
    return *(const bool *)arg;
}

static bool drive(struct rig *r, bool (*done)(const void *), const void *arg, unsigned ms)
{
    qms_time until = qms_clock_now() + ms * QMS_MILLISECOND;

    while (!done(arg)) {
        if (qms_clock_now() >= until) {
            return false;
        }
        rig_turn(r, 10);
    }
    return true;
}

bool rig_until(struct rig *r, const bool *flag, unsigned ms)
{
    return drive(r, flag_set, flag, ms);
}

struct count {
    const size_t *counter;
    size_t want;
};

static bool count_reached(const void *arg)
{
    const struct count *c = arg;
    return *c->counter >= c->want;
}

bool rig_until_count(struct rig *r, const size_t *counter, size_t want, unsigned ms)
{
    struct count c = {counter, want};
    return drive(r, count_reached, &c, ms);
}

void rig_run(struct rig *r, unsigned ms)
{
    bool never = false;
    (void)rig_until(r, &never, ms);
}

/* ---- life ---- */

static void mint(struct rig *r)
{
    char *cert, *key, error[QMS_TLS_ERROR_MAX];

    assert_int_equal(qms_tls_mint("rig.test", qms_clock_wall() - 60, 13, &cert, &key), QMS_OK);
    r->tls_server =
        qms_tls_server_from_pem((struct qms_bytes){(uint8_t *)cert, strlen(cert)},
                                (struct qms_bytes){(uint8_t *)key, strlen(key)}, error);
    qms_free(cert);
    qms_free(key);
    assert_non_null(r->tls_server);
}

static void pin(struct rig *r)
{
    uint8_t pins[1][32];
    char error[QMS_TLS_ERROR_MAX];

    qms_tls_server_hash(r->tls_server, pins[0]);
    r->tls_client = qms_tls_client_new(
        &(struct qms_tls_client_config){.pins = (const uint8_t(*)[32])pins, .pin_count = 1},
        error);
    assert_non_null(r->tls_client);
}

/* A socket on a free port of the address, which is filled in. */
static int bound(const struct rig *r, struct sockaddr_storage *address)
{
    int fd = socket(address->ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = 4 << 20;
    socklen_t len = r->address_len;

    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    assert_int_equal(bind(fd, (struct sockaddr *)address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
    return fd;
}

void rig_use_ipv6(struct rig *r)
{
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)(void *)&r->address;

    close(r->listen_fd);
    memset(&r->address, 0, sizeof(r->address));
    sin6->sin6_family = AF_INET6;
    sin6->sin6_addr = in6addr_loopback;
    r->address_len = sizeof(*sin6);
    r->listen_fd = bound(r, &r->address);
}

void rig_lossy(struct rig *r, unsigned lose)
{
    r->relay_server = r->address;
    for (int i = 0; i < 2; i++) {
        ((struct sockaddr_in *)(void *)&r->address)->sin_port = 0;
        r->relay_fds[1 - i] = bound(r, &r->address);
    }
    r->lose = lose;
}

struct rig *rig_new(void)
{
    struct rig *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    r->server_config = r->client_config = qms_quic_config_default;
    r->server.rig = r->client.rig = r;
    r->name = "rig.test";
    r->alpn = "quicms/1";
    qms_random(r->secret, sizeof(r->secret));
    mint(r);
    pin(r);
    struct sockaddr_in *sin = (struct sockaddr_in *)(void *)&r->address;
    sin->sin_family = AF_INET;
    sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r->address_len = sizeof(*sin);
    r->listen_fd = bound(r, &r->address);
    return r;
}

static void start_server(struct rig *r)
{
    r->server.ep = qms_endpoint_new(&r->server_config, r->secret, &endpoint_events, &r->server);
    assert_non_null(r->server.ep);
    qms_endpoint_set_watch(r->server.ep, watch);
    assert_true(qms_endpoint_add_listener(r->server.ep, r->listen_fd, alpns, r->tls_server) >=
                0);
}

void rig_start(struct rig *r)
{
    uint8_t secret[32];

    qms_random(secret, sizeof(secret));
    start_server(r);
    watch(r->server.ep, r->listen_fd, true, false);
    r->client.ep = qms_endpoint_new(&r->client_config, secret, &endpoint_events, &r->client);
    assert_non_null(r->client.ep);
    qms_endpoint_set_watch(r->client.ep, watch);
}

static void forget_streams(struct rig_side *side)
{
    while (side->streams != NULL) {
        struct rig_stream *s = side->streams;
        side->streams = s->next;
        free(s);
    }
}

void rig_restart_server(struct rig *r)
{
    qms_endpoint_free(r->server.ep);
    forget_streams(&r->server);
    r->server.link = NULL;
    start_server(r);
}

void rig_free(struct rig *r)
{
    qms_endpoint_free(r->client.ep);
    qms_endpoint_free(r->server.ep);
    forget_streams(&r->client);
    forget_streams(&r->server);
    qms_tls_client_free(r->tls_client);
    qms_tls_server_unref(r->tls_server);
    close(r->listen_fd);
    if (r->lose > 0) {
        close(r->relay_fds[0]);
        close(r->relay_fds[1]);
    }
    qms_blob_trim();
    free(r);
}

void rig_connect(struct rig *r)
{
    struct qms_quic_conn *conn;

    assert_int_equal(qms_endpoint_connect(r->client.ep, (struct sockaddr *)&r->address,
                                          r->address_len, r->name, r->alpn, r->tls_client,
                                          &conn),
                     QMS_OK);
    rig_adopt(&r->client, conn);
}

void rig_establish(struct rig *r)
{
    rig_connect(r);
    assert_true(rig_until(r, &r->client.ready, 3000));
    assert_true(rig_until(r, &r->server.ready, 3000));
}

/* ---- streams ---- */

struct rig_stream *rig_open(struct rig_side *side, bool bidi, uint8_t priority)
{
    struct qms_link_stream *st;

    assert_int_equal(side->link->ops->open(side->link, bidi, priority, &st), QMS_OK);
    return rig_note(side, st);
}

uint64_t rig_write(struct rig_stream *s, size_t len)
{
    uint64_t sum = FNV_START;

    for (size_t done = 0; done < len;) {
        size_t n = len - done < QMS_BLOB_CHUNK ? len - done : QMS_BLOB_CHUNK;
        struct qms_blob *blob = qms_blob_new(QMS_BLOB_CHUNK);
        assert_non_null(blob);
        for (size_t i = 0; i < n; i++) {
            blob->data[i] = pattern(done + i);
        }
        blob->len = (uint32_t)n;
        sum = fnv(sum, blob->data, n);
        assert_int_equal(s->st->link->ops->write(s->st, blob, 0, n), QMS_OK);
        qms_blob_unref(blob);
        done += n;
    }
    return sum;
}

struct rig_stream *rig_find(struct rig_side *side, int64_t id)
{
    struct rig_stream *s = side->streams;

    while (s != NULL && (s->st != NULL ? s->st->id : s->id) != id) {
        s = s->next;
    }
    return s;
}
