/* SPDX-License-Identifier: MIT */
/* The modules' conf objects: filled through their tables, inherited field by field from the
 * block around, merged, loaded; shared where a block has nothing to say. */
#include <string.h>

#include "core/conf/arena.h"
#include "core/conf/build_i.h"
#include "core/conf/diag.h"
#include "core/conf/value.h"

const struct qms_conf_item *qms_conf_first_of(const struct qms_conf_scope *s, const char *name,
                                              bool block)
{
    for (const struct qms_conf_item *i = s->items; i != NULL; i = i->next) {
        if (i->block == block && strcmp(i->name, name) == 0) {
            return i;
        }
    }
    return NULL;
}

bool qms_conf_overridden(const struct qms_conf_scope *s, const struct qms_conf_item *item)
{
    const struct qms_conf_item *first = qms_conf_first_of(s, item->name, item->block);

    return !item->global && first->global && !item->block;
}

static bool writes_module(const struct qms_conf_scope *s, const struct qms_module *m)
{
    for (const struct qms_conf_item *i = s->items; i != NULL; i = i->next) {
        if (!i->block && qms_conf_core_row(s->block, i->name) == NULL &&
            qms_conf_module_row(s->block, m, i->name) != NULL) {
            return true;
        }
    }
    return false;
}

static qms_err new_object(struct qms_conf_builder *b, const struct qms_module *m, void **out)
{
    struct qms_conf_owned *own = qms_arena_alloc(b->conf->arena, sizeof(*own));
    void *object = qms_arena_alloc(b->conf->arena, m->conf_size > 0 ? m->conf_size : 1);

    if (own == NULL || object == NULL) {
        return qms_diag_nomem(b->diag);
    }
    *own = (struct qms_conf_owned){m, object, b->conf->owned};
    b->conf->owned = own;
    *out = object;
    return QMS_OK;
}

/* Rows that this block did not write: the outer block's value, or the default in main. */
static qms_err inherit(struct qms_conf_builder *b, const struct qms_conf_scope *s,
                       const struct qms_module *m, void *object, const void *outer)
{
    qms_err err = QMS_OK;

    for (const struct qms_directive *d = m->directives; err == QMS_OK && d->name != NULL; d++) {
        bool here =
            (d->contexts & s->block->ctx) != 0 && qms_conf_first_of(s, d->name, false) != NULL;
        if (here) {
            continue;
        }
        if (outer == NULL) {
            err = qms_conf_apply_default(object, d, b->diag);
        } else if (d->type != QMS_D_CUSTOM) {
            qms_conf_copy_field(object, outer, d);
        }
    }
    return err;
}

static qms_err apply_written(struct qms_conf_builder *b, const struct qms_conf_scope *s,
                             const struct qms_module *m, void *object)
{
    qms_err err = QMS_OK;

    for (const struct qms_conf_item *i = s->items; err == QMS_OK && i != NULL; i = i->next) {
        const struct qms_directive *d = qms_conf_module_row(s->block, m, i->name);
        if (!i->block && d != NULL && !qms_conf_overridden(s, i) &&
            qms_conf_core_row(s->block, i->name) == NULL) {
            qms_diag_at(b->diag, i->file, i->line);
            err = qms_conf_apply(object, d, i->argc, i->argv, b->diag);
        }
    }
    return err;
}

/* conf_load errors are told at the last directive that the block wrote for the module. */
static qms_err build_module(struct qms_conf_builder *b, const struct qms_conf_scope *s,
                            const struct qms_module *m, const void *outer, void **out)
{
    void *object = NULL;
    qms_err err = new_object(b, m, &object);

    qms_diag_at(b->diag, s->file, s->line);
    if (err == QMS_OK && m->directives != NULL) {
        err = inherit(b, s, m, object, outer);
        err = err == QMS_OK ? apply_written(b, s, m, object) : err;
    }
    if (err == QMS_OK && outer != NULL && m->conf_merge != NULL) {
        err = m->conf_merge(object, outer, b->diag);
    }
    if (err == QMS_OK && m->conf_load != NULL) {
        err = m->conf_load(object, b->diag);
    }
    if (err != QMS_OK) {
        qms_diag_error(b->diag, "Module %s: %s", m->name, qms_strerror(err));
    }
    *out = object;
    return err;
}

qms_err qms_conf_build_modules(struct qms_conf_builder *b, struct qms_conf_scope *s)
{
    size_t count = b->env->module_count;
    qms_err err = QMS_OK;

    s->modules = qms_arena_alloc(b->conf->arena, sizeof(void *) * (count + 1));
    if (s->modules == NULL) {
        return qms_diag_nomem(b->diag);
    }
    for (size_t i = 0; err == QMS_OK && i < count; i++) {
        const struct qms_module *m = b->env->modules[i];
        if (s->outer != NULL && !writes_module(s, m)) {
            s->modules[i] = s->outer[i];
        } else {
            const void *outer = s->outer != NULL ? s->outer[i] : NULL;
            err = build_module(b, s, m, outer, &s->modules[i]);
        }
    }
    return err;
}

void qms_conf_free_modules(struct qms_conf *conf)
{
    struct qms_conf_owned *own = conf->owned;

    conf->owned = NULL;
    for (; own != NULL; own = own->next) {
        if (own->module->conf_free != NULL) {
            own->module->conf_free(own->object);
        }
    }
}
