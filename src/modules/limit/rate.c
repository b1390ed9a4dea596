/* SPDX-License-Identifier: MIT */
#include "rate.h"

#include <string.h>

#include "base/near.h"

/* Amounts below 2^32 and rates below 2^40 keep every product within 64 bits. */
#define AMOUNT_MAX UINT32_MAX
#define RATE_MAX   (UINT64_C(1) << 40)

/* A number with k, m or g behind it, up to `end`. */
static bool amount(const char *s, const char *end, uint64_t max, uint64_t *out)
{
    uint64_t n = 0, unit = 1;
    const char *p = s;

    for (; p < end && *p >= '0' && *p <= '9' && n <= max; p++) {
        n = n * 10 + (uint64_t)(*p - '0');
    }
    if (p == s) {
        return false;
    }
    if (p < end) {
        unit = *p == 'k'   ? UINT64_C(1) << 10
               : *p == 'm' ? UINT64_C(1) << 20
               : *p == 'g' ? UINT64_C(1) << 30
                           : 0;
        p++;
    }
    if (p != end || unit == 0 || n == 0 || n > max / unit) {
        return false;
    }
    *out = n * unit;
    return true;
}

bool qms_rate_amount(const char *text, uint64_t max, uint64_t *out)
{
    return amount(text, text + strlen(text), max, out);
}

qms_err qms_rate_parse(struct qms_rate *out, const char *name, int argc,
                       const char *const *argv, struct qms_diag *diag)
{
    struct qms_rate r = {.set = true, .burst = 1};
    const char *end = argv[0] + strlen(argv[0]);
    static const char *const words[] = {"burst=", NULL};
    char hint[QMS_NEAR_HINT_MAX];

    if (strcmp(argv[0], "off") == 0) {
        *out = r;
        if (argc > 1) {
            qms_diag_error(diag, "\"%s off\" takes nothing more.", name);
        }
        return argc > 1 ? QMS_E_CONFIG : QMS_OK;
    }
    if (end - argv[0] > 2 && strcmp(end - 2, "/s") == 0) {
        end -= 2;
    }
    if (!amount(argv[0], end, RATE_MAX, &r.per_second)) {
        qms_diag_error(diag,
                       "\"%s\" of \"%s\" is no rate; write off, or a number like 200/s "
                       "or 20m/s.",
                       argv[0], name);
        return QMS_E_CONFIG;
    }
    r.burst = r.per_second < AMOUNT_MAX ? r.per_second : AMOUNT_MAX;
    if (argc > 1 && (strncmp(argv[1], "burst=", 6) != 0 ||
                     !amount(argv[1] + 6, argv[1] + strlen(argv[1]), AMOUNT_MAX, &r.burst))) {
        qms_diag_error(diag, "\"%s\" of \"%s\" is no burst; write it like burst=400.%s",
                       argv[1], name, qms_near_hint(argv[1], words, hint, sizeof(hint)));
        return QMS_E_CONFIG;
    }
    *out = r;
    return QMS_OK;
}

struct qms_rate qms_rate_of(uint64_t per_second, uint64_t burst)
{
    struct qms_rate r = {.per_second = per_second < RATE_MAX ? per_second : RATE_MAX,
                         .set = true};

    burst = burst != 0 ? burst : r.per_second;
    r.burst = burst < AMOUNT_MAX ? burst : AMOUNT_MAX;
    return r;
}

/* Time that `n` costs, rounded up. */
static qms_time cost(const struct qms_rate *r, uint64_t n)
{
    n = n < AMOUNT_MAX ? n : AMOUNT_MAX;
    return (n * QMS_SECOND + r->per_second - 1) / r->per_second;
}

static uint64_t load(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static bool swap(uint64_t *p, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(p, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

bool qms_rate_take(const struct qms_rate *r, uint64_t *paid_at, uint64_t n, qms_time now,
                   qms_time *retry_at)
{
    uint64_t old, from;

    if (r->per_second == 0) {
        return true;
    }
    /* More than the burst would never fit, so it only waits for an idle agent. */
    qms_time slack = cost(r, r->burst) - cost(r, n < r->burst ? n : r->burst);
    do {
        old = load(paid_at);
        from = old > now ? old : now;
        if (from - now > slack) {
            *retry_at = from - slack;
            return false;
        }
    } while (!swap(paid_at, old, from + cost(r, n)));
    return true;
}

qms_time qms_rate_charge(const struct qms_rate *r, uint64_t *paid_at, uint64_t n, qms_time now)
{
    uint64_t old, paid;

    if (r->per_second == 0) {
        return 0;
    }
    do {
        old = load(paid_at);
        paid = (old > now ? old : now) + cost(r, n);
    } while (!swap(paid_at, old, paid));

    qms_time allowed = cost(r, r->burst);
    return paid - now > allowed ? paid - allowed : 0;
}
