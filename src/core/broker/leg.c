/* SPDX-License-Identifier: MIT */
/* From the agent into the channel: the session's events on a routed stream. */
#include "core/broker/leg.h"

#include "base/mem.h"
#include "core/broker/peer.h"

static struct qms_broker *broker_of(const struct qms_leg *leg)
{
    return leg->route->broker;
}

static struct qms_leg *leg_new(struct qms_route *route, struct qms_peer *peer, bool opener)
{
    struct qms_leg *leg = qms_calloc(1, sizeof(*leg));

    if (leg != NULL) {
        qms_route_ref(route);
        leg->route = route;
        leg->peer = peer;
        leg->opener = opener;
        leg->forward = leg->reverse = route->priority;
        /* A unidirectional stream has one direction only: the other is over from the start. */
        leg->send_done = !route->bidi && opener;
        leg->recv_done = !route->bidi && !opener;
        qms_list_init(&leg->ending);
    }
    return leg;
}

static void leg_free(struct qms_leg *leg)
{
    if (leg->route->opener_leg == leg) {
        leg->route->opener_leg = NULL;
    }
    leg->peer->buffered -= leg->uncredited;
    qms_timer_stop(broker_of(leg), &leg->earn);
    qms_free(leg->hold);
    qms_list_remove(&leg->ending);
    qms_blob_unref(leg->chunk);
    qms_route_unref(leg->route);
    qms_free(leg);
}

struct qms_leg *qms_leg_open(struct qms_route *route, struct qms_session_stream *st)
{
    struct qms_leg *leg = leg_new(route, route->opener, true);

    if (leg != NULL) {
        leg->st = st;
        leg->answered = route->bidi && (route->flags & QMS_ROUTE_NO_RESULT) != 0;
        st->user = leg;
        route->opener_leg = leg;
        if (st->reverse != leg->reverse) {
            qms_session_apply_priority(st, leg->reverse);
        }
    }
    return leg;
}

qms_err qms_leg_accept(struct qms_route *route, struct qms_peer *peer,
                       const struct qms_route_header *h, struct qms_leg **out)
{
    struct qms_leg *leg = leg_new(route, peer, false);
    struct qms_route_header to = *h;
    qms_err err;

    if (qms_session_is_agent(peer->session)) { /* one that was dialed, and believes nobody */
        to.kind = QMS_KIND_SELF;
        to.target = to.source = (struct qms_bytes){0};
    }

    if (leg == NULL) {
        return QMS_E_NOMEM;
    }
    if ((err = qms_session_open(peer->session, route->bidi, &to, leg, &leg->st)) != QMS_OK) {
        leg_free(leg);
        return err;
    }
    qms_peer_touch(peer);
    if (route->kind != QMS_KIND_TOPIC) { /* has many */
        qms_route_set_acceptor(route, peer);
    }
    *out = leg;
    return QMS_OK;
}

/* A channel is left here, at the top of the stack, and nowhere below an operation of its. */
void qms_leg_reap(struct qms_broker *b)
{
    struct qms_list *node;

    while ((node = qms_list_first(&b->ending)) != NULL) {
        struct qms_leg *leg = QMS_CONTAINER(node, struct qms_leg, ending);
        qms_list_remove(node);
        if (leg->ch != NULL) {
            leg->ch->ops->detach(leg->ch, QMS_CODE_PEER_GONE);
        }
        leg_free(leg);
    }
}

void qms_leg_settle(struct qms_leg *leg)
{
    if (leg->st == NULL && (leg->ch == NULL || leg->uncredited == 0) &&
        qms_list_empty(&leg->ending)) {
        qms_list_append(&broker_of(leg)->ending, &leg->ending);
    }
}

/* ---- credit ---- */

/* What is consumed and earned both.  Bytes on their way count as the ones not earned yet, so
 * that what was consumed is not kept longer than the rate asks for. */
static void release_held(struct qms_leg *leg)
{
    uint64_t unearned = leg->hold != NULL ? leg->hold->total : 0;
    uint64_t kept = unearned > leg->uncredited ? unearned - leg->uncredited : 0;
    uint64_t len = leg->held > kept ? leg->held - kept : 0;

    leg->held -= len;
    if (leg->st != NULL && len > 0) {
        qms_session_consume(leg->st, (size_t)len);
    }
}

static void hold_nothing(struct qms_leg *leg)
{
    qms_timer_stop(broker_of(leg), &leg->earn);
    if (leg->hold != NULL) {
        *leg->hold = (struct qms_hold){0};
    }
}

/* Without memory for the timer the credit is not withheld: nothing may wait for ever. */
static void earn_later(struct qms_leg *leg)
{
    if (qms_timer_set(broker_of(leg), &leg->earn, qms_hold_next_at(leg->hold)) != QMS_OK) {
        hold_nothing(leg);
    }
}

static void on_earned(struct qms_timer *t, qms_time now)
{
    struct qms_leg *leg = QMS_CONTAINER(t, struct qms_leg, earn);

    qms_hold_earn(leg->hold, now);
    earn_later(leg);
    release_held(leg);
}

static void hold_until(struct qms_leg *leg, size_t len, qms_time at, qms_time now)
{
    if (leg->hold == NULL && (leg->hold = qms_calloc(1, sizeof(*leg->hold))) == NULL) {
        return;
    }
    qms_peer_debug(leg->peer, "credit withheld bytes=%zu for_ms=%llu", len,
                   (unsigned long long)((at - now) / QMS_MILLISECOND));
    leg->earn.fire = on_earned;
    qms_hold_add(leg->hold, len, at, now);
    earn_later(leg);
}

static void settle_account(struct qms_leg *leg, uint64_t len)
{
    leg->uncredited -= len;
    leg->peer->buffered -= len;
    if (leg->uncredited == 0) {
        qms_blob_unref(leg->chunk);
        leg->chunk = NULL;
    }
}

void qms_leg_give(struct qms_leg *leg, uint64_t len)
{
    len = len < leg->uncredited ? len : leg->uncredited;
    settle_account(leg, len);
    leg->held += len;
    release_held(leg);
    if (leg->st == NULL) {
        qms_leg_settle(leg);
    }
}

void qms_leg_give_all(struct qms_leg *leg)
{
    leg->held += leg->uncredited;
    settle_account(leg, leg->uncredited);
    hold_nothing(leg);
    release_held(leg);
}

/* ---- ends ---- */

qms_err qms_leg_result(struct qms_leg *leg, const struct qms_result *r)
{
    struct qms_result nameless = *r;
    qms_err err = qms_session_result(leg->st, r);

    nameless.acceptor = (struct qms_bytes){0};
    return err == QMS_E_TOO_LARGE ? qms_session_result(leg->st, &nameless) : err;
}

static void result_or_reset(struct qms_leg *leg, const struct qms_result *r)
{
    uint8_t code = (uint8_t)r->status;

    if (qms_leg_result(leg, r) == QMS_OK) {
        return;
    }
    if (leg->route->bidi) {
        qms_session_reset(leg->st, code);
    }
    qms_session_stop(leg->st, code);
}

void qms_leg_refuse(struct qms_leg *leg, const struct qms_result *r)
{
    leg->answered = leg->send_done = leg->recv_done = true;
    qms_route_note(leg->route, (uint8_t)r->status);
    qms_timer_stop(broker_of(leg), &leg->route->deadline);
    if (leg->st != NULL) {
        result_or_reset(leg, r);
        qms_peer_touch(leg->peer);
    }
    qms_leg_give_all(leg);
}

void qms_leg_end(struct qms_leg *leg, uint8_t code)
{
    bool over = leg->recv_done && leg->send_done;

    if (!over) {
        qms_route_note(leg->route, code);
    }
    if (leg->st != NULL && !over && leg->opener && leg->route->bidi && !leg->answered) {
        qms_leg_refuse(leg, &(struct qms_result){.status = code});
        return;
    }
    if (leg->st != NULL && !leg->send_done) {
        qms_session_reset(leg->st, code);
    }
    if (leg->st != NULL && !leg->recv_done) {
        qms_session_stop(leg->st, code);
    }
    leg->send_done = leg->recv_done = true;
    qms_leg_give_all(leg);
}

void qms_leg_abort(struct qms_leg *leg, uint8_t code)
{
    struct qms_channel *ch = leg->ch;

    qms_route_note(leg->route, code);
    leg->ch = NULL;
    if (ch != NULL) {
        ch->ops->detach(ch, code);
    }
    qms_leg_end(leg, code);
    qms_leg_settle(leg);
}

/* ---- bytes ---- */

static bool room(struct qms_leg *leg)
{
    if (leg->chunk != NULL && leg->chunk->len == leg->chunk->cap) {
        qms_blob_unref(leg->chunk);
        leg->chunk = NULL;
    }
    if (leg->chunk == NULL) {
        leg->chunk = leg->ch->ops->room(leg->ch);
    }
    return leg->chunk != NULL;
}

/* Copies into the chunk and hands on, piece by piece. */
static qms_err pass_on(struct qms_leg *leg, struct qms_bytes data)
{
    qms_err err = QMS_OK;

    while (data.len > 0 && err == QMS_OK && leg->ch != NULL) {
        if (!room(leg)) {
            return QMS_E_NOMEM;
        }
        /* The channel may answer at once and settle the account: keep the chunk meanwhile. */
        struct qms_blob *chunk = qms_blob_ref(leg->chunk);
        size_t off = chunk->len, len = qms_blob_append(chunk, data);
        err = leg->ch->ops->data(leg->ch, chunk, off, len);
        qms_blob_unref(chunk);
        data.data += len;
        data.len -= len;
    }
    return err;
}

static void account(struct qms_leg *leg, size_t len)
{
    struct qms_broker *b = broker_of(leg);

    *(leg->opener ? &leg->route->forward : &leg->route->reverse) += len;
    leg->uncredited += len;
    leg->peer->buffered += len;
    leg->peer->bytes_in += len;
    qms_stats_add(b->stats, QMS_S_STREAM_BYTES_IN, len);
}

static const struct qms_route_conf *block_of(const struct qms_leg *leg)
{
    return leg->opener ? leg->route->block : leg->route->acceptor_block;
}

/* False: a module refused it, and the route is over. */
static bool ask_modules(struct qms_leg *leg, struct qms_bytes data, bool fin)
{
    struct qms_broker *b = broker_of(leg);
    const struct qms_payload payload = {.forward = leg->opener, .fin = fin, .bytes = data};
    qms_time now = qms_peer_now(leg->peer), until;
    struct qms_refusal why;

    if (!qms_chain_data(&b->chain, block_of(leg), leg->route->stream_data,
                        leg->peer->module_data, leg->route, &payload, now, &until, &why)) {
        qms_stats_label(b->stats, QMS_F_ROUTE_CUT, why.label);
        qms_route_blame_cut(leg->route, why.label);
        qms_leg_abort(leg, (uint8_t)why.code);
        return false;
    }
    if (until != 0 && data.len > 0) {
        hold_until(leg, data.len, until, now);
    }
    return true;
}

static void take(struct qms_leg *leg, struct qms_bytes data)
{
    qms_err err = pass_on(leg, data);

    if (err == QMS_E_CLOSED) {
        qms_leg_give_all(leg);
    } else if (err != QMS_OK) {
        qms_leg_abort(leg, QMS_CODE_INTERNAL);
    }
}

/* ---- events of the session; st->user is NULL where there was no memory for a leg ---- */

void qms_leg_on_data(struct qms_session_stream *st, struct qms_bytes data, bool fin)
{
    struct qms_leg *leg = st->user;

    if (leg == NULL || leg->recv_done || leg->ch == NULL) {
        qms_session_consume(st, data.len);
        return;
    }
    account(leg, data.len);
    if (!ask_modules(leg, data, fin)) {
        return;
    }
    if (data.len > 0) {
        take(leg, data);
    }
    if (fin && !leg->recv_done) {
        leg->recv_done = true;
        qms_peer_debug(leg->peer, "FIN handle=%llu", (unsigned long long)st->handle);
        if (leg->ch != NULL) {
            leg->ch->ops->fin(leg->ch);
        }
    }
}

void qms_leg_on_reset(struct qms_session_stream *st, uint8_t code)
{
    struct qms_leg *leg = st->user;

    if (leg == NULL || leg->recv_done) {
        return;
    }
    leg->recv_done = true;
    qms_peer_debug(leg->peer, "RESET handle=%llu code=%s", (unsigned long long)st->handle,
                   qms_code_name(code));
    qms_route_note(leg->route, code);
    if (leg->ch != NULL) {
        leg->ch->ops->reset(leg->ch, code);
    }
    qms_leg_give_all(leg);
}

void qms_leg_on_stop(struct qms_session_stream *st, uint8_t code)
{
    struct qms_leg *leg = st->user;

    qms_session_reset(st, code);
    if (leg == NULL) {
        return;
    }
    leg->send_done = true;
    leg->finished = false;
    qms_peer_debug(leg->peer, "STOP_SENDING handle=%llu code=%s",
                   (unsigned long long)st->handle, qms_code_name(code));
    qms_route_note(leg->route, code);
    if (leg->ch != NULL) {
        leg->ch->ops->stop(leg->ch, code);
    }
}

void qms_leg_on_acked(struct qms_session_stream *st, uint64_t len)
{
    struct qms_leg *leg = st->user;

    if (leg == NULL) {
        return;
    }
    leg->unacked -= len < leg->unacked ? len : leg->unacked;
    leg->peer->bytes_out += len;
    qms_stats_add(broker_of(leg)->stats, QMS_S_STREAM_BYTES_OUT, len);
    qms_stats_level(broker_of(leg)->stats, QMS_S_LEVEL_BYTES_BACKGROUND,
                    leg->opener ? leg->reverse : leg->forward, len);
    if (leg->ch != NULL) {
        leg->ch->ops->credit(leg->ch, len);
    }
}

void qms_leg_on_result(struct qms_session_stream *st, const struct qms_result *r)
{
    struct qms_leg *leg = st->user;

    if (leg == NULL) {
        return;
    }
    if (r->status != QMS_CODE_OK) {
        /* The session ends the stream by itself. */
        leg->send_done = leg->recv_done = true;
    }
    /* Whatever the agent says of itself: its name is the broker's to tell. */
    struct qms_result told = *r;
    told.acceptor = qms_str(leg->peer->id, leg->peer->id_len);
    if (leg->ch != NULL) {
        leg->ch->ops->result(leg->ch, &told);
    }
}

void qms_leg_on_priority(struct qms_session_stream *st)
{
    struct qms_leg *leg = st->user;
    uint8_t mask;

    if (leg == NULL) {
        return;
    }
    uint8_t forward = qms_route_conf_clamp(leg->route->block, st->forward);
    uint8_t reverse = qms_route_conf_clamp(leg->route->block, st->reverse);
    uint8_t asked = leg->opener ? st->reverse : st->forward;
    uint8_t ours = leg->opener ? reverse : forward;
    if (asked != ours) {
        qms_session_apply_priority(st, ours); /* the session applied what was asked for */
    }
    mask = (uint8_t)((forward != leg->forward ? 1 : 0) | (reverse != leg->reverse ? 2 : 0));
    leg->forward = forward;
    leg->reverse = reverse;
    if (leg->ch != NULL && mask != 0) {
        leg->ch->ops->priority(leg->ch, mask, forward, reverse);
    }
}

void qms_leg_on_stream_closed(struct qms_session_stream *st)
{
    struct qms_leg *leg = st->user;

    if (leg == NULL) {
        return;
    }
    st->user = NULL;
    leg->st = NULL;
    if (!leg->recv_done || !leg->send_done || (leg->finished && leg->unacked > 0)) {
        /* The connection went: never let that look like the end of the data, nor like data
         * that arrived. */
        qms_leg_abort(leg, QMS_CODE_PEER_GONE);
        return;
    }
    /* What the agent did not acknowledge by now nobody will consume. */
    if (leg->ch != NULL && leg->unacked > 0) {
        leg->ch->ops->credit(leg->ch, leg->unacked);
    }
    leg->unacked = 0;
    qms_leg_settle(leg);
}
