/* SPDX-License-Identifier: MIT */
/* quicms-codes URL PIN TOKEN ID: an agent that ends streams as their META says.
 *
 *   "reset N"  accepts, sends a byte, resets its direction with N
 *   "stop N"   accepts, stops the opener's direction with N
 *   "reject N" refuses with status N
 *   "watch"    accepts and prints how the opener ends it: "reset N" for its own direction,
 *              "stopped N" for this agent's, "end" for a FIN
 *
 * One line a watched stream, until standard input ends. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <quicms/client.h>

static void print_end(const char *what, qms_err err)
{
    unsigned code = err == QMS_E_RESET ? 0 : err - QMS_E_WIRE;

    (void)printf("%s %u\n", what, code);
    (void)fflush(stdout);
}

static void on_readable(struct qms_stream *st, void *arg)
{
    uint8_t buf[4096];
    size_t len = 1;
    qms_err err = QMS_OK;

    (void)arg;
    while (err == QMS_OK && len > 0) {
        err = qms_stream_read(st, buf, sizeof(buf), &len);
    }
    if (err == QMS_OK) {
        (void)puts("end");
        (void)fflush(stdout);
    } else if (err != QMS_E_AGAIN) {
        print_end("reset", err);
        qms_stream_reset(st, QMS_CODE_CANCELLED);
    }
}

static void on_stopped(struct qms_stream *st, void *arg, qms_err err)
{
    (void)arg;
    print_end("stopped", err);
    qms_stream_stop(st, QMS_CODE_CANCELLED);
}

static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    (void)arg, (void)err;
    qms_stream_release(st);
}

static const struct qms_stream_callbacks watching = {.size = sizeof(watching),
                                                     .on_readable = on_readable,
                                                     .on_stopped = on_stopped,
                                                     .on_closed = on_closed};
static const struct qms_stream_callbacks quiet = {.size = sizeof(quiet),
                                                  .on_closed = on_closed};

/* Number behind the verb in META; -1: another verb. */
static int number(struct qms_bytes meta, const char *verb)
{
    size_t len = strlen(verb);
    char text[16] = "";

    if (meta.len <= len || meta.len >= len + sizeof(text) ||
        memcmp(meta.data, verb, len) != 0) {
        return -1;
    }
    memcpy(text, meta.data + len, meta.len - len);
    return (int)strtol(text, NULL, 10);
}

static void must(qms_err err, const char *what)
{
    if (err != QMS_OK) {
        (void)fprintf(stderr, "quicms-codes: %s: %s\n", what, qms_strerror(err));
        exit(1);
    }
}

static void on_stream(struct qms_connection *c, void *arg, struct qms_stream *st)
{
    struct qms_bytes meta = qms_stream_meta(st);
    int reset = number(meta, "reset "), stop = number(meta, "stop ");
    int reject = number(meta, "reject ");
    bool watch = reset < 0 && stop < 0 && reject < 0;
    size_t taken;

    (void)c, (void)arg;
    must(qms_stream_set_callbacks(st, watch ? &watching : &quiet, NULL), "callbacks");
    if (reject >= 0) {
        must(qms_stream_reject(st, (uint8_t)reject, "as asked"), "reject");
        return;
    }
    must(qms_stream_accept(st, (struct qms_bytes){0}), "accept");
    if (reset >= 0) {
        must(qms_stream_write(st, (struct qms_bytes){(const uint8_t *)"x", 1}, &taken),
             "write");
        qms_stream_reset(st, (uint8_t)reset);
    } else if (stop >= 0) {
        qms_stream_stop(st, (uint8_t)stop);
        must(qms_stream_finish(st), "finish");
    }
}

static void on_ended(struct qms_connection *c, void *arg, qms_err err, uint64_t code,
                     const char *reason)
{
    (void)c, (void)arg, (void)code, (void)reason;
    must(err, "connection");
}

static bool asked_to_end(void)
{
    struct pollfd in = {.fd = 0, .events = POLLIN};

    return poll(&in, 1, 0) > 0;
}

int main(int argc, char **argv)
{
    static const struct qms_connection_callbacks callbacks = {
        .size = sizeof(callbacks), .on_stream = on_stream, .on_closed = on_ended};
    struct qms_options *o = qms_options_new();
    struct qms_connection *conn;
    struct qms_client *client;

    if (argc != 5 || o == NULL) {
        (void)fputs("usage: quicms-codes URL PIN TOKEN ID\n", stderr);
        return 64;
    }
    must(qms_options_add_certificate_pin(o, argv[2]), "pin");
    must(qms_options_set_token(o, argv[3]), "token");
    must(qms_options_set_agent_id(o, argv[4]), "id");
    must(qms_client_new(&client), "client");
    must(qms_connect(client, o, argv[1], &callbacks, NULL, &conn), "connect");
    while (!asked_to_end()) {
        qms_err err = qms_client_run(client, 20 * QMS_MILLISECOND);
        must(err == QMS_E_TIMEOUT ? QMS_OK : err, "loop");
    }
    qms_client_free(client);
    qms_options_free(o);
    return 0;
}
