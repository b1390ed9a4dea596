/* SPDX-License-Identifier: MIT */
/* A peer that moves back to a path it has used a short time before is not asked to prove it
 * again: so a few addresses are remembered, not the newest only. */
#include "quic/proven.h"

#include <string.h>

static bool same(const union qms_sockaddr *a, const struct sockaddr *b)
{
    const union qms_sockaddr *o = (const union qms_sockaddr *)b;

    if (a->sa.sa_family != b->sa_family) {
        return false;
    }
    if (b->sa_family == AF_INET) {
        return a->in.sin_port == o->in.sin_port &&
               a->in.sin_addr.s_addr == o->in.sin_addr.s_addr;
    }
    return a->in6.sin6_port == o->in6.sin6_port &&
           memcmp(&a->in6.sin6_addr, &o->in6.sin6_addr, 16) == 0;
}

static const union qms_sockaddr *find(const struct qms_proven *p, const struct sockaddr *remote)
{
    for (unsigned i = 0; i < p->count; i++) {
        if (same(&p->addresses[i], remote)) {
            return &p->addresses[i];
        }
    }
    return NULL;
}

void qms_proven_add(struct qms_proven *p, const struct sockaddr *remote, size_t len)
{
    const union qms_sockaddr *known = find(p, remote);
    union qms_sockaddr *to = &p->addresses[(p->newest + 1) % QMS_PROVEN_MAX];

    if (known != NULL) {
        p->newest = (unsigned)(known - p->addresses);
        return;
    }
    if (p->count == 0) {
        to = &p->addresses[0];
    }
    memset(to, 0, sizeof(*to));
    memcpy(to, remote, len < sizeof(*to) ? len : sizeof(*to));
    p->newest = (unsigned)(to - p->addresses);
    p->count += p->count < QMS_PROVEN_MAX;
}

const struct sockaddr *qms_proven_of(const struct qms_proven *p, const struct sockaddr *current)
{
    const union qms_sockaddr *known = find(p, current);

    if (known == NULL && p->count > 0) {
        known = &p->addresses[p->newest];
    }
    return known != NULL ? &known->sa : NULL;
}
