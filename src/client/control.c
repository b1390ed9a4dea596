/* SPDX-License-Identifier: MIT */
/* CONTROL messages between this agent and the broker: PING, AUTH, THROTTLED, GOAWAY; and
 * datagrams, whose contexts the session binds. */
#include <string.h>

#include "base/mem.h"
#include "client/client_i.h"

qms_err qms_connection_check_ready(const struct qms_connection *c)
{
    qms_err err = qms_connection_check_open(c);

    if (err == QMS_OK && c->state != QMS_CONN_READY) {
        err = QMS_E_STATE;
    }
    return err;
}

qms_err qms_connection_send(struct qms_connection *c, const struct qms_control *m)
{
    qms_err err = qms_session_send(c->session, m);

    if (err == QMS_OK) {
        qms_connection_touch(c);
    }
    return err;
}

qms_err qms_connection_ping(struct qms_connection *c)
{
    struct qms_control m = {.type = QMS_MSG_PING};
    qms_err err = qms_connection_check_ready(c);
    struct qms_event *e;

    if (err != QMS_OK) {
        return err;
    }
    if (c->ping_sent - c->ping_answered >= QMS_PINGS_MAX) {
        return QMS_E_LIMIT;
    }
    e = qms_event_reserve(QMS_EVENT_PONG);
    if (e == NULL) {
        return QMS_E_NOMEM;
    }
    memcpy(m.u.ping, &c->ping_sent, sizeof(m.u.ping));
    err = qms_connection_send(c, &m);
    if (err != QMS_OK) {
        qms_free(e);
        return err;
    }
    e->rtt = qms_client_now(c->client);
    qms_list_append(&c->pings, &e->node);
    c->ping_sent++;
    return QMS_OK;
}

static struct qms_event *oldest_ping(struct qms_connection *c)
{
    struct qms_event *e = QMS_CONTAINER(qms_list_first(&c->pings), struct qms_event, node);

    qms_list_remove(&e->node);
    c->ping_answered++;
    return e;
}

void qms_pings_forget(struct qms_connection *c)
{
    while (c->ping_answered < c->ping_sent) {
        qms_free(oldest_ping(c));
    }
}

/* Answers come in order; one that is out of order answers those before it too. */
static void on_pong(struct qms_connection *c, const uint8_t bytes[8])
{
    struct qms_event *e;
    uint64_t number;

    if (qms_confirm_pong(c, bytes)) {
        return;
    }
    memcpy(&number, bytes, sizeof(number));
    if (number < c->ping_answered || number >= c->ping_sent) {
        return;
    }
    while (c->ping_answered < number) {
        qms_free(oldest_ping(c));
    }
    e = oldest_ping(c);
    e->rtt = qms_session_link(c->session)->now - e->rtt;
    qms_event_use(c, e);
}

static qms_err send_token(struct qms_connection *c, const char *token)
{
    struct qms_control m = {.type = QMS_MSG_AUTH};
    qms_err err = QMS_OK;
    struct qms_request *r = qms_request_new(c, &err);

    if (r == NULL) {
        return err;
    }
    r->token = true;
    r->told = qms_event_reserve(QMS_EVENT_TOKEN);
    m.u.auth.req = r->req;
    m.u.auth.scheme = QMS_AUTH_TOKEN;
    m.u.auth.token = (struct qms_bytes){(const uint8_t *)token, strlen(token)};
    err = r->told == NULL ? QMS_E_NOMEM : qms_connection_send(c, &m);
    if (err != QMS_OK) {
        qms_request_free(c, r);
    }
    return err;
}

/* For the HELLO of a reconnect; without memory that shows the older one. */
static void keep_token(struct qms_connection *c, const char *token)
{
    (void)!qms_options_set_token(&c->settings, token);
}

qms_err qms_connection_refresh_token(struct qms_connection *c, const char *token)
{
    qms_err err = qms_connection_check_ready(c);

    if (token == NULL || token[0] == '\0') {
        return QMS_E_INVALID;
    }
    if (strlen(token) > QMS_AUTH_MAX) {
        return QMS_E_TOO_LARGE;
    }
    if (err != QMS_OK) {
        return err;
    }
    err = send_token(c, token);
    if (err == QMS_OK) {
        keep_token(c, token);
    }
    return err;
}

static void on_throttled(struct qms_connection *c, uint64_t what, uint64_t retry_after_ms)
{
    struct qms_event *e =
        qms_event_add(c, QMS_EVENT_THROTTLED, (struct qms_bytes){0}, (struct qms_bytes){0});

    if (e != NULL) {
        e->what = what > UINT32_MAX ? UINT32_MAX : (unsigned)what;
        e->ms = retry_after_ms;
    }
}

static void on_goaway(struct qms_connection *c, const struct qms_control *m)
{
    struct qms_event *e =
        qms_event_add(c, QMS_EVENT_GOAWAY, m->u.goaway.redirect, (struct qms_bytes){0});

    if (e != NULL) {
        e->err = qms_err_from_code(m->u.goaway.status);
        e->ms = m->u.goaway.deadline_ms;
    }
    qms_reconnect_on_goaway(c, m->u.goaway.deadline_ms, m->u.goaway.redirect);
}

/* What only a broker can answer.  True: it was such a question. */
static bool refuse_question(struct qms_connection *c, const struct qms_control *m)
{
    struct qms_control reply = {.type = QMS_MSG_REPLY};

    switch (m->type) {
    case QMS_MSG_JOIN:
    case QMS_MSG_LEAVE:
        reply.u.reply.req = m->u.join.req;
        break;
    case QMS_MSG_WATCH:
        reply.u.reply.req = m->u.watch.req;
        break;
    case QMS_MSG_UNWATCH:
        reply.u.reply.req = m->u.unwatch.req;
        break;
    case QMS_MSG_AUTH:
        reply.u.reply.req = m->u.auth.req;
        break;
    case QMS_MSG_STATS_REQUEST:
        reply.u.reply.req = m->u.stats_request.req;
        break;
    default:
        return false;
    }
    reply.u.reply.status = QMS_CODE_UNSUPPORTED;
    (void)!qms_session_send(c->session, &reply); /* without memory it stays unanswered */
    return true;
}

void qms_connection_on_control(struct qms_session *s, const struct qms_control *msg)
{
    struct qms_connection *c = qms_session_user(s);

    if (c->taken != NULL && refuse_question(c, msg)) {
        return;
    }
    switch (msg->type) {
    case QMS_MSG_PONG:
        on_pong(c, msg->u.ping);
        break;
    case QMS_MSG_REPLY:
        qms_requests_on_reply(c, msg->u.reply.req, msg->u.reply.status);
        break;
    case QMS_MSG_THROTTLED:
        on_throttled(c, msg->u.throttled.what, msg->u.throttled.retry_after_ms);
        break;
    case QMS_MSG_STREAM_STATUS:
        qms_confirm_status(c, msg);
        break;
    case QMS_MSG_GOAWAY:
        if (s == c->session) {
            on_goaway(c, msg);
        }
        break;
    case QMS_MSG_PRESENCE:
        if (s == c->session) { /* the next one is told all anew */
            qms_members_on_presence(c, msg);
        }
        break;
    case QMS_MSG_STATS:
        qms_broker_stats_on(c, msg);
        break;
    default: /* answers to questions that this library does not ask */
        break;
    }
}

/* What a datagram to `name` carries: to a peer that is no broker, this side's id. */
static struct qms_bytes towards(const struct qms_connection *c, struct qms_bytes name)
{
    return qms_session_is_agent(c->session)
               ? name
               : (struct qms_bytes){(const uint8_t *)c->id, strlen(c->id)};
}

size_t qms_datagram_max(struct qms_connection *c, const char *name)
{
    struct qms_bytes bytes = {(const uint8_t *)name, name == NULL ? 0 : strlen(name)};

    if (qms_connection_check_ready(c) != QMS_OK) {
        return 0;
    }
    return qms_session_datagram_max(c->session, towards(c, bytes));
}

qms_err qms_datagram_send(struct qms_connection *c, enum qms_kind kind, const char *name,
                          uint8_t priority, struct qms_bytes payload)
{
    struct qms_bytes bytes = {(const uint8_t *)name, name == NULL ? 0 : strlen(name)};
    qms_err err;

    if (kind < QMS_KIND_AGENT || kind > QMS_KIND_SERVICE || !qms_name_ok(bytes)) {
        return QMS_E_INVALID;
    }
    err = qms_connection_check_ready(c);
    if (err == QMS_OK) {
        kind = qms_session_is_agent(c->session) ? kind : QMS_KIND_AGENT;
        err = qms_session_datagram(c->session, kind, towards(c, bytes), priority, payload);
    }
    if (err == QMS_OK) {
        qms_connection_touch(c);
    }
    return err;
}
