/* SPDX-License-Identifier: MIT */
/* ROUTE header: who opens what to whom, in front of the payload. */
#include "proto/route.h"

#include "proto/field.h"
#include "proto/trace.h"

#define AT(type, field)  QMS_AT(type, struct qms_route_header, field)
#define ALL_FLAGS        (QMS_ROUTE_IDEMPOTENT | QMS_ROUTE_NO_RESULT | QMS_ROUTE_FRAMED)
#define HANDLE_MAX       ((UINT64_C(1) << 60) - 1)
#define CONTENT_TYPE_MAX 128
#define META_MAX         2048

static const struct qms_field fields[] = {
    QMS_BYTE(flags, .max = ALL_FLAGS),     QMS_BYTE(priority), QMS_SMALL(kind),
    QMS_NUMBER(handle, .max = HANDLE_MAX), QMS_PREFIX(target), QMS_END,
};

static const struct qms_field original[] = {
    QMS_SMALL(original_kind),
    QMS_PREFIX(original_target, .rest = true),
    QMS_END,
};

static const struct qms_field tlvs[] = {
    QMS_NAME(source, .tlv = 0x01),
    QMS_NUMBER(hops, .tlv = 0x03, .has = AT(bool, has_hops)),
    QMS_NUMBER(accept_deadline_ms, .tlv = 0x04, .has = AT(bool, has_deadline)),
    QMS_BYTES(content_type, .tlv = 0x06, .max = CONTENT_TYPE_MAX),
    QMS_BYTES(meta, .tlv = 0x08, .max = META_MAX),
    QMS_BYTES(traceparent, .tlv = 0x0A, .min = QMS_TRACEPARENT_LEN),
    QMS_BYTES(stream_token, .tlv = 0x0B),
    QMS_GROUP(original, .tlv = 0x0C, .has = AT(bool, has_original)),
    QMS_NUMBER(length_hint, .tlv = 0x0E, .has = AT(bool, has_length)),
    QMS_NUMBER(group_seq, .tlv = 0x10, .has = AT(bool, has_group_seq)),
    QMS_END,
};

static bool targets_ok(const void *msg)
{
    const struct qms_route_header *h = msg;

    return qms_target_ok(h->kind, h->target) &&
           (!h->has_original || qms_target_ok(h->original_kind, h->original_target));
}

static const struct qms_layout layout = {
    .fields = fields,
    .tlvs = tlvs,
    .extra = AT(struct qms_bytes, extra),
    .ok = targets_ok,
};

qms_err qms_route_decode(struct qms_bytes in, struct qms_route_header *out, size_t *used)
{
    struct qms_reader r = qms_reader_of(in);
    struct qms_bytes body;
    uint64_t type = qms_read_varint(&r);

    if (!r.bad && type != QMS_STREAM_ROUTE) {
        return QMS_E_UNSUPPORTED;
    }
    qms_err err = qms_frame_read(&r, QMS_ROUTE_HEADER_MAX, &body);
    if (err != QMS_OK) {
        return err;
    }
    *out = (struct qms_route_header){0};
    *used = in.len - qms_read_left(&r);
    return qms_layout_decode(&layout, body, out);
}

qms_err qms_route_encode(struct qms_writer *w, const struct qms_route_header *h)
{
    struct qms_writer before = *w;

    qms_put_varint(w, QMS_STREAM_ROUTE);
    qms_err err = qms_layout_encode(&layout, w, QMS_ROUTE_HEADER_MAX, h);
    if (err != QMS_OK) {
        *w = before;
    }
    return err;
}
