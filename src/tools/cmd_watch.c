/* SPDX-License-Identifier: MIT */
/* watch: prints who is there, and then who comes and goes. */
#include <stdlib.h>

#include "agent.h"

struct watch {
    uint64_t id, told;
};

static void on_watched(struct qms_connection *c, void *arg, qms_err err)
{
    struct agent *a = arg;

    (void)c;
    if (err != QMS_OK && !a->finished) {
        agent_error(a, "Agents \"%s*\" cannot be watched: %s", a->args.prefix,
                    qms_strerror(err));
        agent_finish(a, EXIT_TARGET);
    }
}

static void ready(struct agent *a)
{
    struct watch *w = a->state;
    qms_err err = qms_connection_watch(a->conn, a->args.prefix, on_watched, a, &w->id);

    if (err != QMS_OK) {
        on_watched(a->conn, a, err);
    }
}

static void presence(struct agent *a, unsigned what, const char *id)
{
    struct watch *w = a->state;

    if (what == QMS_PRESENCE_SNAPSHOT_END) {
        agent_say(a, "these are all; now what changes");
        agent_json(a, json_pack("{s:s}", "event", "snapshot_end"));
        return;
    }
    agent_say(a, "%s %s", what == QMS_PRESENCE_ONLINE ? "online " : "offline", id);
    agent_json(a, json_pack("{s:s, s:s, s:b}", "event", "presence", "agent", id, "online",
                            what == QMS_PRESENCE_ONLINE));
    if (a->args.count > 0 && ++w->told >= a->args.count) {
        agent_finish(a, EXIT_OK);
    }
}

/* Ctrl-C is how watching ends. */
static void interrupted(struct agent *a)
{
    agent_finish(a, EXIT_OK);
}

static void end(struct agent *a)
{
    free(a->state);
}

static const struct agent_hooks hooks = {
    .ready = ready, .presence = presence, .interrupted = interrupted, .end = end};

const struct agent_hooks *cmd_watch_start(struct agent *a)
{
    a->state = calloc(1, sizeof(struct watch));
    if (a->state == NULL) {
        agent_error(a, "Out of memory.");
        return NULL;
    }
    return &hooks;
}
