/* SPDX-License-Identifier: MIT */
/* A worker maps the whole board by a descriptor that was opened for reading, and its own page
 * by one for writing, and closes both: what it cannot write now it can never write. */
#include "core/shared/board.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define PAGE           4096
#define WHOLE_PAGES(n) (((n) + PAGE - 1) / PAGE * PAGE)
/* A part: the counters, and from the next page on the tally. */
#define TALLY_AT   WHOLE_PAGES(sizeof(struct qms_board_page))
#define TALLY_SIZE WHOLE_PAGES(sizeof(struct qms_tally))
#define WHOLE      (TALLY_AT + TALLY_SIZE)

struct qms_board {
    size_t slots, own_slot, written;
    int fd;
    const uint8_t *all; /* read-only, or NULL in the master */
    struct qms_board_page *own;
};

struct qms_board *qms_board_new(size_t slots)
{
    struct qms_board *board = qms_calloc(1, sizeof(*board));

    if (board == NULL) {
        return NULL;
    }
    board->slots = slots;
    board->fd = memfd_create("quicms-board", MFD_CLOEXEC);
    if (board->fd < 0 || ftruncate(board->fd, (off_t)(slots * WHOLE)) != 0) {
        qms_board_free(board);
        return NULL;
    }
    return board;
}

int qms_board_fd(const struct qms_board *board)
{
    return board->fd;
}

struct qms_board *qms_board_adopt(size_t slots, int fd)
{
    struct qms_board *board = qms_calloc(1, sizeof(*board));

    if (board != NULL) {
        board->slots = slots;
        board->fd = fd;
    }
    return board;
}

static const uint8_t *map_all(const struct qms_board *board)
{
    char path[40];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", board->fd);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *at =
        fd >= 0 ? mmap(NULL, board->slots * WHOLE, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0) {
        close(fd);
    }
    return at == MAP_FAILED ? NULL : at;
}

static struct qms_board_page *map_page(const struct qms_board *board, size_t slot)
{
    void *at =
        mmap(NULL, WHOLE, PROT_READ | PROT_WRITE, MAP_SHARED, board->fd, (off_t)(slot * WHOLE));

    return at == MAP_FAILED ? NULL : at;
}

void qms_board_vacate(struct qms_board *board, size_t slot)
{
    struct qms_board_page *page = map_page(board, slot);

    if (page != NULL) {
        qms_stats_restart(&page->stats);
        page->pid = 0;
        (void)munmap(page, WHOLE);
    }
}

struct qms_board_page *qms_board_take(struct qms_board *board, size_t slot, uint32_t generation)
{
    board->all = map_all(board);
    struct qms_board_page *own = map_page(board, slot);
    if (own == NULL || board->all == NULL) {
        return NULL;
    }
    close(board->fd);
    board->fd = -1;
    board->own = own;
    /* What the process before has told counts no more. */
    if (madvise((uint8_t *)own + TALLY_AT, TALLY_SIZE, MADV_REMOVE) != 0) {
        memset((uint8_t *)own + TALLY_AT, 0, TALLY_SIZE);
    }
    board->own_slot = slot;
    qms_stats_restart(&board->own->stats);
    board->own->pid = (uint64_t)getpid();
    board->own->generation = generation;
    board->own->started_at = (uint64_t)qms_clock_wall();
    board->own->starts++;
    return board->own;
}

size_t qms_board_slots(const struct qms_board *board)
{
    return board->written;
}

/* Looking at a page that nobody has written would make it take memory. */
void qms_board_grow(struct qms_board *board, size_t slots)
{
    if (slots > board->written && slots <= board->slots) {
        board->written = slots;
    }
}

const struct qms_board_page *qms_board_page(const struct qms_board *board, size_t slot)
{
    return (const struct qms_board_page *)(const void *)(board->all + slot * WHOLE);
}

const struct qms_tally *qms_board_tally(const struct qms_board *board, size_t slot)
{
    return (const struct qms_tally *)(const void *)(board->all + slot * WHOLE + TALLY_AT);
}

struct qms_tally *qms_board_own_tally(const struct qms_board *board)
{
    return (struct qms_tally *)(void *)((uint8_t *)board->own + TALLY_AT);
}

size_t qms_board_part_size(void)
{
    return WHOLE;
}

void qms_board_free(struct qms_board *board)
{
    if (board == NULL) {
        return;
    }
    if (board->fd >= 0) {
        close(board->fd);
    }
    if (board->all != NULL) {
        (void)munmap((void *)(uintptr_t)board->all, board->slots * WHOLE);
    }
    if (board->own != NULL) {
        (void)munmap(board->own, WHOLE);
    }
    qms_free(board);
}
