/* SPDX-License-Identifier: MIT */
/* Routes under way: opening, the RESULT in either direction, payload, and the ways to end.
 *
 * A refusal may reach the opener as RESULT, as STREAM_STATUS or as STOP_SENDING, in any order;
 * the first that says so is told, and the forward direction is reset here whether or not the
 * layer above does it. */
#include <string.h>

#include "base/mem.h"
#include "proto/code.h"
#include "proto/session_i.h"

#define REASON_MAX 256

static const struct qms_link_ops *ops_of(const struct qms_ss *st)
{
    return st->pub.link_stream->link->ops;
}

/* Whether calls of the layer above may still reach the link. */
static bool usable(const struct qms_ss *st)
{
    return st->pub.link_stream != NULL && st->pub.session->phase != QMS_SESSION_CLOSED;
}

/* A unidirectional stream that ended before it could be told: its opener can still be. */
static bool came_whole(const struct qms_ss *st)
{
    return st->pub.link_stream == NULL && !st->pub.opener && !st->pub.bidi &&
           st->pub.session->phase == QMS_SESSION_OPEN;
}

qms_err qms_ss_write_own(struct qms_ss *st, struct qms_bytes bytes)
{
    struct qms_blob *blob = qms_blob_copy(bytes);

    if (blob == NULL) {
        return QMS_E_NOMEM;
    }
    qms_err err = ops_of(st)->write(st->pub.link_stream, blob, 0, bytes.len);
    qms_blob_unref(blob);
    if (err == QMS_OK) {
        st->own_unacked += (uint32_t)bytes.len;
    }
    return err;
}

static qms_err write_own(struct qms_ss *st, const struct qms_writer *w)
{
    return qms_ss_write_own(st, (struct qms_bytes){w->data, w->len});
}

static void take_header(struct qms_ss *st, const struct qms_route_header *h)
{
    st->pub.handle = h->handle;
    st->pub.flags = h->flags;
    st->pub.forward = st->pub.reverse = h->priority;
    st->announced = true;
    qms_handles_add(&st->pub.session->handles, st);
}

static qms_err may_open(const struct qms_session *s, bool bidi,
                        const struct qms_route_header *h)
{
    if (s->link == NULL || s->phase == QMS_SESSION_CLOSED) {
        return QMS_E_CLOSED;
    }
    if (s->phase != QMS_SESSION_OPEN && !(s->connecting && s->phase == QMS_SESSION_ANSWER)) {
        return QMS_E_STATE;
    }
    if ((qms_session_is_agent(s) && h->source.len > 0) || (bidi && h->kind == QMS_KIND_TOPIC)) {
        return QMS_E_INVALID;
    }
    return QMS_OK;
}

qms_err qms_session_open(struct qms_session *s, bool bidi, const struct qms_route_header *h,
                         void *user, struct qms_session_stream **out)
{
    uint8_t bytes[QMS_HEAD_FULL];
    struct qms_writer w = qms_writer_of(bytes, sizeof(bytes));
    struct qms_route_header header = *h;
    struct qms_link_stream *ls;

    header.handle = s->next_handle;
    qms_err err = may_open(s, bidi, h);
    if (err == QMS_OK) {
        err = qms_route_encode(&w, &header);
    }
    if (err == QMS_OK) {
        err = s->link->ops->open(s->link, bidi, h->priority, &ls);
    }
    if (err != QMS_OK) {
        return err;
    }
    ls->early = (h->flags & QMS_ROUTE_IDEMPOTENT) != 0;
    struct qms_ss *st = qms_ss_new(s, ls, true);
    err = st != NULL ? write_own(st, &w) : QMS_E_NOMEM;
    if (err != QMS_OK) {
        qms_link_stream_refuse(ls, QMS_CODE_CANCELLED);
        if (st != NULL) {
            qms_ss_free(st);
        }
        return err;
    }
    s->next_handle++;
    ls->user = st;
    take_header(st, &header);
    st->pub.user = user;
    st->state = bidi && (h->flags & QMS_ROUTE_NO_RESULT) == 0 ? QMS_SS_RESULT : QMS_SS_PAYLOAD;
    *out = &st->pub;
    return QMS_OK;
}

/* A STOP_SENDING that came before it could be told. */
static void tell_early_stop(struct qms_ss *st)
{
    if (st->early_stop && qms_session_lives(st->pub.session)) {
        st->early_stop = false;
        st->pub.session->events->on_stop(&st->pub, st->early_code);
    }
}

void qms_ss_announce(struct qms_ss *st, const struct qms_route_header *h)
{
    struct qms_session *s = st->pub.session;

    st->state = QMS_SS_PAYLOAD;
    take_header(st, h);
    if (st->pub.bidi) {
        ops_of(st)->set_priority(st->pub.link_stream, h->priority);
    }
    s->events->on_route(&st->pub, h);
    if (qms_session_lives(s)) {
        qms_ss_recall_priority(st);
    }
    tell_early_stop(st);
}

/* Ends the forward direction of a refused route, and tells why, once. */
static void refused(struct qms_ss *st, const struct qms_result *r)
{
    st->refused = st->result_done = true;
    ops_of(st)->reset(st->pub.link_stream, r->status);
    st->pub.session->events->on_result(&st->pub, r);
}

void qms_ss_fail(struct qms_ss *st, uint8_t code, const char *what)
{
    struct qms_session *s = st->pub.session;

    st->state = QMS_SS_OVER;
    qms_ss_drop_head(st);
    qms_link_stream_refuse(st->pub.link_stream, code);
    if (!st->chunks.told) {
        s->events->on_reset(&st->pub, code);
    }
    s->events->on_stop(&st->pub, code);
    if (code == QMS_CODE_PROTOCOL && qms_session_lives(s)) {
        qms_session_malformed(s, what);
    }
}

/* What may stand behind a RESULT: payload after status 0, only FIN after another one. */
static void after_result(struct qms_ss *st, struct qms_bytes payload, bool fin)
{
    if (st->refused) {
        ops_of(st)->consume(st->pub.link_stream, payload.len);
        if (payload.len > 0) {
            ops_of(st)->stop(st->pub.link_stream, QMS_CODE_CANCELLED);
        }
        st->state = QMS_SS_OVER;
    } else if (qms_session_lives(st->pub.session) && (payload.len > 0 || fin)) {
        qms_ss_payload_input(st, payload, fin);
    }
}

void qms_ss_result_input(struct qms_ss *st, struct qms_bytes data, bool fin)
{
    size_t old = st->head_len, used = 0;
    struct qms_bytes in;
    struct qms_result r;
    qms_err err = qms_ss_gather(st, data, QMS_RESULT_FULL, &in);

    if (err == QMS_OK) {
        err = qms_result_decode(in, &r, &used);
    }
    if (err == QMS_E_MORE && !fin && in.len < QMS_RESULT_FULL) {
        err = old == 0 ? qms_ss_keep(st, data) : QMS_OK;
        if (err == QMS_OK) {
            qms_ss_credit(st, in.len);
            return;
        }
    }
    if (err != QMS_OK) {
        qms_ss_credit(st, old + data.len);
        qms_ss_fail(st, qms_ss_code_of(err), "malformed_result");
        return;
    }
    qms_ss_credit(st, used);
    st->state = QMS_SS_PAYLOAD;
    if (r.status != QMS_CODE_OK) {
        refused(st, &r);
    } else {
        st->result_done = true;
        st->pub.session->events->on_result(&st->pub, &r);
        tell_early_stop(st);
    }
    qms_ss_drop_head(st);
    after_result(st, (struct qms_bytes){data.data + (used - old), data.len - (used - old)},
                 fin);
}

void qms_ss_payload_input(struct qms_ss *st, struct qms_bytes data, bool fin)
{
    if (st->pub.session->chunks_in) {
        qms_ss_chunks_input(st, data, fin);
        return;
    }
    if (st->stopped) {
        qms_ss_consume(st, data.len);
        return;
    }
    st->pub.session->events->on_data(&st->pub, data, fin);
}

void qms_ss_on_reset(struct qms_ss *st, uint64_t code)
{
    if (!st->announced) {
        qms_ss_reject(st, QMS_CODE_CANCELLED);
    } else if (st->state != QMS_SS_OVER && !st->refused && !st->chunks.ended) {
        if (st->state == QMS_SS_RESULT) { /* it will not come: a stop waits for nothing */
            st->state = QMS_SS_PAYLOAD;
            qms_ss_drop_head(st);
        }
        tell_early_stop(st);
        st->pub.session->events->on_reset(&st->pub, qms_code_clamp(code));
    }
}

void qms_ss_on_stop(struct qms_ss *st, uint64_t code)
{
    struct qms_result r = {.status = qms_code_clamp(code)};

    if (st->stop_seen) {
        return;
    }
    st->stop_seen = true;
    if (!st->announced) {
        st->early_stop = true;
        st->early_code = (uint8_t)r.status;
    } else if (st->state == QMS_SS_RESULT) { /* the first half of a refusal, most likely */
        st->early_stop = true;
        st->early_code = (uint8_t)r.status;
        ops_of(st)->reset(st->pub.link_stream, code);
    } else if (st->refused || st->state == QMS_SS_OVER) {
        ops_of(st)->reset(st->pub.link_stream, code);
    } else if (st->pub.opener && !st->pub.bidi) {
        refused(st, &r);
    } else {
        st->pub.session->events->on_stop(&st->pub, (uint8_t)r.status);
    }
}

void qms_ss_on_acked(struct qms_ss *st, uint64_t len)
{
    uint64_t own = len < st->own_unacked ? len : st->own_unacked;

    st->own_unacked -= (uint32_t)own;
    if (st->announced && len > own) {
        st->pub.session->events->on_acked(&st->pub, len - own);
    }
}

/* The number stands in the reason, in decimal digits. */
static void skipped(struct qms_ss *st, struct qms_bytes reason)
{
    const struct qms_session_events *events = st->pub.session->events;
    uint64_t count = 0;

    for (size_t i = 0; i < reason.len && i < 18; i++) {
        if (reason.data[i] < '0' || reason.data[i] > '9') {
            return;
        }
        count = count * 10 + (uint64_t)(reason.data[i] - '0');
    }
    if (count > 0 && (st->pub.flags & QMS_ROUTE_FRAMED) != 0 && events->on_skipped != NULL) {
        events->on_skipped(&st->pub, count);
    }
}

void qms_session_on_stream_status(struct qms_session *s, const struct qms_control *m)
{
    bool ours = m->u.stream_status.opener == 1;
    struct qms_ss *st = qms_handles_find(&s->handles, ours, m->u.stream_status.handle);
    struct qms_result r = {.status = m->u.stream_status.status,
                           .reason = m->u.stream_status.reason};

    if (st == NULL && ours) {
        s->events->on_control(s, m); /* the stream was acknowledged to its end and is gone */
    } else if (st == NULL || r.status == QMS_CODE_OK || st->refused) {
        return;
    } else if (ours && !st->pub.bidi) {
        refused(st, &r);
    } else if (!ours && r.status == QMS_CODE_SLOW_CONSUMER && r.reason.len > 0) {
        skipped(st, r.reason);
    } else if (st->pub.bidi && usable(st) && qms_ss_can_send(st)) {
        qms_ss_on_stop(st, r.status); /* of a page whose browser sends no STOP_SENDING */
    }
}

static void refuse_bidi(struct qms_ss *st, const struct qms_result *r,
                        const struct qms_writer *w)
{
    struct qms_link_stream *ls = st->pub.link_stream;

    if (w != NULL && write_own(st, w) == QMS_OK) {
        ops_of(st)->finish(ls);
        if (!ls->link->harmful_stops) { /* the RESULT makes the opener reset its direction */
            ops_of(st)->stop(ls, r->status);
        }
    } else {
        qms_link_stream_refuse(ls, (uint8_t)r->status);
    }
}

static qms_err send_status(struct qms_ss *st, uint8_t status, struct qms_bytes reason)
{
    struct qms_control m = {.type = QMS_MSG_STREAM_STATUS};

    m.u.stream_status.handle = st->pub.handle;
    m.u.stream_status.opener = st->pub.opener ? 0 : 1;
    m.u.stream_status.status = status;
    m.u.stream_status.reason = reason;
    return qms_session_send(st->pub.session, &m);
}

static void refuse_uni(struct qms_ss *st, const struct qms_result *r)
{
    qms_link_stream_refuse(st->pub.link_stream, (uint8_t)r->status);
    if (send_status(st, (uint8_t)r->status, r->reason) != QMS_OK) {
        qms_session_odd(st->pub.session, "status_dropped"); /* STOP_SENDING says enough */
    }
}

qms_err qms_session_result(struct qms_session_stream *pub, const struct qms_result *r)
{
    struct qms_ss *st = qms_ss_of(pub);
    uint8_t bytes[QMS_RESULT_FULL];
    struct qms_writer w = qms_writer_of(bytes, sizeof(bytes));
    bool silent = (pub->flags & QMS_ROUTE_NO_RESULT) != 0;

    if (pub->opener || st->result_done) {
        return QMS_E_STATE;
    }
    if (!usable(st) && !came_whole(st)) {
        return QMS_E_CLOSED;
    }
    qms_err err = r->status <= QMS_CODE_MAX ? qms_result_encode(&w, r) : QMS_E_INVALID;
    if (err != QMS_OK) {
        return err;
    }
    bool accepts = r->status == QMS_CODE_OK;
    if (!accepts && pub->bidi) {
        refuse_bidi(st, r, silent ? NULL : &w);
    } else if (!accepts) {
        refuse_uni(st, r);
    } else if (pub->bidi && !silent) {
        err = write_own(st, &w);
        err = err == QMS_E_CLOSED ? QMS_OK : err; /* the opener does not listen: no harm done */
    }
    if (err == QMS_OK) {
        st->result_done = true;
        st->refused = !accepts;
        st->stopped = st->stopped || st->refused;
    }
    return err;
}

/* The acceptor's payload comes behind its RESULT. */
static bool may_send(const struct qms_ss *st)
{
    return qms_ss_can_send(st) && !st->refused &&
           (st->pub.opener || st->result_done || (st->pub.flags & QMS_ROUTE_NO_RESULT) != 0);
}

qms_err qms_session_write(struct qms_session_stream *pub, struct qms_blob *blob, size_t off,
                          size_t len)
{
    struct qms_ss *st = qms_ss_of(pub);

    if (!usable(st) || st->refused || st->state == QMS_SS_OVER) {
        return QMS_E_CLOSED;
    }
    if (!may_send(st)) {
        return QMS_E_STATE;
    }
    return pub->session->chunks_out ? qms_ss_chunks_write(st, blob, off, len)
                                    : ops_of(st)->write(pub->link_stream, blob, off, len);
}

void qms_session_finish(struct qms_session_stream *pub)
{
    struct qms_ss *st = qms_ss_of(pub);

    if (!usable(st) || !may_send(st)) {
        return;
    }
    if (pub->session->chunks_out) {
        qms_ss_chunks_finish(st);
    } else {
        ops_of(st)->finish(pub->link_stream);
    }
}

void qms_session_reset(struct qms_session_stream *pub, uint8_t code)
{
    struct qms_ss *st = qms_ss_of(pub);

    if (usable(st) && qms_ss_can_send(st)) {
        ops_of(st)->reset(pub->link_stream, code);
    }
}

/* QUIC sends no STOP_SENDING about a stream that has come to its end already, and nothing else
 * would tell the opener of a unidirectional one that its bytes were not taken. */
static bool is_refusal(const struct qms_ss *st, uint8_t code)
{
    return !st->pub.bidi && code != QMS_CODE_OK;
}

void qms_session_stop(struct qms_session_stream *pub, uint8_t code)
{
    struct qms_ss *st = qms_ss_of(pub);

    if ((usable(st) || came_whole(st)) && qms_ss_can_receive(st) && !st->stopped) {
        st->stopped = true;
        if (pub->link_stream != NULL) {
            ops_of(st)->stop(pub->link_stream, code);
        }
        if (pub->session->link->quiet_stops || is_refusal(st, code)) {
            /* Without memory the other side fills its window and waits. */
            (void)!send_status(st, code == QMS_CODE_OK ? QMS_CODE_CANCELLED : code,
                               (struct qms_bytes){0});
        }
    }
}

void qms_session_consume(struct qms_session_stream *pub, size_t len)
{
    struct qms_ss *st = qms_ss_of(pub);

    if (usable(st) && qms_ss_can_receive(st)) {
        ops_of(st)->consume(pub->link_stream, len);
    }
}

qms_err qms_session_stream_status(struct qms_session_stream *pub, uint8_t status,
                                  const char *reason)
{
    struct qms_bytes bytes = {(const uint8_t *)reason, 0};

    if (reason != NULL) {
        bytes.len = strnlen(reason, REASON_MAX);
    }
    return send_status(qms_ss_of(pub), status, bytes);
}

void qms_session_stream_stats(struct qms_session_stream *pub, struct qms_link_stream_stats *out)
{
    *out = (struct qms_link_stream_stats){0};
    if (pub->link_stream != NULL) {
        pub->link_stream->link->ops->stream_stats(pub->link_stream, out);
    }
}
