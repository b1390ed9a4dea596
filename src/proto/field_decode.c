/* SPDX-License-Identifier: MIT */
/* From the wire into a message, row by row.  Unknown TLVs are not kept one by one: the whole
 * run is lent, and the encoder takes out of it what it needs. */
#include <string.h>

#include "proto/code.h"
#include "proto/field.h"

qms_err qms_frame_read(struct qms_reader *r, uint64_t max, struct qms_bytes *body)
{
    uint64_t len = qms_read_varint(r);

    if (!r->bad && len > max) {
        return QMS_E_TOO_LARGE;
    }
    *body = qms_read_bytes(r, len);
    return r->bad ? QMS_E_MORE : QMS_OK;
}

static void store_number(const struct qms_field *f, void *msg, uint64_t v)
{
    void *p = (char *)msg + f->at;

    if (f->kind == QMS_F_BYTE || f->kind == QMS_F_SMALL) {
        *(uint8_t *)p = (uint8_t)v;
    } else {
        *(uint64_t *)p = v;
    }
}

static struct qms_bytes *bytes_at(uint16_t at, void *msg)
{
    return (struct qms_bytes *)(void *)((char *)msg + at);
}

static qms_err get_number(struct qms_reader *r, const struct qms_field *f, void *msg)
{
    uint64_t v = f->kind == QMS_F_BYTE ? qms_read_u8(r) : qms_read_varint(r);

    if (f->kind == QMS_F_CODE) {
        v = qms_code_clamp(v);
    }
    if (r->bad || !qms_field_number_ok(f, v)) {
        return QMS_E_PROTOCOL;
    }
    store_number(f, msg, v);
    return QMS_OK;
}

static qms_err get_bytes(struct qms_reader *r, const struct qms_field *f, void *msg)
{
    bool to_end = f->rest || f->tlv != 0;
    uint64_t len = to_end ? qms_read_left(r) : qms_read_varint(r);
    struct qms_bytes b = qms_read_bytes(r, len);

    if (r->bad) {
        return QMS_E_PROTOCOL;
    }
    *bytes_at(f->at, msg) = b;
    return qms_field_bytes_ok(f, b);
}

static qms_err get_fixed(struct qms_reader *r, const struct qms_field *f, void *msg)
{
    struct qms_bytes b = qms_read_bytes(r, f->max);

    if (r->bad) {
        return QMS_E_PROTOCOL;
    }
    memcpy((char *)msg + f->at, b.data, b.len);
    return QMS_OK;
}

static qms_err get_fields(struct qms_reader *r, const struct qms_field *f, void *msg);

static qms_err get_field(struct qms_reader *r, const struct qms_field *f, void *msg)
{
    switch (f->kind) {
    case QMS_F_GROUP:
        return get_fields(r, f->sub, msg);
    case QMS_F_FIXED:
        return get_fixed(r, f, msg);
    default:
        return qms_field_is_number(f) ? get_number(r, f, msg) : get_bytes(r, f, msg);
    }
}

static qms_err get_fields(struct qms_reader *r, const struct qms_field *f, void *msg)
{
    qms_err err = QMS_OK;

    for (; err == QMS_OK && f != NULL && f->kind != QMS_F_END; f++) {
        err = get_field(r, f, msg);
    }
    return err;
}

static qms_err get_tlv(const struct qms_field *f, const struct qms_tlv *t, void *msg)
{
    struct qms_reader value = qms_reader_of(t->value);
    qms_err err = get_field(&value, f, msg);

    if (err != QMS_OK) {
        return err;
    }
    if (f->has != 0) {
        *(bool *)((char *)msg + f->has) = true;
    }
    return qms_read_left(&value) == 0 ? QMS_OK : QMS_E_PROTOCOL;
}

static qms_err get_tlvs(struct qms_reader *r, const struct qms_layout *l, void *msg)
{
    struct qms_bytes all = {r->p, qms_read_left(r)};
    struct qms_tlv t;
    int64_t last = -1;
    bool pass_on = false;

    while (qms_tlv_next(r, &last, &t)) {
        const struct qms_field *f = qms_field_of_tlv(l->tlvs, t.type);
        qms_err err = f != NULL ? get_tlv(f, &t, msg) : QMS_OK;
        if (f == NULL) {
            pass_on = true;
            err = qms_tlv_critical(t.type) ? QMS_E_UNSUPPORTED : QMS_OK;
        }
        if (err != QMS_OK) {
            return err;
        }
    }
    if (pass_on && l->extra != 0) {
        *bytes_at(l->extra, msg) = all;
    }
    return QMS_OK;
}

qms_err qms_layout_decode(const struct qms_layout *l, struct qms_bytes body, void *msg)
{
    struct qms_reader r = qms_reader_of(body);
    qms_err err = get_fields(&r, l->fields, msg);

    if (err == QMS_OK && l->tlvs != NULL) {
        err = get_tlvs(&r, l, msg);
    }
    if (err != QMS_OK) {
        return err;
    }
    bool ok = !r.bad && qms_read_left(&r) == 0 && (l->ok == NULL || l->ok(msg));
    return ok ? QMS_OK : QMS_E_PROTOCOL;
}
