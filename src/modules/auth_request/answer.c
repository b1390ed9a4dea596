/* SPDX-License-Identifier: MIT */
#include "answer.h"

#include <string.h>
#include <strings.h>

static const char prefix[] = "X-Quicms-";

enum { AGENT, SCOPES, LIMIT_STREAMS, LIMIT_BYTES, LIMIT_DATAGRAMS, EXPIRES, COUNT };
static const char *const names[COUNT] = {"Agent",       "Scopes",          "Limit-Streams",
                                         "Limit-Bytes", "Limit-Datagrams", "Expires"};

/* Year 9999: milliseconds where seconds belong are found out. */
#define DATE_MAX 253402300799

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("._~:@/+-", c) != NULL);
}

static bool read_agent(struct qms_answer *out, const char *value)
{
    size_t len = 0;

    while (name_char(value[len])) {
        len++;
    }
    if (len == 0 || len > sizeof(out->agent) || value[len] != '\0') {
        return false;
    }
    memcpy(out->agent, value, len);
    out->agent_len = len;
    return true;
}

/* RFC 6749 section 3.3: printable ASCII but `"` and `\`. */
static bool scope_char(char c)
{
    return c > ' ' && c < 0x7f && c != '"' && c != '\\';
}

static bool read_scopes(struct qms_answer *out, const char *value)
{
    size_t at = 0;

    while (*value != '\0') {
        size_t len = 0;
        while (scope_char(value[len])) {
            len++;
        }
        if ((len == 0 && *value != ' ') || at + len + 2 > sizeof(out->scopes)) {
            return false;
        }
        if (len > 0 && at > 0) {
            out->scopes[at++] = ' ';
        }
        memcpy(out->scopes + at, value, len);
        at += len;
        value += len + (value[len] == ' ');
    }
    out->scopes[at] = '\0';
    return true;
}

/* Digits, and where `units` k, m or g, up to the end or a character of `stop`.  What is behind,
 * or NULL. */
static const char *number(const char *s, bool units, uint64_t max, uint64_t *out)
{
    uint64_t n = 0, unit = 1;
    const char *first = s;

    for (; *s >= '0' && *s <= '9' && n <= max; s++) {
        n = n * 10 + (uint64_t)(*s - '0');
    }
    if (s == first) {
        return NULL;
    }
    if (units && *s != '\0' && strchr("kmg", *s) != NULL) {
        unit = UINT64_C(1) << (*s == 'k' ? 10 : *s == 'm' ? 20 : 30);
        s++;
    }
    if (n > max / unit) {
        return NULL;
    }
    *out = n * unit;
    return s;
}

/* "20m/s burst=40m": as in the configuration. */
static bool read_rate(struct qms_limit_rate *out, const char *value)
{
    const char *s = number(value, true, UINT64_C(1) << 40, &out->per_second);

    if (s != NULL && strncmp(s, "/s", 2) == 0) {
        s += 2;
    }
    if (s != NULL && strncmp(s, " burst=", 7) == 0) {
        s = number(s + 7, true, UINT32_MAX, &out->burst);
        s = out->burst > 0 ? s : NULL;
    }
    return s != NULL && *s == '\0' && out->per_second > 0;
}

static bool read_date(int64_t *out, const char *value)
{
    uint64_t seconds = 0;
    const char *end = number(value, false, DATE_MAX, &seconds);

    *out = (int64_t)seconds;
    return end != NULL && *end == '\0' && seconds > 0;
}

static bool read_one(struct qms_answer *out, int which, const char *value)
{
    switch (which) {
    case AGENT:
        return read_agent(out, value);
    case SCOPES:
        return read_scopes(out, value);
    case LIMIT_STREAMS:
        return read_rate(&out->limits.streams, value);
    case LIMIT_BYTES:
        return read_rate(&out->limits.bytes, value);
    case LIMIT_DATAGRAMS:
        return read_rate(&out->limits.datagrams, value);
    case EXPIRES:
        return read_date(&out->expires_at, value);
    default:
        return false;
    }
}

static bool read_all(struct qms_answer *out, const struct qms_answer_header *headers,
                     size_t count)
{
    unsigned seen = 0;

    for (size_t i = 0; i < count; i++) {
        int which = 0;
        if (strncasecmp(headers[i].name, prefix, sizeof(prefix) - 1) != 0) {
            continue;
        }
        while (which < COUNT &&
               strcasecmp(headers[i].name + sizeof(prefix) - 1, names[which]) != 0) {
            which++;
        }
        if (which == COUNT || (seen >> which & 1) != 0 ||
            !read_one(out, which, headers[i].value)) {
            return false;
        }
        seen |= 1u << which;
    }
    return true;
}

void qms_answer_read(struct qms_answer *out, int status,
                     const struct qms_answer_header *headers, size_t count)
{
    *out = (struct qms_answer){.kind = status == 401 || status == 403 ? QMS_ANSWER_NO
                                                                      : QMS_ANSWER_FAILED};
    if (status < 200 || status > 299) {
        return;
    }
    out->kind = QMS_ANSWER_YES;
    if (count > QMS_ANSWER_HEADERS_MAX || !read_all(out, headers, count)) {
        *out = (struct qms_answer){.kind = QMS_ANSWER_BAD};
    }
}
