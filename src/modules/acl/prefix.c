/* SPDX-License-Identifier: MIT */
/* The pattern as an automaton: a place is how much of the pattern is behind, and all places
 * that the prefix can lead to are walked at once, so no pattern takes long. */
#include "prefix.h"

#include <string.h>

struct places {
    bool at[QMS_NAME_MAX + 1];
};

/* A `*` may stand for nothing. */
static void pass_stars(const char *pattern, size_t len, struct places *p)
{
    for (size_t i = 0; i < len; i++) {
        if (p->at[i] && pattern[i] == '*') {
            p->at[i + 1] = true;
        }
    }
}

static void step(const char *pattern, size_t len, char c, struct places *p)
{
    struct places to = {{false}};

    for (size_t i = 0; i < len; i++) {
        if (p->at[i] && pattern[i] == '*') {
            to.at[i] = true;
        } else if (p->at[i] && pattern[i] == c) {
            to.at[i + 1] = true;
        }
    }
    pass_stars(pattern, len, &to);
    *p = to;
}

bool qms_acl_prefix_meets(const char *pattern, struct qms_bytes prefix)
{
    size_t len = strlen(pattern);
    struct places p = {{true}};

    if (len > QMS_NAME_MAX) {
        return false;
    }
    pass_stars(pattern, len, &p);
    for (size_t i = 0; i < prefix.len; i++) {
        step(pattern, len, (char)prefix.data[i], &p);
    }
    return memchr(p.at, true, len + 1) != NULL;
}
