/* SPDX-License-Identifier: MIT */
/* Agents, connections and streams of this worker as JSON. */
#include <string.h>

#include "base/network.h"
#include "core/broker/broker_mesh.h"
#include "core/broker/peer.h"
#include "core/broker/route.h"
#include "core/broker/upstream.h"

static double seconds(qms_time t)
{
    return (double)t / (double)QMS_SECOND;
}

static json_t *text_json(struct qms_bytes text)
{
    return json_stringn(text.len > 0 ? (const char *)text.data : "", text.len);
}

static json_t *agent_json(const struct qms_peer *p, qms_time now)
{
    struct qms_link_stats s;
    char address[QMS_ADDRESS_TEXT_MAX];

    qms_peer_link_stats(p, &s);
    (void)qms_sockaddr_text(qms_peer_address(p), true, address);
    return json_pack("{s:s, s:s, s:s, s:s, s:f, s:I, s:I, s:I, s:I, s:I, s:f, s:s}", "id",
                     p->id, "carrier", p->carrier, "address", address, "upstream",
                     p->dialer != NULL ? qms_dialer_upstream(p->dialer) : "", "connected_for",
                     seconds(now - p->connected_at), "streams", (json_int_t)p->routes,
                     "streams_total", (json_int_t)p->streams_total, "bytes_in",
                     (json_int_t)p->bytes_in, "bytes_out", (json_int_t)p->bytes_out, "buffered",
                     (json_int_t)p->buffered, "rtt", seconds(s.rtt_smoothed), "scopes",
                     qms_peer_scopes(p));
}

/* An agent's row and what there is below it. */
json_t *qms_broker_connection_json(const struct qms_peer *p, qms_time now)
{
    static const char *const states[] = {"greeting", "welcomed", "closing", "gone"};
    struct qms_link_stats s;
    json_t *row = agent_json(p, now);
    json_t *more;

    qms_peer_link_stats(p, &s);
    more =
        json_pack("{s:i, s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "worker",
                  (int)qms_peer_worker(p), "connection", (json_int_t)p->number, "server",
                  qms_peer_server_name(p), "state", states[p->state], "packets_sent",
                  (json_int_t)s.packets_sent, "packets_received",
                  (json_int_t)s.packets_received, "packets_lost", (json_int_t)s.packets_lost,
                  "cwnd", (json_int_t)s.cwnd, "bytes_in_flight", (json_int_t)s.bytes_in_flight,
                  "send_buffered", (json_int_t)s.send_buffered, "rtt_min", seconds(s.rtt_min));
    if (row == NULL || more == NULL || json_object_update(row, more) != 0) {
        json_decref(row);
        row = NULL;
    }
    json_decref(more);
    return row;
}

static json_t *stream_json(const struct qms_route *r, qms_time now)
{
    static const char *const kinds[] = {"self", "agent", "group", "topic", "service"};
    struct qms_bytes trace = qms_route_traceparent(r);

    return json_pack(
        "{s:i, s:I, s:I, s:o, s:o, s:s, s:o, s:s, s:b, s:i, s:f, s:b, s:I, s:I, s:o}", "worker",
        (int)qms_peer_worker(r->opener), "connection", (json_int_t)r->opener->number, "stream",
        (json_int_t)r->stream_id, "agent", text_json(qms_peer_id(r->opener)), "peer",
        text_json(qms_route_acceptor_id(r)), "kind", kinds[r->kind], "target",
        text_json(qms_route_target(r)), "route", qms_route_block_name(r), "bidirectional",
        r->bidi, "priority", (int)r->priority, "open_for", seconds(now - r->opened_at),
        "answered", r->answered_at != 0, "bytes_received", (json_int_t)r->forward, "bytes_sent",
        (json_int_t)r->reverse, "traceparent", text_json(trace));
}

/* ---- lists ---- */

struct rows {
    json_t *list;
    uint64_t total;
    const struct qms_rows_query *query;
    qms_time now;
    bool failed;
};

static bool same(struct qms_bytes a, struct qms_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static void add(struct rows *rows, json_t *row)
{
    rows->failed = json_array_append_new(rows->list, row) != 0 || rows->failed;
}

static void list_peers(const struct qms_broker *b, struct rows *rows)
{
    bool agents = rows->query->kind == QMS_ROWS_AGENTS;
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &b->peers) {
        const struct qms_peer *p = QMS_CONTAINER(node, struct qms_peer, node);
        if ((agents && p->state != QMS_PEER_WELCOMED) ||
            (rows->query->agent.len > 0 && !same(rows->query->agent, qms_peer_id(p)))) {
            continue;
        }
        if (rows->total++ < rows->query->max) {
            add(rows,
                agents ? agent_json(p, rows->now) : qms_broker_connection_json(p, rows->now));
        }
    }
}

/* The half that another worker's agent opened is listed there. */
static void list_streams(const struct qms_broker *b, struct rows *rows)
{
    struct qms_bytes agent = rows->query->agent;
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &b->routes) {
        const struct qms_route *r = QMS_CONTAINER(node, struct qms_route, node);
        if (r->opener == NULL ||
            (agent.len > 0 && !same(agent, qms_peer_id(r->opener)) &&
             !same(agent, qms_route_acceptor_id(r)) && !same(agent, qms_route_target(r)))) {
            continue;
        }
        if (rows->total++ < rows->query->max) {
            add(rows, stream_json(r, rows->now));
        }
    }
}

json_t *qms_broker_rows_json(struct qms_broker *b, const struct qms_rows_query *query,
                             qms_time now)
{
    struct rows rows = {.list = json_array(), .query = query, .now = now};

    if (rows.list == NULL) {
        return NULL;
    }
    if (query->kind == QMS_ROWS_STREAMS) {
        list_streams(b, &rows);
    } else {
        list_peers(b, &rows);
    }
    json_t *out = json_pack("{s:o, s:I}", "rows", rows.list, "total", (json_int_t)rows.total);
    if (rows.failed) {
        json_decref(out);
        return NULL;
    }
    return out;
}
