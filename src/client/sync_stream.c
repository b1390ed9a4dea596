/* SPDX-License-Identifier: MIT */
/* Streams that block. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/sync.h"

/* ---- life ---- */

static void on_result(struct qms_stream *st, void *arg, qms_err err)
{
    struct qms_sync_stream *s = arg;

    (void)st;
    s->answered = true;
    s->answer = err;
}

static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    struct qms_sync_stream *s = arg;

    if (!s->answered) {
        on_result(st, arg, err == QMS_OK ? QMS_E_CLOSED : err);
    }
}

static const struct qms_stream_callbacks callbacks = {
    .size = sizeof(struct qms_stream_callbacks),
    .on_result = on_result,
    .on_closed = on_closed,
};

static struct qms_sync_stream *handle_new(struct qms_sync_context *x)
{
    struct qms_sync_stream *s = qms_calloc(1, sizeof(*s));

    if (s != NULL) {
        s->context = qms_sync_context_ref(x);
        qms_list_init(&s->node);
    }
    return s;
}

qms_err qms_sync_stream_new(struct qms_sync_context *x, struct qms_stream *st,
                            struct qms_sync_stream **out)
{
    struct qms_sync_stream *s = handle_new(x);

    if (s == NULL) {
        qms_stream_release(st);
        return QMS_E_NOMEM;
    }
    s->st = st;
    (void)!qms_stream_set_callbacks(st, &callbacks, s);
    *out = s;
    return QMS_OK;
}

void qms_sync_stream_free(struct qms_sync_stream *s)
{
    if (s == NULL) {
        return;
    }
    qms_list_remove(&s->node);
    qms_stream_release(s->st);
    qms_sync_context_unref(s->context);
    qms_free(s);
}

struct qms_stream *qms_sync_stream_handle(const struct qms_sync_stream *s)
{
    return s->st;
}

/* ---- opening and accepting ---- */

static bool is_answered(const void *arg)
{
    return ((const struct qms_sync_stream *)arg)->answered;
}

qms_err qms_sync_open(struct qms_sync_connection *c, enum qms_kind kind, const char *name,
                      unsigned flags, uint8_t priority, const struct qms_open *params,
                      qms_time timeout, struct qms_sync_stream **out)
{
    qms_time end = qms_sync_end(timeout);
    struct qms_sync_stream *s = handle_new(c->context);
    qms_err err = QMS_E_NOMEM;

    if (s != NULL) {
        err = qms_stream_open(c->c, kind, name, flags, priority, params, &callbacks, s, &s->st);
    }
    if (err == QMS_OK && (flags & (QMS_OPEN_UNI | QMS_OPEN_NO_RESULT)) == 0) {
        err = qms_sync_wait(c->context, end, is_answered, s);
        err = err == QMS_OK ? s->answer : err;
    }
    if (err != QMS_OK) {
        qms_sync_stream_free(s);
        return err;
    }
    *out = s;
    return QMS_OK;
}

static bool has_streams(const void *arg)
{
    const struct qms_sync_connection *c = arg;

    return !qms_list_empty(&c->streams) || qms_connection_is_closed(c->c);
}

qms_err qms_sync_accept_stream(struct qms_sync_connection *c, qms_time timeout,
                               struct qms_sync_stream **out)
{
    qms_err err = qms_sync_wait(c->context, qms_sync_end(timeout), has_streams, c);
    struct qms_list *node = qms_list_first(&c->streams);
    struct qms_sync_stream *s;

    if (err != QMS_OK) {
        return err;
    }
    if (node == NULL) {
        return c->c->close_err == QMS_OK ? QMS_E_CLOSED : c->c->close_err;
    }
    s = QMS_CONTAINER(node, struct qms_sync_stream, node);
    /* One that is over already can still be read. */
    err = qms_stream_accept(s->st, (struct qms_bytes){0});
    if (err == QMS_E_NOMEM) {
        return err;
    }
    qms_list_remove(node);
    *out = s;
    return QMS_OK;
}

/* ---- reading ---- */

static bool can_read(const void *arg)
{
    const struct qms_sync_stream *s = arg;

    return s->st->received.bytes > 0 || (s->st->rx != QMS_HALF_OPEN && !s->st->fate_is_closing);
}

static qms_err read_by(struct qms_sync_stream *s, void *buf, size_t cap, qms_time end,
                       size_t *len)
{
    qms_err err = can_read(s) ? QMS_OK : qms_sync_wait(s->context, end, can_read, s);

    *len = 0;
    return err == QMS_OK ? qms_stream_read(s->st, buf, cap, len) : err;
}

qms_err qms_sync_read(struct qms_sync_stream *s, void *buf, size_t cap, qms_time timeout,
                      size_t *len)
{
    return read_by(s, buf, cap, qms_sync_end(timeout), len);
}

qms_err qms_sync_read_exact(struct qms_sync_stream *s, void *buf, size_t want, qms_time timeout,
                            size_t *len)
{
    qms_time end = qms_sync_end(timeout);
    size_t part;

    *len = 0;
    while (*len < want) {
        qms_err err = read_by(s, (uint8_t *)buf + *len, want - *len, end, &part);

        if (err != QMS_OK) {
            return err;
        }
        if (part == 0) {
            return QMS_E_MORE;
        }
        *len += part;
    }
    return QMS_OK;
}

/* ---- writing ---- */

/* Waiting for half of the buffer, as on_writable does, would make small steps of it. */
static bool can_write(const void *arg)
{
    const struct qms_sync_stream *s = arg;

    return qms_stream_writable(s->st) > 0 || s->st->tx != QMS_HALF_OPEN ||
           qms_connection_is_closed(s->st->c);
}

static qms_err write_by(struct qms_sync_stream *s, struct qms_bytes data, qms_time end,
                        size_t *taken)
{
    qms_err err = can_write(s) ? QMS_OK : qms_sync_wait(s->context, end, can_write, s);

    *taken = 0;
    return err == QMS_OK ? qms_stream_write(s->st, data, taken) : err;
}

qms_err qms_sync_write(struct qms_sync_stream *s, struct qms_bytes data, qms_time timeout,
                       size_t *taken)
{
    return write_by(s, data, qms_sync_end(timeout), taken);
}

qms_err qms_sync_write_all(struct qms_sync_stream *s, struct qms_bytes data, qms_time timeout,
                           size_t *taken)
{
    qms_time end = qms_sync_end(timeout);
    qms_err err = QMS_OK;
    size_t all = 0, part;

    while (all < data.len && err == QMS_OK) {
        err = write_by(s, (struct qms_bytes){data.data + all, data.len - all}, end, &part);
        all += part;
    }
    if (taken != NULL) {
        *taken = all;
    }
    return err;
}

static bool is_delivered(const void *arg)
{
    const struct qms_stream *st = ((const struct qms_sync_stream *)arg)->st;

    return st->tx == QMS_HALF_DEAD || (!st->waiting && st->acked == st->written) || st->over;
}

qms_err qms_sync_finish(struct qms_sync_stream *s, qms_time timeout)
{
    qms_err err = qms_stream_finish(s->st);

    if (err == QMS_OK) {
        err = qms_sync_wait(s->context, qms_sync_end(timeout), is_delivered, s);
    }
    if (err == QMS_OK && s->st->tx == QMS_HALF_DEAD) {
        err = s->st->tx_err;
    }
    return err;
}

/* ---- request ---- */

/* On the heap: the reply may come after a wait that failed. */
struct wait_reply {
    bool done, abandoned;
    qms_err err;
    void *buf;
    size_t cap, len;
};

static void on_reply(void *arg, qms_err err, struct qms_bytes reply)
{
    struct wait_reply *w = arg;

    if (w->abandoned) {
        qms_free(w);
        return;
    }
    w->done = true;
    w->err = err == QMS_OK && reply.len > w->cap ? QMS_E_TOO_LARGE : err;
    if (w->err == QMS_OK && reply.len > 0) {
        memcpy(w->buf, reply.data, reply.len);
        w->len = reply.len;
    }
}

static bool is_replied(const void *arg)
{
    return ((const struct wait_reply *)arg)->done;
}

qms_err qms_sync_request(struct qms_sync_connection *c, enum qms_kind kind, const char *name,
                         uint8_t priority, struct qms_bytes payload, qms_time timeout,
                         void *reply, size_t cap, size_t *len)
{
    struct wait_reply *w = qms_calloc(1, sizeof(*w));
    qms_err err;

    *len = 0;
    if (w == NULL) {
        return QMS_E_NOMEM;
    }
    *w = (struct wait_reply){.buf = reply, .cap = cap};
    err = qms_request(c->c, kind, name, priority, NULL, payload, timeout, on_reply, w);
    if (err == QMS_OK) {
        /* The request has the deadline, and comes to an end in any case. */
        err = qms_sync_wait(c->context, QMS_NEVER, is_replied, w);
        w->abandoned = err != QMS_OK;
        err = err == QMS_OK ? w->err : err;
        *len = w->len;
    }
    if (!w->abandoned) {
        qms_free(w);
    }
    return err;
}
