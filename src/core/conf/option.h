/* SPDX-License-Identifier: MIT */
/* Words of a directive beyond its first: NAME=VALUE, and what is none of them. */
#ifndef QMS_CORE_CONF_OPTION_H
#define QMS_CORE_CONF_OPTION_H

#include "core/conf/conf.h"

/** The value behind "name=", or NULL: it is another word. */
const char *qms_conf_named(const char *word, const char *name);
/** Says that the directive does not take the word, how it is written, and which of its words is
 * near.  QMS_E_CONFIG. */
qms_err qms_conf_bad_word(const struct qms_directive *d, const char *word,
                          struct qms_diag *diag);
/* The value of an option: its type and bounds. */
struct qms_option {
    const char *name; /* with its equals sign */
    enum qms_dtype type;
    uint64_t min, max;
};
/** Reads it; what is wrong is said with the name of the option.  QMS_E_CONFIG. */
QMS_MUST_CHECK qms_err qms_conf_option(const struct qms_directive *d,
                                       const struct qms_option *option, const char *text,
                                       struct qms_diag *diag, uint64_t *out);

#endif
