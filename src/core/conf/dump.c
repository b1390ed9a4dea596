/* SPDX-License-Identifier: MIT */
/* `quicms -T`: the tree as it was read, includes resolved, and in every block the defaults of
 * what was not written.  The output is itself a configuration that means the same. */
#include <string.h>

#include "core/conf/build_i.h"
#include "core/conf/table.h"

struct dump {
    void (*put)(void *arg, const char *text);
    void *arg;
    const struct qms_conf *conf;
    unsigned depth;
};

static void indent(const struct dump *d)
{
    for (unsigned i = 0; i < d->depth; i++) {
        d->put(d->arg, "    ");
    }
}

static bool is_plain(const char *word)
{
    return word[0] != 0 && word[0] != '#' && strpbrk(word, " \t\r\n;{}\"'\\") == NULL;
}

static void put_word(const struct dump *d, const char *word)
{
    char one[3] = {'\\', 0, 0};

    d->put(d->arg, " ");
    if (is_plain(word)) {
        d->put(d->arg, word);
        return;
    }
    d->put(d->arg, "\"");
    for (const char *p = word; *p != 0; p++) {
        bool escape = *p == '"' || *p == '\\';
        one[1] = *p;
        d->put(d->arg, escape ? one : one + 1);
    }
    d->put(d->arg, "\"");
}

static bool is_written(const struct qms_conf_item *items, const char *name, bool block)
{
    for (const struct qms_conf_item *i = items; i != NULL; i = i->next) {
        if (i->block == block && strcmp(i->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void put_default(const struct dump *d, const struct qms_directive *row)
{
    indent(d);
    d->put(d->arg, row->name);
    d->put(d->arg, " ");
    d->put(d->arg, row->def);
    d->put(d->arg, "; # default\n");
}

/* A default that may not even be written there is not told. */
static bool takes(const struct qms_conf_block *block, const struct qms_conf_item *self,
                  const struct qms_directive *row)
{
    return block->ctx != QMS_CTX_ROUTE || self == NULL || self->argc == 0 ||
           qms_conf_route_takes(self->argv[0], row->name);
}

/* A module's row is told once, in the outermost block that may hold it. */
static void put_defaults(const struct dump *d, const struct qms_conf_block *block,
                         const struct qms_conf_item *self, unsigned outer,
                         const struct qms_conf_item *items)
{
    for (const struct qms_directive *row = block->rows; row->name != NULL; row++) {
        if ((row->contexts & block->ctx) != 0 && row->def != NULL && takes(block, self, row) &&
            !is_written(items, row->name, false)) {
            put_default(d, row);
        }
    }
    for (size_t i = 0; block->modules && i < d->conf->module_count; i++) {
        const struct qms_directive *row = d->conf->modules[i]->directives;
        for (; row != NULL && row->name != NULL; row++) {
            if ((row->contexts & block->ctx) != 0 && (row->contexts & outer) == 0 &&
                row->def != NULL && !is_written(items, row->name, false)) {
                put_default(d, row);
            }
        }
    }
}

static bool is_overridden(const struct qms_conf_item *items, const struct qms_conf_item *item)
{
    while (items->block != item->block || strcmp(items->name, item->name) != 0) {
        items = items->next;
    }
    return !item->block && items->global && !item->global;
}

static void put_content(struct dump *d, const struct qms_conf_block *block,
                        const struct qms_conf_item *self, unsigned outer,
                        const struct qms_conf_item *items);

/* `self`: the block where it is written; NULL: it is not. */
static void put_block(struct dump *d, const struct qms_conf_block *block,
                      const struct qms_conf_item *self, unsigned outer)
{
    d->put(d->arg, " {\n");
    d->depth++;
    put_content(d, block, self, outer, self != NULL ? self->children : NULL);
    d->depth--;
    indent(d);
    d->put(d->arg, "}\n");
}

static void put_content(struct dump *d, const struct qms_conf_block *block,
                        const struct qms_conf_item *self, unsigned outer,
                        const struct qms_conf_item *items)
{
    unsigned inside = outer | (unsigned)block->ctx;

    put_defaults(d, block, self, outer, items);
    for (const struct qms_conf_item *i = items; i != NULL; i = i->next) {
        if (is_overridden(items, i)) {
            continue;
        }
        indent(d);
        d->put(d->arg, i->name);
        for (int a = 0; a < i->argc; a++) {
            put_word(d, i->argv[a]);
        }
        if (i->block) {
            put_block(d, qms_conf_inner(block, i->name), i, inside);
        } else {
            d->put(d->arg, ";\n");
        }
    }
    for (const struct qms_conf_block *k = qms_conf_blocks; k->name != NULL; k++) {
        if ((k->outer & block->ctx) != 0 && !k->multiple && !is_written(items, k->name, true)) {
            indent(d);
            d->put(d->arg, k->name);
            put_block(d, k, NULL, inside);
        }
    }
}

void qms_conf_dump(const struct qms_conf *conf, void (*put)(void *arg, const char *text),
                   void *arg)
{
    struct dump d = {.put = put, .arg = arg, .conf = conf};

    put(arg, "# configuration in force of ");
    put(arg, conf->file);
    put(arg, "\n");
    put_content(&d, qms_conf_blocks, NULL, 0, conf->tree);
}
