/* SPDX-License-Identifier: MIT */
/* `limits_zone` and `rate`: buckets that all workers share, by a key that the operator chooses.
 *
 *     limits_zone per_agent key=$agent size=10m;
 *     rate zone=per_agent opens=200/s burst=400 bytes=20m/s;
 */
#ifndef QMS_MODULES_LIMIT_RULE_H
#define QMS_MODULES_LIMIT_RULE_H

#include <quicms/module.h>

#include "rate.h"

/* Zones of a configuration, rates of a block. */
#define QMS_LIMIT_ZONES_MAX 32
#define QMS_LIMIT_RULES_MAX 8

/* What a bucket belongs to; several may be joined. */
enum qms_limit_key {
    QMS_LIMIT_BY_AGENT = 1,
    QMS_LIMIT_BY_ADDRESS = 2, /* IPv6: limit_ipv6_prefix */
    QMS_LIMIT_BY_TARGET = 4,  /* kind and name */
    QMS_LIMIT_BY_ROUTE = 8    /* the block in which the `rate` stands */
};

struct qms_limit_zone {
    const char *name;
    unsigned keys; /* enum qms_limit_key bits */
    struct qms_zone *memory;
};
struct qms_limit_zones {
    size_t count;
    struct qms_limit_zone zones[QMS_LIMIT_ZONES_MAX];
};

enum qms_limit_what {
    QMS_LIMIT_OPENS,
    QMS_LIMIT_BYTES,
    QMS_LIMIT_DATAGRAMS,
    QMS_LIMIT_HANDSHAKES,
    QMS_LIMIT_WHATS
};

struct qms_limit_rule {
    const char *zone_name;
    const struct qms_limit_zone *zone; /* set by qms_limit_rule_bind */
    uint64_t place;                    /* tells the directive from others */
    struct qms_rate rates[QMS_LIMIT_WHATS];
    bool dry_run;
};

/** Adds a zone and declares its memory.  QMS_E_CONFIG, diag filled. */
QMS_MUST_CHECK qms_err qms_limit_zone_parse(struct qms_limit_zones *zones, int argc,
                                            const char *const *argv, struct qms_diag *diag);
/** Reads "zone=NAME", then what is limited, each with its burst, and "dry_run". */
QMS_MUST_CHECK qms_err qms_limit_rule_parse(struct qms_limit_rule *out, int argc,
                                            const char *const *argv, struct qms_diag *diag);
/** Finds the zone, and whether its key goes with what is limited. */
QMS_MUST_CHECK qms_err qms_limit_rule_bind(struct qms_limit_rule *rule,
                                           const struct qms_limit_zones *zones,
                                           struct qms_diag *diag);

#endif
