/* SPDX-License-Identifier: MIT */
/* Messages on their way in.  One that lies in one run of received bytes is lent as it is; the
 * rest is collected in memory that grows with what has come, so that a peer pays for what it
 * makes us hold.  All of a connection together hold no more than its receive window. */
#include <string.h>

#include "base/mem.h"
#include "client/client_i.h"

#define FIRST_CAP 512

static qms_err grow(struct qms_assembly *a, struct qms_connection *c, size_t needed,
                    uint64_t want)
{
    size_t cap = a->cap > 0 ? a->cap : FIRST_CAP;
    uint8_t *data;

    if (needed <= a->cap) {
        return QMS_OK;
    }
    while (cap < needed) {
        cap *= 2;
    }
    if (cap > want) {
        cap = (size_t)want; /* >= needed */
    }
    if (c->assembled_bytes - a->cap + cap > c->settings.window_connection) {
        return QMS_E_LIMIT;
    }
    data = qms_realloc(a->data, cap);
    if (data == NULL) {
        return QMS_E_NOMEM;
    }
    c->assembled_bytes += cap - a->cap;
    a->data = data;
    a->cap = cap;
    return QMS_OK;
}

qms_err qms_assembly_fill(struct qms_assembly *a, struct qms_stream *st, uint64_t want)
{
    while (a->len < want && st->received.bytes > 0) {
        struct qms_bytes run = qms_blobq_at(&st->received, 0);
        size_t part = run.len < want - a->len ? run.len : (size_t)(want - a->len);
        qms_err err = grow(a, st->c, a->len + part, want);

        if (err == QMS_OK) {
            memcpy(a->data + a->len, run.data, part);
            a->len += part;
            err = qms_stream_consume(st, part);
        }
        if (err != QMS_OK) {
            return err;
        }
    }
    return QMS_OK;
}

void qms_assembly_fini(struct qms_assembly *a, struct qms_connection *c)
{
    c->assembled_bytes -= a->cap;
    qms_free(a->data);
    *a = (struct qms_assembly){0};
}

bool qms_lent_take(struct qms_lent *l, struct qms_assembly *a, struct qms_stream *st,
                   uint64_t len)
{
    struct qms_bytes run;

    *l = (struct qms_lent){0};
    if (a->len == len) {
        l->own = *a;
        l->bytes = (struct qms_bytes){a->data, a->len};
        *a = (struct qms_assembly){0};
        return true;
    }
    if (a->len > 0 || st->received.count == 0) {
        return false;
    }
    run = qms_blobq_at(&st->received, 0);
    if (run.len < len) {
        return false;
    }
    l->blob = qms_blob_ref(st->received.ring[st->received.head].blob);
    l->bytes = (struct qms_bytes){run.data, (size_t)len};
    (void)!qms_stream_consume(st, (size_t)len); /* no more than there is: it cannot fail */
    return true;
}

void qms_lent_return(struct qms_lent *l, struct qms_connection *c)
{
    qms_blob_unref(l->blob);
    qms_assembly_fini(&l->own, c);
}
