/* SPDX-License-Identifier: MIT */
/* doc/directives.md: the tables as text, so that the manual cannot say anything else than the
 * program does. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/conf/table.h"
#include "core/conf/value.h"

struct doc {
    void (*put)(void *arg, const char *text);
    void *arg;
};

__attribute__((format(printf, 2, 3))) static void say(const struct doc *d, const char *format,
                                                      ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    d->put(d->arg, text);
}

static const char *arguments(const struct qms_directive *row, char *buf, size_t size)
{
    static const char *const types[] = {
        [QMS_D_FLAG] = "on | off", [QMS_D_NUMBER] = "number", [QMS_D_SIZE] = "size",
        [QMS_D_TIME] = "time",     [QMS_D_STRING] = "text",   [QMS_D_PATH] = "path",
        [QMS_D_CUSTOM] = "...",
    };
    size_t at = 0;

    if (row->syntax != NULL) {
        return row->syntax;
    }
    if (row->type != QMS_D_ENUM) {
        return types[row->type];
    }
    for (size_t i = 0; row->words[i] != NULL && at < size; i++) {
        int n = snprintf(buf + at, size - at, "%s%s", i == 0 ? "" : " | ", row->words[i]);
        at += n > 0 ? (size_t)n : 0;
    }
    return buf;
}

/* The type whose notation the bounds of a row are written in. */
static struct qms_directive bounds_of(const struct qms_directive *row)
{
    struct qms_directive d = *row;

    if (d.type == QMS_D_CUSTOM) {
        bool size = d.unit != NULL && strcmp(d.unit, "bytes") == 0;
        bool time = d.unit != NULL && strcmp(d.unit, "time") == 0;
        d.type = size ? QMS_D_SIZE : time ? QMS_D_TIME : QMS_D_NUMBER;
    }
    return d;
}

static void say_row(const struct doc *d, const struct qms_directive *row)
{
    struct qms_directive bounds = bounds_of(row);
    char buf[256];

    say(d, "### %s\n\n", row->name);
    say(d, "    %s %s;\n\n", row->name, arguments(row, buf, sizeof(buf)));
    say(d, "%s\n\n", row->help);
    if (row->def != NULL) {
        say(d, "- default: `%s`\n", row->def);
    }
    if (qms_conf_range_text(&bounds, buf, sizeof(buf))[0] != 0) {
        say(d, "- range: %s\n", buf);
    }
    if (row->unit != NULL) {
        say(d, "- unit: %s\n", row->unit);
    }
    say(d, "- in: %s%s\n\n", qms_conf_contexts_text(row->contexts, buf, sizeof(buf)),
        row->multiple ? "; may stand more than once" : "");
}

static void say_rows(const struct doc *d, const struct qms_directive *rows, unsigned contexts)
{
    for (; rows != NULL && rows->name != NULL; rows++) {
        if ((rows->contexts & contexts) != 0) {
            say_row(d, rows);
        }
    }
}

static void say_block(const struct doc *d, const struct qms_conf_block *b)
{
    char buf[128];

    say(d, "## Block %s\n\n%s", b->name, b->help);
    if (b->outer != 0) {
        say(d, "\n\n    %s%s%s { ... }\n\n- in: %s%s", b->name, b->arg != NULL ? " " : "",
            b->arg != NULL ? b->arg : "", qms_conf_contexts_text(b->outer, buf, sizeof(buf)),
            b->multiple ? "; may stand more than once" : "");
    }
    say(d, "\n\n");
    say_rows(d, b->rows, b->ctx);
}

void qms_conf_document(const struct qms_conf_env *env, void (*put)(void *arg, const char *text),
                       void *arg)
{
    struct doc d = {.put = put, .arg = arg};

    put(arg,
        "# Configuration directives\n\n"
        "Made by `quicms --document-directives` from the tables of the program; do not "
        "edit.\n\n"
        "A directive is a name, arguments and `;`; a block is a name and directives in braces. "
        "`#` begins a comment; words with white space stand in quotes. `include path;` reads "
        "another file at that place, or all files that fit a pattern; relative ones start at "
        "the "
        "folder of the configuration file, all other relative paths at the prefix (`-p`).\n\n"
        "Sizes take `k`, `m` and `g`; times take `ms`, `s`, `m`, `h` and `d`, also several "
        "(`1h30m`), and are seconds without one. What a module's directive says holds in the "
        "blocks inside too, until one of them says otherwise.\n\n");
    for (const struct qms_conf_block *b = qms_conf_blocks; b->name != NULL; b++) {
        say_block(&d, b);
    }
    for (size_t i = 0; i < env->module_count; i++) {
        if (env->modules[i]->directives != NULL) {
            say(&d, "## Module %s\n\n", env->modules[i]->name);
            say_rows(&d, env->modules[i]->directives, ~0U);
        }
    }
}
