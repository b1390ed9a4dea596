/* SPDX-License-Identifier: MIT */
/* One loop over a signalfd and the workers' channels.  Start is in an order in which every
 * failure can still be told to the terminal. */
#include "core/process/master.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/conf/debug.h"
#include "core/conf/diag.h"
#include "core/conf/dynamic.h"
#include "core/conf/logs.h"
#include "core/conf/zone.h"
#include "core/process/cert.h"
#include "core/process/handover.h"
#include "core/process/master_i.h"
#include "core/process/master_sockets.h"
#include "core/process/pidfile.h"
#include "core/process/privileges.h"
#include "core/process/reload_answer.h"
#include "core/process/worker_channel.h"

#define POLL_MAX   (1 + QMS_SLOTS_MAX)
#define KILL_AFTER (5 * QMS_SECOND)
/* Workers of a master that was killed have left by then. */
#define ORPHANS_FOR (4 * QMS_SECOND)

void qms_master_leave(struct qms_master *m, int order, qms_time now)
{
    qms_log(QMS_LOG_NOTICE, "broker %s",
            order == QMS_ORDER_QUIT ? "shuts down gracefully" : "stops");
    m->phase = QMS_MASTER_LEAVING;
    m->kill_at =
        now + KILL_AFTER + (order == QMS_ORDER_QUIT ? m->conf->worker_shutdown_for : 0);
    qms_master_order(m, order);
}

static void kill_late_workers(struct qms_master *m, qms_time now)
{
    if (m->phase != QMS_MASTER_LEAVING || now < m->kill_at) {
        return;
    }
    m->kill_at = QMS_NEVER;
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].pid != 0) {
            qms_log(QMS_LOG_ERROR, "worker does not leave and is killed pid=%ld",
                    (long)m->slots[i].pid);
            (void)kill(m->slots[i].pid, SIGKILL);
        }
    }
}

/* A terminal sends SIGWINCH when its window changes: only that of a process counts. */
static void on_signal(struct qms_master *m, const struct signalfd_siginfo *info, qms_time now)
{
    switch (info->ssi_signo) {
    case SIGTERM:
    case SIGINT:
        qms_master_leave(m, QMS_ORDER_STOP, now);
        break;
    case SIGQUIT:
        qms_master_leave(m, QMS_ORDER_QUIT, now);
        break;
    case SIGHUP:
        m->wants_reload = true;
        break;
    case SIGUSR2:
        m->wants_upgrade = true;
        break;
    case SIGWINCH:
        m->wants_retirement = m->wants_retirement || info->ssi_code <= 0;
        break;
    case SIGUSR1:
        qms_master_reopen_log(m);
        break;
    default: /* SIGCHLD */
        qms_master_reap(m, now);
    }
}

static void read_signals(struct qms_master *m, qms_time now)
{
    struct signalfd_siginfo info;

    while (read(m->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        on_signal(m, &info, now);
    }
}

/* What was asked for before the broker served is done when it does. */
static void obey(struct qms_master *m, qms_time now)
{
    if (m->phase == QMS_MASTER_STARTING) {
        return;
    }
    bool serves = m->phase == QMS_MASTER_SERVING;
    if (m->wants_reload && serves) {
        qms_master_reload(m);
    }
    if (m->wants_upgrade && serves) {
        qms_master_upgrade(m, now);
    }
    if (m->wants_retirement && serves) {
        qms_master_generation_end(m, now);
    }
    m->wants_reload = m->wants_upgrade = m->wants_retirement = false;
}

/* Milliseconds until something is due; -1: nothing is. */
static int wait_for(const struct qms_master *m, qms_time now)
{
    qms_time at = m->phase == QMS_MASTER_LEAVING ? m->kill_at : qms_master_start_at(m);
    int64_t ms = -1;

    at = m->kill_retired_at < at ? m->kill_retired_at : at;
    at = m->check_until < at ? m->check_until : at;
    if (at != QMS_NEVER) {
        ms = at > now ? (int64_t)((at - now) / QMS_MILLISECOND) + 1 : 0;
    }
    if (m->certificates_at != QMS_CERT_NEVER && m->phase == QMS_MASTER_SERVING) {
        int64_t left = m->certificates_at - qms_clock_wall();
        /* A minute at most: the wall clock may be set. */
        int64_t due = left <= 0 ? 0 : left < 60 ? left * 1000 : 60000;
        ms = ms < 0 || due < ms ? due : ms;
    }
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* Where the clock was set back they are due too, but not again at once when that has failed. */
static bool certificates_are_due(const struct qms_master *m)
{
    int64_t now = qms_clock_wall();

    return m->phase == QMS_MASTER_SERVING &&
           (now >= m->certificates_at ||
            (m->certificates_at - now > 3600 && qms_cert_ahead(m->conf, now)));
}

static void turn(struct qms_master *m)
{
    struct pollfd fds[POLL_MAX] = {{.fd = m->signals, .events = POLLIN}};
    struct qms_slot *of[POLL_MAX];
    nfds_t count = 1;

    for (size_t i = 0; i < m->slot_count && count < POLL_MAX; i++) {
        if (m->slots[i].channel >= 0) {
            of[count] = &m->slots[i];
            fds[count++] = (struct pollfd){.fd = m->slots[i].channel, .events = POLLIN};
        }
    }
    if (poll(fds, count, wait_for(m, qms_clock_now())) < 0 && errno != EINTR) {
        qms_log(QMS_LOG_ERROR, "poll failed error=\"%s\"", strerror(errno));
    }
    for (nfds_t i = 1; i < count; i++) {
        if (fds[i].revents != 0) {
            qms_master_listen(m, of[i]);
        }
    }
    qms_time now = qms_clock_now();
    read_signals(m, now);
    obey(m, now);
    if (certificates_are_due(m)) {
        qms_master_renew(m);
    }
    kill_late_workers(m, now);
    qms_master_upgrade_expire(m, now);
    m->kill_retired_at = qms_master_kill_retired(m, now);
    qms_master_start_workers(m, now);
}

qms_err qms_master_catch_signals(struct qms_master *m, struct qms_diag *diag)
{
    static const int caught[] = {SIGTERM, SIGINT,  SIGQUIT,  SIGHUP,
                                 SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
        sigaddset(&set, caught[i]);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* whoever started us may have ignored it */
    m->signals = -1;
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0) {
        m->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    }
    if (m->signals < 0) {
        qms_diag_error(diag, "Cannot catch signals: %s.", strerror(errno));
        return QMS_E_IO;
    }
    return QMS_OK;
}

static qms_err open_log(const struct qms_conf *conf, struct qms_diag *diag)
{
    qms_err err = qms_error_log_check(conf, diag);

    if (err == QMS_OK && (err = qms_error_log_open(conf)) != QMS_OK) {
        qms_diag_error(diag, "Cannot open the log \"%s\": %s.", conf->error_log,
                       strerror(errno));
    }
    return err;
}

qms_err qms_master_open_logs(struct qms_conf *conf, struct qms_diag *diag)
{
    qms_err err = open_log(conf, diag);

    return err == QMS_OK ? qms_logs_open(conf, diag) : err;
}

/* What the workers share, and the sockets of the first of them. */
static qms_err equip(struct qms_master *m, qms_time wait, struct qms_diag *diag)
{
    qms_err err = qms_sockets_open(m->conf, wait, diag);

    err = err == QMS_OK ? qms_zones_give(m->conf, NULL, diag) : err;
    if (err == QMS_OK) {
        m->board = qms_board_new(QMS_SLOTS_MAX);
        err = m->board != NULL ? qms_master_generation_begin(m, diag) : qms_diag_nomem(diag);
    }
    return err == QMS_OK ? qms_cert_provision(m->conf, m->env, qms_clock_wall(), diag) : err;
}

/* Everything that can be refused, before the terminal is left. */
static qms_err prepare(struct qms_master *m, struct qms_diag *diag)
{
    struct qms_conf *conf = m->conf;
    /* Before the pid file says whom to signal. */
    qms_err err = qms_master_catch_signals(m, diag);
    /* A master that was killed leaves its file, and workers that are on their way out. */
    bool left_over = access(conf->pid_file, F_OK) == 0;

    err = err == QMS_OK ? qms_privileges_check(conf, diag) : err;
    err = err == QMS_OK ? qms_master_open_logs(conf, diag) : err;
    if (err == QMS_OK) {
        qms_key_log_warn(conf);
    }
    if (err == QMS_OK) {
        m->pid_file = qms_strndup(conf->pid_file, strlen(conf->pid_file));
        err = m->pid_file != NULL ? qms_pidfile_take(m->pid_file, &m->pid_fd, diag)
                                  : qms_diag_nomem(diag);
    }
    if (err == QMS_OK) {
        qms_reload_answer_drop(m->pid_file);
        err = equip(m, left_over ? ORPHANS_FOR : 0, diag);
    }
    if (err == QMS_OK && conf->daemon != 0) {
        err = qms_master_daemonize(&m->ready_fd, diag);
    }
    if (err == QMS_OK && conf->daemon != 0) {
        err = qms_pidfile_update(m->pid_file, m->pid_fd, diag);
    }
    if (err == QMS_OK) {
        qms_cert_secret(conf, m->secret);
        err = qms_master_steer(m, diag);
    }
    return err;
}

static void serve(struct qms_master *m)
{
    m->certificates_at = qms_cert_next_at(m->conf);
    qms_master_start_workers(m, qms_clock_now());
    while (m->phase != QMS_MASTER_LEAVING || qms_master_has_workers(m)) {
        turn(m);
    }
    qms_log(QMS_LOG_NOTICE, "broker ended status=%d", m->status);
}

void qms_master_seal(struct qms_master *m)
{
    if (m->conf != NULL && m->env->dynamic != NULL) {
        m->env->dynamic->sealed = true;
    }
}

/* From nothing, or from where another binary has stopped. */
static qms_err begin(struct qms_master *m, struct qms_diag *diag)
{
    struct qms_handover *h = qms_handover_take();

    m->binary = qms_master_binary();
    if (h != NULL) {
        return qms_master_resume(m, h, diag);
    }
    m->conf = qms_conf_load(m->file, m->env, diag);
    qms_master_seal(m);
    return m->conf != NULL ? prepare(m, diag) : QMS_E_CONFIG;
}

int qms_master_run(const char *file, const struct qms_conf_env *env, char *const *argv)
{
    struct qms_master m = {.file = file,
                           .argv = argv,
                           .env = env,
                           .signals = -1,
                           .pid_fd = -1,
                           .ready_fd = -1,
                           .kill_at = QMS_NEVER,
                           .kill_retired_at = QMS_NEVER,
                           .check_until = QMS_NEVER};
    struct qms_diag diag = {0};

    qms_err err = begin(&m, &diag);
    if (err == QMS_OK) {
        serve(&m);
    } else {
        qms_diag_error(&diag, "%s", qms_strerror(err));
        (void)fprintf(stderr, "quicms: %s\n", diag.text);
        m.status = 1;
        if (m.ready_fd >= 0) {
            qms_log(QMS_LOG_ERROR, "the broker cannot start: %s", diag.text);
        }
    }
    qms_master_conf_settle(&m, false);
    if (m.conf != NULL) {
        qms_sockets_close(m.conf);
    }
    if (m.pid_fd >= 0) {
        qms_reload_answer_drop(m.pid_file);
    }
    qms_pidfile_drop(m.pid_file, m.pid_fd);
    qms_free(m.pid_file);
    qms_free(m.binary);
    if (m.signals >= 0) {
        close(m.signals);
    }
    qms_memzero(m.secret, sizeof(m.secret));
    qms_board_free(m.board);
    qms_conf_unref(m.conf);
    return m.status;
}
