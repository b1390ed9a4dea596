/* SPDX-License-Identifier: MIT */
/* One source for Linux and for a page: an agent that asks a service of the broker and prints
 * the answer.
 *
 *   portable_agent URL CERTIFICATE-SHA256 TOKEN ID TEXT
 *
 * On Linux the URL is quic://HOST:PORT and qms_client_run drives the client.  In a page it is
 * https://HOST:PORT/PATH; there the page's own loop does, once main has returned:
 *
 *   emcc portable_agent.c libquicms-client.a --js-library webtransport.js -o agent.mjs */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <quicms/client.h>

static void on_reply(void *arg, qms_err err, struct qms_bytes reply)
{
    struct qms_connection *c = arg;

    if (err == QMS_OK) {
        (void)printf("answer: %.*s\n", (int)reply.len, (const char *)reply.data);
    } else {
        (void)printf("no answer: %s\n", qms_strerror(err));
    }
    qms_connection_close(c, QMS_CODE_OK, "done");
}

static void on_ready(struct qms_connection *c, void *arg)
{
    const char *text = arg;
    struct qms_bytes bytes = {(const uint8_t *)text, strlen(text)};
    qms_err err = qms_request(c, QMS_KIND_SERVICE, "echo", QMS_PRIORITY_HIGH, NULL, bytes,
                              5 * QMS_SECOND, on_reply, c);

    (void)printf("agent: %s\n", qms_connection_id(c));
    if (err != QMS_OK) {
        on_reply(c, err, (struct qms_bytes){0});
    }
}

static void on_closed(struct qms_connection *c, void *arg, qms_err err, uint64_t code,
                      const char *reason)
{
    (void)arg, (void)code;
    (void)printf("closed: %s%s%s\n", qms_err_name(err), reason[0] == '\0' ? "" : ", ", reason);
    qms_client_stop(qms_connection_client(c));
}

static const struct qms_connection_callbacks callbacks = {
    .size = sizeof(callbacks), .on_ready = on_ready, .on_closed = on_closed};

static void check(qms_err err, const char *what)
{
    if (err != QMS_OK) {
        (void)fprintf(stderr, "portable_agent: %s: %s\n", what, qms_strerror(err));
        exit(1);
    }
}

int main(int argc, char **argv)
{
    struct qms_options *o = qms_options_new();
    struct qms_client *client = NULL;
    struct qms_connection *c = NULL;
    qms_err err;

    if (argc != 6 || o == NULL) {
        (void)fputs("usage: portable_agent URL CERTIFICATE-SHA256 TOKEN ID TEXT\n", stderr);
        return 64;
    }
    check(qms_options_add_certificate_pin(o, argv[2]), "certificate");
    check(qms_options_set_token(o, argv[3]), "token");
    check(qms_options_set_agent_id(o, argv[4]), "id");
    check(qms_client_new(&client), "client");
    check(qms_connect(client, o, argv[1], &callbacks, argv[5], &c), "connect");
    qms_options_free(o);
    err = qms_client_run(client, 10 * QMS_SECOND);
    if (err == QMS_E_UNSUPPORTED) {
        return 0; /* in a page: it goes on by itself */
    }
    check(err, "run");
    qms_client_free(client);
    return 0;
}
