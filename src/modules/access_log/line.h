/* SPDX-License-Identifier: MIT */
/* A line being written: bounded memory, and every byte that a peer chose escaped. */
#ifndef QMS_MODULES_ACCESS_LOG_LINE_H
#define QMS_MODULES_ACCESS_LOG_LINE_H

#include <quicms/types.h>

#define QMS_LINE_MAX 8192 /* bytes of a line, newline included */

enum qms_escape {
    QMS_ESCAPE_DEFAULT, /* `"`, `\`, control bytes and those above 126 become \xNN */
    QMS_ESCAPE_JSON,    /* as within a JSON string; bytes that are no UTF-8 become U+FFFD */
    QMS_ESCAPE_NONE     /* control bytes become spaces: a line stays one line */
};

struct qms_line {
    enum qms_escape escape;
    size_t len;
    char text[QMS_LINE_MAX];
};

/** Text of the configuration or of the broker itself. */
void qms_line_put(struct qms_line *l, const char *text, size_t len);
__attribute__((format(printf, 2, 3))) void qms_line_printf(struct qms_line *l,
                                                           const char *format, ...);
/** Bytes that somebody else chose. */
void qms_line_put_escaped(struct qms_line *l, struct qms_bytes bytes);
/** A value that is not there: "-", in JSON and unescaped formats nothing. */
void qms_line_put_absent(struct qms_line *l);
/** Ends the line; what did not fit is cut off before. */
struct qms_bytes qms_line_end(struct qms_line *l);

#endif
