/* SPDX-License-Identifier: MIT */
/* From a message to the wire, row by row.  TLVs to pass on are merged in by type, one ahead. */
#include "proto/field.h"

static uint64_t load_number(const struct qms_field *f, const void *msg)
{
    const void *p = (const char *)msg + f->at;

    return f->kind == QMS_F_BYTE || f->kind == QMS_F_SMALL ? *(const uint8_t *)p
                                                           : *(const uint64_t *)p;
}

static const struct qms_bytes *load_bytes(uint16_t at, const void *msg)
{
    return (const struct qms_bytes *)(const void *)((const char *)msg + at);
}

static qms_err put_fields(struct qms_writer *w, const struct qms_field *f, const void *msg);

static qms_err put_number(struct qms_writer *w, const struct qms_field *f, const void *msg)
{
    uint64_t v = load_number(f, msg);

    if (!qms_field_number_ok(f, v)) {
        return QMS_E_INVALID;
    }
    if (f->kind == QMS_F_BYTE) {
        qms_put_u8(w, (uint8_t)v);
    } else {
        qms_put_varint(w, v);
    }
    return QMS_OK;
}

static qms_err put_bytes(struct qms_writer *w, const struct qms_field *f, const void *msg)
{
    struct qms_bytes b = *load_bytes(f->at, msg);

    if (!f->rest && f->tlv == 0) {
        qms_put_varint(w, b.len);
    }
    qms_put_bytes(w, b);
    qms_err err = qms_field_bytes_ok(f, b);
    return err == QMS_E_PROTOCOL ? QMS_E_INVALID : err;
}

static qms_err put_field(struct qms_writer *w, const struct qms_field *f, const void *msg)
{
    switch (f->kind) {
    case QMS_F_GROUP:
        return put_fields(w, f->sub, msg);
    case QMS_F_FIXED:
        qms_put_bytes(w, (struct qms_bytes){(const uint8_t *)msg + f->at, (size_t)f->max});
        return QMS_OK;
    default:
        return qms_field_is_number(f) ? put_number(w, f, msg) : put_bytes(w, f, msg);
    }
}

static qms_err put_fields(struct qms_writer *w, const struct qms_field *f, const void *msg)
{
    qms_err err = QMS_OK;

    for (; err == QMS_OK && f != NULL && f->kind != QMS_F_END; f++) {
        err = put_field(w, f, msg);
    }
    return err;
}

static bool is_there(const struct qms_field *f, const void *msg)
{
    if (f->has != 0) {
        return *(const bool *)((const char *)msg + f->has);
    }
    if (f->kind == QMS_F_GROUP) {
        return is_there(f->sub, msg);
    }
    return qms_field_is_number(f) ? load_number(f, msg) != 0 : load_bytes(f->at, msg)->len != 0;
}

/* The run of TLVs to pass on, one ahead. */
struct extras {
    struct qms_reader r;
    struct qms_tlv next;
    int64_t last;
    bool more;
};

/* To the next TLV that the table does not know. */
static void extras_next(struct extras *x, const struct qms_field *tlvs)
{
    do {
        x->more = qms_tlv_next(&x->r, &x->last, &x->next);
    } while (x->more && qms_field_of_tlv(tlvs, x->next.type) != NULL);
}

/* Passes on what stands below `type`. */
static qms_err put_extras(struct qms_writer *w, struct extras *x, const struct qms_field *tlvs,
                          uint64_t type)
{
    for (; x->more && x->next.type < type; extras_next(x, tlvs)) {
        if (qms_tlv_critical(x->next.type)) {
            return QMS_E_INVALID;
        }
        qms_put_tlv(w, x->next.type, x->next.value);
    }
    return x->r.bad ? QMS_E_INVALID : QMS_OK;
}

static qms_err put_tlv(struct qms_writer *w, const struct qms_field *f, const void *msg)
{
    if (!is_there(f, msg)) {
        return QMS_OK;
    }
    qms_put_varint(w, f->tlv);
    size_t mark = w->len;
    qms_err err = put_field(w, f, msg);
    qms_put_length_at(w, mark);
    return err;
}

static qms_err put_tlvs(struct qms_writer *w, const struct qms_layout *l, const void *msg)
{
    struct qms_bytes extra = {NULL, 0};
    qms_err err = QMS_OK;

    if (l->extra != 0) {
        extra = *load_bytes(l->extra, msg);
    }
    struct extras x = {.r = qms_reader_of(extra), .last = -1};
    extras_next(&x, l->tlvs);
    for (const struct qms_field *f = l->tlvs; err == QMS_OK && f->kind != QMS_F_END; f++) {
        err = put_extras(w, &x, l->tlvs, f->tlv);
        if (err == QMS_OK) {
            err = put_tlv(w, f, msg);
        }
    }
    return err != QMS_OK ? err : put_extras(w, &x, l->tlvs, UINT64_MAX);
}

qms_err qms_layout_encode(const struct qms_layout *l, struct qms_writer *w, size_t max,
                          const void *msg)
{
    struct qms_writer before = *w;
    qms_err err = l->ok == NULL || l->ok(msg) ? put_fields(w, l->fields, msg) : QMS_E_INVALID;

    if (err == QMS_OK && l->tlvs != NULL) {
        err = put_tlvs(w, l, msg);
    }
    size_t len = w->len - before.len;
    qms_put_length_at(w, before.len);
    if (err == QMS_OK && (w->full || len > max)) {
        err = QMS_E_TOO_LARGE;
    }
    if (err != QMS_OK) {
        *w = before;
    }
    return err;
}
