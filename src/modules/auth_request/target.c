/* SPDX-License-Identifier: MIT */
#include "target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static qms_err bad(struct qms_diag *diag, const char *url, const char *what)
{
    qms_diag_error(diag,
                   "\"%s\" is not valid for \"auth_request\": %s; it takes off, or a URL like "
                   "http://127.0.0.1:8080/check.",
                   url, what);
    return QMS_E_CONFIG;
}

static bool printable(const char *s)
{
    while (*s > ' ' && *s < 0x7f && *s != '#') {
        s++;
    }
    return *s == '\0';
}

/* The length of the host; *rest is behind it.  0: there is none. */
static size_t host_of(const char **at, const char **rest)
{
    const char *end;

    if (**at == '[') {
        ++*at;
        end = strchr(*at, ']');
        *rest = end != NULL ? end + 1 : *at;
        return end != NULL ? (size_t)(end - *at) : 0;
    }
    *rest = *at + strcspn(*at, ":/?");
    return (size_t)(*rest - *at);
}

static bool port_of(const char **rest, uint16_t *port)
{
    char *end;
    unsigned long n;

    *port = 80;
    if (**rest != ':') {
        return true;
    }
    if ((*rest)[1] < '0' || (*rest)[1] > '9') {
        return false;
    }
    n = strtoul(*rest + 1, &end, 10);
    *rest = end;
    *port = (uint16_t)n;
    return n > 0 && n <= 65535;
}

qms_err qms_request_target_parse(struct qms_request_target *out, const char *url,
                                 struct qms_diag *diag)
{
    struct qms_request_target t = {.port = 80};
    const char *at = url + 7, *rest;
    size_t len;

    if (strncmp(url, "https://", 8) == 0) {
        return bad(diag, url, "TLS is not spoken here; put a local proxy before the service");
    }
    if (strncmp(url, "http://", 7) != 0) {
        return bad(diag, url, "it does not begin with http://");
    }
    if (!printable(url) || strchr(url, '@') != NULL) {
        return bad(diag, url, "it has a character that does not belong there");
    }
    bool bracket = *at == '[';
    if ((len = host_of(&at, &rest)) == 0 || len >= sizeof(t.host)) {
        return bad(diag, url, "there is no host in it");
    }
    memcpy(t.host, at, len);
    if (!port_of(&rest, &t.port)) {
        return bad(diag, url, "the port is none");
    }
    if (*rest != '\0' && *rest != '/' && *rest != '?') {
        return bad(diag, url, "there is something behind the host");
    }
    if (snprintf(t.path, sizeof(t.path), "%s%s", *rest == '/' ? "" : "/", rest) >=
        (int)sizeof(t.path)) {
        return bad(diag, url, "the path is too long");
    }
    (void)snprintf(t.authority, sizeof(t.authority), "%s%s%s:%u", bracket ? "[" : "", t.host,
                   bracket ? "]" : "", t.port);
    *out = t;
    return QMS_OK;
}
