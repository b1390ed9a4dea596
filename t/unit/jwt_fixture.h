/* SPDX-License-Identifier: MIT */
/* The part of the core that auth_jwt needs, for tests of it alone. */
#ifndef QMS_T_JWT_FIXTURE_H
#define QMS_T_JWT_FIXTURE_H

#include <quicms/module.h>

/** The one file that qms_conf_read_file knows from now on. */
void fake_file(const char *path, const char *text, size_t len);
/** The last sentence given to qms_diag_error. */
const char *fake_diag(void);
/** What qms_peer_id answers. */
void fake_peer_id(const char *id);

#endif
