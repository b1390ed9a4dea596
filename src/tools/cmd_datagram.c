/* SPDX-License-Identifier: MIT */
/* datagram: sends one, then pings: the answer says that the datagram has left, which is all
 * that can be known of one. */
#include <string.h>

#include "agent.h"

static void ready(struct agent *a)
{
    struct qms_bytes text = {(const uint8_t *)a->args.text, strlen(a->args.text)};
    size_t max = qms_datagram_max(a->conn, a->args.target.name);
    qms_err err = qms_datagram_send(a->conn, a->args.target.kind, a->args.target.name,
                                    a->args.priority, text);

    if (err == QMS_E_TOO_LARGE) {
        agent_error(a, "The text has %zu bytes; a datagram to %s takes %zu.", text.len,
                    agent_target_text(a), max);
        agent_finish(a, EXIT_USAGE);
    } else if (err != QMS_OK || (err = qms_connection_ping(a->conn)) != QMS_OK) {
        agent_error(a, "The datagram to %s was not sent: %s", agent_target_text(a),
                    qms_strerror(err));
        agent_finish(a, EXIT_STREAM);
    }
}

static void pong(struct agent *a, qms_time round_trip)
{
    size_t len = strlen(a->args.text);

    (void)round_trip;
    agent_say(a, "datagram of %zu bytes to %s has left", len, agent_target_text(a));
    agent_json(a, json_pack("{s:s, s:s, s:I}", "event", "sent", "target", a->args.target.name,
                            "bytes", (json_int_t)len));
    agent_finish(a, EXIT_OK);
}

static const struct agent_hooks hooks = {.ready = ready, .pong = pong};

const struct agent_hooks *cmd_datagram_start(struct agent *a)
{
    (void)a;
    return &hooks;
}
