/* SPDX-License-Identifier: MIT */
/* Stream codes: 32-bit ones of WebTransport inside the 62-bit space of HTTP/3
 * (draft-ietf-webtrans-http3, section "Resetting Data Streams"). */
#ifndef QMS_H3_WT_CODE_H
#define QMS_H3_WT_CODE_H

#include <quicms/types.h>

/** HTTP/3 code for a WebTransport code.  What does not fit 32 bits counts as CANCELLED. */
uint64_t qms_wt_code_to_h3(uint64_t n);
/** Inverse.  CANCELLED for a code outside the range or a code point reserved for greasing. */
uint32_t qms_wt_code_from_h3(uint64_t h);

#endif
