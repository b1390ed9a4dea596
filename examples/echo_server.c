/* SPDX-License-Identifier: MIT */
/* Takes direct connections and sends back whatever comes on their streams, until its standard
 * input ends.
 *
 *   echo_server IP:PORT [TOKEN [CERTIFICATE KEY [BROKER]]]
 *
 * Prints the URL and the pin that echo_client wants.  BROKER is the token of a broker's
 * upstream block, or the pin of its certificate's key: that one is believed, and each stream
 * that comes over it is told with its source. */
#include <poll.h>
#include <quicms/listen.h>
#include <stdio.h>
#include <unistd.h>

#include "common.h"

/* Bytes go from the receiving into the sending direction as far as there is room; what stays
 * unread holds the sender back. */
static void pump(struct qms_stream *st, void *arg)
{
    struct qms_bytes data;
    size_t taken;
    qms_err err;

    (void)arg;
    while ((err = qms_stream_peek(st, &data)) == QMS_OK && data.len > 0) {
        if (qms_stream_write(st, data, &taken) != QMS_OK ||
            qms_stream_consume(st, taken) != QMS_OK) {
            return; /* on_writable or on_closed follows */
        }
    }
    if (err == QMS_OK) {
        (void)!qms_stream_finish(st);
    } else if (err != QMS_E_AGAIN) {
        qms_stream_reset(st, QMS_CODE_CANCELLED);
    }
}

static void on_stream_closed(struct qms_stream *st, void *arg, qms_err err)
{
    (void)arg;
    (void)err;
    qms_stream_release(st);
}

static void on_stream(struct qms_connection *c, void *arg, struct qms_stream *st)
{
    static const struct qms_stream_callbacks callbacks = {
        .size = sizeof(callbacks),
        .on_readable = pump,
        .on_writable = pump,
        .on_closed = on_stream_closed,
    };

    if (qms_connection_is_broker(c)) {
        struct qms_bytes from = qms_stream_source(st), to = qms_stream_target(st);

        (void)printf("stream from %.*s to %.*s\n", (int)from.len, (const char *)from.data,
                     (int)to.len, (const char *)to.data);
        (void)fflush(stdout);
    }
    if (qms_stream_set_callbacks(st, &callbacks, arg) != QMS_OK ||
        qms_stream_accept(st, (struct qms_bytes){0}) != QMS_OK) {
        qms_stream_release(st);
    }
}

static void on_closed(struct qms_connection *c, void *arg, qms_err err, uint64_t code,
                      const char *reason)
{
    (void)arg;
    (void)code;
    (void)reason;
    (void)printf("- %s (%s)\n", qms_connection_peer_id(c), qms_err_name(err));
    qms_connection_release(c);
}

static void on_connection(struct qms_listener *l, void *arg, struct qms_connection *c)
{
    static const struct qms_connection_callbacks callbacks = {
        .size = sizeof(callbacks), .on_stream = on_stream, .on_closed = on_closed};

    (void)l;
    (void)printf("+ %s from %s\n", qms_connection_peer_id(c), qms_connection_remote_address(c));
    (void)fflush(stdout);
    example_check(qms_connection_set_callbacks(c, &callbacks, arg), "connection");
}

static void on_stopped(struct qms_listener *l, void *arg)
{
    (void)l;
    *(bool *)arg = true;
}

static void serve(struct qms_client *client)
{
    struct pollfd fds[] = {{.fd = qms_client_fd(client), .events = POLLIN},
                           {.fd = STDIN_FILENO, .events = POLLIN}};
    char buf[256];

    for (;;) {
        qms_client_process(client);
        if (poll(fds, 2, qms_client_timeout(client)) < 0) {
            return;
        }
        if (fds[1].revents != 0 && read(STDIN_FILENO, buf, sizeof(buf)) <= 0) {
            return;
        }
    }
}

int main(int argc, char **argv)
{
    static const struct qms_listener_callbacks callbacks = {
        .size = sizeof(callbacks), .on_connection = on_connection, .on_stopped = on_stopped};
    struct qms_client *client;
    struct qms_listener *l;
    bool stopped = false;

    if (argc < 2) {
        (void)fputs("usage: echo_server IP:PORT [TOKEN [CERTIFICATE KEY [BROKER]]]\n", stderr);
        return 2;
    }
    struct qms_options *o = example_options(NULL, NULL, "echo");
    if (argc > 2 && argv[2][0] != '\0') {
        example_check(qms_options_add_accepted_token(o, NULL, argv[2]), "token");
    }
    if (argc > 4) {
        example_check(qms_options_set_client_certificate(o, argv[3], argv[4]), "certificate");
    }
    if (argc > 5 && qms_options_add_broker_pin(o, argv[5]) != QMS_OK) {
        example_check(qms_options_add_broker_token(o, argv[5]), "broker token");
    }
    example_check(qms_client_new(&client), "client");
    example_check(qms_listen(client, o, argv[1], &callbacks, &stopped, &l), argv[1]);
    (void)printf("url quic://%s\npin %s\n", qms_listener_local_address(l), qms_listener_pin(l));
    (void)fflush(stdout);
    serve(client);
    qms_listener_stop(l, 2 * QMS_SECOND);
    example_wait(client, &stopped);
    qms_listener_release(l);
    qms_client_free(client);
    qms_options_free(o);
    return 0;
}
