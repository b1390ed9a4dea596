/* SPDX-License-Identifier: MIT */
/* Zones: named memory that all workers share and that outlives each of them.
 *
 * A configuration declares zones while it is built (qms_zone_declare, quicms/module.h).  The
 * master then gives each declaration its memory: that of the configuration before, when name
 * and size are the same, else fresh memory, all zero.  Workers inherit it by fork, and get by
 * descriptor what a reload adds.  So what stands in a zone stays over reloads, crashes and
 * upgrades, and is gone when a configuration without the zone is in force everywhere.
 *
 * A worker can die between any two stores, and none is ever waited for: users keep to atomics
 * on words of the zone, and every state that a dead worker may leave behind must be a good one.
 */
#ifndef QMS_CORE_CONF_ZONE_H
#define QMS_CORE_CONF_ZONE_H

#include "core/conf/conf.h"

/** Most zones of a configuration. */
#define QMS_ZONES_MAX 64

struct qms_zone_memory; /* one piece of shared memory, counted by the declarations it serves */

/* A declaration.  Lives in the configuration's arena; qms_conf.zones is the first. */
struct qms_zone {
    const char *name;
    size_t size;
    struct qms_zone_memory *memory; /* NULL: not given yet */
    struct qms_zone *next;
};

/** Master: gives every zone of `conf` its memory; that of `from` (may be NULL) where name and
 * size agree.  QMS_E_IO, QMS_E_NOMEM: diag says why; what was given stays until
 * qms_zones_drop. */
QMS_MUST_CHECK qms_err qms_zones_give(struct qms_conf *conf, const struct qms_conf *from,
                                      struct qms_diag *diag);
/** Master: gives the zone of that name and size the memory behind a descriptor, a duplicate of
 * which it keeps; the other stays the caller's.  Nothing when there is no such zone.  QMS_E_IO
 * (errno): it is no zone of that size. */
QMS_MUST_CHECK qms_err qms_zone_adopt(struct qms_conf *conf, const char *name, size_t size,
                                      int fd);
/** The descriptors of all zones, in the order of their declarations, which depends on the text
 * of the configuration only; at most QMS_ZONES_MAX.  They stay the zones'.  In the master. */
size_t qms_zones_fds(const struct qms_conf *conf, int *fds);
/** Worker: the same zones of a configuration that the master handed on, by descriptors that
 * stay the caller's.  What `from` has mapped already is not mapped again.  QMS_E_PROTOCOL,
 * QMS_E_IO, QMS_E_NOMEM: diag says why. */
QMS_MUST_CHECK qms_err qms_zones_take(struct qms_conf *conf, const struct qms_conf *from,
                                      const int *fds, size_t count, struct qms_diag *diag);
/** In a freshly forked worker: closes the descriptors, the memory stays. */
void qms_zones_keep(struct qms_conf *conf);
/** Lets go of the memory; with its last declaration it is unmapped.  Part of qms_conf_unref. */
void qms_zones_drop(struct qms_conf *conf);
/** Its memory by name; NULL: there is no such zone, or it has none yet. */
void *qms_zones_find(const struct qms_conf *conf, const char *name, size_t *size);

#endif
