/* SPDX-License-Identifier: MIT */
/* Datagram header: written by hand, since it is the only layout without a length in front. */
#include "proto/datagram.h"

#include "proto/field.h"

qms_err qms_datagram_decode(struct qms_bytes in, struct qms_datagram *out)
{
    struct qms_reader r = qms_reader_of(in);

    *out = (struct qms_datagram){.context = qms_read_varint(&r)};
    if (out->context == 0) {
        out->kind = qms_read_varint(&r);
        uint64_t len = qms_read_varint(&r);
        out->target = qms_read_bytes(&r, len);
    }
    out->payload = qms_read_bytes(&r, qms_read_left(&r));
    return r.bad || !qms_target_ok(out->kind, out->target) ? QMS_E_PROTOCOL : QMS_OK;
}

qms_err qms_datagram_encode_header(struct qms_writer *w, const struct qms_datagram *d)
{
    struct qms_writer before = *w;

    if (d->context > QMS_VARINT_MAX ||
        (d->context == 0 && !qms_target_ok(d->kind, d->target))) {
        return QMS_E_INVALID;
    }
    qms_put_varint(w, d->context);
    if (d->context == 0) {
        qms_put_varint(w, d->kind);
        qms_put_varint(w, d->target.len);
        qms_put_bytes(w, d->target);
    }
    if (w->full) {
        *w = before;
        return QMS_E_TOO_LARGE;
    }
    return QMS_OK;
}
