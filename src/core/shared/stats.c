/* SPDX-License-Identifier: MIT */
/* Writing a worker's page of counters. */
#include "core/shared/stats.h"

#include <string.h>

static const uint64_t bounds[QMS_H_COUNT][QMS_STATS_HISTOGRAM_MAX + 1] = {
#define ROW(id, name, unit, help, ...) {__VA_ARGS__, UINT64_MAX},
    QMS_STATS_HISTOGRAMS(ROW)
#undef ROW
};

const uint64_t *qms_stats_bounds(enum qms_stats_histogram h)
{
    return bounds[h];
}

static const bool gauge_families[QMS_F_COUNT] = {
#define ROW(id, name, label, type, help) [QMS_F_##id] = QMS_METRIC_##type == QMS_METRIC_GAUGE,
    QMS_STATS_FAMILIES(ROW)
#undef ROW
};

bool qms_stats_is_gauge(enum qms_stats_family f)
{
    return gauge_families[f];
}

void qms_stats_restart(struct qms_stats_page *p)
{
    static const bool gauge[QMS_S_COUNT] = {
#define ROW(id, name, labels, type, merge, help)                                               \
    [QMS_S_##id] = QMS_METRIC_##type == QMS_METRIC_GAUGE,
        QMS_STATS_TABLE(ROW)
#undef ROW
    };

    for (unsigned i = 0; i < QMS_S_COUNT; i++) {
        if (gauge[i]) {
            qms_stats_set(p, (enum qms_stats_id)i, 0);
        }
    }
    for (unsigned f = 0; f < QMS_F_COUNT; f++) {
        for (unsigned i = 0; gauge_families[f] && i <= QMS_STATS_LABELS; i++) {
            __atomic_store_n(&p->labels[f][i].count, 0, __ATOMIC_RELAXED);
        }
    }
}

/* The five rows of a table stand in this order, and the named priorities 64 apart: 0, 64, 128,
 * 192, 255. */
void qms_stats_level(struct qms_stats_page *p, enum qms_stats_id background, uint8_t priority,
                     uint64_t by)
{
    qms_stats_add(p, (enum qms_stats_id)(background + (priority + 32U) / 64), by);
}

unsigned qms_stats_status(uint64_t code)
{
    if (code <= QMS_CODE_TOO_EARLY) {
        return (unsigned)code;
    }
    return code >= QMS_CODE_APPLICATION && code <= QMS_CODE_MAX ? QMS_STATS_STATUSES - 2
                                                                : QMS_STATS_STATUSES - 1;
}

const char *qms_stats_status_label(unsigned column)
{
    if (column <= QMS_CODE_TOO_EARLY) {
        return qms_code_name(column);
    }
    return column == QMS_STATS_STATUSES - 2 ? "application" : "unknown";
}

void qms_stats_stream(struct qms_stats_page *p, unsigned kind, uint64_t status)
{
    if (kind < QMS_STATS_KINDS) {
        qms_stats_bump(&p->streams[kind][qms_stats_status(status)], 1);
    }
}

void qms_stats_closed(struct qms_stats_page *p, uint64_t code)
{
    qms_stats_bump(&p->closed[qms_stats_status(code)], 1);
}

void qms_stats_observe(struct qms_stats_page *p, enum qms_stats_histogram h, uint64_t value)
{
    unsigned i = 0;

    while (value > bounds[h][i]) {
        i++;
    }
    qms_stats_bump(&p->histograms[h].buckets[i], 1);
    qms_stats_bump(&p->histograms[h].sum, value);
    qms_stats_bump(&p->histograms[h].count, 1);
}

/* The last slot belongs to "other". */
static unsigned label_slot(const struct qms_stats_page *p, enum qms_stats_family f,
                           const char *label)
{
    unsigned i = 0;

    while (i < QMS_STATS_LABELS && p->labels[f][i].text[0] != '\0' &&
           strncmp(p->labels[f][i].text, label, QMS_STATS_LABEL_MAX - 1) != 0) {
        i++;
    }
    return i;
}

/* Its first byte comes last: who sees that sees all of it. */
static void write_label(char *out, const char *label)
{
    size_t len = strlen(label);

    len = len < QMS_STATS_LABEL_MAX - 1 ? len : QMS_STATS_LABEL_MAX - 1;
    memcpy(out + 1, label + 1, len - 1);
    __atomic_store_n(out, label[0], __ATOMIC_RELEASE);
}

void qms_stats_label_add(struct qms_stats_page *p, enum qms_stats_family f, const char *label,
                         uint64_t by)
{
    label = label != NULL && label[0] != '\0' ? label : "other";

    unsigned i = label_slot(p, f, label);
    if (p->labels[f][i].text[0] == '\0') {
        write_label(p->labels[f][i].text, i < QMS_STATS_LABELS ? label : "other");
    }
    uint64_t count = __atomic_load_n(&p->labels[f][i].count, __ATOMIC_RELAXED) + by;
    __atomic_store_n(&p->labels[f][i].count, count, __ATOMIC_RELEASE);
}

void qms_stats_label(struct qms_stats_page *p, enum qms_stats_family f, const char *label)
{
    qms_stats_label_add(p, f, label, 1);
}

/* As with labels, the last place belongs to "other". */
static struct qms_stats_route *route_place(struct qms_stats_page *p, const char *block)
{
    unsigned i = 0;

    while (i < QMS_STATS_ROUTES && p->routes[i].name[0] != '\0' &&
           strncmp(p->routes[i].name, block, QMS_STATS_ROUTE_NAME - 1) != 0) {
        i++;
    }
    if (p->routes[i].name[0] == '\0') {
        strncpy(p->routes[i].name, i < QMS_STATS_ROUTES ? block : "other",
                QMS_STATS_ROUTE_NAME - 1);
    }
    return &p->routes[i];
}

void qms_stats_route_end(struct qms_stats_page *p, const struct qms_stats_route_end *end)
{
    struct qms_stats_route *r = route_place(p, end->block);
    unsigned bucket = 0;

    while (end->lasted > bounds[QMS_H_ROUTE_DURATION][bucket]) {
        bucket++;
    }
    qms_stats_bump(&r->buckets[bucket], 1);
    qms_stats_bump(&r->sum, end->lasted);
    qms_stats_bump(&r->bytes_in, end->forward);
    qms_stats_bump(&r->bytes_out, end->reverse);
    qms_stats_bump(&r->streams[qms_stats_status(end->status)], 1);
    if (end->reason != NULL && end->cut) {
        qms_stats_bump(&r->cut[label_slot(p, QMS_F_ROUTE_CUT, end->reason)], 1);
    } else if (end->reason != NULL) {
        qms_stats_bump(&r->refused[label_slot(p, QMS_F_ROUTE_REFUSED, end->reason)], 1);
    }
    __atomic_store_n(&r->count, __atomic_load_n(&r->count, __ATOMIC_RELAXED) + 1,
                     __ATOMIC_RELEASE);
}

uint64_t qms_stats_label_get(const struct qms_stats_page *p, enum qms_stats_family f,
                             const char *label)
{
    for (unsigned i = 0; i <= QMS_STATS_LABELS; i++) {
        if (strcmp(p->labels[f][i].text, label) == 0) {
            return __atomic_load_n(&p->labels[f][i].count, __ATOMIC_ACQUIRE);
        }
    }
    return 0;
}
