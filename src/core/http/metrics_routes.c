/* SPDX-License-Identifier: MIT */
/* Counters by route block.  The label is the words of the block, so there are as many series as
 * the operator has written blocks, whatever agents do.  Every worker numbers blocks and reasons
 * in the order it met them: pages are put together by name. */
#include <stdio.h>
#include <string.h>

#include "core/shared/stats.h"

#define BLOCKS_MAX  (2 * QMS_STATS_ROUTES) /* after reloads workers may know different ones */
#define REASONS_MAX (2 * QMS_STATS_LABELS)
#define LABELS_MAX  (2 * QMS_STATS_ROUTE_NAME + 4 * QMS_STATS_LABEL_MAX)

struct walk {
    void (*each)(void *arg, const struct qms_metric *metric);
    void *arg;
    size_t count;
    char names[BLOCKS_MAX][QMS_STATS_ROUTE_NAME];
};

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void collect(struct walk *w, const struct qms_stats_page *page)
{
    for (unsigned i = 0; i <= QMS_STATS_ROUTES; i++) {
        size_t k = 0;
        if (__atomic_load_n(&page->routes[i].count, __ATOMIC_ACQUIRE) == 0) {
            continue;
        }
        while (k < w->count && strcmp(w->names[k], page->routes[i].name) != 0) {
            k++;
        }
        if (k == w->count && w->count < BLOCKS_MAX) {
            memcpy(w->names[w->count++], page->routes[i].name, QMS_STATS_ROUTE_NAME);
        }
    }
}

static const struct qms_stats_route *find(const struct qms_stats_page *page, const char *name)
{
    for (unsigned i = 0; i <= QMS_STATS_ROUTES; i++) {
        if (__atomic_load_n(&page->routes[i].count, __ATOMIC_ACQUIRE) > 0 &&
            strcmp(page->routes[i].name, name) == 0) {
            return &page->routes[i];
        }
    }
    return NULL;
}

/* Sum over workers of the word `offset` bytes into the block's place. */
static uint64_t sum(const char *name, size_t offset)
{
    uint64_t total = 0;

    for (size_t p = 0; p < QMS_STATS_PAGES; p++) {
        const struct qms_stats_page *page = qms_stats_page_at(p);
        const struct qms_stats_route *r = page != NULL ? find(page, name) : NULL;
        if (r != NULL) {
            total += load((const uint64_t *)(const void *)((const char *)r + offset));
        }
    }
    return total;
}
#define SUM(name, member) sum((name), offsetof(struct qms_stats_route, member))

static void counter(const struct walk *w, const char *metric, const char *help,
                    const char *block, const char *key, const char *value, uint64_t count)
{
    char labels[LABELS_MAX];
    size_t len = qms_stats_put_label(labels, sizeof(labels), "route", block);

    labels[len++] = ',';
    qms_stats_put_label(labels + len, sizeof(labels) - len, key, value);
    w->each(w->arg, &(struct qms_metric){.name = metric,
                                         .help = help,
                                         .labels = labels,
                                         .type = QMS_METRIC_COUNTER,
                                         .value = (double)count});
}

static void walk_streams(const struct walk *w)
{
    for (size_t k = 0; k < w->count; k++) {
        for (unsigned column = 0; column < QMS_STATS_STATUSES; column++) {
            uint64_t count = SUM(w->names[k], streams[column]);
            if (count > 0 || column == QMS_CODE_OK) {
                counter(w, "quicms_route_streams_total",
                        "Routed streams that ended, by route block and status.", w->names[k],
                        "status", qms_stats_status_label(column), count);
            }
        }
    }
}

static void walk_bytes(const struct walk *w)
{
    static const char help[] =
        "Payload bytes from and to the openers of ended streams, by route block.";

    for (size_t k = 0; k < w->count; k++) {
        counter(w, "quicms_route_bytes_total", help, w->names[k], "direction", "in",
                SUM(w->names[k], bytes_in));
        counter(w, "quicms_route_bytes_total", help, w->names[k], "direction", "out",
                SUM(w->names[k], bytes_out));
    }
}

/* One metric for each reason that a route had. */
struct why {
    const char *name, *help;
    enum qms_stats_family labels;
    size_t offset; /* of its counters in the block's place */
};

static const struct why whys[] = {
    {"quicms_route_refusals_total",
     "Streams that the broker refused, by route block and reason.", QMS_F_ROUTE_REFUSED,
     offsetof(struct qms_stats_route, refused)},
    {"quicms_route_violations_total",
     "Streams that modules cut off for what was sent on them, by route block and reason.",
     QMS_F_ROUTE_CUT, offsetof(struct qms_stats_route, cut)},
};

/* The same reason may have another number in each page. */
static uint64_t count_of(const struct why *y, const char *block, const char *reason)
{
    uint64_t total = 0;

    for (size_t p = 0; p < QMS_STATS_PAGES; p++) {
        const struct qms_stats_page *page = qms_stats_page_at(p);
        const struct qms_stats_route *r = page != NULL ? find(page, block) : NULL;
        const uint64_t *counts =
            r != NULL ? (const uint64_t *)(const void *)((const char *)r + y->offset) : NULL;
        for (unsigned i = 0; r != NULL && i <= QMS_STATS_LABELS; i++) {
            if (load(&counts[i]) > 0 && strcmp(page->labels[y->labels][i].text, reason) == 0) {
                total += load(&counts[i]);
            }
        }
    }
    return total;
}

static void walk_reasons(const struct walk *w, const struct why *y)
{
    char reasons[REASONS_MAX][QMS_STATS_LABEL_MAX];
    size_t count = qms_stats_labels(y->labels, reasons, REASONS_MAX);

    for (size_t k = 0; k < w->count; k++) {
        for (size_t i = 0; i < count; i++) {
            uint64_t value = count_of(y, w->names[k], reasons[i]);
            if (value > 0) {
                counter(w, y->name, y->help, w->names[k], "reason", reasons[i], value);
            }
        }
    }
}

static void walk_durations(const struct walk *w)
{
    const uint64_t *ns = qms_stats_bounds(QMS_H_ROUTE_DURATION);
    double bounds[QMS_STATS_HISTOGRAM_MAX];
    uint64_t counts[QMS_STATS_HISTOGRAM_MAX];
    char labels[LABELS_MAX];

    for (size_t k = 0; k < w->count; k++) {
        uint64_t below = 0;
        size_t n = 0;
        for (; ns[n] != UINT64_MAX; n++) {
            below += SUM(w->names[k], buckets[n]);
            bounds[n] = (double)ns[n] / (double)QMS_SECOND;
            counts[n] = below;
        }
        qms_stats_put_label(labels, sizeof(labels), "route", w->names[k]);
        w->each(w->arg, &(struct qms_metric){
                            .name = "quicms_route_duration_seconds",
                            .help = "Life time of routed streams, by route block.",
                            .labels = labels,
                            .type = QMS_METRIC_HISTOGRAM,
                            .bucket_count = n,
                            .bounds = bounds,
                            .counts = counts,
                            .sum = (double)SUM(w->names[k], sum) / (double)QMS_SECOND,
                            .count = below + SUM(w->names[k], buckets[n]),
                        });
    }
}

void qms_stats_walk_routes(void (*each)(void *arg, const struct qms_metric *metric), void *arg)
{
    struct walk w = {.each = each, .arg = arg};

    for (size_t p = 0; p < QMS_STATS_PAGES; p++) {
        if (qms_stats_page_at(p) != NULL) {
            collect(&w, qms_stats_page_at(p));
        }
    }
    walk_streams(&w);
    walk_bytes(&w);
    walk_reasons(&w, &whys[0]);
    walk_reasons(&w, &whys[1]);
    walk_durations(&w);
}
