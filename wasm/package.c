/* SPDX-License-Identifier: MIT */
/* Connections for the package: options, callbacks, and calls that are answered later. */
#include <string.h>

#include <quicms/client_web.h>

#include "base/mem.h"
#include "package.h"

static void tell(enum qmsp_event what, const void *handle, double a, double b, const char *text)
{
    qmsp_event((int)what, handle, a, b, text, text == NULL ? 0 : strlen(text), NULL, 0);
}

static double in_ms(qms_time t)
{
    return (double)(t / QMS_MICROSECOND) / 1000;
}

/* A number of milliseconds from JavaScript; below 0: never. */
static qms_time from_ms(double ms)
{
    return ms < 0 || ms > 1e12 ? QMS_NEVER : (qms_time)(ms * 1000) * QMS_MICROSECOND;
}

/* ---- callbacks ---- */

static void on_ready(struct qms_connection *c, void *arg)
{
    (void)arg;
    tell(QMSP_READY, c, 0, 0, NULL);
}

static void on_refused(struct qms_connection *c, void *arg, qms_err err, uint64_t retry_ms,
                       const char *reason, const char *redirect)
{
    (void)arg;
    qmsp_event(QMSP_REFUSED, c, err, (double)retry_ms, reason, strlen(reason), redirect,
               strlen(redirect));
}

static void on_stream(struct qms_connection *c, void *arg, struct qms_stream *st)
{
    (void)arg;
    (void)!qms_stream_set_callbacks(st, &qmsp_stream_callbacks, NULL); /* its size is not 0 */
    tell(QMSP_STREAM, c, (double)(uintptr_t)st, 0, NULL);
}

static void on_datagram(struct qms_connection *c, void *arg, enum qms_kind kind,
                        struct qms_bytes source, uint8_t priority, struct qms_bytes payload)
{
    (void)arg;
    qmsp_event(QMSP_DATAGRAM, c, kind, priority, source.data, source.len, payload.data,
               payload.len);
}

static void on_throttled(struct qms_connection *c, void *arg, unsigned what, uint64_t retry_ms)
{
    (void)arg;
    tell(QMSP_THROTTLED, c, what, (double)retry_ms, NULL);
}

static void on_goaway(struct qms_connection *c, void *arg, qms_err status, uint64_t deadline_ms,
                      const char *redirect)
{
    (void)arg;
    tell(QMSP_GOAWAY, c, status, (double)deadline_ms, redirect);
}

static void on_pong(struct qms_connection *c, void *arg, qms_time round_trip)
{
    (void)arg;
    tell(QMSP_PONG, c, in_ms(round_trip), 0, NULL);
}

static void on_token(struct qms_connection *c, void *arg, qms_err err)
{
    (void)arg;
    tell(QMSP_TOKEN, c, err, 0, NULL);
}

static void on_closed(struct qms_connection *c, void *arg, qms_err err, uint64_t code,
                      const char *reason)
{
    (void)arg;
    tell(QMSP_CLOSED, c, err, (double)code, reason);
}

static void on_message(struct qms_connection *c, void *arg, const struct qms_stream *from,
                       struct qms_bytes message)
{
    (void)arg;
    qmsp_event(QMSP_MESSAGE, c, (double)(uintptr_t)from, 0, NULL, 0, message.data, message.len);
}

static void on_reconnecting(struct qms_connection *c, void *arg, qms_err err,
                            const char *reason, unsigned attempt, qms_time delay)
{
    (void)arg, (void)attempt;
    tell(QMSP_RECONNECTING, c, err, in_ms(delay), reason);
}

static void on_presence(struct qms_connection *c, void *arg, uint64_t watch, unsigned presence,
                        const char *agent)
{
    (void)arg;
    tell(QMSP_PRESENCE, c, (double)watch, presence, agent);
}

static const struct qms_connection_callbacks callbacks = {
    .size = sizeof(callbacks),
    .on_ready = on_ready,
    .on_refused = on_refused,
    .on_stream = on_stream,
    .on_datagram = on_datagram,
    .on_throttled = on_throttled,
    .on_goaway = on_goaway,
    .on_pong = on_pong,
    .on_token = on_token,
    .on_closed = on_closed,
    .on_message = on_message,
    .on_reconnecting = on_reconnecting,
    .on_presence = on_presence,
};

/* ---- connecting ---- */

EXPORT struct qms_client *qmsp_client(void)
{
    struct qms_client *client = NULL;

    return qms_client_new(&client) == QMS_OK ? client : NULL;
}

EXPORT qms_err qmsp_options_times(struct qms_options *o, double connect, double idle,
                                  double keep_alive, double min, double max)
{
    qms_err err = qms_options_set_connect_timeout(o, from_ms(connect));

    if (err == QMS_OK) {
        err = qms_options_set_idle_timeout(o, from_ms(idle));
    }
    if (err == QMS_OK) {
        err = qms_options_set_keep_alive(o, from_ms(keep_alive));
    }
    return err == QMS_OK ? qms_options_set_reconnect(o, from_ms(min), from_ms(max)) : err;
}

/* With a token function the package puts a fresh one here before each attempt, so an answer
 * that refused the last one need not be the end. */
static const char *token_now(void *arg)
{
    return ((const struct qms_connection *)arg)->settings.token;
}

EXPORT qms_err qmsp_connect(struct qms_client *client, const struct qms_options *o,
                            const char *url, int fresh_tokens, struct qms_connection **out)
{
    qms_err err = qms_connect(client, o, url, &callbacks, NULL, out);

    if (err == QMS_OK && fresh_tokens) {
        (*out)->settings.token_fn = token_now;
        (*out)->settings.token_arg = *out;
    }
    return err;
}

EXPORT qms_err qmsp_next_token(struct qms_connection *c, const char *token)
{
    return qms_options_set_token(&c->settings, token);
}

EXPORT void qmsp_close(struct qms_connection *c, unsigned code, const char *reason)
{
    qms_connection_close(c, (uint8_t)code, reason);
}

/* ---- questions ---- */

void qmsp_done(struct qms_connection *c, void *arg, qms_err err)
{
    qmsp_event(QMSP_DONE, c, err, (double)(uintptr_t)arg, NULL, 0, NULL, 0);
}

static void on_sent(void *arg, qms_err err)
{
    qmsp_done(NULL, arg, err);
}

static void on_reply(void *arg, qms_err err, struct qms_bytes reply)
{
    qmsp_event(QMSP_DONE, NULL, err, (double)(uintptr_t)arg, NULL, 0, reply.data, reply.len);
}

EXPORT qms_err qmsp_join(struct qms_connection *c, enum qms_kind kind, const char *name,
                         double weight, int priority, double slow_policy, uintptr_t call)
{
    struct qms_join *p = qms_join_new();
    qms_err err = p == NULL ? QMS_E_NOMEM : QMS_OK;

    if (err == QMS_OK && weight >= 0) {
        err = qms_join_set_weight(p, (uint64_t)weight);
    }
    if (err == QMS_OK && slow_policy >= 0) {
        err = qms_join_set_slow_policy(p, (uint64_t)slow_policy);
    }
    if (err == QMS_OK && priority >= 0) {
        qms_join_set_priority(p, (uint8_t)priority);
    }
    if (err == QMS_OK) {
        err = qms_connection_join(c, kind, name, p, qmsp_done, (void *)call);
    }
    qms_join_free(p);
    return err;
}

EXPORT qms_err qmsp_leave(struct qms_connection *c, enum qms_kind kind, const char *name,
                          uintptr_t call)
{
    return qms_connection_leave(c, kind, name, qmsp_done, (void *)call);
}

EXPORT qms_err qmsp_watch(struct qms_connection *c, const char *prefix, uintptr_t call,
                          double *watch)
{
    uint64_t number = 0;
    qms_err err = qms_connection_watch(c, prefix, qmsp_done, (void *)call, &number);

    *watch = (double)number;
    return err;
}

EXPORT qms_err qmsp_unwatch(struct qms_connection *c, double watch, uintptr_t call)
{
    return qms_connection_unwatch(c, (uint64_t)watch, qmsp_done, (void *)call);
}

EXPORT qms_err qmsp_ask_stats(struct qms_connection *c, uintptr_t call)
{
    return qms_broker_stats_ask(c, qmsp_done, (void *)call);
}

EXPORT qms_err qmsp_datagram(struct qms_connection *c, enum qms_kind kind, const char *name,
                             unsigned priority, const uint8_t *data, size_t len)
{
    return qms_datagram_send(c, kind, name, (uint8_t)priority, (struct qms_bytes){data, len});
}

EXPORT qms_err qmsp_send(struct qms_connection *c, enum qms_kind kind, const char *name,
                         unsigned priority, const struct qms_open *params, const uint8_t *data,
                         size_t len, uintptr_t call)
{
    return qms_message_send(c, kind, name, (uint8_t)priority, params,
                            (struct qms_bytes){data, len}, on_sent, (void *)call);
}

EXPORT qms_err qmsp_request(struct qms_connection *c, enum qms_kind kind, const char *name,
                            unsigned priority, const struct qms_open *params,
                            const uint8_t *data, size_t len, double timeout, uintptr_t call)
{
    return qms_request(c, kind, name, (uint8_t)priority, params, (struct qms_bytes){data, len},
                       from_ms(timeout), on_reply, (void *)call);
}

/* ---- figures ---- */

EXPORT unsigned qmsp_connection_stats(struct qms_connection *c, double *out)
{
    uint64_t values[QMS_CONNECTION_STAT_COUNT];

    qms_connection_stats(c, values, QMS_CONNECTION_STAT_COUNT);
    for (unsigned i = 0; i < QMS_CONNECTION_STAT_COUNT; i++) {
        out[i] = (double)values[i];
    }
    return QMS_CONNECTION_STAT_COUNT;
}

EXPORT unsigned qmsp_stream_stats(const struct qms_stream *st, double *out)
{
    uint64_t values[QMS_STREAM_STAT_COUNT];

    qms_stream_stats(st, values, QMS_STREAM_STAT_COUNT);
    for (unsigned i = 0; i < QMS_STREAM_STAT_COUNT; i++) {
        out[i] = (double)values[i];
    }
    return QMS_STREAM_STAT_COUNT;
}
