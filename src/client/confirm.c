/* SPDX-License-Identifier: MIT */
/* Refusals that come late.  A short unidirectional stream may be acknowledged to its end before
 * its refusal (STREAM_STATUS on CONTROL) arrives; on_closed would then tell of a success that
 * never was.  So its on_closed waits for the answer to a PING: CONTROL keeps its order, and
 * what the broker had to say about the stream comes before the PONG.
 *
 * At most one such PING is under way a connection, however many streams wait: those that end
 * meanwhile wait for the next one. */
#include <string.h>

#include "client/client_i.h"

/* Tells these PINGs from those of qms_connection_ping. */
#define MARK (UINT64_C(1) << 63)

static void ask(struct qms_connection *c)
{
    struct qms_control m = {.type = QMS_MSG_PING};
    uint64_t number = MARK | (c->confirm_sent + 1);

    memcpy(m.u.ping, &number, sizeof(number));
    if (c->session != NULL && qms_session_send(c->session, &m) == QMS_OK) {
        c->confirm_sent++;
        qms_connection_touch(c);
    }
}

static void end_wait(struct qms_stream *st)
{
    st->confirming = false;
    qms_list_remove(&st->confirm_node);
    qms_stream_check_over(st);
}

/* Where the PING cannot be sent the stream ends without the confirmation. */
void qms_stream_confirm(struct qms_stream *st)
{
    struct qms_connection *c = st->c;

    if (c->state != QMS_CONN_READY) {
        return;
    }
    if (c->confirm_sent == c->confirm_done) {
        ask(c);
        if (c->confirm_sent == c->confirm_done) {
            return;
        }
        st->confirm_number = c->confirm_sent;
    } else {
        st->confirm_number = c->confirm_sent + 1;
    }
    st->confirming = true;
    qms_list_append(&c->confirming, &st->confirm_node);
}

static struct qms_stream *first_waiting(struct qms_connection *c)
{
    struct qms_list *node = qms_list_first(&c->confirming);

    return node == NULL ? NULL : QMS_CONTAINER(node, struct qms_stream, confirm_node);
}

bool qms_confirm_pong(struct qms_connection *c, const uint8_t bytes[8])
{
    struct qms_stream *st;
    uint64_t number;

    memcpy(&number, bytes, sizeof(number));
    if ((number & MARK) == 0) {
        return false;
    }
    number &= ~MARK;
    if (number != c->confirm_sent || number == c->confirm_done) {
        return true; /* an answer to nothing */
    }
    c->confirm_done = number;
    while ((st = first_waiting(c)) != NULL && st->confirm_number <= number) {
        end_wait(st);
    }
    if (st != NULL) {
        ask(c);
    }
    while (c->confirm_sent == c->confirm_done && (st = first_waiting(c)) != NULL) {
        end_wait(st);
    }
    return true;
}

void qms_confirm_lost(struct qms_connection *c, uint64_t number)
{
    uint64_t marked = MARK | number;
    uint8_t bytes[8];

    if (number == c->confirm_sent && number != c->confirm_done) {
        memcpy(bytes, &marked, sizeof(bytes));
        (void)qms_confirm_pong(c, bytes);
    }
}

void qms_confirm_status(struct qms_connection *c, const struct qms_control *m)
{
    struct qms_list *node, *next;
    struct qms_result r = {.status = m->u.stream_status.status,
                           .reason = m->u.stream_status.reason};

    QMS_LIST_FOREACH_SAFE(node, next, &c->confirming) {
        struct qms_stream *st = QMS_CONTAINER(node, struct qms_stream, confirm_node);

        if (st->handle == m->u.stream_status.handle && r.status != QMS_CODE_OK) {
            qms_stream_refused(st, &r);
            end_wait(st);
            return;
        }
    }
}
