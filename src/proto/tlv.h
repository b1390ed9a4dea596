/* SPDX-License-Identifier: MIT */
/* Type-length-value lists (doc/wire.md section 2): ascending types, no duplicates. */
#ifndef QMS_PROTO_TLV_H
#define QMS_PROTO_TLV_H

#include "proto/varint.h"

struct qms_tlv {
    uint64_t type;
    struct qms_bytes value;
};

/** Iterates: returns false at the end or on an error (then r->bad).  `*last` starts as -1 and
 * holds the type before, so that order and duplicates are checked. */
bool qms_tlv_next(struct qms_reader *r, int64_t *last, struct qms_tlv *out);
void qms_put_tlv(struct qms_writer *w, uint64_t type, struct qms_bytes value);
void qms_put_tlv_varint(struct qms_writer *w, uint64_t type, uint64_t value);
/** Whole value as one varint; false when it is none or bytes are left over. */
bool qms_tlv_varint(const struct qms_tlv *t, uint64_t *value);
/** Types from here up belong to the two ends and pass through untouched. */
#define QMS_TLV_END_TO_END 0x40

/** Whether `name` is a name of doc/wire.md: 1..128 bytes of A-Z a-z 0-9 . _ ~ : @ / + - */
bool qms_name_ok(struct qms_bytes name);

#endif
