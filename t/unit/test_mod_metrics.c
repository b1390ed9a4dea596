/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "modules/metrics/exposition.h"
#include "qms_test.h"

extern const struct qms_module qms_module_metrics;

/* ---- the core's part of the interface: a walk over four metrics, a request that records ----
 */

struct qms_http {
    const char *accept;
    int status, replies;
    char type[128], body[4096];
};

static const double bounds[] = {0.001, 1, 2.5};
static const uint64_t counts[] = {1, 4, 5};
static uint64_t per_route; /* the module's configuration */
static bool has_routes;

void qms_metrics_walk(void (*each)(void *arg, const struct qms_metric *metric), void *arg)
{
    each(arg, &(struct qms_metric){.name = "quicms_a_total",
                                   .help = "Back\\slash, \"quote\" and\nnewline.",
                                   .labels = "x=\"1\"",
                                   .type = QMS_METRIC_COUNTER,
                                   .value = 12345678901});
    each(arg, &(struct qms_metric){.name = "quicms_a_total",
                                   .help = "Back\\slash, \"quote\" and\nnewline.",
                                   .labels = "x=\"2\"",
                                   .type = QMS_METRIC_COUNTER,
                                   .value = 0});
    each(arg, &(struct qms_metric){.name = "quicms_g",
                                   .help = "Gauge.",
                                   .labels = "",
                                   .type = QMS_METRIC_GAUGE,
                                   .value = 0.25});
    each(arg, &(struct qms_metric){.name = "quicms_h_seconds",
                                   .help = "Histogram.",
                                   .labels = "",
                                   .type = QMS_METRIC_HISTOGRAM,
                                   .bucket_count = 3,
                                   .bounds = bounds,
                                   .counts = counts,
                                   .sum = 7.5,
                                   .count = 6});
    if (has_routes) {
        each(arg, &(struct qms_metric){.name = "quicms_r_total",
                                       .help = "R.",
                                       .labels = "route=\"agent *\",status=\"ok\"",
                                       .type = QMS_METRIC_COUNTER,
                                       .value = 3});
    }
}

void qms_http_reply(struct qms_http *req, int status, const char *content_type,
                    struct qms_bytes body)
{
    req->status = status;
    req->replies++;
    strncpy(req->type, content_type, sizeof(req->type) - 1);
    assert_true(body.len < sizeof(req->body));
    memcpy(req->body, body.data, body.len);
    req->body[body.len] = '\0';
}

const char *qms_http_header(struct qms_http *req, const char *name)
{
    return strcmp(name, "Accept") == 0 ? req->accept : NULL;
}

static struct qms_http get(const char *accept)
{
    struct qms_http req = {.accept = accept};

    assert_string_equal(qms_module_metrics.http[0].path, "/metrics");
    qms_module_metrics.http[0].handler(&req, NULL, &per_route);
    assert_int_equal(req.replies, 1);
    return req;
}

static void prometheus_text_is_exact(void **state)
{
    struct qms_http req = get(NULL);

    (void)state;
    assert_int_equal(req.status, 200);
    assert_string_equal(req.type, "text/plain; version=0.0.4; charset=utf-8");
    assert_string_equal(req.body,
                        "# HELP quicms_a_total Back\\\\slash, \"quote\" and\\nnewline.\n"
                        "# TYPE quicms_a_total counter\n"
                        "quicms_a_total{x=\"1\"} 12345678901\n"
                        "quicms_a_total{x=\"2\"} 0\n"
                        "# HELP quicms_g Gauge.\n"
                        "# TYPE quicms_g gauge\n"
                        "quicms_g 0.25\n"
                        "# HELP quicms_h_seconds Histogram.\n"
                        "# TYPE quicms_h_seconds histogram\n"
                        "quicms_h_seconds_bucket{le=\"0.001\"} 1\n"
                        "quicms_h_seconds_bucket{le=\"1\"} 4\n"
                        "quicms_h_seconds_bucket{le=\"2.5\"} 5\n"
                        "quicms_h_seconds_bucket{le=\"+Inf\"} 6\n"
                        "quicms_h_seconds_sum 7.5\n"
                        "quicms_h_seconds_count 6\n");
}

static void openmetrics_text_is_exact(void **state)
{
    struct qms_http req = get("application/openmetrics-text;version=1.0.0,text/plain;q=0.5");

    (void)state;
    assert_string_equal(req.type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_string_equal(req.body,
                        "# HELP quicms_a Back\\\\slash, \\\"quote\\\" and\\nnewline.\n"
                        "# TYPE quicms_a counter\n"
                        "quicms_a_total{x=\"1\"} 12345678901\n"
                        "quicms_a_total{x=\"2\"} 0\n"
                        "# HELP quicms_g Gauge.\n"
                        "# TYPE quicms_g gauge\n"
                        "quicms_g 0.25\n"
                        "# HELP quicms_h_seconds Histogram.\n"
                        "# TYPE quicms_h_seconds histogram\n"
                        "quicms_h_seconds_bucket{le=\"0.001\"} 1\n"
                        "quicms_h_seconds_bucket{le=\"1.0\"} 4\n"
                        "quicms_h_seconds_bucket{le=\"2.5\"} 5\n"
                        "quicms_h_seconds_bucket{le=\"+Inf\"} 6\n"
                        "quicms_h_seconds_sum 7.5\n"
                        "quicms_h_seconds_count 6\n"
                        "# EOF\n");
}

static void what_is_counted_by_route_can_be_left_out(void **state)
{
    (void)state;
    has_routes = true;
    struct qms_http without = get(NULL);
    per_route = 1;
    struct qms_http with = get(NULL);
    has_routes = false;
    per_route = 0;
    assert_null(strstr(without.body, "quicms_r_total"));
    assert_non_null(strstr(with.body, "quicms_r_total{route=\"agent *\",status=\"ok\"} 3\n"));
    const struct qms_directive *d = qms_module_metrics.directives;
    assert_string_equal(d->name, "metrics_per_route");
    assert_string_equal(d->def, "on");
}

static void the_accept_header_decides(void **state)
{
    (void)state;
    assert_false(qms_exposition_wants_openmetrics(NULL));
    assert_false(qms_exposition_wants_openmetrics("*/*"));
    assert_false(qms_exposition_wants_openmetrics("text/plain"));
    assert_true(qms_exposition_wants_openmetrics("application/openmetrics-text"));
    assert_true(qms_exposition_wants_openmetrics(
        "text/plain;q=0.1, application/openmetrics-text; version=1.0.0; q=0.75"));
    assert_false(qms_exposition_wants_openmetrics("application/openmetrics-text;q=0"));
    assert_false(
        qms_exposition_wants_openmetrics("application/openmetrics-text;q=0.0, text/plain"));
}

static void a_lack_of_memory_is_an_honest_503(void **state)
{
    (void)state;
    qms_mem_fail_after(0);
    struct qms_http req = get(NULL);
    qms_mem_fail_after(UINT64_MAX);
    assert_int_equal(req.status, 503);
}

static void a_label_set_of_a_histogram_comes_before_le(void **state)
{
    struct qms_exposition e = {0};
    struct qms_metric m = {.name = "quicms_h_bytes",
                           .help = "H.",
                           .labels = "k=\"v\"",
                           .type = QMS_METRIC_HISTOGRAM,
                           .bucket_count = 1,
                           .bounds = bounds + 1,
                           .counts = counts,
                           .count = 1};

    (void)state;
    qms_exposition_add(&e, &m);
    assert_non_null(strstr(e.text, "quicms_h_bytes_bucket{k=\"v\",le=\"1\"} 1\n"));
    assert_non_null(strstr(e.text, "quicms_h_bytes_sum{k=\"v\"} 0\n"));
    assert_non_null(strstr(e.text, "quicms_h_bytes_count{k=\"v\"} 1\n"));
    qms_free(e.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prometheus_text_is_exact),
        cmocka_unit_test(openmetrics_text_is_exact),
        cmocka_unit_test(what_is_counted_by_route_can_be_left_out),
        cmocka_unit_test(the_accept_header_decides),
        cmocka_unit_test(a_lack_of_memory_is_an_honest_503),
        cmocka_unit_test(a_label_set_of_a_histogram_comes_before_le),
    };
    return cmocka_run_group_tests_name("mod_metrics", tests, NULL, NULL);
}
