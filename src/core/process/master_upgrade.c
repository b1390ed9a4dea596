/* SPDX-License-Identifier: MIT */
/* USR2: another binary in the place of this one, without a moment in which nobody serves.
 *
 * The new binary first checks the configuration in a process of its own.  Then it takes this
 * process over (core/process/handover.h) and starts a generation of workers; when that one
 * serves, the workers of this binary retire.  Whatever fails before leaves them as they are. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <quicms/version.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/conf/diag.h"
#include "core/process/cert.h"
#include "core/process/handover.h"
#include "core/process/master_i.h"

/* Longest time for its check. */
#define CHECK_FOR (10 * QMS_SECOND)

/* The path by which this program was started; the file there may be another one by now. */
char *qms_master_binary(void)
{
    static const char deleted[] = " (deleted)";
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (n <= 0) {
        return NULL;
    }
    size_t len = (size_t)n, end = sizeof(deleted) - 1;
    if (len > end && memcmp(path + len - end, deleted, end) == 0) {
        len -= end;
    }
    return qms_strndup(path, len);
}

static void failed(struct qms_master *m, const char *why)
{
    qms_log(QMS_LOG_ERROR, "binary not replaced: %s", why);
    qms_master_note_error(m, why);
    m->checking = false;
    qms_master_answer(m);
}

/* In the child: `quicms -t` of the new binary, its words into the pipe. */
static void run_check(const struct qms_master *m, int words)
{
    const char *argv[16] = {m->binary, "-t", "-q", "-c", m->file, "-p", m->env->prefix};
    size_t n = 7;
    sigset_t none;

    if (m->env->globals != NULL) {
        argv[n++] = "-g";
        argv[n++] = m->env->globals;
    }
    argv[n] = NULL;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(words, STDERR_FILENO) >= 0 && dup2(words, STDOUT_FILENO) >= 0) {
        (void)execv(m->binary, (char *const *)(uintptr_t)argv);
    }
    (void)fprintf(stderr, "\"%s\" cannot be run: %s.", m->binary, strerror(errno));
    _exit(1);
}

void qms_master_upgrade(struct qms_master *m, qms_time now)
{
    struct qms_diag diag = {0};
    int ends[2];

    qms_log(QMS_LOG_NOTICE, "binary is to be replaced path=%s",
            m->binary != NULL ? m->binary : "unknown");
    m->reload_number++;
    m->reload_due = true;
    m->reload_error[0] = '\0';
    if (m->binary == NULL || m->check_pid != 0 ||
        qms_master_generation_room(m, &diag) != QMS_OK) {
        qms_diag_error(&diag, "It is unknown, or being replaced already.");
        failed(m, diag.text);
        return;
    }
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        failed(m, strerror(errno));
        return;
    }
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        run_check(m, ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        failed(m, strerror(errno));
        return;
    }
    m->checking = true;
    m->check_pid = pid;
    m->check_fd = ends[0];
    m->check_until = now + CHECK_FOR;
}

void qms_master_upgrade_expire(struct qms_master *m, qms_time now)
{
    if (m->check_pid != 0 && now >= m->check_until) {
        m->check_until = QMS_NEVER;
        (void)kill(m->check_pid, SIGKILL);
    }
}

void qms_master_upgrade_checked(struct qms_master *m, int status)
{
    char words[QMS_DIAG_MAX];
    ssize_t n = read(m->check_fd, words, sizeof(words) - 1);
    struct qms_diag diag = {0};

    close(m->check_fd);
    m->check_pid = 0;
    m->check_until = QMS_NEVER;
    words[n > 0 ? n : 0] = '\0';
    words[strcspn(words, "\n")] = '\0';
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        failed(m, words[0] != '\0' ? words : "The new binary did not check the configuration.");
        return;
    }
    if (qms_master_generation_room(m, &diag) == QMS_OK) {
        qms_handover_run(m, m->binary, &diag);
    }
    failed(m, diag.text);
}

/* ---- in the next binary ---- */

static qms_err resume(struct qms_master *m, struct qms_handover *h, struct qms_diag *diag)
{
    bool back = qms_handover_refused(h) != NULL;

    m->conf = back ? qms_handover_conf(h, m->file, m->env, diag)
                   : qms_conf_load(m->file, m->env, diag);
    qms_err err = m->conf != NULL ? QMS_OK : QMS_E_CONFIG;
    qms_master_seal(m);
    err = err == QMS_OK ? qms_master_open_logs(m->conf, diag) : err;
    err = err == QMS_OK ? qms_handover_adopt(h, m, diag) : err;
    err = err == QMS_OK ? qms_cert_provision(m->conf, m->env, qms_clock_wall(), diag) : err;
    err = err == QMS_OK ? qms_master_catch_signals(m, diag) : err;
    m->phase = QMS_MASTER_SERVING;
    return err;
}

static void begin(struct qms_master *m, struct qms_handover *h)
{
    struct qms_diag diag = {0};
    const char *refused = qms_handover_refused(h);

    qms_master_reap(m, qms_clock_now()); /* workers that ended meanwhile */
    if (refused != NULL) {
        failed(m, refused);
        return;
    }
    qms_log(QMS_LOG_NOTICE, "binary replaced pid=%ld version=" QUICMS_VERSION, (long)getpid());
    if (qms_master_generation_begin(m, &diag) != QMS_OK) {
        qms_log(QMS_LOG_ERROR, "workers stay those of the binary before: %s", diag.text);
        qms_master_note_error(m, diag.text);
    }
    qms_master_answer(m);
}

qms_err qms_master_resume(struct qms_master *m, struct qms_handover *h, struct qms_diag *diag)
{
    qms_err err = resume(m, h, diag);

    if (err == QMS_OK) {
        begin(m, h);
    } else if (qms_handover_refused(h) == NULL) {
        qms_diag_error(diag, "%s", qms_strerror(err));
        qms_handover_return(h, m->argv, diag->text);
    }
    qms_handover_free(h);
    return err;
}
