/* SPDX-License-Identifier: MIT */
/* The connected agents as JSON. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "core/peer.h"

/* "192.0.2.1:4433", "[2001:db8::1]:4433"; "" where a link has no address. */
static void print_address(const struct sockaddr *sa, char *out, size_t cap)
{
    char host[INET6_ADDRSTRLEN] = "";

    out[0] = '\0';
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(out, cap, "%s:%u", host, ntohs(in->sin_port));
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(out, cap, "[%s]:%u", host, ntohs(in6->sin6_port));
    }
}

static json_t *agent_json(const struct qms_peer *p, qms_time now)
{
    struct qms_link_stats s;
    char address[INET6_ADDRSTRLEN + 10];

    qms_peer_link_stats(p, &s);
    print_address(qms_peer_address(p), address, sizeof(address));
    return json_pack("{s:s, s:s, s:s, s:f, s:I, s:I, s:I, s:I, s:I, s:f, s:s}", "id", p->id,
                     "carrier", p->carrier, "address", address, "connected_for",
                     (double)(now - p->connected_at) / (double)QMS_SECOND, "streams",
                     (json_int_t)p->routes, "streams_total", (json_int_t)p->streams_total,
                     "bytes_in", (json_int_t)p->bytes_in, "bytes_out", (json_int_t)p->bytes_out,
                     "buffered", (json_int_t)p->buffered, "rtt",
                     (double)s.rtt_smoothed / (double)QMS_SECOND, "scopes", qms_peer_scopes(p));
}

json_t *qms_broker_agents_json(struct qms_broker *b, qms_time now)
{
    json_t *all = json_array();
    struct qms_list *node;

    if (all == NULL) {
        return NULL;
    }
    QMS_LIST_FOREACH(node, &b->peers) {
        const struct qms_peer *p = QMS_CONTAINER(node, struct qms_peer, node);
        if (p->state == QMS_PEER_WELCOMED &&
            json_array_append_new(all, agent_json(p, now)) != 0) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}
