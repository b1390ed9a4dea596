/* SPDX-License-Identifier: MIT */
/* base64url without padding (RFC 4648 section 5, RFC 7515 section 2), one spelling per value.
 */
#ifndef QMS_MODULES_AUTH_JWT_BASE64URL_H
#define QMS_MODULES_AUTH_JWT_BASE64URL_H

#include <quicms/types.h>

/** Bytes that `len` characters stand for, at most. */
#define QMS_BASE64URL_DECODED(len) ((len) / 4 * 3 + 2)

/** Decodes into `out`, which holds QMS_BASE64URL_DECODED(in.len).  False: a character that is
 * not of the alphabet (so also padding and white space), a length that cannot be, or left-over
 * bits that are not zero: what has two spellings could be signed as one and shown as the
 * other. */
QMS_MUST_CHECK bool qms_base64url_decode(struct qms_bytes in, uint8_t *out, size_t *out_len);

#endif
