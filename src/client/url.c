/* SPDX-License-Identifier: MIT */
/* URLs of brokers.  Only what names a UDP address is accepted: no user, path or query, since
 * nothing would look at them. */
#include "client/url.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SCHEME "quic://"

__attribute__((format(printf, 3, 4))) static qms_err fail(char *error, qms_err err,
                                                          const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(error, QMS_URL_ERROR_MAX, format, args);
    va_end(args);
    return err;
}

static qms_err check_scheme(const char *text, char *error)
{
    if (strncmp(text, SCHEME, strlen(SCHEME)) == 0) {
        return QMS_OK;
    }
    if (strncmp(text, "https://", 8) == 0) {
        return fail(error, QMS_E_UNSUPPORTED,
                    "WebTransport URLs are for browsers; use quic://HOST:PORT instead of "
                    "\"%.200s\".",
                    text);
    }
    return fail(error, QMS_E_INVALID,
                "\"%.200s\" is not a broker's address; it must look like quic://HOST:PORT.",
                text);
}

static bool host_char(char c, bool ipv6)
{
    if (ipv6) {
        return strchr("0123456789abcdefABCDEF:.", c) != NULL ||
               (c == '%' || (c >= 'g' && c <= 'z'));
    }
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '.' || c == '-' || c == '_';
}

/* Copies the host; `*rest` is what follows it. */
static qms_err take_host(const char *text, struct qms_url *out, const char **rest, char *error)
{
    const char *p = text + strlen(SCHEME), *end;

    out->ipv6 = *p == '[';
    if (out->ipv6) {
        p++;
        end = strchr(p, ']');
        if (end == NULL) {
            return fail(error, QMS_E_INVALID, "\"%.200s\": the bracket is not closed.", text);
        }
        *rest = end + 1;
    } else {
        end = p + strcspn(p, ":/?#@");
        *rest = end;
    }
    if (end == p || end - p > QMS_HOST_MAX) {
        return fail(error, QMS_E_INVALID, "\"%.200s\" has no host name of 1 to %d characters.",
                    text, QMS_HOST_MAX);
    }
    for (const char *c = p; c < end; c++) {
        if (!host_char(*c, out->ipv6)) {
            return fail(error, QMS_E_INVALID,
                        "\"%.200s\": the host has a character that no "
                        "host name or address has.",
                        text);
        }
    }
    memcpy(out->host, p, (size_t)(end - p));
    out->host[end - p] = '\0';
    return QMS_OK;
}

static qms_err check_literal(const struct qms_url *url, const char *text, char *error)
{
    char plain[QMS_HOST_MAX + 1];
    uint8_t address[16];

    memcpy(plain, url->host, sizeof(plain));
    plain[strcspn(plain, "%")] = '\0'; /* fe80::1%eth0 */
    if (url->ipv6 && inet_pton(AF_INET6, plain, address) != 1) {
        return fail(error, QMS_E_INVALID, "\"%.200s\": \"%s\" is not an IPv6 address.", text,
                    url->host);
    }
    return QMS_OK;
}

static qms_err take_port(const char *text, const char *rest, struct qms_url *out, char *error)
{
    unsigned port = 0;
    size_t digits;

    if (*rest != ':') {
        return fail(error, QMS_E_INVALID,
                    "\"%.200s\" names no port; it must look like quic://HOST:PORT.", text);
    }
    rest++;
    digits = strspn(rest, "0123456789");
    for (size_t i = 0; i < digits && port <= UINT16_MAX; i++) {
        port = port * 10 + (unsigned)(rest[i] - '0');
    }
    if (digits == 0 || port == 0 || port > UINT16_MAX) {
        return fail(error, QMS_E_INVALID, "\"%.200s\": the port must be 1 to 65535.", text);
    }
    rest += digits;
    if (*rest != '\0' && strcmp(rest, "/") != 0) {
        return fail(error, QMS_E_INVALID, "\"%.200s\": nothing may follow the port.", text);
    }
    out->port = (uint16_t)port;
    return QMS_OK;
}

qms_err qms_url_parse(const char *text, struct qms_url *out, char error[QMS_URL_ERROR_MAX])
{
    struct qms_url url = {0};
    const char *rest = NULL;
    qms_err err = check_scheme(text, error);

    if (err == QMS_OK) {
        err = take_host(text, &url, &rest, error);
    }
    if (err == QMS_OK) {
        err = check_literal(&url, text, error);
    }
    if (err == QMS_OK) {
        err = take_port(text, rest, &url, error);
    }
    if (err == QMS_OK) {
        *out = url;
    }
    return err;
}
