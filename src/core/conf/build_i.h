/* SPDX-License-Identifier: MIT */
/* Inside of the building: shared by build.c (blocks) and build_modules.c (modules'
 * objects). */
#ifndef QMS_CORE_CONF_BUILD_I_H
#define QMS_CORE_CONF_BUILD_I_H

#include "core/conf/build.h"
#include "core/conf/table.h"

struct qms_conf_builder {
    struct qms_conf *conf;
    const struct qms_conf_env *env;
    struct qms_diag *diag;
};

/* One block being built. */
struct qms_conf_scope {
    const struct qms_conf_block *block;
    void *object;                /* what its rows fill */
    struct qms_conf_item *items; /* its content */
    const char *file;
    unsigned line;
    void **outer;                    /* module objects of the block around it; NULL for main */
    void **modules;                  /* its own */
    const struct qms_conf_scope *up; /* the block around it; NULL for main */
};

/** The first directive (or block) of that name in a block, or NULL. */
const struct qms_conf_item *qms_conf_first_of(const struct qms_conf_scope *s, const char *name,
                                              bool block);
/** Whether -g says the same directive: then that one wins over the file's. */
bool qms_conf_overridden(const struct qms_conf_scope *s, const struct qms_conf_item *item);

/** Builds one block whose object and content are set.  QMS_E_CONFIG, QMS_E_NOMEM: diag says
 * why.  So for all below. */
QMS_MUST_CHECK qms_err qms_conf_build_scope(struct qms_conf_builder *b,
                                            struct qms_conf_scope *s);
/** A route block inside the server whose scope is s->up (build_route.c). */
QMS_MUST_CHECK qms_err qms_conf_build_route(struct qms_conf_builder *b,
                                            struct qms_conf_scope *s,
                                            const struct qms_conf_item *item);
/** An upstream block (build_upstream.c). */
QMS_MUST_CHECK qms_err qms_conf_build_upstream(struct qms_conf_builder *b,
                                               struct qms_conf_scope *s, const char *name);
/** The route blocks around a server, as if they were written behind its own; and what holds
 * where none fits. */
QMS_MUST_CHECK qms_err qms_conf_build_quic_routes(struct qms_conf_builder *b,
                                                  const struct qms_conf_scope *server);

/** Sets s->modules: objects of its own where the block writes something of the module, else
 * those of the block around it.  QMS_E_CONFIG, QMS_E_NOMEM: diag says why. */
QMS_MUST_CHECK qms_err qms_conf_build_modules(struct qms_conf_builder *b,
                                              struct qms_conf_scope *s);

/** Whether a route block whose first word is `kinds` may hold the directive. */
bool qms_conf_route_takes(const char *kinds, const char *directive);

#endif
