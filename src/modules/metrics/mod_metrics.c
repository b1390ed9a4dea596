/* SPDX-License-Identifier: MIT */
/* /metrics at the HTTP endpoint. */
#include <quicms/module.h>

#include "base/mem.h"
#include "exposition.h"

static void each(void *arg, const struct qms_metric *m)
{
    qms_exposition_add(arg, m);
}

static void handle(struct qms_http *req, void *worker, const void *conf)
{
    struct qms_exposition e = {
        .openmetrics = qms_exposition_wants_openmetrics(qms_http_header(req, "Accept")),
    };
    static const char sorry[] = "out of memory\n";

    (void)worker, (void)conf;
    qms_metrics_walk(each, &e);
    qms_exposition_end(&e);
    if (e.failed) {
        qms_http_reply(req, 503, "text/plain; charset=utf-8",
                       (struct qms_bytes){(const uint8_t *)sorry, sizeof(sorry) - 1});
    } else {
        qms_http_reply(req, 200, qms_exposition_type(e.openmetrics),
                       (struct qms_bytes){(const uint8_t *)e.text, e.len});
    }
    qms_free(e.text);
}

static const struct qms_http_location locations[] = {
    {.path = "/metrics", .handler = handle},
    {.path = NULL},
};

extern const struct qms_module qms_module_metrics;
const struct qms_module qms_module_metrics = {
    .abi = QMS_MODULE_ABI,
    .name = "metrics",
    .http = locations,
};
