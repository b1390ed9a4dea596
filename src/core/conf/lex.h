/* SPDX-License-Identifier: MIT */
/* The words of a configuration text: bare and quoted words, braces, semicolons. */
#ifndef QMS_CORE_CONF_LEX_H
#define QMS_CORE_CONF_LEX_H

#include "core/conf/arena.h"

/** Longest word, in bytes. */
#define QMS_LEX_WORD_MAX 4096

enum qms_lex_kind {
    QMS_LEX_WORD,
    QMS_LEX_OPEN,      /* { */
    QMS_LEX_CLOSE,     /* } */
    QMS_LEX_SEMICOLON, /* ; */
    QMS_LEX_END,
    QMS_LEX_ERROR /* `text` is the sentence */
};

struct qms_lex_token {
    enum qms_lex_kind kind;
    unsigned line;    /* on which it begins, from 1 */
    const char *text; /* WORD: without quotes and escapes, in the arena; ERROR: static */
};

struct qms_lex {
    const char *at, *end;
    unsigned line;
    struct qms_arena *arena;
};

/** `text` is lent until the last call of qms_lex_next. */
void qms_lex_init(struct qms_lex *lex, struct qms_bytes text, struct qms_arena *arena);
/** After ERROR comes END, and after END again END. */
struct qms_lex_token qms_lex_next(struct qms_lex *lex);

#endif
