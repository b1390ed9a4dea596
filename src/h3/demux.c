/* SPDX-License-Identifier: MIT */
/* What a stream of the peer is: its first varint tells.  WebTransport streams are taken out
 * here and nghttp3 never hears of them; everything else is handed over with the bytes looked
 * at. */
#include "base/mem.h"
#include "h3/h3_int.h"
#include "h3/varint.h"

#define TYPE_CONTROL   0x00
#define TYPE_HTTP_LAST 0x03 /* control, push, QPACK encoder and decoder */
#define TYPE_WT_BIDI   0x41
#define TYPE_WT_UNI    0x54

enum step { STEP_MORE, STEP_HTTP, STEP_WT };

/* Looks at the head gathered so far.  Varints need not be minimal (RFC 9000 section 16). */
static enum step look(const struct qms_h3_stream *s, uint64_t *type, uint64_t *session_id)
{
    size_t n = vi_get(s->head, s->head_len, type);

    if (n == 0) {
        return STEP_MORE;
    }
    if (*type != (s->bidi ? TYPE_WT_BIDI : TYPE_WT_UNI)) {
        return STEP_HTTP;
    }
    return vi_get(s->head + n, s->head_len - n, session_id) == 0 ? STEP_MORE : STEP_WT;
}

/* RFC 9114 section 6.2: a type that nobody knows, such as those of greasing. */
static void ignore_unknown(struct qms_h3_stream *s, size_t len)
{
    qms_h3_oddity(s->h3);
    qms_h3_consume(s, s->head_len + len);
    qms_h3_refuse(s, NGHTTP3_H3_STREAM_CREATION_ERROR);
}

static void begin_request(struct qms_h3_stream *s, struct qms_bytes rest, bool fin)
{
    if (qms_h3_request_new(s) != QMS_OK) {
        qms_h3_consume(s, s->head_len + rest.len);
        qms_h3_refuse(s, NGHTTP3_H3_EXCESSIVE_LOAD);
        return;
    }
    qms_h3_lib_read(s, (struct qms_bytes){s->head, s->head_len}, fin && rest.len == 0);
    if (rest.len > 0) {
        qms_h3_lib_read(s, rest, fin);
    }
}

static void begin_uni(struct qms_h3_stream *s, uint64_t type, struct qms_bytes rest, bool fin)
{
    if (type > TYPE_HTTP_LAST) {
        ignore_unknown(s, rest.len);
        return;
    }
    s->kind = KIND_UNI;
    qms_h3_lib_read(s, (struct qms_bytes){s->head, s->head_len}, fin && rest.len == 0);
    if (type == TYPE_CONTROL) {
        /* From here on it is frames. */
        s->frames = qms_calloc(1, sizeof(*s->frames));
        if (s->frames == NULL) {
            qms_h3_fail(s->h3, NGHTTP3_H3_INTERNAL_ERROR);
        }
    }
    if (rest.len > 0) {
        qms_h3_lib_read(s, rest, fin);
    } else if (fin) {
        /* nghttp3 overlooks a FIN that comes with the last byte of the type. */
        qms_h3_fail(s->h3, NGHTTP3_H3_CLOSED_CRITICAL_STREAM);
    }
}

static void deliver(struct qms_h3_stream *s, struct qms_bytes rest, bool fin)
{
    if (s->kind == KIND_WT) {
        qms_h3_wt_data(s, rest, fin);
    } else if (s->kind == KIND_HELD) {
        qms_h3_held_data(s, rest, fin);
    } else {
        qms_h3_consume(s, rest.len);
    }
}

static void to_session(struct qms_h3_stream *s, uint64_t id, struct qms_bytes rest, bool fin)
{
    struct qms_h3 *h3 = s->h3;
    struct qms_h3_session *session = qms_h3_session_find(h3, (int64_t)id);
    struct qms_h3_stream *request = qms_h3_request_find(h3, (int64_t)id);

    s->prefix_len = s->head_len;
    qms_h3_consume(s, s->head_len);
    if (id % 4 != 0) {
        qms_h3_fail(h3, NGHTTP3_H3_ID_ERROR);
        return;
    }
    if (session != NULL && session->state == SESSION_OPEN) {
        qms_h3_wt_attach(s, session);
    } else if (session != NULL || qms_h3_session_gone(h3, (int64_t)id)) {
        qms_h3_refuse(s, WT_SESSION_GONE);
    } else if (request != NULL && request->req->answered) {
        qms_h3_refuse(s, WT_BUFFERED_STREAM_REJECTED);
    } else {
        qms_h3_hold(s, (int64_t)id);
    }
    deliver(s, rest, fin);
}

/* FIN inside the head.  nghttp3 would end the connection with 0x101 over a unidirectional one,
 * which only says that its sender changed its mind. */
static void cut_short(struct qms_h3_stream *s)
{
    uint64_t type;
    bool in_type = s->head_len > 0 && vi_get(s->head, s->head_len, &type) == 0;

    qms_h3_consume(s, s->head_len);
    if (!s->bidi) {
        s->kind = KIND_SINK;
    } else if (in_type) {
        qms_h3_fail(s->h3, NGHTTP3_H3_FRAME_ERROR);
    } else {
        qms_h3_refuse(s, NGHTTP3_H3_REQUEST_INCOMPLETE);
    }
}

void qms_h3_demux(struct qms_h3_stream *s, struct qms_bytes data, bool fin)
{
    uint64_t type = 0, session_id = 0;

    while (data.len > 0) {
        s->head[s->head_len++] = data.data[0];
        data.data++;
        data.len--;
        enum step step = look(s, &type, &session_id);
        if (step == STEP_HTTP && s->bidi) {
            begin_request(s, data, fin);
            return;
        }
        if (step == STEP_HTTP) {
            begin_uni(s, type, data, fin);
            return;
        }
        if (step == STEP_WT) {
            to_session(s, session_id, data, fin);
            return;
        }
    }
    if (fin) {
        cut_short(s);
    }
}

void qms_h3_demux_reset(struct qms_h3_stream *s)
{
    if (s->kind == KIND_HELD) {
        qms_h3_unhold(s);
    } else {
        qms_h3_consume(s, s->head_len);
    }
    s->kind = KIND_SINK;
    if (s->bidi) {
        s->h3->link->ops->reset(s->below, NGHTTP3_H3_REQUEST_CANCELLED);
    }
}
