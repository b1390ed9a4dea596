/* SPDX-License-Identifier: MIT */
/* A question and its answer over a stream of their own, with a deadline. */
#include "base/mem.h"
#include "client/client_i.h"

struct call {
    struct qms_heap_node timer; /* in the connection's `calls` */
    struct qms_stream *st;
    struct qms_connection *c;
    void (*reply)(void *arg, qms_err err, struct qms_bytes reply);
    void *arg;
    struct qms_assembly assembly;
    bool late;
};

static void call_free(void *inside)
{
    struct call *q = inside;

    qms_heap_remove(&q->c->calls, &q->timer);
    qms_assembly_fini(&q->assembly, q->c);
    qms_free(q);
}

/* The stream's release keeps the call until the end of the turn. */
static void answer(struct call *q, qms_err err, struct qms_bytes reply)
{
    void (*fn)(void *, qms_err, struct qms_bytes) = q->reply;

    q->reply = NULL;
    qms_heap_remove(&q->c->calls, &q->timer);
    qms_stream_release(q->st);
    if (fn != NULL) {
        fn(q->arg, err, reply);
    }
}

static void on_result(struct qms_stream *st, void *arg, qms_err err)
{
    (void)st;
    if (err != QMS_OK) {
        answer(arg, err, (struct qms_bytes){0});
    }
}

static qms_err collect(struct qms_stream *st, struct call *q)
{
    uint64_t have = q->assembly.len + (uint64_t)st->received.bytes;

    if (st->rx == QMS_HALF_DEAD) {
        return st->fate_is_closing ? QMS_E_MORE : st->rx_err; /* on_closed will know */
    }
    if (have > st->c->settings.max_message) {
        return QMS_E_TOO_LARGE;
    }
    if (st->rx == QMS_HALF_OPEN) {
        qms_err err = qms_assembly_fill(&q->assembly, st, st->c->settings.max_message);

        return err == QMS_OK ? QMS_E_MORE : err;
    }
    return qms_assembly_fill(&q->assembly, st, have);
}

static void on_readable(struct qms_stream *st, void *arg)
{
    struct call *q = arg;
    qms_err err = q->late ? QMS_E_TIMEOUT : collect(st, q);

    if (err == QMS_OK) {
        answer(q, QMS_OK, (struct qms_bytes){q->assembly.data, q->assembly.len});
    } else if (err != QMS_E_MORE) {
        if (err == QMS_E_TOO_LARGE) {
            qms_stream_stop(st, QMS_CODE_TOO_LARGE);
        }
        answer(q, err, (struct qms_bytes){0});
    }
}

static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    (void)st;
    answer(arg, err == QMS_OK ? QMS_E_CLOSED : err, (struct qms_bytes){0});
}

static const struct qms_stream_callbacks callbacks = {
    .size = sizeof(struct qms_stream_callbacks),
    .on_result = on_result,
    .on_readable = on_readable,
    .on_closed = on_closed,
};

void qms_calls_expire(struct qms_connection *c, qms_time now)
{
    struct qms_heap_node *top;

    while ((top = qms_heap_top(&c->calls)) != NULL && top->at <= now) {
        struct call *q = QMS_CONTAINER(top, struct call, timer);

        qms_heap_remove(&c->calls, top);
        q->late = true;
        qms_stream_note(q->st, QMS_DUE_READABLE);
    }
}

static qms_err ask(struct call *q, enum qms_kind kind, const char *name, uint8_t priority,
                   const struct qms_open *params, struct qms_bytes payload)
{
    qms_err err = qms_stream_open(q->c, kind, name, QMS_OPEN_BIDI, priority, params, &callbacks,
                                  q, &q->st);

    if (err != QMS_OK) {
        return err;
    }
    err = qms_stream_write_whole(q->st, (struct qms_bytes){0}, payload);
    if (err == QMS_OK) {
        err = qms_stream_finish(q->st);
    }
    if (err != QMS_OK) {
        qms_stream_release(q->st);
    }
    return err;
}

qms_err qms_request(struct qms_connection *c, enum qms_kind kind, const char *name,
                    uint8_t priority, const struct qms_open *params, struct qms_bytes payload,
                    qms_time timeout,
                    void (*reply)(void *arg, qms_err err, struct qms_bytes reply), void *arg)
{
    qms_time now = qms_client_now(c->client);
    struct call *q;
    qms_err err;

    if (payload.len > c->settings.max_message) {
        return QMS_E_TOO_LARGE;
    }
    q = qms_calloc(1, sizeof(*q));
    if (q == NULL) {
        return QMS_E_NOMEM;
    }
    q->c = c;
    q->reply = reply;
    q->arg = arg;
    err = qms_heap_set(&c->calls, &q->timer,
                       timeout >= QMS_NEVER - now ? QMS_NEVER : now + timeout);
    if (err == QMS_OK) {
        err = ask(q, kind, name, priority, params, payload);
    }
    if (err != QMS_OK) {
        call_free(q);
        return err;
    }
    q->st->inside = q;
    q->st->inside_free = call_free;
    qms_connection_touch(c);
    return QMS_OK;
}
