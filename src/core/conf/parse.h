/* SPDX-License-Identifier: MIT */
/* A configuration text as a tree of directives, not yet looked up in any table. */
#ifndef QMS_CORE_CONF_PARSE_H
#define QMS_CORE_CONF_PARSE_H

#include "core/conf/files.h"

/** Most arguments of one directive, deepest blocks, deepest includes, most directives. */
#define QMS_CONF_ARGS_MAX    64
#define QMS_CONF_DEPTH_MAX   16
#define QMS_CONF_INCLUDE_MAX 16
#define QMS_CONF_ITEMS_MAX   100000

struct qms_conf_item {
    const char *name;
    const char *const *argv; /* without the name */
    int argc;
    const char *file; /* as shown to people */
    unsigned line;
    bool global; /* from -g */
    bool block;
    struct qms_conf_item *children, *next;
};

/** Parses `path` (absolute) with everything it includes; relative includes start at the folder
 * of `path`.  `globals` (may be NULL) comes first, shown as "-g".  Items live in the arena of
 * `files`.  QMS_E_CONFIG, QMS_E_NOMEM: diag says why. */
QMS_MUST_CHECK qms_err qms_conf_parse(struct qms_conf_files *files, const char *path,
                                      const char *globals, struct qms_diag *diag,
                                      struct qms_conf_item **out);

#endif
