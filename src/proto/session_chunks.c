/* SPDX-License-Identifier: MIT */
/* Payload whose end is marked (doc/wire.md section 3): each chunk is its length and that many
 * bytes, and a chunk of none is the end.  For platforms that end the streams of a program that
 * is cut off as if it had finished them: a FIN alone says nothing there. */
#include "proto/code.h"
#include "proto/session_i.h"

/* Takes bytes of a chunk's length; false: it is not complete yet. */
static bool take_length(struct qms_chunks *c, struct qms_bytes *data, uint64_t *len)
{
    while (data->len > 0) {
        c->head[c->head_len++] = *data->data++;
        data->len--;
        if (qms_varint_get((struct qms_bytes){c->head, c->head_len}, len) > 0) {
            c->head_len = 0;
            return true;
        }
    }
    return false;
}

static void tell(struct qms_ss *st, struct qms_bytes data, bool fin)
{
    if (st->stopped) {
        qms_ss_consume(st, data.len);
    } else {
        st->pub.session->events->on_data(&st->pub, data, fin);
    }
}

/* One length or one run of payload.  False: the rest is not to be looked at. */
static bool take(struct qms_ss *st, struct qms_bytes *data)
{
    struct qms_chunks *c = &st->chunks;
    size_t before = data->len;

    if (c->left_in > 0) {
        struct qms_bytes run = {data->data,
                                c->left_in < data->len ? (size_t)c->left_in : data->len};
        c->left_in -= run.len;
        data->data += run.len;
        data->len -= run.len;
        tell(st, run, false);
    } else if (take_length(c, data, &c->left_in)) {
        qms_ss_consume(st, before - data->len);
        c->ended = c->left_in == 0;
    } else {
        qms_ss_consume(st, before);
    }
    /* What was told may have closed the session or ended the stream. */
    return !c->ended && st->state == QMS_SS_PAYLOAD && qms_session_lives(st->pub.session);
}

void qms_ss_chunks_input(struct qms_ss *st, struct qms_bytes data, bool fin)
{
    struct qms_chunks *c = &st->chunks;
    struct qms_session *s = st->pub.session;
    bool over_before = c->ended;

    while (!over_before && data.len > 0 && take(st, &data)) {
    }
    if (!qms_session_lives(s)) {
        return;
    }
    qms_ss_consume(st, data.len);
    if (c->ended && data.len > 0) {
        qms_ss_fail(st, QMS_CODE_PROTOCOL, "malformed_chunk");
    } else if (c->ended && !over_before) {
        c->told = true;
        tell(st, (struct qms_bytes){0}, true);
    } else if (fin && !c->ended && st->state == QMS_SS_PAYLOAD) { /* it was cut off */
        c->ended = c->told = true;
        s->events->on_reset(&st->pub, QMS_CODE_PEER_GONE);
    }
}

qms_err qms_ss_chunks_write(struct qms_ss *st, struct qms_blob *blob, size_t off, size_t len)
{
    struct qms_link_stream *ls = st->pub.link_stream;
    uint64_t *left = &st->chunks.left_out;
    qms_err err = QMS_OK;

    while (len > 0 && err == QMS_OK) {
        if (*left == 0) {
            uint8_t head[8];
            err = qms_ss_write_own(st, (struct qms_bytes){head, qms_varint_put(head, len)});
            *left = err == QMS_OK ? len : 0;
        }
        size_t run = len < *left ? len : (size_t)*left;
        if (err == QMS_OK) {
            err = ls->link->ops->write(ls, blob, off, run);
        }
        if (err == QMS_OK) {
            *left -= run;
            off += run;
            len -= run;
        }
    }
    return err;
}

void qms_ss_chunks_finish(struct qms_ss *st)
{
    struct qms_link_stream *ls = st->pub.link_stream;
    qms_err err = qms_ss_write_own(st, (struct qms_bytes){(const uint8_t *)"", 1});

    if (err == QMS_E_NOMEM) { /* an end that nobody can tell from a break */
        ls->link->ops->reset(ls, QMS_CODE_INTERNAL);
    } else {
        ls->link->ops->finish(ls);
    }
}
