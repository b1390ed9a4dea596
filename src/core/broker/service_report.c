/* SPDX-License-Identifier: MIT */
/* Services that answer with one JSON text: stats, what the broker counts and knows of this
 * connection; directory, the agents whose ids begin with the META of the stream.  What the
 * opener sends is dropped. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/broker/peer.h"
#include "core/broker/service.h"
#include "core/broker/stats_json.h"

/* Ids that the directory tells at most; watches tell all. */
#define NAMES_MAX 10000

/* ---- stats ---- */

/* What /api/v1/stats tells, but for the processes, which are no agent's business. */
static json_t *stats_json(const struct qms_peer *p)
{
    json_t *all = qms_stats_json(p->broker->board);
    json_t *out =
        json_pack("{s:o, s:I}", "connection", qms_broker_connection_json(p, p->broker->now),
                  "agents", (json_int_t)qms_directory_count(p->broker->directory));
    json_t *worker;
    size_t i;

    json_array_foreach(json_object_get(all, "workers"), i, worker)
    {
        (void)json_object_del(worker, "pid");
    }
    if (out != NULL && (all == NULL || json_object_update(out, all) != 0)) {
        json_decref(out);
        out = NULL;
    }
    json_decref(all);
    return out;
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
