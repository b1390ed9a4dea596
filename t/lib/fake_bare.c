/* SPDX-License-Identifier: MIT */
/* Notes events and consumes everything at once. */
#include "fake_bare.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct bare_stream *note(struct bare *b, struct qms_link_stream *ls)
{
    struct bare_stream *st = calloc(1, sizeof(*st));

    assert(st != NULL);
    st->ls = ls;
    st->next = b->streams;
    b->streams = st;
    b->stream_count++;
    ls->user = st;
    return st;
}

static void on_ready(struct qms_link *link)
{
    (void)link;
}

static void on_stream(struct qms_link *link, struct qms_link_stream *ls)
{
    note(link->user, ls);
}

static void on_data(struct qms_link_stream *ls, struct qms_bytes data, bool fin)
{
    struct bare_stream *st = ls->user;
    size_t room = st->len < sizeof(st->data) ? sizeof(st->data) - st->len : 0;

    if (data.len > 0 && room > 0) {
        memcpy(st->data + st->len, data.data, data.len < room ? data.len : room);
    }
    st->len += data.len;
    st->fin = st->fin || fin;
    ls->link->ops->consume(ls, data.len);
}

static void on_reset(struct qms_link_stream *ls, uint64_t code)
{
    struct bare_stream *st = ls->user;
    st->reset = true;
    st->reset_code = code;
}

static void on_stop(struct qms_link_stream *ls, uint64_t code)
{
    struct bare_stream *st = ls->user;
    st->stopped = true;
    st->stop_code = code;
    ls->link->ops->reset(ls, code);
}

static void on_acked(struct qms_link_stream *ls, uint64_t len)
{
    (void)ls;
    (void)len;
}

static void on_stream_closed(struct qms_link_stream *ls)
{
    ((struct bare_stream *)ls->user)->ls = NULL;
}

static void on_datagram(struct qms_link *link, struct qms_bytes data)
{
    (void)data;
    ((struct bare *)link->user)->datagrams++;
}

static void on_closed(struct qms_link *link, const struct qms_link_close *why)
{
    struct bare *b = link->user;
    size_t len = why->reason.len < sizeof(b->reason) ? why->reason.len : sizeof(b->reason) - 1;

    b->closed = true;
    b->closed_by_peer = why->by_peer;
    b->code = why->code;
    if (len > 0) {
        memcpy(b->reason, why->reason.data, len);
    }
}

static const struct qms_link_events events = {
    .on_ready = on_ready,
    .on_stream = on_stream,
    .on_data = on_data,
    .on_reset = on_reset,
    .on_stop = on_stop,
    .on_acked = on_acked,
    .on_stream_closed = on_stream_closed,
    .on_datagram = on_datagram,
    .on_closed = on_closed,
};

void bare_init(struct bare *b, struct fake_pair *pair, int side)
{
    struct qms_link *link = fake_pair_link(pair, side);

    *b = (struct bare){.pair = pair, .side = side};
    link->events = &events;
    link->user = b;
}

void bare_fini(struct bare *b)
{
    while (b->streams != NULL) {
        struct bare_stream *st = b->streams;
        b->streams = st->next;
        free(st);
    }
}

struct bare_stream *bare_open(struct bare *b, bool bidi)
{
    struct qms_link *link = fake_pair_link(b->pair, b->side);
    struct qms_link_stream *ls;

    if (link == NULL || link->ops->open(link, bidi, QMS_PRIORITY_NORMAL, &ls) != QMS_OK) {
        return NULL;
    }
    return note(b, ls);
}

bool bare_write(struct bare_stream *st, const void *data, size_t len)
{
    if (st->ls == NULL) {
        return false;
    }
    if (len == 0) {
        return true;
    }
    struct qms_blob *blob = qms_blob_copy((struct qms_bytes){data, len});
    assert(blob != NULL);
    qms_err err = st->ls->link->ops->write(st->ls, blob, 0, len);
    qms_blob_unref(blob);
    return err == QMS_OK;
}

void bare_finish(struct bare_stream *st)
{
    if (st->ls != NULL) {
        st->ls->link->ops->finish(st->ls);
    }
}
