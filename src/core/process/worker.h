/* SPDX-License-Identifier: MIT */
/* One worker process: an event loop around a broker, its carrier and the HTTP endpoint. */
#ifndef QMS_CORE_PROCESS_WORKER_H
#define QMS_CORE_PROCESS_WORKER_H

#include "core/conf/conf.h"
#include "core/shared/board.h"

struct qms_worker_start {
    struct qms_conf *conf; /* sockets and roots are open */
    const struct qms_conf_env *env;
    uint8_t secret[32];
    int channel;  /* to the master (core/process/worker_channel.h); the worker closes it */
    size_t slot;  /* its place among the workers */
    size_t slots; /* those that were ever used are below this */
    uint32_t generation;
    struct qms_board *board;
    int payload, bell; /* its arena and its eventfd; the worker closes them */
    size_t peers;      /* other workers that live now and will tell what agents they have */
};

/** The whole life of a worker in its freshly forked process: drops privileges, serves, says
 * READY (or FAILED and why), obeys orders, leaves.  When the master goes away it drains for two
 * seconds at most.  Returns the exit status. */
int qms_worker_run(const struct qms_worker_start *start);

#endif
