/* SPDX-License-Identifier: MIT */
/* Written beside, flushed, renamed: a crash leaves the old file or the new one. */
#include "core/process/cert_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define STORE_MAX ((off_t)65536)

int qms_store_open(const char *dir, struct qms_diag *diag)
{
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        qms_diag_error(diag,
                       "Cannot make the folder \"%s\": %s; name another one with "
                       "\"state_dir\".",
                       dir, strerror(errno));
        return -1;
    }
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        qms_diag_error(diag,
                       "Cannot open the folder \"%s\": %s; name another one with "
                       "\"state_dir\".",
                       dir, strerror(errno));
        return -1;
    }
    /* Another broker may keep its state there too; without locks they do without. */
    (void)flock(fd, LOCK_EX);
    return fd;
}

static qms_err read_all(int fd, size_t len, char **out)
{
    char *text = qms_calloc(1, len + 1);
    size_t got = 0;

    if (text == NULL) {
        return QMS_E_NOMEM;
    }
    while (got < len) {
        ssize_t n = read(fd, text + got, len - got);
        if (n <= 0) {
            qms_free(text);
            return QMS_E_IO;
        }
        got += (size_t)n;
    }
    *out = text;
    return QMS_OK;
}

qms_err qms_store_read(int dir, const char *name, char **out, size_t *len)
{
    struct stat st;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    qms_err err = QMS_E_IO;

    if (fd < 0) {
        return errno == ENOENT ? QMS_E_NOT_FOUND : QMS_E_IO;
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        err = st.st_size > STORE_MAX ? QMS_E_TOO_LARGE : read_all(fd, (size_t)st.st_size, out);
        *len = (size_t)st.st_size;
    }
    close(fd);
    return err;
}

static qms_err write_all(int fd, struct qms_bytes data)
{
    while (data.len > 0) {
        ssize_t n = write(fd, data.data, data.len);
        if (n < 0 && errno != EINTR) {
            return QMS_E_IO;
        }
        data.data += n > 0 ? n : 0;
        data.len -= n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) == 0 ? QMS_OK : QMS_E_IO;
}

qms_err qms_store_write(int dir, const char *name, struct qms_bytes data)
{
    char beside[160];

    (void)snprintf(beside, sizeof(beside), ".%s.%ld", name, (long)getpid());
    (void)unlinkat(dir, beside, 0);
    int fd = openat(dir, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return QMS_E_IO;
    }
    qms_err err = write_all(fd, data);
    if (close(fd) != 0 || (err == QMS_OK && renameat(dir, beside, dir, name) != 0)) {
        err = QMS_E_IO;
    }
    if (err != QMS_OK) {
        int saved = errno;
        (void)unlinkat(dir, beside, 0);
        errno = saved;
    }
    return err;
}
