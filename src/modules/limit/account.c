/* SPDX-License-Identifier: MIT */
#include "account.h"

#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

qms_err qms_limit_book_init(struct qms_limit_book *b)
{
    uint8_t seed[16];

    qms_list_init(&b->away);
    b->away_count = 0;
    qms_random(seed, sizeof(seed));
    b->by_id = qms_map_new(seed);
    return b->by_id != NULL ? QMS_OK : QMS_E_NOMEM;
}

void qms_limit_book_fini(struct qms_limit_book *b)
{
    size_t cursor = 0;
    struct qms_bytes key;
    void *account;

    while (b->by_id != NULL && qms_map_next(b->by_id, &cursor, &key, &account)) {
        qms_free(account);
    }
    qms_map_free(b->by_id);
    b->by_id = NULL;
}

static void come_back(struct qms_limit_book *b, struct qms_limit_account *a)
{
    if (!qms_list_empty(&a->away)) {
        qms_list_remove(&a->away);
        b->away_count--;
    }
}

static void drop(struct qms_limit_book *b, struct qms_limit_account *a)
{
    come_back(b, a);
    (void)qms_map_remove(b->by_id, (struct qms_bytes){a->id, a->id_len});
    qms_free(a);
}

static struct qms_limit_account *account_new(struct qms_limit_book *b, struct qms_bytes id)
{
    struct qms_limit_account *a = id.len <= sizeof(a->id) ? qms_calloc(1, sizeof(*a)) : NULL;

    if (a == NULL) {
        return NULL;
    }
    qms_list_init(&a->away);
    a->id_len = id.len;
    if (id.len > 0) {
        memcpy(a->id, id.data, id.len);
    }
    if (qms_map_add(b->by_id, id, a) != QMS_OK) {
        qms_free(a);
        return NULL;
    }
    return a;
}

struct qms_limit_account *qms_limit_book_open(struct qms_limit_book *b, struct qms_bytes id)
{
    struct qms_limit_account *a = qms_map_get(b->by_id, id);

    if (a == NULL && (a = account_new(b, id)) == NULL) {
        return NULL;
    }
    come_back(b, a);
    a->users++;
    return a;
}

static bool has_paid(const struct qms_limit_account *a, qms_time now)
{
    return a->debts.streams <= now && a->debts.bytes <= now && a->debts.datagrams <= now;
}

void qms_limit_book_close(struct qms_limit_book *b, struct qms_limit_account *a, qms_time now)
{
    if (--a->users > 0) {
        return;
    }
    if (has_paid(a, now)) {
        drop(b, a);
        return;
    }
    qms_list_append(&b->away, &a->away);
    if (++b->away_count > QMS_LIMIT_AWAY_MAX) {
        drop(b, QMS_CONTAINER(qms_list_first(&b->away), struct qms_limit_account, away));
    }
}

void qms_limit_book_sweep(struct qms_limit_book *b, qms_time now)
{
    struct qms_list *node, *next;

    QMS_LIST_FOREACH_SAFE(node, next, &b->away) {
        struct qms_limit_account *a = QMS_CONTAINER(node, struct qms_limit_account, away);
        if (has_paid(a, now)) {
            drop(b, a);
        }
    }
}
