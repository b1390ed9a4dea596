/* SPDX-License-Identifier: MIT */
#include "near.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool same(char a, char b)
{
    return strncasecmp(&a, &b, 1) == 0;
}

/* Edits, with a swap of neighbours as one, between two names; large when either is too long. */
static unsigned distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    unsigned row[3][QMS_NEAR_NONE + 1];

    if (la > QMS_NEAR_NONE || lb > QMS_NEAR_NONE) {
        return QMS_NEAR_NONE;
    }
    for (size_t j = 0; j <= lb; j++) {
        row[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= la; i++) {
        unsigned *now = row[i % 3], *up = row[(i - 1) % 3], *up2 = row[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned best = up[j - 1] + !same(a[i - 1], b[j - 1]);
            best = up[j] + 1 < best ? up[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            bool swapped =
                i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]);
            now[j] = swapped && up2[j - 2] + 1 < best ? up2[j - 2] + 1 : best;
        }
    }
    return row[la % 3][lb];
}

bool qms_near(const char *typed, const char *name, unsigned *best)
{
    unsigned d = distance(typed, name);

    /* More than a third of the letters wrong is another word, not a slip. */
    if (d >= *best || d * 3 > strlen(typed)) {
        return false;
    }
    *best = d;
    return true;
}

const char *qms_near_hint(const char *typed, const char *const *words, char *buf, size_t size)
{
    unsigned best = QMS_NEAR_NONE;
    const char *name = NULL, *value = strchr(typed, '=');
    char before[QMS_NEAR_NONE + 2];

    (void)snprintf(before, sizeof(before), "%.*s",
                   value != NULL ? (int)(value - typed) + 1 : QMS_NEAR_NONE + 1, typed);
    for (size_t i = 0; words[i] != NULL; i++) {
        bool with_value = words[i][0] != '\0' && words[i][strlen(words[i]) - 1] == '=';
        name = qms_near(with_value ? before : typed, words[i], &best) ? words[i] : name;
    }
    buf[0] = '\0';
    /* The very word would be a known one in the wrong place. */
    if (name != NULL && strcmp(typed, name) != 0 && strcmp(before, name) != 0) {
        (void)snprintf(buf, size, " Did you mean \"%s\"?", name);
    }
    return buf;
}
