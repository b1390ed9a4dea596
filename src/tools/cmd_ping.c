/* SPDX-License-Identifier: MIT */
/* ping: the round trip to the broker over CONTROL; stats: the connection's figures after one.
 */
#include <stdlib.h>

#include "agent.h"

#define PINGS      4
#define PING_EVERY (200 * QMS_MILLISECOND)

struct ping {
    uint64_t sent, answered;
    qms_time min, max, sum;
};

static void send_one(struct agent *a)
{
    qms_err err = qms_connection_ping(a->conn);

    if (err != QMS_OK) {
        agent_error(a, "No ping could be sent: %s", qms_strerror(err));
        agent_finish(a, EXIT_STREAM);
    }
}

static void ping_ready(struct agent *a)
{
    ((struct ping *)a->state)->sent++;
    send_one(a);
}

static void ping_pong(struct agent *a, qms_time rtt)
{
    struct ping *p = a->state;
    uint64_t wanted = a->args.count > 0 ? a->args.count : PINGS;

    p->answered++;
    p->min = p->answered == 1 || rtt < p->min ? rtt : p->min;
    p->max = rtt > p->max ? rtt : p->max;
    p->sum += rtt;
    agent_say(a, "answer %llu: %.3f ms", (unsigned long long)p->answered, (double)rtt / 1e6);
    agent_json(a, json_pack("{s:s, s:f}", "event", "pong", "ms", (double)rtt / 1e6));
    if (p->answered < wanted) {
        a->tick_at = agent_now() + PING_EVERY;
        return;
    }
    agent_say(a, "round trip min %.3f, mean %.3f, max %.3f ms", (double)p->min / 1e6,
              (double)p->sum / (double)p->answered / 1e6, (double)p->max / 1e6);
    agent_finish(a, EXIT_OK);
}

static void ping_end(struct agent *a)
{
    free(a->state);
}

static const struct agent_hooks ping_hooks = {
    .ready = ping_ready, .pong = ping_pong, .tick = ping_ready, .end = ping_end};

const struct agent_hooks *cmd_ping_start(struct agent *a)
{
    a->state = calloc(1, sizeof(struct ping));
    if (a->state == NULL) {
        agent_error(a, "Out of memory.");
        return NULL;
    }
    return &ping_hooks;
}

static void stats_pong(struct agent *a, qms_time rtt)
{
    uint64_t v[QMS_CONNECTION_STAT_COUNT];
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s}", "event", "stats", "id", qms_connection_id(a->conn), "remote",
        qms_connection_remote_address(a->conn), "local", qms_connection_local_address(a->conn));

    (void)rtt;
    qms_connection_stats(a->conn, v, QMS_CONNECTION_STAT_COUNT);
    agent_say(a, "%-24s %s", "id", qms_connection_id(a->conn));
    agent_say(a, "%-24s %s", "remote_address", qms_connection_remote_address(a->conn));
    agent_say(a, "%-24s %s", "local_address", qms_connection_local_address(a->conn));
    for (unsigned i = 0; i < QMS_CONNECTION_STAT_COUNT; i++) {
        agent_say(a, "%-24s %llu", qms_connection_stat_name(i), (unsigned long long)v[i]);
        if (object != NULL) {
            (void)json_object_set_new(object, qms_connection_stat_name(i),
                                      json_integer((json_int_t)v[i]));
        }
    }
    agent_json(a, object);
    agent_finish(a, EXIT_OK);
}

static const struct agent_hooks stats_hooks = {.ready = send_one, .pong = stats_pong};

const struct agent_hooks *cmd_stats_start(struct agent *a)
{
    (void)a;
    return &stats_hooks;
}
