/* SPDX-License-Identifier: MIT */
/* One turn of a fake pair: the only place that calls events.
 *
 * Order of a turn: ready, close, acknowledgements of earlier turns, what side 0 sent, what side
 * 1 sent, streams that are over.  Streams are freed only in the last step, so the steps before
 * may walk snapshots of the lists while events open new streams. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_link.h"
#include "fake_link_i.h"

static struct fake_end *other(const struct fake_end *end)
{
    return end->pair->end[1 - end->side];
}

static bool ready_step(struct fake_end *end)
{
    if (end->ready || end->closing) {
        return false;
    }
    end->ready = true;
    end->base.events->on_ready(&end->base);
    return true;
}

/* Streams first, then the link; both are freed as they are told. */
static void close_end(struct fake_end *end, const struct qms_link_close *why)
{
    struct qms_list *node;

    end->closing = true;
    while ((node = qms_list_first(&end->streams)) != NULL) {
        struct fake_stream *st = QMS_CONTAINER(node, struct fake_stream, node);
        end->base.events->on_stream_closed(&st->base);
        fake_stream_free(st);
    }
    end->base.events->on_closed(&end->base, why);
    fake_end_free(end);
}

static bool close_step(struct fake_pair *pair)
{
    for (int side = 0; side < 2; side++) {
        struct fake_end *end = pair->end[side], *peer = pair->end[1 - side];
        if (end == NULL || (!end->closing && pair->broken == QMS_OK)) {
            continue;
        }
        struct qms_link_close why = {
            .err = pair->broken,
            .application = pair->broken == QMS_OK,
            .code = end->close_code,
            .reason = {end->close_reason, end->close_reason_len},
        };
        if (peer != NULL) {
            why.by_peer = true;
            close_end(peer, &why);
            why.by_peer = false;
        }
        close_end(end, &why);
        return true;
    }
    return false;
}

static bool ack_stream(struct fake_stream *st)
{
    bool moved = false;

    if (st->reset) {
        moved = st->reset_sent && !st->send_over;
        st->send_over = st->send_over || st->reset_sent;
        return moved;
    }
    uint64_t len = st->sent - st->acked;
    if (len > 0) {
        st->acked = st->sent;
        qms_blobq_drop(&st->queue, len);
        moved = true;
    }
    if (st->fin_sent && !st->send_over) {
        st->send_over = true;
        moved = true;
    }
    if (len > 0) {
        st->end->base.events->on_acked(&st->base, len);
    }
    return moved;
}

static int by_urgency(const void *pa, const void *pb)
{
    const struct fake_stream *a = *(struct fake_stream *const *)pa;
    const struct fake_stream *b = *(struct fake_stream *const *)pb;

    if (a->priority != b->priority) {
        return a->priority > b->priority ? -1 : 1;
    }
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* The living streams in the order in which they send; free() it. */
static struct fake_stream **snapshot(struct fake_end *end, size_t *count)
{
    struct fake_stream **all = calloc(end->stream_count + 1, sizeof(struct fake_stream *));
    struct qms_list *node;

    assert(all != NULL);
    *count = 0;
    QMS_LIST_FOREACH(node, &end->streams) {
        all[(*count)++] = QMS_CONTAINER(node, struct fake_stream, node);
    }
    qsort(all, *count, sizeof(struct fake_stream *), by_urgency);
    return all;
}

static bool ack_step(struct fake_end *end)
{
    size_t count;
    struct fake_stream **all = snapshot(end, &count);
    bool moved = false;

    for (size_t i = 0; i < count && !end->closing && !end->hold_acks; i++) {
        moved = ack_stream(all[i]) || moved;
    }
    free(all);
    return moved;
}

/* A stream of this side's takes a place within the peer's limit, in order of opening. */
static void activate(struct fake_stream *st)
{
    struct fake_end *end = st->end;
    const struct fake_config *config = &end->pair->config;
    bool bidi = st->base.bidi;

    if (st->active || !st->base.local ||
        end->living_local[bidi] >= (bidi ? config->streams_bidi : config->streams_uni)) {
        return;
    }
    st->active = true;
    end->waiting--;
    end->living_local[bidi]++;
    if (!config->hide_ids) {
        st->base.id = (int64_t)end->next_id[bidi];
    }
    end->next_id[bidi] += 4;
}

static struct fake_stream *show_to_peer(struct fake_stream *st)
{
    struct fake_end *peer_end = other(st->end);

    if (!st->seen && st->base.local) {
        struct fake_stream *peer = fake_stream_new(peer_end, st->base.bidi, false);
        peer->base.id = st->base.id;
        peer->active = peer->seen = true;
        peer->peer = st;
        st->peer = peer;
        st->seen = true;
        peer_end->base.events->on_stream(&peer_end->base, &peer->base);
    }
    return st->peer;
}

/* Copies the next `len` unsent bytes out of the queue. */
static void gather(const struct fake_stream *st, uint8_t *out, size_t len)
{
    uint64_t skip = st->sent - st->acked;

    for (uint32_t i = 0; len > 0; i++) {
        struct qms_bytes range = qms_blobq_at(&st->queue, i);
        if (skip >= range.len) {
            skip -= range.len;
            continue;
        }
        size_t take = range.len - (size_t)skip;
        take = take < len ? take : len;
        memcpy(out, range.data + skip, take);
        out += take;
        len -= take;
        skip = 0;
    }
}

static size_t sendable(const struct fake_stream *st, size_t chunk)
{
    uint64_t window =
        st->end->pair->config.window + (st->peer != NULL ? st->peer->consumed : 0);
    uint64_t len = st->written - st->sent;
    uint64_t credit = window > st->sent ? window - st->sent : 0;

    len = len < credit ? len : credit;
    return chunk != 0 && len > chunk ? chunk : (size_t)len;
}

static bool send_data(struct fake_stream *st, size_t chunk)
{
    size_t len = sendable(st, chunk);
    bool fin = st->fin && !st->fin_sent && st->sent + len == st->written;

    if (st->reset || st->send_over || (len == 0 && !fin)) {
        return false;
    }
    struct fake_stream *peer = show_to_peer(st);
    uint8_t *data = malloc(len + 1);
    assert(data != NULL);
    gather(st, data, len);
    st->sent += len;
    st->fin_sent = st->fin_sent || fin;
    if (peer != NULL) {
        bool wanted = !peer->stop && !peer->end->closing;
        peer->received += len;
        peer->consumed += wanted ? 0 : len;
        peer->recv_over = peer->recv_over || fin;
        if (wanted) {
            /* A copy of exactly this size lets the sanitizer see a read behind its end. */
            uint8_t *lent = realloc(data, len > 0 ? len : 1);
            data = lent != NULL ? lent : data;
            peer->end->base.events->on_data(&peer->base, (struct qms_bytes){data, len}, fin);
        }
    }
    free(data);
    return true;
}

static bool send_reset(struct fake_stream *st)
{
    if (!st->reset || st->reset_sent || st->send_over) {
        return false;
    }
    st->reset_sent = true;
    struct fake_stream *peer = show_to_peer(st);
    if (peer != NULL && !peer->recv_over) {
        bool wanted = !peer->stop && !peer->end->closing;
        peer->recv_over = true;
        if (wanted) {
            peer->end->base.events->on_reset(&peer->base, st->reset_code);
        }
    }
    return true;
}

static bool send_stop(struct fake_stream *st)
{
    if (!st->stop || st->stop_sent || st->recv_over) {
        return false;
    }
    st->stop_sent = true;
    struct fake_stream *peer = show_to_peer(st);
    if (peer != NULL && !peer->send_over && !peer->end->closing) {
        peer->stopped = true;
        peer->end->base.events->on_stop(&peer->base, st->stop_code);
    }
    return true;
}

static bool datagram_step(struct fake_end *end)
{
    struct fake_end *peer = other(end);
    struct qms_list *node;
    bool moved = false;

    /* Those that an event queues wait for the next turn. */
    for (size_t left = end->datagram_count; left > 0 && !end->closing && !peer->closing;
         left--) {
        node = qms_list_first(&end->datagrams);
        struct fake_datagram *d = QMS_CONTAINER(node, struct fake_datagram, node);
        qms_list_remove(node);
        end->datagram_count--;
        end->stats.datagrams_sent++;
        moved = true;
        if (end->drop_every == 0 || ++end->datagram_seq % end->drop_every != 0) {
            peer->stats.datagrams_received++;
            peer->base.events->on_datagram(&peer->base, (struct qms_bytes){d->data, d->len});
        }
        free(d);
    }
    return moved;
}

static bool send_step(struct fake_end *end, size_t chunk)
{
    size_t count;
    bool moved = false;
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &end->streams) {
        activate(QMS_CONTAINER(node, struct fake_stream, node));
    }
    struct fake_stream **all = snapshot(end, &count);
    for (size_t i = 0; i < count && !end->closing && !other(end)->closing; i++) {
        struct fake_stream *st = all[i];
        if (st->active && !st->held) {
            moved = send_stop(st) || moved;
            moved = send_data(st, chunk) || moved;
            moved = send_reset(st) || moved;
        }
    }
    free(all);
    return datagram_step(end) || moved;
}

static bool reap_step(struct fake_end *end)
{
    size_t count;
    struct fake_stream **all = snapshot(end, &count);
    bool moved = false;

    for (size_t i = 0; i < count && !end->closing; i++) {
        struct fake_stream *st = all[i];
        if (st->send_over && st->recv_over) {
            end->base.events->on_stream_closed(&st->base);
            fake_stream_free(st);
            moved = true;
        }
    }
    free(all);
    return moved;
}

bool fake_link_pump(struct fake_pair *pair, size_t chunk)
{
    bool moved = false;

    if (pair->end[0] == NULL || pair->end[1] == NULL) {
        return false;
    }
    for (int side = 0; side < 2; side++) {
        pair->end[side]->base.now = pair->now;
        moved = ready_step(pair->end[side]) || moved;
    }
    if (close_step(pair)) {
        return true;
    }
    for (int side = 0; side < 2; side++) {
        moved = ack_step(pair->end[side]) || moved;
    }
    for (int side = 0; side < 2; side++) {
        moved = send_step(pair->end[side], chunk) || moved;
    }
    for (int side = 0; side < 2; side++) {
        moved = reap_step(pair->end[side]) || moved;
    }
    return moved || pair->broken != QMS_OK || pair->end[0]->closing || pair->end[1]->closing;
}

void fake_link_settle_by(struct fake_pair *pair, size_t chunk)
{
    unsigned turns = 0;

    while (fake_link_pump(pair, chunk)) {
        if (++turns == 100000) {
            fprintf(stderr, "fake_link: still busy after %u turns\n", turns);
            abort();
        }
    }
}

void fake_link_settle(struct fake_pair *pair)
{
    fake_link_settle_by(pair, 0);
}
