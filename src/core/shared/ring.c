/* SPDX-License-Identifier: MIT */
/* Indices run freely and are cut to the ring's size on use; each stands in a cache line of its
 * own.  The sleeping flags follow the pattern "set the flag, fence, look again" on one side and
 * "publish, fence, look at the flag" on the other, so one of the two always sees the other. */
#include "core/shared/ring.h"

#include <stdatomic.h>

#define LINE 64
#define MASK (QMS_RING_ENTRIES - 1)

struct qms_ring_shared {
    _Alignas(LINE) _Atomic uint32_t head; /* written by the writer */
    _Alignas(LINE) _Atomic uint32_t tail; /* written by the reader */
    _Alignas(LINE) _Atomic uint32_t asleep;
    _Atomic uint32_t starved, closed;
    _Alignas(LINE) struct qms_ring_entry entries[QMS_RING_ENTRIES];
};

_Static_assert(sizeof(struct qms_ring_entry) == 32, "two entries a cache line");
_Static_assert((QMS_RING_ENTRIES & MASK) == 0, "a power of two");

size_t qms_ring_size(void)
{
    return sizeof(struct qms_ring_shared);
}

/* ---- writer ---- */

static qms_err look_for_room(struct qms_ring_writer *w)
{
    uint32_t tail = atomic_load_explicit(&w->shared->tail, memory_order_acquire);

    if (w->head - tail > QMS_RING_ENTRIES) {
        return QMS_E_PROTOCOL;
    }
    w->tail = tail;
    return w->head - tail == QMS_RING_ENTRIES ? QMS_E_AGAIN : QMS_OK;
}

qms_err qms_ring_put(struct qms_ring_writer *w, const struct qms_ring_entry *e)
{
    if (w->head - w->tail == QMS_RING_ENTRIES) {
        qms_err err = look_for_room(w);
        if (err != QMS_OK) {
            return err;
        }
    }
    w->shared->entries[w->head & MASK] = *e;
    w->head++;
    atomic_store_explicit(&w->shared->head, w->head, memory_order_release);
    return QMS_OK;
}

/* A flag of the other side is cleared by whoever answers it. */
static bool take_flag(_Atomic uint32_t *flag)
{
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(flag, memory_order_relaxed) != 0 &&
           atomic_exchange_explicit(flag, 0, memory_order_acq_rel) != 0;
}

bool qms_ring_must_wake(struct qms_ring_writer *w)
{
    return take_flag(&w->shared->asleep);
}

bool qms_ring_await_room(struct qms_ring_writer *w)
{
    atomic_store_explicit(&w->shared->starved, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    if (look_for_room(w) == QMS_OK) {
        atomic_store_explicit(&w->shared->starved, 0, memory_order_relaxed);
        return false;
    }
    return true;
}

/* ---- reader ---- */

qms_err qms_ring_get(struct qms_ring_reader *r, struct qms_ring_entry *e)
{
    uint32_t head = atomic_load_explicit(&r->shared->head, memory_order_acquire);

    if (head == r->tail) {
        return QMS_E_AGAIN;
    }
    if (head - r->tail > QMS_RING_ENTRIES) {
        return QMS_E_PROTOCOL;
    }
    *e = r->shared->entries[r->tail & MASK];
    r->tail++;
    atomic_store_explicit(&r->shared->tail, r->tail, memory_order_release);
    return QMS_OK;
}

bool qms_ring_sleep(struct qms_ring_reader *r)
{
    atomic_store_explicit(&r->shared->asleep, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&r->shared->head, memory_order_acquire) != r->tail) {
        atomic_store_explicit(&r->shared->asleep, 0, memory_order_relaxed);
        return false;
    }
    return true;
}

bool qms_ring_room_awaited(struct qms_ring_reader *r)
{
    return take_flag(&r->shared->starved);
}

/* ---- the end ---- */

void qms_ring_close(struct qms_ring_shared *shared)
{
    atomic_store_explicit(&shared->closed, 1, memory_order_release);
}

bool qms_ring_closed(const struct qms_ring_shared *shared)
{
    return atomic_load_explicit(&shared->closed, memory_order_acquire) != 0;
}
