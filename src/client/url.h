/* SPDX-License-Identifier: MIT */
/* Address of a broker: quic://HOST:PORT, taken apart and checked. */
#ifndef QMS_CLIENT_URL_H
#define QMS_CLIENT_URL_H

#include <quicms/types.h>

#define QMS_HOST_MAX      253 /* RFC 1035 section 2.3.4, as text */
#define QMS_URL_ERROR_MAX 512

struct qms_url {
    char host[QMS_HOST_MAX + 1]; /* without brackets */
    uint16_t port;
    bool ipv6; /* the host stood in brackets */
};

/** QMS_E_INVALID, QMS_E_UNSUPPORTED (https): `error` then holds a sentence. */
QMS_MUST_CHECK qms_err qms_url_parse(const char *text, struct qms_url *out,
                                     char error[QMS_URL_ERROR_MAX]);

#endif
