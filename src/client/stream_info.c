/* SPDX-License-Identifier: MIT */
/* What stands in the ROUTE header and the RESULT of a stream, kept for the handle's life in one
 * allocation each; and the object that collects optional header fields. */
#include <string.h>

#include "base/mem.h"
#include "client/client_i.h"
#include "proto/trace.h"

static void keep(struct qms_bytes *field, struct qms_bytes from, uint8_t **at)
{
    if (from.len > 0) {
        memcpy(*at, from.data, from.len);
        *field = (struct qms_bytes){*at, from.len};
        *at += from.len;
    }
}

/* Type 0x40 among the fields of the two ends. */
static bool has_message_mark(struct qms_bytes extra)
{
    struct qms_reader r = qms_reader_of(extra);
    struct qms_tlv tlv;
    int64_t last = -1;

    while (qms_tlv_next(&r, &last, &tlv) && tlv.type <= QMS_TLV_END_TO_END) {
        if (tlv.type == QMS_TLV_END_TO_END) {
            return true;
        }
    }
    return false;
}

qms_err qms_stream_info_set(struct qms_stream *st, const struct qms_route_header *h)
{
    struct qms_bytes target = h->has_original ? h->original_target : h->target;
    size_t len = target.len + h->source.len + h->meta.len + h->content_type.len +
                 h->traceparent.len + h->stream_token.len;
    struct qms_stream_info *info = qms_calloc(1, sizeof(*info) + len);
    uint8_t *at;

    if (info == NULL) {
        return QMS_E_NOMEM;
    }
    at = info->data;
    info->kind = (enum qms_kind)(h->has_original ? h->original_kind : h->kind);
    info->length_hint = h->has_length ? h->length_hint : UINT64_MAX;
    info->has_deadline = h->has_deadline;
    info->accept_deadline_ms = h->accept_deadline_ms;
    info->message = has_message_mark(h->extra);
    keep(&info->target, target, &at);
    keep(&info->source, h->source, &at);
    keep(&info->meta, h->meta, &at);
    keep(&info->content_type, h->content_type, &at);
    keep(&info->traceparent, h->traceparent, &at);
    keep(&info->token, h->stream_token, &at);
    st->info = info;
    return QMS_OK;
}

void qms_stream_info_header(const struct qms_stream *st, struct qms_route_header *out)
{
    const struct qms_stream_info *info = st->info;

    out->kind = (uint8_t)info->kind;
    out->target = info->target;
    out->meta = info->meta;
    out->content_type = info->content_type;
    out->traceparent = info->traceparent;
    out->stream_token = info->token;
    out->has_length = info->length_hint != UINT64_MAX;
    out->length_hint = out->has_length ? info->length_hint : 0;
    out->has_deadline = info->has_deadline;
    out->accept_deadline_ms = info->accept_deadline_ms;
}

qms_err qms_stream_answer_set(struct qms_stream *st, const struct qms_result *r)
{
    size_t len = r->reason.len + r->meta.len + r->acceptor.len + r->redirect.len;
    struct qms_stream_answer *a;
    uint8_t *at;

    if ((len == 0 && r->retry_after_ms == 0) || st->answer != NULL) {
        return QMS_OK;
    }
    a = qms_calloc(1, sizeof(*a) + len);
    if (a == NULL) {
        return QMS_E_NOMEM;
    }
    at = a->data;
    keep(&a->reason, r->reason, &at);
    keep(&a->meta, r->meta, &at);
    keep(&a->acceptor, r->acceptor, &at);
    keep(&a->redirect, r->redirect, &at);
    a->retry_after_ms = r->retry_after_ms;
    st->answer = a;
    return QMS_OK;
}

/* ---- getters ---- */

uint64_t qms_stream_id(const struct qms_stream *st)
{
    return st->handle;
}

bool qms_stream_is_opener(const struct qms_stream *st)
{
    return st->opener;
}

bool qms_stream_is_bidi(const struct qms_stream *st)
{
    return st->bidi;
}

enum qms_kind qms_stream_kind(const struct qms_stream *st)
{
    return st->info->kind;
}

struct qms_bytes qms_stream_target(const struct qms_stream *st)
{
    return st->info->target;
}

struct qms_bytes qms_stream_source(const struct qms_stream *st)
{
    return st->info->source;
}

struct qms_bytes qms_stream_meta(const struct qms_stream *st)
{
    return st->info->meta;
}

struct qms_bytes qms_stream_content_type(const struct qms_stream *st)
{
    return st->info->content_type;
}

struct qms_bytes qms_stream_traceparent(const struct qms_stream *st)
{
    return st->info->traceparent;
}

struct qms_bytes qms_stream_token(const struct qms_stream *st)
{
    return st->info->token;
}

uint64_t qms_stream_length_hint(const struct qms_stream *st)
{
    return st->info->length_hint;
}

uint8_t qms_stream_forward_priority(const struct qms_stream *st)
{
    return st->forward;
}

uint8_t qms_stream_reverse_priority(const struct qms_stream *st)
{
    return st->reverse;
}

struct qms_bytes qms_stream_result_reason(const struct qms_stream *st)
{
    return st->answer == NULL ? (struct qms_bytes){0} : st->answer->reason;
}

struct qms_bytes qms_stream_result_meta(const struct qms_stream *st)
{
    return st->answer == NULL ? (struct qms_bytes){0} : st->answer->meta;
}

struct qms_bytes qms_stream_result_acceptor(const struct qms_stream *st)
{
    return st->answer == NULL ? (struct qms_bytes){0} : st->answer->acceptor;
}

struct qms_bytes qms_stream_result_redirect(const struct qms_stream *st)
{
    return st->answer == NULL ? (struct qms_bytes){0} : st->answer->redirect;
}

uint64_t qms_stream_result_retry_after_ms(const struct qms_stream *st)
{
    return st->answer == NULL ? 0 : st->answer->retry_after_ms;
}

/* ---- parameters ---- */

struct qms_open *qms_open_new(void)
{
    return qms_calloc(1, sizeof(struct qms_open));
}

void qms_open_free(struct qms_open *p)
{
    if (p != NULL) {
        qms_memzero(p->token, p->token_len);
        qms_free(p);
    }
}

static qms_err fill(uint8_t *field, size_t *len, size_t max, struct qms_bytes from)
{
    if (from.len > max) {
        return QMS_E_TOO_LARGE;
    }
    if (from.len > 0) {
        memcpy(field, from.data, from.len);
    }
    *len = from.len;
    return QMS_OK;
}

qms_err qms_open_set_meta(struct qms_open *p, struct qms_bytes meta)
{
    return fill(p->meta, &p->meta_len, sizeof(p->meta), meta);
}

qms_err qms_open_set_content_type(struct qms_open *p, const char *type)
{
    struct qms_bytes bytes = {(const uint8_t *)type, type == NULL ? 0 : strlen(type)};

    return fill(p->content_type, &p->content_type_len, sizeof(p->content_type), bytes);
}

static qms_err set_number(bool *has, uint64_t *field, uint64_t value)
{
    if (value > QMS_VARINT_MAX) {
        return QMS_E_INVALID;
    }
    *has = true;
    *field = value;
    return QMS_OK;
}

qms_err qms_open_set_length_hint(struct qms_open *p, uint64_t len)
{
    return set_number(&p->has_length, &p->length_hint, len);
}

qms_err qms_open_set_accept_deadline(struct qms_open *p, uint64_t ms)
{
    return set_number(&p->has_deadline, &p->accept_deadline_ms, ms);
}

qms_err qms_open_set_traceparent(struct qms_open *p, const char *text)
{
    if (text == NULL ||
        !qms_traceparent_ok((struct qms_bytes){(const uint8_t *)text, strlen(text)})) {
        return QMS_E_INVALID;
    }
    memcpy(p->traceparent, text, sizeof(p->traceparent));
    p->has_traceparent = true;
    return QMS_OK;
}

qms_err qms_open_set_stream_token(struct qms_open *p, struct qms_bytes token)
{
    return fill(p->token, &p->token_len, sizeof(p->token), token);
}
