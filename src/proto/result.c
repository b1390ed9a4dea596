/* SPDX-License-Identifier: MIT */
/* RESULT: the acceptor's answer in front of its payload. */
#include "proto/field.h"
#include "proto/route.h"

#define AT(type, field) QMS_AT(type, struct qms_result, field)
#define REASON_MAX      256

static const struct qms_field fields[] = {QMS_STATUS(status), QMS_END};

static const struct qms_field tlvs[] = {
    QMS_BYTES(reason, .tlv = 0x02, .max = REASON_MAX),
    QMS_NUMBER(retry_after_ms, .tlv = 0x04),
    QMS_BYTES(redirect, .tlv = 0x06),
    QMS_BYTES(meta, .tlv = 0x08),
    QMS_NAME(acceptor, .tlv = 0x0A),
    QMS_END,
};

static const struct qms_layout layout = {
    .fields = fields,
    .tlvs = tlvs,
    .extra = AT(struct qms_bytes, extra),
};

qms_err qms_result_decode(struct qms_bytes in, struct qms_result *out, size_t *used)
{
    struct qms_reader r = qms_reader_of(in);
    struct qms_bytes body;
    qms_err err = qms_frame_read(&r, QMS_RESULT_MAX, &body);

    if (err != QMS_OK) {
        return err;
    }
    *out = (struct qms_result){0};
    *used = in.len - qms_read_left(&r);
    return qms_layout_decode(&layout, body, out);
}

qms_err qms_result_encode(struct qms_writer *w, const struct qms_result *r)
{
    return qms_layout_encode(&layout, w, QMS_RESULT_MAX, r);
}
