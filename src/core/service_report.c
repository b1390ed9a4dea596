/* SPDX-License-Identifier: MIT */
/* Services that answer with one JSON text: stats, what the broker counts and knows of this
 * connection; directory, the agents whose ids begin with the META of the stream.  What the
 * opener sends is dropped. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/peer.h"
#include "core/service.h"

/* Ids that the directory tells at most; watches tell all. */
#define NAMES_MAX 10000

/* ---- stats ---- */

static void add_metric(void *arg, const struct qms_metric *m)
{
    json_t *values = arg;
    char name[256];

    if (m->type == QMS_METRIC_HISTOGRAM) {
        return;
    }
    int len = snprintf(name, sizeof(name), m->labels[0] != '\0' ? "%s{%s}" : "%s%s", m->name,
                       m->labels);
    if (len > 0 && (size_t)len < sizeof(name)) {
        (void)json_object_set_new(values, name, json_real(m->value));
    }
}

static json_t *stats_json(const struct qms_peer *p)
{
    json_t *values = json_object();

    if (values != NULL) {
        qms_metrics_walk(add_metric, values);
    }
    return json_pack("{s:o, s:I, s:o}", "connection",
                     qms_broker_connection_json(p, p->broker->now), "agents",
                     (json_int_t)qms_directory_count(p->broker->directory), "metrics", values);
}

/* ---- directory ---- */

struct names {
    json_t *list;
    struct qms_bytes prefix;
    bool truncated;
};

static void add_name(void *arg, struct qms_bytes id)
{
    struct names *n = arg;
    bool fits = n->prefix.len <= id.len &&
                (n->prefix.len == 0 || memcmp(id.data, n->prefix.data, n->prefix.len) == 0);

    if (fits && json_array_size(n->list) >= NAMES_MAX) {
        n->truncated = true;
    } else if (fits) {
        (void)json_array_append_new(n->list, json_stringn((const char *)id.data, id.len));
    }
}

static json_t *directory_json(const struct qms_peer *p, struct qms_bytes prefix)
{
    struct names n = {.list = json_array(), .prefix = prefix};

    if (n.list != NULL) {
        qms_directory_each(p->broker->directory, add_name, &n);
    }
    return json_pack("{s:o, s:b}", "agents", n.list, "truncated", n.truncated);
}

/* ---- the answer ---- */

static char *dump(json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    return text;
}

char *qms_service_stats(struct qms_peer *p, const struct qms_route_header *h,
                        struct qms_refusal *why)
{
    (void)h, (void)why;
    return dump(stats_json(p));
}

/* Who may not watch agents of the prefix is not told of them here either. */
char *qms_service_directory(struct qms_peer *p, const struct qms_route_header *h,
                            struct qms_refusal *why)
{
    if (!qms_chain_watch(&p->broker->chain, qms_peer_server(p), p, p->module_data, h->meta,
                         qms_peer_now(p), why)) {
        return NULL;
    }
    return dump(directory_json(p, h->meta));
}
