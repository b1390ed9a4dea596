/* SPDX-License-Identifier: MIT */
/* Supervision: a worker that dies is replaced at once; one that dies young, again and again, at
 * growing intervals, so that a fault at start does not become a fork bomb. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/conf/zone.h"
#include "core/process/master_i.h"
#include "core/process/master_sockets.h"
#include "core/process/worker.h"
#include "core/process/worker_channel.h"

#define YOUNG_FOR     (5 * QMS_SECOND)
#define FIRST_BACKOFF (100 * QMS_MILLISECOND)
#define MAX_BACKOFF   (10 * QMS_SECOND)

/* In the new process: what is the master's alone must not live on in a worker. */
static void forget_master(struct qms_master *m, const struct qms_slot *own)
{
    close(m->signals);
    if (m->pid_fd >= 0) {
        close(m->pid_fd);
    }
    if (m->ready_fd >= 0) {
        close(m->ready_fd);
    }
    if (m->check_pid != 0) {
        close(m->check_fd);
    }
    for (size_t i = 0; i < m->slot_count; i++) {
        const int fds[] = {m->slots[i].channel, m->slots[i].bell, m->slots[i].view};
        for (size_t k = &m->slots[i] == own ? 2 : 0; k < 3; k++) {
            if (fds[k] >= 0) {
                close(fds[k]);
            }
        }
    }
}

/* While a generation is coming with what running workers cannot follow, the successor of one of
 * those gets what the others of its generation have: that stays in force if the new one fails.
 */
static struct qms_conf *conf_of(const struct qms_master *m, const struct qms_slot *slot)
{
    return m->before != NULL && slot->generation < m->since ? m->before : m->conf;
}

static void run_worker(struct qms_master *m, const struct qms_slot *own, int channel,
                       int payload)
{
    struct qms_conf *conf = conf_of(m, own);
    struct qms_worker_start start = {.conf = conf,
                                     .env = m->env,
                                     .channel = channel,
                                     .slot = (size_t)(own - m->slots),
                                     .slots = m->slot_count,
                                     .generation = own->generation,
                                     .board = m->board,
                                     .payload = payload,
                                     .bell = own->bell,
                                     .peers = qms_master_living(m)};

    forget_master(m, own);
    if (m->before != NULL) {
        qms_sockets_leave(conf == m->conf ? m->before : m->conf, conf);
    }
    qms_sockets_keep(conf, start.slot);
    qms_zones_keep(conf);
    memcpy(start.secret, m->secret, sizeof(start.secret));
    exit(qms_worker_run(&start));
}

static void close_fd(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

static void later(struct qms_slot *slot, const char *what, qms_time now)
{
    qms_log(QMS_LOG_ERROR, "%s error=\"%s\"", what, strerror(errno));
    slot->start_at = now + QMS_SECOND;
}

static void start_worker(struct qms_master *m, struct qms_slot *slot, qms_time now)
{
    int ends[2], payload;

    struct qms_diag diag = {0};

    slot->start_at = QMS_NEVER;
    if (qms_sockets_open_slot(conf_of(m, slot), (size_t)(slot - m->slots), &diag) != QMS_OK) {
        qms_log(QMS_LOG_ERROR, "worker not started: %s", diag.text);
        slot->start_at = now + QMS_SECOND;
        return;
    }
    if (qms_master_mesh_prepare(m, slot, &payload) != QMS_OK) {
        later(slot, "nothing to share with other workers", now);
        return;
    }
    if (qms_channel_pair(ends) != QMS_OK) {
        later(slot, "no channel for a worker", now);
        close_fd(payload);
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        run_worker(m, slot, ends[1], payload);
    }
    close(ends[1]);
    close_fd(payload);
    if (pid < 0) {
        later(slot, "worker could not be forked", now);
        close(ends[0]);
        return;
    }
    slot->pid = pid;
    slot->channel = ends[0];
    slot->ready = false;
    slot->started_at = now;
    qms_log(QMS_LOG_INFO, "worker started pid=%ld slot=%zu generation=%u", (long)pid,
            (size_t)(slot - m->slots), slot->generation);
    qms_master_mesh_introduce(m, slot);
}

static bool wants_worker(const struct qms_slot *slot)
{
    return slot->generation != 0 && !slot->retired && slot->pid == 0;
}

void qms_master_start_workers(struct qms_master *m, qms_time now)
{
    for (size_t i = 0; m->phase != QMS_MASTER_LEAVING && i < m->slot_count; i++) {
        if (wants_worker(&m->slots[i]) && now >= m->slots[i].start_at) {
            start_worker(m, &m->slots[i], now);
        }
    }
}

qms_time qms_master_start_at(const struct qms_master *m)
{
    qms_time first = QMS_NEVER;

    for (size_t i = 0; m->phase != QMS_MASTER_LEAVING && i < m->slot_count; i++) {
        if (wants_worker(&m->slots[i]) && m->slots[i].start_at < first) {
            first = m->slots[i].start_at;
        }
    }
    return first;
}

bool qms_master_has_workers(const struct qms_master *m)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].pid != 0) {
            return true;
        }
    }
    return false;
}

static void say_how_it_ended(const struct qms_slot *slot, int status)
{
    if (WIFSIGNALED(status)) {
        qms_log(QMS_LOG_ERROR, "worker was killed pid=%ld signal=%d (%s)", (long)slot->pid,
                WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
        qms_log(QMS_LOG_ERROR, "worker failed pid=%ld status=%d", (long)slot->pid,
                WEXITSTATUS(status));
    } else {
        qms_log(QMS_LOG_INFO, "worker ended pid=%ld", (long)slot->pid);
    }
}

static void plan_successor(struct qms_slot *slot, qms_time now)
{
    qms_time wait = 0;

    slot->failures = now - slot->started_at < YOUNG_FOR ? slot->failures + 1 : 0;
    for (unsigned i = 1; i < slot->failures && wait < MAX_BACKOFF; i++) {
        wait = wait == 0 ? FIRST_BACKOFF : 2 * wait;
    }
    slot->start_at = now + (wait < MAX_BACKOFF ? wait : MAX_BACKOFF);
}

static void ended(struct qms_master *m, struct qms_slot *slot, int status, qms_time now)
{
    bool was_coming = slot->generation == m->coming && !slot->ready;

    qms_master_listen(m, slot); /* its last words */
    say_how_it_ended(slot, status);
    slot->pid = 0;
    qms_master_reload_heard(m, slot, "");
    if (slot->channel >= 0) {
        close(slot->channel);
        slot->channel = -1;
    }
    qms_master_mesh_lost(m, slot);
    if (slot->retired) {
        qms_master_slot_vacate(m, slot);
        return;
    }
    if (m->phase == QMS_MASTER_STARTING && !slot->ready) {
        qms_log(QMS_LOG_ERROR, "a worker could not be started, the broker ends");
        m->status = 1;
        qms_master_leave(m, QMS_ORDER_STOP, now);
    } else if (m->phase == QMS_MASTER_SERVING && was_coming && slot->generation == m->coming) {
        qms_master_generation_give_up(m, "A worker could not be started; the log says why.",
                                      now);
        return;
    }
    plan_successor(slot, now);
}

void qms_master_reap(struct qms_master *m, qms_time now)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == m->check_pid) {
            qms_master_upgrade_checked(m, status);
        }
        for (size_t i = 0; i < m->slot_count; i++) {
            if (m->slots[i].generation != 0 && m->slots[i].pid == pid) {
                ended(m, &m->slots[i], status, now);
            }
        }
    }
}

void qms_master_on_first_ready(struct qms_master *m)
{
    m->phase = QMS_MASTER_SERVING;
    qms_log(QMS_LOG_NOTICE, "broker serves pid=%ld conf=%s", (long)getpid(), m->conf->file);
    if (m->ready_fd >= 0) {
        (void)!write(m->ready_fd, "1", 1);
        close(m->ready_fd);
        m->ready_fd = -1;
    }
}

static void heard(struct qms_master *m, struct qms_slot *slot, const struct qms_message *msg)
{
    switch (msg->order) {
    case QMS_ORDER_READY:
        slot->ready = true;
        qms_master_generation_check(m, qms_clock_now());
        break;
    case QMS_ORDER_RELOADED:
        qms_master_reload_heard(m, slot, msg->text);
        if (msg->text[0] == 0) {
            qms_log(QMS_LOG_NOTICE, "configuration in force pid=%ld", (long)slot->pid);
        } else {
            qms_log(QMS_LOG_ERROR, "worker keeps its configuration pid=%ld: %s",
                    (long)slot->pid, msg->text);
        }
        break;
    case QMS_ORDER_FAILED:
        qms_log(QMS_LOG_ERROR, "worker cannot start pid=%ld: %s", (long)slot->pid, msg->text);
        if (slot->generation == m->coming) {
            qms_master_note_error(m, msg->text);
        }
        break;
    default:
        qms_log(QMS_LOG_ERROR, "unknown message from a worker pid=%ld", (long)slot->pid);
    }
}

/* A worker is not trusted with descriptors: what it sends along is closed unseen. */
void qms_master_listen(struct qms_master *m, struct qms_slot *slot)
{
    struct qms_message msg;
    qms_err err = QMS_E_CLOSED;

    while (slot->channel >= 0 && (err = qms_channel_receive(slot->channel, &msg)) == QMS_OK) {
        for (size_t i = 0; i < msg.fd_count; i++) {
            close(msg.fds[i]);
        }
        heard(m, slot, &msg);
    }
    if (slot->channel >= 0 && err != QMS_E_AGAIN) {
        close(slot->channel); /* its end is near; SIGCHLD tells */
        slot->channel = -1;
    }
}

void qms_master_order(struct qms_master *m, int order)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].channel >= 0) {
            qms_channel_say(m->slots[i].channel, (enum qms_order)order, "");
        }
    }
}
