/* SPDX-License-Identifier: MIT */
/* Two agents that talk in messages: one of each urgency on streams of their own, then a
 * thousand small ones in order on a FRAMED stream, then one too large for the receiver.
 *
 *   agent_transport URL PIN TOKEN
 */
#include <stdio.h>
#include <string.h>

#include "common.h"

#define SMALL 1000

struct state {
    struct qms_client *client;
    unsigned messages, framed, in_order, sent;
    bool whole, counted, refused;
    qms_err too_large;
};

static void on_message(struct qms_connection *c, void *arg, const struct qms_stream *from,
                       struct qms_bytes message)
{
    struct state *s = arg;
    struct qms_bytes source = qms_stream_source(from);

    (void)c;
    (void)printf("message from %.*s: %.*s\n", (int)source.len, (const char *)source.data,
                 (int)message.len, (const char *)message.data);
    s->whole = ++s->messages == 5;
}

static void on_small(struct qms_stream *st, void *arg, struct qms_bytes message)
{
    struct state *s = arg;
    unsigned number;

    (void)st;
    if (message.len == sizeof(number)) {
        memcpy(&number, message.data, sizeof(number));
        s->in_order += number == s->framed;
    }
    s->counted = ++s->framed == SMALL;
}

static void on_stream(struct qms_connection *c, void *arg, struct qms_stream *st)
{
    static const struct qms_stream_callbacks callbacks = {.size = sizeof(callbacks),
                                                          .on_message = on_small};

    (void)c;
    example_check(qms_stream_set_callbacks(st, &callbacks, arg), "stream");
}

static void send_small(struct qms_stream *st, void *arg)
{
    struct state *s = arg;

    while (s->sent < SMALL) {
        unsigned number = s->sent;
        struct qms_bytes bytes = {(const uint8_t *)&number, sizeof(number)};

        if (qms_stream_send_message(st, bytes) != QMS_OK) {
            return; /* on_writable follows */
        }
        s->sent++;
    }
    example_check(qms_stream_finish(st), "finish");
}

static void on_large_done(void *arg, qms_err err)
{
    struct state *s = arg;

    s->too_large = err;
    s->refused = true;
}

static void send_all(struct qms_connection *c, struct state *s)
{
    static const struct qms_stream_callbacks callbacks = {.size = sizeof(callbacks),
                                                          .on_writable = send_small};
    static const uint8_t levels[] = {QMS_PRIORITY_BACKGROUND, QMS_PRIORITY_LOW,
                                     QMS_PRIORITY_NORMAL, QMS_PRIORITY_HIGH,
                                     QMS_PRIORITY_CRITICAL};
    static uint8_t large[100000];
    struct qms_stream *st;
    char text[32];

    for (unsigned i = 0; i < 5; i++) {
        (void)snprintf(text, sizeof(text), "urgency %u", (unsigned)levels[i]);
        example_check(qms_message_send(c, QMS_KIND_AGENT, "receiver", levels[i], NULL,
                                       example_text(text), NULL, NULL),
                      "message");
    }
    example_check(qms_stream_open(c, QMS_KIND_AGENT, "receiver", QMS_OPEN_UNI | QMS_OPEN_FRAMED,
                                  QMS_PRIORITY_NORMAL, NULL, &callbacks, s, &st),
                  "open");
    send_small(st, s);
    example_check(qms_message_send(c, QMS_KIND_AGENT, "receiver", QMS_PRIORITY_LOW, NULL,
                                   (struct qms_bytes){large, sizeof(large)}, on_large_done, s),
                  "large message");
}

int main(int argc, char **argv)
{
    struct qms_connection_callbacks receiving = {.on_message = on_message,
                                                 .on_stream = on_stream};
    struct state s = {0};

    if (argc != 4) {
        (void)fputs("usage: agent_transport URL PIN TOKEN\n", stderr);
        return 2;
    }
    example_check(qms_client_new(&s.client), "client");
    struct qms_options *o = example_options(argv[2], argv[3], "receiver");
    example_check(qms_options_set_max_message(o, 50000), "limit");
    (void)example_connect(s.client, o, argv[1], receiving, &s);
    qms_options_free(o);
    o = example_options(argv[2], argv[3], "sender");
    send_all(example_connect(s.client, o, argv[1], (struct qms_connection_callbacks){0}, NULL),
             &s);
    example_wait(s.client, &s.whole);
    example_wait(s.client, &s.counted);
    example_wait(s.client, &s.refused);
    (void)printf("%u small messages, %u in order; the large one: %s\n", s.framed, s.in_order,
                 qms_err_name(s.too_large));
    qms_client_free(s.client);
    qms_options_free(o);
    return s.in_order == SMALL && s.messages == 5 && s.too_large == QMS_E_WIRE_TOO_LARGE ? 0
                                                                                         : 1;
}
