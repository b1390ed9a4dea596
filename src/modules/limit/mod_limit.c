/* SPDX-License-Identifier: MIT */
/* Limits: connections, handshakes, and for each agent (or what a zone's key says) streams
 * opened, bytes and datagrams a second, all of them counted over all workers.
 *
 * Streams over the limit are refused with the time to retry, datagrams dropped, bytes only
 * delayed: their credit is withheld, so that the agent slows down and loses nothing.  A bucket
 * is one word in shared memory (base/words.h) that says when all is paid that was used. */
#include <netinet/in.h>
#include <string.h>

#include <quicms/module.h>

#include "rule.h"
#include "seats.h"

enum { THROTTLED_STREAMS = 1, THROTTLED_BYTES, THROTTLED_DATAGRAMS };

/* Labels by enum qms_limit_what: refused, and what would have been. */
static const char *const labels[] = {"limit_streams", "limit_bytes", "limit_datagrams",
                                     "limit_handshakes"};
static const char *const dry_labels[] = {"limit_streams_dry_run", "limit_bytes_dry_run",
                                         "limit_datagrams_dry_run", "limit_handshakes_dry_run"};

struct conf {
    uint64_t per_address, total; /* connections; 0: unlimited */
    uint64_t ipv6_prefix, memory, dry_run;
    /* Of agents (handshakes: of addresses), in the module's own zone. */
    struct qms_rate rates[QMS_LIMIT_WHATS];
    struct qms_zone *buckets, *seats;
    struct qms_limit_zones *zones; /* NULL: none */
    size_t rule_count;
    struct qms_limit_rule rules[QMS_LIMIT_RULES_MAX];
};

struct worker {
    struct qms_seats seats;
    uint64_t evicted, told; /* words that made room; of them counted already */
};

struct peer {
    struct qms_peer *peer;
    struct worker *worker;
};

/* ---- configuration ---- */

static qms_err set_rate(void *conf, const struct qms_directive *d, int argc,
                        const char *const *argv, struct qms_diag *diag)
{
    struct conf *c = conf;
    unsigned i = 0;

    while (strcmp(labels[i], d->name) != 0) {
        i++;
    }
    return qms_rate_parse(&c->rates[i], d->name, argc, argv, diag);
}

static qms_err set_zone(void *conf, const struct qms_directive *d, int argc,
                        const char *const *argv, struct qms_diag *diag)
{
    struct conf *c = conf;

    (void)d;
    if (c->zones == NULL && (c->zones = qms_conf_alloc(diag, sizeof(*c->zones))) == NULL) {
        return QMS_E_NOMEM;
    }
    return qms_limit_zone_parse(c->zones, argc, argv, diag);
}

static qms_err set_rule(void *conf, const struct qms_directive *d, int argc,
                        const char *const *argv, struct qms_diag *diag)
{
    struct conf *c = conf;
    qms_err err;

    (void)d;
    if (c->rule_count == QMS_LIMIT_RULES_MAX) {
        qms_diag_error(diag, "A block has at most %d \"rate\" directives.",
                       QMS_LIMIT_RULES_MAX);
        return QMS_E_CONFIG;
    }
    err = qms_limit_rule_parse(&c->rules[c->rule_count], argc, argv, diag);
    c->rule_count += err == QMS_OK;
    return err;
}

#define CONTEXTS (QMS_CTX_MAIN | QMS_CTX_QUIC | QMS_CTX_SERVER)
#define RATE_ROW(row, where, what, text)                                                       \
    {                                                                                          \
        .name = (row), .contexts = (where), .type = QMS_D_CUSTOM, .args_min = 1,               \
        .args_max = 2, .unit = (what), .def = "off", .set = set_rate,                          \
        .syntax = "off | RATE [burst=AMOUNT]", .help = (text)                                  \
    }
#define NUMBER_ROW(row, field, where, from, low, high, text)                                   \
    {                                                                                          \
        .name = (row), .contexts = (where), .type = QMS_D_NUMBER,                              \
        .offset = QMS_U64_FIELD(struct conf, field), .def = (from), .min = (low),              \
        .max = (high), .help = (text)                                                          \
    }

static const struct qms_directive directives[] = {
    NUMBER_ROW(
        "limit_connections_per_address", per_address, CONTEXTS, "0", 0, UINT32_MAX,
        "Connections that one address (IPv6: limit_ipv6_prefix) may have in all workers; "
        "0 means unlimited."),
    NUMBER_ROW("limit_connections", total, CONTEXTS, "0", 0, UINT32_MAX,
               "Connections that all workers may have together; 0 means unlimited."),
    NUMBER_ROW("limit_ipv6_prefix", ipv6_prefix, QMS_CTX_MAIN, "64", 32, 128,
               "Bits of an IPv6 address that make one address for limits."),
    {.name = "limit_memory",
     .contexts = QMS_CTX_MAIN,
     .type = QMS_D_SIZE,
     .offset = QMS_U64_FIELD(struct conf, memory),
     .def = "4m",
     .unit = "bytes",
     .min = 64 << 10,
     .max = 1 << 30,
     .help = "Memory for the buckets of agents and addresses, and as much for the seats of "
             "connections, 16 bytes each; shared by all workers."},
    {.name = "limit_dry_run",
     .contexts = CONTEXTS | QMS_CTX_ROUTE,
     .type = QMS_D_FLAG,
     .offset = QMS_U64_FIELD(struct conf, dry_run),
     .def = "off",
     .help = "Whether limits are only counted, in quicms_module_events_total, and nobody is "
             "held up."},
    RATE_ROW("limit_streams", CONTEXTS | QMS_CTX_ROUTE, "streams/s",
             "Streams that an agent may open a second."),
    RATE_ROW("limit_bytes", CONTEXTS | QMS_CTX_ROUTE, "bytes/s",
             "Payload bytes that an agent may send a second."),
    RATE_ROW("limit_datagrams", CONTEXTS | QMS_CTX_ROUTE, "datagrams/s",
             "Datagrams that an agent may send a second."),
    RATE_ROW("limit_handshakes", CONTEXTS, "handshakes/s",
             "Connections that one address may begin a second."),
    {.name = "limits_zone",
     .contexts = QMS_CTX_MAIN,
     .type = QMS_D_CUSTOM,
     .args_min = 2,
     .args_max = 3,
     .multiple = true,
     .set = set_zone,
     .syntax = "NAME key=$agent|$address|$target|$route... [size=SIZE]",
     .help =
         "Shared memory for the buckets of \"rate\", one for each value of the key (several "
         "may be joined); 16 bytes a bucket, 10m unless it is written."},
    {.name = "rate",
     .contexts = CONTEXTS | QMS_CTX_ROUTE,
     .type = QMS_D_CUSTOM,
     .args_min = 2,
     .args_max = 10,
     .multiple = true,
     .set = set_rule,
     .syntax = "zone=NAME [opens=RATE [burst=N]] [bytes=RATE [burst=SIZE]] [datagrams=RATE "
               "[burst=N]] [handshakes=RATE [burst=N]] [dry_run]",
     .help =
         "What may be used a second by each key of the zone; all rates of a block hold, and "
         "a block that writes some has none of those around it."},
    {.name = NULL},
};

static qms_err merge(void *conf, const void *parent, struct qms_diag *diag)
{
    struct conf *c = conf;
    const struct conf *p = parent;

    (void)diag;
    for (unsigned i = 0; i < QMS_LIMIT_WHATS; i++) {
        c->rates[i] = c->rates[i].set ? c->rates[i] : p->rates[i];
    }
    c->zones = p->zones; /* main's, which alone may write them */
    if (c->rule_count == 0) {
        memcpy(c->rules, p->rules, sizeof(c->rules));
        c->rule_count = p->rule_count;
    }
    return QMS_OK;
}

static qms_err load(void *conf, struct qms_diag *diag)
{
    struct conf *c = conf;
    qms_err err = QMS_OK;

    c->buckets = qms_zone_declare(diag, "limit", (size_t)c->memory);
    c->seats = qms_zone_declare(diag, "limit_seats", (size_t)c->memory);
    if (c->buckets == NULL || c->seats == NULL) {
        return QMS_E_CONFIG;
    }
    for (size_t i = 0; err == QMS_OK && i < c->rule_count; i++) {
        err = qms_limit_rule_bind(&c->rules[i], c->zones, diag);
    }
    return err;
}

/* ---- the worker ---- */

static qms_err start(void *worker, const void *conf, qms_time now)
{
    struct worker *w = worker;
    size_t size = 0;
    void *memory = qms_zone_memory(((const struct conf *)conf)->seats, &size);

    return qms_seats_init(&w->seats, memory, size, now);
}

static void stop(void *worker)
{
    qms_seats_fini(&((struct worker *)worker)->seats);
}

static void tick(void *worker, const void *conf, qms_time now)
{
    struct worker *w = worker;
    size_t size = 0;
    void *memory = qms_zone_memory(((const struct conf *)conf)->seats, &size);

    qms_seats_move(&w->seats, memory, size, now);
    qms_seats_renew(&w->seats, now);
    for (; w->told < w->evicted + w->seats.evicted; w->told++) {
        qms_worker_count(worker, "limit_zone_full");
    }
}

/* ---- keys ---- */

/* Of a bucket: parts behind each other. */
struct key {
    uint8_t bytes[2 * QMS_NAME_MAX + 64];
    size_t len;
};

static void add(struct key *k, const void *data, size_t len)
{
    uint8_t head = (uint8_t)len;

    if (k->len + 1 + len <= sizeof(k->bytes)) {
        k->bytes[k->len++] = head;
        if (len > 0) {
            memcpy(k->bytes + k->len, data, len);
        }
        k->len += len;
    }
}

/* IPv4 whole, also inside IPv6; of IPv6 the part that one customer has. */
static size_t address_bytes(const struct conf *c, const void *remote, uint8_t out[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const struct sockaddr *sa = remote;

    memset(out, 0, 16);
    if (sa != NULL && sa->sa_family == AF_INET) {
        memcpy(out, &((const struct sockaddr_in *)remote)->sin_addr, 4);
        return 4;
    }
    if (sa == NULL || sa->sa_family != AF_INET6) {
        return 1;
    }
    const uint8_t *a = ((const struct sockaddr_in6 *)remote)->sin6_addr.s6_addr;
    if (memcmp(a, mapped, sizeof(mapped)) == 0) {
        memcpy(out, a + 12, 4);
        return 4;
    }
    memcpy(out, a, 16);
    for (unsigned bit = (unsigned)c->ipv6_prefix; bit < 128; bit++) {
        out[bit / 8] = (uint8_t)(out[bit / 8] & ~(0x80 >> bit % 8));
    }
    return 16;
}

/* Who does what; what is not known stays out. */
struct request {
    const struct qms_peer *peer; /* NULL: before the handshake */
    const void *address;
    unsigned kind;
    struct qms_bytes target;
};

static struct key key_of(const struct conf *c, unsigned keys, uint64_t place,
                         const struct request *r)
{
    struct key k = {.len = 0};
    uint8_t address[16];

    if ((keys & QMS_LIMIT_BY_AGENT) != 0 && r->peer != NULL) {
        struct qms_bytes id = qms_peer_id(r->peer);
        add(&k, id.data, id.len);
    }
    if ((keys & QMS_LIMIT_BY_ADDRESS) != 0) {
        add(&k, address, address_bytes(c, r->address, address));
    }
    if ((keys & QMS_LIMIT_BY_TARGET) != 0) {
        add(&k, &r->kind, sizeof(r->kind));
        add(&k, r->target.data, r->target.len);
    }
    if ((keys & QMS_LIMIT_BY_ROUTE) != 0) {
        add(&k, &place, sizeof(place));
    }
    return k;
}

static uint64_t *bucket(struct worker *w, const struct conf *c, const struct qms_zone *zone,
                        enum qms_limit_what what, const struct key *k, qms_time now,
                        uint64_t *alone)
{
    struct qms_words words;
    size_t size = 0;
    void *memory = qms_zone_memory(zone, &size);

    (void)c;
    if (!qms_words_open(&words, memory, size)) {
        *alone = 0;
        return alone;
    }
    return qms_words_at(&words, what, (struct qms_bytes){k->bytes, k->len}, now, &w->evicted);
}

/* ---- asking the buckets ---- */

/* What came of all buckets that an amount was asked of. */
struct outcome {
    bool refused;
    qms_time at; /* when to try again, or when all is paid; 0: at once */
};

static void ask_one(struct worker *w, const struct conf *c, const struct qms_zone *zone,
                    const struct qms_rate *rate, unsigned keys, uint64_t place, bool dry,
                    enum qms_limit_what what, const struct request *r, uint64_t amount,
                    qms_time now, struct outcome *out)
{
    uint64_t alone;
    qms_time at = 0;

    if (rate->per_second == 0) {
        return;
    }
    struct key k = key_of(c, keys, place, r);
    uint64_t *word = bucket(w, c, zone, what, &k, now, &alone);
    bool over = what == QMS_LIMIT_BYTES ? (at = qms_rate_charge(rate, word, amount, now)) != 0
                                        : !qms_rate_take(rate, word, amount, now, &at);
    if (!over) {
        return;
    }
    if (dry) {
        qms_worker_count(w, dry_labels[what]);
        return;
    }
    out->refused = true;
    out->at = at > out->at ? at : out->at;
}

/* What is granted to the agent goes before what is configured. */
static struct qms_rate in_force(const struct conf *c, enum qms_limit_what what,
                                const struct qms_peer *peer)
{
    const struct qms_limits *g = peer != NULL ? qms_peer_granted_limits(peer) : NULL;
    const struct qms_limit_rate *rate = g == NULL                     ? NULL
                                        : what == QMS_LIMIT_OPENS     ? &g->streams
                                        : what == QMS_LIMIT_BYTES     ? &g->bytes
                                        : what == QMS_LIMIT_DATAGRAMS ? &g->datagrams
                                                                      : NULL;

    return rate != NULL && rate->per_second != 0 ? qms_rate_of(rate->per_second, rate->burst)
                                                 : c->rates[what];
}

static struct outcome ask(struct worker *w, const struct conf *c, enum qms_limit_what what,
                          const struct request *r, uint64_t amount, qms_time now)
{
    struct outcome out = {.refused = false};
    struct qms_rate own = in_force(c, what, r->peer);
    unsigned keys = what == QMS_LIMIT_HANDSHAKES ? QMS_LIMIT_BY_ADDRESS : QMS_LIMIT_BY_AGENT;
    bool dry = c->dry_run != 0;

    ask_one(w, c, c->buckets, &own, keys, 0, dry, what, r, amount, now, &out);
    for (size_t i = 0; i < c->rule_count; i++) {
        const struct qms_limit_rule *rule = &c->rules[i];
        ask_one(w, c, rule->zone->memory, &rule->rates[what], rule->zone->keys, rule->place,
                dry || rule->dry_run, what, r, amount, now, &out);
    }
    return out;
}

static uint64_t ms_until(qms_time at, qms_time now)
{
    return at > now ? (at - now + QMS_MILLISECOND - 1) / QMS_MILLISECOND : 1;
}

/* ---- connections ---- */

static enum qms_verdict no_room(struct qms_refusal *why, const char *reason, const char *label)
{
    *why = (struct qms_refusal){QMS_CODE_BUSY, 0, reason, label};
    return QMS_REJECT;
}

/* Connections are counted whether or not a limit is set: a reload may set one. */
static enum qms_verdict on_connect(void *worker, const void *conf, const void *remote,
                                   qms_time now, struct qms_refusal *why)
{
    static const char *const dry[] = {NULL, "limit_address_dry_run", "limit_all_dry_run", NULL};
    struct worker *w = worker;
    const struct conf *c = conf;
    const struct request r = {.address = remote};
    uint8_t address[16];
    struct qms_bytes key = {address, address_bytes(c, remote, address)};

    if (ask(w, c, QMS_LIMIT_HANDSHAKES, &r, 1, now).refused) {
        return no_room(why, "too many handshakes", labels[QMS_LIMIT_HANDSHAKES]);
    }
    enum qms_seat seat =
        qms_seats_take(&w->seats, key, c->per_address, c->total, c->dry_run != 0, now);
    if (c->dry_run != 0 && dry[seat] != NULL) {
        qms_worker_count(worker, dry[seat]);
        return QMS_PASS;
    }
    switch (seat) {
    case QMS_SEAT_GIVEN:
        return QMS_PASS;
    case QMS_SEAT_ALL_FULL:
        return no_room(why, "too many connections", "connections");
    case QMS_SEAT_ADDRESS_FULL:
        return no_room(why, "too many connections", "connections_per_address");
    case QMS_SEAT_NO_MEMORY:
        break;
    }
    return no_room(why, "too many connections", "no_memory");
}

static void on_disconnect(void *worker, const void *conf, const void *remote, qms_time now)
{
    struct worker *w = worker;
    uint8_t address[16];
    size_t len = address_bytes(conf, remote, address);

    qms_seats_give(&w->seats, (struct qms_bytes){address, len}, now);
}

/* ---- agents ---- */

static void on_peer(void *worker, void *peer_data, const void *conf, struct qms_peer *peer,
                    qms_time now)
{
    struct peer *p = peer_data;

    (void)conf, (void)now;
    p->peer = peer;
    p->worker = worker;
}

static enum qms_verdict on_open(void *stream_data, void *peer_data, const void *conf,
                                const struct qms_route *route, qms_time now,
                                struct qms_refusal *why)
{
    struct peer *p = peer_data;
    const struct request r = {.peer = p->peer,
                              .address = qms_peer_address(p->peer),
                              .kind = qms_route_kind(route),
                              .target = qms_route_target(route)};
    struct outcome o = ask(p->worker, conf, QMS_LIMIT_OPENS, &r, 1, now);

    (void)stream_data;
    if (!o.refused) {
        return QMS_PASS;
    }
    *why = (struct qms_refusal){QMS_CODE_RATE_LIMITED, ms_until(o.at, now),
                                "too many streams a second", labels[QMS_LIMIT_OPENS]};
    qms_peer_throttled(p->peer, THROTTLED_STREAMS, why->retry_after_ms);
    return QMS_REJECT;
}

static enum qms_verdict on_data(void *stream_data, void *peer_data, const void *conf,
                                const struct qms_route *route,
                                const struct qms_payload *payload, qms_time now,
                                qms_time *retry_at, struct qms_refusal *why)
{
    struct peer *p = peer_data;
    const struct request r = {.peer = p->peer,
                              .address = qms_peer_address(p->peer),
                              .kind = qms_route_kind(route),
                              .target = qms_route_target(route)};

    (void)stream_data, (void)why;
    if (payload->bytes.len == 0) {
        return QMS_PASS;
    }
    struct outcome o = ask(p->worker, conf, QMS_LIMIT_BYTES, &r, payload->bytes.len, now);
    if (!o.refused) {
        return QMS_PASS;
    }
    *retry_at = o.at;
    qms_peer_throttled(p->peer, THROTTLED_BYTES, ms_until(o.at, now));
    return QMS_DELAY;
}

static enum qms_verdict on_datagram(void *peer_data, const void *conf, struct qms_peer *peer,
                                    enum qms_kind kind, struct qms_bytes target,
                                    struct qms_bytes payload, qms_time now,
                                    struct qms_refusal *why)
{
    struct peer *p = peer_data;
    const struct request r = {
        .peer = peer, .address = qms_peer_address(peer), .kind = kind, .target = target};
    struct outcome o = ask(p->worker, conf, QMS_LIMIT_DATAGRAMS, &r, 1, now);

    (void)payload;
    if (!o.refused) {
        return QMS_PASS;
    }
    why->label = labels[QMS_LIMIT_DATAGRAMS];
    qms_peer_throttled(peer, THROTTLED_DATAGRAMS, ms_until(o.at, now));
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
    .conf_load = load,
    .worker_start = start,
    .worker_stop = stop,
    .worker_tick = tick,
    .on_connect = on_connect,
    .on_disconnect = on_disconnect,
    .on_peer = on_peer,
    .on_open = on_open,
    .on_data = on_data,
    .on_datagram = on_datagram,
};
