/* SPDX-License-Identifier: MIT */
/* Modules that `load_module` names: shared objects, opened once, in the master, before any
 * worker is forked.  They stand in the chain behind the modules that are compiled in, in the
 * order written. */
#ifndef QMS_CORE_CONF_DYNAMIC_H
#define QMS_CORE_CONF_DYNAMIC_H

#include "core/conf/conf.h"

#define QMS_DYNAMIC_MAX 32

struct qms_conf_item; /* core/conf/parse.h */

/* What this process has opened.  Zeroed memory is an empty one; freed by qms_dynamic_fini. */
struct qms_dynamic {
    bool sealed; /* the process serves: what is open stays so, and nothing is added */
    size_t count;
    struct {
        char *path; /* absolute */
        void *handle;
        const struct qms_module *module;
    } loaded[QMS_DYNAMIC_MAX];
    const struct qms_module **all; /* compiled in ones, then these */
    size_t all_count;
};

/** Opens what the directives of `tree` (the main block) name and is not open yet, and tells
 * `*modules` and `*count`: all modules of a configuration with that tree, in the order of the
 * chain.  They live as long as env->dynamic.  Once sealed, other names than those that are open
 * are an error.  QMS_E_CONFIG, QMS_E_NOMEM: diag says why, at the directive. */
QMS_MUST_CHECK qms_err qms_dynamic_load(const struct qms_conf_env *env,
                                        const struct qms_conf *conf,
                                        const struct qms_conf_item *tree,
                                        const struct qms_module *const **modules, size_t *count,
                                        struct qms_diag *diag);
/** Every configuration that used them is freed. */
void qms_dynamic_fini(struct qms_dynamic *d);

/** `set` of load_module: there is nothing left to do. */
qms_err qms_conf_set_load_module(void *object, const struct qms_directive *d, int argc,
                                 const char *const *argv, struct qms_diag *diag);

#endif
