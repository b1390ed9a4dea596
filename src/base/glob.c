/* SPDX-License-Identifier: MIT */
#include "base/glob.h"

/* Goes back to the last star only: linear times the number of stars at worst. */
bool qms_glob_match(const char *pattern, struct qms_bytes name)
{
    const char *star = NULL;
    size_t i = 0, from = 0;

    while (i < name.len) {
        if (*pattern == '*') {
            star = ++pattern;
            from = i;
        } else if (*pattern != '\0' && (uint8_t)*pattern == name.data[i]) {
            pattern++;
            i++;
        } else if (star != NULL) {
            pattern = star;
            i = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}
