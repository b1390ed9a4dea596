/* SPDX-License-Identifier: MIT */
/* Where in the text of a JWK set a key stands: the JSON library tells only of syntax errors. */
#ifndef QMS_MODULES_AUTH_JWT_JWK_LINE_H
#define QMS_MODULES_AUTH_JWT_JWK_LINE_H

#include <quicms/types.h>

/** Line, from 1, on which element `index` of the array "keys" of the outermost object begins.
 * `text` is valid JSON; 1 where it is not found. */
unsigned qms_jwk_line(struct qms_bytes text, size_t index);

#endif
