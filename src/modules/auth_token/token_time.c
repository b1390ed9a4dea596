/* SPDX-License-Identifier: MIT */
/* Instants as people write them (ISO 8601, the part of it that is unambiguous). */
#include "token_file.h"

/* Year 9999. */
#define EPOCH_MAX INT64_C(253402300799)

/* Exactly `count` digits at *s; -1 when there are not so many. */
static int digits(const char **s, unsigned count)
{
    int n = 0;

    for (; count > 0; count--, (*s)++) {
        if (**s < '0' || **s > '9') {
            return -1;
        }
        n = n * 10 + (**s - '0');
    }
    return n;
}

static bool skip(const char **s, char c)
{
    if (**s != c) {
        return false;
    }
    (*s)++;
    return true;
}

static bool leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && leap(year) ? 1 : 0);
}

static bool read_date(const char **s, int64_t *out)
{
    int year = digits(s, 4);
    int month = year >= 1970 && skip(s, '-') ? digits(s, 2) : -1;
    int day = month >= 1 && month <= 12 && skip(s, '-') ? digits(s, 2) : -1;
    int64_t total = day - 1;

    if (day < 1 || day > days_in(year, month)) {
        return false;
    }
    for (int y = 1970; y < year; y++) {
        total += leap(y) ? 366 : 365;
    }
    for (int m = 1; m < month; m++) {
        total += days_in(year, m);
    }
    *out = total * 86400;
    return true;
}

static bool read_clock(const char **s, int64_t *out)
{
    int hour = digits(s, 2);
    int minute = hour >= 0 && hour < 24 && skip(s, ':') ? digits(s, 2) : -1;
    int second = minute >= 0 && minute < 60 && skip(s, ':') ? digits(s, 2) : -1;

    *out += hour * 3600 + minute * 60 + second;
    return second >= 0 && second < 60;
}

static bool read_zone(const char **s, int64_t *out)
{
    if (**s == '\0' || skip(s, 'Z')) {
        return true;
    }
    int sign = skip(s, '+') ? -1 : skip(s, '-') ? 1 : 0;
    int hour = sign != 0 ? digits(s, 2) : -1;
    int minute = hour >= 0 && hour < 24 && skip(s, ':') ? digits(s, 2) : -1;

    *out += sign * (hour * 3600 + minute * 60);
    return minute >= 0 && minute < 60;
}

static bool read_epoch(const char *s, int64_t *out)
{
    int64_t n = 0;

    for (; *s >= '0' && *s <= '9' && n <= EPOCH_MAX; s++) {
        n = n * 10 + (*s - '0');
    }
    *out = n;
    return *s == '\0' && n > 0 && n <= EPOCH_MAX;
}

bool qms_token_time(const char *s, int64_t *out)
{
    if (read_epoch(s, out)) {
        return true;
    }
    return read_date(&s, out) &&
           (*s == '\0' || (skip(&s, 'T') && read_clock(&s, out) && read_zone(&s, out))) &&
           *s == '\0';
}
