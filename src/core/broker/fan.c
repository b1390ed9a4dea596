/* SPDX-License-Identifier: MIT */
/* Who gets what.  A sub is ended by detaching from its channel, which may happen inside any
 * call that comes from that channel, but never inside one that goes into another. */
#include "core/broker/fan.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "core/broker/broker_mesh.h"
#include "core/broker/channel_remote.h"
#include "core/broker/fan_i.h"
#include "core/broker/group.h"
#include "core/broker/peer.h"
#include "core/broker/router.h"

/* What waits for one subscriber in all its streams of a topic, in max_lag, before it gets no
 * new ones. */
#define LAGS_MAX 4

/* ---- life ---- */

void qms_sub_end(struct qms_sub *sub, uint8_t code)
{
    struct qms_channel *ch = sub->ch;

    qms_fan_touch(sub->fan);
    qms_list_remove(&sub->node);
    qms_list_remove(&sub->of_member);
    qms_free(sub);
    if (ch != NULL) {
        ch->ops->detach(ch, code);
    }
}

static void end_all(struct qms_fan *fan, uint8_t code)
{
    struct qms_list *node;

    while ((node = qms_list_first(&fan->subs)) != NULL) {
        qms_sub_end(QMS_CONTAINER(node, struct qms_sub, node), code);
    }
}

void qms_fan_free(struct qms_fan *fan)
{
    end_all(fan, QMS_CODE_OK);
    qms_timer_stop(fan->broker, &fan->timer);
    qms_list_remove(&fan->node);
    qms_list_remove(&fan->dirty);
    if (fan->room != NULL) {
        fan->room->fan_count--;
        qms_room_settle(fan->room);
    }
    if (fan->half != NULL) {
        qms_route_unref(fan->half);
    }
    qms_blob_unref(fan->header);
    qms_free(fan);
}

static bool fan_fill(struct qms_fan *fan, const struct qms_route_header *h)
{
    struct qms_broker *b = fan->broker;
    uint8_t bytes[QMS_ROUTE_HEADER_MAX + 16];
    struct qms_writer w = qms_writer_of(bytes, sizeof(bytes));

    if (qms_route_encode(&w, h) != QMS_OK ||
        (fan->header = qms_blob_copy((struct qms_bytes){bytes, w.len})) == NULL ||
        (fan->half = qms_route_begin_remote(b, h, false, b->now)) == NULL) {
        return false;
    }
    fan->room = qms_rooms_get(b->rooms, QMS_KIND_TOPIC, h->target);
    if (fan->room == NULL) {
        return false;
    }
    qms_list_append(&fan->room->fans, &fan->node);
    fan->room->fan_count++;
    return true;
}

static struct qms_fan *fan_new(struct qms_broker *b, const struct qms_route_header *h)
{
    struct qms_fan *fan = qms_calloc(1, sizeof(*fan));

    if (fan == NULL) {
        return NULL;
    }
    fan->broker = b;
    fan->framed = (h->flags & QMS_ROUTE_FRAMED) != 0;
    fan->seq = h->has_group_seq ? h->group_seq : 0;
    fan->newcomers = true;
    fan->reloads = b->reloads;
    qms_list_init(&fan->node);
    qms_list_init(&fan->dirty);
    qms_list_init(&fan->subs);
    if (!fan_fill(fan, h)) {
        qms_fan_free(fan);
        return NULL;
    }
    return fan;
}

/* ---- what a sub's far end says ---- */

static qms_err sub_data(void *arg, struct qms_blob *blob, size_t off, size_t len)
{
    (void)arg, (void)blob, (void)off, (void)len;
    return QMS_E_CLOSED; /* there is no way back to the publisher */
}

static void sub_fin(void *arg)
{
    (void)arg;
}

static void sub_reset(void *arg, uint8_t code)
{
    (void)arg, (void)code;
}

/* It wants no more; nobody else is concerned. */
static void sub_stop(void *arg, uint8_t code)
{
    qms_sub_end(arg, code);
}

static void sub_credit(void *arg, uint64_t len)
{
    struct qms_sub *sub = arg;

    sub->out -= len < sub->out ? len : sub->out;
    sub->moved_at = sub->fan->broker->now;
    qms_fan_touch(sub->fan);
}

static void sub_result(void *arg, const struct qms_result *r)
{
    if (r->status != QMS_CODE_OK) {
        qms_sub_end(arg, (uint8_t)r->status);
    }
}

static void sub_priority(void *arg, uint8_t mask, uint8_t forward, uint8_t reverse)
{
    (void)arg, (void)mask, (void)forward, (void)reverse; /* there is no reverse direction */
}

static void sub_gone(void *arg, uint8_t code)
{
    qms_sub_end(arg, code);
}

static const struct qms_channel_sink sub_sink = {
    .data = sub_data,
    .fin = sub_fin,
    .reset = sub_reset,
    .stop = sub_stop,
    .credit = sub_credit,
    .result = sub_result,
    .priority = sub_priority,
    .gone = sub_gone,
};

/* ---- new subs ---- */

static struct qms_sub *sub_new(struct qms_fan *fan, struct qms_member *m, int slot)
{
    struct qms_sub *sub = qms_calloc(1, sizeof(*sub));

    if (sub != NULL) {
        sub->fan = fan;
        sub->member = m;
        sub->slot = slot;
        sub->moved_at = fan->broker->now;
        qms_list_init(&sub->of_member);
        qms_list_append(&fan->subs, &sub->node);
        if (m != NULL) {
            qms_list_append(&m->subs, &sub->of_member);
        }
        qms_sub_policy(sub);
        sub->bound = sub->max_lag;
    }
    return sub;
}

static bool header_of(const struct qms_fan *fan, struct qms_route_header *h)
{
    size_t used;

    if (qms_route_decode((struct qms_bytes){fan->header->data, fan->header->len}, h, &used) !=
        QMS_OK) {
        return false;
    }
    h->priority = fan->half->priority;
    h->has_group_seq = true;
    h->group_seq = fan->seq;
    return true;
}

/* One that leaves what it got unread gets no new streams, unless others wait for it anyway. */
static bool has_room(const struct qms_sub *sub)
{
    const struct qms_list *node;
    uint64_t waits = 0;

    QMS_LIST_FOREACH(node, &sub->member->subs) {
        waits += QMS_CONTAINER(node, struct qms_sub, of_member)->out;
    }
    return sub->on_slow == QMS_ON_SLOW_BLOCK || waits <= LAGS_MAX * sub->max_lag;
}

static bool open_here(struct qms_sub *sub, const struct qms_route_header *h)
{
    struct qms_peer *peer = sub->member->peer;
    struct qms_refusal why;

    return peer->state == QMS_PEER_WELCOMED && has_room(sub) &&
           qms_router_join_peer(sub->fan->half, peer, h, &sub_sink, sub, &sub->ch, &why);
}

static void add(struct qms_fan *fan, struct qms_member *m, int slot)
{
    struct qms_route_header h;
    struct qms_refusal why;
    struct qms_sub *sub = sub_new(fan, m, slot);

    bool open = sub != NULL && header_of(fan, &h) &&
                (m != NULL ? open_here(sub, &h)
                           : qms_router_join_worker(fan->half, (unsigned)slot, &h, &sub_sink,
                                                    sub, &sub->ch, &why));
    if (open) {
        return;
    }
    qms_stats_add(fan->broker->stats, QMS_S_TOPIC_DROPPED, 1);
    if (sub != NULL) {
        qms_sub_end(sub, QMS_CODE_BUSY);
    }
}

/* Subscribers of this worker, and other workers with some, that have no sub yet. */
static void admit(struct qms_fan *fan)
{
    struct qms_broker *b = fan->broker;
    uint64_t mark = ++b->mark;
    bool known[QMS_SLOTS_MAX] = {false};
    struct qms_list *node;

    fan->newcomers = false;
    QMS_LIST_FOREACH(node, &fan->subs) {
        struct qms_sub *sub = QMS_CONTAINER(node, struct qms_sub, node);
        if (sub->member != NULL) {
            sub->member->mark = mark;
        } else if (sub->slot >= 0 && !sub->leaves) {
            known[sub->slot] = true;
            qms_sub_policy(sub);
        }
    }
    QMS_LIST_FOREACH(node, &fan->room->members) {
        struct qms_member *m = QMS_CONTAINER(node, struct qms_member, node);
        if (m->peer != NULL && m->mark != mark) {
            add(fan, m, -1);
        } else if (m->peer == NULL && fan->origin && !known[m->info.worker]) {
            known[m->info.worker] = true;
            add(fan, NULL, m->info.worker);
        }
    }
}

/* ---- messages ---- */

static void tell_skipped(struct qms_sub *sub)
{
    if (sub->skipped > 0) {
        sub->ch->ops->skipped(sub->ch, sub->skipped);
        sub->skipped = 0;
    }
}

/* Hands over what a sub was given of the range under way. */
static void hand_over(struct qms_sub *sub, struct qms_blob *blob)
{
    size_t off = sub->given_off, len = sub->given_len;

    sub->given_len = 0;
    if (len == 0) {
        return;
    }
    qms_err err = sub->ch->ops->data(sub->ch, blob, off, len);
    if (err == QMS_E_CLOSED) {
        sub->out -= len; /* it is on its way out, and says so by itself */
    } else if (err != QMS_OK) {
        qms_sub_end(sub, QMS_CODE_INTERNAL);
    }
}

static void message_begins(struct qms_fan *fan, struct qms_blob *blob, uint64_t length)
{
    struct qms_list *node, *next;

    if (fan->newcomers) {
        admit(fan);
    }
    QMS_LIST_FOREACH_SAFE(node, next, &fan->subs) {
        struct qms_sub *sub = QMS_CONTAINER(node, struct qms_sub, node);
        sub->skipping = !qms_sub_takes(sub, length);
        if (sub->skipping) {
            sub->skipped++;
            qms_stats_add(fan->broker->stats, QMS_S_TOPIC_DROPPED, 1);
            hand_over(sub, blob);
        } else {
            tell_skipped(sub);
        }
    }
}

static void finish(struct qms_sub *sub)
{
    tell_skipped(sub);
    sub->ch->ops->fin(sub->ch);
}

static void message_ends(struct qms_fan *fan, struct qms_blob *blob)
{
    struct qms_list *node, *next;

    fan->seq++;
    if (!fan->leavers) {
        return;
    }
    fan->leavers = false;
    QMS_LIST_FOREACH_SAFE(node, next, &fan->subs) {
        struct qms_sub *sub = QMS_CONTAINER(node, struct qms_sub, node);
        if (sub->leaves) {
            struct qms_channel *ch = sub->ch;
            hand_over(sub, blob);
            ch->ops->fin(ch);
            qms_sub_end(sub, QMS_CODE_OK);
        }
    }
}

static void give(struct qms_fan *fan, size_t off, size_t len)
{
    struct qms_list *node;

    fan->front += fan->moves ? len : 0;
    QMS_LIST_FOREACH(node, &fan->subs) {
        struct qms_sub *sub = QMS_CONTAINER(node, struct qms_sub, node);
        if (sub->skipping) {
            continue;
        }
        if (sub->given_len == 0) {
            sub->given_off = off;
        }
        if (sub->out == 0) {
            sub->moved_at = fan->broker->now;
        }
        sub->given_len += len;
        sub->out += len;
    }
}

static void hand_over_all(struct qms_fan *fan, struct qms_blob *blob)
{
    struct qms_list *node, *next;

    QMS_LIST_FOREACH_SAFE(node, next, &fan->subs) {
        struct qms_sub *sub = QMS_CONTAINER(node, struct qms_sub, node);
        if (qms_sub_too_slow(sub)) {
            qms_stats_add(fan->broker->stats, QMS_S_TOPIC_CUT, 1);
            qms_sub_end(sub, QMS_CODE_SLOW_CONSUMER);
        } else {
            hand_over(sub, blob);
        }
    }
}

/* ---- what the publisher does ---- */

static struct qms_blob *up_room(void *arg)
{
    struct qms_fan *fan = arg;
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &fan->subs) {
        struct qms_sub *sub = QMS_CONTAINER(node, struct qms_sub, node);
        if (sub->slot >= 0) {
            return sub->ch->ops->room(sub->ch);
        }
    }
    return qms_blob_new(QMS_BLOB_CHUNK);
}

static qms_err up_data(void *arg, struct qms_blob *blob, size_t off, size_t len)
{
    struct qms_fan *fan = arg;
    size_t end = off + len;

    fan->owed += len;
    while (off < end) {
        struct qms_framing_part part = {.len = end - off};
        if (fan->framed) {
            part = qms_framing_next(&fan->framing,
                                    (struct qms_bytes){blob->data + off, end - off});
        }
        if (part.begins) {
            message_begins(fan, blob, part.length);
        }
        give(fan, off, part.len);
        if (part.ends) {
            message_ends(fan, blob);
        }
        off += part.len;
    }
    hand_over_all(fan, blob);
    qms_fan_touch(fan);
    return QMS_OK;
}

static void up_fin(void *arg)
{
    struct qms_fan *fan = arg;
    struct qms_list *node;

    fan->ended = true;
    QMS_LIST_FOREACH(node, &fan->subs) {
        finish(QMS_CONTAINER(node, struct qms_sub, node));
    }
    qms_fan_touch(fan);
}

static void up_reset(void *arg, uint8_t code)
{
    struct qms_fan *fan = arg;
    struct qms_list *node;

    fan->ended = true;
    QMS_LIST_FOREACH(node, &fan->subs) {
        struct qms_sub *sub = QMS_CONTAINER(node, struct qms_sub, node);
        sub->ch->ops->reset(sub->ch, code);
    }
    qms_fan_touch(fan);
}

static void up_nothing(void *arg, uint8_t code)
{
    (void)arg, (void)code;
}

static void up_credit(void *arg, uint64_t len)
{
    (void)arg, (void)len; /* nothing was sent that way */
}

static void up_result(void *arg, const struct qms_result *r)
{
    (void)arg, (void)r; /* only acceptors send one */
}

static void up_priority(void *arg, uint8_t mask, uint8_t forward, uint8_t reverse)
{
    struct qms_fan *fan = arg;
    struct qms_list *node;

    if ((mask & 1) == 0) {
        return;
    }
    fan->half->priority = forward;
    QMS_LIST_FOREACH(node, &fan->subs) {
        struct qms_sub *sub = QMS_CONTAINER(node, struct qms_sub, node);
        sub->ch->ops->priority(sub->ch, 1, forward, reverse);
    }
}

static void up_gone(void *arg, uint8_t code)
{
    struct qms_fan *fan = arg;
    struct qms_channel *up = fan->up;

    fan->up = NULL;
    if (fan->ended) {
        qms_fan_touch(fan); /* it counts what waits for the subs until the last one is done */
    } else {
        end_all(fan, code);
        qms_fan_free(fan);
    }
    up->ops->detach(up, code);
}

static void up_skipped(void *arg, uint64_t count)
{
    struct qms_fan *fan = arg;
    struct qms_list *node;

    fan->seq += count;
    QMS_LIST_FOREACH(node, &fan->subs) {
        QMS_CONTAINER(node, struct qms_sub, node)->skipped += count;
    }
}

static const struct qms_channel_sink up_sink = {
    .data = up_data,
    .fin = up_fin,
    .reset = up_reset,
    .stop = up_nothing,
    .credit = up_credit,
    .result = up_result,
    .priority = up_priority,
    .gone = up_gone,
    .room = up_room,
    .skipped = up_skipped,
};

/* ---- beginning ---- */

bool qms_router_to_topic(struct qms_leg *leg, const struct qms_route_header *to,
                         struct qms_refusal *why)
{
    struct qms_route_header h = *to;
    struct qms_fan *fan;

    h.has_group_seq = true;
    h.group_seq =
        (to->flags & QMS_ROUTE_FRAMED) != 0 ? 0 : qms_peer_publication(leg->peer, to->target);
    fan = fan_new(leg->route->broker, &h);
    if (fan == NULL || qms_channel_local_new(&qms_leg_sink, leg, &up_sink, fan, &leg->ch,
                                             &fan->up) != QMS_OK) {
        if (fan != NULL) {
            qms_fan_free(fan);
        }
        return qms_router_refused(why, QMS_CODE_INTERNAL, "", "no_memory");
    }
    fan->origin = true;
    admit(fan);
    return true;
}

bool qms_router_topic_from_worker(struct qms_broker *b, unsigned slot, uint32_t id,
                                  const struct qms_route_header *h, struct qms_refusal *why)
{
    struct qms_fan *fan = fan_new(b, h);

    if (fan == NULL || qms_remotes_accept(b->remotes, slot, id, &up_sink, fan,
                                          &fan->half->forward, &fan->up) != QMS_OK) {
        if (fan != NULL) {
            qms_fan_free(fan);
        }
        return qms_router_refused(why, QMS_CODE_INTERNAL, "", "no_memory");
    }
    admit(fan);
    return true;
}

/* ---- who comes and goes ---- */

void qms_fans_member_came(struct qms_room *room)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &room->fans) {
        struct qms_fan *fan = QMS_CONTAINER(node, struct qms_fan, node);
        fan->newcomers = fan->framed && !fan->ended;
        if (fan->newcomers && qms_framing_between(&fan->framing)) {
            admit(fan);
        }
    }
}

/* With the message under way; a stream that is one message goes on to its end. */
static void leave(struct qms_sub *sub)
{
    struct qms_fan *fan = sub->fan;

    if (!fan->framed || fan->ended) {
        return;
    }
    if (qms_framing_between(&fan->framing)) {
        finish(sub);
        qms_sub_end(sub, QMS_CODE_OK);
    } else {
        sub->leaves = fan->leavers = true;
    }
}

static void leave_worker(struct qms_fan *fan, int slot)
{
    struct qms_list *node, *next;

    QMS_LIST_FOREACH_SAFE(node, next, &fan->subs) {
        struct qms_sub *sub = QMS_CONTAINER(node, struct qms_sub, node);
        if (sub->slot == slot) {
            leave(sub);
        }
    }
}

void qms_fans_member_leaves(struct qms_member *m)
{
    struct qms_list *node, *next;

    QMS_LIST_FOREACH_SAFE(node, next, &m->subs) {
        struct qms_sub *sub = QMS_CONTAINER(node, struct qms_sub, of_member);
        qms_list_remove(&sub->of_member);
        sub->member = NULL;
        leave(sub);
    }
    /* The last one of another worker. */
    if (m->peer == NULL && m->room->per_worker[m->info.worker] == 1) {
        QMS_LIST_FOREACH(node, &m->room->fans) {
            leave_worker(QMS_CONTAINER(node, struct qms_fan, node), m->info.worker);
        }
    }
}

static void free_fans(void *arg, struct qms_room *room)
{
    (void)arg;
    /* The room goes with the last of them, unless it has members. */
    for (size_t left = room->fan_count; left > 0; left--) {
        struct qms_fan *fan = QMS_CONTAINER(room->fans.next, struct qms_fan, node);
        struct qms_channel *up = fan->up;
        qms_fan_free(fan);
        if (up != NULL) {
            up->ops->detach(up, QMS_CODE_GOING_AWAY);
        }
    }
}

void qms_fans_free(struct qms_broker *b)
{
    qms_rooms_each(b->rooms, free_fans, NULL);
}
