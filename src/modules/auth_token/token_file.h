/* SPDX-License-Identifier: MIT */
/* The token file: one line a token, only its SHA-256 is stored.
 *
 *     agent-pattern  sha256-of-token  expires  scopes
 */
#ifndef QMS_MODULES_AUTH_TOKEN_FILE_H
#define QMS_MODULES_AUTH_TOKEN_FILE_H

#include <quicms/module.h>

#include "sha256.h"

struct qms_token {
    const char *pattern; /* agent ids; `*` stands for any run of characters */
    uint8_t hash[QMS_SHA256_LEN];
    int64_t expires_at; /* wall seconds; 0: never */
    const char *scopes; /* space-separated; "" for none */
};

struct qms_token_file {
    struct qms_token *tokens;
    size_t count;
    char *text; /* what the strings point into */
};

/** `name` of the file is for errors: "NAME:LINE: sentence".  On failure nothing is left in
 * `out`. QMS_E_CONFIG, QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_token_file_parse(struct qms_token_file *out, const char *name,
                                            struct qms_bytes text, struct qms_diag *diag);
/** Takes zeroed memory. */
void qms_token_file_fini(struct qms_token_file *f);

/** Seconds since the epoch out of digits, or YYYY-MM-DD with an optional THH:MM:SS and zone
 * (Z or +HH:MM; UTC when absent).  False: neither. */
bool qms_token_time(const char *s, int64_t *out);

#endif
