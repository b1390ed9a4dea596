/* SPDX-License-Identifier: MIT */
/* Type-length-value lists.  Order is checked while walking, so a list needs no memory. */
#include "proto/tlv.h"

#include <string.h>

bool qms_tlv_next(struct qms_reader *r, int64_t *last, struct qms_tlv *out)
{
    if (r->bad || qms_read_left(r) == 0) {
        return false;
    }
    out->type = qms_read_varint(r);
    uint64_t len = qms_read_varint(r);
    out->value = qms_read_bytes(r, len);
    r->bad = r->bad || (int64_t)out->type <= *last;
    *last = (int64_t)out->type;
    return !r->bad;
}

void qms_put_tlv(struct qms_writer *w, uint64_t type, struct qms_bytes value)
{
    qms_put_varint(w, type);
    qms_put_varint(w, value.len);
    qms_put_bytes(w, value);
}

void qms_put_tlv_varint(struct qms_writer *w, uint64_t type, uint64_t value)
{
    qms_put_varint(w, type);
    qms_put_varint(w, qms_varint_size(value));
    qms_put_varint(w, value);
}

bool qms_tlv_varint(const struct qms_tlv *t, uint64_t *value)
{
    size_t n = qms_varint_get(t->value, value);

    return n > 0 && n == t->value.len;
}

/* No tables, no locale: the set is what the document lists. */
static bool name_char(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("._~:@/+-", c) != NULL);
}

bool qms_name_ok(struct qms_bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!name_char(name.data[i])) {
            return false;
        }
    }
    return name.len > 0 && name.len <= QMS_NAME_MAX;
}
