/* SPDX-License-Identifier: MIT */
/* How much of a stream has arrived (RECEIPT), for senders whose platform takes bytes long
 * before it sends them: what is not with the other side can still be overtaken, what they have
 * handed over cannot.
 *
 * All bytes of the stream count, header and RESULT included, whatever becomes of them here: so
 * both ends count the same, and a reader that is slow shows by the flow control behind it. */
#include "proto/session_i.h"

/* doc/wire.md section 5: the sender may rely on it. */
#define STREAM_EVERY 16384 /* bytes of one stream */
#define ALL_EVERY    32768 /* of all together */

void qms_ss_receipts_over(struct qms_ss *st)
{
    if (!qms_list_empty(&st->untold)) {
        st->pub.session->untold_bytes -= st->received - st->told;
        st->told = st->received;
        qms_list_remove(&st->untold);
    }
}

static bool tell(struct qms_ss *st)
{
    struct qms_control m = {.type = QMS_MSG_RECEIPT};

    m.u.receipt.handle = st->pub.handle;
    m.u.receipt.opener = st->pub.opener ? 0 : 1;
    m.u.receipt.len = st->received;
    if (qms_session_control_write(st->pub.session, &m) != QMS_OK) {
        st->pub.session->receipts_owed = true;
        return false;
    }
    qms_ss_receipts_over(st);
    return true;
}

void qms_session_tell_receipts(struct qms_session *s)
{
    struct qms_list *node;
    bool room = true;

    s->receipts_owed = false;
    while (room && (node = qms_list_first(&s->untold)) != NULL) {
        room = tell(QMS_CONTAINER(node, struct qms_ss, untold));
    }
}

void qms_ss_received(struct qms_ss *st, size_t len, bool fin)
{
    struct qms_session *s = st->pub.session;

    if (s->connecting || (s->offered & QMS_CAP_RECEIPTS) == 0 || st->state == QMS_SS_CONTROL) {
        return;
    }
    st->received += len;
    if (!st->announced || s->phase != QMS_SESSION_OPEN) {
        return; /* it has no handle yet */
    }
    if (qms_list_empty(&st->untold)) {
        len = (size_t)(st->received - st->told);
        if (len == 0) {
            return;
        }
        qms_list_append(&s->untold, &st->untold);
    }
    s->untold_bytes += len;
    if (s->untold_bytes >= ALL_EVERY) {
        qms_session_tell_receipts(s);
    } else if (st->received - st->told >= (fin ? 1 : STREAM_EVERY)) {
        (void)tell(st); /* without room it is told when there is some */
    }
}

void qms_session_on_receipt(struct qms_session *s, const struct qms_control *m)
{
    struct qms_ss *st =
        qms_handles_find(&s->handles, m->u.receipt.opener == 1, m->u.receipt.handle);

    if (st != NULL && st->pub.link_stream != NULL && s->link->has_receipts &&
        s->link->ops->receipt != NULL) {
        s->link->ops->receipt(st->pub.link_stream, m->u.receipt.len);
    }
}
