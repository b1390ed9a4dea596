/* SPDX-License-Identifier: MIT */
/* Five streams of different urgency are opened at once, the least urgent first; the agent at
 * the other end prints them in the order in which they end.
 *
 *   prioritized_streams URL PIN TOKEN
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

/* Long enough for the flow-control windows to grow to what the path carries: until then every
 * stream waits for its own window, and urgency decides little. */
#define BYTES (16u << 20)

static const struct {
    const char *name;
    uint8_t priority;
} levels[] = {{"background", QMS_PRIORITY_BACKGROUND},
              {"low", QMS_PRIORITY_LOW},
              {"normal", QMS_PRIORITY_NORMAL},
              {"high", QMS_PRIORITY_HIGH},
              {"critical", QMS_PRIORITY_CRITICAL}};
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

static unsigned arrived;

static void read_more(struct qms_stream *st, void *arg)
{
    struct qms_bytes data;
    struct qms_bytes meta = qms_stream_meta(st);
    qms_err err;

    while ((err = qms_stream_peek(st, &data)) == QMS_OK && data.len > 0) {
        example_check(qms_stream_consume(st, data.len), "consume");
    }
    if (err == QMS_OK) {
        (void)printf("%.*s\n", (int)meta.len, (const char *)meta.data);
        qms_stream_release(st);
        if (++arrived == LEVELS) {
            qms_client_stop(arg);
        }
    }
}

static void on_stream(struct qms_connection *c, void *arg, struct qms_stream *st)
{
    static const struct qms_stream_callbacks callbacks = {.size = sizeof(callbacks),
                                                          .on_readable = read_more};

    (void)c;
    example_check(qms_stream_set_callbacks(st, &callbacks, arg), "stream");
    example_check(qms_stream_accept(st, (struct qms_bytes){0}), "accept");
}

/* The bytes are lent to the library, which sends them as room comes: nothing is copied. */
static void send_level(struct qms_connection *c, size_t level, const uint8_t *bytes)
{
    struct qms_open *params = qms_open_new();
    struct qms_stream *st;

    example_check(params == NULL ? QMS_E_NOMEM : QMS_OK, "parameters");
    example_check(qms_open_set_meta(params, example_text(levels[level].name)), "meta");
    example_check(qms_stream_open(c, QMS_KIND_AGENT, "example-receiver", QMS_OPEN_UNI,
                                  levels[level].priority, params, NULL, NULL, &st),
                  "open");
    qms_open_free(params);
    example_check(qms_stream_write_blob(st, (struct qms_bytes){bytes, BYTES}, NULL, NULL),
                  "write");
    example_check(qms_stream_finish(st), "finish");
    qms_stream_release(st); /* what was finished goes on */
}

int main(int argc, char **argv)
{
    struct qms_client *client;

    if (argc != 4) {
        (void)fputs("usage: prioritized_streams URL PIN TOKEN\n", stderr);
        return 2;
    }
    uint8_t *bytes = calloc(1, BYTES);
    example_check(bytes == NULL ? QMS_E_NOMEM : QMS_OK, "memory");
    example_check(qms_client_new(&client), "client");
    struct qms_options *o = example_options(argv[2], argv[3], "example-receiver");
    (void)example_connect(client, o, argv[1],
                          (struct qms_connection_callbacks){.on_stream = on_stream}, client);
    example_check(qms_options_set_agent_id(o, "example-sender"), "id");
    struct qms_connection *c =
        example_connect(client, o, argv[1], (struct qms_connection_callbacks){0}, NULL);
    for (size_t i = 0; i < LEVELS; i++) {
        send_level(c, i, bytes);
    }
    example_check(qms_client_run(client, 30 * QMS_SECOND), "streams");
    qms_client_free(client);
    qms_options_free(o);
    free(bytes);
    return 0;
}
