/* SPDX-License-Identifier: MIT */
/* The service that is asked: "http://HOST[:PORT][/PATH]". */
#ifndef QMS_MODULES_AUTH_REQUEST_TARGET_H
#define QMS_MODULES_AUTH_REQUEST_TARGET_H

#include <quicms/module.h>

struct qms_request_target {
    char host[256];      /* as written, without brackets; "": there is none */
    char authority[272]; /* for the Host header */
    char address[64];    /* numeric */
    uint16_t port;
    char path[512];
};

/** Fills all but `address`.  QMS_E_CONFIG, diag filled. */
QMS_MUST_CHECK qms_err qms_request_target_parse(struct qms_request_target *out, const char *url,
                                                struct qms_diag *diag);

#endif
