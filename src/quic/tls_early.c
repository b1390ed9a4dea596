/* SPDX-License-Identifier: MIT */
/* Early data on the server's side: GnuTLS asks the set of first flights. */
#include "base/clock.h"
#include "quic/replay.h"
#include "quic/tls_int.h"

/* GnuTLS puts the number of a window, counted from this process's own start, before the binder
 * of the ClientHello.  The binder alone tells flights apart, in all processes. */
#define WINDOW_LEN 12

static int add(void *ptr, time_t until, const gnutls_datum_t *key, const gnutls_datum_t *data)
{
    struct qms_replay *r = ptr;
    size_t skip = key->size > WINDOW_LEN + 16 ? WINDOW_LEN : 0;
    struct qms_bytes digest = {key->data + skip, key->size - skip};
    (void)data;

    return r->ops->add(r, digest, qms_clock_wall(), (int64_t)until) ? 0
                                                                    : GNUTLS_E_DB_ENTRY_EXISTS;
}

qms_err qms_tls_early_init(struct qms_tls_early *e, struct qms_replay *replay)
{
    if (gnutls_anti_replay_init(&e->anti_replay) != 0) {
        e->anti_replay = NULL;
        return QMS_E_NOMEM;
    }
    e->replay = replay;
    gnutls_anti_replay_set_window(e->anti_replay, QMS_REPLAY_WINDOW_MS);
    gnutls_anti_replay_set_add_function(e->anti_replay, add);
    gnutls_anti_replay_set_ptr(e->anti_replay, replay);
    return QMS_OK;
}

void qms_tls_early_fini(struct qms_tls_early *e)
{
    if (e->anti_replay != NULL) {
        gnutls_anti_replay_deinit(e->anti_replay);
    }
    *e = (struct qms_tls_early){.anti_replay = NULL};
}

bool qms_tls_session_early_taken(const struct qms_tls_session *s)
{
    return (gnutls_session_get_flags(s->gnutls) & GNUTLS_SFLAGS_EARLY_DATA) != 0;
}
