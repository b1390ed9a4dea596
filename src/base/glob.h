/* SPDX-License-Identifier: MIT */
/* Patterns of names. */
#ifndef QMS_BASE_GLOB_H
#define QMS_BASE_GLOB_H

#include <quicms/types.h>

/** Whether the whole name fits the pattern, in which `*` stands for any run of characters. */
bool qms_glob_match(const char *pattern, struct qms_bytes name);

#endif
