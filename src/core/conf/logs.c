/* SPDX-License-Identifier: MIT */
/* A log is declared while a configuration is built and opened by the master; a buffer holds
 * whole lines only, so whatever is written at once ends with a newline. */
#include "core/conf/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/near.h"
#include "core/conf/arena.h"
#include "core/conf/diag.h"
#include "core/conf/files.h"
#include "core/conf/syslog.h"

/* ---- declaring ---- */

static bool one_of(const char *word, const char *const *words)
{
    while (*words != NULL && strcmp(*words, word) != 0) {
        words++;
    }
    return *words != NULL;
}

static struct qms_log_file *find(const struct qms_conf *conf, const char *target)
{
    for (size_t i = 0; i < conf->log_count; i++) {
        if (strcmp(conf->logs[i]->target, target) == 0) {
            return conf->logs[i];
        }
    }
    return NULL;
}

static qms_err same_buffer(const struct qms_log_file *log, size_t buffer, qms_time flush_for,
                           struct qms_diag *diag)
{
    if (log->buffer_max == buffer && log->flush_for == flush_for) {
        return QMS_OK;
    }
    qms_diag_error(diag, "The log \"%s\" has another buffer or flush at %s:%u.", log->target,
                   log->file, log->line);
    return QMS_E_CONFIG;
}

static struct qms_log_file *add(struct qms_conf *conf, const char *target,
                                const struct qms_syslog *syslog, struct qms_diag *diag)
{
    struct qms_log_file *log = qms_arena_alloc(conf->arena, sizeof(*log));
    struct qms_log_file **grown =
        qms_arena_grow(conf->arena, conf->logs, conf->log_count, sizeof(struct qms_log_file *));

    if (log == NULL || grown == NULL) {
        (void)qms_diag_nomem(diag);
        return NULL;
    }
    *log = (struct qms_log_file){.target = target,
                                 .file = diag->file != NULL ? diag->file : conf->file,
                                 .line = diag->line,
                                 .fd = -1,
                                 .syslog = syslog,
                                 .flush_at = QMS_NEVER};
    conf->logs = grown;
    conf->logs[conf->log_count++] = log;
    return log;
}

static qms_err check(const struct qms_conf *conf, const char *target, size_t buffer,
                     struct qms_diag *diag)
{
    if (conf->log_count >= QMS_LOGS_MAX) {
        qms_diag_error(diag, "There are more than %d different logs.", QMS_LOGS_MAX);
    } else if (buffer > QMS_LOG_BUFFER_MAX) {
        qms_diag_error(diag, "The buffer of the log \"%s\" is larger than 1m.", target);
    } else if (buffer > 0 && qms_syslog_is(target)) {
        qms_diag_error(diag, "The log \"%s\" has no buffer: each line is a message of its own.",
                       target);
    }
    return diag->failed ? QMS_E_CONFIG : QMS_OK;
}

qms_err qms_log_target_check(const char *target, struct qms_diag *diag)
{
    static const char *const words[] = {"stderr", "stdout", "syslog", "off", NULL};
    size_t len = strcspn(target, ":/");
    bool like_server = target[len] == ':' && strstr(target, "server=") != NULL;
    char hint[QMS_NEAR_HINT_MAX];

    if (strcmp(target, "stderr") == 0 || qms_syslog_is(target)) {
        return QMS_OK;
    }
    (void)qms_near_hint(target, words, hint, sizeof(hint));
    if (target[0] == '\0') {
        qms_diag_error(diag, "A log needs a path, stderr, or syslog:server=HOST.");
    } else if (like_server) {
        qms_diag_error(
            diag, "\"%s\" is no path; a syslog server is written syslog:server=HOST.", target);
    } else if (hint[0] != '\0' || one_of(target, words)) {
        qms_diag_error(diag,
                       "\"%s\" would be a file of that name, which is written \"./%s\"; other "
                       "than a path a log takes stderr or syslog:server=HOST.",
                       target, target);
    } else {
        return QMS_OK;
    }
    return QMS_E_CONFIG;
}

qms_err qms_conf_open_log(struct qms_diag *diag, const char *target, size_t buffer,
                          qms_time flush_for, struct qms_log_file **out)
{
    struct qms_conf *conf = diag->conf;
    const struct qms_syslog *syslog = NULL;

    if (qms_log_target_check(target, diag) != QMS_OK) {
        return QMS_E_CONFIG;
    }
    if (!qms_syslog_is(target) && strcmp(target, "stderr") != 0) {
        target = qms_conf_path(conf->arena, conf->prefix, target);
        if (target == NULL) {
            return qms_diag_nomem(diag);
        }
    }
    if ((*out = find(conf, target)) != NULL) {
        return same_buffer(*out, buffer, flush_for, diag);
    }
    qms_err err = check(conf, target, buffer, diag);
    if (err == QMS_OK && qms_syslog_is(target)) {
        err = qms_syslog_parse(conf->arena, target, false, &syslog, diag);
    }
    if (err != QMS_OK) {
        return err;
    }
    if ((*out = add(conf, target, syslog, diag)) == NULL) {
        return QMS_E_NOMEM;
    }
    (*out)->buffer_max = buffer;
    (*out)->flush_for = flush_for;
    return QMS_OK;
}

/* ---- opening ---- */

/* -1 and errno.  Not blocking: a pipe that nobody reads is an error and not a hanging start. */
static int open_target(const struct qms_log_file *log)
{
    if (log->syslog != NULL) {
        return qms_syslog_open(log->syslog);
    }
    if (strcmp(log->target, "stderr") == 0) {
        return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    }
    return open(log->target, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                log->secret ? 0600 : 0640);
}

qms_err qms_logs_open(struct qms_conf *conf, struct qms_diag *diag)
{
    for (size_t i = 0; i < conf->log_count; i++) {
        struct qms_log_file *log = conf->logs[i];
        if (log->fd < 0 && (log->fd = open_target(log)) < 0) {
            qms_diag_at(diag, log->file, log->line);
            qms_diag_error(diag, "Cannot open the log \"%s\": %s.", log->target,
                           strerror(errno));
            qms_diag_at(diag, NULL, 0);
            return QMS_E_CONFIG;
        }
    }
    return QMS_OK;
}

static void replace_fd(struct qms_log_file *log, int fd)
{
    if (log->fd >= 0) {
        close(log->fd);
    }
    log->fd = fd;
}

void qms_logs_reopen(struct qms_conf *conf)
{
    for (size_t i = 0; i < conf->log_count; i++) {
        int fd = open_target(conf->logs[i]);
        if (fd >= 0) {
            replace_fd(conf->logs[i], fd);
        } else {
            qms_log(QMS_LOG_ERROR, "log not opened again path=%s error=\"%s\"",
                    conf->logs[i]->target, strerror(errno));
        }
    }
}

size_t qms_logs_fds(const struct qms_conf *conf, int fds[QMS_LOGS_MAX])
{
    for (size_t i = 0; i < conf->log_count; i++) {
        fds[i] = conf->logs[i]->fd;
    }
    return conf->log_count;
}

static uint32_t hash_on(uint32_t sum, const char *text)
{
    const char *p = text;

    do {
        sum = (sum ^ (uint8_t)*p) * 16777619u;
    } while (*p++ != '\0');
    return sum;
}

uint32_t qms_logs_fingerprint(const struct qms_conf *conf)
{
    uint32_t sum = hash_on(2166136261u, conf->error_log);

    for (size_t i = 0; i < conf->log_count; i++) {
        sum = hash_on(sum, conf->logs[i]->target);
    }
    return sum;
}

/* ---- the error log ---- */

static void sink_to(const struct qms_conf *conf, int fd)
{
    struct qms_log_sink sink = qms_syslog_sink(conf->error_syslog);

    qms_log_set_sink(fd, &sink);
    qms_log_set_level(conf->log_level);
}

qms_err qms_error_log_open(const struct qms_conf *conf)
{
    if (conf->error_syslog == NULL) {
        return qms_log_open(conf->error_log, conf->log_level);
    }
    int fd = qms_syslog_open(conf->error_syslog);
    if (fd < 0) {
        return QMS_E_IO;
    }
    sink_to(conf, fd);
    return QMS_OK;
}

qms_err qms_error_log_check(const struct qms_conf *conf, struct qms_diag *diag)
{
    const struct qms_log_file log = {.target = conf->error_log, .syslog = conf->error_syslog};
    int fd = open_target(&log);

    if (fd < 0) {
        qms_diag_at(diag, conf->error_log_at.file, conf->error_log_at.line);
        qms_diag_error(diag, "Cannot open the log \"%s\": %s.", conf->error_log,
                       strerror(errno));
        qms_diag_at(diag, NULL, 0);
        return QMS_E_IO;
    }
    close(fd);
    return QMS_OK;
}

bool qms_error_log_take(const struct qms_conf *conf, int fd, uint32_t fingerprint)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISSOCK(st.st_mode)) { /* any file will do */
        qms_log_set_fd(fd);
    } else if (conf->error_syslog != NULL && fingerprint == qms_logs_fingerprint(conf)) {
        sink_to(conf, fd);
    } else {
        return false;
    }
    return true;
}

/* ---- writing ---- */

static uint64_t count_lines(const char *text, size_t len)
{
    uint64_t lines = 0;

    for (const char *p = text; (p = memchr(p, '\n', (size_t)(text + len - p))) != NULL; p++) {
        lines++;
    }
    return lines;
}

/* Whole lines, and nothing is waited for: a full disk, a full pipe cost lines. */
static void put(struct qms_log_file *log, const char *text, size_t len)
{
    log->lines += count_lines(text, len);
    while (len > 0) {
        ssize_t n = log->fd >= 0 ? write(log->fd, text, len) : -1;
        if (n < 0 && log->fd >= 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            log->lost += count_lines(text, len);
            return;
        }
        text += n;
        len -= (size_t)n;
    }
}

static void flush(struct qms_log_file *log)
{
    if (log->used > 0) {
        put(log, log->buffer, log->used);
        log->used = 0;
    }
    log->flush_at = QMS_NEVER;
}

static bool has_buffer(struct qms_log_file *log)
{
    if (log->buffer == NULL && log->buffer_max > 0) {
        log->buffer = qms_calloc(1, log->buffer_max);
    }
    return log->buffer != NULL;
}

void qms_log_file_write(struct qms_log_file *log, struct qms_bytes line, qms_time now)
{
    if (log->syslog != NULL) {
        log->lines++;
        log->lost += !qms_syslog_send(log->syslog, log->fd, line);
        return;
    }
    if (!has_buffer(log) || line.len > log->buffer_max) {
        flush(log); /* lines keep their order */
        put(log, (const char *)line.data, line.len);
        return;
    }
    if (log->used + line.len > log->buffer_max) {
        flush(log);
    }
    if (line.len > 0) {
        memcpy(log->buffer + log->used, line.data, line.len);
        log->used += line.len;
    }
    if (log->flush_at == QMS_NEVER && log->flush_for > 0) {
        log->flush_at = now + log->flush_for;
    }
}

bool qms_logs_take(struct qms_conf *conf, const int *fds, size_t count, uint32_t fingerprint)
{
    if (count != conf->log_count || fingerprint != qms_logs_fingerprint(conf)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        flush(conf->logs[i]); /* into the file that was rotated away */
        replace_fd(conf->logs[i], fds[i]);
    }
    return true;
}

void qms_logs_turn(struct qms_conf *conf, qms_time now)
{
    for (size_t i = 0; i < conf->log_count; i++) {
        if (conf->logs[i]->flush_at <= now) {
            flush(conf->logs[i]);
        }
    }
}

void qms_logs_flush(struct qms_conf *conf)
{
    for (size_t i = 0; i < conf->log_count; i++) {
        flush(conf->logs[i]);
    }
}

qms_time qms_logs_next_at(const struct qms_conf *conf)
{
    qms_time at = QMS_NEVER;

    for (size_t i = 0; i < conf->log_count; i++) {
        at = conf->logs[i]->flush_at < at ? conf->logs[i]->flush_at : at;
    }
    return at;
}

void qms_logs_count(struct qms_conf *conf, uint64_t *lines, uint64_t *lost)
{
    *lines = *lost = 0;
    for (size_t i = 0; i < conf->log_count; i++) {
        *lines += conf->logs[i]->lines - conf->logs[i]->lost;
        *lost += conf->logs[i]->lost;
        if (conf->logs[i]->lost > 0) {
            qms_log_peer(QMS_LOG_ERROR, "log lines lost path=%s lines=%llu",
                         conf->logs[i]->target, (unsigned long long)conf->logs[i]->lost);
        }
        conf->logs[i]->lines = conf->logs[i]->lost = 0;
    }
}

void qms_logs_fini(struct qms_conf *conf)
{
    qms_logs_flush(conf);
    for (size_t i = 0; i < conf->log_count; i++) {
        qms_free(conf->logs[i]->buffer);
        conf->logs[i]->buffer = NULL;
    }
}
