/* SPDX-License-Identifier: MIT */
/* A hundred streams at once on one connection, each with bytes of its own, all echoed.
 *
 *   multistream URL PIN TOKEN TARGET
 */
#include <stdio.h>
#include <string.h>

#include "common.h"

#define STREAMS 100
#define BYTES   20000

struct one {
    struct qms_client *client;
    unsigned number;
    size_t sent, received;
};

static unsigned done, wrong;

static uint8_t byte_at(const struct one *o, size_t at)
{
    return (uint8_t)(at * 7 + o->number);
}

static void write_more(struct qms_stream *st, void *arg)
{
    struct one *o = arg;
    uint8_t buf[1000];
    size_t taken;

    while (o->sent < BYTES) {
        for (size_t i = 0; i < sizeof(buf); i++) {
            buf[i] = byte_at(o, o->sent + i);
        }
        size_t len = BYTES - o->sent < sizeof(buf) ? BYTES - o->sent : sizeof(buf);
        if (qms_stream_write(st, (struct qms_bytes){buf, len}, &taken) != QMS_OK) {
            return; /* on_writable follows */
        }
        o->sent += taken;
    }
    example_check(qms_stream_finish(st), "finish");
}

static void read_more(struct qms_stream *st, void *arg)
{
    struct one *o = arg;
    uint8_t buf[4096];
    size_t len;

    while (qms_stream_read(st, buf, sizeof(buf), &len) == QMS_OK && len > 0) {
        for (size_t i = 0; i < len; i++) {
            wrong += buf[i] != byte_at(o, o->received + i);
        }
        o->received += len;
    }
}

static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    struct one *o = arg;

    example_check(err, "stream");
    wrong += o->received != BYTES;
    qms_stream_release(st);
    if (++done == STREAMS) {
        qms_client_stop(o->client);
    }
}

int main(int argc, char **argv)
{
    static const struct qms_stream_callbacks callbacks = {.size = sizeof(callbacks),
                                                          .on_readable = read_more,
                                                          .on_writable = write_more,
                                                          .on_closed = on_closed};
    static struct one all[STREAMS];
    struct qms_client *client;
    struct qms_stream *st;
    const char *name;

    if (argc != 5) {
        (void)fputs("usage: multistream URL PIN TOKEN TARGET\n", stderr);
        return 2;
    }
    struct qms_options *options = example_options(argv[2], argv[3], NULL);
    enum qms_kind kind = example_target(argv[4], &name);
    example_check(qms_client_new(&client), "client");
    struct qms_connection *c =
        example_connect(client, options, argv[1], (struct qms_connection_callbacks){0}, NULL);
    for (unsigned i = 0; i < STREAMS; i++) {
        all[i] = (struct one){.client = client, .number = i};
        example_check(qms_stream_open(c, kind, name, QMS_OPEN_BIDI, QMS_PRIORITY_NORMAL, NULL,
                                      &callbacks, &all[i], &st),
                      argv[4]);
        write_more(st, &all[i]);
    }
    example_check(qms_client_run(client, 30 * QMS_SECOND), "streams");
    (void)printf("%u streams, %u bytes each, %u wrong\n", done, (unsigned)BYTES, wrong);
    qms_client_free(client);
    qms_options_free(options);
    return wrong == 0 ? 0 : 1;
}
