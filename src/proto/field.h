/* SPDX-License-Identifier: MIT */
/* Layouts as tables: one row per field of a message says how it stands on the wire, what it may
 * be, and where it is kept.  The codecs of ROUTE, RESULT and CONTROL are tables of such rows,
 * so that encoder and decoder cannot disagree.  Internal to src/proto. */
#ifndef QMS_PROTO_FIELD_H
#define QMS_PROTO_FIELD_H

#include "proto/tlv.h"

enum qms_field_kind {
    QMS_F_END,
    /* Numbers within min..max; max 0 means all that the memory holds. */
    QMS_F_BYTE,   /* one byte; uint8_t */
    QMS_F_SMALL,  /* varint; uint8_t */
    QMS_F_VARINT, /* varint; uint64_t */
    QMS_F_CODE,   /* varint; uint64_t, decoded as one byte (qms_code_clamp) */
    /* Byte strings: a length in front, except as a TLV's value or with `rest`; struct
       qms_bytes. */
    QMS_F_NAME,   /* a name */
    QMS_F_PREFIX, /* a name or nothing */
    QMS_F_BYTES,  /* exactly min bytes, or up to max of them (0: no limit of its own) */
    QMS_F_FIXED,  /* max bytes, no length; uint8_t[max] */
    QMS_F_GROUP   /* the fields of `sub`, one after another */
};

struct qms_field {
    enum qms_field_kind kind;
    bool rest;    /* reaches to the end of what surrounds it: no length in front */
    uint8_t tlv;  /* TLV type, 0 for a field in its place */
    uint16_t at;  /* offset in the message */
    uint16_t has; /* offset of the bool that says it is there; 0: empty or 0 means absent */
    uint64_t min, max;
    const struct qms_field *sub;
};

struct qms_layout {
    const struct qms_field *fields; /* ends with QMS_F_END; NULL: none */
    const struct qms_field *tlvs;   /* types ascending; NULL: no TLV may follow */
    uint16_t extra; /* offset of the struct qms_bytes for TLVs to pass on; 0: none */
    bool (*ok)(const void *msg); /* rules between fields; NULL: none */
};

/** Offset of a field that must have the given type. */
#define QMS_AT(type, msg, field)                                                               \
    (uint16_t)(offsetof(msg, field) + 0 * sizeof(&((msg *)0)->field == (type *)0))

/* Rows; the table's file defines AT(type, field) by QMS_AT for its message. */
#define QMS_BYTE(field, ...)                                                                   \
    {                                                                                          \
        .kind = QMS_F_BYTE, .at = AT(uint8_t, field), __VA_ARGS__                              \
    }
#define QMS_SMALL(field, ...)                                                                  \
    {                                                                                          \
        .kind = QMS_F_SMALL, .at = AT(uint8_t, field), __VA_ARGS__                             \
    }
#define QMS_NUMBER(field, ...)                                                                 \
    {                                                                                          \
        .kind = QMS_F_VARINT, .at = AT(uint64_t, field), __VA_ARGS__                           \
    }
#define QMS_STATUS(field, ...)                                                                 \
    {                                                                                          \
        .kind = QMS_F_CODE, .at = AT(uint64_t, field), __VA_ARGS__                             \
    }
#define QMS_NAME(field, ...)                                                                   \
    {                                                                                          \
        .kind = QMS_F_NAME, .at = AT(struct qms_bytes, field), __VA_ARGS__                     \
    }
#define QMS_PREFIX(field, ...)                                                                 \
    {                                                                                          \
        .kind = QMS_F_PREFIX, .at = AT(struct qms_bytes, field), __VA_ARGS__                   \
    }
#define QMS_BYTES(field, ...)                                                                  \
    {                                                                                          \
        .kind = QMS_F_BYTES, .at = AT(struct qms_bytes, field), __VA_ARGS__                    \
    }
#define QMS_GROUP(rows, ...)                                                                   \
    {                                                                                          \
        .kind = QMS_F_GROUP, .sub = (rows), __VA_ARGS__                                        \
    }
#define QMS_END                                                                                \
    {                                                                                          \
        .kind = QMS_F_END                                                                      \
    }

/** Kind and name fit: only SELF has none. */
bool qms_target_ok(uint64_t kind, struct qms_bytes name);

/** Whether a row is one of the numbers, and whether `v` is within its range. */
bool qms_field_is_number(const struct qms_field *f);
bool qms_field_number_ok(const struct qms_field *f, uint64_t v);
/** QMS_E_PROTOCOL: a bad name or size; QMS_E_TOO_LARGE: over max. */
QMS_MUST_CHECK qms_err qms_field_bytes_ok(const struct qms_field *f, struct qms_bytes b);
/** The row of a TLV type, NULL for an unknown one. */
const struct qms_field *qms_field_of_tlv(const struct qms_field *f, uint64_t type);
/** Whether nobody may skip this type without knowing it. */
bool qms_tlv_critical(uint64_t type);

/** Reads a length and as many bytes.  QMS_E_TOO_LARGE: above `max`; QMS_E_MORE: not there yet.
 */
QMS_MUST_CHECK qms_err qms_frame_read(struct qms_reader *r, uint64_t max,
                                      struct qms_bytes *body);
/** Decodes the whole of `body` into `msg`, which is zeroed.  QMS_E_PROTOCOL, QMS_E_TOO_LARGE
 * (a byte string over its max), QMS_E_UNSUPPORTED (unknown critical TLV). */
QMS_MUST_CHECK qms_err qms_layout_decode(const struct qms_layout *l, struct qms_bytes body,
                                         void *msg);
/** Appends length and body; leaves `w` as it was on failure.  QMS_E_INVALID, QMS_E_TOO_LARGE.
 */
QMS_MUST_CHECK qms_err qms_layout_encode(const struct qms_layout *l, struct qms_writer *w,
                                         size_t max, const void *msg);

#endif
