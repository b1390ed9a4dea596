/* SPDX-License-Identifier: MIT */
/* Each call of the library with each of its allocations failing: the call says so, has no
 * effect, and works when it is made again.  What it leaves behind the leak checker finds. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "client_fixture.h"

/* More allocations than any call makes. */
#define ALLOCATIONS 24

struct scene {
    struct fixture *f;
    struct qms_stream *st; /* what the call is about */
    uint64_t watch;
    unsigned told; /* callbacks of the call itself */
    uint8_t *lent;
};

/* Everything that a failed call must have left as it was. */
struct figures {
    size_t streams, waiting, requests, members, messages_out, calls, events;
    uint64_t pings, written, next_at;
    enum qms_half tx;
    bool answered;
    uint8_t forward, reverse;
};

static struct figures figures_of(const struct scene *s)
{
    const struct qms_connection *c = s->f->conn;
    struct figures n;

    memset(&n, 0, sizeof(n)); /* padding too: they are compared as bytes */
    n.streams = c->stream_count;
    n.waiting = c->waiting_count;
    n.requests = c->request_count;
    n.members = c->member_count;
    n.messages_out = c->messages_out;
    n.events = c->event_count;
    n.pings = c->ping_sent;
    n.calls = qms_heap_top(&c->calls) != NULL;
    if (s->st != NULL) {
        n.written = s->st->written;
        n.tx = s->st->tx;
        n.answered = s->st->answered;
        n.forward = s->st->forward;
        n.reverse = s->st->reverse;
    }
    return n;
}

/* ---- scenes ---- */

static struct scene ready(void)
{
    struct scene s = {.f = fixture_new(WELCOME, NULL)};

    settle(s.f);
    return s;
}

static struct scene not_ready(void)
{
    struct scene s = {.f = fixture_new(SILENT, NULL)};

    settle(s.f);
    return s;
}

static struct scene with_stream_on(struct scene s, unsigned flags)
{
    assert_int_equal(
        qms_stream_open(s.f->conn, QMS_KIND_AGENT, "b", flags, 9, NULL, NULL, NULL, &s.st),
        QMS_OK);
    settle(s.f);
    return s;
}

static struct scene with_stream(void)
{
    return with_stream_on(ready(), QMS_OPEN_FRAMED);
}

static struct scene with_waiting_stream(void)
{
    return with_stream_on(not_ready(), QMS_OPEN_FRAMED);
}

static struct scene with_their_stream(void)
{
    struct scene s = ready();

    (void)peer_opens(s.f, true, "x");
    settle(s.f);
    s.st = s.f->accepted.st;
    s.f->accepted.st = NULL;
    assert_int_equal(qms_stream_set_callbacks(s.st, NULL, NULL), QMS_OK);
    return s;
}

static struct scene with_membership(void)
{
    struct scene s = ready();

    assert_int_equal(
        qms_connection_join(s.f->conn, QMS_KIND_GROUP, "mine", NULL, note_done, s.f), QMS_OK);
    assert_int_equal(qms_connection_watch(s.f->conn, "x", NULL, NULL, &s.watch), QMS_OK);
    settle(s.f);
    return s;
}

static struct scene with_membership_to_come(void)
{
    struct scene s = not_ready();

    assert_int_equal(qms_connection_join(s.f->conn, QMS_KIND_GROUP, "mine", NULL, NULL, NULL),
                     QMS_OK);
    return s;
}

/* ---- calls ---- */

static void tell(void *arg, qms_err err)
{
    struct scene *s = arg;

    (void)err;
    s->told++;
}

static void tell_reply(void *arg, qms_err err, struct qms_bytes reply)
{
    (void)reply;
    tell(arg, err);
}

static uint8_t bulk[40000];

static qms_err open_bidi(struct scene *s)
{
    return qms_stream_open(s->f->conn, QMS_KIND_AGENT, "b", 0, 1, NULL, NULL, NULL, &s->st);
}

static qms_err open_uni(struct scene *s)
{
    return qms_stream_open(s->f->conn, QMS_KIND_TOPIC, "t", QMS_OPEN_UNI, 1, NULL, NULL, NULL,
                           &s->st);
}

static qms_err write_little(struct scene *s)
{
    size_t taken;

    return qms_stream_write(s->st, text("some bytes"), &taken);
}

static qms_err write_lent(struct scene *s)
{
    qms_err err;

    s->lent = qms_calloc(1, 5000);
    if (s->lent == NULL) {
        return QMS_E_NOMEM;
    }
    err = qms_stream_write_blob(s->st, (struct qms_bytes){s->lent, 5000}, qms_free, s->lent);
    if (err != QMS_OK) {
        qms_free(s->lent); /* not released by a call that failed */
    }
    return err;
}

static qms_err send_framed(struct scene *s)
{
    return qms_stream_send_message(s->st, (struct qms_bytes){bulk, sizeof(bulk)});
}

static qms_err pause(struct scene *s)
{
    return qms_stream_pause_messages(s->st, true);
}

static qms_err hurry(struct scene *s)
{
    return qms_stream_set_priority(s->st, 200, 201);
}

static qms_err accept_it(struct scene *s)
{
    return qms_stream_accept(s->st, text("welcome"));
}

static qms_err reject_it(struct scene *s)
{
    return qms_stream_reject(s->st, QMS_CODE_BUSY, "not now");
}

static qms_err send_message(struct scene *s)
{
    return qms_message_send(s->f->conn, QMS_KIND_AGENT, "b", 1, NULL,
                            (struct qms_bytes){bulk, sizeof(bulk)}, tell, s);
}

static qms_err request(struct scene *s)
{
    return qms_request(s->f->conn, QMS_KIND_AGENT, "b", 1, NULL, text("?"), QMS_SECOND,
                       tell_reply, s);
}

static qms_err join(struct scene *s)
{
    return qms_connection_join(s->f->conn, QMS_KIND_GROUP, "g", NULL, note_done, s->f);
}

static qms_err leave(struct scene *s)
{
    return qms_connection_leave(s->f->conn, QMS_KIND_GROUP, "mine", note_done, s->f);
}

static qms_err watch(struct scene *s)
{
    return qms_connection_watch(s->f->conn, "w", note_done, s->f, &s->watch);
}

static qms_err unwatch(struct scene *s)
{
    return qms_connection_unwatch(s->f->conn, s->watch, note_done, s->f);
}

static qms_err ping(struct scene *s)
{
    return qms_connection_ping(s->f->conn);
}

static qms_err refresh(struct scene *s)
{
    return qms_connection_refresh_token(s->f->conn, "fresh");
}

static qms_err datagram(struct scene *s)
{
    return qms_datagram_send(s->f->conn, QMS_KIND_AGENT, "b", 1, text("d"));
}

static void nothing(struct qms_client *client, void *arg)
{
    (void)client;
    (void)arg;
}

static qms_err post(struct scene *s)
{
    return qms_client_post(s->f->client, nothing, NULL);
}

static const struct {
    const char *name;
    struct scene (*scene)(void);
    qms_err (*call)(struct scene *s);
    unsigned least; /* allocations that it makes at the least */
} rows[] = {
    {"open", ready, open_bidi, 3},
    {"open to a topic", ready, open_uni, 3},
    {"open before ready", not_ready, open_bidi, 2},
    {"write", with_stream, write_little, 1},
    {"write before ready", with_waiting_stream, write_little, 1},
    {"write_blob", with_stream, write_lent, 3},
    {"send_message", with_stream, send_framed, 1},
    {"pause_messages", with_stream, pause, 1},
    {"set_priority", with_stream, hurry, 1},
    {"accept", with_their_stream, accept_it, 1},
    {"reject", with_their_stream, reject_it, 0}, /* without memory: the code alone is told */
    {"message_send", ready, send_message, 4},
    {"message_send before ready", not_ready, send_message, 4},
    {"request", ready, request, 4},
    {"join", ready, join, 3},
    {"join before ready", not_ready, join, 2},
    {"leave", with_membership, leave, 2},
    {"leave before ready", with_membership_to_come, leave, 1},
    {"watch", ready, watch, 3},
    {"unwatch", with_membership, unwatch, 2},
    {"ping", ready, ping, 1},
    {"refresh_token", ready, refresh, 2},
    {"datagram_send", ready, datagram, 1},
    {"post", ready, post, 1},
};

static void end(struct scene *s)
{
    qms_stream_release(s->st);
    settle(s->f);
    qms_stream_release(s->f->accepted.st);
    fixture_free(s->f);
}

/* Whether the call failed. */
static bool call_without(unsigned row, uint64_t n)
{
    struct scene s = rows[row].scene();
    struct figures before = figures_of(&s), after;
    qms_err err;

    s.f->log[0] = '\0';
    qms_mem_fail_after(n);
    err = rows[row].call(&s);
    qms_mem_fail_after(UINT64_MAX);
    if (err == QMS_OK) {
        end(&s);
        return false;
    }
    settle(s.f); /* a stream opened in vain is reset: that has to be over */
    after = figures_of(&s);
    if (err != QMS_E_NOMEM || memcmp(&before, &after, sizeof(before)) != 0) {
        fail_msg("%s, allocation %llu: %s", rows[row].name, (unsigned long long)n,
                 err == QMS_E_NOMEM ? "the failure had an effect" : qms_err_name(err));
    }
    if (s.told != 0 || strchr(s.f->log, 'D') != NULL) {
        fail_msg("%s, allocation %llu: it failed and was answered", rows[row].name,
                 (unsigned long long)n);
    }
    if (rows[row].call(&s) != QMS_OK) {
        fail_msg("%s does not work after allocation %llu has failed", rows[row].name,
                 (unsigned long long)n);
    }
    end(&s);
    return true;
}

static void each_call_tells_that_memory_is_out_and_has_no_effect(void **state)
{
    (void)state;
    for (unsigned row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        unsigned failed = 0;

        for (uint64_t n = 0; n < ALLOCATIONS; n++) {
            failed += call_without(row, n);
        }
        if (failed < rows[row].least) {
            fail_msg("%s failed %u times only", rows[row].name, failed);
        }
        assert_true(failed < ALLOCATIONS);
    }
}

/* What was promised by a call that succeeded is told, however short memory is afterwards. */
static void answers_need_no_memory(void **state)
{
    struct fixture *f = *state;
    struct qms_control reply = {.type = QMS_MSG_REPLY};
    uint64_t number;

    f->log[0] = '\0';
    assert_int_equal(qms_connection_join(f->conn, QMS_KIND_GROUP, "g", NULL, note_done, f),
                     QMS_OK);
    assert_int_equal(qms_connection_watch(f->conn, "w", note_done, f, &number), QMS_OK);
    assert_int_equal(qms_connection_refresh_token(f->conn, "t"), QMS_OK);
    assert_int_equal(qms_connection_ping(f->conn), QMS_OK);
    settle(f);
    assert_string_equal(f->log, "p");
    for (reply.u.reply.req = 0; reply.u.reply.req < f->conn->next_request;
         reply.u.reply.req++) {
        peer_sends(f, reply);
        qms_mem_fail_after(0);
        (void)fake_link_pump(f->pair, 0);
        qms_client_turn(f->client, fake_link_now(f->pair));
        qms_mem_fail_after(UINT64_MAX);
    }
    settle(f);
    assert_string_equal(f->log, "pDDk");
}

static void a_hole_in_presence_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    struct qms_control m = {.type = QMS_MSG_PRESENCE};
    uint64_t watch;

    assert_int_equal(qms_connection_watch(f->conn, "", NULL, NULL, &watch), QMS_OK);
    settle(f);
    m.u.presence.watch_req = watch;
    m.u.presence.state = QMS_PRESENCE_ONLINE;
    m.u.presence.name = text("other");
    peer_sends(f, m);
    for (uint64_t n = 0; n < 8 && !qms_connection_is_closed(f->conn); n++) {
        qms_mem_fail_after(n);
        (void)fake_link_pump(f->pair, 0);
        qms_client_turn(f->client, fake_link_now(f->pair));
        qms_mem_fail_after(UINT64_MAX);
        if (f->presences > 0) {
            peer_sends(f, m);
            f->presences = 0;
        }
    }
    settle(f);
    assert_int_equal(f->closed, QMS_E_WIRE_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_tells_that_memory_is_out_and_has_no_effect),
        QMS_TEST(answers_need_no_memory),
        QMS_TEST(a_hole_in_presence_ends_the_connection),
    };

    return cmocka_run_group_tests_name("client_memory", tests, NULL, NULL);
}
