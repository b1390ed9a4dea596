/* SPDX-License-Identifier: MIT */
/* /metrics at the HTTP endpoint. */
#include <string.h>

#include <quicms/module.h>

#include "base/mem.h"
#include "exposition.h"

struct conf {
    uint64_t per_route;
};

struct scrape {
    struct qms_exposition text;
    const struct conf *conf;
};

static void each(void *arg, const struct qms_metric *m)
{
    struct scrape *s = arg;

    if (s->conf->per_route != 0 || strncmp(m->labels, "route=\"", 7) != 0) {
        qms_exposition_add(&s->text, m);
    }
}

static void handle(struct qms_http *req, void *worker, const void *conf)
{
    struct scrape s = {
        .text.openmetrics = qms_exposition_wants_openmetrics(qms_http_header(req, "Accept")),
        .conf = conf,
    };
    struct qms_exposition *e = &s.text;
    static const char sorry[] = "out of memory\n";

    (void)worker;
    qms_metrics_walk(each, &s);
    qms_exposition_end(e);
    if (e->failed) {
        qms_http_reply(req, 503, "text/plain; charset=utf-8",
                       (struct qms_bytes){(const uint8_t *)sorry, sizeof(sorry) - 1});
    } else {
        qms_http_reply(req, 200, qms_exposition_type(e->openmetrics),
                       (struct qms_bytes){(const uint8_t *)e->text, e->len});
    }
    qms_free(e->text);
}

static const struct qms_directive directives[] = {
    {.name = "metrics_per_route",
     .contexts = QMS_CTX_MAIN | QMS_CTX_HTTP,
     .type = QMS_D_FLAG,
     .offset = QMS_U64_FIELD(struct conf, per_route),
     .def = "on",
     .help = "Whether /metrics has what was counted by route block, labelled with its words."},
    {.name = NULL},
};

static const struct qms_http_location locations[] = {
    {.path = "/metrics", .handler = handle},
    {.path = NULL},
};

extern const struct qms_module qms_module_metrics;
const struct qms_module qms_module_metrics = {
    .abi = QMS_MODULE_ABI,
    .name = "metrics",
    .directives = directives,
    .conf_size = sizeof(struct conf),
    .http = locations,
};
