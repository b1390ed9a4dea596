/* SPDX-License-Identifier: MIT */
/* Opening the stream of a command, and what is said when it fails. */
#include <stdio.h>
#include <string.h>

#include "agent.h"

const char *agent_target_text(const struct agent *a)
{
    static const char *const kinds[] = {
        [QMS_KIND_SELF] = "the broker", [QMS_KIND_AGENT] = "agent",
        [QMS_KIND_GROUP] = "group",     [QMS_KIND_TOPIC] = "topic",
        [QMS_KIND_SERVICE] = "service",
    };
    static char text[QMS_NAME_MAX + 32];

    (void)snprintf(text, sizeof(text), "%s \"%s\"", kinds[a->args.target.kind],
                   a->args.target.name);
    return text;
}

struct qms_stream *agent_open(struct agent *a, unsigned flags, uint64_t length,
                              const struct qms_stream_callbacks *callbacks, void *arg)
{
    struct qms_open *p = qms_open_new();
    struct qms_stream *st = NULL;
    const char *meta = a->args.meta == NULL ? "" : a->args.meta;
    qms_err err = p == NULL ? QMS_E_NOMEM : QMS_OK;

    if (err == QMS_OK) {
        err = qms_open_set_meta(p, (struct qms_bytes){(const uint8_t *)meta, strlen(meta)});
    }
    if (err == QMS_OK && length != UINT64_MAX) {
        err = qms_open_set_length_hint(p, length);
    }
    if (err == QMS_OK && a->args.stream_token != NULL) {
        const char *token = a->args.stream_token;
        err = qms_open_set_stream_token(
            p, (struct qms_bytes){(const uint8_t *)token, strlen(token)});
    }
    if (err == QMS_OK && a->args.traceparent != NULL) {
        err = qms_open_set_traceparent(p, a->args.traceparent);
    }
    if (err == QMS_OK) {
        err = qms_stream_open(a->conn, a->args.target.kind, a->args.target.name, flags,
                              a->args.priority, p, callbacks, arg, &st);
    }
    qms_open_free(p);
    if (err != QMS_OK) {
        agent_error(a, "No stream to %s could be opened: %s", agent_target_text(a),
                    err == QMS_E_TOO_LARGE ? "--meta is longer than 2048 bytes."
                                           : qms_strerror(err));
        agent_finish(a, err == QMS_E_TOO_LARGE ? EXIT_USAGE : EXIT_STREAM);
    }
    return st;
}

int agent_stream_exit(qms_err err)
{
    switch ((int)err) {
    case QMS_OK:
        return EXIT_OK;
    case QMS_E_WIRE_UNAUTHENTICATED:
    case QMS_E_WIRE_FORBIDDEN:
    case QMS_E_WIRE_NOT_FOUND:
    case QMS_E_WIRE_OFFLINE:
    case QMS_E_WIRE_REJECTED:
    case QMS_E_WIRE_BUSY:
    case QMS_E_WIRE_RATE_LIMITED:
    case QMS_E_WIRE_TOO_LARGE:
    case QMS_E_WIRE_UNSUPPORTED:
    case QMS_E_WIRE_GOING_AWAY:
    case QMS_E_WIRE_LOOP:
        return EXIT_TARGET;
    case QMS_E_WIRE_TIMEOUT:
        return EXIT_TIMEOUT;
    case QMS_E_NOMEM:
        return EXIT_LOCAL;
    default:
        return EXIT_STREAM;
    }
}

static const char *what_to_do(qms_err err)
{
    switch ((int)err) {
    case QMS_E_WIRE_OFFLINE:
        return " Start it and try again.";
    case QMS_E_WIRE_NOT_FOUND:
        return " Check the name.";
    case QMS_E_WIRE_FORBIDDEN:
        return " The token of this agent does not allow it.";
    case QMS_E_WIRE_BUSY:
    case QMS_E_WIRE_RATE_LIMITED:
        return " Try again later.";
    case QMS_E_WIRE_PEER_GONE:
        return " What it had received is not the whole.";
    default:
        return "";
    }
}

void agent_stream_failed(struct agent *a, const struct qms_stream *st, qms_err err)
{
    struct qms_bytes reason = st == NULL ? (struct qms_bytes){0} : qms_stream_result_reason(st);
    char safe[1100];

    if (a->finished) {
        return;
    }
    (void)agent_escape(reason, safe, sizeof(safe));
    agent_error(a, "The stream to %s failed (%s): %s%s%s%s%s", agent_target_text(a),
                qms_err_name(err), qms_strerror(err), reason.len > 0 ? " (" : "", safe,
                reason.len > 0 ? ")" : "", what_to_do(err));
    agent_json(a, json_pack("{s:s, s:s, s:s}", "event", "failed", "error", qms_err_name(err),
                            "target", a->args.target.name));
    agent_finish(a, agent_stream_exit(err));
}
