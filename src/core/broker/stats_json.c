/* SPDX-License-Identifier: MIT */
/* The counters as JSON: the same walk that makes /metrics, families by name, samples by labels.
 */
#include "core/broker/stats_json.h"

#include <string.h>

#include <quicms/version.h>

#include "base/clock.h"

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

void qms_stats_families_add(void *arg, const struct qms_metric *m)
{
    struct qms_stats_families *f = arg;
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

static json_t *worker_json(const struct qms_board_page *page, size_t slot)
{
    const struct qms_stats_page *s = &page->stats;

    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "slot", (json_int_t)slot,
        "generation", (json_int_t)page->generation, "pid", (json_int_t)page->pid, "started_at",
        (json_int_t)page->started_at, "starts", (json_int_t)page->starts, "connections",
        (json_int_t)(qms_stats_get(s, QMS_S_CONNECTIONS_QUIC) +
                     qms_stats_get(s, QMS_S_CONNECTIONS_WT) +
                     qms_stats_get(s, QMS_S_CONNECTIONS_OTHER)),
        "agents", (json_int_t)qms_stats_get(s, QMS_S_AGENTS), "streams",
        (json_int_t)qms_stats_get(s, QMS_S_ROUTES), "handshakes",
        (json_int_t)qms_stats_get(s, QMS_S_HANDSHAKES_STARTED), "packets_forwarded",
        (json_int_t)qms_stats_get(s, QMS_S_PACKETS_FORWARDED));
}

json_t *qms_workers_json(const struct qms_board *board)
{
    json_t *list = json_array();

    for (size_t i = 0; board != NULL && i < qms_board_slots(board); i++) {
        if (qms_board_page(board, i)->pid != 0) {
            json_array_append_new(list, worker_json(qms_board_page(board, i), i));
        }
    }
    return list;
}

/* What tells workers apart, beside what worker_json says of them. */
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

static json_t *workers_with_values(const struct qms_board *board)
{
    json_t *list = qms_workers_json(board);
    json_t *worker;
    size_t i;

    json_array_foreach(list, i, worker)
    {
        size_t slot = (size_t)json_integer_value(json_object_get(worker, "slot"));
        add_worker_values(worker, &qms_board_page(board, slot)->stats);
    }
    return list;
}

json_t *qms_stats_json(const struct qms_board *board)
{
    struct qms_stats_families f = {json_object(), json_object(), json_object(), false};
    double now = (double)qms_clock_wall_ns() / (double)QMS_SECOND;

    qms_metrics_walk(qms_stats_families_add, &f);
    const json_t *start =
        json_array_get(json_object_get(f.gauges, "quicms_process_start_time_seconds"), 0);
    double uptime = now - json_real_value(json_object_get(start, "value"));
    json_t *out = json_pack("{s:f, s:f, s:s, s:o, s:o, s:o, s:o}", "time", now, "uptime",
                            uptime > 0 ? uptime : 0.0, "version", QUICMS_VERSION, "counters",
                            f.counters, "gauges", f.gauges, "histograms", f.histograms,
                            "workers", workers_with_values(board));
    if (f.failed) {
        json_decref(out);
        out = NULL;
    }
    return out;
}
