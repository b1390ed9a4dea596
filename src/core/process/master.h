/* SPDX-License-Identifier: MIT */
/* The master process: reads the configuration, opens the sockets, starts workers and looks
 * after them.  It reads no byte from the network. */
#ifndef QMS_CORE_PROCESS_MASTER_H
#define QMS_CORE_PROCESS_MASTER_H

#include "core/conf/conf.h"

/** The whole life of the broker.  `argv`: as this program was run, for the binary that takes
 * its place.  Returns the exit status: 0 after an orderly end, 1 with a sentence on standard
 * error (or in the log, once that is open). */
int qms_master_run(const char *file, const struct qms_conf_env *env, char *const *argv);

#endif
