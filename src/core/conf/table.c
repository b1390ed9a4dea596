/* SPDX-License-Identifier: MIT */
/* Look-ups in the tables.  Names are few: a walk is fast enough and needs no index to keep. */
#include "core/conf/table.h"

#include <stdio.h>
#include <string.h>

#include "base/near.h"

const struct qms_conf_block *qms_conf_block_of(enum qms_ctx ctx)
{
    const struct qms_conf_block *b = qms_conf_blocks;

    while (b->name != NULL && b->ctx != ctx) {
        b++;
    }
    return b;
}

static const struct qms_directive *row_of(const struct qms_directive *rows, unsigned ctx,
                                          const char *name)
{
    for (const struct qms_directive *d = rows; d != NULL && d->name != NULL; d++) {
        if ((d->contexts & ctx) != 0 && strcmp(d->name, name) == 0) {
            return d;
        }
    }
    return NULL;
}

const struct qms_directive *qms_conf_core_row(const struct qms_conf_block *block,
                                              const char *name)
{
    return row_of(block->rows, block->ctx, name);
}

const struct qms_directive *qms_conf_module_row(const struct qms_conf_block *block,
                                                const struct qms_module *module,
                                                const char *name)
{
    return block->modules ? row_of(module->directives, block->ctx, name) : NULL;
}

const struct qms_conf_block *qms_conf_inner(const struct qms_conf_block *block,
                                            const char *name)
{
    for (const struct qms_conf_block *b = qms_conf_blocks; b->name != NULL; b++) {
        if ((b->outer & block->ctx) != 0 && strcmp(b->name, name) == 0) {
            return b;
        }
    }
    return NULL;
}

/* Every name that may stand in a block: the core's rows, the modules', inner blocks, include.
 */
static void each_name(const struct qms_conf_env *env, const struct qms_conf_block *block,
                      void (*each)(void *arg, const char *name), void *arg)
{
    for (const struct qms_directive *d = block->rows; d != NULL && d->name != NULL; d++) {
        if ((d->contexts & block->ctx) != 0) {
            each(arg, d->name);
        }
    }
    for (size_t i = 0; block->modules && i < env->module_count; i++) {
        const struct qms_directive *d = env->modules[i]->directives;
        for (; d != NULL && d->name != NULL; d++) {
            if ((d->contexts & block->ctx) != 0) {
                each(arg, d->name);
            }
        }
    }
    for (const struct qms_conf_block *b = qms_conf_blocks; b->name != NULL; b++) {
        if ((b->outer & block->ctx) != 0) {
            each(arg, b->name);
        }
    }
    each(arg, "include");
}

struct presence {
    const char *name;
    bool found;
};

static void is_present(void *arg, const char *name)
{
    struct presence *p = arg;

    p->found = p->found || strcmp(p->name, name) == 0;
}

unsigned qms_conf_contexts_of(const struct qms_conf_env *env, const char *name)
{
    unsigned contexts = 0;

    for (const struct qms_conf_block *b = qms_conf_blocks; b->name != NULL; b++) {
        struct presence p = {.name = name};
        each_name(env, b, is_present, &p);
        contexts |= p.found ? b->ctx : 0U;
    }
    return contexts;
}

const char *qms_conf_contexts_text(unsigned contexts, char *buf, size_t size)
{
    size_t at = 0;

    buf[0] = 0;
    for (const struct qms_conf_block *b = qms_conf_blocks; b->name != NULL && at < size; b++) {
        if ((contexts & b->ctx) == 0) {
            continue;
        }
        contexts &= ~(unsigned)b->ctx;
        const char *glue = at == 0 ? "" : contexts == 0 ? " or " : ", ";
        int n = snprintf(buf + at, size - at, "%s%s", glue, b->name);
        at += n > 0 ? (size_t)n : 0;
    }
    return buf;
}

struct nearest {
    const char *typed, *name;
    unsigned best;
};

static void try_name(void *arg, const char *name)
{
    struct nearest *n = arg;

    if (qms_near(n->typed, name, &n->best)) {
        n->name = name;
    }
}

const char *qms_conf_nearest(const struct qms_conf_env *env, const struct qms_conf_block *block,
                             const char *name)
{
    struct nearest n = {.typed = name, .best = QMS_NEAR_NONE};

    each_name(env, block, try_name, &n);
    for (const struct qms_conf_block *b = qms_conf_blocks; n.name == NULL && b->name != NULL;
         b++) {
        each_name(env, b, try_name, &n);
    }
    return n.name;
}
