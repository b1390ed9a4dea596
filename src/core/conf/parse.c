/* SPDX-License-Identifier: MIT */
/* Recursive descent over the lexer's words.  `include` is resolved here, so that what comes
 * later sees one tree in which every directive knows the file and line it was written at. */
#include "core/conf/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/conf/diag.h"
#include "core/conf/lex.h"

/* One open text; the chain of them is the stack of includes. */
struct source {
    struct qms_lex lex;
    const char *path;
    const struct source *includer;
    unsigned depth;
    bool global;
};

struct parser {
    struct qms_conf_files *files;
    struct qms_diag *diag;
    const char *base; /* folder of the main file */
    unsigned items;
};

static qms_err parse_block(struct parser *p, struct source *src, unsigned depth,
                           const struct qms_conf_item *block, struct qms_conf_item ***tail);

__attribute__((format(printf, 4, 5))) static qms_err
fail(struct parser *p, const struct source *src, unsigned line, const char *format, ...)
{
    char text[QMS_DIAG_MAX];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    qms_diag_at(p->diag, src->path, line);
    qms_diag_error(p->diag, "%s", text);
    return QMS_E_CONFIG;
}

static qms_err parse_file(struct parser *p, const char *path, const struct source *includer,
                          unsigned line, unsigned depth, struct qms_conf_item ***tail)
{
    struct source src = {.path = path, .includer = includer};
    struct qms_bytes text;

    for (const struct source *s = includer; s != NULL; s = s->includer) {
        if (strcmp(s->path, path) == 0) {
            return fail(p, includer, line, "\"%s\" includes itself.", path);
        }
    }
    src.depth = includer != NULL ? includer->depth + 1 : 0;
    if (src.depth > QMS_CONF_INCLUDE_MAX) {
        return fail(p, includer, line, "Files include each other more than %d deep.",
                    QMS_CONF_INCLUDE_MAX);
    }
    qms_diag_at(p->diag, includer != NULL ? includer->path : NULL, line);
    qms_err err = qms_conf_files_read(p->files, path, p->diag, &text);
    if (err != QMS_OK) {
        return err;
    }
    qms_lex_init(&src.lex, text, p->files->arena);
    return parse_block(p, &src, depth, NULL, tail);
}

static bool is_pattern(const char *path)
{
    return strpbrk(path, "*?[") != NULL;
}

/* A pattern without a match includes nothing, as in nginx. */
static qms_err include(struct parser *p, struct source *src, const struct qms_conf_item *item,
                       unsigned depth, struct qms_conf_item ***tail)
{
    struct qms_bytes list;

    if (item->argc != 1 || item->block) {
        return fail(p, src, item->line, "Directive \"include\" takes 1 argument, not %d.",
                    item->argc);
    }
    const char *path = qms_conf_path(p->files->arena, p->base, item->argv[0]);
    if (path == NULL) {
        return qms_diag_nomem(p->diag);
    }
    if (!is_pattern(path)) {
        return parse_file(p, path, src, item->line, depth, tail);
    }
    qms_diag_at(p->diag, src->path, item->line);
    qms_err err = qms_conf_files_glob(p->files, path, p->diag, &list);
    for (size_t at = 0; err == QMS_OK && at < list.len;) {
        const char *one = (const char *)list.data + at;
        err = parse_file(p, one, src, item->line, depth, tail);
        at += strlen(one) + 1;
    }
    return err;
}

/* Arguments up to ';' or '{', which is left in *end. */
static qms_err arguments(struct parser *p, struct source *src, struct qms_conf_item *item,
                         struct qms_lex_token *end)
{
    const char *argv[QMS_CONF_ARGS_MAX];
    struct qms_lex_token t;

    while ((t = qms_lex_next(&src->lex)).kind == QMS_LEX_WORD) {
        if (item->argc == QMS_CONF_ARGS_MAX) {
            return fail(p, src, t.line, "Directive \"%s\" has more than %d arguments.",
                        item->name, QMS_CONF_ARGS_MAX);
        }
        argv[item->argc++] = t.text;
    }
    if (t.kind == QMS_LEX_ERROR) {
        return fail(p, src, t.line, "%s", t.text);
    }
    if (t.kind != QMS_LEX_SEMICOLON && t.kind != QMS_LEX_OPEN) {
        return fail(p, src, item->line, "Directive \"%s\" is not ended by \";\".", item->name);
    }
    size_t len = sizeof(argv[0]) * (size_t)item->argc;
    const char **copy = qms_arena_alloc(p->files->arena, len + sizeof(argv[0]));
    if (copy == NULL) {
        return qms_diag_nomem(p->diag);
    }
    memcpy(copy, argv, len);
    item->argv = copy;
    *end = t;
    return QMS_OK;
}

static qms_err parse_item(struct parser *p, struct source *src, struct qms_lex_token name,
                          unsigned depth, struct qms_conf_item ***tail)
{
    struct qms_conf_item *item = qms_arena_alloc(p->files->arena, sizeof(*item));
    struct qms_lex_token end;

    if (item == NULL) {
        return qms_diag_nomem(p->diag);
    }
    if (++p->items > QMS_CONF_ITEMS_MAX) {
        return fail(p, src, name.line, "There are more than %d directives.",
                    QMS_CONF_ITEMS_MAX);
    }
    item->name = name.text;
    item->file = src->path;
    item->line = name.line;
    item->global = src->global;
    qms_err err = arguments(p, src, item, &end);
    if (err != QMS_OK) {
        return err;
    }
    item->block = end.kind == QMS_LEX_OPEN;
    if (strcmp(item->name, "include") == 0) {
        return include(p, src, item, depth, tail);
    }
    **tail = item;
    *tail = &item->next;
    if (!item->block) {
        return QMS_OK;
    }
    if (depth == QMS_CONF_DEPTH_MAX) {
        return fail(p, src, item->line, "Blocks stand more than %d deep.", QMS_CONF_DEPTH_MAX);
    }
    struct qms_conf_item **inner = &item->children;
    return parse_block(p, src, depth + 1, item, &inner);
}

/* Up to the '}' of `block`, or to the end of the text when block is NULL. */
static qms_err parse_block(struct parser *p, struct source *src, unsigned depth,
                           const struct qms_conf_item *block, struct qms_conf_item ***tail)
{
    for (;;) {
        struct qms_lex_token t = qms_lex_next(&src->lex);
        qms_err err = QMS_OK;

        switch (t.kind) {
        case QMS_LEX_WORD:
            err = parse_item(p, src, t, depth, tail);
            break;
        case QMS_LEX_CLOSE:
            return block != NULL ? QMS_OK
                                 : fail(p, src, t.line, "\"}\" closes no block of this file.");
        case QMS_LEX_OPEN:
            return fail(p, src, t.line, "\"{\" stands without the name of a block.");
        case QMS_LEX_SEMICOLON:
            return fail(p, src, t.line, "\";\" stands without a directive.");
        case QMS_LEX_END:
            return block == NULL ? QMS_OK
                                 : fail(p, src, t.line,
                                        "The \"%s\" block of line %u is not closed by \"}\".",
                                        block->name, block->line);
        case QMS_LEX_ERROR:
            return fail(p, src, t.line, "%s", t.text);
        }
        if (err != QMS_OK) {
            return err;
        }
    }
}

static qms_err parse_globals(struct parser *p, const char *globals,
                             struct qms_conf_item ***tail)
{
    struct source src = {.path = "-g", .global = true};
    const char *text = qms_arena_printf(p->files->arena, "%s;", globals);
    size_t len = text != NULL ? strlen(text) - 1 : 0;

    if (text == NULL) {
        return qms_diag_nomem(p->diag);
    }
    /* The closing ';' may be left out, as the option is often one directive. */
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\n')) {
        len--;
    }
    bool whole = len == 0 || text[len - 1] == ';' || text[len - 1] == '}';
    struct qms_bytes bytes = {(const uint8_t *)text, whole ? len : strlen(text)};
    qms_lex_init(&src.lex, bytes, p->files->arena);
    return parse_block(p, &src, 0, NULL, tail);
}

qms_err qms_conf_parse(struct qms_conf_files *files, const char *path, const char *globals,
                       struct qms_diag *diag, struct qms_conf_item **out)
{
    struct parser p = {.files = files, .diag = diag};
    struct qms_conf_item **tail = out;
    const char *slash = strrchr(path, '/');
    qms_err err = QMS_OK;

    *out = NULL;
    p.base =
        qms_arena_strndup(files->arena, path, slash != NULL ? (size_t)(slash - path) + 1 : 0);
    if (p.base == NULL) {
        return qms_diag_nomem(diag);
    }
    if (globals != NULL) {
        err = parse_globals(&p, globals, &tail);
    }
    return err == QMS_OK ? parse_file(&p, path, NULL, 0, 0, &tail) : err;
}
