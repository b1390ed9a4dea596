/* SPDX-License-Identifier: MIT */
/* flock on the file itself: the kernel drops it with its last holder, however that one ends. */
#include "core/process/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static pid_t read_pid(int fd)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

    return n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

static qms_err write_pid(int fd)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len) {
        return QMS_E_IO;
    }
    return QMS_OK;
}

qms_err qms_pidfile_take(const char *path, int *fd, struct qms_diag *diag)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (file < 0) {
        qms_diag_error(diag,
                       "Cannot write the pid file \"%s\": %s; name another one with \"pid\".",
                       path, strerror(errno));
        return QMS_E_IO;
    }
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        qms_diag_error(diag, "Another broker runs with the pid file \"%s\" (process %ld).",
                       path, (long)read_pid(file));
        close(file);
        return QMS_E_EXISTS;
    }
    if (qms_pidfile_update(path, file, diag) != QMS_OK) {
        close(file);
        return QMS_E_IO;
    }
    *fd = file;
    return QMS_OK;
}

qms_err qms_pidfile_update(const char *path, int fd, struct qms_diag *diag)
{
    if (write_pid(fd) == QMS_OK) {
        return QMS_OK;
    }
    qms_diag_error(diag, "Cannot write the pid file \"%s\": %s.", path, strerror(errno));
    return QMS_E_IO;
}

void qms_pidfile_drop(const char *path, int fd)
{
    struct stat ours, there;

    if (fd < 0) {
        return;
    }
    if (fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && ours.st_ino == there.st_ino &&
        ours.st_dev == there.st_dev) {
        (void)unlink(path);
    }
    close(fd);
}

qms_err qms_pidfile_signal(const char *path, int signal, struct qms_diag *diag)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        qms_diag_error(diag, "No broker is running: cannot open the pid file \"%s\": %s.", path,
                       strerror(errno));
        return QMS_E_NOT_FOUND;
    }
    bool held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    pid_t pid = read_pid(fd);
    close(fd);
    if (!held || pid <= 1) {
        qms_diag_error(diag, "No broker is running: the pid file \"%s\" is left over.", path);
        return QMS_E_NOT_FOUND;
    }
    if (kill(pid, signal) != 0) {
        qms_diag_error(diag, "Cannot signal process %ld: %s.", (long)pid, strerror(errno));
        return QMS_E_IO;
    }
    return QMS_OK;
}
