/* SPDX-License-Identifier: MIT */
/* Generations: the workers that serve, and those before them that end what they have begun.
 *
 * A generation is started in vacant slots beside the one that serves.  Only when every worker
 * of it is ready does it take over: the kernel's filter names its slots for new connections,
 * and the others retire.  All of them are one broker as long as they live: one mesh, one
 * directory, one page of counters each, so agents of one reach those of the other. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/conf/diag.h"
#include "core/process/master_i.h"
#include "core/process/master_sockets.h"
#include "core/process/worker_channel.h"

/* What a retired worker gets beyond its time, to say goodbye in. */
#define KILL_AFTER (5 * QMS_SECOND)

size_t qms_master_generation_size(const struct qms_master *m, uint32_t generation)
{
    size_t count = 0;

    for (size_t i = 0; i < m->slot_count; i++) {
        count += generation != 0 && m->slots[i].generation == generation;
    }
    return count;
}

/* Generations that have a worker. */
static size_t living(const struct qms_master *m)
{
    size_t count = 0;

    for (size_t i = 0; i < m->slot_count; i++) {
        bool first = m->slots[i].generation != 0;
        for (size_t k = 0; first && k < i; k++) {
            first = m->slots[k].generation != m->slots[i].generation;
        }
        count += first;
    }
    return count;
}

/* ---- steering ---- */

/* New connections go to the newest generation that serves; while none does, to all there are.
 */
static size_t live_slots(const struct qms_master *m, uint8_t live[QMS_SLOTS_MAX],
                         bool used[QMS_SLOTS_MAX])
{
    uint32_t serving = m->generation != 0 ? m->generation : m->coming;
    size_t count = 0;

    for (size_t i = 0; i < QMS_SLOTS_MAX; i++) {
        used[i] = i < m->slot_count && m->slots[i].generation != 0;
        if (used[i] && m->slots[i].generation == serving) {
            live[count++] = (uint8_t)i;
        }
    }
    for (size_t i = 0; count == 0 && i < QMS_SLOTS_MAX; i++) {
        if (used[i]) {
            live[count++] = (uint8_t)i;
        }
    }
    return count;
}

/* Without the filter packets that land wrong are passed on, at a price. */
qms_err qms_master_steer(struct qms_master *m, struct qms_diag *diag)
{
    uint8_t live[QMS_SLOTS_MAX];
    bool used[QMS_SLOTS_MAX];
    struct qms_diag why = {0};
    size_t count = live_slots(m, live, used);

    if (m->conf->steering == QMS_STEERING_OFF || count == 0) {
        return QMS_OK;
    }
    if (qms_sockets_steer(m->conf, m->env, m->secret, live, count, used, &why) == QMS_OK) {
        m->steered = true;
        return QMS_OK;
    }
    if (m->conf->steering == QMS_STEERING_ON) {
        qms_diag_error(diag, "%s", why.text);
        return QMS_E_IO;
    }
    qms_log(QMS_LOG_WARN, "workers pass packets on to each other: %s", why.text);
    return QMS_OK;
}

static void steer_again(struct qms_master *m)
{
    struct qms_diag diag = {0};

    if (m->steered && qms_master_steer(m, &diag) != QMS_OK) {
        qms_log(QMS_LOG_ERROR, "packets are not steered as they should be: %s", diag.text);
    }
}

/* ---- beginning ---- */

qms_err qms_master_generation_room(const struct qms_master *m, struct qms_diag *diag)
{
    size_t count = living(m), taken = 0;

    for (size_t i = 0; i < m->slot_count; i++) {
        taken += m->slots[i].generation != 0;
    }
    if (m->coming != 0) {
        qms_diag_error(diag, "A generation of workers is being started already.");
        return QMS_E_STATE;
    }
    if (count >= m->conf->worker_generations ||
        taken + m->conf->worker_processes > QMS_SLOTS_MAX) {
        qms_diag_error(diag,
                       "%zu generations of workers live (worker_generations %llu): the oldest "
                       "must have left first, at the latest after worker_shutdown_timeout.",
                       count, (unsigned long long)m->conf->worker_generations);
        return QMS_E_LIMIT;
    }
    return QMS_OK;
}

/* The sockets of a slot stay open for ever where the kernel numbers them; see master_sockets.h.
 */
static void clear(struct qms_slot *slot)
{
    *slot = (struct qms_slot){
        .channel = -1, .view = -1, .bell = -1, .start_at = QMS_NEVER, .kill_at = QMS_NEVER};
}

static void give_back(struct qms_master *m, struct qms_slot *slot)
{
    clear(slot);
    if (!m->steered) {
        qms_sockets_close_slot(m->conf, (size_t)(slot - m->slots));
    }
}

static qms_err take_slot(struct qms_master *m, uint32_t generation, struct qms_diag *diag)
{
    size_t i = 0;

    while (i < m->slot_count && m->slots[i].generation != 0) {
        i++;
    }
    qms_err err = qms_sockets_open_slot(m->conf, i, diag);
    if (err != QMS_OK) {
        return err;
    }
    if (i == m->slot_count) {
        m->slot_count++;
    }
    clear(&m->slots[i]);
    m->slots[i].generation = generation;
    m->slots[i].start_at = 0;
    return QMS_OK;
}

qms_err qms_master_generation_begin(struct qms_master *m, struct qms_diag *diag)
{
    qms_err err = qms_master_generation_room(m, diag);

    if (err != QMS_OK) {
        return err;
    }
    uint32_t generation = m->newest + 1;
    for (size_t i = 0; err == QMS_OK && i < m->conf->worker_processes; i++) {
        err = take_slot(m, generation, diag);
    }
    for (size_t i = 0; err != QMS_OK && i < m->slot_count; i++) {
        if (m->slots[i].generation == generation) {
            give_back(m, &m->slots[i]);
        }
    }
    if (err == QMS_OK) {
        m->coming = m->newest = generation;
        steer_again(m); /* connections of the new slots are theirs from the first packet */
    }
    return err;
}

/* ---- taking over ---- */

static void retire(struct qms_master *m, struct qms_slot *slot, enum qms_order order,
                   qms_time now)
{
    slot->retired = true;
    slot->reloads = false;
    slot->kill_at =
        now + KILL_AFTER + (order == QMS_ORDER_STOP ? 0 : m->conf->worker_shutdown_for);
    if (slot->channel >= 0) {
        qms_channel_say(slot->channel, order, "");
    }
    if (slot->pid == 0) { /* it died, and its successor is not needed any more */
        qms_master_slot_vacate(m, slot);
    }
}

static void retire_others(struct qms_master *m, qms_time now)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        struct qms_slot *slot = &m->slots[i];
        if (slot->generation != 0 && slot->generation != m->generation && !slot->retired) {
            retire(m, slot, QMS_ORDER_RETIRE, now);
        }
    }
}

void qms_master_generation_check(struct qms_master *m, qms_time now)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].generation == m->coming && !m->slots[i].ready) {
            return;
        }
    }
    if (m->coming == 0) {
        return;
    }
    m->generation = m->coming;
    m->coming = 0;
    qms_master_conf_settle(m, true);
    if (m->phase == QMS_MASTER_STARTING) {
        qms_master_on_first_ready(m);
    }
    qms_log(QMS_LOG_NOTICE, "generation serves generation=%u workers=%zu", m->generation,
            qms_master_generation_size(m, m->generation));
    steer_again(m);
    retire_others(m, now);
    qms_master_answer(m);
}

void qms_master_generation_give_up(struct qms_master *m, const char *why, qms_time now)
{
    uint32_t generation = m->coming;

    qms_log(QMS_LOG_ERROR, "generation given up generation=%u: %s", generation, why);
    m->coming = 0;
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].generation == generation) {
            retire(m, &m->slots[i], QMS_ORDER_STOP, now);
        }
    }
    qms_master_conf_settle(m, false);
    qms_master_note_error(m, why);
    qms_master_answer(m);
}

void qms_master_generation_end(struct qms_master *m, qms_time now)
{
    qms_log(QMS_LOG_NOTICE, "workers retire, HUP starts new ones");
    if (m->coming != 0) {
        qms_master_generation_give_up(m, "The workers were told to retire.", now);
    }
    m->generation = 0;
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].generation != 0) {
            retire(m, &m->slots[i], QMS_ORDER_QUIT, now);
        }
    }
}

/* ---- leaving ---- */

void qms_master_slot_vacate(struct qms_master *m, struct qms_slot *slot)
{
    uint32_t generation = slot->generation;

    qms_board_vacate(m->board, (size_t)(slot - m->slots));
    give_back(m, slot);
    steer_again(m);
    if (generation != 0 && qms_master_generation_size(m, generation) == 0) {
        qms_log(QMS_LOG_NOTICE, "generation has left generation=%u", generation);
    }
}

qms_time qms_master_kill_retired(struct qms_master *m, qms_time now)
{
    qms_time next = QMS_NEVER;

    for (size_t i = 0; i < m->slot_count; i++) {
        struct qms_slot *slot = &m->slots[i];
        if (!slot->retired || slot->pid == 0) {
            continue;
        }
        if (now >= slot->kill_at) {
            qms_log(QMS_LOG_ERROR, "worker does not leave and is killed pid=%ld",
                    (long)slot->pid);
            (void)kill(slot->pid, SIGKILL);
            slot->kill_at = QMS_NEVER;
        }
        next = slot->kill_at < next ? slot->kill_at : next;
    }
    return next;
}
