/* SPDX-License-Identifier: MIT */
/* Life of a stream: opened or accepted, answered, over, released.  Its two directions are in
 * stream_send.c and stream_receive.c. */
#include <string.h>

#include "base/mem.h"
#include "client/client_i.h"

#define OPEN_FLAGS (QMS_OPEN_IDEMPOTENT | QMS_OPEN_NO_RESULT | QMS_OPEN_FRAMED | QMS_OPEN_UNI)

static struct qms_stream *stream_new(struct qms_connection *c)
{
    struct qms_stream *st = qms_calloc(1, sizeof(*st));

    if (st == NULL) {
        return NULL;
    }
    st->c = c;
    st->handle = UINT64_MAX;
    qms_list_init(&st->due_node);
    qms_list_init(&st->reap_node);
    qms_list_init(&st->confirm_node);
    qms_list_append(&c->streams, &st->node);
    c->stream_count++;
    return st;
}

void qms_stream_destroy(struct qms_stream *st)
{
    struct qms_connection *c = st->c;

    if (st->session_stream != NULL) {
        st->session_stream->user = NULL;
    }
    if (st->waiting) {
        c->waiting_count--;
    }
    qms_list_remove(&st->node);
    qms_list_remove(&st->due_node);
    qms_list_remove(&st->reap_node);
    qms_list_remove(&st->confirm_node);
    c->stream_count--;
    qms_blobq_clear(&st->pending);
    qms_blobq_clear(&st->received);
    qms_blob_unref(st->tail);
    qms_frames_free(st);
    if (st->inside_free != NULL) {
        st->inside_free(st->inside);
    }
    qms_free(st->info);
    qms_free(st->answer);
    qms_free(st);
    qms_connection_check_reap(c);
}

static void copy_callbacks(struct qms_stream *st, const struct qms_stream_callbacks *cb,
                           void *arg)
{
    st->cb = (struct qms_stream_callbacks){0};
    if (cb != NULL) {
        memcpy(&st->cb, cb, cb->size < sizeof(st->cb) ? cb->size : sizeof(st->cb));
    }
    st->arg = arg;
}

/* ---- opening ---- */

static qms_err check_target(enum qms_kind kind, const char *name, unsigned flags)
{
    struct qms_bytes bytes = {(const uint8_t *)name, name == NULL ? 0 : strlen(name)};

    if ((flags & ~(unsigned)OPEN_FLAGS) != 0) {
        return QMS_E_INVALID;
    }
    if (kind == QMS_KIND_SELF) {
        return bytes.len == 0 ? QMS_OK : QMS_E_INVALID;
    }
    if (kind < QMS_KIND_SELF || kind > QMS_KIND_SERVICE || !qms_name_ok(bytes) ||
        (kind == QMS_KIND_TOPIC && (flags & QMS_OPEN_UNI) == 0)) {
        return QMS_E_INVALID;
    }
    return QMS_OK;
}

static void header_from(struct qms_route_header *h, enum qms_kind kind, const char *name,
                        const struct qms_open *p)
{
    *h = (struct qms_route_header){.kind = (uint8_t)kind};
    h->target = (struct qms_bytes){(const uint8_t *)name, name == NULL ? 0 : strlen(name)};
    if (p == NULL) {
        return;
    }
    h->meta = (struct qms_bytes){p->meta, p->meta_len};
    h->content_type = (struct qms_bytes){p->content_type, p->content_type_len};
    h->stream_token = (struct qms_bytes){p->token, p->token_len};
    if (p->has_traceparent) {
        h->traceparent = (struct qms_bytes){p->traceparent, sizeof(p->traceparent)};
    }
    h->has_length = p->has_length;
    h->length_hint = p->length_hint;
    h->has_deadline = p->has_deadline;
    h->accept_deadline_ms = p->accept_deadline_ms;
}

/* Whether the header can be encoded: told by the call, not later by on_closed. */
static qms_err check_header(const struct qms_route_header *h)
{
    uint8_t buf[QMS_ROUTE_HEADER_MAX + 16];
    struct qms_writer w = qms_writer_of(buf, sizeof(buf));
    struct qms_route_header probe = *h;

    probe.handle = UINT64_C(1) << 59; /* the longest there will be */
    return qms_route_encode(&w, &probe);
}

/* Type 0x40, no bytes (doc/wire.md section 3). */
static const uint8_t message_mark[] = {0x40, 0x40, 0};

qms_err qms_stream_attach(struct qms_stream *st)
{
    struct qms_route_header h = {0};
    qms_err err;

    qms_stream_info_header(st, &h);
    if (st->info->message) {
        h.extra = (struct qms_bytes){message_mark, sizeof(message_mark)};
    }
    if (!qms_session_is_agent(st->c->session)) { /* this side stands in the broker's place */
        h.source = (struct qms_bytes){(const uint8_t *)st->c->id, strlen(st->c->id)};
    }
    h.flags = st->flags;
    h.priority = st->forward;
    err = qms_session_open(st->c->session, st->bidi, &h, st, &st->session_stream);
    if (err == QMS_OK) {
        st->handle = st->session_stream->handle;
        qms_connection_touch(st->c);
    }
    return err;
}

/* What was changed while it waited. */
static qms_err set_waited_priority(struct qms_stream *st)
{
    uint8_t forward = st->early ? st->early_forward : st->forward;
    uint8_t reverse = st->early ? st->early_reverse : st->forward;
    uint8_t mask =
        (uint8_t)((forward != st->forward ? 1 : 0) | (reverse != st->reverse ? 2 : 0));

    return mask == 0
               ? QMS_OK
               : qms_session_set_priority(st->session_stream, mask, st->forward, st->reverse);
}

static void launch_failed(struct qms_stream *st, qms_err err)
{
    if (st->session_stream != NULL) {
        qms_session_reset(st->session_stream, QMS_CODE_INTERNAL);
        qms_session_stop(st->session_stream, QMS_CODE_INTERNAL);
        st->session_stream->user = NULL;
        st->session_stream = NULL;
    }
    qms_stream_kill(st, err);
}

void qms_stream_launch(struct qms_stream *st)
{
    qms_err err;

    if (!st->waiting) {
        return;
    }
    st->waiting = false;
    st->c->waiting_count--;
    err = st->early ? QMS_OK : qms_stream_attach(st);
    if (err == QMS_OK) {
        err = set_waited_priority(st);
    }
    if (err == QMS_OK) {
        err = qms_stream_tx_launch(st);
    }
    if (err == QMS_OK && !st->early && st->bidi && st->rx == QMS_HALF_DEAD) {
        qms_session_stop(st->session_stream, st->rx_code);
    }
    st->early = false;
    if (err != QMS_OK) {
        launch_failed(st, err);
    }
}

static qms_err begin(struct qms_stream *st)
{
    if (st->c->state == QMS_CONN_READY && !st->c->leaving) {
        return qms_stream_attach(st);
    }
    if (st->c->waiting_count >= QMS_WAITING_STREAMS_MAX) {
        return QMS_E_LIMIT;
    }
    st->waiting = true;
    st->c->waiting_count++;
    return QMS_OK;
}

qms_err qms_stream_open_as(struct qms_connection *c, enum qms_kind kind, const char *name,
                           unsigned flags, uint8_t priority, const struct qms_open *params,
                           bool message, const struct qms_stream_callbacks *callbacks,
                           void *arg, struct qms_stream **out)
{
    struct qms_route_header h;
    struct qms_stream *st;
    qms_err err = check_target(kind, name, flags);

    if (err != QMS_OK || (callbacks != NULL && callbacks->size == 0)) {
        return QMS_E_INVALID;
    }
    header_from(&h, kind, name, params);
    if (message) {
        h.extra = (struct qms_bytes){message_mark, sizeof(message_mark)};
    }
    err = check_header(&h);
    if (err == QMS_OK) {
        err = qms_connection_check_open(c);
    }
    if (err != QMS_OK) {
        return err;
    }
    st = stream_new(c);
    if (st == NULL) {
        return QMS_E_NOMEM;
    }
    st->opener = true;
    st->bidi = (flags & QMS_OPEN_UNI) == 0;
    st->flags = (uint8_t)(flags & ~(unsigned)QMS_OPEN_UNI);
    st->forward = st->reverse = priority;
    st->rx = st->bidi ? QMS_HALF_OPEN : QMS_HALF_DEAD;
    st->rx_err = QMS_E_CLOSED;
    copy_callbacks(st, callbacks, arg);
    err = qms_stream_info_set(st, &h);
    if (err == QMS_OK) {
        err = begin(st);
    }
    if (err != QMS_OK) {
        qms_stream_destroy(st);
        return err;
    }
    *out = st;
    return QMS_OK;
}

qms_err qms_stream_open(struct qms_connection *c, enum qms_kind kind, const char *name,
                        unsigned flags, uint8_t priority, const struct qms_open *params,
                        const struct qms_stream_callbacks *callbacks, void *arg,
                        struct qms_stream **out)
{
    return qms_stream_open_as(c, kind, name, flags, priority, params, false, callbacks, arg,
                              out);
}

/* ---- accepting ---- */

struct qms_stream *qms_stream_accepted(struct qms_connection *c, struct qms_session_stream *ss,
                                       const struct qms_route_header *h)
{
    struct qms_stream *st = stream_new(c);

    if (st == NULL) {
        return NULL;
    }
    st->session_stream = ss;
    st->bidi = ss->bidi;
    st->flags = ss->flags;
    st->forward = ss->forward;
    st->reverse = ss->reverse;
    st->handle = ss->handle;
    st->tx = st->bidi ? QMS_HALF_OPEN : QMS_HALF_DEAD;
    st->tx_err = QMS_E_CLOSED;
    if (qms_stream_info_set(st, h) != QMS_OK) {
        st->session_stream = NULL;
        qms_stream_destroy(st);
        return NULL;
    }
    ss->user = st;
    return st;
}

static qms_err check_answer(const struct qms_stream *st)
{
    if (st->opener || st->answered) {
        return QMS_E_STATE;
    }
    return st->session_stream == NULL ? QMS_E_CLOSED : qms_connection_check_open(st->c);
}

qms_err qms_stream_accept(struct qms_stream *st, struct qms_bytes meta)
{
    struct qms_result r = {.status = QMS_CODE_OK, .meta = meta};
    qms_err err = check_answer(st);

    if (err == QMS_OK && meta.len > 512) {
        err = QMS_E_TOO_LARGE;
    }
    if (err == QMS_OK) {
        err = qms_session_result(st->session_stream, &r);
    }
    if (err == QMS_OK) {
        st->answered = true;
        qms_connection_touch(st->c);
    }
    return err;
}

qms_err qms_stream_reject(struct qms_stream *st, uint8_t status, const char *reason)
{
    size_t len = reason == NULL ? 0 : strnlen(reason, QMS_REASON_MAX);
    struct qms_result r = {.status = status, .reason = {(const uint8_t *)reason, len}};
    qms_err err = check_answer(st);

    if (err == QMS_OK && status == QMS_CODE_OK) {
        err = QMS_E_INVALID;
    }
    if (err == QMS_OK) {
        err = qms_session_result(st->session_stream, &r);
    }
    if (err != QMS_OK) {
        return err;
    }
    st->answered = true;
    qms_stream_set_fate(st, QMS_E_CLOSED);
    qms_stream_tx_dead(st, QMS_E_CLOSED);
    qms_stream_rx_dead(st, QMS_E_CLOSED);
    qms_connection_touch(st->c);
    return QMS_OK;
}

/* ---- end ---- */

qms_err qms_stream_code_error(uint64_t code)
{
    return code == 0 ? QMS_E_RESET : qms_err_from_code(code);
}

void qms_stream_set_fate(struct qms_stream *st, qms_err err)
{
    if (st->fate == QMS_OK) {
        st->fate = err;
    }
}

void qms_stream_refused(struct qms_stream *st, const struct qms_result *r)
{
    st->result = qms_err_from_code(r->status);
    (void)!qms_stream_answer_set(st, r); /* without memory the status alone is told */
    qms_stream_set_fate(st, st->result);
    qms_stream_tx_dead(st, st->result);
    qms_stream_rx_dead(st, st->result);
    st->due &= ~(unsigned)QMS_DUE_STOPPED; /* the refusal's own STOP_SENDING came first */
    qms_stream_note(st, QMS_DUE_RESULT);
    qms_stream_check_over(st);
}

void qms_stream_kill(struct qms_stream *st, qms_err err)
{
    st->confirming = false;
    if (st->waiting) {
        st->waiting = false;
        st->c->waiting_count--;
    }
    if (st->early) {
        st->early = false;
        qms_session_reset(st->session_stream, QMS_CODE_CANCELLED);
        qms_session_stop(st->session_stream, QMS_CODE_CANCELLED);
        st->session_stream->user = NULL;
        st->session_stream = NULL;
    }
    if (st->fate_is_closing) {
        st->fate_is_closing = false;
        st->tx_err = st->tx_err == QMS_E_CLOSED && st->tx == QMS_HALF_DEAD ? err : st->tx_err;
        st->rx_err = st->rx_err == QMS_E_CLOSED && st->rx == QMS_HALF_DEAD ? err : st->rx_err;
    }
    qms_stream_set_fate(st, err);
    qms_stream_tx_dead(st, err);
    if (st->rx == QMS_HALF_OPEN) {
        qms_stream_rx_dead(st, err);
        qms_stream_note(st, QMS_DUE_READABLE);
    }
    qms_stream_check_over(st);
}

void qms_stream_check_over(struct qms_stream *st)
{
    if (st->session_stream != NULL || st->waiting || st->over || st->confirming ||
        (st->rx == QMS_HALF_ENDED && st->received.bytes > 0) || st->rx == QMS_HALF_OPEN) {
        return;
    }
    st->over = true;
    if (!st->released) {
        qms_stream_note(st, QMS_DUE_CLOSED);
    } else if (qms_list_empty(&st->reap_node)) {
        qms_list_append(&st->c->client->reap_streams, &st->reap_node);
        qms_client_wake(st->c->client);
    }
}

/* What was promised goes on, everything else is called off. */
static void call_off(struct qms_stream *st)
{
    if (!st->opener && !st->answered && st->session_stream != NULL &&
        qms_stream_reject(st, QMS_CODE_REJECTED, NULL) == QMS_OK) {
        return;
    }
    if (st->waiting && st->tx != QMS_HALF_ENDED) {
        qms_stream_kill(st, QMS_E_CLOSED);
    }
    if (st->tx == QMS_HALF_OPEN) {
        qms_stream_reset(st, QMS_CODE_CANCELLED);
    }
    qms_stream_stop(st, QMS_CODE_CANCELLED);
}

void qms_stream_release(struct qms_stream *st)
{
    if (st == NULL || st->released) {
        return;
    }
    st->cb = (struct qms_stream_callbacks){0};
    call_off(st);
    st->released = true;
    qms_list_remove(&st->due_node);
    st->confirming = false;
    st->over = false; /* again, for the reap list this time */
    qms_stream_check_over(st);
}

/* ---- callbacks ---- */

void qms_stream_note(struct qms_stream *st, unsigned due)
{
    st->due |= due;
    if (!st->released && qms_list_empty(&st->due_node)) {
        qms_list_append(&st->c->due_streams, &st->due_node);
    }
    qms_connection_due(st->c);
}

/* Without the callback it is kept for a later one. */
static void dispatch_skipped(struct qms_stream *st)
{
    uint64_t count = st->skipped - st->skipped_told;

    if (count > 0 && st->cb.on_skipped != NULL) {
        st->skipped_told = st->skipped;
        st->cb.on_skipped(st, st->arg, count);
    }
}

/* Each callback may release the stream: the table is empty then, and the struct stays until the
 * end of the turn. */
void qms_stream_dispatch(struct qms_stream *st)
{
    unsigned due = st->due;

    st->due = 0;
    if ((due & QMS_DUE_RESULT) != 0 && st->cb.on_result != NULL) {
        st->cb.on_result(st, st->arg, st->result);
    }
    if ((due & QMS_DUE_SKIPPED) != 0) {
        dispatch_skipped(st);
    }
    if ((due & QMS_DUE_READABLE) != 0 && (!qms_frames_wanted(st) || qms_frames_run(st)) &&
        st->cb.on_readable != NULL) {
        st->cb.on_readable(st, st->arg);
    }
    if ((due & QMS_DUE_WRITABLE) != 0 && st->tx == QMS_HALF_OPEN &&
        st->cb.on_writable != NULL) {
        st->cb.on_writable(st, st->arg);
    }
    if ((due & QMS_DUE_STOPPED) != 0 && st->cb.on_stopped != NULL) {
        st->cb.on_stopped(st, st->arg, st->tx_err);
    }
    if ((due & QMS_DUE_CLOSED) != 0 && st->cb.on_closed != NULL) {
        st->cb.on_closed(st, st->arg, st->fate);
    }
}

qms_err qms_stream_set_callbacks(struct qms_stream *st,
                                 const struct qms_stream_callbacks *callbacks, void *arg)
{
    if (callbacks != NULL && callbacks->size == 0) {
        return QMS_E_INVALID;
    }
    copy_callbacks(st, callbacks, arg);
    if (st->cb.on_skipped != NULL && st->skipped > st->skipped_told) {
        qms_stream_note(st, QMS_DUE_SKIPPED);
    }
    if (qms_frames_wanted(st) && (st->received.bytes > 0 || st->rx == QMS_HALF_ENDED)) {
        qms_stream_note(st, QMS_DUE_READABLE);
    }
    return QMS_OK;
}

void *qms_stream_arg(const struct qms_stream *st)
{
    return st->arg;
}

struct qms_connection *qms_stream_connection(const struct qms_stream *st)
{
    return st->c;
}

static uint8_t pick(int wanted, uint8_t now)
{
    return wanted < 0 ? now : (uint8_t)wanted;
}

qms_err qms_stream_set_priority(struct qms_stream *st, int forward, int reverse)
{
    uint8_t mask = (uint8_t)((forward >= 0 ? 1 : 0) | (reverse >= 0 ? 2 : 0));
    qms_err err = QMS_OK;

    if (forward > UINT8_MAX || reverse > UINT8_MAX || (forward >= 0 && !st->opener)) {
        return QMS_E_INVALID;
    }
    if (!st->waiting && (st->session_stream == NULL || qms_connection_is_closed(st->c))) {
        return QMS_E_CLOSED;
    }
    if (!st->waiting && mask != 0) {
        err = qms_session_set_priority(st->session_stream, mask, pick(forward, st->forward),
                                       pick(reverse, st->reverse));
    }
    if (err == QMS_OK) {
        st->forward = pick(forward, st->forward);
        st->reverse = pick(reverse, st->reverse);
        qms_connection_touch(st->c);
    }
    return err;
}
