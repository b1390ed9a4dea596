/* SPDX-License-Identifier: MIT */
/* Limits: connections per address and in total, and for each agent streams opened, bytes and
 * datagrams a second.
 *
 * Streams over the limit are refused with the time to retry, datagrams dropped, bytes only
 * delayed: their credit is withheld, so that the agent slows down and loses nothing.  The
 * buckets belong to the agent's id (account.h), the connection counts to the worker. */
#include <netinet/in.h>
#include <string.h>

#include <quicms/module.h>

#include "account.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "rate.h"

enum { THROTTLED_STREAMS = 1, THROTTLED_BYTES, THROTTLED_DATAGRAMS };

struct conf {
    uint64_t per_address, total; /* connections; 0: unlimited */
    struct qms_rate streams, bytes, datagrams;
};

struct worker {
    struct qms_map *by_address; /* -> uint64_t, only those above 0 */
    uint64_t total;
    struct qms_limit_book book;
};

struct peer {
    struct qms_peer *peer;
    struct qms_limit_account *account; /* NULL: there was no memory, or the peer is gone */
    struct qms_limit_debts own;        /* then the connection pays for itself */
};

/* ---- configuration ---- */

static struct qms_rate *field(void *conf, const char *name)
{
    struct conf *c = conf;
    return strcmp(name, "limit_streams") == 0 ? &c->streams
           : strcmp(name, "limit_bytes") == 0 ? &c->bytes
                                              : &c->datagrams;
}

static qms_err set_rate(void *conf, const struct qms_directive *d, int argc,
                        const char *const *argv, struct qms_diag *diag)
{
    return qms_rate_parse(field(conf, d->name), d->name, argc, argv, diag);
}

#define CONTEXTS (QMS_CTX_MAIN | QMS_CTX_QUIC | QMS_CTX_SERVER)
#define RATE_ROW(row, what, text)                                                              \
    {                                                                                          \
        .name = (row), .contexts = CONTEXTS, .type = QMS_D_CUSTOM, .args_min = 1,              \
        .args_max = 2, .unit = (what), .set = set_rate, .syntax = "off | RATE [burst=AMOUNT]", \
        .help = (text)                                                                         \
    }

static const struct qms_directive directives[] = {
    {.name = "limit_connections_per_address",
     .contexts = CONTEXTS,
     .type = QMS_D_NUMBER,
     .offset = QMS_U64_FIELD(struct conf, per_address),
     .def = "0",
     .max = UINT32_MAX,
     .help = "Connections that one address (IPv6: one /64) may have; 0 means unlimited."},
    {.name = "limit_connections",
     .contexts = CONTEXTS,
     .type = QMS_D_NUMBER,
     .offset = QMS_U64_FIELD(struct conf, total),
     .def = "0",
     .max = UINT32_MAX,
     .help = "Connections that a worker may have in total; 0 means unlimited."},
    RATE_ROW("limit_streams", "streams/s", "Streams that an agent may open a second."),
    RATE_ROW("limit_bytes", "bytes/s", "Payload bytes that an agent may send a second."),
    RATE_ROW("limit_datagrams", "datagrams/s", "Datagrams that an agent may send a second."),
    {.name = NULL},
};

static qms_err merge(void *conf, const void *parent, struct qms_diag *diag)
{
    struct conf *c = conf;
    const struct conf *p = parent;

    (void)diag;
    c->streams = c->streams.set ? c->streams : p->streams;
    c->bytes = c->bytes.set ? c->bytes : p->bytes;
    c->datagrams = c->datagrams.set ? c->datagrams : p->datagrams;
    return QMS_OK;
}

/* ---- connections ---- */

static qms_err start(void *worker, const void *conf, qms_time now)
{
    struct worker *w = worker;
    uint8_t seed[16];

    (void)conf, (void)now;
    qms_random(seed, sizeof(seed));
    w->by_address = qms_map_new(seed);
    return w->by_address != NULL ? qms_limit_book_init(&w->book) : QMS_E_NOMEM;
}

static void stop(void *worker)
{
    struct worker *w = worker;
    size_t cursor = 0;
    struct qms_bytes key;
    void *count;

    while (w->by_address != NULL && qms_map_next(w->by_address, &cursor, &key, &count)) {
        qms_free(count);
    }
    qms_map_free(w->by_address);
    w->by_address = NULL;
    qms_limit_book_fini(&w->book);
}

static void tick(void *worker, const void *conf, qms_time now)
{
    struct worker *w = worker;

    (void)conf;
    qms_limit_book_sweep(&w->book, now);
}

/* IPv4 whole, also inside IPv6; the first half of IPv6, which is what one customer has. */
static struct qms_bytes key_of(const void *remote)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const struct sockaddr *sa = remote;

    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = remote;
        return (struct qms_bytes){(const uint8_t *)&in->sin_addr, 4};
    }
    if (sa->sa_family == AF_INET6) {
        const uint8_t *a = ((const struct sockaddr_in6 *)remote)->sin6_addr.s6_addr;
        return memcmp(a, mapped, sizeof(mapped)) == 0 ? (struct qms_bytes){a + 12, 4}
                                                      : (struct qms_bytes){a, 8};
    }
    return (struct qms_bytes){(const uint8_t *)"", 1};
}

/* NULL: no memory. */
static uint64_t *counter(struct worker *w, struct qms_bytes key)
{
    uint64_t *count = qms_map_get(w->by_address, key);

    if (count != NULL || (count = qms_calloc(1, sizeof(*count))) == NULL) {
        return count;
    }
    if (qms_map_add(w->by_address, key, count) != QMS_OK) {
        qms_free(count);
        return NULL;
    }
    return count;
}

static enum qms_verdict no_room(struct qms_refusal *why, const char *label)
{
    *why = (struct qms_refusal){QMS_CODE_BUSY, 0, "too many connections", label};
    return QMS_REJECT;
}

/* Counted whether or not a limit is set: a reload may set one. */
static enum qms_verdict on_connect(void *worker, const void *conf, const void *remote,
                                   qms_time now, struct qms_refusal *why)
{
    struct worker *w = worker;
    const struct conf *c = conf;
    const uint64_t *had = qms_map_get(w->by_address, key_of(remote));
    uint64_t *count;

    (void)now;
    if (c->total != 0 && w->total >= c->total) {
        return no_room(why, "connections");
    }
    if (c->per_address != 0 && had != NULL && *had >= c->per_address) {
        return no_room(why, "connections_per_address");
    }
    if ((count = counter(w, key_of(remote))) == NULL) {
        return no_room(why, "no_memory");
    }
    ++*count;
    w->total++;
    return QMS_PASS;
}

static void on_disconnect(void *worker, const void *conf, const void *remote, qms_time now)
{
    struct worker *w = worker;
    uint64_t *count = qms_map_get(w->by_address, key_of(remote));

    (void)conf, (void)now;
    w->total--;
    if (count != NULL && --*count == 0) {
        qms_free(qms_map_remove(w->by_address, key_of(remote)));
    }
}

/* ---- agents ---- */

static uint64_t ms_until(qms_time at, qms_time now)
{
    return (at - now + QMS_MILLISECOND - 1) / QMS_MILLISECOND;
}

static void on_peer(void *worker, void *peer_data, const void *conf, struct qms_peer *peer,
                    qms_time now)
{
    struct worker *w = worker;
    struct peer *p = peer_data;

    (void)conf, (void)now;
    p->peer = peer;
    p->account = qms_limit_book_open(&w->book, qms_peer_id(peer));
}

static void on_peer_gone(void *worker, void *peer_data, struct qms_peer *peer, qms_time now)
{
    struct worker *w = worker;
    struct peer *p = peer_data;

    (void)peer;
    if (p->account != NULL) {
        qms_limit_book_close(&w->book, p->account, now);
        p->account = NULL;
    }
}

static struct qms_limit_debts *debts_of(struct peer *p)
{
    return p->account != NULL ? &p->account->debts : &p->own;
}

/* What is granted to the agent goes before what is configured. */
static struct qms_rate in_force(const struct qms_rate *configured,
                                const struct qms_limit_rate *granted)
{
    return granted->per_second != 0 ? qms_rate_of(granted->per_second, granted->burst)
                                    : *configured;
}

static enum qms_verdict on_open(void *stream_data, void *peer_data, const void *conf,
                                const struct qms_route *route, qms_time now,
                                struct qms_refusal *why)
{
    struct peer *p = peer_data;
    const struct conf *c = conf;
    qms_time retry_at;

    (void)stream_data, (void)route;
    struct qms_rate rate = in_force(&c->streams, &qms_peer_granted_limits(p->peer)->streams);

    if (qms_rate_take(&rate, &debts_of(p)->streams, 1, now, &retry_at)) {
        return QMS_PASS;
    }
    *why = (struct qms_refusal){QMS_CODE_RATE_LIMITED, ms_until(retry_at, now),
                                "too many streams a second", "limit_streams"};
    qms_peer_throttled(p->peer, THROTTLED_STREAMS, why->retry_after_ms);
    return QMS_REJECT;
}

static enum qms_verdict on_data(void *stream_data, void *peer_data, const void *conf,
                                const struct qms_route *route,
                                const struct qms_payload *payload, qms_time now,
                                qms_time *retry_at, struct qms_refusal *why)
{
    struct peer *p = peer_data;
    const struct conf *c = conf;
    struct qms_rate rate = in_force(&c->bytes, &qms_peer_granted_limits(p->peer)->bytes);
    qms_time at = qms_rate_charge(&rate, &debts_of(p)->bytes, payload->bytes.len, now);

    (void)stream_data, (void)route, (void)why;
    if (at == 0 || payload->bytes.len == 0) {
        return QMS_PASS;
    }
    *retry_at = at;
    qms_peer_throttled(p->peer, THROTTLED_BYTES, ms_until(at, now));
    return QMS_DELAY;
}

static enum qms_verdict on_datagram(void *peer_data, const void *conf, struct qms_peer *peer,
                                    enum qms_kind kind, struct qms_bytes target, size_t len,
                                    qms_time now)
{
    struct peer *p = peer_data;
    const struct conf *c = conf;
    qms_time retry_at;

    (void)kind, (void)target, (void)len;
    struct qms_rate rate = in_force(&c->datagrams, &qms_peer_granted_limits(peer)->datagrams);

    if (qms_rate_take(&rate, &debts_of(p)->datagrams, 1, now, &retry_at)) {
        return QMS_PASS;
    }
    qms_peer_throttled(peer, THROTTLED_DATAGRAMS, ms_until(retry_at, now));
    return QMS_REJECT;
}

extern const struct qms_module qms_module_limit;
const struct qms_module qms_module_limit = {
    .abi = QMS_MODULE_ABI,
    .name = "limit",
    .directives = directives,
    .conf_size = sizeof(struct conf),
    .worker_size = sizeof(struct worker),
    .peer_size = sizeof(struct peer),
    .conf_merge = merge,
    .worker_start = start,
    .worker_stop = stop,
    .worker_tick = tick,
    .on_connect = on_connect,
    .on_disconnect = on_disconnect,
    .on_peer = on_peer,
    .on_peer_gone = on_peer_gone,
    .on_open = on_open,
    .on_data = on_data,
    .on_datagram = on_datagram,
};
