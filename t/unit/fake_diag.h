/* SPDX-License-Identifier: MIT */
/* The core's qms_diag_error, for tests of a module alone. */
#ifndef QMS_T_FAKE_DIAG_H
#define QMS_T_FAKE_DIAG_H

#include <quicms/module.h>

/** The last sentence. */
extern char diag_text[512];

#endif
