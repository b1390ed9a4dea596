/* SPDX-License-Identifier: MIT */
/* Read once, remembered by path, never read again while the configuration lives. */
#include "core/conf/files.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "core/conf/diag.h"

struct qms_conf_files *qms_conf_files_new(struct qms_arena *arena, bool packed)
{
    struct qms_conf_files *f = qms_arena_alloc(arena, sizeof(*f));

    if (f != NULL) {
        f->last = &f->first;
        f->packed = packed;
        f->arena = arena;
    }
    return f;
}

static struct qms_conf_file *append(struct qms_conf_files *f, enum qms_conf_file_kind kind,
                                    const char *name, const uint8_t *data, size_t len)
{
    struct qms_conf_file *file = qms_arena_alloc(f->arena, sizeof(*file));

    if (file == NULL ||
        (file->name = qms_arena_strndup(f->arena, name, strlen(name))) == NULL) {
        return NULL;
    }
    file->kind = kind;
    file->data = (struct qms_bytes){data, len};
    *f->last = file;
    f->last = &file->next;
    return file;
}

qms_err qms_conf_files_add(struct qms_conf_files *f, enum qms_conf_file_kind kind,
                           const char *name, struct qms_bytes data)
{
    char *copy = qms_arena_strndup(f->arena, (const char *)data.data, data.len);

    if (copy == NULL || append(f, kind, name, (uint8_t *)copy, data.len) == NULL) {
        return QMS_E_NOMEM;
    }
    return QMS_OK;
}

const struct qms_conf_file *qms_conf_files_find(const struct qms_conf_files *f,
                                                enum qms_conf_file_kind kind, const char *name)
{
    for (const struct qms_conf_file *file = f->first; file != NULL; file = file->next) {
        if (file->kind == kind && strcmp(file->name, name) == 0) {
            return file;
        }
    }
    return NULL;
}

/* Reads `len` bytes and checks that the file ends there; errno 0 when it does not. */
static bool read_all(int fd, char *to, size_t len)
{
    size_t got = 0;
    char extra;

    while (got < len) {
        ssize_t n = read(fd, to + got, len - got);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n == 0 ? 0 : errno;
            return false;
        }
        got += (size_t)n;
    }
    ssize_t more = read(fd, &extra, 1);
    errno = more > 0 ? 0 : errno;
    return more == 0;
}

static qms_err read_fd(struct qms_conf_files *f, int fd, const char *path,
                       struct qms_diag *diag, struct qms_bytes *out)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        qms_diag_error(diag, "Cannot read \"%s\": it is not a regular file.", path);
        return QMS_E_CONFIG;
    }
    if ((uint64_t)st.st_size > QMS_CONF_FILE_MAX) {
        qms_diag_error(diag, "Cannot read \"%s\": it is larger than 16 MiB.", path);
        return QMS_E_CONFIG;
    }
    size_t len = (size_t)st.st_size;
    char *text = qms_arena_alloc(f->arena, len + 1);
    if (text == NULL) {
        return qms_diag_nomem(diag);
    }
    if (!read_all(fd, text, len)) {
        qms_diag_error(diag, "Cannot read \"%s\": %s.", path,
                       errno != 0 ? strerror(errno) : "it changed while it was read");
        return QMS_E_CONFIG;
    }
    if (append(f, QMS_CONF_FILE_TEXT, path, (uint8_t *)text, len) == NULL) {
        return qms_diag_nomem(diag);
    }
    *out = (struct qms_bytes){(uint8_t *)text, len};
    return QMS_OK;
}

qms_err qms_conf_files_read(struct qms_conf_files *f, const char *path, struct qms_diag *diag,
                            struct qms_bytes *out)
{
    const struct qms_conf_file *known = qms_conf_files_find(f, QMS_CONF_FILE_TEXT, path);

    if (known != NULL) {
        *out = known->data;
        return QMS_OK;
    }
    if (f->packed) {
        qms_diag_error(diag, "\"%s\" was not among the files that were checked.", path);
        return QMS_E_CONFIG;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        qms_diag_error(diag, "Cannot open \"%s\": %s.", path, strerror(errno));
        return QMS_E_CONFIG;
    }
    qms_err err = read_fd(f, fd, path, diag, out);
    close(fd);
    return err;
}

static qms_err glob_disk(struct qms_conf_files *f, const char *pattern, struct qms_bytes *out)
{
    glob_t g = {0};
    size_t len = 0, at = 0;
    qms_err err = QMS_E_NOMEM;

    if (glob(pattern, 0, NULL, &g) == GLOB_NOSPACE) {
        return QMS_E_NOMEM;
    }
    for (size_t i = 0; i < g.gl_pathc; i++) {
        len += strlen(g.gl_pathv[i]) + 1;
    }
    char *list = qms_arena_alloc(f->arena, len + 1);
    for (size_t i = 0; list != NULL && i < g.gl_pathc; i++) {
        size_t one = strlen(g.gl_pathv[i]) + 1;
        memcpy(list + at, g.gl_pathv[i], one);
        at += one;
    }
    if (list != NULL && append(f, QMS_CONF_FILE_GLOB, pattern, (uint8_t *)list, len) != NULL) {
        *out = (struct qms_bytes){(uint8_t *)list, len};
        err = QMS_OK;
    }
    globfree(&g);
    return err;
}

qms_err qms_conf_files_glob(struct qms_conf_files *f, const char *pattern,
                            struct qms_diag *diag, struct qms_bytes *out)
{
    const struct qms_conf_file *known = qms_conf_files_find(f, QMS_CONF_FILE_GLOB, pattern);

    if (known != NULL) {
        *out = known->data;
        return QMS_OK;
    }
    if (f->packed) {
        qms_diag_error(diag, "\"%s\" was not among the patterns that were checked.", pattern);
        return QMS_E_CONFIG;
    }
    return glob_disk(f, pattern, out) == QMS_OK ? QMS_OK : qms_diag_nomem(diag);
}

const char *qms_conf_path(struct qms_arena *arena, const char *base, const char *path)
{
    if (path[0] == '/') {
        return qms_arena_strndup(arena, path, strlen(path));
    }
    return qms_arena_printf(arena, "%s%s%s", base,
                            base[0] != 0 && base[strlen(base) - 1] == '/' ? "" : "/", path);
}

void *qms_conf_alloc(struct qms_diag *diag, size_t size)
{
    void *memory = qms_arena_alloc(diag->conf->arena, size);

    if (memory == NULL) {
        (void)qms_diag_nomem(diag);
    }
    return memory;
}

qms_err qms_conf_read_file(struct qms_diag *diag, const char *path, struct qms_bytes *out)
{
    struct qms_conf *conf = diag->conf;
    const char *full = qms_conf_path(conf->arena, conf->prefix, path);

    if (full == NULL) {
        return qms_diag_nomem(diag);
    }
    qms_err err = qms_conf_files_read(conf->files, full, diag, out);
    return err == QMS_OK ? QMS_OK : QMS_E_CONFIG;
}
