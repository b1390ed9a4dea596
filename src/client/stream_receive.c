/* SPDX-License-Identifier: MIT */
/* The receiving direction: what the flow-control window let in and the application has not
 * read. Credit goes back as it reads, so a slow reader slows its sender and nobody else. */
#include <string.h>

#include "client/client_i.h"

static void drop_received(struct qms_stream *st)
{
    size_t len = (size_t)st->received.bytes;

    qms_blobq_clear(&st->received);
    if (len > 0 && st->session_stream != NULL) {
        qms_session_consume(st->session_stream, len);
        qms_connection_touch(st->c);
    }
}

void qms_stream_rx_dead(struct qms_stream *st, qms_err err)
{
    if (st->rx != QMS_HALF_DEAD) {
        st->rx = QMS_HALF_DEAD;
        st->rx_err = err;
        drop_received(st);
    }
}

void qms_stream_rx_data(struct qms_stream *st, struct qms_bytes data, bool fin)
{
    if (st->rx == QMS_HALF_OPEN && qms_blobq_copy_in(&st->received, data) != QMS_OK) {
        qms_stream_set_fate(st, QMS_E_NOMEM);
        qms_stream_rx_dead(st, QMS_E_NOMEM);
        qms_session_stop(st->session_stream, QMS_CODE_INTERNAL);
        qms_stream_note(st, QMS_DUE_READABLE);
    }
    if (st->rx != QMS_HALF_OPEN) {
        if (data.len > 0) {
            qms_session_consume(st->session_stream, data.len);
            qms_connection_touch(st->c);
        }
        return;
    }
    st->received_bytes += data.len;
    if (fin) {
        st->rx = QMS_HALF_ENDED;
    }
    if (data.len > 0 || fin) {
        qms_stream_note(st, QMS_DUE_READABLE);
    }
}

/* QMS_OK: there are bytes, or the end. */
static qms_err check(const struct qms_stream *st)
{
    if (st->received.bytes > 0 || st->rx == QMS_HALF_ENDED) {
        return QMS_OK;
    }
    return st->rx == QMS_HALF_DEAD ? st->rx_err : QMS_E_AGAIN;
}

static void take(struct qms_stream *st, size_t len)
{
    qms_blobq_drop(&st->received, len);
    st->read_bytes += len;
    if (st->session_stream != NULL) {
        qms_session_consume(st->session_stream, len);
        qms_connection_touch(st->c);
    }
    qms_stream_check_over(st);
}

qms_err qms_stream_read(struct qms_stream *st, void *buf, size_t cap, size_t *len)
{
    uint8_t *out = buf;
    qms_err err = check(st);

    *len = 0;
    for (uint32_t i = 0; err == QMS_OK && i < st->received.count && *len < cap; i++) {
        struct qms_bytes run = qms_blobq_at(&st->received, i);
        size_t part = run.len < cap - *len ? run.len : cap - *len;

        memcpy(out + *len, run.data, part);
        *len += part;
    }
    if (*len > 0) {
        take(st, *len);
    }
    return err;
}

qms_err qms_stream_peek(struct qms_stream *st, struct qms_bytes *data)
{
    *data = st->received.count > 0 ? qms_blobq_at(&st->received, 0) : (struct qms_bytes){0};
    return check(st);
}

qms_err qms_stream_consume(struct qms_stream *st, size_t len)
{
    if (len > st->received.bytes) {
        return QMS_E_INVALID;
    }
    if (len > 0) {
        take(st, len);
    }
    return QMS_OK;
}

size_t qms_stream_readable(const struct qms_stream *st)
{
    return (size_t)st->received.bytes;
}

void qms_stream_stop(struct qms_stream *st, uint8_t code)
{
    bool open = st->rx == QMS_HALF_OPEN, unread = st->received.bytes > 0;

    if (!open && !unread) {
        return;
    }
    qms_stream_set_fate(st, QMS_E_CLOSED);
    if (open && st->waiting && st->tx != QMS_HALF_ENDED) {
        qms_stream_kill(st, QMS_E_CLOSED);
        return;
    }
    qms_stream_rx_dead(st, QMS_E_CLOSED);
    st->rx_code = code;
    if (open && st->session_stream != NULL) {
        qms_session_stop(st->session_stream, code);
        qms_connection_touch(st->c);
    }
    qms_stream_check_over(st);
}
