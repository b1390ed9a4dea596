/* SPDX-License-Identifier: MIT */
/* SHA-256 (FIPS 180-4) of bytes that are in memory as a whole. */
#ifndef QMS_MODULES_AUTH_TOKEN_SHA256_H
#define QMS_MODULES_AUTH_TOKEN_SHA256_H

#include <quicms/types.h>

#define QMS_SHA256_LEN 32

void qms_sha256(struct qms_bytes in, uint8_t out[QMS_SHA256_LEN]);

#endif
