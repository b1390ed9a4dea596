/* SPDX-License-Identifier: MIT */
/* Origins are compared whole, byte for byte: browsers send them in one normal form.
 *
 * "self" means https at the very authority that the client names, but only when that is a name
 * of ours: a foreign domain whose owner lets it point here would otherwise be its own "self".
 * It also stands for pages of this machine where the listener is on loopback.  With nothing
 * configured "self" is what is in force. */
#include "link/origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static bool equal(struct qms_bytes a, const char *s, size_t len)
{
    return a.len == len && memcmp(a.data, s, len) == 0;
}

static bool is(struct qms_bytes a, const char *s)
{
    return s != NULL && equal(a, s, strlen(s));
}

static bool strip(struct qms_bytes *b, const char *prefix)
{
    size_t len = strlen(prefix);

    if (b->len < len || memcmp(b->data, prefix, len) != 0) {
        return false;
    }
    b->data += len;
    b->len -= len;
    return true;
}

/* "host", "host:port", "[v6]:port" -> host without brackets. */
static struct qms_bytes host_of(struct qms_bytes authority)
{
    const uint8_t *end;

    if (authority.len > 0 && authority.data[0] == '[') {
        end = memchr(authority.data, ']', authority.len);
        return end != NULL
                   ? (struct qms_bytes){authority.data + 1, (size_t)(end - authority.data - 1)}
                   : (struct qms_bytes){0};
    }
    end = authority.len > 0 ? memchr(authority.data, ':', authority.len) : NULL;
    return end != NULL ? (struct qms_bytes){authority.data, (size_t)(end - authority.data)}
                       : authority;
}

static bool is_address(struct qms_bytes host)
{
    char text[INET6_ADDRSTRLEN];
    uint8_t out[16];

    if (host.len == 0 || host.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    return inet_pton(AF_INET, text, out) == 1 || inet_pton(AF_INET6, text, out) == 1;
}

static bool is_loopback_name(struct qms_bytes host)
{
    return is(host, "localhost") || is(host, "127.0.0.1") || is(host, "::1");
}

static bool own_name(const struct qms_server_conf *server, struct qms_bytes host)
{
    return is_address(host) || is(host, "localhost") || is(host, server->server_name) ||
           (server->identity != NULL && is(host, server->identity->server_name));
}

static bool is_self(const struct qms_server_conf *server, struct qms_bytes authority,
                    struct qms_bytes origin, bool loopback)
{
    bool secure = strip(&origin, "https://");

    if (!secure && !strip(&origin, "http://")) {
        return false;
    }
    if (loopback && is_loopback_name(host_of(origin))) {
        return true;
    }
    if (!secure || !own_name(server, host_of(authority))) {
        return false;
    }
    /* An origin leaves out the default port. */
    if (authority.len > 4 && memcmp(authority.data + authority.len - 4, ":443", 4) == 0) {
        authority.len -= 4;
    }
    return authority.len > 0 && equal(origin, (const char *)authority.data, authority.len);
}

bool qms_origin_allowed(const struct qms_server_conf *server, struct qms_bytes authority,
                        struct qms_bytes origin, bool loopback)
{
    if (origin.len == 0) {
        return true;
    }
    if (server->allowed_origin_count == 0) {
        return is_self(server, authority, origin, loopback);
    }
    for (size_t i = 0; i < server->allowed_origin_count; i++) {
        const char *allowed = server->allowed_origins[i];
        if (strcmp(allowed, "*") == 0 || is(origin, allowed) ||
            (strcmp(allowed, "self") == 0 && is_self(server, authority, origin, loopback))) {
            return true;
        }
    }
    return false;
}

bool qms_address_is_loopback(const struct sockaddr *sa)
{
    static const uint8_t mapped[13] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};

    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        return (ntohl(in->sin_addr.s_addr) >> 24) == 127;
    }
    if (sa->sa_family == AF_INET6) {
        const struct in6_addr *a = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(a) || memcmp(a, mapped, sizeof(mapped)) == 0;
    }
    return false;
}
