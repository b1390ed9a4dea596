/* SPDX-License-Identifier: MIT */
/* One stream a message: whole or not at all.  Both ends are streams of the library's own, whose
 * header carries the mark that tells them from an application's.  The stream is bidirectional
 * so that RESULT, which the receiver sends when it has all of the message, tells what became of
 * it; only to a topic, which has no one to answer, it is not. */
#include "base/mem.h"
#include "client/client_i.h"

/* ---- out ---- */

struct outgoing {
    void (*done)(void *arg, qms_err err);
    void *arg;
    size_t len;
};

/* The receiver's application may have taken the stream in the library's place, and may say
 * more than that it did: nobody asked for that. */
static void outgoing_readable(struct qms_stream *st, void *arg)
{
    (void)arg;
    if (st->rx != QMS_HALF_DEAD) {
        (void)!qms_stream_consume(st, (size_t)st->received.bytes); /* it cannot be too much */
    }
}

static void outgoing_closed(struct qms_stream *st, void *arg, qms_err err)
{
    struct outgoing *m = arg;

    st->c->messages_out -= m->len;
    qms_stream_release(st);
    if (m->done != NULL) {
        m->done(m->arg, err);
    }
}

static const struct qms_stream_callbacks outgoing_callbacks = {
    .size = sizeof(struct qms_stream_callbacks),
    .on_readable = outgoing_readable,
    .on_closed = outgoing_closed,
};

static qms_err write_all(struct qms_stream *st, struct qms_bytes payload)
{
    qms_err err = qms_stream_write_whole(st, (struct qms_bytes){0}, payload);

    return err == QMS_OK ? qms_stream_finish(st) : err;
}

static qms_err send(struct qms_connection *c, enum qms_kind kind, const char *name,
                    uint8_t priority, const struct qms_open *params, struct qms_bytes payload,
                    struct outgoing *m)
{
    struct qms_stream *st = NULL;
    unsigned flags = kind == QMS_KIND_TOPIC ? QMS_OPEN_UNI : QMS_OPEN_BIDI;
    qms_err err = qms_stream_open_as(c, kind, name, flags, priority, params, true,
                                     &outgoing_callbacks, m, &st);

    if (err != QMS_OK) {
        return err;
    }
    err = write_all(st, payload);
    if (err != QMS_OK) {
        qms_stream_release(st); /* resets it: nobody takes half of it for a message */
        return err;
    }
    st->inside = m;
    st->inside_free = qms_free;
    c->messages_out += payload.len;
    return QMS_OK;
}

qms_err qms_message_send(struct qms_connection *c, enum qms_kind kind, const char *name,
                         uint8_t priority, const struct qms_open *params,
                         struct qms_bytes payload, void (*done)(void *arg, qms_err err),
                         void *arg)
{
    struct outgoing *m;
    qms_err err;

    if (payload.len > c->settings.max_message) {
        return QMS_E_TOO_LARGE;
    }
    if (c->messages_out > 0 && c->messages_out + payload.len > QMS_MESSAGES_OUT_MAX) {
        return QMS_E_LIMIT;
    }
    m = qms_calloc(1, sizeof(*m));
    if (m == NULL) {
        return QMS_E_NOMEM;
    }
    *m = (struct outgoing){.done = done, .arg = arg, .len = payload.len};
    err = send(c, kind, name, priority, params, payload, m);
    if (err != QMS_OK) {
        qms_free(m);
    }
    return err;
}

/* ---- in ---- */

struct incoming {
    struct qms_assembly assembly;
    struct qms_connection *c;
};

static void incoming_free(void *inside)
{
    struct incoming *m = inside;

    qms_assembly_fini(&m->assembly, m->c);
    qms_free(m);
}

static uint8_t refusal(qms_err err)
{
    return err == QMS_E_TOO_LARGE ? QMS_CODE_TOO_LARGE : QMS_CODE_BUSY;
}

static void refuse(struct qms_stream *st, qms_err err)
{
    /* Where even that finds no memory the release below stops it. */
    (void)!qms_stream_reject(st, refusal(err), qms_strerror(err));
    qms_stream_release(st);
}

/* What is answered is delivered and the other way round, the end of the connection in between
 * apart.  A unidirectional stream that is whole has nothing left to answer on. */
static qms_err answer(struct qms_stream *st)
{
    qms_err err;

    if (!st->bidi) {
        return QMS_OK;
    }
    err = qms_stream_accept(st, (struct qms_bytes){0});
    return err == QMS_OK ? qms_stream_finish(st) : err;
}

/* All of it is there. */
static void deliver(struct qms_stream *st, struct incoming *m)
{
    struct qms_connection *c = st->c;
    struct qms_lent lent;
    qms_err err = answer(st);

    if (err != QMS_OK) {
        refuse(st, err);
        return;
    }
    if (qms_lent_take(&lent, &m->assembly, st,
                      m->assembly.len + (uint64_t)st->received.bytes)) {
        if (c->cb.on_message != NULL) {
            c->cb.on_message(c, c->arg, st, lent.bytes);
        }
        qms_lent_return(&lent, c);
    }
    qms_stream_release(st);
}

static void incoming_readable(struct qms_stream *st, void *arg)
{
    struct incoming *m = arg;
    size_t max = st->c->settings.max_message;
    qms_err err = QMS_OK;

    if (st->rx == QMS_HALF_DEAD) {
        qms_stream_release(st);
        return;
    }
    if (m->assembly.len + st->received.bytes > max) {
        refuse(st, QMS_E_TOO_LARGE);
        return;
    }
    if (st->rx == QMS_HALF_OPEN || st->received.count > 1 || m->assembly.len > 0) {
        uint64_t want = m->assembly.len + st->received.bytes;

        err = qms_assembly_fill(&m->assembly, st, st->rx == QMS_HALF_OPEN ? max : want);
    }
    if (err != QMS_OK) {
        refuse(st, err);
    } else if (st->rx == QMS_HALF_ENDED) {
        deliver(st, m);
    }
}

static void incoming_closed(struct qms_stream *st, void *arg, qms_err err)
{
    (void)arg;
    (void)err;
    qms_stream_release(st);
}

static const struct qms_stream_callbacks incoming_callbacks = {
    .size = sizeof(struct qms_stream_callbacks),
    .on_readable = incoming_readable,
    .on_closed = incoming_closed,
};

bool qms_message_take(struct qms_connection *c, struct qms_stream *st)
{
    struct incoming *m;

    if (!st->info->message || c->cb.on_message == NULL) {
        return false;
    }
    m = qms_calloc(1, sizeof(*m));
    if (m == NULL) {
        refuse(st, QMS_E_NOMEM);
        return true;
    }
    m->c = c;
    st->inside = m;
    st->inside_free = incoming_free;
    (void)!qms_stream_set_callbacks(st, &incoming_callbacks, m);
    if (st->info->length_hint != UINT64_MAX &&
        st->info->length_hint > c->settings.max_message) {
        refuse(st, QMS_E_TOO_LARGE);
    }
    return true;
}
