/* SPDX-License-Identifier: MIT */
/* open: standard input and output joined with a bidirectional stream; each direction ends on
 * its own.  request is the same with a text for input. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"

#define IN_CHUNK 65536
/* What a pipe that polls as writable takes without blocking (PIPE_BUF). */
#define OUT_CHUNK 4096

struct join {
    struct qms_stream *st;
    bool in_eof, newline;
    bool out_free; /* writing to the output never blocks */
    qms_err ended; /* on_closed came with it; QMS_E_AGAIN: not yet */
    qms_time started_at;
    uint64_t received;
    size_t len, done;
    char buf[IN_CHUNK];
};

static void finish_if_over(struct agent *a, struct join *j)
{
    double seconds = agent_seconds(j->started_at, agent_now());

    if (j->ended == QMS_E_AGAIN || a->finished) {
        return;
    }
    if (j->ended != QMS_OK) {
        agent_stream_failed(a, j->st, j->ended);
        return;
    }
    if (a->args.command == AGENT_REQUEST && !a->args.json && j->newline) {
        (void)!write(a->out_fd, "\n", 1);
    }
    agent_json(a, json_pack("{s:s, s:I, s:f}", "event", "end", "bytes", (json_int_t)j->received,
                            "seconds", seconds));
    agent_finish(a, EXIT_OK);
}

/* ---- to the stream ---- */

static void push(struct agent *a, struct join *j)
{
    size_t taken;

    while (j->done < j->len) {
        struct qms_bytes rest = {(const uint8_t *)j->buf + j->done, j->len - j->done};

        if (qms_stream_write(j->st, rest, &taken) != QMS_OK) {
            break; /* on_writable or on_closed follows */
        }
        j->done += taken;
    }
    if (j->in_eof && j->done == j->len) {
        (void)!qms_stream_finish(j->st);
    }
    a->poll_in = !j->in_eof && j->done == j->len && a->in_fd >= 0 && !a->finished;
}

static void input(struct agent *a)
{
    struct join *j = a->state;
    ssize_t n = read(a->in_fd, j->buf, sizeof(j->buf));

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n < 0) {
        agent_error(a, "Reading standard input failed: %s.", strerror(errno));
        qms_stream_reset(j->st, QMS_CODE_CANCELLED);
        agent_finish(a, EXIT_LOCAL);
        return;
    }
    j->done = 0;
    j->len = (size_t)n;
    j->in_eof = n == 0;
    push(a, j);
}

static void on_writable(struct qms_stream *st, void *arg)
{
    struct agent *a = arg;

    (void)st;
    push(a, a->state);
}

/* ---- from the stream ---- */

static void out_failed(struct agent *a, struct join *j)
{
    if (errno == EPIPE) {
        qms_stream_stop(j->st, QMS_CODE_CANCELLED);
    }
    agent_error(a, "Writing to standard output failed: %s.", strerror(errno));
    agent_finish(a, EXIT_LOCAL);
}

static void put_json(struct agent *a, struct qms_bytes run)
{
    json_t *object = json_pack("{s:s}", "event", "data");

    agent_json_bytes(object, run);
    agent_json(a, object);
}

/* False: the output takes no more now. */
static bool put_some(struct agent *a, struct join *j, struct qms_bytes run)
{
    size_t len = run.len < OUT_CHUNK || j->out_free ? run.len : OUT_CHUNK;
    ssize_t n = (ssize_t)run.len;

    if (a->args.json && agent_lines_full(&a->lines)) {
        return false;
    }
    if (a->args.json) {
        put_json(a, run);
    } else {
        n = write(a->out_fd, run.data, len);
    }
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        out_failed(a, j);
    }
    if (n <= 0) {
        return false;
    }
    j->received += (uint64_t)n;
    j->newline = run.data[n - 1] != '\n';
    (void)!qms_stream_consume(j->st, (size_t)n);
    return j->out_free || a->args.json;
}

static void output(struct agent *a)
{
    struct join *j = a->state;
    struct qms_bytes run;

    while (!a->finished && qms_stream_peek(j->st, &run) == QMS_OK && run.len > 0) {
        if (!put_some(a, j, run)) {
            break;
        }
    }
    a->poll_out = !a->finished && qms_stream_readable(j->st) > 0;
    finish_if_over(a, j);
}

static void on_readable(struct qms_stream *st, void *arg)
{
    struct agent *a = arg;
    struct join *j = a->state;

    if (j->out_free || a->args.json) {
        output(a);
    } else {
        a->poll_out = qms_stream_readable(st) > 0;
    }
}

static void on_result(struct qms_stream *st, void *arg, qms_err err)
{
    struct agent *a = arg;
    struct qms_bytes meta = qms_stream_result_meta(st);
    struct qms_bytes by = qms_stream_result_acceptor(st);

    if (err == QMS_OK) {
        agent_json(a, json_pack("{s:s, s:s%, s:s%}", "event", "accepted", "by",
                                by.len > 0 ? (const char *)by.data : "", by.len, "meta",
                                meta.len > 0 ? (const char *)meta.data : "", meta.len));
    }
}

static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    struct agent *a = arg;
    struct join *j = a->state;

    (void)st;
    j->ended = err;
    finish_if_over(a, j);
}

/* ---- command ---- */

static void ready(struct agent *a)
{
    static const struct qms_stream_callbacks callbacks = {
        .size = sizeof(callbacks),
        .on_result = on_result,
        .on_readable = on_readable,
        .on_writable = on_writable,
        .on_closed = on_closed,
    };
    struct join *j = a->state;

    j->started_at = agent_now();
    j->st = agent_open(a, QMS_OPEN_BIDI, j->in_eof ? j->len : UINT64_MAX, &callbacks, a);
    if (j->st != NULL) {
        push(a, j);
    }
}

static void end(struct agent *a)
{
    struct join *j = a->state;

    qms_stream_release(j->st);
    if (a->out_fd > STDERR_FILENO) {
        (void)close(a->out_fd);
    }
    free(j);
}

static const struct agent_hooks hooks = {
    .ready = ready,
    .input = input,
    .output = output,
    .end = end,
};

/* A file never blocks.  A pipe is opened once more, so that it can be made not to without a
 * change for others who write to it.  Else poll and small writes must do. */
static void open_output(struct agent *a, struct join *j)
{
    struct stat info;
    int fd;

    a->out_fd = STDOUT_FILENO;
    if (fstat(STDOUT_FILENO, &info) != 0) {
        return;
    }
    j->out_free = S_ISREG(info.st_mode);
    if (S_ISFIFO(info.st_mode)) {
        fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0) {
            a->out_fd = fd;
            j->out_free = true;
        }
    }
}

static struct join *join_new(struct agent *a)
{
    struct join *j = calloc(1, sizeof(*j));

    if (j == NULL) {
        agent_error(a, "Out of memory.");
        return NULL;
    }
    j->ended = QMS_E_AGAIN;
    open_output(a, j);
    a->state = j;
    return j;
}

const struct agent_hooks *cmd_open_start(struct agent *a)
{
    a->in_fd = STDIN_FILENO;
    return join_new(a) == NULL ? NULL : &hooks;
}

const struct agent_hooks *cmd_request_start(struct agent *a)
{
    struct join *j;
    size_t len = strlen(a->args.text);

    if (len > IN_CHUNK) {
        agent_error(a, "The text is longer than %d bytes: use open.", IN_CHUNK);
        return NULL;
    }
    j = join_new(a);
    if (j == NULL) {
        return NULL;
    }
    memcpy(j->buf, a->args.text, len);
    j->len = len;
    j->in_eof = true;
    return &hooks;
}
