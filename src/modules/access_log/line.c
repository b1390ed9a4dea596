/* SPDX-License-Identifier: MIT */
/* Room for the newline is kept from the start, so a line that is too long is cut and still
 * ends. */
#include "line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static size_t room(const struct qms_line *l)
{
    return sizeof(l->text) - 1 - l->len;
}

void qms_line_put(struct qms_line *l, const char *text, size_t len)
{
    len = len < room(l) ? len : room(l);
    memcpy(l->text + l->len, text, len);
    l->len += len;
}

void qms_line_printf(struct qms_line *l, const char *format, ...)
{
    char piece[128];
    va_list ap;

    va_start(ap, format);
    int n = vsnprintf(piece, sizeof(piece), format, ap);
    va_end(ap);
    if (n > 0) {
        qms_line_put(l, piece, (size_t)n < sizeof(piece) ? (size_t)n : sizeof(piece) - 1);
    }
}

/* Bytes of the UTF-8 character at `s`; 0: it is none (RFC 3629 section 4). */
static size_t utf8_len(const uint8_t *s, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = s[0] < 0xC0 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : s[0] < 0xF8 ? 4 : 0;
    uint32_t c;

    if (len == 0 || len > left) {
        return 0;
    }
    c = s[0] & (0xFFu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            return 0;
        }
        c = c << 6 | (s[i] & 0x3Fu);
    }
    return c < least[len] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000) ? 0 : len;
}

/* Puts one character and returns its length. */
static size_t put_json(struct qms_line *l, const uint8_t *s, size_t left)
{
    size_t len = s[0] < 0x80 ? 1 : utf8_len(s, left);

    if (len == 0) {
        qms_line_put(l, "\\ufffd", 6);
        return 1;
    }
    if (s[0] == '"' || s[0] == '\\') {
        qms_line_printf(l, "\\%c", s[0]);
    } else if (s[0] < 0x20 || s[0] == 0x7F) {
        qms_line_printf(l, "\\u%04x", s[0]);
    } else if (len <= room(l)) {
        qms_line_put(l, (const char *)s, len);
    }
    return len;
}

static void put_byte(struct qms_line *l, uint8_t c)
{
    bool control = c < 0x20 || c == 0x7F;

    if (l->escape == QMS_ESCAPE_NONE) {
        qms_line_put(l, control ? " " : (const char *)&c, 1);
    } else if (control || c > 0x7E || c == '"' || c == '\\') {
        qms_line_printf(l, "\\x%02X", c);
    } else {
        qms_line_put(l, (const char *)&c, 1);
    }
}

void qms_line_put_escaped(struct qms_line *l, struct qms_bytes bytes)
{
    size_t i = 0;

    while (i < bytes.len) {
        if (l->escape == QMS_ESCAPE_JSON) {
            i += put_json(l, bytes.data + i, bytes.len - i);
        } else {
            put_byte(l, bytes.data[i++]);
        }
    }
}

void qms_line_put_absent(struct qms_line *l)
{
    if (l->escape == QMS_ESCAPE_DEFAULT) {
        qms_line_put(l, "-", 1);
    }
}

struct qms_bytes qms_line_end(struct qms_line *l)
{
    l->text[l->len++] = '\n';
    return (struct qms_bytes){(const uint8_t *)l->text, l->len};
}
