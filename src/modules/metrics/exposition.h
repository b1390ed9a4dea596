/* SPDX-License-Identifier: MIT */
/* The metrics as text: Prometheus text format 0.0.4, or OpenMetrics 1.0. */
#ifndef QMS_MODULES_METRICS_EXPOSITION_H
#define QMS_MODULES_METRICS_EXPOSITION_H

#include <quicms/module.h>

struct qms_exposition {
    bool openmetrics;
    bool failed; /* memory ran out; the text is not whole */
    char *text;  /* qms_free */
    size_t len, cap;
    char name[128]; /* of the metric before */
};

/** `e` is zeroed but for `openmetrics`.  Metrics of one name must come one after another. */
void qms_exposition_add(struct qms_exposition *e, const struct qms_metric *m);
/** What stands at the end of a whole text. */
void qms_exposition_end(struct qms_exposition *e);
const char *qms_exposition_type(bool openmetrics);
/** Whether an Accept header (NULL: none) asks for OpenMetrics. */
bool qms_exposition_wants_openmetrics(const char *accept);

#endif
