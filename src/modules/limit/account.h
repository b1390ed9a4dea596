/* SPDX-License-Identifier: MIT */
/* What each agent owes, by its id.
 *
 * An account outlives the connection, so reconnecting forgives nothing; it goes once the agent
 * has paid, because a paid account says no more than none.  All connections of one id share it.
 * Accounts without a connection are bounded: beyond that the one left longest ago is dropped.
 */
#ifndef QMS_MODULES_LIMIT_ACCOUNT_H
#define QMS_MODULES_LIMIT_ACCOUNT_H

#include <quicms/types.h>

#include "base/list.h"

/* Accounts that are kept for agents that are away, a worker. */
#define QMS_LIMIT_AWAY_MAX 16384

/* Instants at which all is paid that was used; see rate.h. */
struct qms_limit_debts {
    qms_time streams, bytes, datagrams;
};

struct qms_limit_account {
    struct qms_limit_debts debts;
    unsigned users; /* connections */
    struct qms_list away;
    size_t id_len;
    uint8_t id[QMS_NAME_MAX];
};

struct qms_limit_book {
    struct qms_map *by_id;
    struct qms_list away; /* accounts without a connection, the one left longest ago first */
    size_t away_count;
};

/** QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_limit_book_init(struct qms_limit_book *b);
/** Takes zeroed memory. */
void qms_limit_book_fini(struct qms_limit_book *b);
/** The account of an id, for one more connection; NULL: no memory. */
struct qms_limit_account *qms_limit_book_open(struct qms_limit_book *b, struct qms_bytes id);
/** One connection less. */
void qms_limit_book_close(struct qms_limit_book *b, struct qms_limit_account *a, qms_time now);
/** Drops the accounts of those who are away and have paid. */
void qms_limit_book_sweep(struct qms_limit_book *b, qms_time now);

#endif
