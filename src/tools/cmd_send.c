/* SPDX-License-Identifier: MIT */
/* send: a file or standard input on a unidirectional stream, until the broker has acknowledged
 * the last byte. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"

#define CHUNK          (256 * 1024)
#define PROGRESS_EVERY (200 * QMS_MILLISECOND)

struct send {
    struct qms_stream *st;
    bool regular, eof;
    uint64_t size; /* UINT64_MAX: not known */
    qms_time started_at;
    size_t len, done; /* of buf: read, and of that written */
    uint8_t buf[CHUNK];
};

static void watch(struct agent *a)
{
    struct send *s = a->state;

    /* Regular files are read as fast as the stream takes them; others when they have some. */
    a->poll_in = !s->regular && !s->eof && s->done == s->len && !a->finished;
}

/* False: nothing to write now. */
static bool refill(struct agent *a, struct send *s)
{
    ssize_t n;

    if (s->done < s->len || s->eof) {
        return s->done < s->len;
    }
    n = read(a->in_fd, s->buf, sizeof(s->buf));
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        agent_error(a, "Reading \"%s\" failed: %s.",
                    a->args.file == NULL ? "standard input" : a->args.file, strerror(errno));
        qms_stream_reset(s->st, QMS_CODE_CANCELLED);
        agent_finish(a, EXIT_LOCAL);
        return false;
    }
    s->done = 0;
    s->len = n > 0 ? (size_t)n : 0;
    s->eof = n == 0;
    return n > 0;
}

/* Writes until the stream or the input has no more. */
static void pump(struct agent *a, bool may_read)
{
    struct send *s = a->state;
    size_t taken;
    qms_err err = QMS_OK;

    while (err == QMS_OK && (s->done < s->len || may_read) && refill(a, s)) {
        err = qms_stream_write(s->st, (struct qms_bytes){s->buf + s->done, s->len - s->done},
                               &taken);
        s->done += taken;
        may_read = s->regular;
    }
    if (s->eof && s->done == s->len && !a->finished) {
        (void)!qms_stream_finish(s->st); /* what speaks against it comes as on_closed */
    }
    watch(a);
}

static void on_writable(struct qms_stream *st, void *arg)
{
    struct agent *a = arg;

    (void)st;
    pump(a, ((struct send *)a->state)->regular);
}

static void report(struct agent *a, const struct send *s)
{
    uint64_t v[QMS_STREAM_STAT_COUNT];
    double seconds = agent_seconds(s->started_at, agent_now());

    qms_stream_stats(s->st, v, QMS_STREAM_STAT_COUNT);
    agent_say(a, "sent %s to %s in %.3f s, %s/s", agent_size(v[QMS_STREAM_BYTES_ACKED]),
              agent_target_text(a), seconds,
              agent_size((uint64_t)((double)v[QMS_STREAM_BYTES_ACKED] / seconds)));
    agent_json(a,
               json_pack("{s:s, s:s, s:I, s:f}", "event", "sent", "target", a->args.target.name,
                         "bytes", (json_int_t)v[QMS_STREAM_BYTES_ACKED], "seconds", seconds));
}

static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    struct agent *a = arg;

    if (a->finished) {
        return;
    }
    if (err != QMS_OK) {
        agent_stream_failed(a, st, err);
        return;
    }
    report(a, a->state);
    agent_finish(a, EXIT_OK);
}

static void ready(struct agent *a)
{
    static const struct qms_stream_callbacks callbacks = {
        .size = sizeof(callbacks),
        .on_writable = on_writable,
        .on_closed = on_closed,
    };
    struct send *s = a->state;

    s->st = agent_open(a, QMS_OPEN_UNI, s->size, &callbacks, a);
    if (s->st == NULL) {
        return;
    }
    s->started_at = agent_now();
    if (a->progress) {
        a->tick_at = s->started_at + PROGRESS_EVERY;
    }
    pump(a, s->regular);
}

static void tick(struct agent *a)
{
    struct send *s = a->state;
    uint64_t v[QMS_STREAM_STAT_COUNT];
    double seconds = agent_seconds(s->started_at, agent_now());

    qms_stream_stats(s->st, v, QMS_STREAM_STAT_COUNT);
    agent_progress(a, "sent %s%s%s, %s/s", agent_size(v[QMS_STREAM_BYTES_ACKED]),
                   s->size == UINT64_MAX ? "" : " of ",
                   s->size == UINT64_MAX ? "" : agent_size(s->size),
                   agent_size((uint64_t)((double)v[QMS_STREAM_BYTES_ACKED] / seconds)));
    a->tick_at = agent_now() + PROGRESS_EVERY;
}

static void input(struct agent *a)
{
    pump(a, true);
}

static void end(struct agent *a)
{
    struct send *s = a->state;

    qms_stream_release(s->st);
    if (a->in_fd > STDIN_FILENO) {
        (void)close(a->in_fd);
    }
    free(s);
}

static const struct agent_hooks hooks = {
    .ready = ready,
    .input = input,
    .tick = tick,
    .end = end,
};

static bool open_input(struct agent *a, struct send *s)
{
    struct stat info;

    a->in_fd = a->args.file == NULL ? STDIN_FILENO : open(a->args.file, O_RDONLY | O_CLOEXEC);
    if (a->in_fd < 0 || fstat(a->in_fd, &info) != 0) {
        agent_error(a, "\"%s\" cannot be read: %s.",
                    a->args.file == NULL ? "standard input" : a->args.file, strerror(errno));
        return false;
    }
    if (S_ISDIR(info.st_mode)) {
        agent_error(a, "\"%s\" is a folder; send takes a file.", a->args.file);
        return false;
    }
    s->regular = S_ISREG(info.st_mode);
    s->size = s->regular ? (uint64_t)info.st_size : UINT64_MAX;
    return true;
}

const struct agent_hooks *cmd_send_start(struct agent *a)
{
    struct send *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        agent_error(a, "Out of memory.");
        return NULL;
    }
    if (!open_input(a, s)) {
        free(s);
        return NULL;
    }
    a->state = s;
    return &hooks;
}
