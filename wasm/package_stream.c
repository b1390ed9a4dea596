/* SPDX-License-Identifier: MIT */
/* Streams for the package. */
#include "package.h"

/* ---- callbacks ---- */

static void tell(enum qmsp_event what, const struct qms_stream *st, qms_err err)
{
    qmsp_event((int)what, st, err, 0, NULL, 0, NULL, 0);
}

static void on_result(struct qms_stream *st, void *arg, qms_err err)
{
    (void)arg;
    tell(QMSP_RESULT, st, err);
}

static void on_readable(struct qms_stream *st, void *arg)
{
    (void)arg;
    tell(QMSP_READABLE, st, QMS_OK);
}

static void on_writable(struct qms_stream *st, void *arg)
{
    (void)arg;
    tell(QMSP_WRITABLE, st, QMS_OK);
}

static void on_stopped(struct qms_stream *st, void *arg, qms_err err)
{
    (void)arg;
    tell(QMSP_STOPPED, st, err);
}

static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    (void)arg;
    tell(QMSP_ENDED, st, err);
}

static void on_message(struct qms_stream *st, void *arg, struct qms_bytes message)
{
    (void)arg;
    qmsp_event(QMSP_FRAME, st, 0, 0, NULL, 0, message.data, message.len);
}

static void on_skipped(struct qms_stream *st, void *arg, uint64_t messages)
{
    (void)arg;
    qmsp_event(QMSP_SKIPPED, st, (double)messages, 0, NULL, 0, NULL, 0);
}

const struct qms_stream_callbacks qmsp_stream_callbacks = {
    .size = sizeof(qmsp_stream_callbacks),
    .on_result = on_result,
    .on_readable = on_readable,
    .on_writable = on_writable,
    .on_stopped = on_stopped,
    .on_closed = on_closed,
    .on_message = on_message,
    .on_skipped = on_skipped,
};

/* ---- header fields ---- */

enum { FIELD_META, FIELD_CONTENT_TYPE, FIELD_TRACEPARENT, FIELD_TOKEN };

/* `text` ends with a NUL behind `len`. */
EXPORT qms_err qmsp_open_set(struct qms_open *p, int field, const char *text, size_t len)
{
    struct qms_bytes bytes = {(const uint8_t *)text, len};

    switch (field) {
    case FIELD_META:
        return qms_open_set_meta(p, bytes);
    case FIELD_CONTENT_TYPE:
        return qms_open_set_content_type(p, text);
    case FIELD_TRACEPARENT:
        return qms_open_set_traceparent(p, text);
    default:
        return qms_open_set_stream_token(p, bytes);
    }
}

EXPORT qms_err qmsp_open_numbers(struct qms_open *p, double length, double deadline_ms)
{
    qms_err err = length < 0 ? QMS_OK : qms_open_set_length_hint(p, (uint64_t)length);

    if (err == QMS_OK && deadline_ms >= 0) {
        err = qms_open_set_accept_deadline(p, (uint64_t)deadline_ms);
    }
    return err;
}

/* ---- calls ---- */

EXPORT qms_err qmsp_open(struct qms_connection *c, enum qms_kind kind, const char *name,
                         unsigned flags, unsigned priority, const struct qms_open *params,
                         struct qms_stream **out)
{
    return qms_stream_open(c, kind, name, flags, (uint8_t)priority, params,
                           &qmsp_stream_callbacks, NULL, out);
}

EXPORT qms_err qmsp_accept(struct qms_stream *st, const uint8_t *meta, size_t len)
{
    return qms_stream_accept(st, (struct qms_bytes){meta, len});
}

EXPORT qms_err qmsp_write(struct qms_stream *st, const uint8_t *data, size_t len, size_t *taken)
{
    return qms_stream_write(st, (struct qms_bytes){data, len}, taken);
}

EXPORT qms_err qmsp_send_frame(struct qms_stream *st, const uint8_t *data, size_t len)
{
    return qms_stream_send_message(st, (struct qms_bytes){data, len});
}

/* Without a copy on this side: where the bytes are; *len 0 with QMS_OK: the end. */
EXPORT qms_err qmsp_peek(struct qms_stream *st, const uint8_t **data, size_t *len)
{
    struct qms_bytes bytes = {0};
    qms_err err = qms_stream_peek(st, &bytes);

    *data = bytes.data;
    *len = bytes.len;
    return err;
}

/* ---- what is known of one ---- */

static struct qms_bytes bytes_of(const struct qms_stream *st, int what)
{
    struct qms_bytes (*const getters[])(const struct qms_stream *) = {
        qms_stream_target,          qms_stream_source,
        qms_stream_content_type,    qms_stream_traceparent,
        qms_stream_result_acceptor, qms_stream_result_redirect,
        qms_stream_result_reason,   qms_stream_meta,
        qms_stream_result_meta,     qms_stream_token,
    };

    return getters[what](st);
}

EXPORT const uint8_t *qmsp_bytes(const struct qms_stream *st, int what, size_t *len)
{
    struct qms_bytes bytes = bytes_of(st, what);

    *len = bytes.len;
    return bytes.data;
}

static double or_less(uint64_t value)
{
    return value == UINT64_MAX ? -1 : (double)value;
}

/* Eight numbers; -1: not known. */
EXPORT void qmsp_numbers(const struct qms_stream *st, double out[8])
{
    out[0] = or_less(qms_stream_id(st));
    out[1] = qms_stream_kind(st);
    out[2] = qms_stream_is_bidi(st);
    out[3] = (st->flags & QMS_ROUTE_FRAMED) != 0;
    out[4] = qms_stream_forward_priority(st);
    out[5] = qms_stream_reverse_priority(st);
    out[6] = or_less(qms_stream_length_hint(st));
    out[7] = (double)qms_stream_result_retry_after_ms(st);
}
