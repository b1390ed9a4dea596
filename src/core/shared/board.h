/* SPDX-License-Identifier: MIT */
/* The board: one part of shared memory for each worker slot, with its counters and its tally. A
 * worker can write its own part and read the others', so each of them can answer for all. */
#ifndef QMS_CORE_SHARED_BOARD_H
#define QMS_CORE_SHARED_BOARD_H

#include "core/shared/stats.h"
#include "core/shared/tally.h"

struct qms_board_page {
    struct qms_stats_page stats;
    uint64_t pid;        /* of the process in the slot; 0: it is vacant */
    uint64_t generation; /* of that process */
    uint64_t started_at; /* wall seconds */
    uint64_t starts;     /* processes that the slot has had */
};

struct qms_board;

/** In the master.  QMS_E_IO (errno): NULL. */
struct qms_board *qms_board_new(size_t slots);
int qms_board_fd(const struct qms_board *board);
/** One of another binary of the same layout, by its descriptor.  NULL: out of memory. */
struct qms_board *qms_board_adopt(size_t slots, int fd);
/** In a freshly forked worker: from now on only the page of `slot` can be written.  Takes the
 * page over from the process before.  NULL: errno. */
struct qms_board_page *qms_board_take(struct qms_board *board, size_t slot,
                                      uint32_t generation);
/** In the master: the slot's worker has left and nobody follows.  What it counted stays. */
void qms_board_vacate(struct qms_board *board, size_t slot);
/** In a worker: slots below this have pages that somebody has written; 0 at first. */
size_t qms_board_slots(const struct qms_board *board);
void qms_board_grow(struct qms_board *board, size_t slots);
const struct qms_board_page *qms_board_page(const struct qms_board *board, size_t slot);
/** That of a slot, and of this worker, whose is empty at first. */
const struct qms_tally *qms_board_tally(const struct qms_board *board, size_t slot);
struct qms_tally *qms_board_own_tally(const struct qms_board *board);
/** Bytes of a slot's part, for those who compare layouts. */
size_t qms_board_part_size(void);
void qms_board_free(struct qms_board *board); /* takes NULL */

#endif
