/* SPDX-License-Identifier: MIT */
/* The sending direction: a bounded number of bytes written and not yet acknowledged.
 *
 * Small writes fill one chunk that the link sends from by range; so a copy is made once and
 * many writes share an allocation.  Before the connection is ready the ranges wait here. */
#include "base/mem.h"
#include "client/client_i.h"

#define SMALL_CHUNK 2048
#define BLOB_MAX    (1u << 30)

static qms_err check(const struct qms_stream *st)
{
    if (st->tx != QMS_HALF_OPEN) {
        return st->tx == QMS_HALF_DEAD ? st->tx_err : QMS_E_CLOSED;
    }
    if (!st->opener && !st->answered && (st->flags & QMS_ROUTE_NO_RESULT) == 0) {
        return QMS_E_STATE;
    }
    return qms_connection_check_open(st->c);
}

static size_t room(const struct qms_stream *st)
{
    uint64_t buffered = st->written - st->acked;
    size_t limit = st->c->settings.send_buffer;

    return buffered >= limit ? 0 : limit - (size_t)buffered;
}

static qms_err send_range(struct qms_stream *st, struct qms_blob *blob, size_t off, size_t len)
{
    qms_err err = st->waiting ? qms_blobq_push(&st->pending, blob, off, len)
                              : qms_session_write(st->session_stream, blob, off, len);

    if (err == QMS_OK) {
        st->written += len;
    }
    return err;
}

static struct qms_blob *tail_with_room(struct qms_stream *st, size_t wanted)
{
    if (st->tail != NULL && st->tail->len == st->tail->cap) {
        qms_blob_unref(st->tail);
        st->tail = NULL;
    }
    if (st->tail == NULL) {
        st->tail = qms_blob_new(wanted <= SMALL_CHUNK ? SMALL_CHUNK : QMS_BLOB_CHUNK);
    }
    return st->tail;
}

/* One chunk's worth; `*taken` grows. */
static qms_err copy_some(struct qms_stream *st, struct qms_bytes data, size_t *taken)
{
    struct qms_blob *tail = tail_with_room(st, data.len);
    size_t len;
    uint32_t off;
    qms_err err;

    if (tail == NULL) {
        return QMS_E_NOMEM;
    }
    off = tail->len;
    len = qms_blob_append(tail, data);
    err = send_range(st, tail, off, len);
    if (err != QMS_OK) {
        tail->len = off; /* nobody else has seen these bytes */
        return err;
    }
    *taken += len;
    return QMS_OK;
}

qms_err qms_stream_write(struct qms_stream *st, struct qms_bytes data, size_t *taken)
{
    size_t limit;
    qms_err err = check(st);

    *taken = 0;
    if (err != QMS_OK || data.len == 0) {
        return err;
    }
    limit = room(st);
    limit = limit < data.len ? limit : data.len;
    while (*taken < limit && err == QMS_OK) {
        err = copy_some(st, (struct qms_bytes){data.data + *taken, limit - *taken}, taken);
    }
    if (*taken == 0 && err != QMS_OK) {
        return err;
    }
    st->want_writable = *taken < data.len;
    qms_connection_touch(st->c);
    return *taken == 0 ? QMS_E_AGAIN : QMS_OK;
}

/* Where both parts find room behind each other. */
static struct qms_blob *tail_for(struct qms_stream *st, size_t len)
{
    bool busy = st->tail != NULL; /* small writes follow each other: share larger chunks */

    if (busy && st->tail->cap - st->tail->len >= len) {
        return st->tail;
    }
    if (len > QMS_BLOB_CHUNK) {
        return NULL;
    }
    qms_blob_unref(st->tail);
    st->tail = qms_blob_new(!busy && len <= SMALL_CHUNK ? SMALL_CHUNK : QMS_BLOB_CHUNK);
    return st->tail;
}

static qms_err send_parts(struct qms_stream *st, struct qms_blob *blob, struct qms_bytes head,
                          struct qms_bytes body)
{
    uint32_t off = blob->len;
    qms_err err;

    (void)qms_blob_append(blob, head);
    (void)qms_blob_append(blob, body);
    err = send_range(st, blob, off, head.len + body.len);
    if (err != QMS_OK) {
        blob->len = off;
    }
    return err;
}

qms_err qms_stream_write_whole(struct qms_stream *st, struct qms_bytes head,
                               struct qms_bytes body)
{
    size_t len = head.len + body.len;
    struct qms_blob *blob;
    qms_err err = check(st);

    if (err != QMS_OK || len == 0) {
        return err;
    }
    if (room(st) == 0) {
        st->want_writable = true;
        return QMS_E_AGAIN;
    }
    blob = len <= QMS_BLOB_CHUNK ? tail_for(st, len) : qms_blob_new(len);
    if (blob == NULL) {
        return QMS_E_NOMEM;
    }
    err = send_parts(st, blob, head, body);
    if (blob != st->tail) {
        qms_blob_unref(blob);
    }
    if (err == QMS_OK) {
        st->want_writable = room(st) == 0;
        qms_connection_touch(st->c);
    }
    return err;
}

/* Memory of the application's; `mine` once the call that lent it has succeeded. */
struct lent {
    void (*release)(void *arg);
    void *arg;
    bool mine;
};

static void give_back(void *arg)
{
    struct lent *l = arg;

    if (l->mine && l->release != NULL) {
        l->release(l->arg);
    }
    qms_free(l);
}

static qms_err send_lent(struct qms_stream *st, struct qms_bytes data, struct lent *l)
{
    struct qms_blob *blob = qms_blob_wrap(data, give_back, l);
    qms_err err;

    if (blob == NULL) {
        qms_free(l);
        return QMS_E_NOMEM;
    }
    err = send_range(st, blob, 0, data.len);
    l->mine = err == QMS_OK;
    qms_blob_unref(blob);
    return err;
}

qms_err qms_stream_write_blob(struct qms_stream *st, struct qms_bytes data,
                              void (*release)(void *arg), void *arg)
{
    struct lent *l;
    qms_err err = check(st);

    if (err != QMS_OK || data.len > BLOB_MAX) {
        return err != QMS_OK ? err : QMS_E_TOO_LARGE;
    }
    if (room(st) == 0) {
        st->want_writable = true;
        return QMS_E_AGAIN;
    }
    l = qms_calloc(1, sizeof(*l));
    if (l == NULL) {
        return QMS_E_NOMEM;
    }
    *l = (struct lent){.release = release, .arg = arg};
    err = send_lent(st, data, l);
    if (err == QMS_OK) {
        st->want_writable = room(st) == 0;
        qms_connection_touch(st->c);
    }
    return err;
}

qms_err qms_stream_tx_write(struct qms_stream *st, uint64_t skip)
{
    qms_err err = QMS_OK;

    for (uint32_t i = 0; i < st->pending.count && err == QMS_OK; i++) {
        const struct qms_blobq_entry *e =
            &st->pending.ring[(st->pending.head + i) & (st->pending.cap - 1)];
        uint32_t gone = skip < e->len ? (uint32_t)skip : e->len;

        skip -= gone;
        if (gone < e->len) {
            err = qms_session_write(st->session_stream, e->blob, e->off + gone, e->len - gone);
        }
    }
    return err;
}

qms_err qms_stream_tx_launch(struct qms_stream *st)
{
    qms_err err = qms_stream_tx_write(st, st->early ? st->early_len : 0);

    qms_blobq_clear(&st->pending);
    if (err == QMS_OK && st->tx == QMS_HALF_ENDED && !(st->early && st->early_fin)) {
        qms_session_finish(st->session_stream);
    }
    return err;
}

void qms_stream_tx_acked(struct qms_stream *st, uint64_t len)
{
    st->acked += len;
    if (st->acked == st->written) {
        qms_stream_keep_blocked(st);
    }
    if (st->acked == st->written && st->tail != NULL) {
        qms_blob_unref(st->tail); /* an idle stream keeps no chunk */
        st->tail = NULL;
    }
    if (st->want_writable && room(st) >= st->c->settings.send_buffer / 2) {
        st->want_writable = false;
        qms_stream_note(st, QMS_DUE_WRITABLE);
    }
}

void qms_stream_tx_dead(struct qms_stream *st, qms_err err)
{
    if (st->tx == QMS_HALF_DEAD || (st->tx == QMS_HALF_ENDED && st->session_stream == NULL &&
                                    st->acked == st->written && !st->waiting)) {
        return; /* it had its end */
    }
    qms_stream_keep_blocked(st);
    st->tx = QMS_HALF_DEAD;
    st->tx_err = err;
    qms_blobq_clear(&st->pending);
    qms_blob_unref(st->tail);
    st->tail = NULL;
}

qms_err qms_stream_finish(struct qms_stream *st)
{
    qms_err err = st->tx == QMS_HALF_ENDED ? QMS_OK : check(st);

    if (err != QMS_OK || st->tx == QMS_HALF_ENDED) {
        return err;
    }
    st->tx = QMS_HALF_ENDED;
    if (!st->waiting) {
        qms_session_finish(st->session_stream);
    }
    qms_connection_touch(st->c);
    return QMS_OK;
}

void qms_stream_reset(struct qms_stream *st, uint8_t code)
{
    if (st->tx == QMS_HALF_DEAD || (st->session_stream == NULL && !st->waiting)) {
        return;
    }
    qms_stream_set_fate(st, QMS_E_CLOSED);
    if (st->waiting) {
        qms_stream_kill(st, QMS_E_CLOSED); /* it never left: nothing comes back either */
        return;
    }
    qms_stream_tx_dead(st, QMS_E_CLOSED);
    qms_session_reset(st->session_stream, code);
    qms_connection_touch(st->c);
}

size_t qms_stream_writable(const struct qms_stream *st)
{
    return check(st) == QMS_OK ? room(st) : 0;
}
