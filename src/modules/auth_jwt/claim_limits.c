/* SPDX-License-Identifier: MIT */
#include "claim_limits.h"

#include <string.h>

static bool amount(const json_t *value, json_int_t max, uint64_t *out)
{
    json_int_t n = json_integer_value(value);

    *out = (uint64_t)n;
    return json_is_integer(value) && n > 0 && n <= max;
}

/* A number of units a second, or {"rate": ..., "burst": ...}. */
static bool rate(struct qms_limit_rate *out, json_t *value)
{
    const char *key;
    json_t *member;
    bool good = true;

    if (!json_is_object(value)) {
        return amount(value, QMS_CLAIM_RATE_MAX, &out->per_second);
    }
    json_object_foreach(value, key, member)
    {
        if (strcmp(key, "rate") == 0) {
            good = good && amount(member, QMS_CLAIM_RATE_MAX, &out->per_second);
        } else if (strcmp(key, "burst") == 0) {
            good = good && amount(member, QMS_CLAIM_BURST_MAX, &out->burst);
        } else {
            good = false;
        }
    }
    return good && out->per_second > 0;
}

const char *qms_claim_limits_read(struct qms_limits *out, const json_t *claim)
{
    struct qms_limits limits = {{0, 0}, {0, 0}, {0, 0}};
    const char *key;
    json_t *member;
    bool good = true;

    if (claim == NULL) {
        return NULL;
    }
    if (!json_is_object(claim)) {
        return "bad_claims";
    }
    json_object_foreach((json_t *)claim, key, member)
    {
        struct qms_limit_rate *to = strcmp(key, "streams") == 0     ? &limits.streams
                                    : strcmp(key, "bytes") == 0     ? &limits.bytes
                                    : strcmp(key, "datagrams") == 0 ? &limits.datagrams
                                                                    : NULL;
        good = good && to != NULL && rate(to, member);
    }
    if (!good) {
        return "bad_claims";
    }
    *out = limits;
    return NULL;
}
