/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "fake_diag.h"
#include "modules/limit/rate.h"
#include "modules/limit/seats.h"
#include "qms_test.h"

extern const struct qms_module qms_module_limit;

#define M (&qms_module_limit)

/* The module over memory of ours and a clock that is moved by hand.  The core's part of the
 * interface is here. */
struct fixture {
    uint64_t conf[256], worker[64], peer[256];
    qms_time now;
    struct qms_refusal why;
};

static unsigned told[4];
static uint64_t told_ms;
static const char *peer_id;

struct qms_bytes qms_peer_id(const struct qms_peer *peer)
{
    assert_ptr_equal(peer, (const struct qms_peer *)&told);
    return (struct qms_bytes){(const uint8_t *)peer_id, strlen(peer_id)};
}

/* ---- zones: memory by name, as workers would share it ---- */

struct qms_zone {
    char name[48];
    size_t size;
    void *memory;
};
static struct qms_zone zones[8];
static unsigned zone_count;
static unsigned events;
static const char *last_event;

struct qms_zone *qms_zone_declare(struct qms_diag *diag, const char *name, size_t size)
{
    (void)diag;
    for (unsigned i = 0; i < zone_count; i++) {
        if (strcmp(zones[i].name, name) == 0) {
            return &zones[i];
        }
    }
    assert_true(zone_count < 8);
    struct qms_zone *z = &zones[zone_count++];
    snprintf(z->name, sizeof(z->name), "%s", name);
    z->size = size;
    z->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(z->memory != MAP_FAILED);
    return z;
}
void *qms_zone_memory(const struct qms_zone *zone, size_t *size)
{
    *size = zone->size;
    return zone->memory;
}
static void drop_zones(void)
{
    while (zone_count > 0) {
        zone_count--;
        munmap(zones[zone_count].memory, zones[zone_count].size);
    }
}
static void *allocated[4];
static unsigned allocated_count;
void *qms_conf_alloc(struct qms_diag *diag, size_t size)
{
    (void)diag;
    assert_true(allocated_count < 4);
    return allocated[allocated_count++] = calloc(1, size);
}
uint64_t qms_conf_place(const struct qms_diag *diag)
{
    (void)diag;
    return 77;
}
void qms_worker_count(void *worker, const char *label)
{
    assert_non_null(worker);
    events++;
    last_event = label;
}
static struct sockaddr_storage here;
const void *qms_peer_address(const struct qms_peer *peer)
{
    (void)peer;
    return &here;
}
static const char *target = "bob";
enum qms_kind qms_route_kind(const struct qms_route *route)
{
    (void)route;
    return QMS_KIND_AGENT;
}
struct qms_bytes qms_route_target(const struct qms_route *route)
{
    (void)route;
    return (struct qms_bytes){(const uint8_t *)target, strlen(target)};
}

static struct qms_limits granted;

const struct qms_limits *qms_peer_granted_limits(const struct qms_peer *peer)
{
    assert_ptr_equal(peer, (const struct qms_peer *)&told);
    return &granted;
}

void qms_peer_throttled(struct qms_peer *peer, unsigned what, uint64_t retry_after_ms)
{
    assert_ptr_equal(peer, (struct qms_peer *)&told);
    told[what]++;
    told_ms = retry_after_ms;
}

static const struct qms_directive *row(const char *name)
{
    const struct qms_directive *d = M->directives;

    while (d->name != NULL && strcmp(d->name, name) != 0) {
        d++;
    }
    assert_non_null(d->name);
    return d;
}

static qms_err configure(void *conf, const char *name, const char *a, const char *b)
{
    const struct qms_directive *d = row(name);
    const char *argv[] = {a, b};

    if (d->type == QMS_D_CUSTOM) {
        return d->set(conf, d, b != NULL ? 2 : 1, argv, NULL);
    }
    uint64_t value = strtoull(a, NULL, 10);
    memcpy((char *)conf + d->offset, &value, sizeof(value));
    return QMS_OK;
}

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage ss = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&ss;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;

    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        ss.ss_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
        ss.ss_family = AF_INET6;
    }
    return ss;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_true(M->conf_size <= sizeof(f->conf) && M->worker_size <= sizeof(f->worker) &&
                M->peer_size <= sizeof(f->peer));
    f->now = 7 * QMS_SECOND;
    memset(told, 0, sizeof(told));
    memset(&granted, 0, sizeof(granted));
    events = 0;
    target = "bob";
    here = address("192.0.2.1");
    configure(f->conf, "limit_ipv6_prefix", "64", NULL);
    configure(f->conf, "limit_memory", "4194304", NULL);
    assert_int_equal(M->conf_load(f->conf, NULL), QMS_OK);
    assert_int_equal(M->worker_start(f->worker, f->conf, f->now), QMS_OK);
    peer_id = "alice";
    M->on_peer(f->worker, f->peer, f->conf, (struct qms_peer *)&told, f->now);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    M->worker_stop(f->worker);
    drop_zones();
    while (allocated_count > 0) {
        free(allocated[--allocated_count]);
    }
    free(f);
    return 0;
}

static bool connect_from(struct fixture *f, const char *text)
{
    struct sockaddr_storage ss = address(text);
    return M->on_connect(f->worker, f->conf, &ss, f->now, &f->why) == QMS_PASS;
}

static void disconnect_from(struct fixture *f, const char *text)
{
    struct sockaddr_storage ss = address(text);
    M->on_disconnect(f->worker, f->conf, &ss, f->now);
}

static bool open_stream(struct fixture *f)
{
    return M->on_open(NULL, f->peer, f->conf, NULL, f->now, &f->why) == QMS_PASS;
}

/* The instant at which credit may come back; 0: at once. */
static qms_time send_bytes(struct fixture *f, size_t len)
{
    qms_time at = 0;
    const struct qms_payload payload = {.forward = true, .bytes = {NULL, len}};
    enum qms_verdict v =
        M->on_data(NULL, f->peer, f->conf, NULL, &payload, f->now, &at, &f->why);

    assert_int_equal(v, at == 0 ? QMS_PASS : QMS_DELAY);
    return at;
}

static void an_address_gets_as_many_connections_as_allowed(void **state)
{
    struct fixture *f = *state;

    configure(f->conf, "limit_connections_per_address", "2", NULL);
    assert_true(connect_from(f, "192.0.2.1"));
    assert_true(connect_from(f, "192.0.2.1"));
    assert_false(connect_from(f, "192.0.2.1"));
    assert_string_equal(f->why.label, "connections_per_address");
    assert_true(connect_from(f, "192.0.2.2"));
    disconnect_from(f, "192.0.2.1");
    assert_true(connect_from(f, "192.0.2.1"));
}

static void ipv6_counts_by_its_first_64_bits(void **state)
{
    struct fixture *f = *state;

    configure(f->conf, "limit_connections_per_address", "1", NULL);
    assert_true(connect_from(f, "2001:db8:1:2::1"));
    assert_false(connect_from(f, "2001:db8:1:2:ffff::9"));
    assert_true(connect_from(f, "2001:db8:1:3::1"));
}

static void ipv4_inside_ipv6_is_the_same_address(void **state)
{
    struct fixture *f = *state;

    configure(f->conf, "limit_connections_per_address", "1", NULL);
    assert_true(connect_from(f, "::ffff:192.0.2.1"));
    assert_false(connect_from(f, "192.0.2.1"));
    assert_true(connect_from(f, "::ffff:192.0.2.2"));
}

static void the_total_is_limited_and_zero_is_unlimited(void **state)
{
    struct fixture *f = *state;
    char text[32];

    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "10.0.0.%d", i);
        assert_true(connect_from(f, text));
    }
    configure(f->conf, "limit_connections", "101", NULL);
    assert_true(connect_from(f, "10.0.1.1"));
    assert_false(connect_from(f, "10.0.1.2"));
    assert_string_equal(f->why.label, "connections");
    disconnect_from(f, "10.0.0.5");
    assert_true(connect_from(f, "10.0.1.2"));
}

static void streams_over_the_rate_are_refused_until_the_moment_told(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(configure(f->conf, "limit_streams", "10/s", "burst=3"), QMS_OK);
    for (int i = 0; i < 3; i++) {
        assert_true(open_stream(f));
    }
    assert_false(open_stream(f));
    assert_int_equal(f->why.code, QMS_CODE_RATE_LIMITED);
    assert_int_equal(f->why.retry_after_ms, 100);
    assert_int_equal(told[1], 1);
    assert_int_equal(told_ms, 100);
    f->now += 99 * QMS_MILLISECOND;
    assert_false(open_stream(f));
    f->now += QMS_MILLISECOND;
    assert_true(open_stream(f));
    assert_false(open_stream(f));
}

static void what_is_granted_goes_before_what_is_configured(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(configure(f->conf, "limit_streams", "1000/s", "burst=1000"), QMS_OK);
    granted.streams = (struct qms_limit_rate){10, 2};
    assert_true(open_stream(f));
    assert_true(open_stream(f));
    assert_false(open_stream(f));
    assert_int_equal(f->why.retry_after_ms, 100);
    /* More than is configured too, and where nothing is. */
    granted.streams = (struct qms_limit_rate){5000, 5000};
    for (int i = 0; i < 2000; i++) {
        assert_true(open_stream(f));
    }
    granted.bytes = (struct qms_limit_rate){1000, 0};
    assert_int_equal(send_bytes(f, 1000), 0);
    assert_int_equal(send_bytes(f, 500), f->now + QMS_SECOND / 2);
    granted.bytes = (struct qms_limit_rate){0, 0};
    assert_int_equal(send_bytes(f, 100000), 0);
}

static void over_ten_seconds_the_rate_is_exact(void **state)
{
    struct fixture *f = *state;
    int passed = 0;

    assert_int_equal(configure(f->conf, "limit_streams", "200/s", "burst=1"), QMS_OK);
    for (qms_time end = f->now + 10 * QMS_SECOND; f->now < end; f->now += QMS_MILLISECOND) {
        passed += open_stream(f);
    }
    assert_int_equal(passed, 2000);
}

static void bytes_are_delayed_by_what_they_cost(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(configure(f->conf, "limit_bytes", "1000/s", "burst=500"), QMS_OK);
    assert_int_equal(send_bytes(f, 500), 0);
    assert_int_equal(send_bytes(f, 100), f->now + QMS_SECOND / 10);
    assert_int_equal(send_bytes(f, 1000), f->now + 11 * QMS_SECOND / 10);
    assert_int_equal(told[2], 2);
    f->now += 2 * QMS_SECOND;
    assert_int_equal(send_bytes(f, 500), 0);
    assert_int_equal(send_bytes(f, 1), f->now + QMS_MILLISECOND);
}

static enum qms_verdict datagram(struct fixture *f, void *peer)
{
    struct qms_refusal why = {0};
    enum qms_verdict v =
        M->on_datagram(peer, f->conf, (struct qms_peer *)&told, QMS_KIND_AGENT,
                       (struct qms_bytes){0}, (struct qms_bytes){0}, f->now, &why);

    assert_true(v == QMS_PASS || strcmp(why.label, "limit_datagrams") == 0);
    return v;
}

static void datagrams_over_the_rate_are_dropped(void **state)
{
    struct fixture *f = *state;
    int passed = 0;

    assert_int_equal(configure(f->conf, "limit_datagrams", "5", "burst=5"), QMS_OK);
    for (int i = 0; i < 20; i++) {
        passed += datagram(f, f->peer) == QMS_PASS;
    }
    assert_int_equal(passed, 5);
    assert_int_equal(told[3], 15);
}

/* The same agent, or another, connects with nothing but its id. */
static void reconnect(struct fixture *f, const char *id)
{
    memset(f->peer, 0, sizeof(f->peer));
    peer_id = id;
    M->on_peer(f->worker, f->peer, f->conf, (struct qms_peer *)&told, f->now);
}

static void connecting_again_forgives_nothing(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(configure(f->conf, "limit_streams", "1/s", "burst=2"), QMS_OK);
    assert_true(open_stream(f) && open_stream(f));
    reconnect(f, "alice");
    assert_false(open_stream(f));
    reconnect(f, "bob");
    assert_true(open_stream(f));
    f->now += QMS_SECOND;
    M->worker_tick(f->worker, f->conf, f->now);
    reconnect(f, "alice");
    assert_true(open_stream(f));
    assert_false(open_stream(f));
}

static void connections_of_one_id_share_its_account(void **state)
{
    struct fixture *f = *state;
    uint64_t second[256] = {0}, first[256];

    assert_int_equal(configure(f->conf, "limit_datagrams", "1/s", "burst=2"), QMS_OK);
    M->on_peer(f->worker, second, f->conf, (struct qms_peer *)&told, f->now);
    memcpy(first, f->peer, sizeof(first));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(datagram(f, i == 0 ? first : second), QMS_PASS);
    }
    assert_int_equal(datagram(f, f->peer), QMS_REJECT);
}

/* ---- several workers ---- */

#define WORKERS 4
struct shared {
    uint64_t clock, passed, denied;
};

/* One worker: asks for a stream each time the clock is moved on, by whomever. */
static void work(struct fixture *f, struct shared *s, qms_time end)
{
    qms_time at;

    while ((at = __atomic_fetch_add(&s->clock, QMS_SECOND / 10000, __ATOMIC_SEQ_CST)) < end) {
        f->now = at;
        __atomic_fetch_add(open_stream(f) ? &s->passed : &s->denied, 1, __ATOMIC_SEQ_CST);
    }
}

static void four_workers_together_keep_to_the_rate(void **state)
{
    struct fixture *f = *state;
    struct shared *s =
        mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    qms_time begin = f->now, end = begin + 10 * QMS_SECOND;
    int status;

    assert_true(s != MAP_FAILED);
    s->clock = begin;
    assert_int_equal(configure(f->conf, "limit_streams", "2000/s", "burst=10"), QMS_OK);
    for (int i = 0; i < WORKERS; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            work(f, s, end);
            _exit(0);
        }
    }
    for (int i = 0; i < WORKERS; i++) {
        assert_true(wait(&status) > 0 && status == 0);
    }
    /* 2 % of 10 s at 2,000/s; buckets of each worker alone would let four times as many pass.
     */
    assert_in_range(s->passed, 19600, 20410);
    assert_true(s->denied > 70000);
    munmap(s, sizeof(*s));
}

static void connections_count_in_all_workers(void **state)
{
    struct fixture *f = *state;
    struct fixture *g = calloc(1, sizeof(*g));

    assert_non_null(g);
    memcpy(g->conf, f->conf, sizeof(g->conf));
    g->now = f->now;
    assert_int_equal(M->worker_start(g->worker, g->conf, g->now), QMS_OK);
    configure(f->conf, "limit_connections_per_address", "3", NULL);
    configure(f->conf, "limit_connections", "5", NULL);
    memcpy(g->conf, f->conf, sizeof(g->conf));
    assert_true(connect_from(f, "10.0.0.1"));
    assert_true(connect_from(g, "10.0.0.1"));
    assert_true(connect_from(g, "10.0.0.1"));
    assert_false(connect_from(f, "10.0.0.1"));
    assert_string_equal(f->why.label, "connections_per_address");
    assert_false(connect_from(g, "10.0.0.1"));
    assert_true(connect_from(f, "10.0.0.2"));
    assert_true(connect_from(f, "10.0.0.3"));
    assert_false(connect_from(g, "10.0.0.4"));
    assert_string_equal(g->why.label, "connections");
    disconnect_from(f, "10.0.0.1");
    assert_true(connect_from(g, "10.0.0.1"));
    /* A worker that has died holds nothing after a while; one that lives renews. */
    for (int i = 0; i < 20; i++) {
        f->now += QMS_SECOND;
        M->worker_tick(f->worker, f->conf, f->now);
    }
    assert_true(connect_from(f, "10.0.0.1"));
    assert_true(connect_from(f, "10.0.0.1"));
    assert_true(connect_from(f, "10.0.0.1"));
    assert_false(connect_from(f, "10.0.0.4"));
    assert_string_equal(f->why.label, "connections");
    disconnect_from(f, "10.0.0.1");
    assert_true(connect_from(f, "10.0.0.1"));
    M->worker_stop(g->worker);
    free(g);
}

static void handshakes_are_limited_by_address(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(configure(f->conf, "limit_handshakes", "1/s", "burst=3"), QMS_OK);
    for (int i = 0; i < 3; i++) {
        assert_true(connect_from(f, "10.0.0.1"));
        disconnect_from(f, "10.0.0.1");
    }
    assert_false(connect_from(f, "10.0.0.1"));
    assert_string_equal(f->why.label, "limit_handshakes");
    assert_true(connect_from(f, "10.0.0.2"));
    assert_true(connect_from(f, "2001:db8::1"));
    f->now += QMS_SECOND;
    assert_true(connect_from(f, "10.0.0.1"));
}

static void a_dry_run_only_counts(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(configure(f->conf, "limit_streams", "1/s", "burst=1"), QMS_OK);
    configure(f->conf, "limit_connections_per_address", "1", NULL);
    assert_int_equal(configure(f->conf, "limit_bytes", "1/s", "burst=1"), QMS_OK);
    configure(f->conf, "limit_dry_run", "1", NULL);
    assert_true(open_stream(f));
    assert_int_equal(events, 0);
    assert_true(open_stream(f));
    assert_int_equal(events, 1);
    assert_string_equal(last_event, "limit_streams_dry_run");
    assert_int_equal(send_bytes(f, 1000), 0);
    assert_string_equal(last_event, "limit_bytes_dry_run");
    assert_true(connect_from(f, "10.0.0.1"));
    assert_true(connect_from(f, "10.0.0.1"));
    assert_string_equal(last_event, "limit_address_dry_run");
    disconnect_from(f, "10.0.0.1");
    disconnect_from(f, "10.0.0.1");
    assert_int_equal(told[1] + told[2], 0);
}

/* ---- zones of the operator ---- */

static qms_err words(void *conf, const char *name, const char *text)
{
    const struct qms_directive *d = row(name);
    static char copies[32][256];
    static unsigned next;
    const char *argv[16];
    int argc = 0;
    char *save = NULL, *copy = copies[next++ % 32];

    snprintf(copy, 256, "%s", text);
    for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
        argv[argc++] = w;
    }
    assert_true(argc >= (int)d->args_min && argc <= (int)d->args_max);
    diag_text[0] = '\0';
    return d->set(conf, d, argc, argv, NULL);
}

static void a_zone_counts_by_its_key(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(words(f->conf, "limits_zone", "z key=$address$target size=64k"), QMS_OK);
    assert_int_equal(words(f->conf, "rate", "zone=z opens=1/s burst=2 bytes=1000"), QMS_OK);
    assert_int_equal(M->conf_load(f->conf, NULL), QMS_OK);
    assert_true(open_stream(f) && open_stream(f));
    assert_false(open_stream(f));
    target = "carol";
    assert_true(open_stream(f));
    target = "bob";
    reconnect(f, "somebody-else"); /* the same address */
    assert_false(open_stream(f));
    here = address("192.0.2.2");
    assert_true(open_stream(f));
    assert_int_equal(send_bytes(f, 1000), 0);
    assert_int_equal(send_bytes(f, 500), f->now + QMS_SECOND / 2);
}

static void all_rates_of_a_block_hold(void **state)
{
    struct fixture *f = *state;
    uint64_t inner[256] = {0};

    assert_int_equal(words(f->conf, "limits_zone", "a key=$agent"), QMS_OK);
    assert_int_equal(words(f->conf, "limits_zone", "all key=$route"), QMS_OK);
    assert_int_equal(words(f->conf, "rate", "zone=a opens=10/s burst=10"), QMS_OK);
    assert_int_equal(words(f->conf, "rate", "zone=all opens=10/s burst=3"), QMS_OK);
    assert_int_equal(M->conf_load(f->conf, NULL), QMS_OK);
    for (int i = 0; i < 3; i++) {
        assert_true(open_stream(f));
    }
    assert_false(open_stream(f));
    reconnect(f, "bert");
    assert_false(open_stream(f));
    /* A block with rates of its own has none of those around it. */
    configure(inner, "limit_memory", "4194304", NULL);
    assert_int_equal(words(inner, "rate", "zone=a opens=1/s burst=1 dry_run"), QMS_OK);
    assert_int_equal(M->conf_merge(inner, f->conf, NULL), QMS_OK);
    assert_int_equal(M->conf_load(inner, NULL), QMS_OK);
    memcpy(f->conf, inner, sizeof(inner));
    for (int i = 0; i < 50; i++) {
        assert_true(open_stream(f));
    }
    assert_true(events > 0);
}

static void bad_zones_and_rates_say_what_was_expected(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name, *text, *error;
    } bad[] = {
        {"limits_zone", "a b", "\"b\" is not valid in \"limits_zone\"; here it takes key= and"},
        {"limits_zone", "a kye=$agent", "Did you mean \"key\"?"},
        {"limits_zone", "a key=$agents", "here it takes key= with $agent, $address"},
        {"limits_zone", "a key=$agent$agent", "here it takes key= with $agent"},
        {"limits_zone", "a key=", "here it takes key= with $agent"},
        {"limits_zone", "a! key=$agent", "here it takes a name of letters"},
        {"limits_zone", "z key=$agent", "here it takes a name that is not taken"},
        {"limits_zone", "a key=$agent size=1k", "here it takes size= of 64k to 1g"},
        {"limits_zone", "a size=1m", "needs key="},
        {"rate", "opens=1/s zone=z", "here it takes zone=NAME first"},
        {"rate", "zone=z open=1/s", "Did you mean \"opens\"?"},
        {"rate", "zone=z opens=fast", "is no rate"},
        {"rate", "zone=z opens=1/s opens=2/s", "each once"},
        {"rate", "zone=z burst=5", "burst= with an amount like 400, behind a rate"},
        {"rate", "zone=z opens=1/s burst=x", "burst= with an amount"},
        {"rate", "zone=z opens=1/s dryrun", "Did you mean \"dry_run\"?"},
    };

    assert_int_equal(words(f->conf, "limits_zone", "z key=$agent"), QMS_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(words(f->conf, bad[i].name, bad[i].text), QMS_E_CONFIG);
        if (strstr(diag_text, bad[i].error) == NULL) {
            fail_msg("\"%s\" instead of \"%s\"", diag_text, bad[i].error);
        }
    }
    assert_int_equal(words(f->conf, "rate", "zone=zz opens=1/s"), QMS_OK);
    assert_int_equal(M->conf_load(f->conf, NULL), QMS_E_CONFIG);
    assert_non_null(strstr(diag_text, "There is no \"limits_zone\" of the name \"zz\"."));
}

static void handshakes_need_a_key_that_is_known_by_then(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(words(f->conf, "limits_zone", "z key=$agent$address"), QMS_OK);
    assert_int_equal(words(f->conf, "rate", "zone=z handshakes=1/s"), QMS_OK);
    assert_int_equal(M->conf_load(f->conf, NULL), QMS_E_CONFIG);
    assert_non_null(strstr(diag_text, "\"handshakes\" in \"rate\" needs a zone with"));
}

static void nothing_is_limited_unless_it_is_written(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 10000; i++) {
        assert_true(open_stream(f));
        assert_int_equal(send_bytes(f, 1 << 20), 0);
    }
    assert_int_equal(configure(f->conf, "limit_streams", "off", NULL), QMS_OK);
    assert_true(open_stream(f));
    assert_int_equal(told[1] + told[2] + told[3], 0);
}

static void a_year_of_idling_and_the_largest_rates_do_not_overflow(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(configure(f->conf, "limit_bytes", "1000g/s", "burst=3g"), QMS_OK);
    assert_true(send_bytes(f, SIZE_MAX) - f->now < 2 * QMS_MILLISECOND);
    f->now += 365 * 24 * 3600 * QMS_SECOND;
    assert_int_equal(send_bytes(f, 1), 0);
    assert_int_equal(configure(f->conf, "limit_bytes", "1/s", "burst=1"), QMS_OK);
    assert_true(send_bytes(f, UINT32_MAX) > f->now);
}

static void inner_blocks_inherit_what_they_do_not_write(void **state)
{
    struct fixture *f = *state;
    uint64_t inner[256] = {0};

    assert_int_equal(configure(f->conf, "limit_streams", "1", "burst=1"), QMS_OK);
    assert_int_equal(configure(f->conf, "limit_bytes", "1", "burst=1"), QMS_OK);
    assert_int_equal(configure(inner, "limit_bytes", "off", NULL), QMS_OK);
    configure(inner, "limit_memory", "4194304", NULL);
    assert_int_equal(M->conf_merge(inner, f->conf, NULL), QMS_OK);
    assert_int_equal(M->conf_load(inner, NULL), QMS_OK);
    memcpy(f->conf, inner, sizeof(inner));
    assert_true(open_stream(f));
    assert_false(open_stream(f));
    assert_int_equal(send_bytes(f, 1 << 20), 0);
}

static void bad_rates_are_refused_with_a_sentence(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[][2] = {{"", NULL},
                                         {"x", NULL},
                                         {"-1", NULL},
                                         {"10/m", NULL},
                                         {"1.5", NULL},
                                         {"0", NULL},
                                         {"k", NULL},
                                         {"99999999999999999999", NULL},
                                         {"2000g/s", NULL},
                                         {"1kk", NULL},
                                         {"5", "400"},
                                         {"5", "burst="},
                                         {"5", "burst=0"},
                                         {"5", "burst=x"},
                                         {"5", "burst=9g"},
                                         {"off", "burst=5"},
                                         {"18446744073709551615g", NULL}};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        diag_text[0] = '\0';
        assert_int_equal(configure(f->conf, "limit_streams", bad[i][0], bad[i][1]),
                         QMS_E_CONFIG);
        assert_non_null(strstr(diag_text, "limit_streams"));
    }
    assert_int_equal(configure(f->conf, "limit_bytes", "20m/s", "burst=1m"), QMS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(an_address_gets_as_many_connections_as_allowed),
        QMS_TEST(ipv6_counts_by_its_first_64_bits),
        QMS_TEST(ipv4_inside_ipv6_is_the_same_address),
        QMS_TEST(the_total_is_limited_and_zero_is_unlimited),
        QMS_TEST(streams_over_the_rate_are_refused_until_the_moment_told),
        QMS_TEST(what_is_granted_goes_before_what_is_configured),
        QMS_TEST(over_ten_seconds_the_rate_is_exact),
        QMS_TEST(bytes_are_delayed_by_what_they_cost),
        QMS_TEST(datagrams_over_the_rate_are_dropped),
        QMS_TEST(connecting_again_forgives_nothing),
        QMS_TEST(connections_of_one_id_share_its_account),
        QMS_TEST(four_workers_together_keep_to_the_rate),
        QMS_TEST(connections_count_in_all_workers),
        QMS_TEST(handshakes_are_limited_by_address),
        QMS_TEST(a_dry_run_only_counts),
        QMS_TEST(a_zone_counts_by_its_key),
        QMS_TEST(all_rates_of_a_block_hold),
        QMS_TEST(bad_zones_and_rates_say_what_was_expected),
        QMS_TEST(handshakes_need_a_key_that_is_known_by_then),
        QMS_TEST(nothing_is_limited_unless_it_is_written),
        QMS_TEST(a_year_of_idling_and_the_largest_rates_do_not_overflow),
        QMS_TEST(inner_blocks_inherit_what_they_do_not_write),
        QMS_TEST(bad_rates_are_refused_with_a_sentence),
    };
    return cmocka_run_group_tests_name("mod_limit", tests, NULL, NULL);
}
