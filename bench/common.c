/* SPDX-License-Identifier: MIT */
/* Clock, connection, waiting and printing for all runs. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

double bench_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void bench_die(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    fputs("quicms-bench: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

static void on_ready(struct qms_connection *c, void *arg)
{
    struct bench *b = arg;
    (void)c;
    b->ready = true;
    qms_client_stop(b->client);
}

static void on_closed(struct qms_connection *c, void *arg, qms_err err, uint64_t code,
                      const char *reason)
{
    (void)c, (void)arg;
    bench_die("a connection ended: %s (code %llu) %s", qms_strerror(err),
              (unsigned long long)code, reason);
}

struct qms_options *bench_options(const struct bench *b, const char *id)
{
    struct qms_options *o = qms_options_new();

    if (o == NULL || qms_options_set_agent_id(o, id) != QMS_OK ||
        qms_options_set_token(o, b->token) != QMS_OK ||
        qms_options_set_send_buffer(o, 4u << 20) != QMS_OK ||
        qms_options_set_max_udp_payload(o, b->payload) != QMS_OK ||
        (b->congestion != NULL &&
         qms_options_set_congestion_control(o, b->congestion) != QMS_OK) ||
        (b->pin != NULL && qms_options_add_certificate_pin(o, b->pin) != QMS_OK)) {
        bench_die("the options were refused");
    }
    qms_options_set_insecure(o, b->pin == NULL);
    return o;
}

struct qms_connection *bench_connect_by(struct bench *b, const struct qms_options *o,
                                        const struct qms_connection_callbacks *extra)
{
    struct qms_connection_callbacks callbacks = {.size = sizeof(callbacks)};
    struct qms_connection *c = NULL;

    if (extra != NULL) {
        callbacks = *extra;
    }
    callbacks.on_ready = on_ready;
    callbacks.on_closed = callbacks.on_closed != NULL ? callbacks.on_closed : on_closed;
    b->ready = false;
    if (qms_connect(b->client, o, b->url, &callbacks, b, &c) != QMS_OK) {
        bench_die("%s", qms_client_error(b->client));
    }
    bench_run(b, &b->ready, 10, "connecting");
    return c;
}

struct qms_connection *bench_connect(struct bench *b, const char *id,
                                     const struct qms_connection_callbacks *extra)
{
    struct qms_options *o = bench_options(b, id);
    struct qms_connection *c = bench_connect_by(b, o, extra);

    qms_options_free(o);
    return c;
}

void bench_run(struct bench *b, const bool *done, double for_s, const char *what)
{
    double until = bench_now() + for_s;

    while (!*done) {
        (void)qms_client_run(b->client, 100 * QMS_MILLISECOND);
        if (bench_now() > until) {
            bench_die("%s: not finished after %.0f s", what, for_s);
        }
    }
}

bool bench_wanted(const struct bench *b, const char *name)
{
    return b->only == NULL || strstr(name, b->only) != NULL;
}

void bench_row(const struct bench *b, const char *name, double value, const char *unit,
               const char *format, ...)
{
    char detail[256];
    va_list ap;

    va_start(ap, format);
    vsnprintf(detail, sizeof(detail), format, ap);
    va_end(ap);
    if (b->json) {
        printf("{\"name\": \"%s\", \"value\": %.3f, \"unit\": \"%s\", \"detail\": \"%s\"}\n",
               name, value, unit, detail);
    } else {
        printf("%-32s %12.1f %-10s %s\n", name, value, unit, detail);
    }
    fflush(stdout);
}
