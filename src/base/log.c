/* SPDX-License-Identifier: MIT */
/* One line, one write(2): lines of several processes on one file never mix. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define TEXT_MAX 512 /* bytes of a message before escaping */
#define GATE_MAX 10  /* lines a second and place */

#define DATE_LEN 20 /* "2026/11/28 04:00:00 " */

static struct {
    int fd;
    enum qms_log_level level;
    bool (*send)(const void *context, int fd, enum qms_log_level level, struct qms_bytes line);
    _Alignas(16) unsigned char context[QMS_LOG_CONTEXT_MAX];
    /* Lines that were lost: not told in a line, not taken.  A child's are its own. */
    unsigned untold;
    uint64_t untaken;
    pid_t pid;
} sink = {.fd = STDERR_FILENO, .level = QMS_LOG_NOTICE};

/* Lines that the gate held back before the one about to be written. */
static _Thread_local unsigned held_back;

qms_err qms_log_open(const char *path, enum qms_log_level level)
{
    int fd = -1;

    if (strcmp(path, "stderr") != 0 && strcmp(path, "-") != 0) {
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
        if (fd < 0) {
            return QMS_E_IO;
        }
    }
    qms_log_set_fd(fd);
    sink.level = level;
    return QMS_OK;
}

void qms_log_set_level(enum qms_log_level level)
{
    sink.level = level;
}

bool qms_log_enabled(enum qms_log_level level)
{
    return level <= sink.level;
}

void qms_log_set_fd(int fd)
{
    int old = sink.fd;

    /* Reads the time zone now: later the process may not open files. */
    tzset();
    sink.send = NULL;
    sink.fd = fd >= 0 ? fd : STDERR_FILENO;
    if (old != sink.fd && old != STDERR_FILENO) {
        close(old);
    }
}

int qms_log_fd(void)
{
    return sink.fd;
}

void qms_log_set_sink(int fd, const struct qms_log_sink *s)
{
    qms_log_set_fd(fd);
    if (s->context_len <= sizeof(sink.context)) {
        memcpy(sink.context, s->context, s->context_len);
        sink.send = s->send;
    }
}

/* Before a look at what was lost: what the parent lost is told by the parent. */
static void note_process(void)
{
    pid_t pid = getpid();

    if (sink.pid != pid) {
        sink.pid = pid;
        sink.untold = 0;
        sink.untaken = 0;
    }
}

uint64_t qms_log_take_lost(void)
{
    note_process();
    uint64_t lost = sink.untaken;
    sink.untaken = 0;
    return lost;
}

static size_t put_prefix(char *out, size_t cap, enum qms_log_level level)
{
    static const char *const names[] = {"error", "warn", "notice", "info", "debug"};
    time_t now = (time_t)qms_clock_wall();
    struct tm tm;

    localtime_r(&now, &tm);
    size_t len = strftime(out, cap, "%Y/%m/%d %H:%M:%S", &tm);
    int n = snprintf(out + len, cap - len, " [%s] %ld: ", names[level], (long)getpid());
    return n > 0 ? len + (size_t)n : len;
}

static size_t put_escaped(char *out, const char *text, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c < 0x7f && c != '\\') {
            out[n++] = (char)c;
        } else {
            out[n++] = '\\';
            out[n++] = 'x';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        }
    }
    return n;
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false; /* a full disk or a closed terminal must not stop the work */
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* `line` ends with a newline. */
static void deliver(enum qms_log_level level, const char *line, size_t len, unsigned told)
{
    struct qms_bytes text = {(const uint8_t *)line + DATE_LEN, len - DATE_LEN - 1};
    bool taken = sink.send != NULL ? sink.send(sink.context, sink.fd, level, text)
                                   : write_all(sink.fd, line, len);

    if (taken) {
        sink.untold -= told;
    } else {
        sink.untold++;
        sink.untaken++;
    }
}

__attribute__((format(printf, 2, 0))) static void emit(enum qms_log_level level,
                                                       const char *format, va_list args)
{
    char text[TEXT_MAX + 1], line[64 + 4 * TEXT_MAX + 96];
    int saved = errno;
    int want = vsnprintf(text, sizeof(text), format, args);

    if (want < 0) {
        return;
    }
    note_process();
    unsigned told = sink.untold;

    size_t len = put_prefix(line, 64, level);
    len += put_escaped(line + len, text, want > TEXT_MAX ? TEXT_MAX : (size_t)want);
    if (want > TEXT_MAX) {
        len += (size_t)snprintf(line + len, 8, "...");
    }
    if (held_back > 0) {
        len += (size_t)snprintf(line + len, 40, " suppressed=%u", held_back);
        held_back = 0;
    }
    if (told > 0) {
        len += (size_t)snprintf(line + len, 40, " lost=%u", told);
    }
    line[len++] = '\n';
    deliver(level, line, len, told);
    errno = saved;
}

void qms_log(enum qms_log_level level, const char *format, ...)
{
    va_list args;

    if (qms_log_enabled(level)) {
        va_start(args, format);
        emit(level, format, args);
        va_end(args);
    }
}

void qms_log_forced(enum qms_log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    emit(level, format, args);
    va_end(args);
}

bool qms_log_gate(struct qms_log_gate *gate)
{
    qms_time now = qms_clock_now();

    if (gate->from == 0 || now - gate->from >= QMS_SECOND) {
        gate->from = now;
        gate->count = 0;
    }
    if (gate->count >= GATE_MAX) {
        gate->suppressed++;
        return false;
    }
    gate->count++;
    held_back = gate->suppressed;
    gate->suppressed = 0;
    return true;
}
