/* SPDX-License-Identifier: MIT */
/* WebTransport sessions: which path and which origin may have one. */
#include "base/log.h"
#include "link/carrier_i.h"
#include "link/location.h"
#include "link/origin.h"

static bool on_loopback(struct qms_h3 *h3)
{
    struct qms_link *link = qms_h3_link(h3);
    const struct sockaddr *local = NULL;

    link->ops->addresses(link, NULL, &local);
    return local != NULL && qms_address_is_loopback(local);
}

static int refuse(struct qms_broker *b, enum qms_stats_id id, int status)
{
    qms_stats_add(qms_broker_stats(b), id, 1);
    return status;
}

static int on_session_request(struct qms_h3 *h3, const struct qms_h3_request *req)
{
    const struct qms_carrier_conn *conn = qms_h3_user(h3);
    const struct qms_server_conf *server = qms_carrier_server_conf(conn->server);
    struct qms_broker *b = conn->server->carrier->broker;

    const struct qms_location *location = qms_location_of_sessions(server, req->path);

    if (location == NULL) {
        return refuse(b, QMS_S_WT_REFUSED_PATH, 404);
    }
    if (req->sessions >= location->max_sessions_per_connection) {
        return 429;
    }
    if (!qms_origin_allowed(server, req->authority, req->origin, on_loopback(h3))) {
        qms_log_peer(QMS_LOG_NOTICE, "WebTransport session refused origin=%.*s",
                     (int)req->origin.len, (const char *)req->origin.data);
        return refuse(b, QMS_S_WT_REFUSED_ORIGIN, 403);
    }
    if (qms_broker_draining(b)) {
        return refuse(b, QMS_S_WT_REFUSED_DRAINING, 503);
    }
    return 200;
}

static void on_session(struct qms_h3 *h3, struct qms_link *session)
{
    const struct qms_carrier_conn *conn = qms_h3_user(h3);

    if (qms_broker_accept(conn->server->carrier->broker, qms_carrier_server_conf(conn->server),
                          session, NULL, NULL) != QMS_OK) {
        qms_carrier_session_turn_away(session);
    }
}

static int root_of(struct qms_h3 *h3, struct qms_bytes path)
{
    const struct qms_carrier_conn *conn = qms_h3_user(h3);

    return qms_location_root(qms_carrier_server_conf(conn->server), path);
}

static void on_request(struct qms_h3 *h3, int status, struct qms_bytes path, uint64_t body_len)
{
    const struct qms_carrier_conn *conn = qms_h3_user(h3);

    qms_log(QMS_LOG_DEBUG, "HTTP/3 request path=%.*s status=%d bytes=%llu", (int)path.len,
            (const char *)path.data, status, (unsigned long long)body_len);
    qms_stats_add(qms_broker_stats(conn->server->carrier->broker),
                  status == 304                   ? QMS_S_H3_REQUESTS_UNCHANGED
                  : status >= 200 && status < 300 ? QMS_S_H3_REQUESTS_OK
                                                  : QMS_S_H3_REQUESTS_BAD,
                  1);
}

static void on_closed(struct qms_h3 *h3, const struct qms_link_close *why)
{
    (void)why;
    qms_carrier_conn_h3_over(qms_h3_user(h3));
}

const struct qms_h3_events qms_carrier_h3_events = {
    .on_session_request = on_session_request,
    .on_session = on_session,
    .root_of = root_of,
    .on_request = on_request,
    .on_closed = on_closed,
};
