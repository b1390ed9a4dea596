/* SPDX-License-Identifier: MIT */
/* /api/v1/stats: every metric of the broker in one answer, for pages that draw it.  The same
 * walk that makes /metrics, as JSON: families by name, samples by labels. */
#include <string.h>

#include <quicms/version.h>

#include "base/clock.h"
#include "core/http_i.h"

struct families {
    json_t *counters, *gauges, *histograms;
    bool failed; /* memory ran out */
};

/* The end of a label value's text in the exposition format, behind its closing quote; `out`
 * gets the value without escapes. */
static const char *read_value(const char *at, char *out, size_t cap)
{
    size_t len = 0;

    for (; *at != '\0' && *at != '"'; at++) {
        char c = *at;
        if (c == '\\' && at[1] != '\0') {
            c = *++at == 'n' ? '\n' : *at;
        }
        if (len + 1 < cap) {
            out[len++] = c;
        }
    }
    out[len] = '\0';
    return *at == '"' ? at + 1 : at;
}

/* `carrier="quic",kind="agent"` as an object. */
static json_t *labels_json(const char *text)
{
    json_t *out = json_object();
    char key[64], value[128];

    while (out != NULL && *text != '\0') {
        size_t len = strcspn(text, "=");
        if (len >= sizeof(key) || text[len] == '\0' || text[len + 1] != '"') {
            break;
        }
        memcpy(key, text, len);
        key[len] = '\0';
        text = read_value(text + len + 2, value, sizeof(value));
        (void)json_object_set_new(out, key, json_string(value));
        text += *text == ',';
    }
    return out;
}

static json_t *sample_json(const struct qms_metric *m)
{
    json_t *sample = json_pack("{s:o}", "labels", labels_json(m->labels));

    if (m->type != QMS_METRIC_HISTOGRAM) {
        (void)json_object_set_new(sample, "value", json_real(m->value));
        return sample;
    }
    json_t *bounds = json_array(), *counts = json_array();
    for (size_t i = 0; i < m->bucket_count; i++) {
        (void)json_array_append_new(bounds, json_real(m->bounds[i]));
        (void)json_array_append_new(counts, json_integer((json_int_t)m->counts[i]));
    }
    (void)json_object_set_new(sample, "bounds", bounds);
    (void)json_object_set_new(sample, "counts", counts);
    (void)json_object_set_new(sample, "sum", json_real(m->sum));
    (void)json_object_set_new(sample, "count", json_integer((json_int_t)m->count));
    return sample;
}

static void each(void *arg, const struct qms_metric *m)
{
    struct families *f = arg;
    json_t *by_name = m->type == QMS_METRIC_COUNTER ? f->counters
                      : m->type == QMS_METRIC_GAUGE ? f->gauges
                                                    : f->histograms;
    json_t *samples = json_object_get(by_name, m->name);

    if (samples == NULL) {
        samples = json_array();
        f->failed = json_object_set_new(by_name, m->name, samples) != 0 || f->failed;
    }
    f->failed = json_array_append_new(samples, sample_json(m)) != 0 || f->failed;
}

/* What tells workers apart, beside what /api/v1/workers says of them. */
static void add_worker_values(json_t *worker, const struct qms_stats_page *s)
{
    static const struct {
        const char *key;
        enum qms_stats_id id;
    } values[] = {
        {"stream_bytes_in", QMS_S_STREAM_BYTES_IN},
        {"stream_bytes_out", QMS_S_STREAM_BYTES_OUT},
        {"datagrams_in", QMS_S_DATAGRAMS_IN},
        {"datagrams_out", QMS_S_DATAGRAMS_OUT},
        {"connections_total_quic", QMS_S_CONNECTIONS_TOTAL_QUIC},
        {"connections_total_webtransport", QMS_S_CONNECTIONS_TOTAL_WT},
        {"handshakes_completed", QMS_S_HANDSHAKES_COMPLETED},
        {"buffer_bytes", QMS_S_BUFFERS},
        {"packets_lost", QMS_S_PACKETS_LOST},
        {"priority_inversions", QMS_S_INVERSIONS},
        {"udp_packets_in", QMS_S_UDP_PACKETS_IN},
        {"udp_packets_out", QMS_S_UDP_PACKETS_OUT},
        {"udp_bytes_in", QMS_S_UDP_BYTES_IN},
        {"udp_bytes_out", QMS_S_UDP_BYTES_OUT},
    };

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        json_int_t value = (json_int_t)qms_stats_get(s, values[i].id);
        (void)json_object_set_new(worker, values[i].key, json_integer(value));
    }
}

static json_t *workers(const struct qms_board *board)
{
    json_t *list = qms_http_workers_json(board);
    json_t *worker;
    size_t i;

    json_array_foreach(list, i, worker)
    {
        size_t slot = (size_t)json_integer_value(json_object_get(worker, "slot"));
        add_worker_values(worker, &qms_board_page(board, slot)->stats);
    }
    return list;
}

void qms_http_stats(struct qms_http *http)
{
    struct families f = {json_object(), json_object(), json_object(), false};
    double now = (double)qms_clock_wall_ns() / (double)QMS_SECOND;

    qms_metrics_walk(each, &f);
    const json_t *start =
        json_array_get(json_object_get(f.gauges, "quicms_process_start_time_seconds"), 0);
    double uptime = now - json_real_value(json_object_get(start, "value"));
    json_t *out = json_pack("{s:f, s:f, s:s, s:o, s:o, s:o, s:o}", "time", now, "uptime",
                            uptime > 0 ? uptime : 0.0, "version", QUICMS_VERSION, "counters",
                            f.counters, "gauges", f.gauges, "histograms", f.histograms,
                            "workers", workers(http->server->board));
    if (f.failed) {
        json_decref(out);
        out = NULL;
    }
    qms_http_json(http, out);
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
    struct families f = {json_object(), json_object(), json_object(), false};

    qms_stats_walk_routes(each, &f);
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
