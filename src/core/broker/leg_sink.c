/* SPDX-License-Identifier: MIT */
/* From the channel to the agent: what the other leg did. */
#include <stdio.h>

#include "base/log.h"
#include "core/broker/leg.h"
#include "core/broker/peer.h"
#include "core/broker/router.h"

static qms_err sink_data(void *arg, struct qms_blob *blob, size_t off, size_t len)
{
    struct qms_leg *leg = arg;

    if (leg->st == NULL || leg->send_done) {
        return QMS_E_CLOSED;
    }
    if (leg->opener && leg->route->first_byte_at == 0) {
        leg->route->first_byte_at = qms_peer_now(leg->peer);
    }
    qms_err err = qms_session_write(leg->st, blob, off, len);
    leg->unacked += err == QMS_OK ? len : 0;
    return err;
}

static void sink_fin(void *arg)
{
    struct qms_leg *leg = arg;

    if (!leg->send_done) {
        leg->send_done = leg->finished = true;
        qms_session_finish(leg->st);
    }
}

static void sink_reset(void *arg, uint8_t code)
{
    struct qms_leg *leg = arg;

    if (!leg->send_done) {
        leg->send_done = true;
        leg->answered = true; /* a RESET says it all; no RESULT can follow */
        qms_session_reset(leg->st, code);
    }
}

static void sink_stop(void *arg, uint8_t code)
{
    struct qms_leg *leg = arg;

    if (!leg->recv_done) {
        leg->recv_done = true;
        qms_session_stop(leg->st, code);
    }
    qms_leg_give_all(leg);
    if (leg->st == NULL) {
        qms_leg_settle(leg);
    }
}

static void sink_credit(void *arg, uint64_t len)
{
    qms_leg_give(arg, len);
}

/* At the opener's leg. */
static void sink_result(void *arg, const struct qms_result *r)
{
    struct qms_leg *leg = arg;
    struct qms_route *route = leg->route;

    if (leg->answered || !leg->opener || leg->st == NULL) {
        return;
    }
    leg->answered = true;
    qms_peer_debug(leg->peer, "RESULT target=%.*s status=%s", (int)route->target_len,
                   route->target, qms_code_name(r->status));
    qms_route_answered(route, r->acceptor, qms_peer_now(leg->peer));
    qms_timer_stop(route->broker, &route->deadline);

    if (route->bidi) {
        qms_time now = qms_peer_now(leg->peer);
        qms_stats_observe(route->broker->stats, QMS_H_ROUTE_LATENCY,
                          now > route->opened_at ? now - route->opened_at : 0);
    }
    if (r->status != QMS_CODE_OK) {
        qms_leg_refuse(leg, r);
        return;
    }
    qms_err err = qms_leg_result(leg, r);
    if (err != QMS_OK) { /* closed: its connection is on its way out */
        qms_leg_abort(leg, err == QMS_E_CLOSED ? QMS_CODE_PEER_GONE : QMS_CODE_INTERNAL);
    }
}

/* A change is told once: where it was made it is in force, here it is told on. */
static void sink_priority(void *arg, uint8_t mask, uint8_t forward, uint8_t reverse)
{
    struct qms_leg *leg = arg;

    mask = leg->opener ? mask & 2 : mask;
    if (leg->st == NULL || mask == 0) {
        return;
    }
    leg->forward = (mask & 1) != 0 ? forward : leg->forward;
    leg->reverse = (mask & 2) != 0 ? reverse : leg->reverse;
    /* Out of memory or a full CONTROL stream: the urgency stays, the bytes still flow. */
    if (qms_session_set_priority(leg->st, mask, forward, reverse) != QMS_OK) {
        qms_session_apply_priority(leg->st, leg->opener ? reverse : forward);
    }
}

static void sink_gone(void *arg, uint8_t code)
{
    struct qms_leg *leg = arg;
    struct qms_channel *ch = leg->ch;

    leg->ch = NULL;
    if (ch != NULL) {
        ch->ops->detach(ch, code);
    }
    qms_leg_end(leg, code);
    qms_leg_settle(leg);
}

/* The count is in the reason: doc/wire.md section 5, STREAM_STATUS. */
static void sink_skipped(void *arg, uint64_t count)
{
    struct qms_leg *leg = arg;
    char text[24];

    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)count);
    if (leg->st != NULL &&
        qms_session_stream_status(leg->st, QMS_CODE_SLOW_CONSUMER, text) != QMS_OK) {
        qms_log_peer(QMS_LOG_INFO, "skipped messages could not be told id=%s count=%s",
                     leg->peer->id, text);
    }
}

/* Of a topic nobody in particular has it, and a group's member its pick tells. */
static void sink_taken(void *arg)
{
    struct qms_route *route = ((struct qms_leg *)arg)->route;

    if (route->kind == QMS_KIND_AGENT) {
        qms_route_set_acceptor_id(route, qms_route_target(route));
    }
}

const struct qms_channel_sink qms_leg_sink = {
    .data = sink_data,
    .fin = sink_fin,
    .reset = sink_reset,
    .stop = sink_stop,
    .credit = sink_credit,
    .result = sink_result,
    .priority = sink_priority,
    .gone = sink_gone,
    .stale = qms_router_on_stale,
    .skipped = sink_skipped,
    .taken = sink_taken,
};
