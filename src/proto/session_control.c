/* SPDX-License-Identifier: MIT */
/* The CONTROL stream: messages out within a limit, messages in one at a time.
 *
 * What is not yet a whole message is kept in the stream's `head`.  On the accepting side
 * everything behind HELLO waits there until HELLO is answered; the buffer's size is the limit.
 */
#include <string.h>

#include "base/mem.h"
#include "proto/session_i.h"

#define SMALL 512

/* What others cause may fill half of the queue: an agent that is told of another one's doings
 * faster than it reads must not lose its own answers, and with them its connection. */
static uint64_t limit_of(const struct qms_control *m)
{
    switch (m->type) {
    case QMS_MSG_PRIORITY:
    case QMS_MSG_DGRAM_BIND:
    case QMS_MSG_DGRAM_UNBIND:
    case QMS_MSG_RECEIPT:
        return QMS_CONTROL_QUEUE / 2;
    default:
        return QMS_CONTROL_QUEUE;
    }
}

static qms_err write_bytes(struct qms_session *s, const struct qms_writer *w, uint64_t limit)
{
    struct qms_bytes bytes = {w->data, w->len};
    struct qms_link_stream *ls = s->control->pub.link_stream;

    if (s->control_written - s->control_acked + bytes.len > limit) {
        return QMS_E_LIMIT;
    }
    struct qms_blob *blob = qms_blob_copy(bytes);
    if (blob == NULL) {
        return QMS_E_NOMEM;
    }
    qms_err err = s->link->ops->write(ls, blob, 0, bytes.len);
    qms_blob_unref(blob);
    if (err == QMS_OK) {
        s->control_written += bytes.len;
    }
    return err;
}

/* Most messages fit the stack; a credential may need more. */
struct encoded {
    struct qms_writer w;
    uint8_t *large;
    uint8_t small[SMALL];
};

static qms_err encode(struct encoded *e, const struct qms_control *m, bool with_type)
{
    e->large = NULL;
    e->w = qms_writer_of(e->small, sizeof(e->small));
    for (;;) {
        if (with_type) {
            qms_put_varint(&e->w, QMS_STREAM_CONTROL);
        }
        qms_err err = qms_control_encode(&e->w, m);
        if (err != QMS_E_TOO_LARGE || e->large != NULL) {
            return err;
        }
        e->large = qms_calloc(1, 1 + QMS_CONTROL_FULL);
        if (e->large == NULL) {
            return QMS_E_NOMEM;
        }
        e->w = qms_writer_of(e->large, 1 + QMS_CONTROL_FULL);
    }
}

qms_err qms_session_control_write(struct qms_session *s, const struct qms_control *m)
{
    struct encoded e;

    if (s->control == NULL || s->link == NULL) {
        return QMS_E_STATE;
    }
    qms_err err = encode(&e, m, false);
    if (err == QMS_OK) {
        err = write_bytes(s, &e.w, limit_of(m));
    }
    qms_free(e.large);
    return err;
}

/* Opens CONTROL with what is encoded, or leaves nothing behind. */
static qms_err open_control(struct qms_session *s, const struct qms_writer *hello)
{
    struct qms_link_stream *ls;
    qms_err err = s->link->ops->open(s->link, true, QMS_PRIORITY_CRITICAL, &ls);

    if (err != QMS_OK) {
        return err;
    }
    ls->early = ls->vital = true;
    s->control = qms_ss_new(s, ls, true);
    err = s->control != NULL ? write_bytes(s, hello, QMS_CONTROL_QUEUE) : QMS_E_NOMEM;
    if (err == QMS_OK) {
        ls->user = s->control;
        s->control->state = QMS_SS_CONTROL;
        return QMS_OK;
    }
    qms_link_stream_refuse(ls, QMS_CODE_CANCELLED);
    if (s->control != NULL) {
        qms_ss_free(s->control);
    }
    return err;
}

qms_err qms_session_hello(struct qms_session *s, const struct qms_control *hello)
{
    struct qms_control m = *hello;
    struct encoded e;

    if (!s->connecting || s->phase != QMS_SESSION_HELLO || s->link == NULL) {
        return QMS_E_STATE;
    }
    m.type = QMS_MSG_HELLO;
    if (s->link->loose_ends) {
        m.u.hello.payload_form = QMS_PAYLOAD_CHUNKS;
    }
    m.u.hello.caps |= s->link->wants_receipts ? QMS_CAP_RECEIPTS : 0;
    qms_err err = encode(&e, &m, true);
    if (err == QMS_OK) {
        err = open_control(s, &e.w);
    }
    qms_free(e.large);
    if (err == QMS_OK) {
        s->min_version = m.u.hello.min_version;
        s->max_version = m.u.hello.max_version;
        s->offered = m.u.hello.caps;
        s->chunks_out = m.u.hello.payload_form == QMS_PAYLOAD_CHUNKS;
        s->phase = QMS_SESSION_ANSWER;
    }
    return err;
}

qms_err qms_session_send(struct qms_session *s, const struct qms_control *msg)
{
    bool may = s->connecting ? s->phase == QMS_SESSION_ANSWER || s->phase == QMS_SESSION_OPEN
                             : s->phase == QMS_SESSION_OPEN;

    if (!may) {
        return s->phase == QMS_SESSION_CLOSED ? QMS_E_CLOSED : QMS_E_STATE;
    }
    switch (msg->type) {
    case QMS_MSG_HELLO:
    case QMS_MSG_WELCOME:
    case QMS_MSG_REFUSED:
    case QMS_MSG_DGRAM_BIND:
    case QMS_MSG_DGRAM_UNBIND:
    case QMS_MSG_RECEIPT:
        return QMS_E_INVALID;
    default:
        return qms_session_control_write(s, msg);
    }
}

void qms_session_control_acked(struct qms_session *s, uint64_t len)
{
    s->control_acked += len;
    if (s->receipts_owed) {
        qms_session_tell_receipts(s);
    }
    if (s->phase == QMS_SESSION_REFUSED && !s->connecting &&
        s->control_acked >= s->control_written) {
        qms_session_fail(s, s->linger_code, "refused");
    }
}

static void on_hello(struct qms_session *s, const struct qms_control *m)
{
    s->hello_at = QMS_NEVER;
    s->phase = QMS_SESSION_ANSWER;
    s->min_version = m->u.hello.min_version;
    s->max_version = m->u.hello.max_version;
    s->offered = m->u.hello.caps;
    s->chunks_in = m->u.hello.payload_form == QMS_PAYLOAD_CHUNKS;
    if (m->u.hello.payload_form > QMS_PAYLOAD_CHUNKS) {
        qms_session_refuse(s, QMS_CODE_UNSUPPORTED, 0, "unknown form of payload");
        return;
    }
    if (m->u.hello.min_version > QMS_WIRE_VERSION ||
        m->u.hello.max_version < QMS_WIRE_VERSION) {
        qms_session_refuse(s, QMS_CODE_UNSUPPORTED, 0, "no common protocol version");
        return;
    }
    s->events->on_hello(s, m);
}

static void on_welcome(struct qms_session *s, const struct qms_control *m)
{
    uint64_t version = m->u.welcome.version;

    if (version != QMS_WIRE_VERSION || version < s->min_version || version > s->max_version) {
        qms_session_fail(s, QMS_CODE_PROTOCOL, "a version that was not offered");
        return;
    }
    s->caps = m->u.welcome.caps & s->offered;
    s->phase = QMS_SESSION_OPEN;
    s->link->has_receipts = (s->caps & QMS_CAP_RECEIPTS) != 0;
    s->events->on_welcome(s, m);
    qms_session_release_held(s);
}

static void on_refused(struct qms_session *s, const struct qms_control *m)
{
    s->phase = QMS_SESSION_REFUSED;
    s->linger_code = QMS_CODE_OK;
    s->linger_at = s->link->now + 2 * QMS_SECOND;
    s->events->on_refused(s, m);
}

/* The first message: HELLO to the accepting side, its answer to the connecting one. */
static void first_message(struct qms_session *s, const struct qms_control *m)
{
    if (!s->connecting && m->type == QMS_MSG_HELLO) {
        on_hello(s, m);
    } else if (s->connecting && m->type == QMS_MSG_WELCOME) {
        on_welcome(s, m);
    } else if (s->connecting && m->type == QMS_MSG_REFUSED) {
        on_refused(s, m);
    } else {
        qms_session_fail(s, QMS_CODE_PROTOCOL, "CONTROL begins with another message");
    }
}

static void pong(struct qms_session *s, const struct qms_control *ping)
{
    struct qms_control m = *ping;

    m.type = QMS_MSG_PONG;
    if (qms_session_control_write(s, &m) != QMS_OK) {
        qms_session_odd(s, "pong_dropped");
    }
}

static void later_message(struct qms_session *s, const struct qms_control *m)
{
    switch (m->type) {
    case QMS_MSG_HELLO:
    case QMS_MSG_WELCOME:
    case QMS_MSG_REFUSED:
        qms_session_fail(s, QMS_CODE_PROTOCOL, "a first message came again");
        break;
    case QMS_MSG_PING:
        pong(s, m);
        break;
    case QMS_MSG_PRIORITY:
        qms_session_on_priority(s, m);
        break;
    case QMS_MSG_DGRAM_BIND:
        qms_session_on_bind(s, m);
        break;
    case QMS_MSG_DGRAM_UNBIND:
        qms_session_on_unbind(s, m->u.dgram_unbind.context);
        break;
    case QMS_MSG_STREAM_STATUS:
        qms_session_on_stream_status(s, m);
        break;
    case QMS_MSG_RECEIPT:
        qms_session_on_receipt(s, m);
        break;
    case QMS_MSG_GOAWAY:
    case QMS_MSG_JOIN:
    case QMS_MSG_LEAVE:
    case QMS_MSG_WATCH:
    case QMS_MSG_UNWATCH:
    case QMS_MSG_PRESENCE:
    case QMS_MSG_REPLY:
    case QMS_MSG_AUTH:
    case QMS_MSG_PONG:
    case QMS_MSG_THROTTLED:
    case QMS_MSG_STATS_REQUEST:
    case QMS_MSG_STATS:
        s->events->on_control(s, m);
        break;
    default: /* an unknown even type */
        break;
    }
}

/* Whether the next message may be looked at. */
static bool may_go_on(const struct qms_session *s)
{
    switch ((enum qms_session_phase)s->phase) {
    case QMS_SESSION_HELLO:
        return !s->connecting;
    case QMS_SESSION_ANSWER:
        return s->connecting;
    case QMS_SESSION_OPEN:
        return true;
    case QMS_SESSION_REFUSED:
    case QMS_SESSION_CLOSED:
        break;
    }
    return false;
}

/* Whether a message does no harm when a replay brings it again. */
static bool harmless(const struct qms_control *m)
{
    return m->type == QMS_MSG_HELLO || m->type == QMS_MSG_PING || m->type == QMS_MSG_WATCH ||
           m->type == QMS_MSG_STATS_REQUEST;
}

/* Works on whole messages at the front; returns the bytes they had. */
static size_t work_on(struct qms_session *s, struct qms_bytes in)
{
    size_t done = 0;

    while (done < in.len && may_go_on(s)) {
        struct qms_control m;
        size_t used = 0;
        qms_err err =
            qms_control_decode((struct qms_bytes){in.data + done, in.len - done}, &m, &used);
        if (err == QMS_E_MORE) {
            break;
        }
        if (err != QMS_OK) {
            bool unsupported = err == QMS_E_UNSUPPORTED && s->phase == QMS_SESSION_OPEN;
            qms_session_fail(s, unsupported ? QMS_CODE_UNSUPPORTED : QMS_CODE_PROTOCOL,
                             unsupported ? "an unknown CONTROL message" : "malformed CONTROL");
            break;
        }
        if (qms_session_early(s) && !harmless(&m)) {
            break; /* until the handshake is complete */
        }
        done += used;
        if (s->phase == QMS_SESSION_OPEN) {
            later_message(s, &m);
        } else {
            first_message(s, &m);
        }
    }
    return done;
}

static void work_on_kept(struct qms_session *s)
{
    struct qms_ss *st = s->control;
    size_t done = work_on(s, (struct qms_bytes){st->head, st->head_len});

    st->head_len -= (uint32_t)done;
    if (st->head_len == 0) {
        qms_ss_drop_head(st);
    } else if (done > 0) {
        memmove(st->head, st->head + done, st->head_len);
    }
}

static void input(struct qms_session *s, struct qms_bytes data)
{
    struct qms_ss *st = s->control;

    while (data.len > 0 && s->phase < QMS_SESSION_REFUSED) {
        size_t take = QMS_CONTROL_FULL - st->head_len;
        if (st->head_len == 0) {
            size_t done = work_on(s, data);
            data.data += done;
            data.len -= done;
        }
        take = take < data.len ? take : data.len;
        if (s->phase >= QMS_SESSION_REFUSED || data.len == 0) {
            return;
        }
        if (take == 0) {
            qms_session_fail(
                s, qms_session_early(s) ? QMS_CODE_TOO_EARLY : QMS_CODE_UNAUTHENTICATED,
                "too much before WELCOME");
            return;
        }
        if (qms_ss_keep(st, (struct qms_bytes){data.data, take}) != QMS_OK) {
            qms_session_fail(s, QMS_CODE_INTERNAL, "out of memory");
            return;
        }
        data.data += take;
        data.len -= take;
        work_on_kept(s);
    }
}

void qms_session_control_input(struct qms_session *s, struct qms_bytes data, bool fin)
{
    input(s, data);
    if (fin && s->phase < QMS_SESSION_REFUSED) {
        qms_session_fail(s, QMS_CODE_PROTOCOL, "CONTROL ended");
    }
}

void qms_session_control_resume(struct qms_session *s)
{
    if (s->control != NULL && s->control->head_len > 0) {
        work_on_kept(s);
    }
}
