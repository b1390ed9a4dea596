/* SPDX-License-Identifier: MIT */
/* Which route block a target falls under.  Blocks are few and names short: a walk over the list
 * needs no index that a reload would have to build. */
#include "core/conf/route_conf.h"

#include <string.h>

#include "base/mem.h"
#include "base/near.h"
#include "core/conf/arena.h"
#include "core/conf/conf.h"
#include "core/conf/diag.h"
#include "core/conf/regex.h"
#include "core/conf/table.h"
#include "proto/tlv.h"

void qms_route_conf_drop(struct qms_route_conf *block)
{
    qms_regex_free(block->regex);
    block->regex = NULL;
}

void qms_route_conf_fini(struct qms_server_conf *server)
{
    for (size_t i = 0; i < server->route_count; i++) {
        qms_route_conf_drop(&server->routes[i]);
    }
}

/* ---- looking up ---- */

/* Exact wins over all, then the longest prefix; a block of one kind before one of all, and of
 * equals the one that was there first. */
static bool better(const struct qms_route_conf *a, const struct qms_route_conf *than)
{
    if (than == NULL) {
        return true;
    }
    if ((a->how == QMS_ROUTE_EXACT) != (than->how == QMS_ROUTE_EXACT)) {
        return a->how == QMS_ROUTE_EXACT;
    }
    bool wide = (a->kinds & (a->kinds - 1)) != 0,
         was_wide = (than->kinds & (than->kinds - 1)) != 0;
    return wide != was_wide ? was_wide : a->text_len > than->text_len;
}

static bool prefix_fits(const struct qms_route_conf *block, struct qms_bytes target)
{
    bool whole = block->how != QMS_ROUTE_EXACT || block->text_len == target.len;

    return whole && block->text_len <= target.len &&
           (block->text_len == 0 || memcmp(block->text, target.data, block->text_len) == 0);
}

static const struct qms_route_conf *first_regex(const struct qms_server_conf *server,
                                                enum qms_kind kind, struct qms_bytes target)
{
    for (size_t i = 0; i < server->route_count; i++) {
        const struct qms_route_conf *block = &server->routes[i];
        bool asked = (block->kinds >> kind & 1) != 0 && block->how == QMS_ROUTE_REGEX;
        enum qms_regex_answer fits = asked ? qms_regex_ask(block->regex, target) : QMS_REGEX_NO;
        if (fits != QMS_REGEX_NO) {
            return fits == QMS_REGEX_YES ? block : &server->undecided;
        }
    }
    return NULL;
}

const struct qms_route_conf *qms_route_conf_find(const struct qms_server_conf *server,
                                                 enum qms_kind kind, struct qms_bytes target)
{
    const struct qms_route_conf *best = NULL, *regex = NULL;

    for (size_t i = 0; i < server->route_count; i++) {
        const struct qms_route_conf *block = &server->routes[i];
        if ((block->kinds >> kind & 1) != 0 && block->how != QMS_ROUTE_REGEX &&
            prefix_fits(block, target) && better(block, best)) {
            best = block;
        }
    }
    if (best == NULL || best->how == QMS_ROUTE_PREFIX) {
        regex = first_regex(server, kind, target);
    }
    if (regex != NULL) {
        return regex;
    }
    return best != NULL ? best : &server->no_route;
}

struct qms_bytes qms_route_conf_room(const struct qms_route_conf *block, struct qms_bytes group)
{
    return block->pool == NULL
               ? group
               : (struct qms_bytes){(const uint8_t *)block->pool, strlen(block->pool)};
}

uint8_t qms_route_conf_clamp(const struct qms_route_conf *block, uint8_t priority)
{
    if (priority < block->priority_low) {
        return (uint8_t)block->priority_low;
    }
    return priority > block->priority_high ? (uint8_t)block->priority_high : priority;
}

/* ---- the words behind `route` ---- */

static const struct {
    const char *word;
    enum qms_kind kind;
} kinds[] = {
    {"agent", QMS_KIND_AGENT},
    {"group", QMS_KIND_GROUP},
    {"topic", QMS_KIND_TOPIC},
    {"service", QMS_KIND_SERVICE},
};

#define ALL_KINDS                                                                              \
    (1U << QMS_KIND_SELF | 1U << QMS_KIND_AGENT | 1U << QMS_KIND_GROUP |                       \
     1U << QMS_KIND_TOPIC | 1U << QMS_KIND_SERVICE)

unsigned qms_route_conf_kinds(const char *word)
{
    if (strcmp(word, "*") == 0) {
        return ALL_KINDS;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].word, word) == 0) {
            return 1U << kinds[i].kind;
        }
    }
    return 0;
}

static qms_err bad_kind(const char *word, struct qms_diag *diag)
{
    static const char *const words[] = {"agent", "group", "topic", "service", NULL};
    char hint[QMS_NEAR_HINT_MAX];

    qms_diag_error(diag,
                   "\"%s\" is no kind of target; a route is for an agent, group, topic or "
                   "service, or is the route \"*\".%s",
                   word, qms_near_hint(word, words, hint, sizeof(hint)));
    return QMS_E_CONFIG;
}

static qms_err bad_words(struct qms_diag *diag)
{
    qms_diag_error(diag,
                   "A route is written \"route KIND [= | ^= | ~] NAME\", \"route KIND *\" "
                   "or \"route *\".");
    return QMS_E_CONFIG;
}

static bool how_of(const char *word, enum qms_route_how *how)
{
    *how = strcmp(word, "=") == 0    ? QMS_ROUTE_EXACT
           : strcmp(word, "^=") == 0 ? QMS_ROUTE_PREFIX_LAST
                                     : QMS_ROUTE_REGEX;
    return *how != QMS_ROUTE_REGEX || strcmp(word, "~") == 0;
}

static qms_err check_text(const struct qms_route_conf *block, struct qms_diag *diag)
{
    if (block->text_len == 0) {
        qms_diag_error(diag, "The name of a route is empty; \"*\" stands for every name.");
        return QMS_E_CONFIG;
    }
    if (block->how == QMS_ROUTE_REGEX) {
        return QMS_OK;
    }
    if (block->text_len > QMS_NAME_MAX) {
        qms_diag_error(diag, "\"%s\" is longer than a name can be.", block->text);
        return QMS_E_CONFIG;
    }
    if (!qms_name_ok((struct qms_bytes){(const uint8_t *)block->text, block->text_len})) {
        qms_diag_error(diag,
                       "No name is or begins with \"%s\": names are of A-Z a-z 0-9 . _ ~ : @ / "
                       "+ and -. A route without \"=\" holds for all names that begin with its "
                       "own; \"~\" stands before a regular expression.",
                       block->text);
        return QMS_E_CONFIG;
    }
    return QMS_OK;
}

static qms_err join_words(struct qms_route_conf *block, int argc, const char *const *argv,
                          struct qms_diag *diag)
{
    block->name = argc == 1   ? argv[0]
                  : argc == 2 ? qms_arena_printf(diag->conf->arena, "%s %s", argv[0], argv[1])
                              : qms_arena_printf(diag->conf->arena, "%s %s %s", argv[0],
                                                 argv[1], argv[2]);
    return block->name != NULL ? QMS_OK : qms_diag_nomem(diag);
}

qms_err qms_route_conf_words(struct qms_route_conf *block, int argc, const char *const *argv,
                             struct qms_diag *diag)
{
    qms_err err = join_words(block, argc, argv, diag);

    if (err != QMS_OK) {
        return err;
    }
    block->how = QMS_ROUTE_PREFIX;
    block->text = "";
    block->kinds = qms_route_conf_kinds(argv[0]);
    if (block->kinds == 0) {
        return bad_kind(argv[0], diag);
    }
    if (block->kinds == ALL_KINDS) {
        return argc == 1 ? QMS_OK : bad_words(diag);
    }
    if (argc < 2 || (argc == 3 && !how_of(argv[1], &block->how))) {
        return bad_words(diag);
    }
    if (argc == 2 && strcmp(argv[1], "*") == 0) {
        return QMS_OK;
    }
    block->text = argv[argc - 1];
    block->text_len = strlen(block->text);
    err = check_text(block, diag);
    return err == QMS_OK && block->how == QMS_ROUTE_REGEX
               ? qms_regex_new(block->text, false, "of a route", diag, &block->regex)
               : err;
}
