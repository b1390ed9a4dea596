/* SPDX-License-Identifier: MIT */
#include "base/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* The number behind the slash; `max` without a slash. */
static bool prefix_of(const char *slash, unsigned max, unsigned *out)
{
    char *end;

    *out = max;
    if (slash == NULL) {
        return true;
    }
    if (slash[1] < '0' || slash[1] > '9' || strlen(slash + 1) > 3) {
        return false;
    }
    *out = (unsigned)strtoul(slash + 1, &end, 10);
    return *end == '\0' && *out <= max;
}

static bool bits_behind_are_zero(const uint8_t address[16], unsigned prefix)
{
    for (unsigned bit = prefix; bit < 128; bit++) {
        if ((address[bit / 8] >> (7 - bit % 8) & 1) != 0) {
            return false;
        }
    }
    return true;
}

int qms_network_parse(struct qms_network *out, const char *text)
{
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    char host[INET6_ADDRSTRLEN];
    bool good;

    if (len >= sizeof(host)) {
        return 0;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    if (inet_pton(AF_INET, host, out->address + 12) == 1) {
        memcpy(out->address, mapped, sizeof(mapped));
        good = prefix_of(slash, 32, &out->prefix);
        out->prefix += 96;
    } else if (inet_pton(AF_INET6, host, out->address) == 1) {
        good = prefix_of(slash, 128, &out->prefix);
    } else {
        return 0;
    }
    return good && bits_behind_are_zero(out->address, out->prefix) ? 1 : -1;
}

bool qms_network_has(const struct qms_network *n, const void *remote)
{
    const struct sockaddr *sa = remote;
    uint8_t a[16];

    if (sa == NULL) {
        return false;
    }
    if (sa->sa_family == AF_INET) {
        memcpy(a, mapped, sizeof(mapped));
        memcpy(a + 12, &((const struct sockaddr_in *)remote)->sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        memcpy(a, &((const struct sockaddr_in6 *)remote)->sin6_addr, 16);
    } else {
        return false;
    }
    unsigned whole = n->prefix / 8, rest = n->prefix % 8;
    return memcmp(a, n->address, whole) == 0 &&
           (rest == 0 || (a[whole] ^ n->address[whole]) >> (8 - rest) == 0);
}

const char *qms_sockaddr_text(const void *address, bool with_port,
                              char buf[QMS_ADDRESS_TEXT_MAX])
{
    const struct sockaddr_in *in = address;
    const struct sockaddr_in6 *in6 = address;
    sa_family_t family = ((const struct sockaddr *)address)->sa_family;
    char host[INET6_ADDRSTRLEN] = "";

    buf[0] = '\0';
    if (family == AF_INET) {
        (void)inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        (void)snprintf(buf, QMS_ADDRESS_TEXT_MAX, with_port ? "%s:%u" : "%s", host,
                       ntohs(in->sin_port));
    } else if (family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        (void)snprintf(buf, QMS_ADDRESS_TEXT_MAX, with_port ? "[%s]:%u" : "%s", host,
                       ntohs(in6->sin6_port));
    }
    return buf;
}
