/* SPDX-License-Identifier: MIT */
/* Addresses to listen at: numbers only, because a name that resolves to something else tomorrow
 * must not move a server. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "core/conf/arena.h"
#include "core/conf/custom.h"
#include "core/conf/diag.h"
#include "core/conf/value.h"

/* Splits "[HOST]:PORT", "HOST:PORT" or "PORT"; a lone port means every IPv4 address. */
static bool split(const char *text, char *host, size_t size, const char **port, bool *v6)
{
    const char *colon = strrchr(text, ':');
    const char *end = colon;

    *v6 = text[0] == '[';
    if (colon == NULL) {
        (void)snprintf(host, size, "0.0.0.0");
        *port = text;
        return true;
    }
    if (*v6) {
        text++;
        end = colon > text ? colon - 1 : text;
        if (*end != ']') {
            return false;
        }
    }
    size_t len = (size_t)(end - text);
    if (len >= size) {
        return false;
    }
    memcpy(host, text, len);
    host[len] = 0;
    if (strcmp(host, "*") == 0) {
        (void)snprintf(host, size, "%s", *v6 ? "::" : "0.0.0.0");
    }
    *port = colon + 1;
    return true;
}

/* fe80::1%eth0 */
static bool parse_v6(char *host, struct sockaddr_in6 *sin6)
{
    char *zone = strchr(host, '%');

    if (zone != NULL) {
        *zone++ = 0;
        sin6->sin6_scope_id = if_nametoindex(zone);
        if (sin6->sin6_scope_id == 0) {
            return false;
        }
    }
    sin6->sin6_family = AF_INET6;
    return inet_pton(AF_INET6, host, &sin6->sin6_addr) == 1;
}

static bool parse(const char *text, struct qms_listen *l)
{
    char host[80];
    const char *digits;
    uint64_t port;
    bool v6;

    if (!split(text, host, sizeof(host), &digits, &v6) ||
        qms_conf_number(digits, &port) != QMS_OK || port == 0 || port > UINT16_MAX) {
        return false;
    }
    if (v6) {
        struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&l->addr;
        sin6->sin6_port = htons((uint16_t)port);
        l->addr_len = sizeof(*sin6);
        return parse_v6(host, sin6);
    }
    struct sockaddr_in *sin = (struct sockaddr_in *)&l->addr;
    sin->sin_family = AF_INET;
    sin->sin_port = htons((uint16_t)port);
    l->addr_len = sizeof(*sin);
    return inet_pton(AF_INET, host, &sin->sin_addr) == 1;
}

static void write_text(struct qms_listen *l)
{
    char host[INET6_ADDRSTRLEN];

    if (l->addr.ss_family == AF_INET6) {
        const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)&l->addr;
        inet_ntop(AF_INET6, &sin6->sin6_addr, host, sizeof(host));
        (void)snprintf(l->text, sizeof(l->text), "[%s]:%u", host, ntohs(sin6->sin6_port));
    } else {
        const struct sockaddr_in *sin = (const struct sockaddr_in *)&l->addr;
        inet_ntop(AF_INET, &sin->sin_addr, host, sizeof(host));
        (void)snprintf(l->text, sizeof(l->text), "%s:%u", host, ntohs(sin->sin_port));
    }
}

static qms_err add(struct qms_conf *conf, struct qms_listen **list, size_t *count,
                   const struct qms_listen *l, struct qms_diag *diag)
{
    struct qms_listen *grown = qms_arena_grow(conf->arena, *list, *count, sizeof(*l));

    for (size_t i = 0; i < *count; i++) {
        if (strcmp((*list)[i].text, l->text) == 0) {
            qms_diag_error(diag, "\"%s\" is listened at already in this block.", l->text);
            return QMS_E_CONFIG;
        }
    }
    if (grown == NULL) {
        return qms_diag_nomem(diag);
    }
    grown[(*count)++] = *l;
    *list = grown;
    return QMS_OK;
}

static qms_err address(const char *text, struct qms_listen *l, struct qms_diag *diag)
{
    *l = (struct qms_listen){.fd = -1, .fds = {[0 ... QMS_SLOTS_MAX - 1] = -1}};
    if (!parse(text, l)) {
        qms_diag_error(diag,
                       "\"%s\" is not an address to listen at; write 127.0.0.1:4433, "
                       "[::1]:4433 or a port.",
                       text);
        return QMS_E_CONFIG;
    }
    write_text(l);
    return QMS_OK;
}

/* One UDP address belongs to one server: both carriers on a port are words of one directive. */
static qms_err unused(const struct qms_conf *conf, const struct qms_server_conf *own,
                      const struct qms_listen *l, struct qms_diag *diag)
{
    for (size_t s = 0; s < conf->server_count; s++) {
        for (size_t i = 0; &conf->servers[s] != own && i < conf->servers[s].listen_count; i++) {
            if (strcmp(conf->servers[s].listens[i].text, l->text) == 0) {
                qms_diag_error(diag,
                               "\"%s\" belongs to another server already; both carriers on one "
                               "port are \"listen %s quic webtransport\".",
                               l->text, l->text);
                return QMS_E_CONFIG;
            }
        }
    }
    return QMS_OK;
}

qms_err qms_conf_set_listen(void *object, const struct qms_directive *d, int argc,
                            const char *const *argv, struct qms_diag *diag)
{
    struct qms_server_conf *server = object;
    struct qms_listen l;
    qms_err err = address(argv[0], &l, diag);

    (void)d;
    for (int i = 1; err == QMS_OK && i < argc; i++) {
        if (strcmp(argv[i], "quic") == 0) {
            l.quic = true;
        } else if (strcmp(argv[i], "webtransport") == 0) {
            l.webtransport = true;
        } else if (strcmp(argv[i], "reuseport") != 0) { /* always on; a habit from nginx */
            qms_diag_error(diag,
                           "\"%s\" is not valid for \"listen\"; it takes quic, webtransport "
                           "or both.",
                           argv[i]);
            return QMS_E_CONFIG;
        }
    }
    if (err == QMS_OK && !l.quic && !l.webtransport) {
        qms_diag_error(diag, "Say what is spoken at %s: quic, webtransport or both.", l.text);
        return QMS_E_CONFIG;
    }
    err = err == QMS_OK ? unused(diag->conf, server, &l, diag) : err;
    return err == QMS_OK ? add(diag->conf, &server->listens, &server->listen_count, &l, diag)
                         : err;
}

qms_err qms_conf_set_http_listen(void *object, const struct qms_directive *d, int argc,
                                 const char *const *argv, struct qms_diag *diag)
{
    struct qms_conf *conf = object;
    struct qms_listen l;
    qms_err err = address(argv[0], &l, diag);

    (void)d;
    (void)argc;
    return err == QMS_OK ? add(conf, &conf->http_listens, &conf->http_listen_count, &l, diag)
                         : err;
}
