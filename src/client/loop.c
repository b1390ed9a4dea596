/* SPDX-License-Identifier: MIT */
/* Sockets, timer and mailbox behind one descriptor.  The timer is a timerfd, so that an
 * application's loop needs to watch nothing else, and pacing is not rounded to milliseconds. */
#include "client/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define ENDPOINTS_MAX 64 /* sets of options with living connections */
#define READY_MAX     64 /* descriptors looked at in a turn */

/* What an epoll event speaks of: a socket of endpoint `slot`, or one of the two below. */
enum { SLOT_MAILBOX = 0xFFFF, SLOT_TIMER = 0xFFFE };

struct qms_loop {
    struct qms_driver base;
    struct qms_client *client;
    int epoll, timer;
    qms_time armed_at; /* QMS_NEVER: not armed */
    struct qms_loop_endpoint *endpoints[ENDPOINTS_MAX];
};

struct qms_loop_endpoint {
    struct qms_loop *loop;
    struct qms_endpoint *quic;
    struct qms_quic_config config;
    unsigned slot, users;
    int listening; /* a listener's socket, owned; -1: none */
    struct qms_listener *listener;
};

static struct qms_loop *loop_of(struct qms_driver *d)
{
    return (struct qms_loop *)(void *)d;
}

static uint64_t tag(unsigned slot, int fd)
{
    return (uint64_t)slot << 32 | (uint32_t)fd;
}

static int watch_fd(struct qms_loop *l, unsigned slot, int fd, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.u64 = tag(slot, fd)};

    if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, fd, &e) == 0) {
        return 0;
    }
    return errno == ENOENT ? epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) : -1;
}

static void on_watch(struct qms_endpoint *quic, int fd, bool watch, bool want_write)
{
    struct qms_loop_endpoint *e = qms_endpoint_user(quic);

    if (!watch) {
        (void)epoll_ctl(e->loop->epoll, EPOLL_CTL_DEL, fd, NULL);
    } else {
        /* Without memory in the kernel the socket stays silent; the handshake's or the idle
         * deadline then ends the connection. */
        (void)watch_fd(e->loop, e->slot, fd, EPOLLIN | (want_write ? (uint32_t)EPOLLOUT : 0u));
    }
}

/* ---- endpoints ---- */

static const struct qms_endpoint_events no_events;

static struct qms_loop_endpoint *endpoint_new(struct qms_loop *l, unsigned slot,
                                              const struct qms_quic_config *config,
                                              const struct qms_endpoint_events *events)
{
    struct qms_loop_endpoint *e = qms_calloc(1, sizeof(*e));
    uint8_t secret[32];

    if (e == NULL) {
        return NULL;
    }
    *e =
        (struct qms_loop_endpoint){.loop = l, .config = *config, .slot = slot, .listening = -1};
    qms_random(secret, sizeof(secret));
    e->quic = qms_endpoint_new(&e->config, secret, events, e);
    qms_memzero(secret, sizeof(secret));
    if (e->quic == NULL) {
        qms_free(e);
        return NULL;
    }
    qms_endpoint_set_watch(e->quic, on_watch);
    l->endpoints[slot] = e;
    return e;
}

static void endpoint_free(struct qms_loop_endpoint *e)
{
    e->loop->endpoints[e->slot] = NULL;
    qms_endpoint_free(e->quic);
    if (e->listening >= 0) {
        (void)epoll_ctl(e->loop->epoll, EPOLL_CTL_DEL, e->listening, NULL);
        (void)close(e->listening);
    }
    qms_free(e);
}

static bool same_config(const struct qms_quic_config *a, const struct qms_quic_config *b)
{
    return a->stream_window_max == b->stream_window_max &&
           a->connection_window == b->connection_window &&
           a->max_streams_bidi == b->max_streams_bidi &&
           a->max_streams_uni == b->max_streams_uni && a->idle_for == b->idle_for &&
           a->keep_alive_for == b->keep_alive_for && a->handshake_for == b->handshake_for &&
           a->congestion == b->congestion && a->max_udp_payload == b->max_udp_payload;
}

/* One that only repeats its last words. */
static unsigned evict(struct qms_loop *l)
{
    for (unsigned i = 0; i < ENDPOINTS_MAX; i++) {
        if (l->endpoints[i]->users == 0) {
            endpoint_free(l->endpoints[i]);
            return i;
        }
    }
    return ENDPOINTS_MAX;
}

static unsigned spare_slot(struct qms_loop *l)
{
    for (unsigned i = 0; i < ENDPOINTS_MAX; i++) {
        if (l->endpoints[i] == NULL) {
            return i;
        }
    }
    return evict(l);
}

static struct qms_loop_endpoint *find(struct qms_loop *l, const struct qms_quic_config *config)
{
    for (unsigned i = 0; i < ENDPOINTS_MAX; i++) {
        struct qms_loop_endpoint *e = l->endpoints[i];

        if (e != NULL && e->listening < 0 && same_config(&e->config, config)) {
            return e;
        }
    }
    return NULL;
}

qms_err qms_loop_use(struct qms_driver *d, const struct qms_quic_config *config,
                     struct qms_loop_endpoint **out)
{
    struct qms_loop *l = loop_of(d);
    struct qms_loop_endpoint *e = find(l, config);

    if (e == NULL) {
        unsigned slot = spare_slot(l);

        if (slot == ENDPOINTS_MAX) {
            return QMS_E_LIMIT;
        }
        e = endpoint_new(l, slot, config, &no_events);
    }
    if (e == NULL) {
        return QMS_E_NOMEM;
    }
    e->users++;
    *out = e;
    return QMS_OK;
}

qms_err qms_loop_listen(struct qms_driver *d, const struct qms_quic_config *config,
                        const struct qms_endpoint_events *events, int fd,
                        const char *const *alpns, struct qms_tls_server *tls,
                        struct qms_loop_endpoint **out)
{
    struct qms_loop *l = loop_of(d);
    unsigned slot = spare_slot(l);
    struct qms_loop_endpoint *e;

    if (slot == ENDPOINTS_MAX) {
        (void)close(fd);
        return QMS_E_LIMIT;
    }
    e = endpoint_new(l, slot, config, events);
    if (e == NULL) {
        (void)close(fd);
        return QMS_E_NOMEM;
    }
    e->listening = fd;
    if (qms_endpoint_add_listener(e->quic, fd, alpns, tls) < 0 ||
        watch_fd(l, slot, fd, EPOLLIN) != 0) {
        qms_err err = errno == ENOMEM ? QMS_E_NOMEM : QMS_E_IO;

        endpoint_free(e);
        return err;
    }
    e->users = 1;
    *out = e;
    return QMS_OK;
}

void qms_loop_set_listener(struct qms_loop_endpoint *e, struct qms_listener *l)
{
    e->listener = l;
}

struct qms_listener *qms_loop_listener(const struct qms_loop_endpoint *e)
{
    return e->listener;
}

void qms_loop_reuse(struct qms_loop_endpoint *e)
{
    e->users++;
}

void qms_loop_unuse(struct qms_loop_endpoint *e)
{
    if (e != NULL) {
        e->users--; /* freed by a later flush: it may have to repeat its last packet */
    }
}

struct qms_endpoint *qms_loop_endpoint_quic(struct qms_loop_endpoint *e)
{
    return e->quic;
}

/* ---- driver ---- */

static int loop_fd(const struct qms_driver *d)
{
    return ((const struct qms_loop *)(const void *)d)->epoll;
}

static void timer_fired(struct qms_loop *l)
{
    uint64_t count;

    (void)!read(l->timer, &count, sizeof(count));
    l->armed_at = QMS_NEVER;
}

static void socket_ready(struct qms_loop *l, const struct epoll_event *ev, qms_time now)
{
    unsigned slot = (unsigned)(ev->data.u64 >> 32);
    int fd = (int)(uint32_t)ev->data.u64;
    struct qms_loop_endpoint *e = slot < ENDPOINTS_MAX ? l->endpoints[slot] : NULL;

    if (e == NULL) {
        return;
    }
    if ((ev->events & EPOLLOUT) != 0) {
        qms_endpoint_writable(e->quic, fd, now);
    }
    if ((ev->events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
        (void)qms_endpoint_readable(e->quic, fd, now); /* what is left wakes the next turn */
    }
}

static void loop_receive(struct qms_driver *d, qms_time now)
{
    struct qms_loop *l = loop_of(d);
    struct epoll_event ready[READY_MAX];
    int count = epoll_wait(l->epoll, ready, READY_MAX, 0);

    for (int i = 0; i < count; i++) {
        switch (ready[i].data.u64 >> 32) {
        case SLOT_MAILBOX:
            qms_mailbox_run(l->client->mail, l->client);
            break;
        case SLOT_TIMER:
            timer_fired(l);
            break;
        default:
            socket_ready(l, &ready[i], now);
        }
    }
    for (unsigned i = 0; i < ENDPOINTS_MAX; i++) {
        if (l->endpoints[i] != NULL && qms_endpoint_next_at(l->endpoints[i]->quic) <= now) {
            qms_endpoint_expire(l->endpoints[i]->quic, now);
        }
    }
}

/* Callbacks of the application have run since the turn's clock was read, and may have taken
 * their time; a connection begun meanwhile must not be shown an earlier instant either. */
static void loop_flush(struct qms_driver *d, qms_time now)
{
    struct qms_loop *l = loop_of(d);

    now = qms_clock_now();
    for (unsigned i = 0; i < ENDPOINTS_MAX; i++) {
        if (l->endpoints[i] != NULL) {
            qms_endpoint_flush(l->endpoints[i]->quic, now);
            if (l->endpoints[i]->users == 0 &&
                qms_endpoint_next_at(l->endpoints[i]->quic) == QMS_NEVER) {
                endpoint_free(l->endpoints[i]);
            }
        }
    }
}

static qms_time loop_next_at(const struct qms_driver *d)
{
    const struct qms_loop *l = (const struct qms_loop *)(const void *)d;
    qms_time at = QMS_NEVER;

    for (unsigned i = 0; i < ENDPOINTS_MAX; i++) {
        if (l->endpoints[i] != NULL) {
            qms_time other = qms_endpoint_next_at(l->endpoints[i]->quic);

            at = other < at ? other : at;
        }
    }
    return at;
}

static void loop_arm(struct qms_driver *d, qms_time at)
{
    struct qms_loop *l = loop_of(d);
    struct itimerspec when = {0};

    if (at == l->armed_at) {
        return;
    }
    l->armed_at = at;
    if (at != QMS_NEVER) {
        /* An instant of all zeros would turn it off. */
        when.it_value.tv_sec = (time_t)(at / QMS_SECOND);
        when.it_value.tv_nsec = (long)(at % QMS_SECOND) + (at == 0 ? 1 : 0);
    }
    (void)timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static qms_err loop_wait(struct qms_driver *d, qms_time at)
{
    struct epoll_event ready;
    struct timespec ts, *limit = NULL;
    qms_time now = qms_clock_now(), left = at > now ? at - now : 0;

    if (at != QMS_NEVER) {
        ts.tv_sec = (time_t)(left / QMS_SECOND);
        ts.tv_nsec = (long)(left % QMS_SECOND);
        limit = &ts;
    }
    if (epoll_pwait2(loop_of(d)->epoll, &ready, 1, limit, NULL) < 0 && errno != EINTR) {
        return QMS_E_IO;
    }
    return QMS_OK;
}

static void loop_free(struct qms_driver *d)
{
    struct qms_loop *l = loop_of(d);

    for (unsigned i = 0; i < ENDPOINTS_MAX; i++) {
        if (l->endpoints[i] != NULL) {
            endpoint_free(l->endpoints[i]);
        }
    }
    if (l->timer >= 0) {
        (void)close(l->timer);
    }
    if (l->epoll >= 0) {
        (void)close(l->epoll);
    }
    qms_free(l);
}

static const struct qms_driver_ops loop_ops = {
    .fd = loop_fd,
    .receive = loop_receive,
    .flush = loop_flush,
    .next_at = loop_next_at,
    .arm = loop_arm,
    .wait = loop_wait,
    .free = loop_free,
};

qms_err qms_driver_new(struct qms_client *client, struct qms_driver **out)
{
    struct qms_loop *l = qms_calloc(1, sizeof(*l));

    if (l == NULL) {
        return QMS_E_NOMEM;
    }
    l->base.ops = &loop_ops;
    l->client = client;
    l->armed_at = QMS_NEVER;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (l->epoll < 0 || l->timer < 0 || watch_fd(l, SLOT_TIMER, l->timer, EPOLLIN) != 0 ||
        watch_fd(l, SLOT_MAILBOX, qms_mailbox_fd(client->mail), EPOLLIN) != 0) {
        int saved = errno;

        loop_free(&l->base);
        errno = saved;
        return QMS_E_IO;
    }
    *out = &l->base;
    return QMS_OK;
}
