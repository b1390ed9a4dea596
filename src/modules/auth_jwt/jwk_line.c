/* SPDX-License-Identifier: MIT */
/* Counts brackets.  An element at depth 2 belongs to "keys" when the last text at depth 1 was
 * that name: a name stands before each value, and only that value opens a bracket. */
#include "jwk_line.h"

#include <string.h>

struct scan {
    struct qms_bytes text;
    size_t at;
    unsigned line, depth;
    bool in_keys, after_comma;
    size_t element;
};

/* Skips a text; whether it was `keys`. */
static bool skip_text(struct scan *s)
{
    size_t from = ++s->at;

    while (s->at < s->text.len && s->text.data[s->at] != '"') {
        s->at += s->text.data[s->at] == '\\' ? 2 : 1;
    }
    return s->at == from + 4 && s->at <= s->text.len &&
           memcmp(s->text.data + from, "keys", 4) == 0;
}

/* An element of the array begins where, after `[` or `,`, something stands that is no space. */
static bool begins(struct scan *s, uint8_t c)
{
    bool here = s->in_keys && s->depth == 2 && s->after_comma && c != ' ' && c != '\t' &&
                c != '\r' && c != '\n';

    s->after_comma = s->after_comma && !here;
    return here;
}

static void step(struct scan *s, uint8_t c)
{
    if (c == '\n') {
        s->line++;
    } else if (c == '"') {
        bool keys = skip_text(s);
        s->in_keys = s->depth == 1 ? keys : s->in_keys;
    } else if (c == '{' || c == '[') {
        s->after_comma = ++s->depth == 2 && s->in_keys && c == '[';
    } else if (c == '}' || c == ']') {
        s->depth--;
    } else if (c == ',' && s->depth == 2) {
        s->after_comma = true;
    }
}

unsigned qms_jwk_line(struct qms_bytes text, size_t index)
{
    struct scan s = {.text = text, .line = 1};

    for (; s.at < text.len; s.at++) {
        uint8_t c = text.data[s.at];
        if (begins(&s, c) && s.element++ == index) {
            return s.line;
        }
        step(&s, c);
    }
    return 1;
}
