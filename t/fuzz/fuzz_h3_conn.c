/* SPDX-License-Identifier: MIT */
/* A browser gone mad: the input is a script of what it does on a link in memory, with a server
 * behind it whose sessions echo.  Nothing is compared; the sanitizers, and the link's own
 * strict checks, are the judges.
 *
 * Script: one byte of operation (low three bits) and stream (high five), one of length, then so
 * many bytes where the operation takes any. */
#include <string.h>

#include "fake_link.h"
#include "fuzz.h"
#include "h3/h3.h"

#define STREAMS 32

struct mad {
    struct fake_pair *pair;
    struct qms_link *client;
    struct qms_h3 *h3;
    struct qms_link_stream *st[STREAMS];
};

static void none(struct qms_link *link)
{
    (void)link;
}

static void page_stream(struct qms_link *link, struct qms_link_stream *st)
{
    (void)link, (void)st;
}

static void page_data(struct qms_link_stream *st, struct qms_bytes data, bool fin)
{
    (void)fin;
    st->link->ops->consume(st, data.len);
}

static void code(struct qms_link_stream *st, uint64_t value)
{
    (void)st, (void)value;
}

static void page_stream_closed(struct qms_link_stream *st)
{
    struct mad *m = st->link->user;

    for (int i = 0; i < STREAMS; i++) {
        m->st[i] = m->st[i] == st ? NULL : m->st[i];
    }
}

static void page_datagram(struct qms_link *link, struct qms_bytes data)
{
    (void)link, (void)data;
}

static void page_closed(struct qms_link *link, const struct qms_link_close *why)
{
    (void)why;
    ((struct mad *)link->user)->client = NULL;
}

static const struct qms_link_events page_events = {
    none, page_stream,        page_data,     code,        code,
    code, page_stream_closed, page_datagram, page_closed,
};

static void echo_data(struct qms_link_stream *st, struct qms_bytes data, bool fin)
{
    struct qms_blob *blob = qms_blob_copy(data);

    if (st->bidi && blob != NULL && data.len > 0) {
        (void)st->link->ops->write(st, blob, 0, data.len);
    }
    qms_blob_unref(blob);
    st->link->ops->consume(st, data.len);
    if (st->bidi && fin) {
        st->link->ops->finish(st);
    }
}

static void echo_stop(struct qms_link_stream *st, uint64_t value)
{
    st->link->ops->reset(st, value);
}

static void echo_stream_closed(struct qms_link_stream *st)
{
    (void)st;
}

static void echo_datagram(struct qms_link *link, struct qms_bytes data)
{
    (void)link->ops->datagram(link, 1, &data, 1);
    if (data.len == 7) {
        link->ops->close(link, 7, data);
    }
}

static void echo_closed(struct qms_link *link, const struct qms_link_close *why)
{
    (void)link, (void)why;
}

static const struct qms_link_events echo_events = {
    none, page_stream,        echo_data,     code,        echo_stop,
    code, echo_stream_closed, echo_datagram, echo_closed,
};

static int on_session_request(struct qms_h3 *h3, const struct qms_h3_request *req)
{
    (void)h3;
    return req->path.len > 1 ? 403 : 200;
}

static void on_session(struct qms_h3 *h3, struct qms_link *session)
{
    (void)h3;
    session->events = &echo_events;
}

static void on_closed(struct qms_h3 *h3, const struct qms_link_close *why)
{
    (void)why;
    ((struct mad *)qms_h3_user(h3))->h3 = NULL;
}

static const struct qms_h3_events h3_events = {
    .on_session_request = on_session_request,
    .on_session = on_session,
    .on_closed = on_closed,
};

static void send_bytes(struct mad *m, struct qms_link_stream *st, struct qms_bytes data)
{
    struct qms_blob *blob = data.len > 0 ? qms_blob_copy(data) : NULL;

    if (blob != NULL) {
        (void)m->client->ops->write(st, blob, 0, data.len);
    }
    qms_blob_unref(blob);
}

static void act(struct mad *m, unsigned op, unsigned n, struct qms_bytes data)
{
    const struct qms_link_ops *ops = m->client->ops;
    struct qms_link_stream *st = m->st[n];

    if (st == NULL && op < 4) {
        if (ops->open(m->client, op % 2 == 0, 1, &m->st[n]) == QMS_OK) {
            send_bytes(m, m->st[n], data);
        }
    } else if (op < 4 && st != NULL) {
        send_bytes(m, st, data);
    } else if (op == 4 && st != NULL) {
        ops->finish(st);
    } else if (op == 5 && st != NULL) {
        n % 2 == 0 || !st->bidi ? ops->reset(st, n) : ops->stop(st, n);
    } else if (op == 6) {
        (void)ops->datagram(m->client, 1, &data, 1);
    } else if (op == 7) {
        fake_link_advance(m->pair, n * QMS_SECOND / 4);
    }
}

static void play(struct mad *m, struct qms_bytes script)
{
    while (script.len >= 2 && m->client != NULL) {
        size_t len = script.data[1] < script.len - 2 ? script.data[1] : script.len - 2;
        act(m, script.data[0] & 7, script.data[0] >> 3,
            (struct qms_bytes){script.data + 2, len});
        script.data += 2 + len;
        script.len -= 2 + len;
        fake_link_settle(m->pair);
        if (m->h3 != NULL && qms_h3_next_at(m->h3) <= fake_link_now(m->pair)) {
            qms_h3_expire(m->h3, fake_link_now(m->pair));
            fake_link_settle(m->pair);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct qms_h3_config config = {
        .max_sessions = 1, .held_bytes = 512, .held_streams = 4};
    struct mad m = {.pair = fake_pair_new(NULL)};

    MUST(m.pair != NULL);
    m.client = fake_pair_link(m.pair, 0);
    m.client->events = &page_events;
    m.client->user = &m;
    m.h3 = qms_h3_new(fake_pair_link(m.pair, 1), &config, &h3_events, &m);
    MUST(m.h3 != NULL);
    play(&m, (struct qms_bytes){data, size});
    fake_link_break(m.pair, QMS_E_IDLE);
    fake_link_settle(m.pair);
    MUST(m.h3 == NULL);
    fake_pair_free(m.pair);
    qms_blob_trim();
    MUST(qms_blob_total() == 0);
    return 0;
}
