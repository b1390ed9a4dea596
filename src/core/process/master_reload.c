/* SPDX-License-Identifier: MIT */
/* A new configuration is read, checked and equipped beside the old one; only when nothing can
 * fail any more is it swapped in and handed on. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/conf/debug.h"
#include "core/conf/diag.h"
#include "core/conf/logs.h"
#include "core/conf/restart.h"
#include "core/conf/zone.h"
#include "core/process/cert.h"
#include "core/process/master_i.h"
#include "core/process/master_sockets.h"
#include "core/process/reload_answer.h"
#include "core/process/worker_channel.h"

static qms_err pack_file(const struct qms_conf *conf, int *fd, struct qms_diag *diag)
{
    uint8_t *pack = NULL;
    size_t len = 0;

    if (qms_conf_pack(conf, &pack, &len) != QMS_OK) {
        return qms_diag_nomem(diag);
    }
    *fd = qms_channel_file((struct qms_bytes){pack, len});
    qms_memzero(pack, len);
    qms_free(pack);
    if (*fd < 0) {
        qms_diag_error(diag, "Cannot hand the configuration on: %s.", strerror(errno));
        return QMS_E_IO;
    }
    return QMS_OK;
}

/* A slot without a channel has no worker; its next one is forked with what is in force then.
 * Workers of before m->since keep the configuration that they have. */
static void send_all(struct qms_master *m, const struct qms_message *msg, const char *what)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        bool follows = msg->order != QMS_ORDER_RELOAD || m->slots[i].generation >= m->since;
        qms_err err = QMS_OK;
        if (m->slots[i].channel >= 0 && follows) {
            err = qms_channel_send(m->slots[i].channel, msg);
        }
        /* Nobody waits for those that are leaving; theirs may be an older binary. */
        m->slots[i].reloads = err == QMS_OK && m->slots[i].channel >= 0 &&
                              !m->slots[i].retired && follows &&
                              (m->slots[i].reloads || msg->order == QMS_ORDER_RELOAD);
        if (err != QMS_OK) {
            qms_log(QMS_LOG_ERROR, "%s not handed to worker pid=%ld error=%s", what,
                    (long)m->slots[i].pid, qms_err_name(err));
        }
    }
}

/* Same order of roots and zones as the worker finds. */
static void send_conf(struct qms_master *m, int pack_fd)
{
    struct qms_message msg = {.order = QMS_ORDER_RELOAD, .fds = {pack_fd}, .fd_count = 1};
    int *slots[QMS_CONF_ROOTS_MAX];
    size_t n = qms_conf_root_slots(m->conf, slots, QMS_CONF_ROOTS_MAX);

    for (size_t i = 0; i < n; i++) {
        msg.fds[msg.fd_count++] = *slots[i];
    }
    msg.fd_count += qms_zones_fds(m->conf, msg.fds + msg.fd_count);
    send_all(m, &msg, "configuration");
}

/* All that workers find there.  An error log that is named anew can be opened; one that could
 * be when the broker started is opened again later, and is no reason to refuse all the rest. */
static qms_err equip(struct qms_master *m, struct qms_conf *conf, struct qms_diag *diag)
{
    bool same_log = strcmp(conf->error_log, m->conf->error_log) == 0;
    qms_err err = same_log ? QMS_OK : qms_error_log_check(conf, diag);

    err = err == QMS_OK ? qms_logs_open(conf, diag) : err;
    err = err == QMS_OK ? qms_cert_provision(conf, m->env, qms_clock_wall(), diag) : err;
    return err == QMS_OK ? qms_zones_give(conf, m->conf, diag) : err;
}

/* Takes `conf` over in any case. */
static qms_err put_in_force(struct qms_master *m, struct qms_conf *conf, struct qms_diag *diag)
{
    int fd = -1;
    qms_err err = qms_sockets_share(conf, m->conf, diag);

    err = err == QMS_OK ? equip(m, conf, diag) : err;
    err = err == QMS_OK ? pack_file(conf, &fd, diag) : err;
    if (err != QMS_OK) {
        qms_conf_unref(conf);
        return err;
    }
    qms_conf_unref(m->conf);
    m->conf = conf;
    m->certificates_at = qms_cert_next_at(conf);
    send_conf(m, fd);
    close(fd);
    return QMS_OK;
}

qms_err qms_master_replace_conf(struct qms_master *m, struct qms_conf *conf,
                                struct qms_diag *diag)
{
    qms_err err = qms_master_generation_room(m, diag);

    /* The kernel numbers the sockets of an address as they are opened, so those of slots that
     * are not going to read them are needed too; without its filter they would get packets. */
    if (err == QMS_OK) {
        err = qms_sockets_move(conf, m->conf, m->steered ? m->slot_count : 0, diag);
    }
    if (err != QMS_OK) {
        qms_conf_unref(conf);
        return err;
    }
    err = equip(m, conf, diag);
    m->before = m->conf;
    m->before_since = m->since;
    m->conf = conf;
    m->since = m->newest + 1;
    err = err == QMS_OK ? qms_master_generation_begin(m, diag) : err;
    if (err != QMS_OK) {
        qms_master_conf_settle(m, false);
    }
    return err;
}

void qms_master_conf_settle(struct qms_master *m, bool serves)
{
    struct qms_conf *other = serves ? m->before : m->conf;

    if (m->before == NULL) {
        return;
    }
    if (!serves) {
        m->conf = m->before;
        qms_sockets_take(m->conf, other); /* where the kernel numbers them none may be lost */
        m->since = m->before_since;
    }
    m->before = NULL;
    qms_sockets_leave(other, m->conf);
    qms_conf_unref(other);
    m->certificates_at = qms_cert_next_at(m->conf);
}

void qms_master_answer(struct qms_master *m)
{
    bool waits = !m->reload_due || m->coming != 0 || m->checking;

    for (size_t i = 0; i < m->slot_count; i++) {
        waits = waits || m->slots[i].reloads;
    }
    if (waits) {
        return;
    }
    m->reload_due = false;
    if (qms_reload_answer_write(m->pid_file, m->reload_number, m->reload_error) != QMS_OK) {
        qms_log(QMS_LOG_ERROR, "answer to the reload not written beside pid=%s", m->pid_file);
    }
}

void qms_master_note_error(struct qms_master *m, const char *error)
{
    if (m->reload_error[0] == '\0') {
        (void)snprintf(m->reload_error, sizeof(m->reload_error), "%s", error);
    }
}

void qms_master_reload_heard(struct qms_master *m, struct qms_slot *slot, const char *error)
{
    if (slot->reloads) {
        slot->reloads = false;
        qms_master_note_error(m, error);
        qms_master_answer(m);
    }
}

static void say_restart(void *arg, const char *directive)
{
    (void)arg;
    qms_log(QMS_LOG_WARN,
            "a changed directive takes effect at an upgrade or restart only name=%s",
            directive);
}

static void say_workers(void *arg, const char *directive)
{
    (void)arg;
    qms_log(QMS_LOG_NOTICE, "new workers are started for a changed directive name=%s",
            directive);
}

/* Whether workers that run can follow; `conf` gets no socket by being asked. */
static bool needs_workers(struct qms_master *m, const struct qms_conf *conf)
{
    bool same = qms_sockets_same(conf, m->conf);

    if (!same) {
        say_workers(NULL, "listen");
    }
    return qms_conf_workers_each(m->conf, conf, say_workers, NULL) > 0 || !same;
}

/* Another count of workers, or none since WINCH: the next generation. */
static void follow_count(struct qms_master *m)
{
    struct qms_diag diag = {0};

    if (m->coming != 0 ||
        qms_master_generation_size(m, m->generation) == m->conf->worker_processes) {
        return;
    }
    if (qms_master_generation_begin(m, &diag) != QMS_OK) {
        qms_log(QMS_LOG_ERROR, "workers stay as they are: %s", diag.text);
        qms_master_note_error(m, diag.text);
    }
}

void qms_master_reload(struct qms_master *m)
{
    struct qms_diag diag = {0};
    struct qms_conf *conf = qms_conf_load(m->file, m->env, &diag);
    struct qms_conf *old = qms_conf_ref(m->conf);

    qms_log(QMS_LOG_NOTICE, "configuration is read again conf=%s", m->conf->file);
    m->reload_number++;
    m->reload_due = true;
    m->reload_error[0] = '\0';
    if (conf == NULL || (needs_workers(m, conf) ? qms_master_replace_conf(m, conf, &diag)
                                                : put_in_force(m, conf, &diag)) != QMS_OK) {
        qms_diag_error(&diag, "%s", qms_strerror(QMS_E_NOMEM));
        qms_log(QMS_LOG_ERROR, "configuration is not put in force, the old one stays: %s",
                diag.text);
        qms_master_note_error(m, diag.text);
    } else {
        (void)qms_conf_restart_each(old, m->conf, say_restart, NULL);
        qms_key_log_warn(m->conf);
        qms_master_reopen_log(m);
        follow_count(m);
    }
    qms_conf_unref(old);
    qms_master_answer(m);
}

/* The running configuration once more, out of its own pack: no file is read again, so nothing
 * but the certificates can change. */
static struct qms_conf *copy_conf(struct qms_master *m, struct qms_diag *diag)
{
    uint8_t *pack = NULL;
    size_t len = 0;
    int *from[QMS_CONF_ROOTS_MAX], *to[QMS_CONF_ROOTS_MAX];

    if (qms_conf_pack(m->conf, &pack, &len) != QMS_OK) {
        (void)qms_diag_nomem(diag);
        return NULL;
    }
    struct qms_bytes bytes = {pack, len};
    struct qms_conf *conf = qms_conf_load_packed(bytes, m->conf->file, m->env, diag);
    qms_memzero(pack, len);
    qms_free(pack);
    if (conf != NULL) {
        size_t n = qms_conf_root_slots(m->conf, from, QMS_CONF_ROOTS_MAX);
        (void)qms_conf_root_slots(conf, to, QMS_CONF_ROOTS_MAX);
        for (size_t i = 0; i < n; i++) {
            *to[i] = fcntl(*from[i], F_DUPFD_CLOEXEC, 3);
        }
    }
    return conf;
}

void qms_master_renew(struct qms_master *m)
{
    struct qms_diag diag = {0};
    struct qms_conf *conf = copy_conf(m, &diag);

    if (conf == NULL || put_in_force(m, conf, &diag) != QMS_OK) {
        qms_log(QMS_LOG_ERROR, "self-signed certificates not renewed, next try in a minute: %s",
                diag.text);
        m->certificates_at = qms_clock_wall() + 60;
    }
}

void qms_master_reopen_log(struct qms_master *m)
{
    struct qms_message msg = {.order = QMS_ORDER_LOG};

    qms_logs_reopen(m->conf);
    if (qms_error_log_open(m->conf) != QMS_OK) {
        qms_log(QMS_LOG_ERROR, "log not opened again path=%s error=\"%s\"", m->conf->error_log,
                strerror(errno));
    }
    msg.slot = qms_logs_fingerprint(m->conf);
    msg.fds[0] = qms_log_fd();
    msg.fd_count = 1 + qms_logs_fds(m->conf, msg.fds + 1);
    send_all(m, &msg, "log");
}
