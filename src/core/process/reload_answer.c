/* SPDX-License-Identifier: MIT */
#include "core/process/reload_answer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_LEN 1024
#define LOOK_EVERY   (20 * QMS_MILLISECOND)

static bool path_of(const char *pid_file, const char *ending, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s.reload%s", pid_file, ending);
    return n > 0 && n < PATH_MAX;
}

/* Beside its place first, so that nobody reads half of it. */
static bool write_file(const char *path, const char *line, size_t len)
{
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    bool done = fd >= 0 && write(fd, line, len) == (ssize_t)len;

    if (fd >= 0) {
        close(fd);
    }
    return done;
}

qms_err qms_reload_answer_write(const char *pid_file, uint64_t number, const char *error)
{
    char path[PATH_MAX], fresh[PATH_MAX], line[LINE_MAX_LEN];

    if (!path_of(pid_file, "", path) || !path_of(pid_file, ".new", fresh)) {
        return QMS_E_TOO_LARGE;
    }
    int n = snprintf(line, sizeof(line), "%" PRIu64 " %.1000s", number,
                     error[0] != '\0' ? error : "ok");
    size_t len = n > 0 ? strcspn(line, "\n") : 0;
    line[len++] = '\n';
    if (!write_file(fresh, line, len) || rename(fresh, path) != 0) {
        (void)unlink(fresh);
        return QMS_E_IO;
    }
    return QMS_OK;
}

void qms_reload_answer_drop(const char *pid_file)
{
    char path[PATH_MAX];

    if (path_of(pid_file, "", path)) {
        (void)unlink(path);
    }
}

/* The number, and behind it the text; 0: there is no answer. */
static uint64_t read_answer(const char *pid_file, char text[LINE_MAX_LEN])
{
    char path[PATH_MAX], line[LINE_MAX_LEN] = "", *end;
    int fd = path_of(pid_file, "", path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0) {
        return 0;
    }
    ssize_t n = read(fd, line, sizeof(line) - 1);
    close(fd);
    line[n > 0 ? n : 0] = '\0';
    uint64_t number = strtoull(line, &end, 10);
    end += *end == ' ';
    end[strcspn(end, "\n")] = '\0';
    (void)snprintf(text, LINE_MAX_LEN, "%s", end);
    return number;
}

uint64_t qms_reload_answer_number(const char *pid_file)
{
    char text[LINE_MAX_LEN];

    return read_answer(pid_file, text);
}

qms_err qms_reload_answer_wait(const char *pid_file, uint64_t before, qms_time within,
                               struct qms_diag *diag)
{
    static const struct timespec pause = {.tv_nsec = LOOK_EVERY};
    qms_time until = qms_clock_now() + within;
    char text[LINE_MAX_LEN] = "";
    uint64_t number;

    while (((number = read_answer(pid_file, text)) == 0 || number == before) &&
           qms_clock_now() < until) {
        (void)nanosleep(&pause, NULL);
    }
    if (number == 0 || number == before) {
        qms_diag_error(diag, "The broker has not answered within %u s; its log tells more.",
                       (unsigned)(within / QMS_SECOND));
        return QMS_E_TIMEOUT;
    }
    if (strcmp(text, "ok") != 0) {
        qms_diag_error(diag, "The old configuration stays in force: %s", text);
        return QMS_E_CONFIG;
    }
    return QMS_OK;
}
