/* SPDX-License-Identifier: MIT */
/* What no single directive can say: that values fit each other and that files hold what they
 * should. */
#ifndef QMS_CORE_CONF_CHECK_H
#define QMS_CORE_CONF_CHECK_H

#include "core/conf/conf.h"

/** Limits against each other, and certificates read and checked.  QMS_E_CONFIG: diag says why.
 */
QMS_MUST_CHECK qms_err qms_conf_check(struct qms_conf *conf, const struct qms_conf_env *env,
                                      struct qms_diag *diag);
/** Part of it: upstreams, and what refers to them (check_upstream.c). */
QMS_MUST_CHECK qms_err qms_conf_check_upstreams(struct qms_conf *conf,
                                                const struct qms_conf_env *env,
                                                struct qms_diag *diag);
/** Opens every root directory (O_PATH).  QMS_E_CONFIG: diag says which and why. */
QMS_MUST_CHECK qms_err qms_conf_open_roots(struct qms_conf *conf, struct qms_diag *diag);

#endif
