/* SPDX-License-Identifier: MIT */
/* The life of a route, and what modules may know of it. */
#include "core/broker/route.h"

#include <string.h>

#include "base/mem.h"
#include "core/broker/peer.h"

static const struct qms_route_conf *block_for(const struct qms_route *r,
                                              const struct qms_peer *peer)
{
    return qms_route_conf_find(qms_peer_server(peer), r->kind, qms_route_target(r));
}

void qms_route_reload(struct qms_route *r)
{
    r->acceptor_block = r->acceptor != NULL ? block_for(r, r->acceptor) : NULL;
    if (r->opener != NULL) {
        r->block = block_for(r, r->opener);
    } else if (r->acceptor != NULL) {
        r->block = r->acceptor_block;
    } else {
        r->block =
            qms_route_conf_find(&r->broker->conf->servers[0], r->kind, qms_route_target(r));
    }
}

struct qms_route *qms_route_begin_remote(struct qms_broker *b, const struct qms_route_header *h,
                                         bool bidi, qms_time now)
{
    size_t head = (sizeof(struct qms_route) + 15) & ~(size_t)15;
    struct qms_route *r = qms_calloc(1, head + b->chain.stream_size);

    if (r == NULL) {
        return NULL;
    }
    r->broker = b;
    r->refs = 1;
    r->flags = h->flags;
    r->priority = h->priority;
    r->bidi = bidi;
    /* Of what the agent asked for: a group's member is on a route to the group. */
    struct qms_bytes target = h->has_original ? h->original_target : h->target;
    r->kind = (enum qms_kind)(h->has_original ? h->original_kind : h->kind);
    r->target_len = target.len < sizeof(r->target) ? target.len : sizeof(r->target);
    if (r->target_len > 0) {
        memcpy(r->target, target.data, r->target_len);
    }
    r->content_type_len = h->content_type.len < sizeof(r->content_type)
                              ? h->content_type.len
                              : sizeof(r->content_type);
    if (r->content_type_len > 0) {
        memcpy(r->content_type, h->content_type.data, r->content_type_len);
    }
    r->opened_at = now;
    r->stream_id = -1;
    r->traced = qms_traceparent_ok(h->traceparent);
    if (r->traced) {
        memcpy(r->traceparent, h->traceparent.data, sizeof(r->traceparent));
    }
    r->stream_data = (uint8_t *)r + head;
    qms_list_append(&b->routes, &r->node);
    b->route_count++;
    qms_route_reload(r);
    return r;
}

struct qms_route *qms_route_begin(struct qms_peer *opener, const struct qms_route_header *h,
                                  bool bidi, qms_time now)
{
    struct qms_route_header own = *h;

    own.has_original = false; /* the broker's to say */
    struct qms_route *r = qms_route_begin_remote(opener->broker, &own, bidi, now);
    if (r != NULL) {
        r->opener = qms_peer_ref(opener);
        qms_route_reload(r);
        r->priority = qms_route_conf_clamp(r->block, r->priority);
        opener->routes++;
        opener->streams_total++;
        qms_stats_add(r->broker->stats, QMS_S_ROUTES, 1);
        qms_stats_level(r->broker->stats, QMS_S_LEVEL_STREAMS_BACKGROUND, r->priority, 1);
    }
    return r;
}

void qms_route_ref(struct qms_route *r)
{
    r->refs++;
}

static void count_end(struct qms_route *r, qms_time now)
{
    struct qms_broker *b = r->broker;

    qms_chain_close(&b->chain, r->block, r->stream_data, r, r->asked, r->status, now);
    qms_chain_log(&b->chain, r->block, r, r->status, now);
    qms_stats_sub(b->stats, QMS_S_ROUTES, 1);
    qms_stats_stream(b->stats, r->kind, r->status);
    qms_stats_observe(b->stats, QMS_H_ROUTE_DURATION,
                      now > r->opened_at ? now - r->opened_at : 0);
    qms_stats_observe(b->stats, QMS_H_ROUTE_BYTES, r->forward + r->reverse);
    qms_peer_debug(r->opener, "stream over target=%.*s status=%s forward=%llu reverse=%llu",
                   (int)r->target_len, r->target, qms_code_name(r->status),
                   (unsigned long long)r->forward, (unsigned long long)r->reverse);
    qms_stats_route_end(b->stats, &(struct qms_stats_route_end){
                                      .block = qms_route_block_name(r),
                                      .reason = r->reason,
                                      .cut = r->cut,
                                      .status = r->status,
                                      .forward = r->forward,
                                      .reverse = r->reverse,
                                      .lasted = now > r->opened_at ? now - r->opened_at : 0});
    r->opener->routes--;
}

void qms_route_blame(struct qms_route *r, const char *label)
{
    if (r->reason == NULL) {
        r->reason = label;
    }
}

void qms_route_blame_cut(struct qms_route *r, const char *label)
{
    r->cut = r->cut || r->reason == NULL;
    qms_route_blame(r, label);
}

static void forget_acceptor(struct qms_route *r)
{
    qms_peer_unref(r->acceptor);
    qms_free((char *)(uintptr_t)r->taken_by);
    r->acceptor = NULL;
    r->taken_by = NULL;
}

static void end(struct qms_route *r)
{
    struct qms_broker *b = r->broker;

    qms_timer_stop(b, &r->deadline);
    if (r->opener != NULL) {
        count_end(r, b->now);
    }
    qms_list_remove(&r->node);
    b->route_count--;
    forget_acceptor(r);
    qms_peer_unref(r->opener);
    qms_free(r->scopes);
    qms_free(r);
}

void qms_route_unref(struct qms_route *r)
{
    if (--r->refs == 0) {
        end(r);
    }
}

void qms_route_note(struct qms_route *r, uint8_t status)
{
    if (r->status == QMS_CODE_OK) {
        r->status = status;
    }
}

void qms_route_set_acceptor(struct qms_route *r, struct qms_peer *acceptor)
{
    (void)qms_peer_ref(acceptor); /* it may be the one that is forgotten */
    forget_acceptor(r);
    r->acceptor = acceptor;
    qms_route_reload(r);
}

void qms_route_set_acceptor_id(struct qms_route *r, struct qms_bytes id)
{
    forget_acceptor(r);
    r->taken_by = qms_strndup((const char *)id.data, id.len); /* without memory: unknown */
    qms_route_reload(r);
}

void qms_route_answered(struct qms_route *r, struct qms_bytes acceptor, qms_time now)
{
    r->answered_at = now;
    /* One of this worker is known already; without memory the name stays unknown. */
    if (r->acceptor == NULL && r->taken_by == NULL && acceptor.len > 0) {
        r->taken_by = qms_strndup((const char *)acceptor.data, acceptor.len);
    }
}

struct qms_peer *qms_route_opener(const struct qms_route *route)
{
    return route->opener;
}

struct qms_peer *qms_route_acceptor(const struct qms_route *route)
{
    return route->acceptor;
}

enum qms_kind qms_route_kind(const struct qms_route *route)
{
    return route->kind;
}

struct qms_bytes qms_route_target(const struct qms_route *route)
{
    return qms_str(route->target, route->target_len);
}

bool qms_route_framed(const struct qms_route *route)
{
    return (route->flags & QMS_ROUTE_FRAMED) != 0;
}

struct qms_bytes qms_route_content_type(const struct qms_route *route)
{
    return qms_str(route->content_type, route->content_type_len);
}

const char *qms_route_scopes(const struct qms_route *route)
{
    return route->scopes != NULL   ? route->scopes
           : route->opener != NULL ? qms_peer_scopes(route->opener)
                                   : "";
}

bool qms_route_bidi(const struct qms_route *route)
{
    return route->bidi;
}

uint8_t qms_route_priority(const struct qms_route *route)
{
    return route->priority;
}

void qms_route_bytes(const struct qms_route *route, uint64_t *forward, uint64_t *reverse)
{
    *forward = route->forward;
    *reverse = route->reverse;
}

const char *qms_route_block_name(const struct qms_route *route)
{
    return route->block != NULL ? route->block->name : "default";
}

qms_time qms_route_opened_at(const struct qms_route *route)
{
    return route->opened_at;
}

qms_time qms_route_answered_at(const struct qms_route *route)
{
    return route->answered_at;
}

qms_time qms_route_first_byte_at(const struct qms_route *route)
{
    return route->first_byte_at;
}

struct qms_bytes qms_route_acceptor_id(const struct qms_route *route)
{
    if (route->acceptor != NULL) {
        return qms_peer_id(route->acceptor);
    }
    return route->taken_by != NULL ? qms_str(route->taken_by, strlen(route->taken_by))
                                   : (struct qms_bytes){0};
}

const char *qms_route_reason(const struct qms_route *route)
{
    return route->reason;
}

int64_t qms_route_stream_id(const struct qms_route *route)
{
    return route->stream_id;
}

struct qms_bytes qms_route_traceparent(const struct qms_route *route)
{
    return qms_str(route->traceparent, route->traced ? sizeof(route->traceparent) : 0);
}
