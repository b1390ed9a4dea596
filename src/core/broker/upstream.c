/* SPDX-License-Identifier: MIT */
#include "core/broker/upstream.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/broker/broker_mesh.h"
#include "core/broker/peer.h"
#include "core/broker/rooms_sync.h"

/* Between two tries: doubled from the first to the last, of which a random half is taken off.
 */
#define RETRY_MIN (200 * QMS_MILLISECOND)
#define RETRY_MAX (30 * QMS_SECOND)
/* How often a worker looks whether an id that another one has is free. */
#define LOOK_EVERY (2 * QMS_SECOND)
/* What the next worker leaves to the one whose turn it is. */
#define TURN_FOR (300 * QMS_MILLISECOND)
/* Service after which the delays begin anew. */
#define SERVED_FOR (10 * QMS_SECOND)

enum dialer_state {
    DIALER_WAITS,  /* for its next try */
    DIALER_DIALS,  /* to WELCOME */
    DIALER_SERVES, /* the agent is known here */
    DIALER_LEAVES  /* the configuration wants it no more: freed with its connection */
};

struct qms_dialer {
    struct qms_timer timer; /* first */
    struct qms_list node;   /* in broker->dialers */
    struct qms_broker *broker;
    const struct qms_upstream_conf *upstream; /* of the configuration in force */
    const struct qms_upstream_agent *agent;
    unsigned number; /* among those of the same agent: 0 .. keep - 1 */
    unsigned index;  /* among all of the configuration */
    enum dialer_state state;
    struct qms_peer *peer; /* NULL: none */
    bool wanted;           /* reload: by the new configuration */
    bool told;             /* the log has heard that it cannot be reached */
    unsigned tries;        /* in a row that did not last */
    qms_time ready_at;
    uint64_t pings, pongs; /* of this connection */
    size_t id_len;
    char id[QMS_NAME_MAX + 1];
    char pool[QMS_UPSTREAM_NAME_MAX + 1]; /* name of the upstream, whatever a reload says */
};

static void set_timer(struct qms_dialer *d, qms_time at)
{
    if (qms_timer_set(d->broker, &d->timer, at) != QMS_OK) {
        /* It has had a place in the heap before; the broker's next reload begins it anew. */
        qms_log(QMS_LOG_ERROR, "no memory for an upstream's timer agent=%s", d->id);
    }
}

static bool is_leaving(const struct qms_broker *b)
{
    return b->draining || b->retiring;
}

static void count(const struct qms_dialer *d, enum qms_stats_family f, uint64_t by)
{
    qms_stats_label_add(d->broker->stats, f, d->pool, by);
}

/* ---- one connection ---- */

static void wait(struct qms_dialer *d, qms_time now)
{
    unsigned shift = d->tries < 16 ? d->tries : 16;
    qms_time full = RETRY_MIN << shift < RETRY_MAX ? RETRY_MIN << shift : RETRY_MAX;
    uint64_t dice;

    d->state = DIALER_WAITS;
    d->tries++;
    if (!is_leaving(d->broker)) {
        qms_random(&dice, sizeof(dice));
        set_timer(d, now + full - dice % (full / 2));
    }
}

static void tell_failure(struct qms_dialer *d, const char *why, struct qms_bytes reason)
{
    count(d, QMS_F_UPSTREAM_FAILURES, 1);
    if (!d->told) { /* once, until it was there again */
        d->told = true;
        qms_log(QMS_LOG_WARN,
                "upstream agent not reached upstream=%s agent=%s id=%s error=%s reason=%.*s",
                d->upstream->name, d->agent->url, d->id, why, (int)reason.len,
                (const char *)reason.data);
    }
}

/* Every worker has all dialers, and dials an id that nobody has; they have their turns, so that
 * the connections are shared out and two seldom begin the same one. */
static qms_time turn_of(const struct qms_dialer *d)
{
    unsigned workers =
        d->broker->mesh == NULL ? 1 : (unsigned)d->broker->conf->worker_processes;
    unsigned mine = qms_broker_slot(d->broker) % workers;

    return (mine + workers - d->index % workers) % workers * TURN_FOR;
}

static void dial(struct qms_dialer *d, qms_time now)
{
    struct qms_broker_hooks *h = &d->broker->hooks;
    qms_err err;

    if (qms_directory_find(d->broker->directory, qms_dialer_id(d)) != NULL) {
        set_timer(d, now + LOOK_EVERY + turn_of(d));
        return;
    }
    count(d, QMS_F_UPSTREAM_DIALS, 1);
    d->state = DIALER_DIALS;
    d->pings = d->pongs = 0;
    err = h->dial(h->dial_arg, d->upstream, d->agent, d, &d->peer);
    if (err != QMS_OK) {
        tell_failure(d, qms_err_name(err), (struct qms_bytes){0});
        wait(d, now);
        return;
    }
    set_timer(d, now + d->upstream->connect_for);
}

static void check_health(struct qms_dialer *d, qms_time now)
{
    struct qms_control m = {.type = QMS_MSG_PING};

    if (d->upstream->health_every == 0) {
        return;
    }
    if (d->pings - d->pongs >= d->upstream->health_fails) {
        count(d, QMS_F_UPSTREAM_UNHEALTHY, 1);
        qms_log(QMS_LOG_WARN, "upstream agent does not answer upstream=%s agent=%s id=%s",
                d->upstream->name, d->agent->url, d->id);
        qms_peer_close(d->peer, QMS_CODE_TIMEOUT, "PING was not answered");
        return;
    }
    d->pings++;
    memcpy(m.u.ping, &d->pings, sizeof(d->pings));
    (void)!qms_session_send(d->peer->session, &m); /* where it finds no room it counts too */
    qms_peer_touch(d->peer);
    set_timer(d, now + d->upstream->health_every);
}

static void on_timer(struct qms_timer *t, qms_time now)
{
    struct qms_dialer *d = QMS_CONTAINER(t, struct qms_dialer, timer);

    switch (d->state) {
    case DIALER_WAITS:
        dial(d, now);
        break;
    case DIALER_DIALS:
        qms_peer_close(d->peer, QMS_CODE_TIMEOUT, "no WELCOME in time");
        break;
    case DIALER_SERVES:
        check_health(d, now);
        break;
    case DIALER_LEAVES:
        break;
    }
}

struct qms_bytes qms_dialer_id(const struct qms_dialer *d)
{
    return qms_str(d->id, d->id_len);
}

const char *qms_dialer_upstream(const struct qms_dialer *d)
{
    return d->pool;
}

bool qms_dialer_shows_certificate(const struct qms_dialer *d)
{
    return d->upstream->cert_pem.len > 0;
}

unsigned qms_dialer_server(const struct qms_dialer *d)
{
    return d->upstream->server;
}

const char *qms_dialer_token(const struct qms_dialer *d)
{
    return d->upstream->token;
}

/* In the room of its upstream it is a member of the groups whose route blocks dial that. */
static void join_pool(struct qms_dialer *d)
{
    struct qms_member_info info = {
        .worker = qms_broker_slot(d->broker),
        .server = (uint16_t)d->peer->server,
        .epoch = d->peer->epoch,
        .id_len = d->id_len,
        .weight = (uint32_t)d->agent->weight,
    };
    char room[QMS_UPSTREAM_NAME_MAX + 8];

    memcpy(info.id, d->id, d->id_len);
    (void)snprintf(room, sizeof(room), QMS_UPSTREAM_ROOM "%s", d->upstream->name);
    if (qms_broker_join_room(d->broker, d->peer, QMS_KIND_GROUP, qms_str(room, strlen(room)),
                             &info) != QMS_OK) {
        qms_peer_close(d->peer, QMS_CODE_INTERNAL, "out of memory");
    }
}

void qms_dialer_ready(struct qms_dialer *d)
{
    qms_time now = qms_peer_now(d->peer);

    if (d->state != DIALER_DIALS) {
        return;
    }
    d->state = DIALER_SERVES;
    d->told = false;
    d->ready_at = now;
    count(d, QMS_F_UPSTREAM_CONNECTIONS, 1);
    qms_log(QMS_LOG_NOTICE, "upstream agent connected upstream=%s agent=%s id=%s",
            d->upstream->name, d->agent->url, d->id);
    qms_timer_stop(d->broker, &d->timer);
    if (d->upstream->health_every != 0) {
        set_timer(d, now + d->upstream->health_every);
    }
    join_pool(d);
}

/* The newest answer speaks for all before it. */
void qms_dialer_pong(struct qms_dialer *d, const uint8_t bytes[8])
{
    uint64_t number;

    memcpy(&number, bytes, sizeof(number));
    if (number <= d->pings && number > d->pongs) {
        d->pongs = d->pings;
    }
}

static void dialer_free(struct qms_dialer *d)
{
    qms_timer_stop(d->broker, &d->timer);
    qms_list_remove(&d->node);
    qms_free(d);
}

void qms_dialer_gone(struct qms_dialer *d, const struct qms_link_close *why)
{
    qms_time now = d->broker->now;
    bool served = d->peer->introduced;
    uint8_t code = d->peer->close_code;

    d->peer = NULL;
    qms_timer_stop(d->broker, &d->timer);
    if (served) {
        count(d, QMS_F_UPSTREAM_CONNECTIONS, UINT64_MAX); /* one less */
        qms_log(QMS_LOG_NOTICE, "upstream agent gone upstream=%s agent=%s id=%s code=%s",
                d->pool, d->agent == NULL ? "" : d->agent->url, d->id, qms_code_name(code));
    }
    if (d->state == DIALER_LEAVES) {
        dialer_free(d);
        return;
    }
    if (!served) {
        tell_failure(d,
                     why->err != QMS_OK ? qms_err_name(why->err)
                                        : qms_code_name(why->application ? why->code : code),
                     why->reason);
    } else if (now - d->ready_at >= SERVED_FOR) {
        d->tries = 0;
    }
    wait(d, now);
}

/* ---- all of them ---- */

static void set_id(struct qms_dialer *d)
{
    int len = d->number == 0
                  ? snprintf(d->id, sizeof(d->id), "%s", d->agent->id)
                  : snprintf(d->id, sizeof(d->id), "%s~%u", d->agent->id, d->number + 1);

    d->id_len = (size_t)len < sizeof(d->id) ? (size_t)len : sizeof(d->id) - 1;
}

static bool same_bytes(struct qms_bytes a, struct qms_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Whether a living connection is what this row of the new configuration asks for. */
static bool is_same(const struct qms_dialer *d, const struct qms_upstream_conf *u,
                    const struct qms_upstream_agent *a, unsigned number)
{
    const struct qms_upstream_conf *old = d->upstream;

    return d->state != DIALER_LEAVES && d->number == number &&
           strcmp(old->name, u->name) == 0 && strcmp(d->agent->id, a->id) == 0 &&
           strcmp(d->agent->url, a->url) == 0 && d->agent->address_len == a->address_len &&
           memcmp(&d->agent->address, &a->address, a->address_len) == 0 &&
           old->server == u->server && old->pin_count == u->pin_count &&
           memcmp(old->pins, u->pins, sizeof(u->pins)) == 0 &&
           same_bytes(old->ca_pem, u->ca_pem) && same_bytes(old->cert_pem, u->cert_pem);
}

static struct qms_dialer *find(struct qms_broker *b, const struct qms_upstream_conf *u,
                               const struct qms_upstream_agent *a, unsigned number)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &b->dialers) {
        struct qms_dialer *d = QMS_CONTAINER(node, struct qms_dialer, node);
        if (is_same(d, u, a, number)) {
            return d;
        }
    }
    return NULL;
}

static void want(struct qms_broker *b, const struct qms_upstream_conf *u,
                 const struct qms_upstream_agent *a, unsigned number, unsigned index,
                 qms_time now)
{
    struct qms_dialer *d = find(b, u, a, number);

    if (d == NULL) {
        d = qms_calloc(1, sizeof(*d));
        if (d == NULL) {
            qms_log(QMS_LOG_ERROR, "no memory for upstream agent=%s", a->url);
            return;
        }
        d->broker = b;
        d->number = number;
        d->timer.fire = on_timer;
        qms_list_append(&b->dialers, &d->node);
        d->agent = a;
        d->index = index;
        set_id(d);
        (void)snprintf(d->pool, sizeof(d->pool), "%s", u->name);
        count(d, QMS_F_UPSTREAM_CONNECTIONS, 0); /* that there is none is a figure, too */
        set_timer(d, now + turn_of(d));
    }
    bool heavier = d->agent->weight != a->weight;
    d->wanted = true;
    d->upstream = u;
    d->agent = a;
    if (heavier && d->state == DIALER_SERVES) {
        join_pool(d);
    }
}

/* The first connections of all agents before their second ones. */
static void want_all(struct qms_broker *b, qms_time now)
{
    unsigned index = 0;

    for (unsigned k = 0; k < QMS_UPSTREAM_KEEP_MAX; k++) {
        for (size_t i = 0; i < b->conf->upstream_count; i++) {
            const struct qms_upstream_conf *u = &b->conf->upstreams[i];
            for (size_t n = 0; k < u->keep && n < u->agent_count; n++) {
                want(b, u, &u->agents[n], k, index++, now);
            }
        }
    }
}

void qms_upstreams_turn(struct qms_broker *b, qms_time now)
{
    if (!b->dialing && b->hooks.dial != NULL && !is_leaving(b)) {
        b->dialing = true;
        want_all(b, now);
    }
}

void qms_upstreams_reload(struct qms_broker *b, qms_time now)
{
    struct qms_list *node, *next;

    if (!b->dialing || is_leaving(b)) {
        return;
    }
    QMS_LIST_FOREACH(node, &b->dialers) {
        QMS_CONTAINER(node, struct qms_dialer, node)->wanted = false;
    }
    want_all(b, now);
    QMS_LIST_FOREACH_SAFE(node, next, &b->dialers) {
        struct qms_dialer *d = QMS_CONTAINER(node, struct qms_dialer, node);
        if (d->wanted) {
            continue;
        }
        d->upstream = NULL; /* the old configuration's, which may be gone before the peer */
        d->agent = NULL;
        if (d->peer == NULL) {
            dialer_free(d);
        } else if (d->state != DIALER_LEAVES) {
            d->state = DIALER_LEAVES;
            qms_timer_stop(b, &d->timer);
            qms_peer_close(d->peer, QMS_CODE_GOING_AWAY, "the upstream was removed");
        }
    }
}

void qms_upstreams_stop(struct qms_broker *b)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &b->dialers) {
        struct qms_dialer *d = QMS_CONTAINER(node, struct qms_dialer, node);
        if (d->state == DIALER_WAITS) {
            qms_timer_stop(b, &d->timer);
        } else if (d->state == DIALER_SERVES) {
            qms_peer_leave_rooms(d->peer, false);
            qms_peer_leave_directory(d->peer); /* the next one may have the id at once */
        }
    }
}

void qms_upstreams_free(struct qms_broker *b)
{
    struct qms_list *node;

    while ((node = qms_list_first(&b->dialers)) != NULL) {
        dialer_free(QMS_CONTAINER(node, struct qms_dialer, node));
    }
}
