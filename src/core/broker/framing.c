/* SPDX-License-Identifier: MIT */
#include "core/broker/framing.h"

bool qms_framing_between(const struct qms_framing *f)
{
    return !f->inside && f->have == 0;
}

/* Takes bytes of the length; whether it is whole now. */
static bool take_head(struct qms_framing *f, struct qms_bytes range, size_t *at)
{
    while (*at < range.len && (f->have == 0 || f->have < 1U << (f->head[0] >> 6))) {
        f->head[f->have++] = range.data[(*at)++];
    }
    if (f->have < 1U << (f->head[0] >> 6)) {
        return false;
    }
    f->left = f->head[0] & 0x3f;
    for (uint8_t i = 1; i < f->have; i++) {
        f->left = f->left << 8 | f->head[i];
    }
    f->inside = true;
    return true;
}

struct qms_framing_part qms_framing_next(struct qms_framing *f, struct qms_bytes range)
{
    struct qms_framing_part part = {.begins = qms_framing_between(f)};

    if (!f->inside && !take_head(f, range, &part.len)) {
        return part;
    }
    if (part.begins) {
        part.length = f->have + f->left;
    }
    uint64_t body = range.len - part.len;
    body = body < f->left ? body : f->left;
    f->left -= body;
    part.len += (size_t)body;
    if (f->left == 0) {
        part.ends = true;
        f->inside = false;
        f->have = 0;
    }
    return part;
}
