/* SPDX-License-Identifier: MIT */
/* An attacker's page can point its own name at a loopback address, but the browser then still
 * sends that name in Host.  So only names and addresses that are ours are answered. */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "core/http/http_i.h"

/* Cuts ":PORT" and brackets off, into `out`. */
static bool bare_host(const char *host, char *out, size_t size)
{
    const char *end = host + strlen(host);
    const char *colon = strrchr(host, ':');

    if (host[0] == '[') {
        end = strchr(host, ']');
        host++;
        if (end == NULL || (end[1] != 0 && end[1] != ':')) {
            return false;
        }
    } else if (colon != NULL) {
        end = colon;
    }
    size_t len = (size_t)(end - host);
    if (len == 0 || len >= size) {
        return false;
    }
    memcpy(out, host, len);
    out[len] = 0;
    return true;
}

bool qms_http_host_matches(const struct qms_conf *conf, const char *host, const char *own)
{
    static const char *const loopback[] = {"localhost", "127.0.0.1", "::1"};
    char bare[256];

    if (!bare_host(host, bare, sizeof(bare))) {
        return false;
    }
    for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++) {
        if (strcasecmp(bare, loopback[i]) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < conf->http_host_count; i++) {
        if (strcasecmp(bare, conf->http_hosts[i]) == 0) {
            return true;
        }
    }
    return own[0] != 0 && strcasecmp(bare, own) == 0;
}

static void own_address(struct evhttp_request *req, char *out, socklen_t size)
{
    struct bufferevent *bev =
        evhttp_connection_get_bufferevent(evhttp_request_get_connection(req));
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);

    out[0] = 0;
    if (getsockname(bufferevent_getfd(bev), (struct sockaddr *)&addr, &len) != 0) {
        return;
    }
    if (addr.ss_family == AF_INET) {
        inet_ntop(AF_INET, &((struct sockaddr_in *)&addr)->sin_addr, out, size);
    } else if (addr.ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&addr)->sin6_addr, out, size);
    }
}

bool qms_http_host_allowed(const struct qms_conf *conf, struct evhttp_request *req)
{
    const char *host = evhttp_find_header(evhttp_request_get_input_headers(req), "Host");
    char own[INET6_ADDRSTRLEN];

    own_address(req, own, sizeof(own));
    return host != NULL && qms_http_host_matches(conf, host, own);
}
