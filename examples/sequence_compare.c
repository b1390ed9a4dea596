/* SPDX-License-Identifier: MIT */
/* An agent that compares two sequences of numbers streamed to it, and its client.
 *
 *   sequence_compare serve URL PIN TOKEN ID
 *   sequence_compare ask URL PIN TOKEN ID "1 2 3" "1 3"
 *
 * The stream is FRAMED.  The client sends messages of 'a' or 'b' and any number of doubles in
 * the machine's order, as many as it likes of each, and ends its direction; the answer is one
 * line of text.  serve runs until its standard input ends. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "distances.h"

/* ---- the agent ---- */

struct job {
    double *values[2];
    size_t len[2];
};

static void job_free(struct job *j)
{
    free(j->values[0]);
    free(j->values[1]);
    free(j);
}

static void refuse(struct qms_stream *st, struct job *j, uint8_t code)
{
    qms_stream_reset(st, code);
    qms_stream_stop(st, code);
    qms_stream_release(st);
    job_free(j);
}

static bool append(struct job *j, unsigned which, struct qms_bytes doubles)
{
    size_t count = doubles.len / sizeof(double), len = j->len[which];
    double *grown;

    if (doubles.len % sizeof(double) != 0 || len + count > DISTANCES_MAX) {
        return false;
    }
    grown = realloc(j->values[which], (len + count + 1) * sizeof(double));
    if (grown == NULL) {
        return false;
    }
    memcpy(grown + len, doubles.data, count * sizeof(double));
    j->values[which] = grown;
    j->len[which] += count;
    return true;
}

static void on_part(struct qms_stream *st, void *arg, struct qms_bytes message)
{
    struct job *j = arg;
    struct qms_bytes rest = {message.data + 1, message.len - 1};

    if (message.len == 0 || (message.data[0] != 'a' && message.data[0] != 'b')) {
        refuse(st, j, QMS_CODE_PROTOCOL);
    } else if (!append(j, message.data[0] == 'b', rest)) {
        refuse(st, j, QMS_CODE_TOO_LARGE);
    }
}

/* Everything has come, or nothing more will. */
static void on_end(struct qms_stream *st, void *arg)
{
    struct job *j = arg;
    struct distances d;
    char text[128];
    size_t len;

    if (qms_stream_read(st, text, sizeof(text), &len) != QMS_OK ||
        !distances(j->values[0], j->len[0], j->values[1], j->len[1], &d)) {
        refuse(st, j, QMS_CODE_INTERNAL);
        return;
    }
    (void)snprintf(text, sizeof(text), "dtw %g edit %zu lcs %zu", d.dtw, d.edit, d.lcs);
    (void)!qms_stream_send_message(st, example_text(text));
    (void)!qms_stream_finish(st);
    qms_stream_release(st); /* what was finished goes on */
    job_free(j);
}

static void on_stream(struct qms_connection *c, void *arg, struct qms_stream *st)
{
    static const struct qms_stream_callbacks callbacks = {
        .size = sizeof(callbacks), .on_readable = on_end, .on_message = on_part};
    struct job *j = calloc(1, sizeof(*j));

    (void)c;
    (void)arg;
    if (j == NULL || qms_stream_accept(st, (struct qms_bytes){0}) != QMS_OK ||
        qms_stream_set_callbacks(st, &callbacks, j) != QMS_OK) {
        free(j);
        qms_stream_release(st);
    }
}

static void serve(struct qms_client *client)
{
    struct pollfd fds[] = {{.fd = qms_client_fd(client), .events = POLLIN},
                           {.fd = STDIN_FILENO, .events = POLLIN}};

    (void)puts("ready");
    (void)fflush(stdout);
    while (fds[1].revents == 0) {
        qms_client_process(client);
        (void)poll(fds, 2, qms_client_timeout(client));
    }
}

/* ---- the client ---- */

static void send_sequence(struct qms_stream *st, char which, const char *text)
{
    uint8_t message[1 + 16 * sizeof(double)];
    char *end;

    while (*text != '\0') {
        size_t count = 0;

        message[0] = (uint8_t)which;
        while (*text != '\0' && count < 16) {
            double value = strtod(text, &end);

            example_check(end == text ? QMS_E_INVALID : QMS_OK, text);
            text = end + strspn(end, " ");
            memcpy(message + 1 + count++ * sizeof(double), &value, sizeof(double));
        }
        example_check(qms_stream_send_message(
                          st, (struct qms_bytes){message, 1 + count * sizeof(double)}),
                      "send");
    }
}

static void on_answer(struct qms_stream *st, void *arg, struct qms_bytes message)
{
    (void)st;
    (void)printf("%.*s\n", (int)message.len, (const char *)message.data);
    *(bool *)arg = true;
}

static void on_refused(struct qms_stream *st, void *arg, qms_err err)
{
    (void)st;
    if (!*(bool *)arg) {
        example_check(err == QMS_OK ? QMS_E_CLOSED : err, "no answer");
    }
}

static void ask(struct qms_client *client, struct qms_connection *c, char **argv)
{
    static const struct qms_stream_callbacks callbacks = {
        .size = sizeof(callbacks), .on_closed = on_refused, .on_message = on_answer};
    struct qms_stream *st;
    bool answered = false;

    example_check(qms_stream_open(c, QMS_KIND_AGENT, argv[5], QMS_OPEN_FRAMED,
                                  QMS_PRIORITY_NORMAL, NULL, &callbacks, &answered, &st),
                  argv[5]);
    send_sequence(st, 'a', argv[6]);
    send_sequence(st, 'b', argv[7]);
    example_check(qms_stream_finish(st), "finish");
    example_wait(client, &answered);
    qms_stream_release(st);
}

int main(int argc, char **argv)
{
    bool serving = argc == 6 && strcmp(argv[1], "serve") == 0;
    struct qms_client *client;

    if (!serving && (argc != 8 || strcmp(argv[1], "ask") != 0)) {
        (void)fputs("usage: sequence_compare serve URL PIN TOKEN ID\n"
                    "       sequence_compare ask URL PIN TOKEN ID \"1 2 3\" \"1 3\"\n",
                    stderr);
        return 2;
    }
    struct qms_options *o = example_options(argv[3], argv[4], serving ? argv[5] : NULL);
    struct qms_connection_callbacks callbacks = {.on_stream = serving ? on_stream : NULL};
    example_check(qms_client_new(&client), "client");
    struct qms_connection *c = example_connect(client, o, argv[2], callbacks, NULL);
    if (serving) {
        serve(client);
    } else {
        ask(client, c, argv);
    }
    qms_client_free(client);
    qms_options_free(o);
    return 0;
}
