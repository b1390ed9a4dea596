/* SPDX-License-Identifier: MIT */
/* FRAMED streams: messages behind each other, each with its length in front (doc/wire.md
 * section 3).  With on_message the library reads the stream in the application's place. */
#include "base/mem.h"
#include "client/client_i.h"

struct qms_frames {
    struct qms_assembly assembly;
    uint64_t want; /* length of the message under way */
    bool under_way;
    bool paused;
};

static struct qms_frames *frames_of(struct qms_stream *st)
{
    if (st->frames == NULL) {
        st->frames = qms_calloc(1, sizeof(*st->frames));
    }
    return st->frames;
}

void qms_frames_free(struct qms_stream *st)
{
    if (st->frames != NULL) {
        qms_assembly_fini(&st->frames->assembly, st->c);
        qms_free(st->frames);
        st->frames = NULL;
    }
}

/* ---- out ---- */

qms_err qms_stream_send_message(struct qms_stream *st, struct qms_bytes message)
{
    uint8_t head[8];

    if ((st->flags & QMS_ROUTE_FRAMED) == 0) {
        return QMS_E_INVALID;
    }
    if (message.len > st->c->settings.max_message) {
        return QMS_E_TOO_LARGE;
    }
    return qms_stream_write_whole(
        st, (struct qms_bytes){head, qms_varint_put(head, message.len)}, message);
}

/* ---- in ---- */

bool qms_frames_wanted(const struct qms_stream *st)
{
    return (st->flags & QMS_ROUTE_FRAMED) != 0 && st->cb.on_message != NULL;
}

/* The stream cannot be understood from here on. */
static void fail(struct qms_stream *st, qms_err err, uint8_t code)
{
    qms_stream_set_fate(st, err);
    qms_stream_rx_dead(st, err);
    if (st->session_stream != NULL) {
        qms_session_stop(st->session_stream, code);
        qms_connection_touch(st->c);
    }
    qms_stream_check_over(st);
}

/* The length in front of the next message: QMS_E_MORE when it has not come whole. */
static qms_err next_length(struct qms_stream *st, struct qms_frames *f)
{
    uint8_t bytes[8];
    size_t have = 0, used;

    for (uint32_t i = 0; i < st->received.count && have < sizeof(bytes); i++) {
        struct qms_bytes run = qms_blobq_at(&st->received, i);

        for (size_t k = 0; k < run.len && have < sizeof(bytes); k++) {
            bytes[have++] = run.data[k];
        }
    }
    used = qms_varint_get((struct qms_bytes){bytes, have}, &f->want);
    if (used == 0) {
        return QMS_E_MORE;
    }
    if (f->want > st->c->settings.max_message) {
        return QMS_E_TOO_LARGE;
    }
    f->under_way = true;
    return qms_stream_consume(st, used);
}

/* The rest of the message under way: QMS_E_MORE when it has not come whole. */
static qms_err next_body(struct qms_stream *st, struct qms_frames *f, struct qms_lent *lent)
{
    qms_err err;

    if (!qms_lent_take(lent, &f->assembly, st, f->want)) {
        err = qms_assembly_fill(&f->assembly, st, f->want);
        if (err != QMS_OK) {
            return err;
        }
        if (!qms_lent_take(lent, &f->assembly, st, f->want)) {
            return QMS_E_MORE;
        }
    }
    f->under_way = false;
    return QMS_OK;
}

static qms_err next_message(struct qms_stream *st, struct qms_frames *f, struct qms_lent *lent)
{
    qms_err err = f->under_way ? QMS_OK : next_length(st, f);

    return err == QMS_OK ? next_body(st, f, lent) : err;
}

/* True: the receiving direction is over. */
static bool stopped(struct qms_stream *st, const struct qms_frames *f, qms_err err)
{
    if (err == QMS_E_MORE && st->rx == QMS_HALF_OPEN) {
        return false;
    }
    if (err == QMS_E_MORE && st->rx == QMS_HALF_ENDED &&
        (f->under_way || st->received.bytes > 0)) {
        fail(st, QMS_E_PROTOCOL, QMS_CODE_PROTOCOL);
    } else if (err == QMS_E_TOO_LARGE) {
        fail(st, err, QMS_CODE_TOO_LARGE);
    } else if (err != QMS_E_MORE) {
        fail(st, err, QMS_CODE_BUSY);
    }
    return true;
}

bool qms_frames_run(struct qms_stream *st)
{
    struct qms_frames *f = frames_of(st);
    struct qms_lent lent;
    qms_err err;

    if (f == NULL) {
        fail(st, QMS_E_NOMEM, QMS_CODE_BUSY);
        return true;
    }
    while (!f->paused && qms_frames_wanted(st)) {
        err = next_message(st, f, &lent);
        if (err != QMS_OK) {
            return stopped(st, f, err);
        }
        st->cb.on_message(st, st->arg, lent.bytes);
        qms_lent_return(&lent, st->c);
    }
    return false;
}

qms_err qms_stream_pause_messages(struct qms_stream *st, bool pause)
{
    struct qms_frames *f;

    if ((st->flags & QMS_ROUTE_FRAMED) == 0) {
        return QMS_E_INVALID;
    }
    f = frames_of(st);
    if (f == NULL) {
        return QMS_E_NOMEM;
    }
    if (f->paused && !pause) {
        qms_stream_note(st, QMS_DUE_READABLE);
    }
    f->paused = pause;
    return QMS_OK;
}
