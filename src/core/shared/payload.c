/* SPDX-License-Identifier: MIT */
/* The file begins with a few wide chunks, for what does not fit into the ordinary ones that
 * follow.  Chunks are taken from a list of freed ones first, so memory that was touched once is
 * used again; what is free beyond a bound is given back to the system. */
#include "core/shared/payload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define WIDE_COUNT 256
#define WIDE_BYTES ((size_t)WIDE_COUNT * QMS_PAYLOAD_WIDE)
#define USUAL_MIN  ((uint64_t)64 << 20)
#define USUAL_MAX  ((uint64_t)16 << 30)
#define SEALS      (F_SEAL_SHRINK | F_SEAL_GROW)
/* Touched chunks kept for reuse: 4 MiB. */
#define KEEP_MAX 256

_Static_assert(WIDE_BYTES % QMS_BLOB_CHUNK == 0, "ordinary chunks are aligned");

struct chunk {
    struct qms_payload *owner;
    struct qms_blob *blob; /* NULL: free */
    uint32_t next;         /* free: the next free one */
    bool cold;             /* free: its memory was given back */
    uint32_t lent[QMS_SLOTS_MAX];
};

struct class
{
    uint32_t first, count, fresh; /* fresh: how many were ever used */
    uint32_t freed;               /* head of the list of freed ones */
};

struct qms_payload {
    uint8_t *base;
    size_t size;
    struct chunk *chunks;
    struct class wide, usual;
    size_t used, warm; /* warm: free chunks whose memory is there */
    bool over;         /* freed by its owner; blobs remain */
};

struct qms_payload_view {
    const uint8_t *base;
    size_t size;
    unsigned refs;
};

/* ---- the layout, the same for owner and readers ---- */

static uint32_t chunk_count(size_t size)
{
    return (uint32_t)(WIDE_COUNT + (size - WIDE_BYTES) / QMS_BLOB_CHUNK);
}

static size_t chunk_size(uint32_t chunk)
{
    return chunk < WIDE_COUNT ? QMS_PAYLOAD_WIDE : QMS_BLOB_CHUNK;
}

static size_t chunk_at(uint32_t chunk)
{
    return chunk < WIDE_COUNT ? (size_t)chunk * QMS_PAYLOAD_WIDE
                              : WIDE_BYTES + (size_t)(chunk - WIDE_COUNT) * QMS_BLOB_CHUNK;
}

static uint32_t chunk_of(size_t at)
{
    return (uint32_t)(at < WIDE_BYTES ? at / QMS_PAYLOAD_WIDE
                                      : WIDE_COUNT + (at - WIDE_BYTES) / QMS_BLOB_CHUNK);
}

qms_err qms_payload_file(uint64_t size, int *owner, int *reader)
{
    char path[40];
    uint64_t usual = size < USUAL_MIN ? USUAL_MIN : size > USUAL_MAX ? USUAL_MAX : size;
    off_t whole = (off_t)(WIDE_BYTES + usual / QMS_BLOB_CHUNK * QMS_BLOB_CHUNK);
    int fd = memfd_create("quicms-payload", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0) {
        return QMS_E_IO;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    *reader = -1;
    if (ftruncate(fd, whole) != 0 || fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) != 0 ||
        (*reader = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return QMS_E_IO;
    }
    *owner = fd;
    return QMS_OK;
}

/* Bytes of a sealed file that is large enough to be an arena; 0 and errno. */
static size_t size_of(int fd)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || fstat(fd, &st) != 0 || (seals & SEALS) != SEALS ||
        st.st_size < (off_t)(WIDE_BYTES + QMS_BLOB_CHUNK)) {
        errno = EBADF;
        return 0;
    }
    return (size_t)st.st_size;
}

/* ---- owner ---- */

struct qms_payload *qms_payload_new(int fd)
{
    size_t size = size_of(fd);
    struct qms_payload *p = size > 0 ? qms_calloc(1, sizeof(*p)) : NULL;

    if (p == NULL) {
        return NULL;
    }
    uint32_t count = chunk_count(size);
    p->size = size;
    p->chunks = qms_calloc(count, sizeof(*p->chunks));
    p->base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (p->chunks == NULL || p->base == MAP_FAILED) {
        if (p->base != MAP_FAILED) {
            (void)munmap(p->base, size);
        }
        qms_free(p->chunks);
        qms_free(p);
        return NULL;
    }
    p->wide = (struct class){.first = 0, .count = WIDE_COUNT, .freed = UINT32_MAX};
    p->usual =
        (struct class){.first = WIDE_COUNT, .count = count - WIDE_COUNT, .freed = UINT32_MAX};
    return p;
}

static void destroy(struct qms_payload *p)
{
    (void)munmap(p->base, p->size);
    qms_free(p->chunks);
    qms_free(p);
}

void qms_payload_free(struct qms_payload *p)
{
    if (p == NULL) {
        return;
    }
    p->over = true;
    for (unsigned i = 0; i < QMS_SLOTS_MAX && p->used > 0; i++) {
        p->used++; /* not inside the walk */
        qms_payload_forget(p, i);
        p->used--;
    }
    if (p->used == 0) {
        destroy(p);
    }
}

static struct class *class_of(struct qms_payload *p, uint32_t chunk)
{
    return chunk < WIDE_COUNT ? &p->wide : &p->usual;
}

static void keep_or_give_back(struct qms_payload *p, struct chunk *c, uint32_t index)
{
    c->cold = p->warm >= KEEP_MAX &&
              madvise(p->base + chunk_at(index), chunk_size(index), MADV_REMOVE) == 0;
    p->warm += c->cold ? 0 : 1;
}

static void on_release(void *arg)
{
    struct chunk *c = arg;
    struct qms_payload *p = c->owner;
    uint32_t index = (uint32_t)(c - p->chunks);
    struct class *class = class_of(p, index);

    c->blob = NULL;
    keep_or_give_back(p, c, index);
    c->next = class->freed;
    class->freed = index;
    if (--p->used == 0 && p->over) {
        destroy(p);
    }
}

static uint32_t take_chunk(struct qms_payload *p, struct class *class)
{
    uint32_t index = class->freed;

    if (index != UINT32_MAX) {
        class->freed = p->chunks[index].next;
        p->warm -= p->chunks[index].cold ? 0 : 1;
        return index;
    }
    return class->fresh < class->count ? class->first + class->fresh++ : UINT32_MAX;
}

struct qms_blob *qms_payload_blob(struct qms_payload *p, size_t cap)
{
    struct class *class = cap <= QMS_BLOB_CHUNK ? &p->usual : &p->wide;
    uint32_t index = cap <= QMS_PAYLOAD_WIDE ? take_chunk(p, class) : UINT32_MAX;

    if (index == UINT32_MAX) {
        return NULL;
    }
    struct chunk *c = &p->chunks[index];
    c->owner = p;
    c->cold = false;
    c->blob = qms_blob_wrap((struct qms_bytes){p->base + chunk_at(index), chunk_size(index)},
                            on_release, c);
    if (c->blob == NULL) {
        c->next = class->freed;
        class->freed = index;
        p->warm++;
        return NULL;
    }
    c->blob->len = 0; /* wrapped bytes count as filled; these are not yet */
    p->used++;
    return c->blob;
}

bool qms_payload_owns(const struct qms_payload *p, const struct qms_blob *blob)
{
    return blob->data >= p->base && blob->data < p->base + p->size;
}

struct qms_payload_range qms_payload_lend(struct qms_payload *p, struct qms_blob *blob,
                                          size_t off, size_t len, unsigned to)
{
    uint32_t index = chunk_of((size_t)(blob->data - p->base));

    qms_blob_ref(blob);
    p->chunks[index].lent[to]++;
    return (struct qms_payload_range){index, (uint32_t)off, (uint32_t)len};
}

static void give_up(struct chunk *c, uint32_t count, unsigned from)
{
    struct qms_blob *blob = c->blob;

    c->lent[from] -= count;
    while (count-- > 0) {
        qms_blob_unref(blob);
    }
}

qms_err qms_payload_return(struct qms_payload *p, uint32_t chunk, uint32_t count, unsigned from)
{
    if (chunk >= chunk_count(p->size) || p->chunks[chunk].lent[from] < count) {
        return QMS_E_PROTOCOL;
    }
    give_up(&p->chunks[chunk], count, from);
    return QMS_OK;
}

static void forget_in(struct qms_payload *p, const struct class *class, unsigned to)
{
    for (uint32_t i = 0; i < class->fresh; i++) {
        struct chunk *c = &p->chunks[class->first + i];
        if (c->lent[to] > 0) {
            give_up(c, c->lent[to], to);
        }
    }
}

void qms_payload_forget(struct qms_payload *p, unsigned to)
{
    forget_in(p, &p->wide, to);
    forget_in(p, &p->usual, to);
}

size_t qms_payload_used(const struct qms_payload *p)
{
    return p->used;
}

/* ---- reader ---- */

struct qms_payload_view *qms_payload_view_new(int fd)
{
    size_t size = size_of(fd);
    struct qms_payload_view *v = size > 0 ? qms_calloc(1, sizeof(*v)) : NULL;

    if (v == NULL) {
        return NULL;
    }
    void *base = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (base == MAP_FAILED) {
        qms_free(v);
        return NULL;
    }
    *v = (struct qms_payload_view){.base = base, .size = size, .refs = 1};
    return v;
}

struct qms_payload_view *qms_payload_view_ref(struct qms_payload_view *v)
{
    v->refs++;
    return v;
}

void qms_payload_view_unref(struct qms_payload_view *v)
{
    if (v != NULL && --v->refs == 0) {
        (void)munmap((void *)(uintptr_t)v->base, v->size);
        qms_free(v);
    }
}

qms_err qms_payload_view_chunk(const struct qms_payload_view *v,
                               const struct qms_payload_range *range, struct qms_bytes *chunk)
{
    if (range->chunk >= chunk_count(v->size) ||
        (uint64_t)range->off + range->len > chunk_size(range->chunk)) {
        return QMS_E_PROTOCOL;
    }
    *chunk = (struct qms_bytes){v->base + chunk_at(range->chunk), chunk_size(range->chunk)};
    return QMS_OK;
}
