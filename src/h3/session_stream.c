/* SPDX-License-Identifier: MIT */
/* A session as a link: its streams are the link's below behind a prefix (type and session id),
 * its datagrams those below behind the quarter stream id, its codes 32 bits mapped into
 * HTTP/3's. */
#include <string.h>

#include "h3/h3_int.h"
#include "h3/varint.h"
#include "h3/wt_code.h"

#define DATAGRAM_PARTS 15

static struct qms_h3_session *of(struct qms_link *link)
{
    return (struct qms_h3_session *)link;
}

static struct qms_h3_stream *stream_of(struct qms_link_stream *st)
{
    return (struct qms_h3_stream *)st;
}

static const struct qms_link_ops *below_ops(const struct qms_h3_stream *s)
{
    return s->h3->link->ops;
}

/* Whether the user still has a say: its session is neither closing nor over. */
static bool live(const struct qms_h3_stream *s)
{
    return s->kind == KIND_WT && s->session->state == SESSION_OPEN;
}

/* Whether an operation can still reach the stream below. */
static bool usable(const struct qms_h3_stream *s)
{
    return live(s) && s->below != NULL;
}

static const struct qms_link_events *events(struct qms_h3_stream *s)
{
    s->session->link.now = s->h3->link->now;
    if (s->below != NULL) {
        s->up.id = s->below->id; /* of a stream of ours it may be known late */
    }
    return s->session->link.events;
}

/* --- events from below --- */

static void adopt(struct qms_h3_stream *s, struct qms_h3_session *session)
{
    s->kind = KIND_WT;
    s->session = session;
    s->up.link = &session->link;
    s->up.id = s->below != NULL ? s->below->id : s->up.id;
    s->up.bidi = s->bidi;
    s->up.local = s->local;
    qms_list_append(&session->streams, &s->node);
}

void qms_h3_wt_attach(struct qms_h3_stream *s, struct qms_h3_session *session)
{
    adopt(s, session);
    events(s)->on_stream(&session->link, &s->up);
}

void qms_h3_wt_detach(struct qms_h3_stream *s)
{
    qms_list_remove(&s->node);
    events(s)->on_stream_closed(&s->up);
    s->kind = KIND_SINK;
    s->session = NULL;
}

void qms_h3_wt_data(struct qms_h3_stream *s, struct qms_bytes data, bool fin)
{
    if (!live(s)) {
        qms_h3_consume(s, data.len);
    } else if (data.len > 0 || fin) {
        events(s)->on_data(&s->up, data, fin);
    }
}

void qms_h3_wt_reset(struct qms_h3_stream *s, uint64_t code)
{
    if (live(s)) {
        events(s)->on_reset(&s->up, qms_wt_code_from_h3(code));
    }
}

void qms_h3_wt_stop(struct qms_h3_stream *s, uint64_t code)
{
    if (live(s)) {
        events(s)->on_stop(&s->up, qms_wt_code_from_h3(code));
    }
}

void qms_h3_wt_acked(struct qms_h3_stream *s, uint64_t len)
{
    uint64_t prefix = len < s->prefix_unacked ? len : s->prefix_unacked;

    s->prefix_unacked = (uint8_t)(s->prefix_unacked - prefix);
    if (len > prefix && live(s)) {
        events(s)->on_acked(&s->up, len - prefix);
    }
}

/* --- operations --- */

static qms_err send_prefix(struct qms_h3_stream *s, int64_t session_id)
{
    uint8_t buf[2 * VI_MAX_LEN];
    size_t n = vi_put(buf, s->bidi ? 0x41 : 0x54);

    n += vi_put(buf + n, (uint64_t)session_id);
    struct qms_blob *blob = qms_blob_copy((struct qms_bytes){buf, n});
    if (blob == NULL) {
        return QMS_E_NOMEM;
    }
    qms_err err = below_ops(s)->write(s->below, blob, 0, n);
    qms_blob_unref(blob);
    s->prefix_len = s->prefix_unacked = (uint8_t)n;
    return err;
}

static qms_err op_open(struct qms_link *link, bool bidi, uint8_t priority,
                       struct qms_link_stream **out)
{
    struct qms_h3_session *session = of(link);
    struct qms_h3 *h3 = session->h3;
    struct qms_link_stream *below;

    if (session->state != SESSION_OPEN || session->connect == NULL || h3->failed) {
        return QMS_E_CLOSED;
    }
    qms_err err = h3->link->ops->open(h3->link, bidi, priority, &below);
    if (err != QMS_OK) {
        return err;
    }
    struct qms_h3_stream *s = qms_h3_stream_new(h3, below);
    if (s == NULL) {
        below->user = NULL;
        h3->link->ops->reset(below, WT_SESSION_GONE);
        if (bidi) {
            h3->link->ops->stop(below, WT_SESSION_GONE);
        }
        return QMS_E_NOMEM;
    }
    err = send_prefix(s, session->id);
    if (err != QMS_OK) {
        qms_h3_refuse(s, WT_SESSION_GONE);
        return err;
    }
    adopt(s, session);
    *out = &s->up;
    return QMS_OK;
}

static qms_err op_write(struct qms_link_stream *st, struct qms_blob *blob, size_t off,
                        size_t len)
{
    struct qms_h3_stream *s = stream_of(st);

    if (!usable(s)) {
        return QMS_E_CLOSED;
    }
    s->below->vital = st->vital;
    return below_ops(s)->write(s->below, blob, off, len);
}

static void op_finish(struct qms_link_stream *st)
{
    struct qms_h3_stream *s = stream_of(st);

    if (usable(s)) {
        below_ops(s)->finish(s->below);
    }
}

static void op_reset(struct qms_link_stream *st, uint64_t code)
{
    struct qms_h3_stream *s = stream_of(st);

    if (usable(s)) {
        below_ops(s)->reset(s->below, qms_wt_code_to_h3(code));
    }
}

static void op_stop(struct qms_link_stream *st, uint64_t code)
{
    struct qms_h3_stream *s = stream_of(st);

    if (usable(s)) {
        below_ops(s)->stop(s->below, qms_wt_code_to_h3(code));
    }
}

static void op_set_priority(struct qms_link_stream *st, uint8_t priority)
{
    struct qms_h3_stream *s = stream_of(st);

    if (usable(s)) {
        below_ops(s)->set_priority(s->below, priority);
    }
}

/* Credit is owed for what was delivered, even while the session closes. */
static void op_consume(struct qms_link_stream *st, size_t len)
{
    qms_h3_consume(stream_of(st), len);
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static void op_stream_stats(struct qms_link_stream *st, struct qms_link_stream_stats *out)
{
    struct qms_h3_stream *s = stream_of(st);

    *out = (struct qms_link_stream_stats){0};
    if (s->below == NULL) {
        return;
    }
    below_ops(s)->stream_stats(s->below, out);
    if (s->local) {
        out->bytes_written = less(out->bytes_written, s->prefix_len);
        out->bytes_acked =
            less(out->bytes_acked, (uint64_t)(s->prefix_len - s->prefix_unacked));
        out->buffered = less(out->buffered, s->prefix_unacked);
    } else {
        out->bytes_received = less(out->bytes_received, s->prefix_len);
    }
}

/* Chromium loses a datagram that comes together with the 200; streams are safe.  The agent
 * protocol above sends none before it has read HELLO. */
static qms_err op_datagram(struct qms_link *link, uint8_t priority,
                           const struct qms_bytes *parts, size_t count)
{
    struct qms_h3_session *session = of(link);
    struct qms_h3 *h3 = session->h3;
    struct qms_bytes all[1 + DATAGRAM_PARTS];
    uint8_t quarter[VI_MAX_LEN];

    if (session->state != SESSION_OPEN || session->connect == NULL || h3->failed) {
        return QMS_E_CLOSED;
    }
    if (count > DATAGRAM_PARTS) {
        return QMS_E_INVALID;
    }
    all[0] = (struct qms_bytes){quarter, vi_put(quarter, (uint64_t)session->id / 4)};
    if (count > 0) {
        memcpy(all + 1, parts, count * sizeof(*parts));
    }
    return h3->link->ops->datagram(h3->link, priority, all, count + 1);
}

static size_t op_datagram_max(struct qms_link *link)
{
    struct qms_h3_session *session = of(link);
    struct qms_link *below = session->h3->link;
    size_t max = below->ops->datagram_max(below), quarter = vi_len((uint64_t)session->id / 4);

    return max > quarter ? max - quarter : 0;
}

static void op_stats(struct qms_link *link, struct qms_link_stats *out)
{
    struct qms_link *below = of(link)->h3->link;

    below->ops->stats(below, out);
}

static void op_addresses(struct qms_link *link, const struct sockaddr **remote,
                         const struct sockaddr **local)
{
    struct qms_link *below = of(link)->h3->link;

    below->ops->addresses(below, remote, local);
}

static const struct sockaddr *op_validated_remote(struct qms_link *link)
{
    return qms_link_validated_remote(of(link)->h3->link);
}

const struct qms_link_ops qms_h3_session_ops = {
    .carrier = "webtransport",
    .open = op_open,
    .write = op_write,
    .finish = op_finish,
    .reset = op_reset,
    .stop = op_stop,
    .set_priority = op_set_priority,
    .consume = op_consume,
    .stream_stats = op_stream_stats,
    .datagram = op_datagram,
    .datagram_max = op_datagram_max,
    .close = qms_h3_session_close,
    .stats = op_stats,
    .addresses = op_addresses,
    .validated_remote = op_validated_remote,
};
