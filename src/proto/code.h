/* SPDX-License-Identifier: MIT */
/* WebTransport stream codes in HTTP/3 (draft-ietf-webtrans-http3; doc/wire.md section 7). */
#ifndef QMS_PROTO_CODE_H
#define QMS_PROTO_CODE_H

#include <quicms/types.h>

/** HTTP/3 error code that carries the 32-bit WebTransport code `n`. */
uint64_t qms_code_to_h3(uint32_t n);
/** Inverse; QMS_CODE_CANCELLED for a code outside the range or a reserved code point. */
uint32_t qms_code_from_h3(uint64_t h);
/** A code off the wire as one byte: above 0xFF counts as CANCELLED. */
uint8_t qms_code_clamp(uint64_t code);

#endif
