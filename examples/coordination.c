/* SPDX-License-Identifier: MIT */
/* Ten agents that agree on a sum through the broker: each opens a stream to each of the ten
 * (itself included), says its number, and adds up the numbers that come back.  All must find
 * the same.
 *
 *   coordination URL PIN TOKEN
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

#define AGENTS 10

struct agent {
    struct qms_client *client;
    struct qms_connection *c;
    unsigned number, heard, answers, sum;
};

static struct agent agents[AGENTS];
static unsigned finished;

/* ---- the one who is asked ---- */

static void on_question(struct qms_stream *st, void *arg)
{
    struct agent *a = arg;
    char text[16];
    size_t len;

    while (qms_stream_read(st, text, sizeof(text), &len) == QMS_OK) {
        if (len == 0) { /* its number is known now; ours goes back */
            a->heard++;
            (void)snprintf(text, sizeof(text), "%u", a->number);
            example_check(qms_stream_write(st, example_text(text), &len), "answer");
            example_check(qms_stream_finish(st), "answer");
            qms_stream_release(st);
            return;
        }
    }
}

static void on_stream(struct qms_connection *c, void *arg, struct qms_stream *st)
{
    static const struct qms_stream_callbacks callbacks = {.size = sizeof(callbacks),
                                                          .on_readable = on_question};

    (void)c;
    example_check(qms_stream_set_callbacks(st, &callbacks, arg), "stream");
    example_check(qms_stream_accept(st, (struct qms_bytes){0}), "accept");
}

/* ---- the one who asks ---- */

static void on_reply(void *arg, qms_err err, struct qms_bytes reply)
{
    struct agent *a = arg;
    char text[16] = "";

    example_check(err, "reply");
    memcpy(text, reply.data, reply.len < sizeof(text) - 1 ? reply.len : sizeof(text) - 1);
    a->sum += (unsigned)strtoul(text, NULL, 10);
    if (++a->answers == AGENTS && ++finished == AGENTS) {
        qms_client_stop(a->client);
    }
}

static void ask_everyone(struct agent *a)
{
    char name[32], number[16];

    (void)snprintf(number, sizeof(number), "%u", a->number);
    for (unsigned i = 0; i < AGENTS; i++) {
        (void)snprintf(name, sizeof(name), "worker-%u", i);
        example_check(qms_request(a->c, QMS_KIND_AGENT, name, QMS_PRIORITY_NORMAL, NULL,
                                  example_text(number), 20 * QMS_SECOND, on_reply, a),
                      name);
    }
}

int main(int argc, char **argv)
{
    struct qms_client *client;
    bool same = true;
    char id[32];

    if (argc != 4) {
        (void)fputs("usage: coordination URL PIN TOKEN\n", stderr);
        return 2;
    }
    example_check(qms_client_new(&client), "client");
    struct qms_options *o = example_options(argv[2], argv[3], NULL);
    for (unsigned i = 0; i < AGENTS; i++) {
        agents[i] = (struct agent){.client = client, .number = i + 1};
        (void)snprintf(id, sizeof(id), "worker-%u", i);
        example_check(qms_options_set_agent_id(o, id), id);
        agents[i].c = example_connect(client, o, argv[1],
                                      (struct qms_connection_callbacks){.on_stream = on_stream},
                                      &agents[i]);
    }
    for (unsigned i = 0; i < AGENTS; i++) {
        ask_everyone(&agents[i]);
    }
    example_check(qms_client_run(client, 30 * QMS_SECOND), "answers");
    for (unsigned i = 0; i < AGENTS; i++) {
        same = same && agents[i].sum == agents[0].sum && agents[i].heard == AGENTS;
    }
    (void)printf("%u agents agree on %u: %s\n", finished, agents[0].sum, same ? "yes" : "no");
    qms_client_free(client);
    qms_options_free(o);
    return same ? 0 : 1;
}
