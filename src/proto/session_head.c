/* SPDX-License-Identifier: MIT */
/* First bytes of the streams that the peer opens: stream type, then the ROUTE header.
 *
 * Bytes of a header are credited as they are read.  Before HELLO was accepted nothing is: the
 * stream's bytes are kept as they came, within a limit for all streams together, and
 * later go the same way as if they came only then. */
#include <string.h>

#include "base/mem.h"
#include "proto/session_i.h"

#define HEAD_FIRST 64

/** A broker may open routes before its WELCOME has arrived everywhere; it is trusted with more
 * room than an agent that has not said who it is. */
#define HELD_WHILE_CONNECTING 16

qms_err qms_ss_keep(struct qms_ss *st, struct qms_bytes data)
{
    size_t need = st->head_len + data.len;

    if (need > st->head_cap) {
        size_t cap = st->head_cap == 0 ? HEAD_FIRST : st->head_cap;
        while (cap < need) {
            cap *= 2;
        }
        uint8_t *head = qms_realloc(st->head, cap);
        if (head == NULL) {
            return QMS_E_NOMEM;
        }
        st->head = head;
        st->head_cap = (uint32_t)cap;
    }
    if (data.len > 0) {
        memcpy(st->head + st->head_len, data.data, data.len);
        st->head_len = (uint32_t)need;
    }
    return QMS_OK;
}

void qms_ss_drop_head(struct qms_ss *st)
{
    qms_free(st->head);
    st->head = NULL;
    st->head_len = st->head_cap = 0;
}

qms_err qms_ss_gather(struct qms_ss *st, struct qms_bytes data, size_t full,
                      struct qms_bytes *in)
{
    if (st->head_len == 0) {
        *in = data;
        return QMS_OK;
    }
    size_t room = full > st->head_len ? full - st->head_len : 0;
    qms_err err =
        qms_ss_keep(st, (struct qms_bytes){data.data, data.len < room ? data.len : room});
    *in = (struct qms_bytes){st->head, st->head_len};
    return err;
}

void qms_ss_consume(struct qms_ss *st, size_t len)
{
    struct qms_link_stream *ls = st->pub.link_stream;

    if (ls != NULL && len > 0) {
        ls->link->ops->consume(ls, len);
    }
}

void qms_ss_credit(struct qms_ss *st, size_t upto)
{
    if (upto > st->credited) {
        qms_ss_consume(st, upto - st->credited);
        st->credited = (uint32_t)upto;
    }
}

void qms_link_stream_refuse(struct qms_link_stream *ls, uint8_t code)
{
    if (ls == NULL) {
        return;
    }
    if (ls->bidi || ls->local) {
        ls->link->ops->reset(ls, code);
    }
    if (ls->bidi || !ls->local) {
        ls->link->ops->stop(ls, code);
    }
}

void qms_ss_leave_held(struct qms_ss *st)
{
    struct qms_session *s = st->pub.session;

    if (st->state == QMS_SS_HELD) {
        s->held_count--;
        s->held_bytes -= st->head_len;
    }
    qms_list_remove(&st->wait);
}

void qms_ss_reject(struct qms_ss *st, uint8_t code)
{
    qms_ss_leave_held(st);
    st->state = QMS_SS_OVER;
    qms_ss_credit(st, st->head_len);
    qms_ss_drop_head(st);
    qms_link_stream_refuse(st->pub.link_stream, code);
}

/* Ends a stream in the middle of its first bytes; `got` of them have come in all. */
static void refuse_head(struct qms_ss *st, size_t got, uint8_t code)
{
    struct qms_session *s = st->pub.session;

    qms_ss_credit(st, got);
    qms_ss_reject(st, code);
    if (code == QMS_CODE_PROTOCOL) {
        qms_session_malformed(s, "malformed_header");
    }
}

static void hold(struct qms_ss *st, struct qms_bytes data, bool fin)
{
    struct qms_session *s = st->pub.session;
    size_t factor = s->connecting ? HELD_WHILE_CONNECTING : 1;
    size_t got = st->head_len + data.len;

    if (st->state == QMS_SS_HEAD) {
        qms_list_remove(&st->wait);
        qms_list_append(&s->held, &st->wait);
        st->state = QMS_SS_HELD;
        s->held_count++;
        s->held_bytes += st->head_len;
    }
    bool room = s->held_count <= s->limits->held_streams * factor &&
                s->held_bytes + data.len <= s->limits->held_bytes * factor;
    if (!room || qms_ss_keep(st, data) != QMS_OK) {
        qms_session_odd(s, "held_overflow");
        qms_ss_leave_held(st);
        st->state = QMS_SS_OVER;
        refuse_head(st, got,
                    room                           ? QMS_CODE_BUSY
                    : s->phase == QMS_SESSION_OPEN ? QMS_CODE_TOO_EARLY
                                                   : QMS_CODE_UNAUTHENTICATED);
        return;
    }
    s->held_bytes += data.len;
    st->held_fin = fin;
}

/* The link's stream was over before its bytes could be told. */
static void end_late(struct qms_ss *st)
{
    if (st->announced && st->pub.session->phase != QMS_SESSION_CLOSED) {
        st->pub.session->events->on_stream_closed(&st->pub);
    }
    qms_ss_free(st);
}

/* The stream as if its bytes came only now. */
static void release(struct qms_ss *st)
{
    struct qms_session *s = st->pub.session;
    uint8_t *kept = st->head;
    struct qms_bytes data = {kept, st->head_len};

    qms_ss_leave_held(st);
    st->head = NULL;
    st->head_len = st->head_cap = 0;
    st->state = QMS_SS_HEAD;
    st->header_at = s->link->now + s->limits->header_for;
    qms_list_append(&s->waiting, &st->wait);
    qms_ss_head_input(st, data, st->held_fin);
    qms_free(kept);
    qms_ss_received(st, 0, st->held_fin);
    if (st->pub.link_stream == NULL && st->state != QMS_SS_HELD) {
        end_late(st);
    }
}

void qms_session_release_held(struct qms_session *s)
{
    struct qms_list round, *node;

    qms_list_init(&round); /* some may have to be held again, as early data */
    while ((node = qms_list_first(&s->held)) != NULL) {
        qms_list_remove(node);
        qms_list_append(&round, node);
    }
    while ((node = qms_list_first(&round)) != NULL) {
        if (s->phase == QMS_SESSION_OPEN) {
            release(QMS_CONTAINER(node, struct qms_ss, wait));
        } else {
            qms_list_remove(node);
            qms_list_append(&s->held, node);
        }
    }
}

void qms_ss_held_input(struct qms_ss *st, struct qms_bytes data, bool fin)
{
    struct qms_session *s = st->pub.session;

    if (s->phase != QMS_SESSION_OPEN || qms_session_early(s)) {
        hold(st, data, fin);
        return;
    }
    release(st);
    if (st->state == QMS_SS_HEAD) {
        qms_ss_head_input(st, data, fin);
    } else if (st->state == QMS_SS_PAYLOAD) {
        qms_ss_payload_input(st, data, fin);
    } else {
        st->pub.link_stream->link->ops->consume(st->pub.link_stream, data.len);
    }
}

static void become_control(struct qms_ss *st, struct qms_bytes rest, size_t got, bool fin)
{
    struct qms_session *s = st->pub.session;
    struct qms_link_stream *ls = st->pub.link_stream;

    if (s->connecting || s->control != NULL || !st->pub.bidi) {
        qms_session_fail(s, QMS_CODE_PROTOCOL, "a CONTROL stream too many");
        return;
    }
    qms_list_remove(&st->wait);
    qms_ss_credit(st, got);
    qms_ss_drop_head(st);
    st->state = QMS_SS_CONTROL;
    s->control = st;
    ls->vital = true;
    ls->link->ops->set_priority(ls, QMS_PRIORITY_CRITICAL);
    qms_session_control_input(s, rest, fin);
}

/* The rules for a header that need the session. */
static qms_err check(const struct qms_ss *st, const struct qms_route_header *h)
{
    struct qms_session *s = st->pub.session;

    if ((!qms_session_is_agent(s) && h->source.len > 0) ||
        (h->kind == QMS_KIND_TOPIC && st->pub.bidi)) {
        return QMS_E_PROTOCOL;
    }
    if (qms_handles_find(&s->handles, false, h->handle) != NULL ||
        !qms_handles_claim(&s->handles, h->handle)) {
        return QMS_E_PROTOCOL;
    }
    return QMS_OK;
}

uint8_t qms_ss_code_of(qms_err err)
{
    switch (err) {
    case QMS_E_TOO_LARGE:
        return QMS_CODE_TOO_LARGE;
    case QMS_E_UNSUPPORTED:
        return QMS_CODE_UNSUPPORTED;
    case QMS_E_NOMEM:
        return QMS_CODE_BUSY;
    default:
        return QMS_CODE_PROTOCOL;
    }
}

/* `in` begins with a ROUTE header; `data` is its last part, behind `old` bytes kept before. */
static void route_input(struct qms_ss *st, struct qms_bytes in, struct qms_bytes data,
                        size_t old, bool fin)
{
    struct qms_session *s = st->pub.session;
    struct qms_route_header h;
    size_t used = 0;
    qms_err err = qms_route_decode(in, &h, &used);

    if (err == QMS_E_MORE && !fin && in.len < QMS_HEAD_FULL) {
        err = old == 0 ? qms_ss_keep(st, data) : QMS_OK;
        if (err == QMS_OK) {
            qms_ss_credit(st, in.len);
            return;
        }
    } else if (err == QMS_OK && qms_session_early(s) && (h.flags & QMS_ROUTE_IDEMPOTENT) == 0) {
        size_t kept = st->head_len - old; /* of `data`, by gather */
        hold(st, (struct qms_bytes){data.data + kept, data.len - kept}, fin);
        return;
    } else if (err == QMS_OK) {
        err = check(st, &h);
    }
    if (err != QMS_OK) {
        refuse_head(st, old + data.len, qms_ss_code_of(err));
        return;
    }
    qms_list_remove(&st->wait);
    qms_ss_credit(st, used);
    qms_ss_announce(st, &h);
    qms_ss_drop_head(st);
    struct qms_bytes payload = {data.data + (used - old), data.len - (used - old)};
    if (s->phase == QMS_SESSION_OPEN && (payload.len > 0 || fin)) {
        qms_ss_payload_input(st, payload, fin);
    }
}

void qms_ss_head_input(struct qms_ss *st, struct qms_bytes data, bool fin)
{
    struct qms_session *s = st->pub.session;
    size_t old = st->head_len, got = old + data.len;
    struct qms_bytes in;
    uint64_t type = 0;

    if (qms_ss_gather(st, data, QMS_HEAD_FULL, &in) != QMS_OK) {
        refuse_head(st, got, QMS_CODE_BUSY);
        return;
    }
    size_t used = qms_varint_get(in, &type);
    if (used == 0) {
        if (fin) {
            refuse_head(st, got, QMS_CODE_PROTOCOL);
        } else if (old == 0 && qms_ss_keep(st, data) != QMS_OK) {
            refuse_head(st, got, QMS_CODE_BUSY);
        }
    } else if (type == QMS_STREAM_CONTROL) {
        struct qms_bytes rest = {data.data + (used - old), data.len - (used - old)};
        become_control(st, rest, got, fin);
    } else if (type != QMS_STREAM_ROUTE) {
        refuse_head(st, got, QMS_CODE_UNSUPPORTED);
    } else if (s->phase != QMS_SESSION_OPEN) {
        size_t kept = st->head_len - old; /* of `data`, by gather */
        hold(st, (struct qms_bytes){data.data + kept, data.len - kept}, fin);
    } else {
        route_input(st, in, data, old, fin);
    }
}
