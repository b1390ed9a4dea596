/* SPDX-License-Identifier: MIT */
/* Streams that leave as early data.  Such a stream has gone out and yet still waits: what was
 * written stays in `pending` until WELCOME, so that it can go again over another link, and what
 * is written meanwhile goes behind WELCOME.
 *
 * The bounds keep below what a broker holds before HELLO was answered (doc/wire.md section 1),
 * since the packet with HELLO may be late. */
#include "client/client_i.h"

#define EARLY_STREAMS_MAX 8
#define EARLY_BYTES_MAX   8192
#define HEADER_BYTES      (64 + QMS_NAME_MAX)

static uint64_t cost(const struct qms_stream *st)
{
    const struct qms_stream_info *i = st->info;

    return HEADER_BYTES + i->meta.len + i->content_type.len + i->traceparent.len +
           i->token.len + st->pending.bytes;
}

static bool may_leave(const struct qms_stream *st)
{
    return st->waiting && !st->early && (st->flags & QMS_OPEN_IDEMPOTENT) != 0 &&
           st->forward == st->reverse && (!st->bidi || st->rx == QMS_HALF_OPEN) &&
           st->tx != QMS_HALF_DEAD;
}

/* Where memory is out it goes with the others behind WELCOME. */
static void leave(struct qms_stream *st)
{
    if (qms_stream_attach(st) != QMS_OK) {
        return;
    }
    if (qms_stream_tx_write(st, 0) != QMS_OK) {
        qms_session_reset(st->session_stream, QMS_CODE_INTERNAL);
        qms_session_stop(st->session_stream, QMS_CODE_INTERNAL);
        st->session_stream->user = NULL;
        st->session_stream = NULL;
        return;
    }
    st->early = true;
    st->early_len = st->pending.bytes;
    st->early_fin = st->tx == QMS_HALF_ENDED;
    st->early_forward = st->forward;
    st->early_reverse = st->reverse;
    if (st->early_fin) {
        qms_session_finish(st->session_stream);
    }
}

void qms_streams_launch_early(struct qms_connection *c)
{
    struct qms_list *node;
    uint64_t bytes = 0;
    unsigned count = 0;

    QMS_LIST_FOREACH(node, &c->streams) {
        struct qms_stream *st = QMS_CONTAINER(node, struct qms_stream, node);

        if (count < EARLY_STREAMS_MAX && may_leave(st) && bytes + cost(st) <= EARLY_BYTES_MAX) {
            bytes += cost(st);
            count++;
            leave(st);
        }
    }
}

bool qms_stream_early_lost(struct qms_stream *st)
{
    if (st->early_fin && !st->bidi && st->acked == st->early_len) {
        qms_stream_launch(st); /* it is whole at the other side */
        return false;
    }
    st->session_stream = NULL;
    st->early = false;
    st->acked = 0;
    st->handle = UINT64_MAX;
    return true;
}
