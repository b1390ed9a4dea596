/* SPDX-License-Identifier: MIT */
/* The life of a peer: made over a link, gone with it, freed at the end of the turn in which the
 * last route that knows it is over. */
#include "core/broker/peer.h"

#include <netinet/in.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/network.h"
#include "core/broker/leg.h"
#include "core/broker/router.h"
#include "core/broker/upstream.h"
#include "core/conf/debug.h"

#define RTT_EVERY (10 * QMS_SECOND)

static const struct qms_session_events session_events;

static enum qms_stats_id by_carrier(const struct qms_peer *p, enum qms_stats_id first)
{
    unsigned which = strcmp(p->carrier, "quic") == 0           ? 0
                     : strcmp(p->carrier, "webtransport") == 0 ? 1
                                                               : 2;
    return (enum qms_stats_id)((unsigned)first + which);
}

static void keep_address(struct qms_peer *p, struct qms_link *link)
{
    const struct sockaddr *remote = NULL;

    link->ops->addresses(link, &remote, NULL);
    if (remote != NULL && remote->sa_family == AF_INET) {
        memcpy(&p->address, remote, sizeof(struct sockaddr_in));
    } else if (remote != NULL && remote->sa_family == AF_INET6) {
        memcpy(&p->address, remote, sizeof(struct sockaddr_in6));
    }
}

void qms_peer_watch(struct qms_peer *p)
{
    const struct qms_conf *conf = p->broker->conf;

    p->debug = qms_debug_address(conf, (const struct sockaddr *)&p->address) ||
               qms_debug_agent(conf, qms_peer_id(p));
}

static void on_timer(struct qms_timer *t, qms_time now)
{
    qms_peer_rearm(QMS_CONTAINER(t, struct qms_peer, timer), now);
}

static struct qms_peer *peer_alloc(struct qms_broker *b)
{
    size_t head = (sizeof(struct qms_peer) + 15) & ~(size_t)15;
    struct qms_peer *p = qms_calloc(1, head + b->chain.peer_size);

    if (p != NULL) {
        p->broker = b;
        p->refs = 1;
        p->module_data = (uint8_t *)p + head;
        p->expire_at = QMS_NEVER;
        p->timer.fire = on_timer;
        qms_list_init(&p->node);
        qms_list_init(&p->dirty);
        qms_list_init(&p->memberships);
        qms_list_init(&p->publications);
        qms_list_init(&p->watches);
    }
    return p;
}

qms_err qms_peer_new(struct qms_broker *b, unsigned server, struct qms_link *link,
                     void (*on_gone)(void *arg), void *arg)
{
    struct qms_peer *p;

    return qms_peer_make(b, server, link, false, on_gone, arg, &p);
}

qms_err qms_peer_make(struct qms_broker *b, unsigned server, struct qms_link *link,
                      bool connecting, void (*on_gone)(void *arg), void *arg,
                      struct qms_peer **out)
{
    struct qms_peer *p = peer_alloc(b);

    if (p == NULL) {
        return QMS_E_NOMEM;
    }
    p->server = server;
    p->carrier = link->ops->carrier;
    keep_address(p, link);
    p->session = qms_session_new(link, connecting, &b->limits, &session_events, p);
    if (p->session == NULL) {
        qms_free(p);
        return QMS_E_NOMEM;
    }
    p->link = link;
    p->on_gone = on_gone;
    p->gone_arg = arg;
    p->connected_at = link->now;
    p->number = ++b->peer_number;
    p->rtt_at = link->now + RTT_EVERY;
    qms_list_append(&b->peers, &p->node);
    b->peer_count++;
    qms_stats_add(b->stats, by_carrier(p, QMS_S_CONNECTIONS_QUIC), 1);
    qms_stats_add(b->stats, by_carrier(p, QMS_S_CONNECTIONS_TOTAL_QUIC), 1);
    qms_peer_touch(p);
    qms_peer_watch(p);
    char from[QMS_ADDRESS_TEXT_MAX];
    qms_peer_debug(p, "connection begins address=%s carrier=%s server=%s",
                   qms_sockaddr_text(&p->address, true, from), p->carrier,
                   qms_peer_server_name(p));
    *out = p;
    return QMS_OK;
}

struct qms_peer *qms_peer_ref(struct qms_peer *p)
{
    p->refs++;
    return p;
}

void qms_peer_unref(struct qms_peer *p)
{
    if (p != NULL && --p->refs == 0) {
        qms_list_append(&p->broker->reap, &p->node);
    }
}

void qms_peer_free(struct qms_peer *p)
{
    qms_list_remove(&p->node);
    qms_list_remove(&p->dirty);
    qms_timer_stop(p->broker, &p->timer);
    qms_session_free(p->session);
    qms_peer_forget_publications(p);
    qms_chain_peer_free(&p->broker->chain, p->module_data);
    qms_free(p->scopes);
    qms_free(p);
}

qms_time qms_peer_now(const struct qms_peer *p)
{
    if (p->link != NULL && p->link->now > p->broker->now) {
        p->broker->now = p->link->now;
    }
    return p->broker->now;
}

void qms_peer_touch(struct qms_peer *p)
{
    if (qms_list_empty(&p->dirty)) {
        qms_list_append(&p->broker->dirty, &p->dirty);
    }
}

static qms_time earliest(qms_time a, qms_time b)
{
    return a < b ? a : b;
}

static void run_due(struct qms_peer *p, qms_time now)
{
    if (qms_session_next_at(p->session) <= now) {
        qms_session_expire(p->session, now);
    }
    qms_peer_wait_due(p, now);
    if (p->state == QMS_PEER_WELCOMED && p->expire_at <= now) {
        qms_peer_close(p, QMS_CODE_EXPIRED, "credentials have expired");
    }
    if (p->state == QMS_PEER_WELCOMED && p->stats_every != 0 && p->stats_at <= now) {
        p->stats_at = now + p->stats_every;
        qms_peer_send_stats(p);
    }
}

void qms_peer_rearm(struct qms_peer *p, qms_time now)
{
    if (p->state == QMS_PEER_GONE) {
        return;
    }
    run_due(p, now);

    qms_time at = earliest(qms_session_next_at(p->session), qms_peer_wait_at(p));
    if (p->state == QMS_PEER_WELCOMED) {
        at = earliest(at, p->expire_at);
        at = p->stats_every != 0 ? earliest(at, p->stats_at) : at;
    }
    if (qms_timer_set(p->broker, &p->timer, at) != QMS_OK) {
        /* Nothing that must end may be forgotten: the tick asks again. */
        qms_log_peer(QMS_LOG_WARN, "no memory for a timer id=%s", p->id);
    }
}

/* Adds what the link counted since the last look. */
static void collect(struct qms_peer *p, const struct qms_link_stats *s)
{
    struct qms_stats_page *page = p->broker->stats;

    p->rtt = s->rtt_smoothed > 0 ? s->rtt_smoothed : p->rtt;
    qms_stats_add(page, QMS_S_INVERSIONS, s->priority_inversions - p->seen_inversions);
    qms_stats_add(page, QMS_S_PACKETS_LOST, s->packets_lost - p->seen_lost);
    qms_stats_add(page, QMS_S_DROPPED_QUEUE, s->datagrams_dropped - p->seen_dropped);
    p->seen_inversions = s->priority_inversions;
    p->seen_lost = s->packets_lost;
    p->seen_dropped = s->datagrams_dropped;
}

void qms_peer_tick(struct qms_peer *p, qms_time now)
{
    struct qms_link_stats s;

    qms_peer_link_stats(p, &s);
    if (p->link != NULL) {
        keep_address(p, p->link);
        qms_peer_watch(p); /* it may have moved */
        collect(p, &s);
        if (p->rtt_at <= now && s.rtt_smoothed > 0) {
            p->rtt_at = now + RTT_EVERY;
            qms_stats_observe(p->broker->stats, QMS_H_RTT, s.rtt_smoothed);
        }
    }
    qms_peer_rearm(p, now);
}

void qms_peer_close(struct qms_peer *p, uint8_t code, const char *reason)
{
    if (p->state == QMS_PEER_CLOSING || p->state == QMS_PEER_GONE) {
        return;
    }
    p->state = QMS_PEER_CLOSING;
    p->close_code = code;
    qms_peer_wait_drop(p);
    qms_peer_leave_directory(p);
    qms_session_close(p->session, code, reason);
}

void qms_peer_link_stats(const struct qms_peer *p, struct qms_link_stats *out)
{
    *out = (struct qms_link_stats){0};
    if (p->link != NULL) {
        p->link->ops->stats(p->link, out);
    }
}

/* ---- events of the session ---- */

static void last_look(struct qms_peer *p)
{
    struct qms_link_stats s;

    qms_peer_link_stats(p, &s);
    collect(p, &s);
    if (s.rtt_smoothed > 0) {
        qms_stats_observe(p->broker->stats, QMS_H_RTT, s.rtt_smoothed);
    }
}

static void on_closed(struct qms_session *s, const struct qms_link_close *why)
{
    struct qms_peer *p = qms_session_user(s);
    struct qms_broker *b = p->broker;
    qms_time now = qms_peer_now(p);

    qms_peer_wait_drop(p);
    qms_peer_leave_directory(p);
    last_look(p);
    p->link = NULL;
    if (p->state != QMS_PEER_CLOSING) {
        p->close_code =
            why->application
                ? (uint8_t)(why->code <= QMS_CODE_MAX ? why->code : QMS_CODE_CANCELLED)
                : QMS_CODE_PEER_GONE;
    }
    qms_peer_debug(p, "connection ends code=%s streams=%zu bytes_in=%llu bytes_out=%llu",
                   qms_code_name(p->close_code), p->routes, (unsigned long long)p->bytes_in,
                   (unsigned long long)p->bytes_out);
    qms_log(QMS_LOG_INFO,
            "agent gone id=%s carrier=%s code=%s number=%llu error=%s reason=%.*s", p->id,
            p->carrier, qms_code_name(p->close_code), (unsigned long long)why->code,
            qms_err_name(why->err), (int)why->reason.len, (const char *)why->reason.data);
    if (p->introduced) {
        qms_stats_sub(b->stats, QMS_S_AGENTS, 1);
        qms_chain_peer_gone(&b->chain, p, p->module_data, now);
    }
    p->state = QMS_PEER_GONE;
    qms_stats_closed(b->stats, p->close_code);
    qms_stats_sub(b->stats, by_carrier(p, QMS_S_CONNECTIONS_QUIC), 1);
    qms_list_remove(&p->node);
    qms_list_remove(&p->dirty);
    qms_timer_stop(b, &p->timer);
    b->peer_count--;
    if (p->dialer != NULL) {
        qms_dialer_gone(p->dialer, why);
        p->dialer = NULL;
    }
    if (p->on_gone != NULL) {
        p->on_gone(p->gone_arg);
    }
    qms_peer_unref(p);
}

static void on_deadline(struct qms_session *s)
{
    qms_peer_touch(qms_session_user(s));
}

static void on_oddity(struct qms_session *s, const char *what)
{
    struct qms_peer *p = qms_session_user(s);

    qms_peer_debug(p, "odd input what=%s", what);
    qms_stats_add(p->broker->stats, QMS_S_MALFORMED, 1);
}

void qms_peer_limits(struct qms_broker *b)
{
    b->limits = qms_session_limits_default;
    b->limits.hello_for = b->conf->hello_for != 0 ? b->conf->hello_for : b->limits.hello_for;
    b->limits.on_oddity = on_oddity;
}

/* The close that follows says the same. */
static void on_refused(struct qms_session *s, const struct qms_control *refused)
{
    (void)s, (void)refused;
}

static const struct qms_session_events session_events = {
    .on_hello = qms_peer_on_hello,
    .on_welcome = qms_peer_on_welcome,
    .on_refused = on_refused,
    .on_control = qms_peer_on_control,
    .on_datagram = qms_router_on_datagram,
    .on_route = qms_router_on_route,
    .on_result = qms_leg_on_result,
    .on_data = qms_leg_on_data,
    .on_reset = qms_leg_on_reset,
    .on_stop = qms_leg_on_stop,
    .on_acked = qms_leg_on_acked,
    .on_priority = qms_leg_on_priority,
    .on_stream_closed = qms_leg_on_stream_closed,
    .on_deadline = on_deadline,
    .on_closed = on_closed,
};
