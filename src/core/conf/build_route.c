/* SPDX-License-Identifier: MIT */
/* Building route blocks: those of a server, then those of the quic block around its values. */
#include <stdlib.h>
#include <string.h>

#include "core/conf/arena.h"
#include "core/conf/build_i.h"
#include "core/conf/custom.h"
#include "core/conf/diag.h"
#include "core/conf/option.h"
#include "core/conf/value.h"

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
    if (dots == NULL || dots == argv[0] ||
        strspn(argv[0], "0123456789") != (size_t)(dots - argv[0]) || dots[2] == '\0' ||
        dots[2 + strspn(dots + 2, "0123456789")] != '\0') {
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
        qms_diag_error(diag, "The first priority of \"%s %s\" is above the second.", d->name,
                       argv[0]);
        return QMS_E_CONFIG;
    }
    block->priority_low = low;
    block->priority_high = high;
    return QMS_OK;
}

#define QUEUE_FOR (2 * QMS_SECOND)
#define WAIT_MAX  (3600 * QMS_SECOND)
#define LAG       ((uint64_t)512 << 10)
#define LAG_MIN   ((uint64_t)16 << 10)
#define LAG_MAX   ((uint64_t)1 << 30)

static const struct qms_option queue_timeout = {"timeout=", QMS_D_TIME, QMS_MILLISECOND,
                                                WAIT_MAX};
static const struct qms_option slow_timeout = {"timeout=", QMS_D_TIME, 0, WAIT_MAX};
static const struct qms_option slow_lag = {"max_lag=", QMS_D_SIZE, LAG_MIN, LAG_MAX};

qms_err qms_conf_set_queue(void *object, const struct qms_directive *d, int argc,
                           const char *const *argv, struct qms_diag *diag)
{
    struct qms_route_conf *block = object;
    const char *wait = argc > 1 ? qms_conf_named(argv[1], "timeout") : NULL;
    bool off = strcmp(argv[0], "off") == 0;

    block->queue_max = 0;
    block->queue_for = QUEUE_FOR;
    if (argc > 1 && (wait == NULL || off)) {
        return qms_conf_bad_word(d, argv[1], diag);
    }
    qms_err err =
        off ? QMS_OK : qms_conf_scalar(d, QMS_D_NUMBER, argv[0], diag, &block->queue_max);
    return err == QMS_OK && wait != NULL
               ? qms_conf_option(d, &queue_timeout, wait, diag, &block->queue_for)
               : err;
}

qms_err qms_conf_set_dial(void *object, const struct qms_directive *d, int argc,
                          const char *const *argv, struct qms_diag *diag)
{
    struct qms_route_conf *block = object;

    (void)d, (void)argc;
    block->dial = argv[0];
    block->dial_place = qms_diag_place(diag);
    block->pool = qms_arena_printf(diag->conf->arena, QMS_UPSTREAM_ROOM "%s", argv[0]);
    return block->pool == NULL ? qms_diag_nomem(diag) : QMS_OK;
}

static qms_err slow_option(struct qms_route_conf *block, const struct qms_directive *d,
                           const char *word, struct qms_diag *diag)
{
    bool block_it = block->on_slow == QMS_ON_SLOW_BLOCK;
    const char *wait = block_it ? qms_conf_named(word, "timeout") : NULL;
    const char *lag = block_it ? NULL : qms_conf_named(word, "max_lag");

    if (wait != NULL) {
        return qms_conf_option(d, &slow_timeout, wait, diag, &block->slow_for);
    }
    if (lag != NULL) {
        return qms_conf_option(d, &slow_lag, lag, diag, &block->max_lag);
    }
    /* What happens after the timeout; said for the reader, there is no other. */
    return block_it && strcmp(word, "then=disconnect") == 0 ? QMS_OK
                                                            : qms_conf_bad_word(d, word, diag);
}

qms_err qms_conf_set_on_slow(void *object, const struct qms_directive *d, int argc,
                             const char *const *argv, struct qms_diag *diag)
{
    static const char *const words[] = {"block", "drop", "disconnect"};
    struct qms_route_conf *block = object;
    uint64_t which = 0;
    qms_err err = QMS_OK;

    while (which < 3 && strcmp(words[which], argv[0]) != 0) {
        which++;
    }
    if (which == 3) {
        return qms_conf_bad_word(d, argv[0], diag);
    }
    block->on_slow = which;
    block->slow_for = which == QMS_ON_SLOW_BLOCK ? 10 * QMS_SECOND : 0;
    block->max_lag = LAG;
    for (int i = 1; err == QMS_OK && i < argc; i++) {
        err = slow_option(block, d, argv[i], diag);
    }
    return err;
}

/* ---- what belongs to which kind ---- */

#define GROUPS  (1U << QMS_KIND_GROUP)
#define TOPICS  (1U << QMS_KIND_TOPIC)
#define ANSWERS (1U << QMS_KIND_AGENT | GROUPS) /* services answer at once, topics never */

static const struct {
    const char *directive;
    unsigned kinds;
    const char *words;
} only[] = {
    {"balance", GROUPS, "groups"},
    {"failover", GROUPS, "groups"},
    {"queue", GROUPS, "groups"},
    {"dial", GROUPS, "groups"},
    {"max_subscribers", TOPICS, "topics"},
    {"on_slow", TOPICS, "topics"},
    {"accept_timeout", ANSWERS, "agents and groups"},
};

bool qms_conf_route_takes(const char *kinds, const char *directive)
{
    for (size_t i = 0; i < sizeof(only) / sizeof(only[0]); i++) {
        if (strcmp(only[i].directive, directive) == 0) {
            return (qms_route_conf_kinds(kinds) & only[i].kinds) != 0;
        }
    }
    return true;
}

/* A directive that could have no effect is a mistake. */
static qms_err check_kinds(const struct qms_conf_scope *s, const struct qms_route_conf *block,
                           struct qms_diag *diag)
{
    for (size_t i = 0; i < sizeof(only) / sizeof(only[0]); i++) {
        const struct qms_conf_item *item = qms_conf_first_of(s, only[i].directive, false);
        if (item != NULL && (block->kinds & only[i].kinds) == 0) {
            qms_diag_at(diag, item->file, item->line);
            qms_diag_error(diag, "\"%s\" belongs in routes of %s; this one is \"%s\".",
                           only[i].directive, only[i].words, block->name);
            return QMS_E_CONFIG;
        }
    }
    return QMS_OK;
}

/* ---- blocks ---- */

static bool is_prefix(const struct qms_route_conf *r)
{
    return r->how == QMS_ROUTE_PREFIX || r->how == QMS_ROUTE_PREFIX_LAST;
}

/* One for the very same names among the first `count`: one of the two would never be asked. */
static const struct qms_route_conf *twin(const struct qms_server_conf *server, size_t count,
                                         const struct qms_route_conf *block)
{
    for (size_t i = 0; i < count; i++) {
        const struct qms_route_conf *r = &server->routes[i];
        bool alike = r->how == block->how || (is_prefix(r) && is_prefix(block));
        if (r->kinds == block->kinds && alike && strcmp(r->text, block->text) == 0) {
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
    b->diag->route_kinds = block->kinds;
    qms_err err = qms_conf_build_scope(b, s);
    b->diag->route_kinds = 0;
    block->module_conf = s->modules;
    return err == QMS_OK ? check_kinds(s, block, b->diag) : err;
}

/* One that the first `own` blocks of the server replace is left out. */
static qms_err build_route(struct qms_conf_builder *b, struct qms_conf_scope *s,
                           const struct qms_conf_item *item, size_t own)
{
    struct qms_server_conf *server = s->up->object;
    struct qms_route_conf words = {.file = s->file, .line = s->line};
    qms_err err = qms_route_conf_words(&words, item->argc, item->argv, b->diag);

    if (err != QMS_OK) {
        return err;
    }
    bool replaced = twin(server, own, &words) != NULL;
    const struct qms_route_conf *same = twin(server, server->route_count, &words);
    struct qms_route_conf *block = same == NULL ? add(b, server) : NULL;
    if (block == NULL) {
        if (same != NULL && !replaced) {
            qms_diag_error(b->diag, "The route \"%s\" is there already, at %s:%u.", same->name,
                           same->file, same->line);
        }
        qms_route_conf_drop(&words);
        return replaced ? QMS_OK : same != NULL ? QMS_E_CONFIG : QMS_E_NOMEM;
    }
    *block = words;
    return build_content(b, s, block);
}

qms_err qms_conf_build_route(struct qms_conf_builder *b, struct qms_conf_scope *s,
                             const struct qms_conf_item *item)
{
    return build_route(b, s, item, 0);
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
    qms_err err = build_content(b, &none, &server->no_route);
    server->undecided = server->no_route;
    server->undecided.name = "undecided";
    server->undecided.deny = 1;
    return err;
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
        if (!i->block || strcmp(i->name, "route") != 0) {
            continue;
        }
        qms_diag_at(b->diag, i->file, i->line);
        err = build_route(b, &route, i, own);
    }
    return err;
}
