/* SPDX-License-Identifier: MIT */
/* What a line can say of a route: one row for each variable. */
#ifndef QMS_MODULES_ACCESS_LOG_VARIABLE_H
#define QMS_MODULES_ACCESS_LOG_VARIABLE_H

#include <quicms/module.h>

#include "line.h"

/* The route that has ended. */
struct qms_log_event {
    const struct qms_route *route;
    const struct qms_peer *opener;
    uint8_t status;
    qms_time now;
    int64_t wall; /* nanoseconds since the epoch, at the end */
};

struct qms_log_variable {
    const char *name; /* without its dollar */
    void (*put)(struct qms_line *l, const struct qms_log_event *e);
};

/** Ends with a NULL name. */
extern const struct qms_log_variable qms_log_variables[];

#endif
