/* SPDX-License-Identifier: MIT */
/* Writing metrics as text.
 *
 * Prometheus names the family of a counter like its samples; OpenMetrics drops `_total` from
 * the family's name.  Label sets arrive in the exposition format, escaped by their maker. */
#include "exposition.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define TEXT_MAX ((size_t)16 << 20)

static bool reserve(struct qms_exposition *e, size_t more)
{
    size_t cap = e->cap > 0 ? e->cap : 8192;

    while (cap < e->len + more && cap < TEXT_MAX) {
        cap *= 2;
    }
    if (cap < e->len + more) {
        e->failed = true;
    } else if (cap > e->cap) {
        char *text = qms_realloc(e->text, cap);
        e->failed = text == NULL;
        e->text = text != NULL ? text : e->text;
        e->cap = text != NULL ? cap : e->cap;
    }
    return !e->failed;
}

__attribute__((format(printf, 2, 3))) static void put(struct qms_exposition *e,
                                                      const char *format, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, format);
    int len = vsnprintf(line, sizeof(line), format, ap);
    va_end(ap);
    if (len < 0 || (size_t)len >= sizeof(line)) {
        e->failed = true;
    }
    if (!e->failed && reserve(e, (size_t)len + 1)) {
        memcpy(e->text + e->len, line, (size_t)len + 1);
        e->len += (size_t)len;
    }
}

/* Help texts: backslash and newline are escaped, in OpenMetrics the quote too. */
static void put_escaped(struct qms_exposition *e, const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s == '\n') {
            put(e, "\\n");
        } else if (*s == '\\' || (*s == '"' && e->openmetrics)) {
            put(e, "\\%c", *s);
        } else {
            put(e, "%c", *s);
        }
    }
}

/* Whole numbers as such; others with as few digits as name them exactly enough. */
static void put_value(struct qms_exposition *e, double v)
{
    if (isnan(v)) {
        put(e, "NaN\n");
    } else if (isinf(v)) {
        put(e, v > 0 ? "+Inf\n" : "-Inf\n");
    } else if (fabs(v) < 1e15 && floor(v) == v) {
        put(e, "%.0f\n", v);
    } else {
        put(e, "%.12g\n", v);
    }
}

static size_t family_len(const struct qms_exposition *e, const struct qms_metric *m)
{
    size_t len = strlen(m->name);
    bool total = len > 6 && strcmp(m->name + len - 6, "_total") == 0;

    return e->openmetrics && m->type == QMS_METRIC_COUNTER && total ? len - 6 : len;
}

static void head(struct qms_exposition *e, const struct qms_metric *m)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    int len = (int)family_len(e, m);

    if (strcmp(e->name, m->name) == 0) {
        return;
    }
    snprintf(e->name, sizeof(e->name), "%s", m->name);
    put(e, "# HELP %.*s ", len, m->name);
    put_escaped(e, m->help);
    put(e, "\n# TYPE %.*s %s\n", len, m->name, types[m->type]);
}

static void histogram(struct qms_exposition *e, const struct qms_metric *m)
{
    const char *comma = m->labels[0] != '\0' ? "," : "";

    for (size_t i = 0; i < m->bucket_count; i++) {
        /* OpenMetrics wants 1.0 where others write 1. */
        bool whole = e->openmetrics && floor(m->bounds[i]) == m->bounds[i];
        put(e, "%s_bucket{%s%sle=\"%.12g%s\"} %" PRIu64 "\n", m->name, m->labels, comma,
            m->bounds[i], whole ? ".0" : "", m->counts[i]);
    }
    put(e, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", m->name, m->labels, comma, m->count);
    put(e, m->labels[0] != '\0' ? "%s_sum{%s} " : "%s_sum%s ", m->name, m->labels);
    put_value(e, m->sum);
    put(e, m->labels[0] != '\0' ? "%s_count{%s} " : "%s_count%s ", m->name, m->labels);
    put(e, "%" PRIu64 "\n", m->count);
}

void qms_exposition_add(struct qms_exposition *e, const struct qms_metric *m)
{
    head(e, m);
    if (m->type == QMS_METRIC_HISTOGRAM) {
        histogram(e, m);
        return;
    }
    put(e, m->labels[0] != '\0' ? "%s{%s} " : "%s%s ", m->name, m->labels);
    put_value(e, m->value);
}

void qms_exposition_end(struct qms_exposition *e)
{
    if (e->openmetrics) {
        put(e, "# EOF\n");
    }
}

const char *qms_exposition_type(bool openmetrics)
{
    return openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                       : "text/plain; version=0.0.4; charset=utf-8";
}

bool qms_exposition_wants_openmetrics(const char *accept)
{
    const char *at = accept != NULL ? strstr(accept, "application/openmetrics-text") : NULL;
    const char *end = at != NULL ? at + strcspn(at, ",") : NULL;
    const char *q = at != NULL ? strstr(at, "q=0") : NULL;

    /* "q=0" alone, also "q=0.000", says: anything but this. */
    if (q != NULL && q < end) {
        return strspn(q + 2, "0.") < (size_t)(end - q - 2) &&
               strchr("123456789", q[2 + strspn(q + 2, "0.")]) != NULL;
    }
    return at != NULL;
}
