/* SPDX-License-Identifier: MIT */
/* The receiving agent: counts or echoes, as META says. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

struct inbound {
    enum { COUNT, MESSAGES, ECHO } what;
    uint64_t answer;   /* bytes, or whole messages */
    uint32_t head;     /* of the message under way */
    unsigned head_len; /* its bytes that have come */
    uint64_t body_left;
};

static bool meta_is(struct qms_bytes meta, const char *word)
{
    return meta.len == strlen(word) && memcmp(meta.data, word, meta.len) == 0;
}

/* Finds the ends of messages. */
static void count_messages(struct inbound *in, struct qms_bytes data)
{
    for (size_t i = 0; i < data.len;) {
        if (in->body_left > 0) {
            size_t len = data.len - i < in->body_left ? data.len - i : (size_t)in->body_left;
            i += len;
            in->body_left -= len;
            in->answer += in->body_left == 0;
            continue;
        }
        in->head = in->head << 8 | data.data[i++];
        if (++in->head_len == 4) {
            in->body_left = in->head & 0x3FFFFFFF;
            in->head = in->head_len = 0;
        }
    }
}

static void echo_some(struct qms_stream *st)
{
    struct qms_bytes data;
    qms_err err;

    while ((err = qms_stream_peek(st, &data)) == QMS_OK && data.len > 0) {
        size_t taken = 0;
        if (qms_stream_write(st, data, &taken) != QMS_OK ||
            qms_stream_consume(st, taken) != QMS_OK) {
            return;
        }
    }
    if (err == QMS_OK) {
        (void)!qms_stream_finish(st);
    }
}

static void count_some(struct qms_stream *st, struct inbound *in)
{
    struct qms_bytes data;
    qms_err err;
    size_t taken;

    while ((err = qms_stream_peek(st, &data)) == QMS_OK && data.len > 0) {
        if (in->what == MESSAGES) {
            count_messages(in, data);
        } else {
            in->answer += data.len;
        }
        if (qms_stream_consume(st, data.len) != QMS_OK) {
            return;
        }
    }
    if (err == QMS_OK &&
        qms_stream_write(st, (struct qms_bytes){(uint8_t *)&in->answer, 8}, &taken) == QMS_OK) {
        (void)!qms_stream_finish(st);
    }
}

static void on_readable(struct qms_stream *st, void *arg)
{
    struct inbound *in = arg;

    if (in->what == ECHO) {
        echo_some(st);
    } else {
        count_some(st, in);
    }
}

static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    (void)err;
    qms_stream_release(st);
    free(arg);
}

static const struct qms_stream_callbacks callbacks = {.size = sizeof(callbacks),
                                                      .on_readable = on_readable,
                                                      .on_writable = on_readable,
                                                      .on_closed = on_closed};

static void on_stream(struct qms_connection *c, void *arg, struct qms_stream *st)
{
    struct inbound *in = calloc(1, sizeof(*in));
    struct qms_bytes meta = qms_stream_meta(st);

    (void)c, (void)arg;
    if (in == NULL) {
        bench_die("the sink is out of memory");
    }
    in->what = meta_is(meta, BENCH_ECHO)       ? ECHO
               : meta_is(meta, BENCH_MESSAGES) ? MESSAGES
                                               : COUNT;
    if (qms_stream_set_callbacks(st, &callbacks, in) != QMS_OK ||
        qms_stream_accept(st, (struct qms_bytes){NULL, 0}) != QMS_OK) {
        free(in);
        qms_stream_release(st);
    }
}

static _Noreturn void serve(struct bench *b, int ready_fd)
{
    static const struct qms_connection_callbacks on = {.size = sizeof(on),
                                                       .on_stream = on_stream};

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (qms_client_new(&b->client) != QMS_OK) {
        bench_die("no client for the sink");
    }
    (void)bench_connect(b, "bench-sink", &on);
    if (write(ready_fd, "r", 1) != 1) {
        bench_die("the sink lost its parent");
    }
    for (;;) {
        (void)qms_client_run(b->client, QMS_NEVER);
    }
}

pid_t bench_sink_start(struct bench *b)
{
    int fds[2];
    char byte;

    if (pipe(fds) != 0) {
        bench_die("no pipe");
    }
    pid_t pid = fork();
    if (pid == 0) {
        b->broker = 0;
        serve(b, fds[1]);
    }
    close(fds[1]);
    if (pid < 0 || read(fds[0], &byte, 1) != 1) {
        bench_die("the receiving agent did not start");
    }
    close(fds[0]);
    return pid;
}

void bench_sink_stop(pid_t pid)
{
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}
