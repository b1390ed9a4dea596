/* SPDX-License-Identifier: MIT */
/* /api/v1/stats: every metric of the broker in one answer; /api/v1/routes: those of its route
 * blocks, with what the blocks say. */
#include "core/broker/stats_json.h"
#include "core/http/http_i.h"

void qms_http_stats(struct qms_http *http)
{
    qms_http_json(http, qms_stats_json(http->server->board));
}

/* ---- /api/v1/routes ---- */

static json_t *block_json(const struct qms_server_conf *server, const struct qms_route_conf *r)
{
    return json_pack(
        "{s:s, s:s, s:b, s:i, s:i, s:f}", "server",
        server->server_name != NULL ? server->server_name : server->listens[0].text, "route",
        r->name, "deny", r->deny != 0, "priority_low", (int)r->priority_low, "priority_high",
        (int)r->priority_high, "accept_timeout", (double)r->accept_for / (double)QMS_SECOND);
}

static json_t *blocks_json(const struct qms_conf *conf)
{
    json_t *list = json_array();

    for (size_t i = 0; i < conf->server_count; i++) {
        const struct qms_server_conf *server = &conf->servers[i];
        for (size_t k = 0; k < server->route_count; k++) {
            (void)json_array_append_new(list, block_json(server, &server->routes[k]));
        }
    }
    return list;
}

void qms_http_routes(struct qms_http *http)
{
    struct qms_stats_families f = {json_object(), json_object(), json_object(), false};

    qms_stats_walk_routes(qms_stats_families_add, &f);
    json_t *out = json_pack("{s:o, s:o, s:o}", "blocks",
                            blocks_json(qms_broker_conf(http->server->broker)), "counters",
                            f.counters, "histograms", f.histograms);
    json_decref(f.gauges);
    if (f.failed) {
        json_decref(out);
        out = NULL;
    }
    qms_http_json(http, out);
}
