/* SPDX-License-Identifier: MIT */
#include "core/conf/restart.h"

#include <string.h>

/* clang-format off */
#define U64(name, field) {(name), offsetof(struct qms_conf, field) + \
                                  0 * sizeof(&((struct qms_conf *)0)->field == (uint64_t *)0)}
#define STR(name, field) {(name), offsetof(struct qms_conf, field) + \
                                  0 * sizeof(&((struct qms_conf *)0)->field == (const char **)0)}

struct field {
    const char *directive;
    size_t offset;
};
/* What the master is started with. */
static const struct field start_numbers[] = {
    U64("daemon", daemon), U64("steering", steering),
    U64("udp_rcvbuf", udp_rcvbuf), U64("udp_sndbuf", udp_sndbuf),
}, start_texts[] = {
    STR("pid", pid_file),
};
/* What a worker is. */
static const struct field worker_numbers[] = {
    U64("seccomp", seccomp), U64("udp_gso", udp_gso), U64("idle_timeout", idle_for),
    U64("handshake_timeout", handshake_for), U64("send_burst", send_burst_for),
    U64("congestion", congestion), U64("priority_guard", priority_guard),
    U64("route_buffer", stream_window), U64("route_buffer", stream_window_max),
    U64("agent_memory", agent_memory), U64("max_streams", max_streams),
    U64("max_datagram", max_datagram), U64("max_udp_payload", max_udp_payload),
    U64("retry_above", retry_above), U64("max_half_open", half_open_max),
    U64("max_resets", max_resets), U64("max_odd_frames", max_odd_frames),
}, worker_texts[] = {
    STR("user", user), STR("user", group),
};
/* clang-format on */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool same_number(const struct qms_conf *a, const struct qms_conf *b, size_t offset)
{
    return memcmp((const char *)a + offset, (const char *)b + offset, sizeof(uint64_t)) == 0;
}

static bool same_text(const struct qms_conf *a, const struct qms_conf *b, size_t offset)
{
    const char *x = *(const char *const *)(const void *)((const char *)a + offset);
    const char *y = *(const char *const *)(const void *)((const char *)b + offset);

    return x == y || (x != NULL && y != NULL && strcmp(x, y) == 0);
}

/* `auto` follows idle_timeout and is not a change of its own. */
static bool same_keepalive(const struct qms_conf *a, const struct qms_conf *b)
{
    return a->keep_alive_for == b->keep_alive_for ||
           (a->keep_alive_for == a->idle_for / 3 && b->keep_alive_for == b->idle_for / 3);
}

static bool same_early_data(const struct qms_conf *a, const struct qms_conf *b)
{
    for (size_t i = 0; i < a->server_count && i < b->server_count; i++) {
        if (a->servers[i].early_data != b->servers[i].early_data) {
            return false;
        }
    }
    return true;
}

static bool same_retry(const struct qms_conf *a, const struct qms_conf *b)
{
    for (size_t i = 0; i < a->server_count && i < b->server_count; i++) {
        if (a->servers[i].retry != b->servers[i].retry) {
            return false;
        }
    }
    return true;
}

struct comparison {
    const struct qms_conf *running, *wanted;
    void (*each)(void *arg, const char *directive);
    void *arg;
    size_t count;
};

static void differs(struct comparison *c, const char *directive)
{
    c->count++;
    c->each(c->arg, directive);
}

static void compare(struct comparison *c, const struct field *fields, size_t count,
                    bool (*same)(const struct qms_conf *a, const struct qms_conf *b,
                                 size_t offset))
{
    const char *last = "";

    for (size_t i = 0; i < count; i++) {
        if (!same(c->running, c->wanted, fields[i].offset) &&
            strcmp(fields[i].directive, last) != 0) { /* two fields may be one directive */
            last = fields[i].directive;
            differs(c, last);
        }
    }
}

size_t qms_conf_restart_each(const struct qms_conf *running, const struct qms_conf *wanted,
                             void (*each)(void *arg, const char *directive), void *arg)
{
    struct comparison c = {running, wanted, each, arg, 0};

    compare(&c, start_numbers, COUNT(start_numbers), same_number);
    compare(&c, start_texts, COUNT(start_texts), same_text);
    return c.count;
}

size_t qms_conf_workers_each(const struct qms_conf *running, const struct qms_conf *wanted,
                             void (*each)(void *arg, const char *directive), void *arg)
{
    struct comparison c = {running, wanted, each, arg, 0};

    compare(&c, worker_numbers, COUNT(worker_numbers), same_number);
    compare(&c, worker_texts, COUNT(worker_texts), same_text);
    if (!same_keepalive(running, wanted)) {
        differs(&c, "keepalive");
    }
    if (!same_early_data(running, wanted)) {
        differs(&c, "early_data");
    }
    if (!same_retry(running, wanted)) {
        differs(&c, "retry");
    }
    return c.count;
}
