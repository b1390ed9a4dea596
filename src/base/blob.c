/* SPDX-License-Identifier: MIT */
/* Blobs, and the bounded free list that chunks of the data path come from and go back to.
 *
 * The list and the sum of all capacities are the only things that blobs share.  A program may
 * run one client in each of several threads, so both are safe to use from any of them; who
 * finds the list taken goes to the allocator instead of waiting.
 */
#include "base/blob.h"

#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"

/* Chunks kept for reuse: 4 MiB.  The address sanitizer sees a use after free only when nothing
 * is reused. */
#if defined(__SANITIZE_ADDRESS__)
#    define KEEP_MAX 0
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define KEEP_MAX 0
#    endif
#endif
#ifndef KEEP_MAX
#    define KEEP_MAX 256
#endif

struct wrapped {
    struct qms_blob blob;
    void (*release)(void *arg);
};

static struct {
    atomic_flag taken;
    struct qms_blob *first; /* linked through arg */
    unsigned count;
} kept = {.taken = ATOMIC_FLAG_INIT};

static atomic_size_t total;

static bool take(void)
{
    return !atomic_flag_test_and_set_explicit(&kept.taken, memory_order_acquire);
}

static void give(void)
{
    atomic_flag_clear_explicit(&kept.taken, memory_order_release);
}

static struct qms_blob *kept_pop(void)
{
    if (!take()) {
        return NULL;
    }
    struct qms_blob *blob = kept.first;
    if (blob != NULL) {
        kept.first = blob->arg;
        kept.count--;
    }
    give();
    return blob;
}

static bool kept_push(struct qms_blob *blob)
{
    if (!take()) {
        return false;
    }
    bool room = kept.count + 1 <= KEEP_MAX;
    if (room) {
        blob->arg = kept.first;
        kept.first = blob;
        kept.count++;
    }
    give();
    return room;
}

static void count_in(const struct qms_blob *blob)
{
    atomic_fetch_add_explicit(&total, blob->cap, memory_order_relaxed);
}

static void count_out(const struct qms_blob *blob)
{
    atomic_fetch_sub_explicit(&total, blob->cap, memory_order_relaxed);
}

static void release_own(struct qms_blob *blob)
{
    count_out(blob);
    if (blob->cap != QMS_BLOB_CHUNK || !kept_push(blob)) {
        qms_free(blob);
    }
}

static void release_wrapped(struct qms_blob *blob)
{
    struct wrapped *w = (struct wrapped *)blob;
    void (*release)(void *) = w->release;
    void *arg = blob->arg;

    count_out(blob);
    qms_free(w);
    if (release != NULL) {
        release(arg);
    }
}

struct qms_blob *qms_blob_new(size_t cap)
{
    if (cap > UINT32_MAX) {
        return NULL;
    }
    struct qms_blob *blob = cap == QMS_BLOB_CHUNK ? kept_pop() : NULL;
    if (blob == NULL) {
        blob = qms_realloc(NULL, sizeof(*blob) + cap);
    }
    if (blob == NULL) {
        return NULL;
    }
    *blob = (struct qms_blob){
        .refs = 1, .cap = (uint32_t)cap, .data = (uint8_t *)(blob + 1), .release = release_own};
    count_in(blob);
    return blob;
}

struct qms_blob *qms_blob_copy(struct qms_bytes bytes)
{
    struct qms_blob *blob = qms_blob_new(bytes.len);

    if (blob != NULL) {
        qms_blob_append(blob, bytes);
    }
    return blob;
}

struct qms_blob *qms_blob_wrap(struct qms_bytes bytes, void (*release)(void *arg), void *arg)
{
    if (bytes.len > UINT32_MAX) {
        return NULL;
    }
    struct wrapped *w = qms_calloc(1, sizeof(*w));
    if (w == NULL) {
        return NULL;
    }
    /* No room is left in it, so nobody ever writes through data. */
    w->blob = (struct qms_blob){.refs = 1,
                                .len = (uint32_t)bytes.len,
                                .cap = (uint32_t)bytes.len,
                                .data = (uint8_t *)(uintptr_t)bytes.data,
                                .release = release_wrapped,
                                .arg = arg};
    w->release = release;
    count_in(&w->blob);
    return &w->blob;
}

struct qms_blob *qms_blob_ref(struct qms_blob *blob)
{
    blob->refs++;
    return blob;
}

void qms_blob_unref(struct qms_blob *blob)
{
    if (blob != NULL && --blob->refs == 0) {
        blob->release(blob);
    }
}

size_t qms_blob_append(struct qms_blob *blob, struct qms_bytes bytes)
{
    size_t room = blob->cap - blob->len;
    size_t len = bytes.len < room ? bytes.len : room;

    if (len > 0) {
        memcpy(blob->data + blob->len, bytes.data, len);
        blob->len += (uint32_t)len;
    }
    return len;
}

size_t qms_blob_total(void)
{
    return atomic_load_explicit(&total, memory_order_relaxed);
}

void qms_blob_trim(void)
{
    struct qms_blob *blob;

    while ((blob = kept_pop()) != NULL) {
        qms_free(blob);
    }
}
