/* SPDX-License-Identifier: MIT */
/* One block at a time, outside in: its own directives, then its modules' objects (which inherit
 * from the block around it), and only then its inner blocks, wherever in the text those stand.
 */
#include "core/conf/build_i.h"

#include <string.h>

#include "base/mem.h"
#include "core/conf/arena.h"
#include "core/conf/custom.h"
#include "core/conf/diag.h"
#include "core/conf/table.h"
#include "core/conf/value.h"

static qms_err unknown(const struct qms_conf_builder *b, const struct qms_conf_scope *s,
                       const struct qms_conf_item *item)
{
    unsigned contexts = qms_conf_contexts_of(b->env, item->name);
    const char *near = qms_conf_nearest(b->env, s->block, item->name);
    char places[128];

    if (contexts != 0) {
        qms_diag_error(b->diag,
                       "Directive \"%s\" is not allowed in the %s block; it belongs in %s.",
                       item->name, s->block->name,
                       qms_conf_contexts_text(contexts, places, sizeof(places)));
    } else if (near != NULL) {
        qms_diag_error(b->diag, "Unknown directive \"%s\"; did you mean \"%s\"?", item->name,
                       near);
    } else {
        qms_diag_error(b->diag, "Unknown directive \"%s\" in the %s block.", item->name,
                       s->block->name);
    }
    return QMS_E_CONFIG;
}

static const struct qms_directive *find_row(const struct qms_conf_builder *b,
                                            const struct qms_conf_scope *s, const char *name)
{
    const struct qms_directive *d = qms_conf_core_row(s->block, name);

    for (size_t i = 0; d == NULL && i < b->env->module_count; i++) {
        d = qms_conf_module_row(s->block, b->env->modules[i], name);
    }
    return d;
}

static qms_err check_args(const struct qms_conf_builder *b, const struct qms_conf_item *item,
                          const struct qms_conf_block *block)
{
    int min = block->arg != NULL ? 1 : 0, max = block->args_max > 0 ? block->args_max : min;

    if (item->argc >= min && item->argc <= max) {
        return QMS_OK;
    }
    qms_diag_error(b->diag, "Block \"%s\" takes %s, not %d arguments.", item->name,
                   block->arg != NULL ? block->arg : "no argument", item->argc);
    return QMS_E_CONFIG;
}

static qms_err check_item(const struct qms_conf_builder *b, const struct qms_conf_scope *s,
                          const struct qms_conf_item *item)
{
    const struct qms_conf_block *inner = qms_conf_inner(s->block, item->name);
    const struct qms_directive *d = find_row(b, s, item->name);
    const struct qms_conf_item *first = qms_conf_first_of(s, item->name, item->block);

    qms_diag_at(b->diag, item->file, item->line);
    if (inner == NULL && d == NULL) {
        return unknown(b, s, item);
    }
    if (item->block && inner == NULL) {
        qms_diag_error(b->diag, "Directive \"%s\" takes no block.", item->name);
        return QMS_E_CONFIG;
    }
    if (!item->block && d == NULL) {
        qms_diag_error(b->diag, "\"%s\" needs a block in braces.", item->name);
        return QMS_E_CONFIG;
    }
    bool multiple = item->block ? inner->multiple : d->multiple;
    if (first != item && !multiple && first->global == item->global) {
        qms_diag_error(b->diag, "\"%s\" is there already, at %s:%u.", item->name, first->file,
                       first->line);
        return QMS_E_CONFIG;
    }
    return item->block ? check_args(b, item, inner) : QMS_OK;
}

static qms_err apply_core(struct qms_conf_builder *b, struct qms_conf_scope *s)
{
    qms_err err = QMS_OK;

    qms_diag_at(b->diag, s->file, s->line);
    for (const struct qms_directive *d = s->block->rows; err == QMS_OK && d->name != NULL;
         d++) {
        if ((d->contexts & s->block->ctx) != 0 &&
            qms_conf_first_of(s, d->name, false) == NULL) {
            err = qms_conf_apply_default(s->object, d, b->diag);
        }
    }
    for (const struct qms_conf_item *i = s->items; err == QMS_OK && i != NULL; i = i->next) {
        const struct qms_directive *d = qms_conf_core_row(s->block, i->name);
        if (!i->block && d != NULL && !qms_conf_overridden(s, i)) {
            qms_diag_at(b->diag, i->file, i->line);
            err = qms_conf_apply(s->object, d, i->argc, i->argv, b->diag);
        }
    }
    return err;
}

/* ---- inner blocks ---- */

static qms_err build_tls(struct qms_conf_builder *b, struct qms_conf_scope *s, const char *name)
{
    struct qms_conf *conf = b->conf;

    if (qms_conf_identity(conf, name) != NULL || strcmp(name, QMS_CONF_SELF_SIGNED) == 0) {
        qms_diag_error(b->diag, "The name \"%s\" of this tls block is taken.", name);
        return QMS_E_CONFIG;
    }
    /* It names a file below state_dir. */
    if (name[0] == 0 || name[0] == '.' || strchr(name, '/') != NULL || strlen(name) > 64) {
        qms_diag_error(b->diag, "\"%s\" is not a name for a tls block.", name);
        return QMS_E_CONFIG;
    }
    struct qms_identity *id = qms_conf_identity_add(conf, name, b->diag);
    if (id == NULL) {
        return QMS_E_NOMEM;
    }
    id->file = s->file;
    id->line = s->line;
    s->object = id;
    return qms_conf_build_scope(b, s);
}

static void *object_of(const struct qms_conf_builder *b, const struct qms_conf_scope *s,
                       const struct qms_module *m)
{
    for (size_t i = 0; i < b->env->module_count; i++) {
        if (b->env->modules[i] == m) {
            return s->modules[i];
        }
    }
    return NULL;
}

/* An authenticator that could let nobody in is a mistake: with "all" nobody would ever come. */
static void check_auth(struct qms_conf_builder *b, const struct qms_conf_scope *s,
                       const struct qms_server_conf *server)
{
    const struct qms_conf_item *item = qms_conf_first_of(s, "auth", false);
    /* A crl alone is told in better words by check.c. */
    bool certificates = server->identity->client_ca != NULL || server->identity->crl != NULL;

    if (item == NULL) {
        qms_diag_error(b->diag,
                       "The server has no \"auth\" directive; name authenticators or say "
                       "\"auth off\".");
        return;
    }
    for (size_t i = 0; i < server->auth_count; i++) {
        const struct qms_module *m = server->auth[i];
        const char *needs =
            m->auth_needs == NULL ? NULL : m->auth_needs(object_of(b, s, m), certificates);
        if (needs != NULL) {
            qms_diag_at(b->diag, item->file, item->line);
            qms_diag_error(b->diag, "Authenticator \"%s\" lets nobody in without \"%s\".",
                           m->name, needs);
        }
    }
}

static qms_err build_server(struct qms_conf_builder *b, struct qms_conf_scope *s)
{
    struct qms_conf *conf = b->conf;
    struct qms_server_conf *grown =
        qms_arena_grow(conf->arena, conf->servers, conf->server_count, sizeof(*grown));

    if (grown == NULL) {
        return qms_diag_nomem(b->diag);
    }
    conf->servers = grown;
    struct qms_server_conf *server = &grown[conf->server_count];
    server->index = (unsigned)conf->server_count++;
    s->object = server;
    qms_err err = qms_conf_build_scope(b, s);
    if (err == QMS_OK) {
        err = qms_conf_build_quic_routes(b, s);
    }
    if (err != QMS_OK) {
        return err;
    }
    qms_diag_at(b->diag, s->file, s->line);
    if (server->listen_count == 0) {
        qms_diag_error(b->diag, "The server has no \"listen\" directive.");
    } else if (server->identity == NULL) {
        qms_diag_error(b->diag, "The server has no \"tls\" directive; name a tls block or say "
                                "\"tls self-signed\".");
    } else {
        check_auth(b, s, server);
    }
    return b->diag->failed ? QMS_E_CONFIG : QMS_OK;
}

static qms_err build_location(struct qms_conf_builder *b, struct qms_conf_scope *s,
                              struct qms_server_conf *server, const char *path)
{
    struct qms_location *grown = qms_arena_grow(b->conf->arena, server->locations,
                                                server->location_count, sizeof(*grown));

    if (path[0] != '/') {
        qms_diag_error(b->diag, "The path \"%s\" of a location does not begin with \"/\".",
                       path);
        return QMS_E_CONFIG;
    }
    for (size_t i = 0; i < server->location_count; i++) {
        if (strcmp(server->locations[i].path, path) == 0) {
            qms_diag_error(b->diag, "The location \"%s\" is there already in this server.",
                           path);
            return QMS_E_CONFIG;
        }
    }
    if (grown == NULL) {
        return qms_diag_nomem(b->diag);
    }
    server->locations = grown;
    struct qms_location *location = &grown[server->location_count++];
    location->path = path;
    location->root_fd = -1;
    location->file = s->file;
    location->line = s->line;
    s->object = location;
    return qms_conf_build_scope(b, s);
}

static qms_err build_inner(struct qms_conf_builder *b, const struct qms_conf_scope *outer,
                           const struct qms_conf_block *block, const struct qms_conf_item *item)
{
    struct qms_conf_scope s = {
        .block = block,
        .object = b->conf,
        .items = item != NULL ? item->children : NULL,
        .file = item != NULL ? item->file : outer->file,
        .line = item != NULL ? item->line : 0,
        .outer = outer->modules,
        .up = outer,
    };
    qms_err err;

    qms_diag_at(b->diag, s.file, s.line);
    switch (block->ctx) {
    case QMS_CTX_TLS:
        return build_tls(b, &s, item->argv[0]);
    case QMS_CTX_ROUTE:
        /* Those of the quic block are built inside each server. */
        return outer->block->ctx == QMS_CTX_SERVER ? qms_conf_build_route(b, &s, item) : QMS_OK;
    case QMS_CTX_UPSTREAM:
        return qms_conf_build_upstream(b, &s, item->argv[0]);
    case QMS_CTX_LOCATION:
        return build_location(b, &s, outer->object, item->argv[0]);
    case QMS_CTX_SERVER:
        err = build_server(b, &s);
        if (s.object != b->conf) { /* else not even its memory was there */
            ((struct qms_server_conf *)s.object)->module_conf = s.modules;
        }
        return err;
    default:
        err = qms_conf_build_scope(b, &s);
        if (block->ctx == QMS_CTX_QUIC) {
            b->conf->quic_module_conf = s.modules;
        } else if (block->ctx == QMS_CTX_HTTP) {
            b->conf->http_module_conf = s.modules;
            b->conf->http_file = s.file;
            b->conf->http_line = s.line;
        }
        return err;
    }
}

/* Blocks that may stand once are built even when they are not there: for their defaults. */
static qms_err build_inner_blocks(struct qms_conf_builder *b, struct qms_conf_scope *s)
{
    qms_err err = QMS_OK;

    for (const struct qms_conf_block *k = qms_conf_blocks; k->name != NULL; k++) {
        if ((k->outer & s->block->ctx) == 0) {
            continue;
        }
        if (!k->multiple && qms_conf_first_of(s, k->name, true) == NULL) {
            err = build_inner(b, s, k, NULL);
        }
        for (const struct qms_conf_item *i = s->items; err == QMS_OK && i != NULL;
             i = i->next) {
            if (i->block && strcmp(i->name, k->name) == 0) {
                err = build_inner(b, s, k, i);
            }
        }
        if (err != QMS_OK) {
            return err;
        }
    }
    return QMS_OK;
}

qms_err qms_conf_build_scope(struct qms_conf_builder *b, struct qms_conf_scope *s)
{
    for (const struct qms_conf_item *i = s->items; i != NULL; i = i->next) {
        qms_err err = check_item(b, s, i);
        if (err != QMS_OK) {
            return err;
        }
    }
    qms_err err = apply_core(b, s);
    if (err == QMS_OK && s->block->modules) {
        err = qms_conf_build_modules(b, s);
    }
    return err == QMS_OK ? build_inner_blocks(b, s) : err;
}

qms_err qms_conf_build(struct qms_conf *conf, const struct qms_conf_env *env,
                       struct qms_diag *diag)
{
    struct qms_conf_builder b = {.conf = conf, .env = env, .diag = diag};
    struct qms_conf_scope s = {
        .block = qms_conf_blocks,
        .object = conf,
        .items = conf->tree,
        .file = conf->file,
    };
    qms_err err = qms_conf_build_scope(&b, &s);

    conf->module_conf = s.modules;
    return err;
}
