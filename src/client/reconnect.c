/* SPDX-License-Identifier: MIT */
/* Coming back: which ends are worth another attempt, when it begins, and where to.
 *
 * Lost -> on_reconnecting, the delay, redial -> on_ready, or lost again.  Meanwhile the state
 * is DIALING, so what may wait for a first on_ready may wait for the next one too. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/client_i.h"

#define REDIRECTS_MAX   4
#define REDIRECT_LENGTH 512
/* Service after which a connection counts as one that worked. */
#define SERVED_FOR (30 * QMS_SECOND)

static bool enabled(const struct qms_connection *c)
{
    return c->settings.reconnect_min > 0;
}

/* Whether the next attempt may end otherwise. */
static bool worth_trying(const struct qms_connection *c, qms_err err)
{
    switch ((int)err) {
    case QMS_E_CERTIFICATE:
    case QMS_E_TLS:
    case QMS_E_PROTOCOL:
    case QMS_E_CONFIG:
    case QMS_E_WIRE_PROTOCOL:
    case QMS_E_WIRE_UNSUPPORTED:
    case QMS_E_WIRE_FORBIDDEN:
    case QMS_E_WIRE_REPLACED:
        return false;
    case QMS_E_WIRE_UNAUTHENTICATED:
    case QMS_E_WIRE_EXPIRED:
        return c->settings.token_fn != NULL;
    default:
        return true;
    }
}

/* min * 2^n up to max, of which between half and all is taken. */
static qms_time back_off(const struct qms_connection *c)
{
    qms_time min = c->settings.reconnect_min, max = c->settings.reconnect_max;
    unsigned shift = c->attempts < 20 ? c->attempts : 20;
    qms_time full = min > max >> shift ? max : min << shift, at_least;
    uint64_t dice;

    qms_random(&dice, sizeof(dice));
    full -= dice % (full / 2 + 1);
    at_least = c->retry_after_ms * QMS_MILLISECOND;
    return full < at_least ? at_least : full;
}

static void tell(struct qms_connection *c, qms_err err, const char *reason, qms_time delay)
{
    struct qms_event *e;

    if (c->cb.on_reconnecting == NULL) {
        return;
    }
    e = qms_event_add(c, QMS_EVENT_RECONNECTING,
                      (struct qms_bytes){(const uint8_t *)reason, strlen(reason)},
                      (struct qms_bytes){0});
    if (e != NULL) {
        e->err = err;
        e->what = c->attempts;
        e->rtt = delay;
    }
}

/* What was under way ends; what has not begun goes on waiting. */
static void end_session_streams(struct qms_connection *c, qms_err err)
{
    struct qms_list *node, *next;

    QMS_LIST_FOREACH_SAFE(node, next, &c->streams) {
        struct qms_stream *st = QMS_CONTAINER(node, struct qms_stream, node);

        if (!st->waiting && (st->fate_is_closing || st->confirming)) {
            qms_stream_kill(st, err == QMS_OK ? QMS_E_CLOSED : err);
        }
    }
}

/* What was asked over the session is not answered any more. */
static void forget_answers(struct qms_connection *c)
{
    c->broker_stats_known = false;
    qms_pings_forget(c);
    c->ready_due = c->leaving = c->refused = false;
    c->leave_at = QMS_NEVER;
    qms_requests_lost(c);
}

static void forget_session(struct qms_connection *c)
{
    struct qms_list *node;

    c->client->bytes_sent += c->last_stats[QMS_CONNECTION_BYTES_SENT];
    c->client->bytes_received += c->last_stats[QMS_CONNECTION_BYTES_RECEIVED];
    memset(c->last_stats, 0, sizeof(c->last_stats));

    while ((node = qms_list_first(&c->confirming)) != NULL) {
        qms_list_remove(node);
    }
    c->confirm_done = c->confirm_sent;
    forget_answers(c);
}

bool qms_reconnect_try(struct qms_connection *c, qms_err err, const char *reason)
{
    qms_time now = c->client->now, delay;
    bool was_ready = c->state == QMS_CONN_READY, at_once;

    if (!enabled(c) || c->released || c->state == QMS_CONN_CLOSING ||
        c->state == QMS_CONN_CLOSED || c->redial == NULL ||
        (c->redirect == NULL && !worth_trying(c, err))) {
        return false;
    }
    at_once = c->leaving || c->redirect != NULL;
    if (was_ready && now - c->ready_at >= SERVED_FOR) {
        c->attempts = c->redirects = 0;
    }
    c->client->failed += was_ready ? 0 : 1;
    c->state = QMS_CONN_DIALING;
    delay = at_once ? 0 : back_off(c);
    c->attempts++;
    c->retry_after_ms = 0;
    c->deadline = QMS_NEVER;
    c->reconnect_at = now + delay;
    tell(c, err, reason, delay);
    end_session_streams(c, err);
    forget_session(c);
    qms_connection_due(c);
    qms_connection_touch(c);
    return true;
}

static void attempt(struct qms_connection *c, qms_time now)
{
    char *url = c->redirect;
    qms_err err;

    c->redirect = NULL;
    c->reconnect_at = QMS_NEVER;
    c->deadline = now + c->settings.connect_for;
    c->client->attempted++;
    c->reconnects++;
    err = c->redial(c, url);
    qms_free(url);
    if (err != QMS_OK) {
        qms_connection_fail(c, err, qms_strerror(err)); /* or tries again */
    }
    qms_connection_touch(c);
}

bool qms_reconnect_redirect(struct qms_connection *c, struct qms_bytes url)
{
    size_t scheme = strlen(qms_dial_scheme);
    char *copy;

    if (!enabled(c) || url.len <= scheme || url.len > REDIRECT_LENGTH ||
        memcmp(url.data, qms_dial_scheme, scheme) != 0 || c->redirects >= REDIRECTS_MAX) {
        return false;
    }
    copy = qms_strndup((const char *)url.data, url.len);
    if (copy == NULL) {
        return false;
    }
    qms_free(c->redirect);
    c->redirect = copy;
    c->redirects++;
    return true;
}

/* ---- GOAWAY ---- */

void qms_reconnect_on_goaway(struct qms_connection *c, uint64_t deadline_ms,
                             struct qms_bytes redirect)
{
    qms_time now = c->client->now;

    if (!enabled(c) || c->state != QMS_CONN_READY || c->leaving) {
        return;
    }
    (void)qms_reconnect_redirect(c, redirect);
    c->leaving = true;
    c->leave_at = deadline_ms == 0 || deadline_ms > (QMS_NEVER - now) / QMS_MILLISECOND
                      ? QMS_NEVER
                      : now + deadline_ms * QMS_MILLISECOND;
    qms_connection_due(c);
    qms_connection_touch(c);
}

static bool busy(const struct qms_connection *c)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &c->streams) {
        const struct qms_stream *st = QMS_CONTAINER(node, struct qms_stream, node);

        if (st->session_stream != NULL || st->confirming) {
            return true;
        }
    }
    return false;
}

/* The close's on_closed finds the connection ready and so makes it anew. */
static void leave(struct qms_connection *c)
{
    c->leave_at = QMS_NEVER;
    qms_session_close(c->session, QMS_CODE_OK, NULL);
    qms_connection_touch(c);
}

/* The next session is dialled while this one ends its streams. */
static bool move(struct qms_connection *c)
{
    qms_connection_read_stats(c);
    if (!qms_parting_begin(c, c->leave_at)) {
        return false;
    }
    c->state = QMS_CONN_DIALING;
    c->attempts++;
    c->deadline = QMS_NEVER;
    c->reconnect_at = c->client->now;
    tell(c, QMS_E_WIRE_GOING_AWAY, "the broker has asked to connect anew", 0);
    memset(c->last_stats, 0, sizeof(c->last_stats)); /* parting.c adds them */
    forget_answers(c);
    qms_connection_due(c);
    qms_connection_touch(c);
    return true;
}

void qms_reconnect_check_leave(struct qms_connection *c)
{
    if (c->leaving && c->session != NULL && c->state == QMS_CONN_READY && c->redial != NULL &&
        !move(c) && !busy(c)) {
        leave(c);
    }
    qms_parting_check(c);
}

/* ---- time ---- */

qms_time qms_reconnect_next_at(const struct qms_connection *c)
{
    switch (c->state) {
    case QMS_CONN_DIALING:
        return c->reconnect_at;
    case QMS_CONN_READY:
        return c->leave_at;
    default:
        return QMS_NEVER;
    }
}

void qms_reconnect_expire(struct qms_connection *c, qms_time now)
{
    if (c->state == QMS_CONN_DIALING && now >= c->reconnect_at) {
        attempt(c, now);
    } else if (c->state == QMS_CONN_READY && c->session != NULL && now >= c->leave_at) {
        leave(c);
    }
}
