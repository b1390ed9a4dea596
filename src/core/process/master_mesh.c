/* SPDX-License-Identifier: MIT */
/* The master makes all memory that workers share, hands each of them what is its own, and keeps
 * only what a later worker must be given: arenas (for reading) and doorbells.  The rings of two
 * workers are made anew whenever one of them is, so nothing of a dead worker is ever read as if
 * its successor had written it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/process/master_i.h"
#include "core/process/worker_channel.h"
#include "core/shared/mesh.h"

_Static_assert(2 * QMS_WORKERS_MAX <= QMS_SLOTS_MAX, "two generations fit");

static void drop(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

qms_err qms_master_mesh_prepare(struct qms_master *m, struct qms_slot *slot, int *payload)
{
    *payload = -1;
    drop(&slot->view);
    drop(&slot->bell);
    slot->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (slot->bell < 0) {
        return QMS_E_IO;
    }
    if (qms_payload_file(m->conf->worker_memory, payload, &slot->view) != QMS_OK) {
        int error = errno;
        drop(&slot->bell);
        errno = error;
        return QMS_E_IO;
    }
    return QMS_OK;
}

static int pair_file(void)
{
    int fd = memfd_create("quicms-rings", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd >= 0 && (ftruncate(fd, (off_t)qms_mesh_pair_size()) != 0 ||
                    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)) {
        drop(&fd);
    }
    return fd;
}

static void present(const struct qms_master *m, const struct qms_slot *to,
                    const struct qms_slot *peer, int pair)
{
    struct qms_message msg = {.order = QMS_ORDER_PEER,
                              .slot = (uint32_t)(peer - m->slots),
                              .generation = peer->generation,
                              .fds = {pair, peer->view, peer->bell},
                              .fd_count = 3};
    qms_err err = qms_channel_send(to->channel, &msg);

    if (err != QMS_OK) {
        qms_log(QMS_LOG_ERROR, "worker not introduced slot=%u to=%zu error=%s", msg.slot,
                (size_t)(to - m->slots), qms_err_name(err));
    }
}

static bool lives(const struct qms_slot *slot)
{
    return slot->pid != 0 && slot->channel >= 0 && slot->view >= 0 && !slot->alien;
}

void qms_master_mesh_introduce(struct qms_master *m, struct qms_slot *slot)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        struct qms_slot *other = &m->slots[i];
        int pair = other != slot && lives(slot) && lives(other) ? pair_file() : -1;
        if (pair >= 0) {
            present(m, slot, other, pair);
            present(m, other, slot, pair);
            close(pair);
        }
    }
}

void qms_master_mesh_lost(struct qms_master *m, struct qms_slot *slot)
{
    struct qms_message msg = {.order = QMS_ORDER_LOST,
                              .slot = (uint32_t)(slot - m->slots),
                              .generation = slot->retired ? 0 : slot->generation};

    drop(&slot->view);
    drop(&slot->bell);
    for (size_t i = 0; i < m->slot_count; i++) {
        if (&m->slots[i] != slot && m->slots[i].channel >= 0 &&
            m->slots[i].alien == slot->alien) {
            (void)!qms_channel_send(m->slots[i].channel, &msg);
        }
    }
}

size_t qms_master_living(const struct qms_master *m)
{
    size_t count = 0;

    for (size_t i = 0; i < m->slot_count; i++) {
        count += lives(&m->slots[i]);
    }
    return count;
}
