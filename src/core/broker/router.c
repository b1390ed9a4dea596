/* SPDX-License-Identifier: MIT */
/* Routing a stream. */
#include "core/broker/router.h"

#include <string.h>

#include "base/log.h"
#include "core/broker/fan.h"
#include "core/broker/group.h"
#include "core/broker/leg.h"
#include "core/broker/peer.h"
#include "core/broker/service.h"

/* Longest ACCEPT_DEADLINE_MS that is kept; a longer one is no deadline. */
#define DEADLINE_MAX_MS ((uint64_t)24 * 3600 * 1000)

bool qms_router_refused(struct qms_refusal *why, enum qms_code code, const char *reason,
                        const char *label)
{
    *why = (struct qms_refusal){code, 0, reason, label};
    return false;
}

struct qms_result qms_router_result_of(const struct qms_refusal *why)
{
    return (struct qms_result){
        .status = (uint64_t)why->code,
        .reason = qms_str(why->reason, why->reason != NULL ? strlen(why->reason) : 0),
        .retry_after_ms = why->retry_after_ms,
    };
}

/* What needs no module to be refused. */
static bool acceptable(const struct qms_peer *p, const struct qms_route_header *h,
                       struct qms_refusal *why)
{
    struct qms_broker *b = p->broker;
    const struct qms_conf *conf = b->conf;

    if (b->draining || p->state != QMS_PEER_WELCOMED) {
        return qms_router_refused(why, QMS_CODE_GOING_AWAY, "shutting down", "draining");
    }
    if ((h->source.len > 0 && p->dialer == NULL) || h->has_hops) {
        return qms_router_refused(why, QMS_CODE_PROTOCOL, "SOURCE and HOPS are the broker's",
                                  "protocol");
    }
    bool full = conf->worker_memory != 0 && qms_blob_total() > conf->worker_memory;
    bool greedy = conf->agent_memory != 0 && p->buffered > conf->agent_memory;
    if (full || greedy) {
        qms_stats_add(b->stats, QMS_S_MEMORY_REFUSED, 1);
        return qms_router_refused(why, QMS_CODE_BUSY, "no buffer space",
                                  full ? "worker_memory" : "agent_memory");
    }
    /* Routes whose stream is over count until their last byte has been consumed. */
    if (conf->max_streams != 0 && p->routes > 2 * conf->max_streams) {
        return qms_router_refused(why, QMS_CODE_BUSY, "too many streams", "too_many_streams");
    }
    return true;
}

/* The header as the acceptor gets it: what only the broker may say is taken out or set. */
static struct qms_route_header onward(const struct qms_route *route,
                                      const struct qms_route_header *h)
{
    struct qms_route_header to = *h;

    to.priority = route->priority;
    to.source = qms_str(route->opener->id, route->opener->id_len);
    to.stream_token = (struct qms_bytes){0};
    if (!qms_traceparent_ok(h->traceparent)) {
        to.traceparent = (struct qms_bytes){0}; /* W3C: what cannot be read begins anew */
    }
    to.has_original = false;
    to.original_target = (struct qms_bytes){0};
    to.has_group_seq = false;
    return to;
}

static bool to_service(struct qms_leg *leg, const struct qms_route_header *h,
                       struct qms_refusal *why)
{
    const struct qms_service *service = qms_service_find(h->target);

    if (service == NULL) {
        return qms_router_refused(why, QMS_CODE_NOT_FOUND, "no such service", "not_found");
    }
    return qms_service_open(service, leg, h, why);
}

static void on_deadline(struct qms_timer *t, qms_time now)
{
    struct qms_route *route = QMS_CONTAINER(t, struct qms_route, deadline);

    (void)now;
    if (route->opener_leg != NULL && !route->opener_leg->answered) {
        qms_route_blame(route, "accept_timeout");
        qms_stats_label(route->broker->stats, QMS_F_ROUTE_REFUSED, "accept_timeout");
        qms_leg_abort(route->opener_leg, QMS_CODE_TIMEOUT);
    }
}

/* The opener's deadline or that of the route block, whichever is shorter. */
static qms_time wait_of(const struct qms_route *route, const struct qms_route_header *h)
{
    qms_time longest = route->block->accept_for;
    qms_time asked = h->has_deadline && h->accept_deadline_ms <= DEADLINE_MAX_MS
                         ? h->accept_deadline_ms * QMS_MILLISECOND
                         : QMS_NEVER;

    return longest != 0 && longest < asked ? longest : asked;
}

/* Only where a RESULT is due.  Without memory for the timer the acceptor may take its time. */
static void set_deadline(struct qms_leg *leg, const struct qms_route_header *h, qms_time now)
{
    struct qms_route *route = leg->route;
    qms_time wait = wait_of(route, h);

    if (wait == QMS_NEVER || !route->bidi || leg->answered) {
        return;
    }
    route->deadline.fire = on_deadline;
    if (qms_timer_set(route->broker, &route->deadline, now + wait) != QMS_OK) {
        qms_log_peer(QMS_LOG_WARN, "no memory for an accept deadline id=%s", leg->peer->id);
    }
}

/* A token of the stream's own: what it grants holds for this stream alone. */
static bool authenticated(struct qms_route *route, const struct qms_route_header *h,
                          qms_time now, struct qms_refusal *why)
{
    return h->stream_token.len == 0 ||
           qms_peer_stream_token(route->opener, h->stream_token, now, &route->scopes, why);
}

static bool route_to_target(struct qms_leg *leg, const struct qms_route_header *h, qms_time now,
                            struct qms_refusal *why)
{
    struct qms_route *route = leg->route;
    struct qms_route_header to;
    bool done;

    if (!qms_chain_open(&route->broker->chain, route->block, route->stream_data,
                        leg->peer->module_data, route, now, &route->asked, why)) {
        return false;
    }
    /* Behind the modules, so that they hear of the refusal. */
    if (route->block->deny != 0) {
        return qms_router_refused(why, QMS_CODE_FORBIDDEN, "not allowed", "route_deny");
    }
    switch (route->kind) {
    case QMS_KIND_AGENT:
        to = onward(route, h);
        done = qms_router_to_agent(leg, &to, why);
        break;
    case QMS_KIND_GROUP:
        to = onward(route, h);
        done = qms_router_to_group(leg, &to, why);
        break;
    case QMS_KIND_TOPIC:
        to = onward(route, h);
        done = qms_router_to_topic(leg, &to, why);
        break;
    case QMS_KIND_SERVICE:
        done = to_service(leg, h, why);
        break;
    default:
        return qms_router_refused(why, QMS_CODE_UNSUPPORTED,
                                  "this kind of target is not served", "unsupported");
    }
    if (done) {
        set_deadline(leg, h, now);
    }
    return done;
}

/* No memory for the smallest bookkeeping: the stream ends here. */
static void refuse_bare(struct qms_peer *p, struct qms_session_stream *st)
{
    struct qms_result r = {.status = QMS_CODE_BUSY};

    st->user = NULL;
    if (qms_session_result(st, &r) != QMS_OK) {
        qms_session_reset(st, QMS_CODE_BUSY);
        qms_session_stop(st, QMS_CODE_BUSY);
    }
    qms_stats_label(p->broker->stats, QMS_F_ROUTE_REFUSED, "no_memory");
}

/* The leg of the route's opener, or NULL. */
static struct qms_leg *begin(struct qms_peer *p, struct qms_session_stream *st,
                             const struct qms_route_header *h, qms_time now)
{
    struct qms_route *route = qms_route_begin(p, h, st->bidi, now);
    struct qms_leg *leg;

    if (route == NULL) {
        qms_stats_stream(p->broker->stats, h->kind, QMS_CODE_BUSY);
        return NULL;
    }
    if ((leg = qms_leg_open(route, st)) == NULL) {
        qms_route_note(route, QMS_CODE_BUSY);
    }
    route->stream_id = st->link_stream != NULL ? st->link_stream->id : -1;
    qms_route_unref(route); /* the leg has a reference of its own */
    return leg;
}

void qms_router_on_route(struct qms_session_stream *st, const struct qms_route_header *h)
{
    struct qms_peer *p = qms_session_user(st->session);
    qms_time now = qms_peer_now(p);
    struct qms_refusal why = {0};
    struct qms_leg *leg = begin(p, st, h, now);

    qms_peer_touch(p);
    if (leg == NULL) {
        refuse_bare(p, st);
        return;
    }
    qms_peer_debug(
        p, "ROUTE handle=%llu kind=%u target=%.*s priority=%u flags=%u bidi=%d block=%s",
        (unsigned long long)st->handle, h->kind, (int)h->target.len,
        (const char *)h->target.data, h->priority, h->flags, st->bidi,
        qms_route_block_name(leg->route));
    if (acceptable(p, h, &why) && authenticated(leg->route, h, now, &why) &&
        route_to_target(leg, h, now, &why)) {
        return;
    }
    struct qms_result r = qms_router_result_of(&why);
    qms_peer_debug(p, "ROUTE refused handle=%llu code=%s", (unsigned long long)st->handle,
                   qms_code_name((uint64_t)why.code));
    qms_route_blame(leg->route,
                    why.label != NULL ? why.label : qms_code_name((uint64_t)why.code));
    qms_stats_label(p->broker->stats, QMS_F_ROUTE_REFUSED, leg->route->reason);
    qms_leg_refuse(leg, &r);
}
