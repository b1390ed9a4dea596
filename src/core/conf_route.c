/* SPDX-License-Identifier: MIT */
/* Building route blocks: those of a server, then those of the quic block around its values. */
#include <stdlib.h>
#include <string.h>

#include "core/conf_arena.h"
#include "core/conf_build_i.h"
#include "core/conf_custom.h"
#include "core/conf_value.h"
#include "core/diag.h"

/* ---- directives ---- */

qms_err qms_conf_set_deny(void *object, const struct qms_directive *d, int argc,
                          const char *const *argv, struct qms_diag *diag)
{
    struct qms_route_conf *block = object;

    if (argc > 0 && strcmp(argv[0], "on") != 0 && strcmp(argv[0], "off") != 0) {
        qms_diag_error(diag, "\"%s\" is not valid for \"%s\"; it takes on or off, or nothing.",
                       argv[0], d->name);
        return QMS_E_CONFIG;
    }
    block->deny = argc == 0 || strcmp(argv[0], "on") == 0;
    return QMS_OK;
}

qms_err qms_conf_set_priority_clamp(void *object, const struct qms_directive *d, int argc,
                                    const char *const *argv, struct qms_diag *diag)
{
    struct qms_route_conf *block = object;
    const char *dots = strstr(argv[0], "..");
    uint64_t low, high;

    (void)argc;
    if (dots == NULL) {
        qms_diag_error(diag,
                       "\"%s\" is not valid for \"%s\"; it takes two priorities like 16..255.",
                       argv[0], d->name);
        return QMS_E_CONFIG;
    }
    const char *first = qms_arena_strndup(diag->conf->arena, argv[0], (size_t)(dots - argv[0]));
    if (first == NULL) {
        return qms_diag_nomem(diag);
    }
    qms_err err = qms_conf_scalar(d, QMS_D_NUMBER, first, diag, &low);
    err = err == QMS_OK ? qms_conf_scalar(d, QMS_D_NUMBER, dots + 2, diag, &high) : err;
    if (err != QMS_OK) {
        return err;
    }
    if (low > high) {
        qms_diag_error(diag, "The first priority of \"%s\" is above the second.", d->name);
        return QMS_E_CONFIG;
    }
    block->priority_low = low;
    block->priority_high = high;
    return QMS_OK;
}

/* ---- blocks ---- */

static const struct qms_route_conf *twin(const struct qms_server_conf *server,
                                         const struct qms_route_conf *block)
{
    for (size_t i = 0; i < server->route_count; i++) {
        const struct qms_route_conf *r = &server->routes[i];
        if (r->kinds == block->kinds && r->how == block->how &&
            strcmp(r->text, block->text) == 0) {
            return r;
        }
    }
    return NULL;
}

static struct qms_route_conf *add(struct qms_conf_builder *b, struct qms_server_conf *server)
{
    struct qms_route_conf *grown =
        qms_arena_grow(b->conf->arena, server->routes, server->route_count, sizeof(*grown));

    if (grown == NULL) {
        (void)qms_diag_nomem(b->diag);
        return NULL;
    }
    server->routes = grown;
    return &grown[server->route_count++];
}

/* What comes behind the words, into a block that is in the server's list. */
static qms_err build_content(struct qms_conf_builder *b, struct qms_conf_scope *s,
                             struct qms_route_conf *block)
{
    s->object = block;
    qms_err err = qms_conf_build_scope(b, s);
    block->module_conf = s->modules;
    return err;
}

qms_err qms_conf_build_route(struct qms_conf_builder *b, struct qms_conf_scope *s,
                             const struct qms_conf_item *item)
{
    struct qms_server_conf *server = s->up->object;
    struct qms_route_conf words = {.file = s->file, .line = s->line};
    qms_err err = qms_route_conf_words(&words, item->argc, item->argv, b->diag);

    if (err != QMS_OK) {
        return err;
    }
    const struct qms_route_conf *same = twin(server, &words);
    struct qms_route_conf *block = same == NULL ? add(b, server) : NULL;
    if (block == NULL) {
        if (same != NULL) {
            qms_diag_error(b->diag, "The route \"%s\" is there already, at %s:%u.", words.name,
                           same->file, same->line);
        }
        qms_route_conf_drop(&words);
        return same != NULL ? QMS_E_CONFIG : QMS_E_NOMEM;
    }
    *block = words;
    return build_content(b, s, block);
}

/* Whether the block of these words in the quic block is replaced by one of the server. */
static bool replaced(const struct qms_server_conf *server, size_t own,
                     const struct qms_conf_item *item)
{
    for (size_t i = 0; i < own; i++) {
        const struct qms_route_conf *r = &server->routes[i];
        if (qms_route_conf_is(r, item->argc, item->argv)) {
            return true;
        }
    }
    return false;
}

static qms_err build_no_route(struct qms_conf_builder *b, struct qms_server_conf *server,
                              const struct qms_conf_scope *s)
{
    struct qms_conf_scope none = {.block = qms_conf_block_of(QMS_CTX_ROUTE),
                                  .file = s->file,
                                  .line = s->line,
                                  .outer = s->modules,
                                  .up = s};

    server->no_route.name = "default";
    server->no_route.text = "";
    return build_content(b, &none, &server->no_route);
}

qms_err qms_conf_build_quic_routes(struct qms_conf_builder *b, const struct qms_conf_scope *s)
{
    struct qms_server_conf *server = s->object;
    size_t own = server->route_count;
    qms_err err = build_no_route(b, server, s);

    for (const struct qms_conf_item *i = s->up->items; err == QMS_OK && i != NULL;
         i = i->next) {
        struct qms_conf_scope route = {.block = qms_conf_block_of(QMS_CTX_ROUTE),
                                       .items = i->children,
                                       .file = i->file,
                                       .line = i->line,
                                       .outer = s->modules,
                                       .up = s};
        if (!i->block || strcmp(i->name, "route") != 0 || replaced(server, own, i)) {
            continue;
        }
        qms_diag_at(b->diag, i->file, i->line);
        err = qms_conf_build_route(b, &route, i);
    }
    return err;
}
