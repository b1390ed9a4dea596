/* SPDX-License-Identifier: MIT */
/* From the words of a directive to the field its row names, and back to text for messages. */
#ifndef QMS_CORE_CONF_VALUE_H
#define QMS_CORE_CONF_VALUE_H

#include "core/conf/conf.h"

/** Sizes: digits and at most one of k m g.  Bytes.  QMS_E_INVALID: not of that form;
 * QMS_E_LIMIT: does not fit 64 bits. */
QMS_MUST_CHECK qms_err qms_conf_size(const char *text, uint64_t *out);
/** Times: digits with ms s m h d, or several of them ("1h30m"); bare digits are seconds.
 * Nanoseconds.  Errors as above. */
QMS_MUST_CHECK qms_err qms_conf_time(const char *text, uint64_t *out);
/** Digits.  Errors as above. */
QMS_MUST_CHECK qms_err qms_conf_number(const char *text, uint64_t *out);

/** `value` as it would be written for that type, into `buf` of `size` bytes; returns buf. */
const char *qms_conf_value_text(enum qms_dtype type, uint64_t value, char *buf, size_t size);
/** "1s to 1h", "at least 1k", "at most 5", or "" when the row has no bounds. */
const char *qms_conf_range_text(const struct qms_directive *d, char *buf, size_t size);
/** "on or off", "cubic, reno or bbr". */
const char *qms_conf_words_text(const struct qms_directive *d, char *buf, size_t size);

/** " Did you mean \"WORD\"?" with the word of the row's syntax (CUSTOM) that is nearest to what
 * `word` has before an equals sign, or "", into `buf` of QMS_NEAR_HINT_MAX; returns buf. */
const char *qms_conf_word_hint(const struct qms_directive *d, const char *word, char *buf,
                               size_t size);

/** Checks the arguments against the row and stores them in `object`.  QMS_E_CONFIG, diag
 * filled. */
QMS_MUST_CHECK qms_err qms_conf_apply(void *object, const struct qms_directive *d, int argc,
                                      const char *const *argv, struct qms_diag *diag);
/** Applies the row's default, if it has one. */
QMS_MUST_CHECK qms_err qms_conf_apply_default(void *object, const struct qms_directive *d,
                                              struct qms_diag *diag);
/** Parses `text` as a value of d->type (NUMBER, SIZE or TIME) and checks d's bounds; `what`
 * names it in the sentence.  For `set` functions of the core too. */
QMS_MUST_CHECK qms_err qms_conf_scalar(const struct qms_directive *d, enum qms_dtype type,
                                       const char *text, struct qms_diag *diag, uint64_t *out);
/** Copies the field of a row that is not CUSTOM from one object to another. */
void qms_conf_copy_field(void *to, const void *from, const struct qms_directive *d);

#endif
