/* SPDX-License-Identifier: MIT */
/* Written field by field on purpose: it must not share the layout tables that it checks. */
#include "equal.h"

#include <string.h>

bool bytes_equal(struct qms_bytes a, struct qms_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* `known`: bit n for TLV type n. */
static bool next_foreign(struct qms_reader *r, int64_t *last, uint64_t known,
                         struct qms_tlv *out)
{
    while (qms_tlv_next(r, last, out)) {
        if (out->type > 63 || (known >> out->type & 1) == 0) {
            return true;
        }
    }
    return false;
}

static bool extra_equal(struct qms_bytes a, struct qms_bytes b, uint64_t known)
{
    struct qms_reader ra = qms_reader_of(a), rb = qms_reader_of(b);
    struct qms_tlv ta, tb;
    int64_t la = -1, lb = -1;

    while (next_foreign(&ra, &la, known, &ta)) {
        if (!next_foreign(&rb, &lb, known, &tb) || ta.type != tb.type ||
            !bytes_equal(ta.value, tb.value)) {
            return false;
        }
    }
    return !next_foreign(&rb, &lb, known, &tb) && !ra.bad && !rb.bad;
}

bool route_equal(const struct qms_route_header *a, const struct qms_route_header *b)
{
    const uint64_t known = 1 << 0x01 | 1 << 0x03 | 1 << 0x04 | 1 << 0x06 | 1 << 0x08 |
                           1 << 0x0A | 1 << 0x0B | 1 << 0x0C | 1 << 0x0E | 1 << 0x10;
    bool place = a->flags == b->flags && a->priority == b->priority && a->kind == b->kind &&
                 a->handle == b->handle && bytes_equal(a->target, b->target);
    bool numbers = a->has_hops == b->has_hops && a->has_deadline == b->has_deadline &&
                   a->has_length == b->has_length && a->has_original == b->has_original &&
                   a->has_group_seq == b->has_group_seq && a->hops == b->hops &&
                   a->accept_deadline_ms == b->accept_deadline_ms &&
                   a->length_hint == b->length_hint && a->group_seq == b->group_seq &&
                   a->original_kind == b->original_kind;

    return place && numbers && bytes_equal(a->source, b->source) &&
           bytes_equal(a->content_type, b->content_type) && bytes_equal(a->meta, b->meta) &&
           bytes_equal(a->traceparent, b->traceparent) &&
           bytes_equal(a->stream_token, b->stream_token) &&
           bytes_equal(a->original_target, b->original_target) &&
           extra_equal(a->extra, b->extra, known);
}

bool result_equal(const struct qms_result *a, const struct qms_result *b)
{
    const uint64_t known = 1 << 0x02 | 1 << 0x04 | 1 << 0x06 | 1 << 0x08 | 1 << 0x0A;

    return a->status == b->status && a->retry_after_ms == b->retry_after_ms &&
           bytes_equal(a->reason, b->reason) && bytes_equal(a->redirect, b->redirect) &&
           bytes_equal(a->meta, b->meta) && bytes_equal(a->acceptor, b->acceptor) &&
           extra_equal(a->extra, b->extra, known);
}

#define SAME(field)       (a->u.field == b->u.field)
#define SAME_BYTES(field) bytes_equal(a->u.field, b->u.field)
#define SAME_ARRAY(field) (memcmp(a->u.field, b->u.field, sizeof(a->u.field)) == 0)

static bool connection_equal(const struct qms_control *a, const struct qms_control *b)
{
    switch (a->type) {
    case QMS_MSG_HELLO:
        return SAME(hello.min_version) && SAME(hello.max_version) &&
               SAME_BYTES(hello.agent_id) && SAME(hello.flags) && SAME(hello.auth_scheme) &&
               SAME_BYTES(hello.auth) && SAME_BYTES(hello.software) && SAME(hello.caps) &&
               SAME_BYTES(hello.resume);
    case QMS_MSG_WELCOME:
        return SAME(welcome.version) && SAME_ARRAY(welcome.session_id) &&
               SAME_BYTES(welcome.agent_id) && SAME(welcome.max_header) &&
               SAME(welcome.max_datagram) && SAME(welcome.idle_ms);
    case QMS_MSG_REFUSED:
        return SAME(refused.status) && SAME(refused.retry_after_ms) &&
               SAME_BYTES(refused.reason) && SAME_BYTES(refused.redirect);
    case QMS_MSG_GOAWAY:
        return SAME(goaway.status) && SAME(goaway.deadline_ms) && SAME_BYTES(goaway.redirect);
    case QMS_MSG_AUTH:
        return SAME(auth.req) && SAME(auth.scheme) && SAME_BYTES(auth.token);
    case QMS_MSG_PING:
    case QMS_MSG_PONG:
        return SAME_ARRAY(ping);
    case QMS_MSG_THROTTLED:
        return SAME(throttled.what) && SAME(throttled.retry_after_ms);
    case QMS_MSG_STATS_REQUEST:
        return SAME(stats_request.req) && SAME(stats_request.interval_ms);
    case QMS_MSG_STATS:
        return SAME(stats.req) && SAME_ARRAY(stats.values);
    default:
        return true; /* an unknown even type says nothing */
    }
}

static bool routing_equal(const struct qms_control *a, const struct qms_control *b)
{
    switch (a->type) {
    case QMS_MSG_JOIN:
        return SAME(join.req) && SAME(join.kind) && SAME_BYTES(join.name) &&
               SAME(join.has_weight) && SAME(join.has_priority) && SAME(join.has_slow_policy) &&
               SAME(join.weight) && SAME(join.priority) && SAME(join.slow_policy);
    case QMS_MSG_LEAVE:
        return SAME(join.req) && SAME(join.kind) && SAME_BYTES(join.name);
    case QMS_MSG_WATCH:
        return SAME(watch.req) && SAME_BYTES(watch.prefix);
    case QMS_MSG_UNWATCH:
        return SAME(unwatch.req) && SAME(unwatch.watch_req);
    case QMS_MSG_PRESENCE:
        return SAME(presence.watch_req) && SAME(presence.state) && SAME_BYTES(presence.name);
    case QMS_MSG_REPLY:
        return SAME(reply.req) && SAME(reply.status);
    case QMS_MSG_PRIORITY:
        return SAME(priority.handle) && SAME(priority.opener) && SAME(priority.mask) &&
               SAME(priority.forward) && SAME(priority.reverse);
    case QMS_MSG_DGRAM_BIND:
        return SAME(dgram_bind.context) && SAME(dgram_bind.kind) &&
               SAME_BYTES(dgram_bind.name) && SAME(dgram_bind.priority);
    case QMS_MSG_DGRAM_UNBIND:
        return SAME(dgram_unbind.context);
    case QMS_MSG_STREAM_STATUS:
        return SAME(stream_status.handle) && SAME(stream_status.opener) &&
               SAME(stream_status.status) && SAME_BYTES(stream_status.reason);
    default:
        return connection_equal(a, b);
    }
}

bool control_equal(const struct qms_control *a, const struct qms_control *b)
{
    return a->type == b->type && routing_equal(a, b);
}

bool datagram_equal(const struct qms_datagram *a, const struct qms_datagram *b)
{
    return a->context == b->context && a->kind == b->kind &&
           bytes_equal(a->target, b->target) && bytes_equal(a->payload, b->payload);
}
