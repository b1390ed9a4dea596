/* SPDX-License-Identifier: MIT */
/* A piece of memory is known by its inode: a worker that is handed one it has mapped already,
 * however the configurations between went, finds it again. */
#include "core/conf/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "core/conf/arena.h"
#include "core/conf/diag.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

struct qms_zone_memory {
    unsigned refs;
    int fd; /* -1 in a worker */
    ino_t inode;
    void *at;
    size_t size;
};

static void unref(struct qms_zone_memory *memory)
{
    if (memory == NULL || --memory->refs > 0) {
        return;
    }
    if (memory->fd >= 0) {
        close(memory->fd);
    }
    (void)munmap(memory->at, memory->size);
    qms_free(memory);
}

/* Maps the file of a zone, which must be of just that size for ever. */
static struct qms_zone_memory *map(int fd, size_t size)
{
    struct qms_zone_memory *memory = qms_calloc(1, sizeof(*memory));
    struct stat st;

    if (memory == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    *memory = (struct qms_zone_memory){.refs = 1, .fd = -1, .size = size, .at = MAP_FAILED};
    if (fstat(fd, &st) != 0) {
        qms_free(memory);
        return NULL;
    }
    memory->inode = st.st_ino;
    if (st.st_size != (off_t)size || fcntl(fd, F_GET_SEALS) != SEALS) {
        errno = EBADF;
    } else {
        memory->at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (memory->at == MAP_FAILED) {
        qms_free(memory);
        return NULL;
    }
    /* Not worth a core dump, and it may hold what tells clients apart. */
    (void)madvise(memory->at, size, MADV_DONTDUMP);
    return memory;
}

static struct qms_zone_memory *make(size_t size)
{
    struct qms_zone_memory *memory = NULL;
    int fd = memfd_create("quicms-zone", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd >= 0 && ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS, SEALS) == 0) {
        memory = map(fd, size);
    }
    if (memory != NULL) {
        memory->fd = fd;
    } else if (fd >= 0) {
        int error = errno;
        close(fd);
        errno = error;
    }
    return memory;
}

static struct qms_zone *find(const struct qms_conf *conf, const char *name)
{
    struct qms_zone *z = conf->zones;

    while (z != NULL && strcmp(z->name, name) != 0) {
        z = z->next;
    }
    return z;
}

static struct qms_zone *append(struct qms_conf *conf, const char *name, size_t size)
{
    struct qms_zone *zone = qms_arena_alloc(conf->arena, sizeof(*zone)), **last = &conf->zones;

    if (zone == NULL ||
        (zone->name = qms_arena_strndup(conf->arena, name, strlen(name))) == NULL) {
        return NULL;
    }
    zone->size = size;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = zone;
    return zone;
}

static bool room_for_one(const struct qms_conf *conf)
{
    size_t count = 0;

    for (const struct qms_zone *z = conf->zones; z != NULL; z = z->next) {
        count++;
    }
    return count < QMS_ZONES_MAX;
}

struct qms_zone *qms_zone_declare(struct qms_diag *diag, const char *name, size_t size)
{
    struct qms_zone *zone = find(diag->conf, name);

    if (zone != NULL && zone->size == size) {
        return zone;
    }
    if (zone != NULL) {
        qms_diag_error(diag, "The zone \"%s\" is declared with %zu and with %zu bytes.", name,
                       zone->size, size);
    } else if (size == 0 || size > QMS_ZONE_MAX) {
        qms_diag_error(diag, "The zone \"%s\" must have 1 to %zu bytes, not %zu.", name,
                       (size_t)QMS_ZONE_MAX, size);
    } else if (!room_for_one(diag->conf)) {
        qms_diag_error(diag, "There are more than %d shared zones.", QMS_ZONES_MAX);
    } else {
        zone = append(diag->conf, name, size);
        if (zone == NULL) {
            (void)qms_diag_nomem(diag);
        }
        return zone;
    }
    return NULL;
}

void *qms_zone_memory(const struct qms_zone *zone, size_t *size)
{
    if (size != NULL) {
        *size = zone->memory != NULL ? zone->size : 0;
    }
    return zone->memory != NULL ? zone->memory->at : NULL;
}

void *qms_zones_find(const struct qms_conf *conf, const char *name, size_t *size)
{
    const struct qms_zone *zone = find(conf, name);

    return zone != NULL ? qms_zone_memory(zone, size) : NULL;
}

qms_err qms_zones_give(struct qms_conf *conf, const struct qms_conf *from,
                       struct qms_diag *diag)
{
    for (struct qms_zone *z = conf->zones; z != NULL; z = z->next) {
        const struct qms_zone *old = from != NULL ? find(from, z->name) : NULL;
        if (z->memory != NULL) {
            continue;
        }
        if (old != NULL && old->size == z->size && old->memory != NULL) {
            z->memory = old->memory;
            z->memory->refs++;
            continue;
        }
        z->memory = make(z->size);
        if (z->memory == NULL) {
            qms_diag_error(diag, "No %zu bytes for the shared zone \"%s\": %s.", z->size,
                           z->name, strerror(errno));
            return QMS_E_IO;
        }
    }
    return QMS_OK;
}

qms_err qms_zone_adopt(struct qms_conf *conf, const char *name, size_t size, int fd)
{
    struct qms_zone *zone = find(conf, name);

    if (zone == NULL || zone->size != size || zone->memory != NULL) {
        return QMS_OK;
    }
    zone->memory = map(fd, size);
    if (zone->memory == NULL) {
        return QMS_E_IO;
    }
    zone->memory->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return QMS_OK;
}

size_t qms_zones_fds(const struct qms_conf *conf, int *fds)
{
    size_t count = 0;

    for (const struct qms_zone *z = conf->zones; z != NULL && z->memory != NULL; z = z->next) {
        fds[count++] = z->memory->fd;
    }
    return count;
}

static struct qms_zone_memory *mapped_already(const struct qms_conf *conf, int fd, size_t size)
{
    struct stat st;

    if (conf == NULL || fstat(fd, &st) != 0) {
        return NULL;
    }
    for (const struct qms_zone *z = conf->zones; z != NULL; z = z->next) {
        if (z->memory != NULL && z->memory->inode == st.st_ino && z->memory->size == size) {
            z->memory->refs++;
            return z->memory;
        }
    }
    return NULL;
}

qms_err qms_zones_take(struct qms_conf *conf, const struct qms_conf *from, const int *fds,
                       size_t count, struct qms_diag *diag)
{
    size_t i = 0;

    for (struct qms_zone *z = conf->zones; z != NULL; z = z->next, i++) {
        if (i < count) {
            z->memory = mapped_already(from, fds[i], z->size);
            z->memory = z->memory != NULL ? z->memory : map(fds[i], z->size);
        }
        if (z->memory == NULL) {
            qms_diag_error(diag, "The shared zone \"%s\" did not arrive: %s.", z->name,
                           i < count ? strerror(errno) : "there are too few");
            return i < count ? QMS_E_IO : QMS_E_PROTOCOL;
        }
    }
    if (i != count) {
        qms_diag_error(diag, "%zu shared zones came for %zu.", count, i);
        return QMS_E_PROTOCOL;
    }
    return QMS_OK;
}

void qms_zones_keep(struct qms_conf *conf)
{
    for (struct qms_zone *z = conf->zones; z != NULL; z = z->next) {
        if (z->memory != NULL && z->memory->fd >= 0) {
            close(z->memory->fd);
            z->memory->fd = -1;
        }
    }
}

void qms_zones_drop(struct qms_conf *conf)
{
    for (struct qms_zone *z = conf->zones; z != NULL; z = z->next) {
        unref(z->memory);
        z->memory = NULL;
    }
}
