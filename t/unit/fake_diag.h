/* SPDX-License-Identifier: MIT */
/* The core's qms_diag_error and qms_diag_route_kinds, for tests of a module alone. */
#ifndef QMS_T_FAKE_DIAG_H
#define QMS_T_FAKE_DIAG_H

#include <quicms/module.h>

/** The last sentence. */
extern char diag_text[512];
/** What qms_diag_route_kinds says. */
extern unsigned diag_route_kinds;

#endif
