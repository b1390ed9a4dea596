/* SPDX-License-Identifier: MIT */
/* Inside of the master: shared by master.c (life, signals), master_workers.c and
 * master_reload.c. */
#ifndef QMS_CORE_PROCESS_MASTER_I_H
#define QMS_CORE_PROCESS_MASTER_I_H

#include <sys/types.h>

#include "core/process/master.h"
#include "core/shared/board.h"

enum qms_master_phase {
    QMS_MASTER_STARTING, /* no worker has served yet: a failure ends the broker */
    QMS_MASTER_SERVING,
    QMS_MASTER_LEAVING /* workers were told to go and are not replaced */
};

/* A place for one worker process (core/shared/slots.h); the process in it changes when one
 * dies. */
struct qms_slot {
    uint32_t generation; /* 0: the slot is vacant */
    bool retired;        /* its worker is to leave and is not replaced */
    pid_t pid;           /* 0: none now */
    int channel;         /* -1: none */
    int view, bell;      /* what other workers need of this one; -1: none */
    bool ready;          /* the process has said READY */
    bool reloads;        /* it was handed a configuration and has not answered */
    bool alien;          /* of a binary whose rings and counters are others */
    qms_time kill_at;    /* retired: it is killed then */
    qms_time started_at;
    qms_time start_at; /* no process: when to start one */
    unsigned failures; /* processes in a row that died young */
};

struct qms_master {
    const char *file;
    char *const *argv; /* as this program was run */
    char *binary;      /* its path; NULL: unknown */
    const struct qms_conf_env *env;
    struct qms_conf *conf;
    uint8_t secret[32];
    struct qms_board *board;
    struct qms_slot slots[QMS_SLOTS_MAX];
    size_t slot_count;   /* those that were ever used */
    uint32_t generation; /* the one that serves; 0: none */
    uint32_t coming;     /* the one that is being started; 0: none */
    uint32_t newest;     /* number given last */
    uint32_t since;      /* the oldest one whose workers can follow `conf` */
    /* What is in force until the coming generation serves, if that has another configuration
     * than a running worker can follow; NULL: it has not. */
    struct qms_conf *before;
    uint32_t before_since;
    bool steered; /* the kernel brings packets to their slots */
    enum qms_master_phase phase;
    int signals;                                        /* signalfd */
    bool wants_reload, wants_upgrade, wants_retirement; /* signals that are not obeyed yet */
    int pid_fd;                                         /* -1: not yet taken */
    char *pid_file;           /* as taken: a reload does not move it */
    qms_time kill_retired_at; /* one of them is late then */
    qms_time kill_at;         /* LEAVING: workers that are still there then are killed */
    int ready_fd;             /* the terminal's process waits on it; -1: nobody does */
    int64_t certificates_at;  /* wall seconds of the next change; QMS_CERT_NEVER */
    uint64_t reload_number;   /* of the last reload, see reload_answer.h */
    bool reload_due;          /* it has no answer yet */
    char reload_error[1024];  /* the first thing that went wrong in it */
    /* USR2: the new binary's check of the configuration. */
    bool checking;
    pid_t check_pid; /* 0: none runs */
    int check_fd;    /* its words */
    qms_time check_until;
    int status;
};

struct qms_handover;

/** Starts what should run and does not, when its time has come. */
void qms_master_start_workers(struct qms_master *m, qms_time now);
/* master_generation.c */
/** Begins a generation of conf->worker_processes workers in vacant slots.  When all of them are
 * ready it serves, and the one before retires; when one cannot start it is given up and nothing
 * has changed.  QMS_E_LIMIT, QMS_E_STATE (one is being started), QMS_E_IO: diag says why. */
QMS_MUST_CHECK qms_err qms_master_generation_begin(struct qms_master *m, struct qms_diag *diag);
/** Whether one more fits.  Errors as above. */
QMS_MUST_CHECK qms_err qms_master_generation_room(const struct qms_master *m,
                                                  struct qms_diag *diag);
/** A worker has become ready. */
void qms_master_generation_check(struct qms_master *m, qms_time now);
/** A worker of the coming generation could not start: `why` for whoever waits. */
void qms_master_generation_give_up(struct qms_master *m, const char *why, qms_time now);
/** WINCH: the workers leave when their agents have, and none take their place until HUP. */
void qms_master_generation_end(struct qms_master *m, qms_time now);
/** The worker of a retired slot has left. */
void qms_master_slot_vacate(struct qms_master *m, struct qms_slot *slot);
/** Kills retired workers that are late; returns when the next one will be. */
qms_time qms_master_kill_retired(struct qms_master *m, qms_time now);
/** Workers that the generation has. */
size_t qms_master_generation_size(const struct qms_master *m, uint32_t generation);
/** Has the kernel steer packets to the slots as they are now.  QMS_E_IO: it must and cannot. */
QMS_MUST_CHECK qms_err qms_master_steer(struct qms_master *m, struct qms_diag *diag);

/* master_reload.c */
/** Begins a generation of workers with `conf`, which those that run cannot follow.  Their own
 * stays in force until it serves, and beyond where it does not come to that.  Takes `conf` over
 * in any case.  Errors as qms_master_generation_begin. */
QMS_MUST_CHECK qms_err qms_master_replace_conf(struct qms_master *m, struct qms_conf *conf,
                                               struct qms_diag *diag);
/** The coming generation serves (or does not): the configuration before (after) it is over. */
void qms_master_conf_settle(struct qms_master *m, bool serves);

/* master_mesh.c */
/** Makes what the next process of the slot shares with the others; `*payload` is its own.
 * Nothing for a worker that is alone.  QMS_E_IO (errno): nothing was made. */
QMS_MUST_CHECK qms_err qms_master_mesh_prepare(struct qms_master *m, struct qms_slot *slot,
                                               int *payload);
/** Introduces the worker that now runs in the slot and the others to each other. */
void qms_master_mesh_introduce(struct qms_master *m, struct qms_slot *slot);
/** The slot has no process any more: tells the others. */
void qms_master_mesh_lost(struct qms_master *m, struct qms_slot *slot);
/** Workers that live. */
size_t qms_master_living(const struct qms_master *m);

/** Collects processes that ended. */
void qms_master_reap(struct qms_master *m, qms_time now);
/** Reads what the worker of one slot said. */
void qms_master_listen(struct qms_master *m, struct qms_slot *slot);
/** The workers are told to go; those that do not are killed. */
void qms_master_leave(struct qms_master *m, int order, qms_time now);
/** An order without more to it, to every worker. */
void qms_master_order(struct qms_master *m, int order);
bool qms_master_has_workers(const struct qms_master *m);
/** The next instant at which a worker is to be started; QMS_NEVER. */
qms_time qms_master_start_at(const struct qms_master *m);
/** The broker serves for the first time. */
void qms_master_on_first_ready(struct qms_master *m);

/** HUP: reads everything again, checks it whole, and hands it to the workers; or says why not.
 */
void qms_master_reload(struct qms_master *m);
/** What whoever waits for a reload is told, unless something is known already. */
void qms_master_note_error(struct qms_master *m, const char *error);
/** Tells whoever waits, when nothing is under way any more. */
void qms_master_answer(struct qms_master *m);
/** The worker has answered a reload (`error` empty: all is well) or is gone. */
void qms_master_reload_heard(struct qms_master *m, struct qms_slot *slot, const char *error);
/** Self-signed certificates are due: mints or switches, and hands them to the workers. */
void qms_master_renew(struct qms_master *m);
/** USR1: opens the logs by their names again, here and in the workers. */
void qms_master_reopen_log(struct qms_master *m);

/** What modules were loaded with the first configuration are all there will be. */
void qms_master_seal(struct qms_master *m);
/** The error log and the others. */
QMS_MUST_CHECK qms_err qms_master_open_logs(struct qms_conf *conf, struct qms_diag *diag);
QMS_MUST_CHECK qms_err qms_master_catch_signals(struct qms_master *m, struct qms_diag *diag);
/* master_upgrade.c */
/** The path of this program (qms_free); NULL: unknown. */
char *qms_master_binary(void);
/** USR2: has the binary at that path take over, if it can; says why not. */
void qms_master_upgrade(struct qms_master *m, qms_time now);
/** Its check has ended. */
void qms_master_upgrade_checked(struct qms_master *m, int status);
void qms_master_upgrade_expire(struct qms_master *m, qms_time now);
/** Goes on where another binary has stopped; `h` is consumed.  On failure that one is run
 * again; returns only when it cannot be. */
QMS_MUST_CHECK qms_err qms_master_resume(struct qms_master *m, struct qms_handover *h,
                                         struct qms_diag *diag);

/** Goes to the background.  In the terminal's process this does not return: it waits until the
 * broker serves (status 0) or has failed (status 1).  Returns the descriptor to which one byte
 * says "serves".  QMS_E_IO. */
QMS_MUST_CHECK qms_err qms_master_daemonize(int *ready_fd, struct qms_diag *diag);

#endif
