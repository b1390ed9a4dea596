/* SPDX-License-Identifier: MIT */
/* What a field may be: the one place that decoder and encoder ask. */
#include "proto/field.h"

bool qms_target_ok(uint64_t kind, struct qms_bytes name)
{
    return kind == QMS_KIND_SELF ? name.len == 0
                                 : kind <= QMS_KIND_SERVICE && qms_name_ok(name);
}

bool qms_field_is_number(const struct qms_field *f)
{
    return f->kind >= QMS_F_BYTE && f->kind <= QMS_F_CODE;
}

bool qms_field_number_ok(const struct qms_field *f, uint64_t v)
{
    uint64_t all = f->kind == QMS_F_VARINT ? QMS_VARINT_MAX : 0xFF;

    return v >= f->min && v <= (f->max == 0 ? all : f->max);
}

qms_err qms_field_bytes_ok(const struct qms_field *f, struct qms_bytes b)
{
    if (f->kind != QMS_F_BYTES) {
        bool ok = qms_name_ok(b) || (f->kind == QMS_F_PREFIX && b.len == 0);
        return ok ? QMS_OK : QMS_E_PROTOCOL;
    }
    if (f->min != 0 && b.len != f->min) {
        return QMS_E_PROTOCOL;
    }
    return f->max != 0 && b.len > f->max ? QMS_E_TOO_LARGE : QMS_OK;
}

const struct qms_field *qms_field_of_tlv(const struct qms_field *f, uint64_t type)
{
    for (; f->kind != QMS_F_END; f++) {
        if (f->tlv == type) {
            return f;
        }
    }
    return NULL;
}

bool qms_tlv_critical(uint64_t type)
{
    return type < QMS_TLV_END_TO_END && type % 2 == 1;
}
