/* SPDX-License-Identifier: MIT */
/* Conditional requests (RFC 9110 section 13).  The tag is made of size and time of change: what
 * the kernel knows anyway, so no file is read to answer that it is the same. */
#include "base/web.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DATE_MAX 64

void qms_web_file_describe(struct qms_web_file *f, int64_t changed_at, long changed_ns)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t at = (time_t)changed_at;
    struct tm tm = {0};

    (void)gmtime_r(&at, &tm);
    f->changed_at = changed_at;
    (void)snprintf(f->etag, sizeof(f->etag), "\"%llx.%lx-%llx\"",
                   (unsigned long long)changed_at, (unsigned long)changed_ns,
                   (unsigned long long)f->size);
    (void)snprintf(f->modified, sizeof(f->modified), "%s, %02u %s %04u %02u:%02u:%02u GMT",
                   days[tm.tm_wday], (unsigned)tm.tm_mday % 100, months[tm.tm_mon],
                   (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
                   (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

/* Whether the tag stands in a list of them; a W/ before one does not matter here
 * (section 13.1.2: weak comparison). */
static bool has_tag(struct qms_bytes list, const char *tag)
{
    const char *at = (const char *)list.data, *end = at + list.len;
    size_t len = strlen(tag);

    while (at < end) {
        if (*at == '*') {
            return true;
        }
        const char *open = memchr(at, '"', (size_t)(end - at));
        const char *close =
            open != NULL ? memchr(open + 1, '"', (size_t)(end - open) - 1) : NULL;
        if (close == NULL) {
            return false;
        }
        if ((size_t)(close + 1 - open) == len && memcmp(open, tag, len) == 0) {
            return true;
        }
        at = close + 1;
    }
    return false;
}

/* The form that HTTP/1.1 and later send; -1: another one. */
static int64_t read_date(struct qms_bytes text)
{
    char copy[DATE_MAX];
    struct tm tm = {0};

    if (text.len >= sizeof(copy)) {
        return -1;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    const char *rest = strptime(copy, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    return rest != NULL && *rest == '\0' ? (int64_t)timegm(&tm) : -1;
}

bool qms_web_file_unchanged(const struct qms_web_file *f, struct qms_bytes none_match,
                            struct qms_bytes modified_since)
{
    if (none_match.data != NULL) {
        return has_tag(none_match, f->etag);
    }
    return modified_since.data != NULL && read_date(modified_since) >= f->changed_at;
}
