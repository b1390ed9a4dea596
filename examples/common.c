/* SPDX-License-Identifier: MIT */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void example_check(qms_err err, const char *what)
{
    if (err != QMS_OK) {
        (void)fprintf(stderr, "%s: %s (%s, by %s)\n", what, qms_strerror(err),
                      qms_err_name(err), qms_err_who_name(err));
        exit(1);
    }
}

struct qms_options *example_options(const char *pin, const char *token, const char *id)
{
    struct qms_options *o = qms_options_new();

    example_check(o == NULL ? QMS_E_NOMEM : QMS_OK, "options");
    if (pin != NULL && pin[0] != '\0') {
        example_check(qms_options_add_certificate_pin(o, pin), "pin");
    }
    example_check(qms_options_set_token(o, token), "token");
    example_check(qms_options_set_agent_id(o, id), "id");
    return o;
}

enum qms_kind example_target(const char *text, const char **name)
{
    const char *colon = strchr(text, ':');

    *name = colon == NULL ? NULL : colon + 1;
    if (strncmp(text, "agent:", 6) == 0) {
        return QMS_KIND_AGENT;
    }
    return strncmp(text, "service:", 8) == 0 ? QMS_KIND_SERVICE : QMS_KIND_SELF;
}

struct qms_bytes example_text(const char *text)
{
    return (struct qms_bytes){(const uint8_t *)text, strlen(text)};
}

void example_wait(struct qms_client *client, const bool *flag)
{
    for (int i = 0; i < 30000 && !*flag; i++) {
        qms_err err = qms_client_run(client, QMS_MILLISECOND);

        example_check(err == QMS_E_TIMEOUT ? QMS_OK : err, "waiting");
    }
    example_check(*flag ? QMS_OK : QMS_E_TIMEOUT, "waiting");
}

static void on_closed(struct qms_connection *c, void *arg, qms_err err, uint64_t code,
                      const char *reason)
{
    (void)c;
    (void)arg;
    (void)code;
    (void)fprintf(stderr, "closed: %s\n", reason);
    example_check(err, "connection");
}

struct qms_connection *example_connect(struct qms_client *client, struct qms_options *options,
                                       const char *url,
                                       struct qms_connection_callbacks callbacks, void *arg)
{
    struct qms_connection *c;
    bool ready = false;

    callbacks.size = sizeof(callbacks);
    if (callbacks.on_closed == NULL) {
        callbacks.on_closed = on_closed;
    }
    example_check(qms_connect(client, options, url, &callbacks, arg, &c), url);
    while (!ready) {
        qms_err err = qms_client_run(client, QMS_MILLISECOND);

        example_check(err == QMS_E_TIMEOUT ? QMS_OK : err, url);
        example_check(qms_connection_is_closed(c) ? QMS_E_CLOSED : QMS_OK, url);
        ready = qms_connection_is_ready(c);
    }
    return c;
}
