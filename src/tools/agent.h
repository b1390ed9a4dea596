/* SPDX-License-Identifier: MIT */
/* What the commands of quicms-agent share: one connection, one loop, one exit code.
 *
 * A command is a table of hooks that the loop calls.  It ends by agent_finish; the connection
 * is then closed in good order and the process exits. */
#ifndef QMS_TOOLS_AGENT_H
#define QMS_TOOLS_AGENT_H

#include <jansson.h>
#include <quicms/client.h>

#include "agent_args.h"

/* Exit codes; quicms-agent(1) explains them. */
enum agent_exit {
    EXIT_OK = 0,
    EXIT_USAGE = 1,
    EXIT_CONNECT = 2,
    EXIT_TLS = 3,
    EXIT_REFUSED = 4,
    EXIT_TARGET = 5,
    EXIT_STREAM = 6,
    EXIT_TIMEOUT = 7,
    EXIT_LOCAL = 8,
    EXIT_SIGNAL = 128 /* plus its number */
};

struct agent;

struct agent_hooks {
    /** The broker welcomed the agent. */
    void (*ready)(struct agent *a);
    void (*stream)(struct agent *a, struct qms_stream *st);
    void (*datagram)(struct agent *a, struct qms_bytes source, uint8_t priority,
                     struct qms_bytes payload);
    void (*pong)(struct agent *a, qms_time round_trip);
    /** enum qms_presence; `id` is empty at the end of the snapshot. */
    void (*presence)(struct agent *a, unsigned presence, const char *id);
    /** The input may be read, the output written, without blocking (`poll_in`, `poll_out`). */
    void (*input)(struct agent *a);
    void (*output)(struct agent *a);
    /** `tick_at` has come; also about every 100 ms while progress is shown. */
    void (*tick)(struct agent *a);
    /** SIGINT or SIGTERM.  NULL: the exit code tells. */
    void (*interrupted)(struct agent *a);
    /** Frees what the command holds; streams are still valid. */
    void (*end)(struct agent *a);
};

/* Lines that wait for standard output; zeroed memory is a valid empty queue. */
struct agent_lines {
    char *data;
    size_t off, len, cap; /* what waits is from off to len */
    uint64_t lost;        /* lines for which there was no room */
};

struct agent {
    struct agent_args args;
    struct agent_lines lines;
    struct qms_client *client;
    struct qms_connection *conn; /* NULL once closed and released */
    const struct agent_hooks *hooks;
    void *state; /* the command's */
    bool ready, finished, closed;
    int exit_code;
    int in_fd, out_fd;      /* of the command */
    bool poll_in, poll_out; /* whether the loop watches them */
    qms_time tick_at;       /* QMS_NEVER: none */
    qms_time deadline;      /* of --timeout */
    bool progress;          /* standard error is a terminal */
    bool progress_shown;
};

/** The hooks of a command, and its state in a->state.  NULL: an error was told. */
const struct agent_hooks *cmd_listen_start(struct agent *a);
const struct agent_hooks *cmd_send_start(struct agent *a);
const struct agent_hooks *cmd_open_start(struct agent *a);
const struct agent_hooks *cmd_request_start(struct agent *a);
const struct agent_hooks *cmd_datagram_start(struct agent *a);
const struct agent_hooks *cmd_ping_start(struct agent *a);
const struct agent_hooks *cmd_stats_start(struct agent *a);
const struct agent_hooks *cmd_watch_start(struct agent *a);

/** Ends the command; the first code that is not 0 wins. */
void agent_finish(struct agent *a, int exit_code);
/** Opens a stream to the command's target with --priority and --meta; on failure it is told and
 * the command ends.  `length`: UINT64_MAX when not known. */
struct qms_stream *agent_open(struct agent *a, unsigned flags, uint64_t length,
                              const struct qms_stream_callbacks *callbacks, void *arg);
/** The exit code for the error that ended a stream. */
int agent_stream_exit(qms_err err);
/** Tells why a stream to the target failed, and ends the command. */
void agent_stream_failed(struct agent *a, const struct qms_stream *st, qms_err err);
/** "agent \"b\"" in static memory. */
const char *agent_target_text(const struct agent *a);

/* agent_lines.c */

/** Queues a line (without its end) and writes what can be written without waiting.  With too
 * much in the queue it is lost; how many were is told later on standard error. */
void agent_lines_add(struct agent_lines *l, const char *text, size_t len);
/** Writes what can be written without waiting. */
void agent_lines_flush(struct agent_lines *l);
/** So much waits that no more should be made. */
bool agent_lines_full(const struct agent_lines *l);
/** Writes the rest, however long that takes, and frees the queue. */
void agent_lines_end(struct agent_lines *l);

/* agent_say.c */

/** A sentence on standard error, with the program's name; as {"event":"error"} with --json. */
__attribute__((format(printf, 2, 3))) void agent_error(struct agent *a, const char *format,
                                                       ...);
/** A sentence on standard error, with the program's name, of what is no error. */
__attribute__((format(printf, 2, 3))) void agent_warn(struct agent *a, const char *format, ...);
/** One line on standard output, without --json and --quiet; cut at 2,000 bytes. */
__attribute__((format(printf, 2, 3))) void agent_say(struct agent *a, const char *format, ...);
/** One object a line on standard output with --json; takes `object` over in any case. */
void agent_json(struct agent *a, json_t *object);
/** A line on standard error that replaces the one before; only where `progress`. */
__attribute__((format(printf, 2, 3))) void agent_progress(struct agent *a, const char *format,
                                                          ...);
/** "text" where the bytes are UTF-8, else "base64"; into `object`. */
void agent_json_bytes(json_t *object, struct qms_bytes bytes);
/** Bytes made safe for a terminal: control characters and non-ASCII as \xNN, cut to fit. */
const char *agent_escape(struct qms_bytes bytes, char *out, size_t cap);
/** "12.3 MB" in static memory, one of four in turn. */
const char *agent_size(uint64_t bytes);
double agent_seconds(qms_time from, qms_time until);
qms_time agent_now(void);

#endif
