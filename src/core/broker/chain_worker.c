/* SPDX-License-Identifier: MIT */
/* The modules' memory: where each one's part begins, and what they keep per worker. */
#include "base/mem.h"
#include "core/broker/chain.h"

/* Parts begin where any object may stand. */
#define ALIGN(n) (((n) + 15) & ~(size_t)15)

/* In front of each module's worker memory. */
struct head {
    const struct qms_chain *chain;
    uint64_t unused; /* what follows is aligned for anything */
};

static void *worker_new(const struct qms_chain *c, size_t size)
{
    struct head *h = qms_calloc(1, sizeof(*h) + size);

    if (h == NULL) {
        return NULL;
    }
    h->chain = c;
    return h + 1;
}

static void worker_free(void *worker)
{
    if (worker != NULL) {
        qms_free((struct head *)worker - 1);
    }
}

void qms_worker_count(void *worker, const char *label)
{
    const struct qms_chain *c = ((const struct head *)worker - 1)->chain;

    if (c->stats != NULL) {
        qms_stats_label(*c->stats, QMS_F_MODULE_EVENT, label);
    }
}

qms_err qms_chain_init(struct qms_chain *c, const struct qms_module *const *modules,
                       size_t count)
{
    *c = (struct qms_chain){.modules = modules, .count = count};
    if (count > QMS_CHAIN_MAX) {
        return QMS_E_LIMIT;
    }
    c->peer_at = qms_calloc(count + 1, sizeof(size_t));
    c->stream_at = qms_calloc(count + 1, sizeof(size_t));
    c->worker = qms_calloc(count + 1, sizeof(void *));
    bool whole = c->peer_at != NULL && c->stream_at != NULL && c->worker != NULL;
    for (size_t i = 0; whole && i < count; i++) {
        c->peer_at[i] = c->peer_size;
        c->stream_at[i] = c->stream_size;
        c->peer_size += ALIGN(modules[i]->peer_size);
        c->stream_size += ALIGN(modules[i]->stream_size);
        c->worker[i] = worker_new(c, modules[i]->worker_size);
        whole = c->worker[i] != NULL;
    }
    if (!whole) {
        qms_chain_fini(c);
        return QMS_E_NOMEM;
    }
    return QMS_OK;
}

void qms_chain_fini(struct qms_chain *c)
{
    for (size_t i = 0; c->worker != NULL && i < c->count; i++) {
        worker_free(c->worker[i]);
    }
    qms_free(c->worker);
    qms_free(c->peer_at);
    qms_free(c->stream_at);
    *c = (struct qms_chain){0};
}

static void stop_first(struct qms_chain *c, size_t count)
{
    while (count-- > 0) {
        if (c->modules[count]->worker_stop != NULL) {
            c->modules[count]->worker_stop(c->worker[count]);
        }
    }
}

qms_err qms_chain_start(struct qms_chain *c, const struct qms_conf *conf, qms_time now,
                        const char **failed)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct qms_module *m = c->modules[i];
        qms_err err = m->worker_start != NULL
                          ? m->worker_start(c->worker[i], conf->module_conf[i], now)
                          : QMS_OK;
        if (err != QMS_OK) {
            *failed = m->name;
            stop_first(c, i + 1);
            return err;
        }
    }
    return QMS_OK;
}

qms_err qms_chain_loop(struct qms_chain *c, void *base, const char **failed)
{
    qms_err err = QMS_OK;

    for (size_t i = 0; err == QMS_OK && i < c->count; i++) {
        if (c->modules[i]->worker_loop != NULL) {
            *failed = c->modules[i]->name;
            err = c->modules[i]->worker_loop(c->worker[i], base);
        }
    }
    return err;
}

void qms_chain_stop(struct qms_chain *c)
{
    stop_first(c, c->count);
}

void qms_chain_tick(struct qms_chain *c, const struct qms_conf *conf, qms_time now)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->modules[i]->worker_tick != NULL) {
            c->modules[i]->worker_tick(c->worker[i], conf->module_conf[i], now);
        }
    }
}
