/* SPDX-License-Identifier: MIT */
#include "quic/crowd.h"

#include <netinet/in.h>

#include "base/map.h"

#define SHARE 16

uint16_t qms_crowd_counter(const struct qms_crowd *c, const struct sockaddr *remote)
{
    struct qms_bytes key = {(const uint8_t *)"", 0};

    if (remote->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)remote;
        key = (struct qms_bytes){(const uint8_t *)&in->sin_addr, sizeof(in->sin_addr)};
    } else if (remote->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)remote;
        key = (struct qms_bytes){in6->sin6_addr.s6_addr, 8};
    }
    return (uint16_t)(qms_siphash(c->seed, key) % QMS_CROWD_COUNTERS);
}

bool qms_crowd_has_room(const struct qms_crowd *c, uint16_t counter, size_t max)
{
    size_t share = max / SHARE > 0 ? max / SHARE : 1;

    return c->total < max && (c->total < max / 2 || c->counts[counter] < share);
}

void qms_crowd_enter(struct qms_crowd *c, uint16_t counter)
{
    c->total++;
    c->counts[counter]++;
}

void qms_crowd_leave(struct qms_crowd *c, uint16_t counter)
{
    c->total--;
    c->counts[counter]--;
}
