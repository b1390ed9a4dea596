/* SPDX-License-Identifier: MIT */
/* The process that the terminal started stays until the broker serves, so that its exit status
 * means something. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "core/process/master_i.h"

/* In the terminal's process: one byte, or the end of the other side without one. */
static void wait_and_exit(int fd)
{
    sigset_t none;
    char byte;
    ssize_t n;

    sigemptyset(&none); /* the terminal may interrupt it */
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    do {
        n = read(fd, &byte, 1);
    } while (n < 0 && errno == EINTR);
    _exit(n == 1 ? 0 : 1);
}

static qms_err leave_terminal(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || setsid() < 0) {
        return QMS_E_IO;
    }
    for (int fd = 0; fd <= 2; fd++) {
        if (dup2(null, fd) < 0) {
            return QMS_E_IO;
        }
    }
    close(null);
    return QMS_OK;
}

qms_err qms_master_daemonize(int *ready_fd, struct qms_diag *diag)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        qms_diag_error(diag, "Cannot go to the background: %s.", strerror(errno));
        return QMS_E_IO;
    }
    pid_t pid = fork();
    if (pid > 0) {
        close(ends[1]);
        wait_and_exit(ends[0]);
    }
    close(ends[0]);
    if (pid < 0 || leave_terminal() != QMS_OK) {
        qms_diag_error(diag, "Cannot go to the background: %s.", strerror(errno));
        close(ends[1]);
        return QMS_E_IO;
    }
    *ready_fd = ends[1];
    return QMS_OK;
}
