/* SPDX-License-Identifier: MIT */
/* The life of a pick.  After a call into `up` the pick may be gone: such calls come last. */
#include "core/broker/group.h"

#include <string.h>

#include "base/mem.h"
#include "core/broker/early.h"
#include "core/broker/elsewhere.h"
#include "core/broker/group_balance.h"
#include "core/broker/peer.h"
#include "core/broker/router.h"

struct qms_pick {
    struct qms_broker *broker;
    struct qms_route *route;   /* a reference */
    struct qms_channel *up;    /* to the opener's leg */
    struct qms_channel *down;  /* to the member; NULL: none, or over */
    struct qms_member *member; /* NULL: none, or it left the group */
    struct qms_list node;      /* in member->picks, or in room->waiting */
    struct qms_room *waits_in; /* NULL: it does not wait */
    struct qms_timer timer;    /* of the wait */
    struct qms_blob *header;   /* as an acceptor gets it, but for the target */
    struct qms_early early;
    uint64_t withheld;     /* credit that the member gave before it was decided */
    bool decided, answers; /* a RESULT is due */
    bool over;             /* the opener was told how it ended */
    size_t tried_count;
    struct qms_tried tried[QMS_TRIES_MAX];
};

static void set_streams(struct qms_broker *b, struct qms_member *m, uint64_t count)
{
    m->streams = count;
    qms_elsewhere_tell(b, m->streams_key, count);
}

static void set_waiting(struct qms_broker *b, struct qms_room *room, size_t count)
{
    room->waiting_count = count;
    qms_elsewhere_tell(b, room->waiting_key, count);
}

static void leave_lists(struct qms_pick *pick)
{
    if (pick->member != NULL) {
        set_streams(pick->broker, pick->member, pick->member->streams - 1);
        pick->member = NULL;
    }
    qms_list_remove(&pick->node);
    if (pick->waits_in != NULL) {
        struct qms_room *room = pick->waits_in;
        pick->waits_in = NULL;
        set_waiting(pick->broker, room, room->waiting_count - 1);
        qms_timer_stop(pick->broker, &pick->timer);
        qms_room_settle(room);
    }
}

static void pick_free(struct qms_pick *pick)
{
    leave_lists(pick);
    qms_early_clear(&pick->early);
    qms_blob_unref(pick->header);
    qms_route_unref(pick->route);
    qms_free(pick);
}

static void drop_member(struct qms_pick *pick, uint8_t code)
{
    struct qms_channel *ch = pick->down;

    leave_lists(pick);
    pick->down = NULL;
    pick->withheld = 0;
    if (ch != NULL) {
        ch->ops->detach(ch, code);
    }
}

/* What became of earlier members is not how the route ended. */
static void forget_failures(struct qms_pick *pick)
{
    if (pick->tried_count > 1 && !pick->early.reset && !pick->early.stop) {
        pick->route->status = QMS_CODE_OK;
    }
}

/* From now on the opener sees what the member does. */
static void decide(struct qms_pick *pick)
{
    uint64_t len = pick->withheld;

    if (pick->decided) {
        return;
    }
    forget_failures(pick);
    pick->decided = true;
    pick->withheld = 0;
    qms_early_clear(&pick->early);
    if (len > 0) {
        pick->up->ops->credit(pick->up, len);
    }
}

/* How it ended.  An opener whose stream is over already hears of it by the channel's end. */
static void tell(struct qms_pick *pick, const struct qms_result *r)
{
    struct qms_channel *up = pick->up;
    uint8_t code = (uint8_t)r->status;

    forget_failures(pick);
    qms_route_note(pick->route, code);
    up->ops->result(up, r);
    pick_free(pick);
    up->ops->detach(up, code);
}

/* ---- trying ---- */

static struct qms_bytes sticky_key(const struct qms_pick *pick,
                                   const struct qms_route_header *h)
{
    const struct qms_peer *opener = pick->route->opener;

    return h->meta.len > 0 ? h->meta : qms_str(opener->id, opener->id_len);
}

static bool join_member(struct qms_pick *pick, struct qms_member *m,
                        const struct qms_route_header *h, struct qms_refusal *why);

static struct qms_bytes room_of(const struct qms_pick *pick)
{
    return qms_route_conf_room(pick->route->block, qms_route_target(pick->route));
}

/* Tries members until one takes the stream.  False: none did; `why` is the last one's. */
static bool try_members(struct qms_pick *pick, struct qms_refusal *why)
{
    const struct qms_route_conf *block = pick->route->block;
    struct qms_room *room = qms_rooms_find(pick->broker->rooms, QMS_KIND_GROUP, room_of(pick));
    struct qms_route_header h;
    size_t used, limit = 1 + (size_t)block->failover;

    limit = limit < QMS_TRIES_MAX ? limit : QMS_TRIES_MAX;
    if (qms_route_decode((struct qms_bytes){pick->header->data, pick->header->len}, &h,
                         &used) != QMS_OK) {
        return qms_router_refused(why, QMS_CODE_INTERNAL, "", "internal");
    }
    while (room != NULL && pick->tried_count < limit) {
        struct qms_member *m =
            qms_group_choose(pick->broker, room, (enum qms_balance)block->balance,
                             sticky_key(pick, &h), pick->tried, pick->tried_count);
        if (m == NULL) {
            return false;
        }
        if (pick->tried_count > 0) {
            qms_stats_add(pick->broker->stats, QMS_S_FAILOVERS, 1);
        }
        pick->tried[pick->tried_count++] = (struct qms_tried){m->info.worker, m->info.epoch};
        if (join_member(pick, m, &h, why)) {
            return true;
        }
    }
    return false;
}

static const struct qms_channel_sink down_sink;

static bool join_member(struct qms_pick *pick, struct qms_member *m,
                        const struct qms_route_header *h, struct qms_refusal *why)
{
    struct qms_route_header to = *h;
    bool done;

    to.kind = QMS_KIND_AGENT;
    to.target = qms_str(m->info.id, m->info.id_len);
    to.has_original = true;
    to.original_kind = QMS_KIND_GROUP;
    to.original_target = qms_route_target(pick->route);
    done = m->peer != NULL ? qms_router_join_peer(pick->route, m->peer, &to, &down_sink, pick,
                                                  &pick->down, why)
                           : qms_router_join_worker(pick->route, m->info.worker, &to,
                                                    &down_sink, pick, &pick->down, why);
    if (!done) {
        return false;
    }
    pick->member = m;
    set_streams(pick->broker, m, m->streams + 1);
    qms_list_append(&m->picks, &pick->node);
    if (qms_early_replay(&pick->early, pick->down) != QMS_OK) {
        drop_member(pick, QMS_CODE_INTERNAL);
        return qms_router_refused(why, QMS_CODE_INTERNAL, "", "no_memory");
    }
    return true;
}

/* ---- waiting ---- */

static void on_wait_over(struct qms_timer *t, qms_time now)
{
    struct qms_pick *pick = QMS_CONTAINER(t, struct qms_pick, timer);

    (void)now;
    leave_lists(pick);
    qms_route_blame(pick->route, "queue_timeout");
    qms_stats_label(pick->broker->stats, QMS_F_ROUTE_REFUSED, "queue_timeout");
    tell(pick, &(struct qms_result){.status = QMS_CODE_OFFLINE,
                                    .reason = qms_str("no member came in time", 22)});
}

/* False: there is no queue, or it is full; `why` says which. */
static bool wait_for_member(struct qms_pick *pick, struct qms_refusal *why)
{
    const struct qms_route_conf *block = pick->route->block;
    struct qms_broker *b = pick->broker;

    if (block->queue_max == 0) {
        return qms_router_refused(why, QMS_CODE_OFFLINE, "", "offline");
    }
    struct qms_room *room = qms_rooms_get(b->rooms, QMS_KIND_GROUP, room_of(pick));
    if (room == NULL) {
        return qms_router_refused(why, QMS_CODE_INTERNAL, "", "no_memory");
    }
    if (room->waiting_count + qms_elsewhere_count(b, room->waiting_key) >= block->queue_max) {
        qms_room_settle(room);
        return qms_router_refused(why, QMS_CODE_BUSY, "too many streams wait", "queue_full");
    }
    pick->timer.fire = on_wait_over;
    if (qms_timer_set(b, &pick->timer, b->now + block->queue_for) != QMS_OK) {
        qms_room_settle(room);
        return qms_router_refused(why, QMS_CODE_INTERNAL, "", "no_memory");
    }
    pick->waits_in = room;
    pick->tried_count = 0; /* whoever comes is new, or may have room again */
    set_waiting(b, room, room->waiting_count + 1);
    qms_list_append(&room->waiting, &pick->node);
    return true;
}

void qms_group_member_came(struct qms_broker *b, struct qms_room *room)
{
    struct qms_list todo, *node;

    (void)b;
    qms_list_init(&todo);
    while ((node = qms_list_first(&room->waiting)) != NULL) {
        qms_list_remove(node);
        qms_list_append(&todo, node);
    }
    while ((node = qms_list_first(&todo)) != NULL) {
        struct qms_pick *pick = QMS_CONTAINER(node, struct qms_pick, node);
        struct qms_refusal why = {0};
        bool waits;

        leave_lists(pick); /* the room stays: the member is in it */
        waits = try_members(pick, &why) || wait_for_member(pick, &why);
        if (!waits) {
            struct qms_result r = qms_router_result_of(&why);
            tell(pick, &r);
        }
    }
}

void qms_group_member_leaves(struct qms_broker *b, struct qms_member *m)
{
    struct qms_list *node;

    set_streams(b, m, 0);
    while ((node = qms_list_first(&m->picks)) != NULL) {
        struct qms_pick *pick = QMS_CONTAINER(node, struct qms_pick, node);
        qms_list_remove(node);
        pick->member = NULL;
    }
}

/* ---- what the member does ---- */

/* Whether another member may do better.  Codes of the application are its answer. */
static bool is_failure(uint64_t status)
{
    switch (status) {
    case QMS_CODE_INTERNAL:
    case QMS_CODE_UNSUPPORTED:
    case QMS_CODE_OFFLINE:
    case QMS_CODE_REJECTED:
    case QMS_CODE_BUSY:
    case QMS_CODE_RATE_LIMITED:
    case QMS_CODE_PEER_GONE:
    case QMS_CODE_WORKER_LOST:
    case QMS_CODE_NODE_LOST:
    case QMS_CODE_GOING_AWAY:
    case QMS_CODE_REPLACED:
    case QMS_CODE_EXPIRED:
        return true;
    default:
        return false;
    }
}

/* The member did not do it.  `r` is what the opener is told when nobody else does. */
static void fail(struct qms_pick *pick, const struct qms_result *r)
{
    bool gone = r->status != QMS_CODE_REJECTED && r->status != QMS_CODE_BUSY &&
                r->status != QMS_CODE_UNSUPPORTED && r->status != QMS_CODE_RATE_LIMITED;
    struct qms_refusal why = {0};

    drop_member(pick, QMS_CODE_CANCELLED);
    if (try_members(pick, &why)) {
        return;
    }
    if (gone && wait_for_member(pick, &why)) {
        return;
    }
    tell(pick, r);
}

static bool may_fail_over(const struct qms_pick *pick, uint64_t status)
{
    return !pick->decided && !pick->early.reset && is_failure(status);
}

static qms_err down_data(void *arg, struct qms_blob *blob, size_t off, size_t len)
{
    struct qms_pick *pick = arg;

    decide(pick); /* without a RESULT */
    return pick->up->ops->data(pick->up, blob, off, len);
}

static void down_fin(void *arg)
{
    struct qms_pick *pick = arg;

    decide(pick);
    pick->up->ops->fin(pick->up);
}

static void down_reset(void *arg, uint8_t code)
{
    struct qms_pick *pick = arg;

    if (may_fail_over(pick, code)) {
        fail(pick, &(struct qms_result){.status = code});
        return;
    }
    decide(pick);
    pick->up->ops->reset(pick->up, code);
}

static void down_stop(void *arg, uint8_t code)
{
    struct qms_pick *pick = arg;

    if (may_fail_over(pick, code)) {
        fail(pick, &(struct qms_result){.status = code});
        return;
    }
    decide(pick);
    pick->up->ops->stop(pick->up, code);
}

static void down_credit(void *arg, uint64_t len)
{
    struct qms_pick *pick = arg;

    if (pick->decided) {
        pick->up->ops->credit(pick->up, len);
        return;
    }
    pick->withheld += len;
    bool all = !pick->answers && pick->early.fin && pick->withheld >= pick->early.sent.bytes;
    if (all || pick->withheld >= pick->broker->stream_window / 2) {
        decide(pick);
    }
}

static void down_result(void *arg, const struct qms_result *r)
{
    struct qms_pick *pick = arg;

    if (may_fail_over(pick, r->status)) {
        fail(pick, r);
        return;
    }
    decide(pick);
    pick->up->ops->result(pick->up, r);
}

static void down_priority(void *arg, uint8_t mask, uint8_t forward, uint8_t reverse)
{
    struct qms_pick *pick = arg;
    pick->up->ops->priority(pick->up, mask, forward, reverse);
}

static void down_gone(void *arg, uint8_t code)
{
    struct qms_pick *pick = arg;

    if (may_fail_over(pick, code)) {
        fail(pick, &(struct qms_result){.status = code});
        return;
    }
    struct qms_channel *up = pick->up;
    drop_member(pick, code);
    pick_free(pick);
    up->ops->detach(up, code);
}

static void down_taken(void *arg)
{
    struct qms_pick *pick = arg;

    if (pick->member != NULL) {
        qms_route_set_acceptor_id(pick->route,
                                  qms_str(pick->member->info.id, pick->member->info.id_len));
    }
}

static const struct qms_channel_sink down_sink = {
    .data = down_data,
    .fin = down_fin,
    .reset = down_reset,
    .stop = down_stop,
    .credit = down_credit,
    .result = down_result,
    .priority = down_priority,
    .gone = down_gone,
    .taken = down_taken,
};

/* ---- what the opener does ---- */

static struct qms_blob *up_room(void *arg)
{
    struct qms_pick *pick = arg;

    return pick->down != NULL ? pick->down->ops->room(pick->down)
                              : qms_blob_new(QMS_BLOB_CHUNK);
}

static qms_err up_data(void *arg, struct qms_blob *blob, size_t off, size_t len)
{
    struct qms_pick *pick = arg;

    if (pick->over) {
        return QMS_E_CLOSED;
    }
    if (pick->decided) {
        return pick->down->ops->data(pick->down, blob, off, len);
    }
    qms_err err = qms_blobq_push(&pick->early.sent, blob, off, len);
    if (err == QMS_OK && pick->down != NULL) {
        err = pick->down->ops->data(pick->down, blob, off, len);
    }
    /* A member that takes no more says why by itself. */
    return err == QMS_E_CLOSED ? QMS_OK : err;
}

static void up_fin(void *arg)
{
    struct qms_pick *pick = arg;

    pick->early.fin = true;
    if (pick->down != NULL) {
        pick->down->ops->fin(pick->down);
    }
}

static void up_reset(void *arg, uint8_t code)
{
    struct qms_pick *pick = arg;

    pick->early.reset = true;
    pick->early.reset_code = code;
    if (pick->down != NULL) {
        pick->down->ops->reset(pick->down, code);
    }
}

static void up_stop(void *arg, uint8_t code)
{
    struct qms_pick *pick = arg;

    pick->early.stop = true;
    pick->early.stop_code = code;
    if (pick->down != NULL) {
        pick->down->ops->stop(pick->down, code);
    }
}

static void up_credit(void *arg, uint64_t len)
{
    struct qms_pick *pick = arg;

    if (pick->down != NULL) {
        pick->down->ops->credit(pick->down, len);
    }
}

static void up_result(void *arg, const struct qms_result *r)
{
    (void)arg, (void)r; /* only acceptors send one */
}

static void up_priority(void *arg, uint8_t mask, uint8_t forward, uint8_t reverse)
{
    struct qms_pick *pick = arg;

    qms_early_priority(&pick->early, mask, forward, reverse);
    if (pick->down != NULL) {
        pick->down->ops->priority(pick->down, mask, forward, reverse);
    }
}

static void up_gone(void *arg, uint8_t code)
{
    struct qms_pick *pick = arg;
    struct qms_channel *up = pick->up;

    drop_member(pick, code);
    pick_free(pick);
    up->ops->detach(up, code);
}

static const struct qms_channel_sink up_sink = {
    .data = up_data,
    .fin = up_fin,
    .reset = up_reset,
    .stop = up_stop,
    .credit = up_credit,
    .result = up_result,
    .priority = up_priority,
    .gone = up_gone,
    .room = up_room,
};

/* ---- beginning ---- */

static struct qms_pick *pick_new(struct qms_leg *leg, const struct qms_route_header *h)
{
    struct qms_pick *pick = qms_calloc(1, sizeof(*pick));
    uint8_t room[QMS_ROUTE_HEADER_MAX + 16];
    struct qms_writer w = qms_writer_of(room, sizeof(room));

    if (pick == NULL || qms_route_encode(&w, h) != QMS_OK ||
        (pick->header = qms_blob_copy((struct qms_bytes){room, w.len})) == NULL) {
        qms_free(pick);
        return NULL;
    }
    pick->broker = leg->route->broker;
    pick->route = leg->route;
    qms_route_ref(leg->route);
    pick->answers = leg->route->bidi && (h->flags & QMS_ROUTE_NO_RESULT) == 0;
    qms_list_init(&pick->node);
    return pick;
}

bool qms_router_to_group(struct qms_leg *leg, const struct qms_route_header *to,
                         struct qms_refusal *why)
{
    struct qms_pick *pick = pick_new(leg, to);

    if (pick == NULL || qms_channel_local_new(&qms_leg_sink, leg, &up_sink, pick, &leg->ch,
                                              &pick->up) != QMS_OK) {
        if (pick != NULL) {
            pick_free(pick);
        }
        return qms_router_refused(why, QMS_CODE_INTERNAL, "", "no_memory");
    }
    *why = (struct qms_refusal){0};
    if (try_members(pick, why) || (why->code == QMS_CODE_OK && wait_for_member(pick, why))) {
        return true;
    }
    /* The opener is refused: its leg lets go of the channel at the end of the turn. */
    pick->over = true;
    return false;
}
