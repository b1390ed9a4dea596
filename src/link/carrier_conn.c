/* SPDX-License-Identifier: MIT */
/* From the handshake to the broker: raw links go to it as they are, HTTP/3 connections get
 * their layer first.  Every address that was admitted leaves exactly once: with its handshake
 * when that fails, else with its connection. */
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "core/conf/debug.h"
#include "link/carrier_i.h"

#define H3_NO_ERROR 0x100

static struct qms_broker *broker_of(const struct qms_carrier_conn *conn)
{
    return conn->server->carrier->broker;
}

static void conn_over(void *arg)
{
    struct qms_carrier_conn *conn = arg;

    qms_broker_leave(broker_of(conn), qms_carrier_server_conf(conn->server),
                     (const struct sockaddr *)&conn->remote, conn->link->now);
    qms_list_remove(&conn->node);
    qms_free(conn);
}

/* ---- a link that nobody wants: closed as soon as it may be ---- */

static void ignore_link(struct qms_link *link)
{
    (void)link;
}
static void ignore_stream(struct qms_link *link, struct qms_link_stream *st)
{
    (void)link, (void)st;
}
static void drop_data(struct qms_link_stream *st, struct qms_bytes data, bool fin)
{
    (void)fin;
    st->link->ops->consume(st, data.len);
}
static void ignore_code(struct qms_link_stream *st, uint64_t code)
{
    (void)st, (void)code;
}
static void ignore_len(struct qms_link_stream *st, uint64_t len)
{
    (void)st, (void)len;
}
static void ignore_closed(struct qms_link_stream *st)
{
    (void)st;
}
static void ignore_datagram(struct qms_link *link, struct qms_bytes data)
{
    (void)link, (void)data;
}
static void unwanted_over(struct qms_link *link, const struct qms_link_close *why)
{
    (void)why;
    if (link->user != NULL) {
        conn_over(link->user);
    }
}

static const struct qms_link_events unwanted_events = {
    .on_ready = ignore_link,
    .on_stream = ignore_stream,
    .on_data = drop_data,
    .on_reset = ignore_code,
    .on_stop = ignore_code,
    .on_acked = ignore_len,
    .on_stream_closed = ignore_closed,
    .on_datagram = ignore_datagram,
    .on_closed = unwanted_over,
};

static void turn_away(struct qms_link *link, struct qms_carrier_conn *conn, uint64_t code)
{
    link->events = &unwanted_events;
    link->user = conn;
    link->ops->close(link, code, (struct qms_bytes){0});
}

/* ---- events of the endpoint ---- */

/* There is no id yet: what debug_connection says of addresses counts. */
static void debug_handshake(const struct qms_carrier_server *s, const struct sockaddr *remote,
                            const char *what, const char *reason)
{
    char from[QMS_ADDRESS_TEXT_MAX];

    if (qms_debug_address(qms_broker_conf(s->carrier->broker), remote)) {
        qms_log_forced(QMS_LOG_DEBUG, "handshake %s%s address=%s server=%s", what, reason,
                       qms_sockaddr_text(remote, true, from),
                       qms_carrier_server_conf(s)->listens[0].text);
    }
}

static bool on_admit(struct qms_endpoint *ep, const struct sockaddr *remote)
{
    struct qms_carrier_server *s = qms_endpoint_user(ep);
    debug_handshake(s, remote, "begins", "");
    /* Before any connection there is no link whose clock could be read. */
    return qms_broker_admit(s->carrier->broker, qms_carrier_server_conf(s), remote,
                            s->carrier->now);
}

static void on_handshake_failed(struct qms_endpoint *ep, const struct sockaddr *remote,
                                const char *reason)
{
    struct qms_carrier_server *s = qms_endpoint_user(ep);

    debug_handshake(s, remote, "failed reason=", reason);
    qms_broker_leave(s->carrier->broker, qms_carrier_server_conf(s), remote, s->carrier->now);
}

static void keep_remote(struct qms_carrier_conn *conn, const struct sockaddr *remote)
{
    size_t len = remote->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                               : sizeof(struct sockaddr_in);
    memcpy(&conn->remote, remote, len);
}

static struct qms_carrier_conn *conn_new(struct qms_carrier_server *s, struct qms_link *link,
                                         const struct sockaddr *remote)
{
    struct qms_carrier_conn *conn = qms_calloc(1, sizeof(*conn));

    if (conn != NULL) {
        conn->server = s;
        conn->link = link;
        keep_remote(conn, remote);
        qms_list_append(&s->carrier->conns, &conn->node);
    }
    return conn;
}

static bool is_h3(struct qms_bytes alpn)
{
    return alpn.len == 2 && memcmp(alpn.data, "h3", 2) == 0;
}

static void on_connection(struct qms_endpoint *ep, struct qms_quic_conn *quic,
                          struct qms_bytes alpn)
{
    struct qms_carrier_server *s = qms_endpoint_user(ep);
    struct qms_broker *b = s->carrier->broker;
    struct qms_link *link = qms_quic_conn_link(quic);
    const struct sockaddr *remote;

    link->ops->addresses(link, &remote, NULL);
    struct qms_carrier_conn *conn = conn_new(s, link, remote);
    if (conn == NULL) {
        qms_broker_leave(b, qms_carrier_server_conf(s), remote, link->now);
        turn_away(link, NULL, is_h3(alpn) ? H3_NO_ERROR : QMS_CODE_BUSY);
    } else if (is_h3(alpn)) {
        conn->h3 = qms_h3_new(link, &s->h3, &qms_carrier_h3_events, conn);
        if (conn->h3 == NULL) {
            turn_away(link, conn, H3_NO_ERROR);
        } else {
            s->carrier->h3_count++;
        }
    } else if (qms_broker_accept(b, qms_carrier_server_conf(s), link, conn_over, conn) !=
               QMS_OK) {
        turn_away(link, conn, QMS_CODE_BUSY);
    }
}

/* ---- secrets ---- */

static bool on_key_log(struct qms_endpoint *ep, const struct sockaddr *remote)
{
    return qms_key_log_has(qms_carrier_server_conf(qms_endpoint_user(ep)), remote);
}

static void on_key(struct qms_endpoint *ep, struct qms_bytes line)
{
    struct qms_carrier_server *s = qms_endpoint_user(ep);

    qms_key_log_write(qms_carrier_server_conf(s), line, s->carrier->now);
}

const struct qms_endpoint_events qms_carrier_endpoint_events = {
    .on_admit = on_admit,
    .on_connection = on_connection,
    .on_handshake_failed = on_handshake_failed,
    .on_foreign = qms_carrier_on_foreign,
    .on_key_log = on_key_log,
    .on_key = on_key,
    .on_newcomer = qms_carrier_on_newcomer,
};

/* ---- HTTP/3 ---- */

void qms_carrier_conn_h3_over(struct qms_carrier_conn *conn)
{
    conn->server->carrier->h3_count--;
    conn_over(conn);
}

void qms_carrier_session_turn_away(struct qms_link *session)
{
    turn_away(session, NULL, QMS_CODE_BUSY);
}

void qms_carrier_expire_h3(struct qms_carrier *c, qms_time now)
{
    struct qms_list *node, *next;

    QMS_LIST_FOREACH_SAFE(node, next, &c->conns) {
        struct qms_carrier_conn *conn = QMS_CONTAINER(node, struct qms_carrier_conn, node);
        if (conn->h3 != NULL && qms_h3_next_at(conn->h3) <= now) {
            conn->link->now = now;
            qms_h3_expire(conn->h3, now);
        }
    }
}

void qms_carrier_close_all(struct qms_carrier *c, qms_time now)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &c->conns) {
        struct qms_carrier_conn *conn = QMS_CONTAINER(node, struct qms_carrier_conn, node);
        conn->link->ops->close(conn->link, conn->h3 != NULL ? H3_NO_ERROR : QMS_CODE_GOING_AWAY,
                               (struct qms_bytes){0});
    }
    for (size_t i = 0; i < c->server_count; i++) {
        if (c->servers[i].ep != NULL) {
            qms_endpoint_flush(c->servers[i].ep, now);
        }
    }
    if (c->dialing != NULL) {
        qms_endpoint_flush(c->dialing, now);
    }
}
