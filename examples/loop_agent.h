/* SPDX-License-Identifier: MIT */
/* The same small agent for every loop: asks TARGET ten times, one question after the other. */
#ifndef QUICMS_EXAMPLE_LOOP_AGENT_H
#define QUICMS_EXAMPLE_LOOP_AGENT_H

#include "common.h"

struct loop_agent {
    struct qms_client *client;
    struct qms_options *options;
    struct qms_connection *c;
    enum qms_kind kind;
    const char *name;
    unsigned asked;
    bool done; /* the loop may end */
};

/** Arguments URL PIN TOKEN TARGET; ends the program when they are wrong. */
void loop_agent_start(struct loop_agent *a, int argc, char **argv);
void loop_agent_end(struct loop_agent *a);

#endif
