/* SPDX-License-Identifier: MIT */
/* The counters as JSON, for pages that draw them: /api/v1/stats and the service `stats`. */
#ifndef QMS_CORE_BROKER_STATS_JSON_H
#define QMS_CORE_BROKER_STATS_JSON_H

#include <jansson.h>

#include "core/shared/board.h"

/* Metrics by type: {"NAME": [{"labels": {...}, "value": N}, ...]}, of histograms {"labels",
 * "bounds", "counts" (cumulative), "sum", "count"}. */
struct qms_stats_families {
    json_t *counters, *gauges, *histograms;
    bool failed; /* memory ran out */
};

/** Adds a metric to the struct qms_stats_families at `arg`: for the walks of stats.h and
 * module.h. */
void qms_stats_families_add(void *arg, const struct qms_metric *m);

/** One object a worker, in the order of the slots; `board` NULL: none.  NULL: memory. */
json_t *qms_workers_json(const struct qms_board *board);

/** {"time" and "uptime" in seconds, "version", "counters", "gauges", "histograms", "workers"
 * with counters of their own}.  NULL: memory. */
json_t *qms_stats_json(const struct qms_board *board);

#endif
