/* SPDX-License-Identifier: MIT */
#ifndef QMS_TOOLS_AGENT_LOOP_H
#define QMS_TOOLS_AGENT_LOOP_H

#include "agent.h"

/** Runs until the command has ended and the connection is closed. */
void agent_loop(struct agent *a);

#endif
