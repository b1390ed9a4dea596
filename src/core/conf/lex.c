/* SPDX-License-Identifier: MIT */
/* nginx's lexical rules: a word ends at white space, ';', '{' or '}'; '#' opens a comment where
 * a word could begin; quotes of both kinds; a backslash before a quote, a backslash or one of t
 * r n is an escape and otherwise itself. */
#include "core/conf/lex.h"

#include <string.h>

void qms_lex_init(struct qms_lex *lex, struct qms_bytes text, struct qms_arena *arena)
{
    lex->at = (const char *)text.data;
    lex->end = text.len > 0 ? lex->at + text.len : lex->at;
    lex->line = 1;
    lex->arena = arena;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_blank(struct qms_lex *lex)
{
    while (lex->at < lex->end && (is_space(*lex->at) || *lex->at == '#')) {
        if (*lex->at == '#') {
            while (lex->at < lex->end && *lex->at != '\n') {
                lex->at++;
            }
            continue;
        }
        if (*lex->at == '\n') {
            lex->line++;
        }
        lex->at++;
    }
}

/* The character that an escape at lex->at (a backslash) stands for, or -1. */
static int escaped(const struct qms_lex *lex)
{
    if (lex->at + 1 >= lex->end) {
        return -1;
    }
    switch (lex->at[1]) {
    case '"':
    case '\'':
    case '\\':
        return lex->at[1];
    case 't':
        return '\t';
    case 'r':
        return '\r';
    case 'n':
        return '\n';
    default:
        return -1;
    }
}

static struct qms_lex_token token(enum qms_lex_kind kind, unsigned line, const char *text)
{
    return (struct qms_lex_token){.kind = kind, .line = line, .text = text};
}

static struct qms_lex_token failed(struct qms_lex *lex, unsigned line, const char *sentence)
{
    lex->end = lex->at; /* nothing sensible follows */
    return token(QMS_LEX_ERROR, line, sentence);
}

static bool ends_word(char c, char quote)
{
    if (quote != 0) {
        return c == quote;
    }
    return is_space(c) || c == ';' || c == '{' || c == '}';
}

static struct qms_lex_token word(struct qms_lex *lex)
{
    char buf[QMS_LEX_WORD_MAX];
    size_t len = 0;
    unsigned line = lex->line;
    char quote = *lex->at == '"' || *lex->at == '\'' ? *lex->at++ : 0;

    while (lex->at < lex->end && !ends_word(*lex->at, quote)) {
        int c = *lex->at == '\\' ? escaped(lex) : -1;
        if (*lex->at == 0) {
            return failed(lex, lex->line, "The text contains a NUL byte.");
        }
        if (len == sizeof(buf)) {
            return failed(lex, line, "A word is longer than 4096 bytes; is a quote missing?");
        }
        if (*lex->at == '\n') {
            lex->line++;
        }
        buf[len++] = c >= 0 ? (char)c : *lex->at;
        lex->at += c >= 0 ? 2 : 1;
    }
    if (quote != 0 && lex->at == lex->end) {
        return failed(lex, line, "The quote that opens here is not closed.");
    }
    if (quote != 0 && ++lex->at < lex->end && !ends_word(*lex->at, 0)) {
        return failed(lex, lex->line,
                      "White space or \";\" is missing behind a closing quote.");
    }
    const char *text = qms_arena_strndup(lex->arena, buf, len);
    if (text == NULL) {
        return failed(lex, line, "Out of memory.");
    }
    return token(QMS_LEX_WORD, line, text);
}

struct qms_lex_token qms_lex_next(struct qms_lex *lex)
{
    skip_blank(lex);
    if (lex->at == lex->end) {
        return token(QMS_LEX_END, lex->line, NULL);
    }
    switch (*lex->at) {
    case ';':
        lex->at++;
        return token(QMS_LEX_SEMICOLON, lex->line, NULL);
    case '{':
        lex->at++;
        return token(QMS_LEX_OPEN, lex->line, NULL);
    case '}':
        lex->at++;
        return token(QMS_LEX_CLOSE, lex->line, NULL);
    default:
        return word(lex);
    }
}
