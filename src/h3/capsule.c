/* SPDX-License-Identifier: MIT */
/* A capsule is read in two states, head and value; only a CLOSE capsule's value is ever kept,
 * and its length is checked before a byte of it is. */
#include <string.h>

#include "base/mem.h"
#include "h3/capsule.h"
#include "h3/varint.h"

#define VALUE_MAX (4 + QMS_CAPSULE_REASON_MAX)

static enum qms_capsule_status fail(struct qms_capsule_parser *p)
{
    p->failed = true;
    return QMS_CAPSULE_BAD;
}

/* Takes bytes of type and length.  Returns how many; in_value tells whether both are whole. */
static size_t read_head(struct qms_capsule_parser *p, struct qms_bytes in)
{
    for (size_t i = 0; i < in.len; i++) {
        p->head[p->head_len++] = in.data[i];
        size_t type_len = vi_get(p->head, p->head_len, &p->type);
        if (type_len != 0 &&
            vi_get(p->head + type_len, p->head_len - type_len, &p->left) != 0) {
            p->head_len = 0;
            p->in_value = true;
            return i + 1;
        }
    }
    return in.len;
}

static bool close_begins(struct qms_capsule_parser *p)
{
    if (p->left < 4 || p->left > VALUE_MAX) {
        return false;
    }
    p->value = qms_calloc(1, (size_t)p->left);
    return p->value != NULL;
}

static bool close_ends(struct qms_capsule_parser *p)
{
    struct qms_bytes reason = {p->value + 4, p->value_len - 4};

    p->closed = true;
    return qms_utf8_prefix(reason) == reason.len;
}

static size_t read_value(struct qms_capsule_parser *p, struct qms_bytes in)
{
    size_t n = in.len < p->left ? in.len : (size_t)p->left;

    if (p->type == QMS_CAPSULE_CLOSE && n > 0) {
        memcpy(p->value + p->value_len, in.data, n);
        p->value_len += n;
    }
    p->left -= n;
    return n;
}

enum qms_capsule_status qms_capsule_parse(struct qms_capsule_parser *p, struct qms_bytes in)
{
    if (p->failed) {
        return QMS_CAPSULE_BAD;
    }
    while (in.len > 0) {
        if (p->closed) {
            return fail(p);
        }
        bool began = p->in_value;
        size_t n = began ? read_value(p, in) : read_head(p, in);
        in.data += n;
        in.len -= n;
        if (!began && p->in_value && p->type == QMS_CAPSULE_CLOSE && !close_begins(p)) {
            return fail(p);
        }
        if (p->in_value && p->left == 0) {
            p->in_value = false;
            if (p->type == QMS_CAPSULE_CLOSE && !close_ends(p)) {
                return fail(p);
            }
        }
    }
    return p->closed ? QMS_CAPSULE_CLOSED : QMS_CAPSULE_MORE;
}

bool qms_capsule_at_end(const struct qms_capsule_parser *p)
{
    return !p->failed && !p->in_value && p->head_len == 0;
}

uint32_t qms_capsule_code(const struct qms_capsule_parser *p)
{
    return (uint32_t)p->value[0] << 24 | (uint32_t)p->value[1] << 16 |
           (uint32_t)p->value[2] << 8 | p->value[3];
}

struct qms_bytes qms_capsule_reason(const struct qms_capsule_parser *p)
{
    return (struct qms_bytes){p->value + 4, p->value_len - 4};
}

void qms_capsule_fini(struct qms_capsule_parser *p)
{
    qms_free(p->value);
    memset(p, 0, sizeof(*p));
}

size_t qms_capsule_close(uint8_t out[QMS_CAPSULE_CLOSE_MAX], uint32_t code,
                         struct qms_bytes reason)
{
    if (reason.len > QMS_CAPSULE_REASON_MAX) {
        reason.len = QMS_CAPSULE_REASON_MAX;
    }
    reason.len = qms_utf8_prefix(reason);

    size_t n = vi_put(out, QMS_CAPSULE_CLOSE);
    n += vi_put(out + n, 4 + reason.len);
    for (unsigned shift = 32; shift > 0; shift -= 8) {
        out[n++] = (uint8_t)(code >> (shift - 8));
    }
    if (reason.len > 0) {
        memcpy(out + n, reason.data, reason.len);
    }
    return n + reason.len;
}

/* Length of the sequence that `lead` starts, and the range of its second byte, which is what
 * shuts out overlong forms, surrogates and code points above U+10FFFF. */
static size_t utf8_sequence(uint8_t lead, uint8_t *lo, uint8_t *hi)
{
    *lo = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    *hi = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    return lead < 0x80                   ? 1
           : lead >= 0xc2 && lead < 0xe0 ? 2
           : lead >= 0xe0 && lead < 0xf0 ? 3
           : lead >= 0xf0 && lead < 0xf5 ? 4
                                         : 0;
}

size_t qms_utf8_prefix(struct qms_bytes s)
{
    size_t i = 0;

    while (i < s.len) {
        uint8_t lo, hi;
        size_t n = utf8_sequence(s.data[i], &lo, &hi);
        if (n == 0 || n > s.len - i) {
            return i;
        }
        for (size_t k = 1; k < n; k++, lo = 0x80, hi = 0xbf) {
            if (s.data[i + k] < lo || s.data[i + k] > hi) {
                return i;
            }
        }
        i += n;
    }
    return i;
}
