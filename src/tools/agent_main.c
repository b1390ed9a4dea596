/* SPDX-License-Identifier: MIT */
/* quicms-agent: connects as one agent and runs one command. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent.h"
#include "agent_loop.h"

/* ---- options ---- */

/* The first line of the file, without its end. */
static bool read_token(struct agent *a, const char *path, char *out, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, out, cap - 1);

    if (len < 0) {
        agent_error(a, "The token file \"%s\" cannot be read: %s.", path, strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (len < 0) {
        return false;
    }
    out[len] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    if (out[0] == '\0') {
        agent_error(a, "The token file \"%s\" is empty.", path);
    }
    return out[0] != '\0';
}

static int set_token(struct agent *a, struct qms_options *o)
{
    char from_file[8194];
    const char *token = a->args.token;

    if (a->args.token_file != NULL) {
        if (!read_token(a, a->args.token_file, from_file, sizeof(from_file))) {
            return EXIT_LOCAL;
        }
        token = from_file;
    }
    if (qms_options_set_token(o, token) == QMS_E_TOO_LARGE) {
        agent_error(a, "A token has at most 8192 bytes.");
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

static int set_trust(struct agent *a, struct qms_options *o)
{
    qms_options_set_insecure(o, a->args.insecure);
    for (size_t i = 0; i < a->args.pin_count; i++) {
        if (qms_options_add_certificate_pin(o, a->args.pins[i]) != QMS_OK) {
            agent_error(a, "--pin %.100s: the 64 hex digits of a SHA-256 are wanted.",
                        a->args.pins[i]);
            return EXIT_USAGE;
        }
    }
    if (qms_options_set_ca_file(o, a->args.ca) != QMS_OK ||
        qms_options_set_client_certificate(o, a->args.cert, a->args.key) != QMS_OK) {
        agent_error(a, "Out of memory.");
        return EXIT_LOCAL;
    }
    return EXIT_OK;
}

/* What Wireshark needs; said aloud, since it may have been left in the environment. */
static int set_key_log(struct agent *a, struct qms_options *o)
{
    const char *path = getenv("SSLKEYLOGFILE");

    if (path == NULL || path[0] == '\0') {
        return EXIT_OK;
    }
    if (qms_options_set_keylog_file(o, path) != QMS_OK) {
        agent_error(a, "Out of memory.");
        return EXIT_LOCAL;
    }
    agent_error(
        a, "SSLKEYLOGFILE is set: the secrets of this connection are written to \"%s\".", path);
    return EXIT_OK;
}

static int set_rest(struct agent *a, struct qms_options *o)
{
    if (a->args.congestion != NULL &&
        qms_options_set_congestion_control(o, a->args.congestion) != QMS_OK) {
        agent_error(a, "--congestion %.100s: write cubic, reno or bbr.", a->args.congestion);
        return EXIT_USAGE;
    }
    if (qms_options_set_agent_id(o, a->args.id) != QMS_OK ||
        qms_options_set_send_buffer(o, 4u << 20) != QMS_OK ||
        (a->args.max_udp_payload > 0 &&
         qms_options_set_max_udp_payload(o, a->args.max_udp_payload) != QMS_OK)) {
        agent_error(a, "Out of memory.");
        return EXIT_LOCAL;
    }
    return EXIT_OK;
}

/* ---- connection ---- */

static void on_ready(struct qms_connection *c, void *arg)
{
    struct agent *a = arg;

    a->ready = true;
    agent_json(a, json_pack("{s:s, s:s, s:s}", "event", "ready", "id", qms_connection_id(c),
                            "remote", qms_connection_remote_address(c)));
    a->hooks->ready(a);
}

static void on_stream(struct qms_connection *c, void *arg, struct qms_stream *st)
{
    struct agent *a = arg;

    (void)c;
    if (a->hooks->stream != NULL && !a->finished) {
        a->hooks->stream(a, st);
    } else {
        qms_stream_release(st);
    }
}

static void on_datagram(struct qms_connection *c, void *arg, enum qms_kind kind,
                        struct qms_bytes source, uint8_t priority, struct qms_bytes payload)
{
    struct agent *a = arg;

    (void)c;
    (void)kind;
    if (a->hooks->datagram != NULL && !a->finished) {
        a->hooks->datagram(a, source, priority, payload);
    }
}

static void on_pong(struct qms_connection *c, void *arg, qms_time round_trip)
{
    struct agent *a = arg;

    (void)c;
    if (a->hooks->pong != NULL && !a->finished) {
        a->hooks->pong(a, round_trip);
    }
}

static void on_presence(struct qms_connection *c, void *arg, uint64_t watch, unsigned presence,
                        const char *id)
{
    struct agent *a = arg;

    (void)c, (void)watch;
    if (a->hooks->presence != NULL && !a->finished) {
        a->hooks->presence(a, presence, id);
    }
}

static void on_throttled(struct qms_connection *c, void *arg, unsigned what, uint64_t ms)
{
    static const char *const names[] = {"traffic", "streams", "bytes", "datagrams"};
    struct agent *a = arg;
    const char *name = names[what <= QMS_THROTTLE_DATAGRAMS ? what : 0];

    (void)c;
    if (!a->args.quiet) {
        agent_error(a, "The broker holds this agent's %s back for %llu ms.", name,
                    (unsigned long long)ms);
    }
}

static void on_goaway(struct qms_connection *c, void *arg, qms_err status, uint64_t ms,
                      const char *redirect)
{
    struct agent *a = arg;
    char safe[256];

    (void)c;
    (void)status;
    if (!a->args.quiet) {
        agent_error(
            a, "The broker closes within %llu ms%s%s.", (unsigned long long)ms,
            redirect[0] != '\0' ? "; go on at " : "",
            agent_escape((struct qms_bytes){(const uint8_t *)redirect, strlen(redirect)}, safe,
                         sizeof(safe)));
    }
}

static int connection_exit(const struct agent *a, qms_err err)
{
    switch ((int)err) {
    case QMS_E_TLS:
    case QMS_E_CERTIFICATE:
        return EXIT_TLS;
    case QMS_E_NOMEM:
        return EXIT_LOCAL;
    case QMS_E_WIRE_UNAUTHENTICATED:
    case QMS_E_WIRE_FORBIDDEN:
    case QMS_E_WIRE_EXPIRED:
    case QMS_E_WIRE_REPLACED:
        return EXIT_REFUSED;
    default:
        if (!a->ready) {
            return err >= QMS_E_WIRE ? EXIT_REFUSED : EXIT_CONNECT;
        }
        return EXIT_STREAM;
    }
}

static const char *connection_hint(const struct agent *a, qms_err err)
{
    switch ((int)err) {
    case QMS_E_CERTIFICATE:
        return " Use --ca or --pin; quicms --cert-hash prints what to pin.";
    case QMS_E_WIRE_UNAUTHENTICATED:
        return a->args.token == NULL && a->args.token_file == NULL && a->args.cert != NULL
                   ? " Check --cert, and that it is of the id of --id."
               : a->args.token == NULL && a->args.token_file == NULL
                   ? " No token was given: use --token-file."
                   : " Check --token or --token-file, and that it belongs to the id of --id.";
    case QMS_E_WIRE_EXPIRED:
        return " A fresh token is needed.";
    case QMS_E_WIRE_REPLACED:
        return " Another agent connected under the same --id.";
    default:
        return "";
    }
}

static void on_closed(struct qms_connection *c, void *arg, qms_err err, uint64_t code,
                      const char *reason)
{
    struct agent *a = arg;
    char safe[QMS_NAME_MAX * 8];
    int exit_code = connection_exit(a, err);

    (void)code;
    (void)c;
    a->closed = true;
    if (a->finished) {
        return; /* by the command itself */
    }
    (void)agent_escape((struct qms_bytes){(const uint8_t *)reason, strlen(reason)}, safe,
                       sizeof(safe));
    if (a->ready) {
        agent_error(a, "The connection to %s was lost (%s): %s%s%s%s%s", a->args.url,
                    qms_err_name(err), qms_strerror(err), safe[0] != '\0' ? " (" : "", safe,
                    safe[0] != '\0' ? ")" : "", connection_hint(a, err));
    } else if (err >= QMS_E_WIRE) {
        agent_error(a, "The broker at %s refused agent \"%s\" (%s): %s%s%s%s%s", a->args.url,
                    a->args.id == NULL ? "" : a->args.id, qms_err_name(err), qms_strerror(err),
                    safe[0] != '\0' ? " (" : "", safe, safe[0] != '\0' ? ")" : "",
                    connection_hint(a, err));
    } else {
        agent_error(a, "No connection to %s: %s%s", a->args.url,
                    safe[0] != '\0' ? safe : qms_strerror(err), connection_hint(a, err));
    }
    agent_finish(a, exit_code);
}

static const struct qms_connection_callbacks callbacks = {
    .size = sizeof(struct qms_connection_callbacks),
    .on_ready = on_ready,
    .on_stream = on_stream,
    .on_datagram = on_datagram,
    .on_throttled = on_throttled,
    .on_goaway = on_goaway,
    .on_pong = on_pong,
    .on_presence = on_presence,
    .on_closed = on_closed,
};

static int connect_agent(struct agent *a)
{
    struct qms_options *o = qms_options_new();
    int code = o == NULL ? EXIT_LOCAL : set_token(a, o);
    qms_err err;

    code = code == EXIT_OK ? set_trust(a, o) : code;
    code = code == EXIT_OK ? set_key_log(a, o) : code;
    code = code == EXIT_OK ? set_rest(a, o) : code;
    if (code == EXIT_OK) {
        err = qms_connect(a->client, o, a->args.url, &callbacks, a, &a->conn);
        if (err != QMS_OK) {
            agent_error(a, "%s", qms_client_error(a->client));
            code = err == QMS_E_INVALID || err == QMS_E_UNSUPPORTED ? EXIT_USAGE
                   : err == QMS_E_CONFIG                            ? EXIT_TLS
                                                                    : EXIT_LOCAL;
        }
    }
    qms_options_free(o);
    return code;
}

/* ---- main ---- */

static const struct agent_hooks *start_command(struct agent *a)
{
    static const struct agent_hooks *(*const starts[])(struct agent *) = {
        [AGENT_LISTEN] = cmd_listen_start,     [AGENT_SEND] = cmd_send_start,
        [AGENT_OPEN] = cmd_open_start,         [AGENT_REQUEST] = cmd_request_start,
        [AGENT_DATAGRAM] = cmd_datagram_start, [AGENT_PING] = cmd_ping_start,
        [AGENT_STATS] = cmd_stats_start,       [AGENT_WATCH] = cmd_watch_start,
    };

    return starts[a->args.command](a);
}

static int run(struct agent *a)
{
    int code;

    if (qms_client_new(&a->client) != QMS_OK) {
        agent_error(a, "The client cannot start: %s.", strerror(errno));
        agent_lines_end(&a->lines);
        return EXIT_LOCAL;
    }
    a->hooks = start_command(a);
    code = a->hooks == NULL ? EXIT_LOCAL : connect_agent(a);
    if (code == EXIT_OK) {
        agent_loop(a);
        code = a->exit_code;
    }
    if (a->hooks != NULL && a->hooks->end != NULL) {
        a->hooks->end(a);
    }
    qms_client_free(a->client);
    agent_lines_end(&a->lines);
    return code;
}

int main(int argc, char **argv)
{
    struct agent a = {.in_fd = -1, .out_fd = -1, .tick_at = QMS_NEVER, .deadline = QMS_NEVER};
    char error[AGENT_ERROR_MAX];

    if (!agent_args_parse(argc, argv, &a.args, error)) {
        (void)fprintf(stderr, "quicms-agent: %s\n", error);
        return EXIT_USAGE;
    }
    if (a.args.help) {
        (void)fputs(agent_usage(), stdout);
        return EXIT_OK;
    }
    if (a.args.version) {
        (void)printf("quicms-agent %s\n", qms_client_version());
        return EXIT_OK;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    a.progress = isatty(STDERR_FILENO) && !a.args.quiet && !a.args.json;
    if (a.args.timeout > 0) {
        a.deadline = agent_now() + a.args.timeout;
    }
    return run(&a);
}
