/* SPDX-License-Identifier: MIT */
/* listen: takes streams and datagrams, prints or stores or echoes them. */
#include "cmd_listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"

#define PRINT_MAX 256 /* bytes of one print that are shown */

/* One that is to be joined. */
struct room {
    struct agent *a;
    const struct agent_target *target;
};

struct listener {
    struct room rooms[AGENT_ROOMS_MAX];
    int dir;        /* of --out; -1: none */
    uint64_t ended; /* streams that are over */
    struct incoming *all;
};

struct incoming {
    struct agent *a;
    struct listener *l;
    struct incoming *next, **at;
    struct qms_stream *st;
    char label[QMS_NAME_MAX + 64]; /* "stream 3 from alice" */
    qms_time started_at;
    uint64_t bytes;
    bool echo, failed, over;
    struct store store;
};

static void forget(struct incoming *in)
{
    *in->at = in->next;
    if (in->next != NULL) {
        in->next->at = in->at;
    }
    store_abandon(&in->store);
    qms_stream_release(in->st);
    free(in);
}

static json_t *event(const struct incoming *in, const char *name)
{
    struct qms_bytes source = qms_stream_source(in->st);

    return json_pack("{s:s, s:I, s:s%}", "event", name, "stream",
                     (json_int_t)qms_stream_id(in->st), "source",
                     source.len > 0 ? (const char *)source.data : "", source.len);
}

/* ---- bytes ---- */

static void show(struct incoming *in, struct qms_bytes run)
{
    char safe[PRINT_MAX * 4 + 8];
    struct qms_bytes head = {run.data, run.len < PRINT_MAX ? run.len : PRINT_MAX};
    json_t *object;

    if (!in->a->args.json) {
        agent_say(in->a, "%s: %s: \"%s\"%s", in->label, agent_size(run.len),
                  agent_escape(head, safe, sizeof(safe)), run.len > PRINT_MAX ? "..." : "");
        return;
    }
    object = event(in, "data");
    agent_json_bytes(object, run);
    agent_json(in->a, object);
}

/* Who has it echoed sees it elsewhere. */
static bool shown(const struct incoming *in)
{
    return in->store.fd < 0 && !in->a->args.echo;
}

static bool keep(struct incoming *in, struct qms_bytes run)
{
    if (shown(in)) {
        show(in, run);
    }
    if (in->store.fd < 0) {
        return true;
    }
    if (store_write(&in->store, run)) {
        return true;
    }
    agent_error(in->a, "%s: writing \"%s\" failed: %s.", in->label, in->store.partial,
                strerror(errno));
    return false;
}

/* The local disk failed: the sender is told, this program goes on and ends with EXIT_LOCAL. */
static void give_up(struct incoming *in)
{
    in->failed = true;
    in->a->exit_code = in->a->exit_code == EXIT_OK ? EXIT_LOCAL : in->a->exit_code;
    qms_stream_reset(in->st, QMS_CODE_INTERNAL);
    qms_stream_stop(in->st, QMS_CODE_INTERNAL);
}

/* How many bytes of the run are dealt with; 0: wait for on_writable or the output. */
static size_t deal_with(struct incoming *in, struct qms_bytes run)
{
    size_t taken = run.len;

    if (shown(in) && agent_lines_full(&in->a->lines)) {
        in->a->poll_out = !in->a->finished; /* meanwhile the stream waits, and its sender */
        return 0;
    }

    if (in->echo) {
        qms_err err = qms_stream_write(in->st, run, &taken);

        if (err != QMS_OK && err != QMS_E_AGAIN) {
            in->echo = false; /* nobody wants it any more; the rest is still taken */
            taken = run.len;
        }
    }
    if (taken > 0 && !keep(in, (struct qms_bytes){run.data, taken})) {
        give_up(in);
        return 0;
    }
    return taken;
}

static void take(struct incoming *in)
{
    struct qms_bytes run;
    size_t taken = 1;

    while (taken > 0 && qms_stream_peek(in->st, &run) == QMS_OK) {
        if (run.len == 0) { /* the end */
            if (qms_stream_is_bidi(in->st)) {
                (void)!qms_stream_finish(in->st);
            }
            in->over = true;
            return;
        }
        taken = deal_with(in, run);
        in->bytes += taken;
        if (taken > 0) {
            (void)!qms_stream_consume(in->st, taken);
        }
    }
}

static void on_readable(struct qms_stream *st, void *arg)
{
    (void)st;
    take(arg);
}

static void on_writable(struct qms_stream *st, void *arg)
{
    (void)st;
    take(arg);
}

/* The broker's configuration wants it so: it is told, and not a failure of this command. */
static void on_skipped(struct qms_stream *st, void *arg, uint64_t messages)
{
    struct incoming *in = arg;
    json_t *object = event(in, "skipped");

    (void)st;
    agent_warn(in->a, "%s: too slow, the broker left out %llu messages.", in->label,
               (unsigned long long)messages);
    if (object != NULL) {
        (void)json_object_set_new(object, "messages", json_integer((json_int_t)messages));
    }
    agent_json(in->a, object);
}

/* ---- end of a stream ---- */

static void report_whole(struct incoming *in, const char *file)
{
    double seconds = agent_seconds(in->started_at, agent_now());
    json_t *object = event(in, "end");

    agent_say(in->a, "%s: end, %s in %.3f s, %s/s%s%s", in->label, agent_size(in->bytes),
              seconds, agent_size((uint64_t)((double)in->bytes / seconds)),
              file == NULL ? "" : ", in ", file == NULL ? "" : file);
    if (object != NULL) {
        (void)json_object_set_new(object, "bytes", json_integer((json_int_t)in->bytes));
        (void)json_object_set_new(object, "seconds", json_real(seconds));
        if (file != NULL) {
            (void)json_object_set_new(object, "file", json_string(file));
        }
    }
    agent_json(in->a, object);
}

static void report_broken(struct incoming *in, qms_err err)
{
    bool stored = in->store.partial[0] != '\0';
    json_t *object = event(in, "broken");

    agent_error(in->a, "%s broke off after %s: %s%s%s", in->label, agent_size(in->bytes),
                qms_strerror(err), stored ? " What came is in " : "",
                stored ? in->store.partial : "");
    if (object != NULL) {
        (void)json_object_set_new(object, "bytes", json_integer((json_int_t)in->bytes));
        (void)json_object_set_new(object, "error", json_string(qms_err_name(err)));
        if (stored) {
            (void)json_object_set_new(object, "partial", json_string(in->store.partial));
        }
    }
    agent_json(in->a, object);
}

/* Whether the received half is whole; the sending half of an echo may have been stopped. */
static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    struct incoming *in = arg;
    struct agent *a = in->a;
    struct listener *l = in->l;

    (void)st;
    if (in->over && !in->failed && in->store.fd >= 0 && !store_end(&in->store)) {
        agent_error(a, "%s: \"%s\" cannot get its name: %s.", in->label, in->store.partial,
                    strerror(errno));
        a->exit_code = a->exit_code == EXIT_OK ? EXIT_LOCAL : a->exit_code;
    } else if (in->over && !in->failed) {
        report_whole(in, in->store.name[0] != '\0' ? in->store.name : NULL);
    } else {
        report_broken(in, err);
        a->exit_code = a->exit_code == EXIT_OK ? EXIT_STREAM : a->exit_code;
    }
    forget(in);
    l->ended++;
    if (a->args.count > 0 && l->ended >= a->args.count) {
        agent_finish(a, EXIT_OK);
    }
}

/* ---- a new stream ---- */

static void announce(struct incoming *in)
{
    struct qms_stream *st = in->st;
    struct qms_bytes source = qms_stream_source(st), meta = qms_stream_meta(st),
                     trace = qms_stream_traceparent(st);
    json_t *object = event(in, "stream");
    char safe[512];

    (void)snprintf(in->label, sizeof(in->label), "stream %llu from %.*s",
                   (unsigned long long)qms_stream_id(st), (int)source.len,
                   source.len > 0 ? (const char *)source.data : "");
    agent_say(in->a, "%s: %s, priority %u%s%s", in->label,
              qms_stream_is_bidi(st) ? "bidirectional" : "unidirectional",
              (unsigned)qms_stream_forward_priority(st), meta.len > 0 ? ", meta " : "",
              agent_escape(meta, safe, sizeof(safe)));
    if (object != NULL && trace.len > 0) {
        (void)json_object_set_new(object, "traceparent",
                                  json_stringn((const char *)trace.data, trace.len));
    }
    if (object != NULL) {
        (void)json_object_set_new(object, "bidirectional",
                                  json_boolean(qms_stream_is_bidi(st)));
        (void)json_object_set_new(object, "priority",
                                  json_integer(qms_stream_forward_priority(st)));
        (void)json_object_set_new(
            object, "meta",
            json_stringn(meta.len > 0 ? (const char *)meta.data : "", meta.len));
    }
    agent_json(in->a, object);
}

static struct incoming *incoming_new(struct agent *a, struct qms_stream *st)
{
    struct listener *l = a->state;
    struct incoming *in = calloc(1, sizeof(*in));

    if (in == NULL) {
        return NULL;
    }
    in->a = a;
    in->l = l;
    in->st = st;
    in->store.fd = -1;
    in->echo = a->args.echo && qms_stream_is_bidi(st);
    in->started_at = agent_now();
    in->at = &l->all;
    in->next = l->all;
    if (in->next != NULL) {
        in->next->at = &in->next;
    }
    l->all = in;
    return in;
}

static void on_stream(struct agent *a, struct qms_stream *st)
{
    static const struct qms_stream_callbacks callbacks = {
        .size = sizeof(callbacks),
        .on_readable = on_readable,
        .on_writable = on_writable,
        .on_closed = on_closed,
        .on_skipped = on_skipped,
    };
    struct listener *l = a->state;
    struct incoming *in = incoming_new(a, st);

    if (in == NULL || qms_stream_set_callbacks(st, &callbacks, in) != QMS_OK) {
        (void)!qms_stream_reject(st, QMS_CODE_BUSY, "out of memory");
        qms_stream_release(st);
        return;
    }
    announce(in);
    if (l->dir >= 0 &&
        !store_begin(&in->store, l->dir, qms_stream_source(st), qms_stream_id(st))) {
        agent_error(a, "%s: no file can be made in \"%s\": %s.", in->label, a->args.out,
                    strerror(errno));
        in->store.partial[0] = '\0';
        a->exit_code = a->exit_code == EXIT_OK ? EXIT_LOCAL : a->exit_code;
        in->failed = true;
        (void)!qms_stream_reject(st, QMS_CODE_BUSY, "cannot be stored");
        return; /* on_closed follows */
    }
    (void)!qms_stream_accept(st, (struct qms_bytes){0}); /* gone already: on_closed follows */
}

static void on_datagram(struct agent *a, struct qms_bytes source, uint8_t priority,
                        struct qms_bytes payload)
{
    char safe[PRINT_MAX * 4 + 8];
    struct qms_bytes head = {payload.data, payload.len < PRINT_MAX ? payload.len : PRINT_MAX};
    json_t *object;

    if (!a->args.json) {
        agent_say(a, "datagram from %.*s: %s: \"%s\"%s", (int)source.len,
                  source.len > 0 ? (const char *)source.data : "", agent_size(payload.len),
                  agent_escape(head, safe, sizeof(safe)), payload.len > PRINT_MAX ? "..." : "");
        return;
    }
    object = json_pack("{s:s, s:s%, s:i, s:I}", "event", "datagram", "source",
                       source.len > 0 ? (const char *)source.data : "", source.len, "priority",
                       (int)priority, "bytes", (json_int_t)payload.len);
    agent_json_bytes(object, payload);
    agent_json(a, object);
}

/* ---- command ---- */

/* The answer to a JOIN: what cannot be joined ends the command. */
static void on_joined(struct qms_connection *c, void *arg, qms_err err)
{
    const struct room *room = arg;
    struct agent *a = room->a;
    const struct agent_target *t = room->target;
    const char *kind = t->kind == QMS_KIND_GROUP ? "group" : "topic";

    (void)c;
    if (a->finished) {
        return;
    }
    if (err != QMS_OK) {
        agent_error(a, "The %s \"%s\" could not be joined: %s", kind, t->name,
                    qms_strerror(err));
        agent_finish(a, EXIT_TARGET);
        return;
    }
    agent_say(a, "joined %s:%s", kind, t->name);
    agent_json(a,
               json_pack("{s:s, s:s, s:s}", "event", "joined", "kind", kind, "name", t->name));
}

static void join_rooms(struct agent *a)
{
    struct listener *l = a->state;

    for (size_t i = 0; i < a->args.room_count; i++) {
        struct room *room = &l->rooms[i];
        *room = (struct room){a, &a->args.rooms[i]};
        qms_err err = qms_connection_join(a->conn, room->target->kind, room->target->name, NULL,
                                          on_joined, room);
        if (err != QMS_OK) {
            on_joined(a->conn, room, err);
        }
    }
}

static void ready(struct agent *a)
{
    agent_say(a, "listening as %s", qms_connection_id(a->conn));
    join_rooms(a);
}

/* The output takes more: so do the streams that waited for it. */
static void output(struct agent *a)
{
    struct listener *l = a->state;

    a->poll_out = false;
    for (struct incoming *in = l->all; in != NULL && !a->poll_out; in = in->next) {
        take(in);
    }
}

/* Ctrl-C is how listening ends; streams in the middle of their way are told as broken. */
static void interrupted(struct agent *a)
{
    agent_finish(a, EXIT_OK);
}

static void end(struct agent *a)
{
    struct listener *l = a->state;

    while (l->all != NULL) {
        forget(l->all);
    }
    if (l->dir >= 0) {
        (void)close(l->dir);
    }
    free(l);
}

static const struct agent_hooks hooks = {
    .ready = ready,
    .stream = on_stream,
    .datagram = on_datagram,
    .output = output,
    .interrupted = interrupted,
    .end = end,
};

const struct agent_hooks *cmd_listen_start(struct agent *a)
{
    struct listener *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        agent_error(a, "Out of memory.");
        return NULL;
    }
    l->dir = a->args.out == NULL ? -1 : open(a->args.out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (a->args.out != NULL && l->dir < 0) {
        agent_error(a, "The folder \"%s\" cannot be opened: %s.", a->args.out, strerror(errno));
        free(l);
        return NULL;
    }
    a->state = l;
    a->out_fd = STDOUT_FILENO;
    return &hooks;
}
