/* SPDX-License-Identifier: MIT */
#include "loop_agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUESTIONS 10

static void on_reply(void *arg, qms_err err, struct qms_bytes reply);

static void ask(struct loop_agent *a)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "question %u", ++a->asked);
    example_check(qms_request(a->c, a->kind, a->name, QMS_PRIORITY_NORMAL, NULL,
                              example_text(text), 10 * QMS_SECOND, on_reply, a),
                  "request");
}

static void on_reply(void *arg, qms_err err, struct qms_bytes reply)
{
    struct loop_agent *a = arg;

    example_check(err, "reply");
    (void)printf("%.*s\n", (int)reply.len, (const char *)reply.data);
    if (a->asked < QUESTIONS) {
        ask(a);
    } else {
        qms_connection_close(a->c, QMS_CODE_OK, NULL);
    }
}

static void on_ready(struct qms_connection *c, void *arg)
{
    (void)c;
    ask(arg);
}

static void on_closed(struct qms_connection *c, void *arg, qms_err err, uint64_t code,
                      const char *reason)
{
    (void)c;
    (void)code;
    example_check(err, reason);
    ((struct loop_agent *)arg)->done = true;
}

void loop_agent_start(struct loop_agent *a, int argc, char **argv)
{
    static const struct qms_connection_callbacks callbacks = {
        .size = sizeof(callbacks), .on_ready = on_ready, .on_closed = on_closed};

    if (argc != 5) {
        (void)fprintf(stderr, "usage: %s URL PIN TOKEN TARGET\n", argv[0]);
        exit(2);
    }
    *a = (struct loop_agent){.options = example_options(argv[2], argv[3], NULL)};
    a->kind = example_target(argv[4], &a->name);
    example_check(qms_client_new(&a->client), "client");
    example_check(qms_connect(a->client, a->options, argv[1], &callbacks, a, &a->c), argv[1]);
}

void loop_agent_end(struct loop_agent *a)
{
    qms_connection_release(a->c);
    qms_client_free(a->client);
    qms_options_free(a->options);
}
