/* SPDX-License-Identifier: MIT */
/* Making the pair, and the operations, which only queue.
 *
 * An operation that would allocate asks qms_calloc for a byte first, so that injected failures
 * reach it; the fake's own memory comes from calloc and is never refused. */
#include "fake_link.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fake_link_i.h"

const struct fake_config fake_config_default = {
    .window = 65536,
    .streams_bidi = 4096,
    .streams_uni = 4096,
    .waiting_streams = 4096,
    .datagram_max = 1200,
    .datagram_queue = 1024,
    .carrier = "fake",
};

static bool memory_left(void)
{
    void *probe = qms_calloc(1, 1);
    qms_free(probe);
    return probe != NULL;
}

struct fake_stream *fake_stream_new(struct fake_end *end, bool bidi, bool local)
{
    struct fake_stream *st = calloc(1, sizeof(*st));
    assert(st != NULL);
    st->base =
        (struct qms_link_stream){.link = &end->base, .id = -1, .bidi = bidi, .local = local};
    st->end = end;
    st->seq = end->pair->next_seq++;
    st->priority = QMS_PRIORITY_NORMAL;
    st->send_over = !fake_can_send(st);
    st->recv_over = !fake_can_receive(st);
    qms_list_append(&end->streams, &st->node);
    end->stream_count++;
    end->stats.streams_opened++;
    return st;
}

void fake_stream_free(struct fake_stream *st)
{
    struct fake_end *end = st->end;

    if (st->peer != NULL) {
        st->peer->peer = NULL;
    }
    if (st->base.local && st->active) {
        end->living_local[st->base.bidi]--;
    } else if (st->base.local) {
        end->waiting--;
    }
    end->stream_count--;
    end->stats.streams_closed++;
    qms_list_remove(&st->node);
    qms_blobq_clear(&st->queue);
    free(st);
}

static qms_err op_open(struct qms_link *link, bool bidi, uint8_t priority,
                       struct qms_link_stream **out)
{
    struct fake_end *end = fake_end_of(link);

    if (end->closing || end->pair->broken != QMS_OK) {
        return QMS_E_CLOSED;
    }
    if (end->waiting >= end->pair->config.waiting_streams) {
        return QMS_E_LIMIT;
    }
    if (!memory_left()) {
        return QMS_E_NOMEM;
    }
    struct fake_stream *st = fake_stream_new(end, bidi, true);
    st->priority = priority;
    end->waiting++;
    *out = &st->base;
    return QMS_OK;
}

static qms_err op_write(struct qms_link_stream *base, struct qms_blob *blob, size_t off,
                        size_t len)
{
    struct fake_stream *st = fake_stream_of(base);

    assert(fake_can_send(st));
    assert(off + len <= blob->len);
    if (st->fin || st->reset || st->stopped || st->send_over || st->end->closing) {
        return QMS_E_CLOSED;
    }
    if (!memory_left()) {
        return QMS_E_NOMEM;
    }
    if (len > 0) {
        qms_err err = qms_blobq_push(&st->queue, blob, off, len);
        if (err != QMS_OK) {
            return err;
        }
        st->written += len;
    }
    return QMS_OK;
}

static void op_finish(struct qms_link_stream *base)
{
    struct fake_stream *st = fake_stream_of(base);
    assert(fake_can_send(st));
    st->fin = st->fin || !st->reset;
}

static void op_reset(struct qms_link_stream *base, uint64_t code)
{
    struct fake_stream *st = fake_stream_of(base);
    assert(fake_can_send(st));
    if (st->reset || st->send_over) {
        return;
    }
    st->reset = true;
    st->reset_code = code;
    qms_blobq_clear(&st->queue);
}

static void op_stop(struct qms_link_stream *base, uint64_t code)
{
    struct fake_stream *st = fake_stream_of(base);
    assert(fake_can_receive(st));
    if (st->stop || st->recv_over) {
        return;
    }
    st->stop = true;
    st->stop_code = code;
    st->consumed = st->received;
}

static void op_receipt(struct qms_link_stream *base, uint64_t len)
{
    fake_stream_of(base)->told = len;
}

static void op_set_priority(struct qms_link_stream *base, uint8_t priority)
{
    fake_stream_of(base)->priority = priority;
}

static void op_consume(struct qms_link_stream *base, size_t len)
{
    struct fake_stream *st = fake_stream_of(base);
    assert(fake_can_receive(st));
    if (!st->stop) { /* what is stopped was credited by the link */
        st->consumed += len;
        assert(st->consumed <= st->received);
    }
}

static void op_stream_stats(struct qms_link_stream *base, struct qms_link_stream_stats *out)
{
    const struct fake_stream *st = fake_stream_of(base);
    uint64_t window =
        st->end->pair->config.window + (st->peer != NULL ? st->peer->consumed : 0);
    *out = (struct qms_link_stream_stats){
        .bytes_written = st->written,
        .bytes_acked = st->acked,
        .bytes_received = st->received,
        .buffered = st->reset ? 0 : st->written - st->acked,
        .send_credit = window > st->written ? window - st->written : 0,
    };
}

static void drop_oldest_of_least_urgent(struct fake_end *end)
{
    struct qms_list *node;
    struct fake_datagram *least = NULL;

    QMS_LIST_FOREACH(node, &end->datagrams) {
        struct fake_datagram *d = QMS_CONTAINER(node, struct fake_datagram, node);
        if (least == NULL || d->priority < least->priority) {
            least = d;
        }
    }
    qms_list_remove(&least->node);
    free(least);
    end->datagram_count--;
    end->stats.datagrams_dropped++;
}

static qms_err op_datagram(struct qms_link *link, uint8_t priority,
                           const struct qms_bytes *parts, size_t count)
{
    struct fake_end *end = fake_end_of(link);
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        len += parts[i].len;
    }
    if (end->closing || end->pair->broken != QMS_OK) {
        return QMS_E_CLOSED;
    }
    if (end->datagram_max == 0) {
        return QMS_E_UNSUPPORTED;
    }
    if (len > end->datagram_max) {
        return QMS_E_TOO_LARGE;
    }
    if (!memory_left()) {
        return QMS_E_NOMEM;
    }
    struct fake_datagram *d = calloc(1, sizeof(*d) + len);
    assert(d != NULL);
    d->priority = priority;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0) {
            memcpy(d->data + d->len, parts[i].data, parts[i].len);
            d->len += parts[i].len;
        }
    }
    qms_list_append(&end->datagrams, &d->node);
    if (++end->datagram_count > end->pair->config.datagram_queue) {
        drop_oldest_of_least_urgent(end);
    }
    return QMS_OK;
}

static size_t op_datagram_max(struct qms_link *link)
{
    return fake_end_of(link)->datagram_max;
}

static void op_close(struct qms_link *link, uint64_t code, struct qms_bytes reason)
{
    struct fake_end *end = fake_end_of(link);

    if (end->closing) {
        return;
    }
    end->closing = true;
    end->close_code = code;
    if (reason.len > 0) {
        end->close_reason = malloc(reason.len);
        assert(end->close_reason != NULL);
        memcpy(end->close_reason, reason.data, reason.len);
        end->close_reason_len = reason.len;
    }
}

static void op_stats(struct qms_link *link, struct qms_link_stats *out)
{
    struct fake_end *end = fake_end_of(link);
    struct qms_list *node;

    *out = end->stats;
    QMS_LIST_FOREACH(node, &end->streams) {
        out->send_buffered += QMS_CONTAINER(node, struct fake_stream, node)->queue.bytes;
    }
}

static void op_addresses(struct qms_link *link, const struct sockaddr **remote,
                         const struct sockaddr **local)
{
    struct fake_end *end = fake_end_of(link);

    if (remote != NULL) {
        *remote = (const struct sockaddr *)(const void *)&end->remote;
    }
    if (local != NULL) {
        *local = (const struct sockaddr *)(const void *)&end->local;
    }
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Each pair owns its table of operations, because the carrier's name is in it. */
struct pair_and_ops {
    struct fake_pair pair; /* first */
    struct qms_link_ops ops;
};

static struct fake_end *end_new(struct pair_and_ops *p, int side)
{
    struct fake_end *end = calloc(1, sizeof(*end));
    assert(end != NULL);
    end->base.ops = &p->ops;
    end->base.now = p->pair.now;
    end->pair = &p->pair;
    end->side = side;
    end->datagram_max = p->pair.config.datagram_max;
    end->next_id[true] = (uint64_t)side;
    end->next_id[false] = (uint64_t)side + 2;
    end->remote = loopback(side == 0 ? 4433 : 50000);
    end->local = loopback(side == 0 ? 50000 : 4433);
    qms_list_init(&end->streams);
    qms_list_init(&end->datagrams);
    return end;
}

struct fake_pair *fake_pair_new(const struct fake_config *config)
{
    struct pair_and_ops *p = calloc(1, sizeof(*p));

    if (p == NULL) {
        return NULL;
    }
    p->pair.config = config != NULL ? *config : fake_config_default;
    p->pair.now = 1000 * QMS_SECOND;
    p->ops = (struct qms_link_ops){
        .carrier = p->pair.config.carrier != NULL ? p->pair.config.carrier : "fake",
        .open = op_open,
        .write = op_write,
        .finish = op_finish,
        .reset = op_reset,
        .stop = op_stop,
        .set_priority = op_set_priority,
        .receipt = op_receipt,
        .consume = op_consume,
        .stream_stats = op_stream_stats,
        .datagram = op_datagram,
        .datagram_max = op_datagram_max,
        .close = op_close,
        .stats = op_stats,
        .addresses = op_addresses,
    };
    p->pair.end[0] = end_new(p, 0);
    p->pair.end[1] = end_new(p, 1);
    return &p->pair;
}

void fake_end_free(struct fake_end *end)
{
    struct qms_list *node;

    while ((node = qms_list_first(&end->streams)) != NULL) {
        fake_stream_free(QMS_CONTAINER(node, struct fake_stream, node));
    }
    while ((node = qms_list_first(&end->datagrams)) != NULL) {
        qms_list_remove(node);
        free(QMS_CONTAINER(node, struct fake_datagram, node));
    }
    end->pair->end[end->side] = NULL;
    free(end->close_reason);
    free(end);
}

void fake_pair_free(struct fake_pair *pair)
{
    if (pair == NULL) {
        return;
    }
    for (int side = 0; side < 2; side++) {
        if (pair->end[side] != NULL) {
            fake_end_free(pair->end[side]);
        }
    }
    free(pair);
}

struct qms_link *fake_pair_link(struct fake_pair *pair, int side)
{
    return pair->end[side] != NULL ? &pair->end[side]->base : NULL;
}

qms_time fake_link_now(const struct fake_pair *pair)
{
    return pair->now;
}

void fake_link_advance(struct fake_pair *pair, qms_time by)
{
    pair->now += by;
    for (int side = 0; side < 2; side++) {
        if (pair->end[side] != NULL) {
            pair->end[side]->base.now = pair->now;
        }
    }
}

void fake_stream_hold(struct qms_link_stream *st, bool hold)
{
    fake_stream_of(st)->held = hold;
}

void fake_link_hold_acks(struct fake_pair *pair, int side, bool hold)
{
    pair->end[side]->hold_acks = hold;
}

void fake_link_drop_datagrams(struct fake_pair *pair, int side, unsigned every)
{
    pair->end[side]->drop_every = every;
    pair->end[side]->datagram_seq = 0;
}

void fake_link_set_datagram_max(struct fake_pair *pair, int side, size_t max)
{
    pair->end[side]->datagram_max = max;
}

void fake_link_set_remote(struct fake_pair *pair, int side, uint32_t address, uint16_t port)
{
    pair->end[side]->remote.sin_addr.s_addr = htonl(address);
    pair->end[side]->remote.sin_port = htons(port);
}

void fake_link_break(struct fake_pair *pair, qms_err err)
{
    pair->broken = err;
}

uint64_t fake_link_unconsumed(const struct fake_pair *pair, int side)
{
    struct qms_list *node;
    uint64_t sum = 0;

    QMS_LIST_FOREACH(node, &pair->end[side]->streams) {
        const struct fake_stream *st = QMS_CONTAINER(node, struct fake_stream, node);
        sum += st->received - st->consumed;
    }
    return sum;
}

size_t fake_link_streams(const struct fake_pair *pair, int side)
{
    return pair->end[side] != NULL ? pair->end[side]->stream_count : 0;
}

uint64_t fake_stream_told(const struct qms_link_stream *st)
{
    return ((const struct fake_stream *)(const void *)st)->told;
}

uint8_t fake_stream_priority(const struct qms_link_stream *st)
{
    return ((const struct fake_stream *)(const void *)st)->priority;
}
