/* SPDX-License-Identifier: MIT */
/* Urgencies of living streams.  The opener sends by `forward`, the acceptor by `reverse`; a
 * PRIORITY may overtake the stream it speaks of, because CONTROL goes first. */
#include "proto/session_i.h"

enum { FORWARD = 1, REVERSE = 2 };

static void apply(struct qms_ss *st, uint8_t mask, uint8_t forward, uint8_t reverse)
{
    struct qms_link_stream *ls = st->pub.link_stream;
    uint8_t own = st->pub.opener ? FORWARD : REVERSE;

    if ((mask & FORWARD) != 0) {
        st->pub.forward = forward;
    }
    if ((mask & REVERSE) != 0) {
        st->pub.reverse = reverse;
    }
    if ((mask & own) != 0 && ls != NULL && qms_ss_can_send(st)) {
        ls->link->ops->set_priority(ls, own == FORWARD ? forward : reverse);
    }
}

void qms_session_on_priority(struct qms_session *s, const struct qms_control *m)
{
    bool ours = m->u.priority.opener == 1;
    struct qms_handle_urgency u = {m->u.priority.handle, m->u.priority.mask,
                                   m->u.priority.forward, m->u.priority.reverse};

    if (ours && (u.mask & FORWARD) != 0) {
        qms_session_fail(s, QMS_CODE_PROTOCOL, "PRIORITY of the opener's from the acceptor");
        return;
    }
    struct qms_ss *st = qms_handles_find(&s->handles, ours, u.handle);
    if (st != NULL) {
        apply(st, u.mask, u.forward, u.reverse);
        s->events->on_priority(&st->pub);
    } else if (!ours && !qms_handles_claimed(&s->handles, u.handle)) {
        qms_handles_remember(&s->handles, &u);
    }
}

void qms_ss_recall_priority(struct qms_ss *st)
{
    struct qms_session *s = st->pub.session;
    struct qms_handle_urgency u;

    if (qms_handles_recall(&s->handles, st->pub.handle, &u)) {
        apply(st, u.mask, u.forward, u.reverse);
        s->events->on_priority(&st->pub);
    }
}

qms_err qms_session_set_priority(struct qms_session_stream *pub, uint8_t mask, uint8_t forward,
                                 uint8_t reverse)
{
    struct qms_ss *st = qms_ss_of(pub);
    struct qms_control m = {.type = QMS_MSG_PRIORITY};

    if (mask == 0 || mask > (FORWARD | REVERSE) || (!pub->opener && mask != REVERSE)) {
        return QMS_E_INVALID;
    }
    if (pub->link_stream == NULL) {
        return QMS_E_CLOSED;
    }
    m.u.priority.handle = pub->handle;
    m.u.priority.opener = pub->opener ? 0 : 1;
    m.u.priority.mask = mask;
    m.u.priority.forward = forward;
    m.u.priority.reverse = reverse;
    qms_err err = qms_session_send(pub->session, &m);
    if (err == QMS_OK) {
        apply(st, mask, forward, reverse);
    }
    return err;
}

void qms_session_apply_priority(struct qms_session_stream *pub, uint8_t priority)
{
    apply(qms_ss_of(pub), pub->opener ? FORWARD : REVERSE, priority, priority);
}
