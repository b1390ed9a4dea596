/* SPDX-License-Identifier: MIT */
/* What may stand where: the kinds of blocks, and the directives of each, the core's and the
 * modules'. */
#ifndef QMS_CORE_CONF_TABLE_H
#define QMS_CORE_CONF_TABLE_H

#include "core/conf/conf.h"

struct qms_conf_block {
    const char *name; /* "main" is the text itself */
    enum qms_ctx ctx; /* one bit */
    unsigned outer;   /* where it may stand; 0: main */
    const char *arg;  /* what its arguments are; NULL: it takes none */
    int args_max;     /* 0: one */
    bool multiple;
    bool modules;                     /* has module conf objects of its own */
    const struct qms_directive *rows; /* of the core; those whose contexts hold ctx count */
    const char *help;
};

/** main, events, tls, quic, server, route, location, http, in the order in which they are built
 * inside an outer block; ends with a NULL name. */
extern const struct qms_conf_block qms_conf_blocks[];
const struct qms_conf_block *qms_conf_block_of(enum qms_ctx ctx);

/** Row `name` of the core in that block, or NULL. */
const struct qms_directive *qms_conf_core_row(const struct qms_conf_block *block,
                                              const char *name);
/** Row `name` of one module in that block, or NULL. */
const struct qms_directive *qms_conf_module_row(const struct qms_conf_block *block,
                                                const struct qms_module *module,
                                                const char *name);
/** The inner block `name` of that block, or NULL. */
const struct qms_conf_block *qms_conf_inner(const struct qms_conf_block *block,
                                            const char *name);
/** All contexts in which something of that name may stand; 0: nowhere. */
unsigned qms_conf_contexts_of(const struct qms_conf_env *env, const char *name);
/** "main, quic or server" */
const char *qms_conf_contexts_text(unsigned contexts, char *buf, size_t size);

/** Known name nearest to a misspelt one, first among those of the block, then among all; NULL
 * when none is near. */
const char *qms_conf_nearest(const struct qms_conf_env *env, const struct qms_conf_block *block,
                             const char *name);

#endif
