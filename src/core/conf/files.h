/* SPDX-License-Identifier: MIT */
/* Every file that a configuration reads, by one door.  From disk the bytes are kept; packed
 * they are all there is.  So a worker sees exactly what the master checked. */
#ifndef QMS_CORE_CONF_FILES_H
#define QMS_CORE_CONF_FILES_H

#include "core/conf/arena.h"
#include "core/conf/conf.h"

/** Largest file read, in bytes. */
#define QMS_CONF_FILE_MAX ((size_t)16 << 20)

enum qms_conf_file_kind {
    QMS_CONF_FILE_TEXT = 1,     /* name: absolute path; data: content */
    QMS_CONF_FILE_GLOB = 2,     /* name: pattern; data: matching paths, each ended by NUL */
    QMS_CONF_FILE_IDENTITY = 3, /* name: of the tls block; data: see pack.c */
    QMS_CONF_FILE_ADDRESS = 4   /* name: of a host; data: its address as text */
};

struct qms_conf_file {
    enum qms_conf_file_kind kind;
    const char *name;
    struct qms_bytes data; /* a NUL stands behind */
    struct qms_conf_file *next;
};

struct qms_conf_files {
    struct qms_conf_file *first, **last;
    bool packed; /* the disk is out of reach */
    struct qms_arena *arena;
};

/** In the arena; NULL when memory is out. */
struct qms_conf_files *qms_conf_files_new(struct qms_arena *arena, bool packed);
/** Keeps a copy.  QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_conf_files_add(struct qms_conf_files *f,
                                          enum qms_conf_file_kind kind, const char *name,
                                          struct qms_bytes data);
/** NULL when absent. */
const struct qms_conf_file *qms_conf_files_find(const struct qms_conf_files *f,
                                                enum qms_conf_file_kind kind, const char *name);
/** Content of an absolute path; qms_conf_read_file without the resolving of relative ones. */
QMS_MUST_CHECK qms_err qms_conf_files_read(struct qms_conf_files *f, const char *path,
                                           struct qms_diag *diag, struct qms_bytes *out);
/** Paths that match a pattern, sorted, each ended by NUL; no match is an empty answer.
 * QMS_E_CONFIG: diag says why. */
QMS_MUST_CHECK qms_err qms_conf_files_glob(struct qms_conf_files *f, const char *pattern,
                                           struct qms_diag *diag, struct qms_bytes *out);
/** `path` itself when absolute, else below `base`, in the arena; NULL when memory is out. */
const char *qms_conf_path(struct qms_arena *arena, const char *base, const char *path);

#endif
