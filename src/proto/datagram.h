/* SPDX-License-Identifier: MIT */
/* Datagram header: context, or target in place (doc/wire.md section 6). */
#ifndef QMS_PROTO_DATAGRAM_H
#define QMS_PROTO_DATAGRAM_H

#include "proto/tlv.h"

struct qms_datagram {
    uint64_t context; /* 0: kind and target stand in the datagram */
    uint64_t kind;
    struct qms_bytes target;
    struct qms_bytes payload;
};
#define QMS_DATAGRAM_HEADER_MAX (8 + 8 + 8 + QMS_NAME_MAX)

/** QMS_E_PROTOCOL: cut short, a bad name or kind. */
QMS_MUST_CHECK qms_err qms_datagram_decode(struct qms_bytes in, struct qms_datagram *out);
/** Writes the header only; the payload follows it as a part of its own.  QMS_E_TOO_LARGE: over
 * the writer; QMS_E_INVALID: a bad name, kind or context. */
QMS_MUST_CHECK qms_err qms_datagram_encode_header(struct qms_writer *w,
                                                  const struct qms_datagram *d);

#endif
