/* SPDX-License-Identifier: MIT */
#include "payload.h"

#include <string.h>

/* ---- text ---- */

/* The byte that begins a character.  False: none does. */
static bool begin(struct qms_utf8 *u, uint8_t b)
{
    u->low = 0x80;
    u->high = 0xbf;
    u->need = b < 0x80 ? 0 : b < 0xe0 ? 1 : b < 0xf0 ? 2 : 3;
    /* Neither longer than it must be, nor a surrogate, nor above U+10FFFF. */
    switch (b) {
    case 0xe0:
        u->low = 0xa0;
        break;
    case 0xed:
        u->high = 0x9f;
        break;
    case 0xf0:
        u->low = 0x90;
        break;
    case 0xf4:
        u->high = 0x8f;
        break;
    default:
        break;
    }
    return b < 0x80 || (b >= 0xc2 && b <= 0xf4);
}

static bool next(struct qms_utf8 *u, uint8_t b)
{
    if (u->need == 0) {
        return begin(u, b);
    }
    if (b < u->low || b > u->high) {
        return false;
    }
    u->need--;
    u->low = 0x80;
    u->high = 0xbf;
    return true;
}

static const char *text(struct qms_utf8 *u, uint64_t how, struct qms_bytes bytes)
{
    if (how == QMS_TEXT_OFF) {
        return NULL;
    }
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.data[i] == 0 && how == QMS_TEXT_NO_NUL) {
            return "nul";
        }
        if (!next(u, bytes.data[i])) {
            return "bad_utf8";
        }
    }
    return NULL;
}

static const char *text_end(const struct qms_utf8 *u)
{
    return u->need > 0 ? "bad_utf8" : NULL;
}

/* ---- messages ---- */

/* Takes bytes of a length (RFC 9000 section 16); whether it is whole, then in `left`. */
static bool take_length(struct qms_payload_state *s, struct qms_bytes *bytes)
{
    while (bytes->len > 0) {
        s->head[s->head_have++] = *bytes->data++;
        bytes->len--;
        if (s->head_have == 1u << (s->head[0] >> 6)) {
            s->left = s->head[0] & 0x3f;
            for (unsigned i = 1; i < s->head_have; i++) {
                s->left = s->left << 8 | s->head[i];
            }
            s->head_have = 0;
            return true;
        }
    }
    return false;
}

static const char *messages(struct qms_payload_state *s, const struct qms_validate_rules *r,
                            struct qms_bytes bytes)
{
    const char *fault = NULL;

    while (fault == NULL && bytes.len > 0) {
        if (s->left == 0) {
            bool whole = take_length(s, &bytes);
            if (whole && r->max_message != 0 && s->left > r->max_message) {
                return "message_too_large";
            }
            continue;
        }
        size_t len = bytes.len < s->left ? bytes.len : (size_t)s->left;
        fault = text(&s->utf8, r->text, (struct qms_bytes){bytes.data, len});
        s->left -= len;
        bytes = (struct qms_bytes){bytes.data + len, bytes.len - len};
        if (fault == NULL && s->left == 0) {
            fault = text_end(&s->utf8); /* each message is a text of its own */
        }
    }
    return fault;
}

const char *qms_payload_check(struct qms_payload_state *s, const struct qms_validate_rules *r,
                              struct qms_bytes bytes, bool fin)
{
    const char *fault;

    s->total += bytes.len;
    if (r->max_stream != 0 && s->total > r->max_stream) {
        return "stream_too_large";
    }
    fault = r->framed ? messages(s, r, bytes) : text(&s->utf8, r->text, bytes);
    if (fault == NULL && fin) {
        fault =
            r->framed && (s->left > 0 || s->head_have > 0) ? "cut_message" : text_end(&s->utf8);
    }
    return fault;
}
