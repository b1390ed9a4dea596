/* SPDX-License-Identifier: MIT */
/* Short texts of strangers: what an access log makes of them stays one line and, in JSON, one
 * string; fields of conditional requests and traceparents are read without a step too far. */
#include <jansson.h>
#include <string.h>

#include "base/web.h"
#include "fuzz.h"
#include "modules/access_log/line.h"
#include "proto/trace.h"

static void escape(struct qms_bytes in, enum qms_escape how)
{
    static struct qms_line line;

    line.escape = how;
    line.len = 0;
    qms_line_put(&line, "\"", 1);
    qms_line_put_escaped(&line, in);
    bool whole = line.len < QMS_LINE_MAX - 16;
    qms_line_put(&line, "\"", 1);
    struct qms_bytes out = qms_line_end(&line);
    MUST(out.len <= QMS_LINE_MAX && out.data[out.len - 1] == '\n');
    for (size_t i = 0; i + 1 < out.len; i++) {
        MUST(out.data[i] >= 0x20 && out.data[i] != 0x7f);
    }
    if (how == QMS_ESCAPE_JSON && whole) {
        json_t *text = json_loadb((const char *)out.data, out.len - 1,
                                  JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        MUST(json_is_string(text));
        json_decref(text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qms_web_file f = {.size = 5};
    uint8_t *copy = malloc(size > 0 ? size : 1); /* of exactly this length, for the sanitizer */
    struct qms_bytes in = {copy, size};

    MUST(copy != NULL);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    qms_web_file_describe(&f, 784111777, 1);
    bool tag = qms_web_file_unchanged(&f, in, (struct qms_bytes){0});
    MUST(!tag || size >= strlen(f.etag) || memchr(copy, '*', size) != NULL);
    (void)qms_web_file_unchanged(&f, (struct qms_bytes){0}, in);
    MUST(!qms_traceparent_ok(in) || size == QMS_TRACEPARENT_LEN);
    for (unsigned how = QMS_ESCAPE_DEFAULT; how <= QMS_ESCAPE_NONE; how++) {
        escape(in, (enum qms_escape)how);
    }
    free(copy);
    return 0;
}
