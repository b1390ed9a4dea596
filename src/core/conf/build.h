/* SPDX-License-Identifier: MIT */
/* From the tree of directives to the filled structs: look-up, defaults, inheritance, modules.
 */
#ifndef QMS_CORE_CONF_BUILD_H
#define QMS_CORE_CONF_BUILD_H

#include "core/conf/conf.h"
#include "core/conf/parse.h"

/* A module's conf object, so that it can be freed with the configuration. */
struct qms_conf_owned {
    const struct qms_module *module;
    void *object;
    struct qms_conf_owned *next;
};

/** Fills `conf` (arena, files, prefix, file and modules are set) from its tree.  QMS_E_CONFIG,
 * QMS_E_NOMEM: diag says why; what is built already is freed with the configuration. */
QMS_MUST_CHECK qms_err qms_conf_build(struct qms_conf *conf, const struct qms_conf_env *env,
                                      struct qms_diag *diag);
/** Calls conf_free of every module object.  Idempotent. */
void qms_conf_free_modules(struct qms_conf *conf);

#endif
