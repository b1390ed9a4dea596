/* SPDX-License-Identifier: MIT */
/* A broker with an agent that opens streams to a room, and the agents in that room. */
#ifndef BROKER_ROOM_WORLD_H
#define BROKER_ROOM_WORLD_H

#include <stdio.h>
#include <stdlib.h>

#include "qms_test.h"
#include "test_broker_fixture.h"

#define WINDOW 65536 /* of a stream, unless the configuration says otherwise */

struct world {
    struct broker_fixture f;
    struct agent *a, *m[8]; /* "alice", who opens; the members */
};

static inline int setup(void **state)
{
    *state = calloc(1, sizeof(struct world));
    assert_non_null(*state);
    return 0;
}

static inline int teardown(void **state)
{
    struct world *w = *state;

    fixture_stop(&w->f);
    free(w);
    return 0;
}

/* Members PREFIX0, PREFIX1, ... of the room. */
static inline void world_begin(struct world *w, const char *quic, enum qms_kind kind,
                               const char *room, const char *prefix, unsigned members)
{
    char id[16];

    fixture_start(&w->f, quic, NULL);
    w->a = agent_connect(&w->f, "alice", NULL);
    for (unsigned i = 0; i < members; i++) {
        snprintf(id, sizeof(id), "%s%u", prefix, i);
        w->m[i] = agent_connect(&w->f, id, NULL);
        assert_int_equal(agent_join(w->m[i], kind, room), QMS_CODE_OK);
    }
}

#endif
