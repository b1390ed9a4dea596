/* SPDX-License-Identifier: MIT */
#include "core/conf/restart.h"

#include <string.h>

/* clang-format off */
#define U64(name, field) {(name), offsetof(struct qms_conf, field) + \
                                  0 * sizeof(&((struct qms_conf *)0)->field == (uint64_t *)0)}
#define STR(name, field) {(name), offsetof(struct qms_conf, field) + \
                                  0 * sizeof(&((struct qms_conf *)0)->field == (const char **)0)}

static const struct field {
    const char *directive;
    size_t offset;
} numbers[] = {
    U64("daemon", daemon), U64("seccomp", seccomp),
    U64("steering", steering), U64("udp_rcvbuf", udp_rcvbuf), U64("udp_sndbuf", udp_sndbuf), U64("udp_gso", udp_gso),
    U64("idle_timeout", idle_for),
    U64("handshake_timeout", handshake_for), U64("send_burst", send_burst_for),
    U64("congestion", congestion), U64("priority_guard", priority_guard),
    U64("route_buffer", stream_window), U64("route_buffer", stream_window_max),
    U64("agent_memory", agent_memory), U64("max_streams", max_streams),
    U64("max_datagram", max_datagram), U64("max_udp_payload", max_udp_payload),
    U64("retry_above", retry_above), U64("max_half_open", half_open_max),
    U64("max_resets", max_resets), U64("max_odd_frames", max_odd_frames),
}, texts[] = {
    STR("user", user), STR("user", group), STR("pid", pid_file),
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

size_t qms_conf_restart_each(const struct qms_conf *running, const struct qms_conf *wanted,
                             void (*each)(void *arg, const char *directive), void *arg)
{
    const char *last = "";
    size_t count = 0;

    for (size_t i = 0; i < COUNT(numbers) + COUNT(texts); i++) {
        bool number = i < COUNT(numbers);
        const struct field *f = number ? &numbers[i] : &texts[i - COUNT(numbers)];
        bool same = number ? same_number(running, wanted, f->offset)
                           : same_text(running, wanted, f->offset);
        if (!same && strcmp(f->directive, last) != 0) { /* two fields may be one directive */
            last = f->directive;
            count++;
            each(arg, f->directive);
        }
    }
    if (!same_keepalive(running, wanted)) {
        count++;
        each(arg, "keepalive");
    }
    if (!same_early_data(running, wanted)) {
        count++;
        each(arg, "early_data");
    }
    if (!same_retry(running, wanted)) {
        count++;
        each(arg, "retry");
    }
    return count;
}
