/* SPDX-License-Identifier: MIT */
/* Scalars and small structs that every public header shares. */
#ifndef QUICMS_TYPES_H
#define QUICMS_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <quicms/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Monotonic time in nanoseconds since an arbitrary start; never wall time. */
typedef uint64_t qms_time;
#define QMS_SECOND      ((qms_time)1000000000)
#define QMS_MILLISECOND ((qms_time)1000000)
#define QMS_MICROSECOND ((qms_time)1000)
/** "Never": the instant that no clock reaches. */
#define QMS_NEVER ((qms_time)UINT64_MAX)

/** Bytes that someone else owns; valid only as long as the lender says. */
struct qms_bytes {
    const uint8_t *data; /* may be NULL when len is 0 */
    size_t len;
};

/** Named urgencies (doc/wire.md section 3); any value 0..255 is allowed, 255 is most urgent. */
enum qms_priority {
    QMS_PRIORITY_BACKGROUND = 0,
    QMS_PRIORITY_LOW = 64,
    QMS_PRIORITY_NORMAL = 128,
    QMS_PRIORITY_HIGH = 192,
    QMS_PRIORITY_CRITICAL = 255
};

/** What a target name means (doc/wire.md section 3, field Kind). */
enum qms_kind {
    QMS_KIND_SELF = 0,
    QMS_KIND_AGENT = 1,
    QMS_KIND_GROUP = 2,
    QMS_KIND_TOPIC = 3,
    QMS_KIND_SERVICE = 4
};

/** Longest agent id, group, topic or service name, in bytes. */
#define QMS_NAME_MAX 128

#ifdef __cplusplus
}
#endif
#endif
