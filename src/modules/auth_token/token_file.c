/* SPDX-License-Identifier: MIT */
/* Reading the token file: one pass over a private copy, whose words become the strings. */
#include "token_file.h"

#include <string.h>

#include "base/mem.h"

#define WORDS 4

struct line {
    const char *file;
    unsigned number;
    struct qms_diag *diag;
};

static qms_err bad(const struct line *l, const char *what)
{
    qms_diag_error(l->diag, "%s:%u: %s", l->file, l->number, what);
    return QMS_E_CONFIG;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts a line at its blanks; what stands behind `#` is a comment.  Number of words, and
 * WORDS + 1 when there are more. */
static unsigned split(char *s, char *words[WORDS])
{
    unsigned count = 0;

    while (true) {
        while (blank(*s)) {
            *s++ = '\0';
        }
        if (*s == '\0' || *s == '#') {
            *s = '\0';
            return count;
        }
        if (count == WORDS) {
            return WORDS + 1;
        }
        words[count++] = s;
        while (*s != '\0' && !blank(*s)) {
            s++;
        }
    }
}

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("._~:@/+-", c) != NULL);
}

static bool pattern_ok(const char *s)
{
    size_t len = 0;

    for (; *s == '*' || name_char(*s); s++) {
        len++;
    }
    return *s == '\0' && len > 0 && len <= QMS_NAME_MAX;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hash_of(const char *hex, uint8_t out[QMS_SHA256_LEN])
{
    if (strlen(hex) != 2 * QMS_SHA256_LEN) {
        return false;
    }
    for (size_t i = 0; i < QMS_SHA256_LEN; i++) {
        int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* "a,b" becomes "a b". */
static bool scopes_ok(char *s)
{
    bool word = false;

    for (; *s != '\0'; s++) {
        if (*s != ',' && !name_char(*s)) {
            return false;
        }
        if (*s == ',' && (!word || s[1] == '\0')) {
            return false;
        }
        word = *s != ',';
        *s = *s == ',' ? ' ' : *s;
    }
    return true;
}

static qms_err parse_line(const struct line *l, char *words[WORDS], unsigned count,
                          struct qms_token *t)
{
    if (count != WORDS) {
        return bad(l, "A line has four columns: agent pattern, SHA-256 of the token in hex, "
                      "expiry or -, scopes or -.");
    }
    if (!pattern_ok(words[0])) {
        return bad(l, "The agent pattern is made of 1 to 128 of A-Z a-z 0-9 . _ ~ : @ / + - "
                      "and *.");
    }
    if (!hash_of(words[1], t->hash)) {
        return bad(l, "The second column is a SHA-256 in 64 hexadecimal digits, never the "
                      "token itself.");
    }
    if (strcmp(words[2], "-") != 0 && !qms_token_time(words[2], &t->expires_at)) {
        return bad(l, "The expiry is -, seconds since 1970, or a time like "
                      "2030-12-31T23:59:59Z.");
    }
    if (strcmp(words[3], "-") == 0) {
        words[3][0] = '\0';
    }
    if (!scopes_ok(words[3])) {
        return bad(l, "The scopes are - or words with commas between them.");
    }
    t->pattern = words[0];
    t->scopes = words[3];
    return QMS_OK;
}

static size_t count_lines(struct qms_bytes text)
{
    size_t count = 1;

    for (size_t i = 0; i < text.len; i++) {
        count += text.data[i] == '\n';
    }
    return count;
}

static qms_err parse_all(struct qms_token_file *f, struct line *l, char *s)
{
    qms_err err = QMS_OK;

    while (s != NULL && err == QMS_OK) {
        char *words[WORDS], *next = strchr(s, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        l->number++;
        unsigned count = split(s, words);
        if (count > 0) {
            err = parse_line(l, words, count, &f->tokens[f->count]);
            f->count += err == QMS_OK;
        }
        s = next;
    }
    return err;
}

qms_err qms_token_file_parse(struct qms_token_file *out, const char *name,
                             struct qms_bytes text, struct qms_diag *diag)
{
    struct line l = {.file = name, .diag = diag};
    struct qms_token_file f = {0};
    qms_err err = QMS_E_NOMEM;

    if (text.len > 0 && memchr(text.data, '\0', text.len) != NULL) {
        return bad(&l, "The file holds a NUL byte.");
    }
    f.text = qms_strndup(text.len > 0 ? (const char *)text.data : "", text.len);
    f.tokens = qms_calloc(count_lines(text), sizeof(struct qms_token));
    if (f.text != NULL && f.tokens != NULL) {
        err = parse_all(&f, &l, f.text);
    }
    if (err != QMS_OK) {
        qms_token_file_fini(&f);
        return err;
    }
    *out = f;
    return QMS_OK;
}

void qms_token_file_fini(struct qms_token_file *f)
{
    qms_free(f->tokens);
    qms_free(f->text);
    *f = (struct qms_token_file){0};
}
