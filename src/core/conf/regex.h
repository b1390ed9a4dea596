/* SPDX-License-Identifier: MIT */
/* Regular expressions of the configuration over names that strangers choose. */
#ifndef QMS_CORE_CONF_REGEX_H
#define QMS_CORE_CONF_REGEX_H

#include "core/conf/conf.h"

struct qms_regex;

/** What a name is to an expression; UNKNOWN: it gave up, so nothing may be let through. */
enum qms_regex_answer { QMS_REGEX_NO, QMS_REGEX_YES, QMS_REGEX_UNKNOWN };

/** PCRE2; `whole`: the whole name must fit, not a part of it.  `what` names it in the sentence:
 * "of a route".  QMS_E_CONFIG, QMS_E_NOMEM: diag says why. */
QMS_MUST_CHECK qms_err qms_regex_new(const char *text, bool whole, const char *what,
                                     struct qms_diag *diag, struct qms_regex **out);
/** NULL is allowed. */
void qms_regex_free(struct qms_regex *r);
enum qms_regex_answer qms_regex_ask(const struct qms_regex *r, struct qms_bytes name);

#endif
