/* SPDX-License-Identifier: MIT */
#include "core/broker/elsewhere.h"

#include "core/shared/board.h"
#include "core/shared/mesh.h"

void qms_elsewhere_tell(struct qms_broker *b, uint64_t key, uint64_t count)
{
    if (b->mesh != NULL && b->board != NULL) {
        (void)qms_tally_set(qms_board_own_tally(b->board), key, count);
    }
}

uint64_t qms_elsewhere_count(const struct qms_broker *b, uint64_t key)
{
    size_t slots = b->mesh != NULL && b->board != NULL ? qms_board_slots(b->board) : 0;
    uint64_t sum = 0;

    for (size_t i = 0; i < slots; i++) {
        if (qms_mesh_is_up(b->mesh, (unsigned)i)) { /* this worker's own is not */
            sum += qms_tally_get(qms_board_tally(b->board, i), key);
        }
    }
    return sum;
}
