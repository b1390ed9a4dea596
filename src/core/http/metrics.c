/* SPDX-License-Identifier: MIT */
/* Pages of counters read as metrics: every registered page is summed row by row. */
#include <stdio.h>
#include <string.h>

#include <quicms/version.h>

#include "core/shared/stats.h"

/* The one list of pages of this process: qms_metrics_walk is called by modules, which have no
 * handle of the broker to pass. */
static const struct qms_stats_page *pages[QMS_STATS_PAGES];

enum merge { SUM, MIN };

static const struct row {
    const char *name, *labels, *help;
    int type;
    enum merge merge;
} rows[] = {
#define ROW(id, name, labels, type, merge, help)                                               \
    {(name), (labels), (help), QMS_METRIC_##type, (merge)},
    QMS_STATS_TABLE(ROW)
#undef ROW
};

static const struct {
    const char *name, *help;
    double unit;
    uint64_t bounds[QMS_STATS_HISTOGRAM_MAX];
    size_t bound_count;
} histograms[] = {
#define ROW(id, name, unit, help, ...)                                                         \
    {(name),                                                                                   \
     (help),                                                                                   \
     (unit),                                                                                   \
     {__VA_ARGS__},                                                                            \
     sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)},
    QMS_STATS_HISTOGRAMS(ROW)
#undef ROW
};

static const struct {
    const char *name, *label, *help;
} families[] = {
#define ROW(id, name, label, type, help) {(name), (label), (help)},
    QMS_STATS_FAMILIES(ROW)
#undef ROW
};

static const char *const kinds[QMS_STATS_KINDS] = {"self", "agent", "group", "topic",
                                                   "service"};

struct walk {
    void (*each)(void *arg, const struct qms_metric *metric);
    void *arg;
};

qms_err qms_stats_register(const struct qms_stats_page *page)
{
    for (size_t i = 0; i < QMS_STATS_PAGES; i++) {
        if (pages[i] == NULL) {
            pages[i] = page;
            return QMS_OK;
        }
    }
    return QMS_E_LIMIT;
}

void qms_stats_unregister(const struct qms_stats_page *page)
{
    for (size_t i = 0; i < QMS_STATS_PAGES; i++) {
        if (pages[i] == page) {
            pages[i] = NULL;
        }
    }
}

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* Sum of the word that stands `offset` bytes into each page. */
static uint64_t sum_at(size_t offset)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < QMS_STATS_PAGES; i++) {
        if (pages[i] != NULL) {
            sum += load((const uint64_t *)(const void *)((const char *)pages[i] + offset));
        }
    }
    return sum;
}
#define SUM_AT(member) sum_at(offsetof(struct qms_stats_page, member))

static uint64_t earliest(enum qms_stats_id id)
{
    uint64_t min = UINT64_MAX;

    for (size_t i = 0; i < QMS_STATS_PAGES; i++) {
        uint64_t at = pages[i] != NULL ? load(&pages[i]->words[id]) : 0;
        if (at != 0 && at < min) { /* 0: of nobody now */
            min = at;
        }
    }
    return min == UINT64_MAX ? 0 : min;
}

static void walk_rows(const struct walk *w)
{
    const char *help = "";

    for (unsigned i = 0; i < QMS_S_COUNT; i++) {
        help = rows[i].help[0] != '\0' ? rows[i].help : help;
        struct qms_metric m = {
            .name = rows[i].name,
            .help = help,
            .labels = rows[i].labels,
            .value = (double)(rows[i].merge == MIN ? earliest((enum qms_stats_id)i)
                                                   : SUM_AT(words[i])),
        };
        m.type = rows[i].type == QMS_METRIC_GAUGE ? QMS_METRIC_GAUGE : QMS_METRIC_COUNTER;
        w->each(w->arg, &m);
    }
}

static void walk_counter(const struct walk *w, const char *name, const char *help,
                         const char *labels, uint64_t value)
{
    w->each(w->arg, &(struct qms_metric){.name = name,
                                         .help = help,
                                         .labels = labels,
                                         .type = QMS_METRIC_COUNTER,
                                         .value = (double)value});
}

/* Combinations that never happened are left out, but for the two that dashboards divide by. */
static void walk_streams(const struct walk *w)
{
    char labels[96];

    for (unsigned kind = 0; kind < QMS_STATS_KINDS; kind++) {
        for (unsigned column = 0; column < QMS_STATS_STATUSES; column++) {
            uint64_t value = SUM_AT(streams[kind][column]);
            if (value > 0 || (kind == QMS_KIND_AGENT && column == QMS_CODE_OK)) {
                snprintf(labels, sizeof(labels), "kind=\"%s\",status=\"%s\"", kinds[kind],
                         qms_stats_status_label(column));
                walk_counter(w, "quicms_streams_total",
                             "Routed streams that ended, by kind of target and status.", labels,
                             value);
            }
        }
    }
    for (unsigned column = 0; column < QMS_STATS_STATUSES; column++) {
        uint64_t value = SUM_AT(closed[column]);
        if (value > 0 || column == QMS_CODE_OK) {
            snprintf(labels, sizeof(labels), "status=\"%s\"", qms_stats_status_label(column));
            walk_counter(w, "quicms_connections_closed_total",
                         "Agent connections that ended, by status.", labels, value);
        }
    }
}

static void walk_histogram(const struct walk *w, unsigned h)
{
    double bounds[QMS_STATS_HISTOGRAM_MAX];
    uint64_t counts[QMS_STATS_HISTOGRAM_MAX], below = 0;

    for (size_t i = 0; i < histograms[h].bound_count; i++) {
        below += SUM_AT(histograms[h].buckets[i]);
        bounds[i] = (double)histograms[h].bounds[i] / histograms[h].unit;
        counts[i] = below;
    }
    /* The buckets are the truth: a page that is being written may be one ahead in `count`. */
    below += SUM_AT(histograms[h].buckets[histograms[h].bound_count]);
    w->each(w->arg, &(struct qms_metric){
                        .name = histograms[h].name,
                        .help = histograms[h].help,
                        .labels = "",
                        .type = QMS_METRIC_HISTOGRAM,
                        .bucket_count = histograms[h].bound_count,
                        .bounds = bounds,
                        .counts = counts,
                        .sum = (double)SUM_AT(histograms[h].sum) / histograms[h].unit,
                        .count = below,
                    });
}

const struct qms_stats_page *qms_stats_page_at(size_t i)
{
    return pages[i];
}

size_t qms_stats_labels(enum qms_stats_family f, char (*out)[QMS_STATS_LABEL_MAX], size_t max)
{
    size_t count = 0;

    for (size_t p = 0; p < QMS_STATS_PAGES; p++) {
        for (unsigned i = 0; pages[p] != NULL && i <= QMS_STATS_LABELS; i++) {
            size_t k = 0;
            if (__atomic_load_n(&pages[p]->labels[f][i].count, __ATOMIC_ACQUIRE) == 0 &&
                (!qms_stats_is_gauge(f) ||
                 __atomic_load_n(pages[p]->labels[f][i].text, __ATOMIC_ACQUIRE) == '\0')) {
                continue;
            }
            while (k < count && strcmp(out[k], pages[p]->labels[f][i].text) != 0) {
                k++;
            }
            if (k == count && count < max) {
                memcpy(out[count++], pages[p]->labels[f][i].text, QMS_STATS_LABEL_MAX);
            }
        }
    }
    return count;
}

size_t qms_stats_put_label(char *out, size_t cap, const char *key, const char *value)
{
    int at = snprintf(out, cap, "%s=\"", key);
    size_t len = at > 0 ? (size_t)at : 0;

    for (; *value != '\0' && len + 4 < cap; value++) {
        if (*value == '\\' || *value == '"' || *value == '\n') {
            out[len++] = '\\';
        }
        out[len++] = *value == '\n' ? 'n' : *value;
    }
    len += (size_t)snprintf(out + len, cap - len, "\"");
    return len;
}

static void walk_family(const struct walk *w, unsigned f)
{
    char names[2 * QMS_STATS_LABELS][QMS_STATS_LABEL_MAX];
    size_t count = qms_stats_labels((enum qms_stats_family)f, names, 2 * QMS_STATS_LABELS);

    for (size_t k = 0; k < count; k++) {
        char labels[3 * QMS_STATS_LABEL_MAX];
        uint64_t value = 0;
        for (size_t p = 0; p < QMS_STATS_PAGES; p++) {
            value += pages[p] == NULL
                         ? 0
                         : qms_stats_label_get(pages[p], (enum qms_stats_family)f, names[k]);
        }
        qms_stats_put_label(labels, sizeof(labels), families[f].label, names[k]);
        w->each(w->arg,
                &(struct qms_metric){
                    .name = families[f].name,
                    .help = families[f].help,
                    .labels = labels,
                    .type = qms_stats_is_gauge((enum qms_stats_family)f) ? QMS_METRIC_GAUGE
                                                                         : QMS_METRIC_COUNTER,
                    .value = (double)value,
                });
    }
}

void qms_metrics_walk(void (*each)(void *arg, const struct qms_metric *metric), void *arg)
{
    struct walk w = {each, arg};

    each(arg, &(struct qms_metric){.name = "quicms_build_info",
                                   .help = "The version that is running; always 1.",
                                   .labels = "version=\"" QUICMS_VERSION "\"",
                                   .type = QMS_METRIC_GAUGE,
                                   .value = 1});
    walk_rows(&w);
    walk_streams(&w);
    for (unsigned f = 0; f < QMS_F_COUNT; f++) {
        walk_family(&w, f);
    }
    for (unsigned h = 0; h < QMS_H_COUNT; h++) {
        walk_histogram(&w, h);
    }
    qms_stats_walk_routes(each, arg);
}
