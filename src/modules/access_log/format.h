/* SPDX-License-Identifier: MIT */
/* A format: text with $variables or ${variables}, compiled once into a list of parts. */
#ifndef QMS_MODULES_ACCESS_LOG_FORMAT_H
#define QMS_MODULES_ACCESS_LOG_FORMAT_H

#include "variable.h"

struct qms_log_part {
    const char *text; /* literal; NULL: the variable */
    size_t len;
    const struct qms_log_variable *variable;
};

struct qms_log_format {
    const char *name;
    enum qms_escape escape;
    struct qms_log_part *parts;
    size_t part_count;
    struct qms_log_format *next; /* of those that a configuration has */
};

/** Reads `text` into `f->parts`, memory of the configuration.  QMS_E_CONFIG (an unknown
 * variable, with the nearest known one; a dollar without a name), QMS_E_NOMEM: diag is filled.
 */
QMS_MUST_CHECK qms_err qms_log_format_parse(struct qms_log_format *f, const char *text,
                                            struct qms_diag *diag);
void qms_log_format_write(const struct qms_log_format *f, struct qms_line *l,
                          const struct qms_log_event *e);

#endif
