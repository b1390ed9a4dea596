/* SPDX-License-Identifier: MIT */
/* Rates by virtual scheduling: one instant says until when everything that came is paid for.
 * Who comes beyond the limit pays too, up to one more burst, so that hammering keeps the gate
 * shut.  Addresses that have paid are forgotten when room is needed. */
#include "client/gate.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

#define ADDRESSES_MAX 8192
#define KEY_MAX       9

struct entry {
    qms_time paid_at;
    uint8_t len, key[KEY_MAX];
};

struct qms_gate {
    struct qms_gate_rate all, each;
    qms_time paid_at; /* of all */
    struct qms_map *addresses;
};

struct qms_gate *qms_gate_new(struct qms_gate_rate all, struct qms_gate_rate each)
{
    struct qms_gate *g = qms_calloc(1, sizeof(*g));
    uint8_t seed[16];

    if (g == NULL) {
        return NULL;
    }
    qms_random(seed, sizeof(seed));
    *g = (struct qms_gate){.all = all, .each = each, .addresses = qms_map_new(seed)};
    if (g->addresses == NULL) {
        qms_free(g);
        return NULL;
    }
    return g;
}

/* Drops the entries that are paid by `at`. */
static void forget(struct qms_gate *g, qms_time at)
{
    size_t cursor = 0;
    struct qms_bytes key;
    void *value;

    while (qms_map_next(g->addresses, &cursor, &key, &value)) {
        struct entry *e = value;

        if (e->paid_at <= at) {
            (void)qms_map_remove(g->addresses, (struct qms_bytes){e->key, e->len});
            qms_free(e);
        }
    }
}

void qms_gate_free(struct qms_gate *g)
{
    if (g != NULL) {
        forget(g, QMS_NEVER);
        qms_map_free(g->addresses);
        qms_free(g);
    }
}

/* The first 64 bits of an IPv6 address: whoever has one of them has them all. */
static uint8_t key_of(const struct sockaddr *sa, uint8_t key[KEY_MAX])
{
    if (sa != NULL && sa->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, sa, sizeof(in));
        key[0] = 4;
        memcpy(key + 1, &in.sin_addr, 4);
        return 5;
    }
    if (sa != NULL && sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, sa, sizeof(in6));
        key[0] = 6;
        memcpy(key + 1, &in6.sin6_addr, 8);
        return 9;
    }
    key[0] = 0;
    return 1;
}

static struct entry *find(const struct qms_gate *g, const struct sockaddr *from)
{
    uint8_t key[KEY_MAX];

    return qms_map_get(g->addresses, (struct qms_bytes){key, key_of(from, key)});
}

static struct entry *find_or_add(struct qms_gate *g, const struct sockaddr *from, qms_time now)
{
    struct entry *e = find(g, from);

    if (e != NULL) {
        return e;
    }
    if (qms_map_count(g->addresses) >= ADDRESSES_MAX) {
        forget(g, now);
    }
    e = qms_map_count(g->addresses) >= ADDRESSES_MAX ? NULL : qms_calloc(1, sizeof(*e));
    if (e == NULL) {
        return NULL;
    }
    e->len = key_of(from, e->key);
    if (qms_map_add(g->addresses, (struct qms_bytes){e->key, e->len}, e) != QMS_OK) {
        qms_free(e);
        return NULL;
    }
    return e;
}

static qms_time cost(const struct qms_gate_rate *r)
{
    return QMS_SECOND / r->per_second;
}

/* How much is paid for in advance, at most a burst and another one of debt. */
static qms_time debt(qms_time paid_at, qms_time now)
{
    return paid_at > now ? paid_at - now : 0;
}

static qms_time take(const struct qms_gate_rate *r, qms_time *paid_at, qms_time now)
{
    qms_time limit, owed;

    if (r->per_second == 0) {
        return 0;
    }
    limit = cost(r) * r->burst;
    owed = debt(*paid_at, now) + cost(r);
    *paid_at = now + (owed < 2 * limit ? owed : 2 * limit);
    return owed <= limit ? 0 : owed - limit;
}

static bool open_by(const struct qms_gate_rate *r, qms_time paid_at, qms_time now)
{
    return r->per_second == 0 || debt(paid_at, now) < 2 * cost(r) * r->burst;
}

bool qms_gate_open(const struct qms_gate *g, const struct sockaddr *from, qms_time now)
{
    const struct entry *e = g->each.per_second == 0 ? NULL : find(g, from);

    return open_by(&g->all, g->paid_at, now) &&
           (e == NULL || open_by(&g->each, e->paid_at, now));
}

qms_time qms_gate_take(struct qms_gate *g, const struct sockaddr *from, qms_time now)
{
    struct entry *e = g->each.per_second == 0 ? NULL : find_or_add(g, from, now);
    qms_time one = 0, all;

    if (e != NULL) {
        one = take(&g->each, &e->paid_at, now);
    } else if (g->each.per_second != 0) {
        one = cost(&g->each); /* no room to remember it */
    }
    if (one > 0) {
        return one; /* one address must not use up what all have */
    }
    all = take(&g->all, &g->paid_at, now);
    return all;
}
