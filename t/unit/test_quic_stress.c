/* SPDX-License-Identifier: MIT */
/* What goes wrong in between: lost packets, full sockets, no memory, and a layer above that
 * closes from inside any event. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "qms_test.h"
#include "test_quic_rig.h"

/* The linker sends every sendmsg of the library here: loopback itself is never full. */
static unsigned full_every, sends;
ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    if (full_every > 0 && ++sends % full_every == 0) {
        errno = EAGAIN;
        return -1;
    }
    return __real_sendmsg(fd, msg, flags);
}

static int setup(void **state)
{
    full_every = sends = 0;
    *state = rig_new();
    return 0;
}

static int teardown(void **state)
{
    qms_mem_fail_after(UINT64_MAX);
    rig_free(*state);
    return 0;
}

static void transfer(struct rig *r, struct rig_side *from, struct rig_side *to, size_t len)
{
    struct rig_stream *s = rig_open(from, false, QMS_PRIORITY_NORMAL);
    uint64_t sum = rig_write(s, len);

    s->st->link->ops->finish(s->st);
    assert_true(rig_until(r, &s->closed, 30000));
    struct rig_stream *peer = rig_find(to, s->id);
    assert_true(peer->fin);
    assert_true(peer->sum == sum);
}

static void ipv6_works_like_ipv4(void **state)
{
    struct rig *r = *state;

    rig_use_ipv6(r);
    rig_start(r);
    rig_establish(r);
    transfer(r, &r->client, &r->server, 100000);
}

static void lost_packets_are_sent_again(void **state)
{
    struct rig *r = *state;
    struct qms_link_stats stats;

    rig_start(r);
    rig_lossy(r, 50);
    rig_establish(r);
    transfer(r, &r->client, &r->server, 2 << 20);
    transfer(r, &r->server, &r->client, 2 << 20);
    r->client.link->ops->stats(r->client.link, &stats);
    assert_in_range(stats.packets_lost, 10, 400);
}

static void reset_and_stopped_streams_survive_loss(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_lossy(r, 7);
    rig_establish(r);
    for (int i = 0; i < 60; i++) {
        struct rig_stream *s = rig_open(&r->client, i % 2 == 0, (uint8_t)i);
        (void)rig_write(s, 40000);
        rig_turn(r, 1);
        rig_turn(r, 1);
        struct rig_stream *peer = s->st != NULL ? rig_find(&r->server, s->st->id) : NULL;
        if (i % 3 == 0 && s->st != NULL) {
            s->st->link->ops->reset(s->st, 1);
        } else if (peer != NULL && peer->st != NULL) {
            peer->st->link->ops->stop(peer->st, 2);
        } else if (s->st != NULL) {
            s->st->link->ops->finish(s->st);
        }
        if (peer != NULL && peer->st != NULL && peer->st->bidi) {
            peer->st->link->ops->finish(peer->st);
        }
    }
    transfer(r, &r->client, &r->server, 100000);
}

static void full_socket_waits_for_room_and_loses_nothing(void **state)
{
    struct rig *r = *state;
    struct qms_link_stats stats;

    full_every = 3;
    rig_start(r);
    rig_establish(r);
    transfer(r, &r->server, &r->client, 4 << 20);
    transfer(r, &r->client, &r->server, 4 << 20);
    assert_true(r->blocked > 20);
    r->server.link->ops->stats(r->server.link, &stats);
    assert_int_equal(stats.packets_lost, 0);
}

static void idle_connection_sleeps(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    transfer(r, &r->client, &r->server, 100000);
    rig_run(r, 500);
    qms_time now = qms_clock_now();
    assert_true(qms_endpoint_next_at(r->client.ep) > now + 10 * QMS_SECOND);
    assert_true(qms_endpoint_next_at(r->server.ep) > now + 10 * QMS_SECOND);
}

/* ---- a layer above that gives up inside an event ---- */

static void close_it(struct rig_side *side, struct qms_link *link, const char *event)
{
    (void)side;
    (void)event;
    link->ops->close(link, 1, (struct qms_bytes){(const uint8_t *)"hook", 4});
}

static void reset_all(struct rig_side *side, struct qms_link *link, const char *event)
{
    (void)event;
    for (struct rig_stream *s = side->streams; s != NULL; s = s->next) {
        if (s->st != NULL) {
            link->ops->reset(s->st, 3);
            link->ops->stop(s->st, 4);
        }
    }
}

/* One busy life: streams of all kinds both ways, echo, reset, stop, datagrams. */
static void live(struct rig *r)
{
    struct rig_stream *s[12];

    rig_connect(r);
    for (int i = 0; i < 300 && !r->client.closed && !(r->client.ready && r->server.ready);
         i++) {
        rig_turn(r, 10);
    }
    for (int i = 0; i < 12; i++) {
        struct rig_side *side = i % 3 == 2 ? &r->server : &r->client;
        struct qms_link_stream *st;
        s[i] = NULL;
        if (side->link != NULL &&
            side->link->ops->open(side->link, i % 2 == 0, (uint8_t)i, &st) == QMS_OK) {
            s[i] = rig_note(side, st);
            struct qms_blob *blob = qms_blob_new(3000);
            blob->len = 3000;
            memset(blob->data, i, 3000);
            (void)st->link->ops->write(st, blob, 0, 3000);
            qms_blob_unref(blob);
            (void)st->link->ops->datagram(side->link, 1, NULL, 0);
        }
    }
    for (int turn = 0; turn < 20; turn++) {
        rig_turn(r, 1);
        for (int i = 0; i < 12; i++) {
            if (s[i] == NULL || s[i]->st == NULL || turn != i + 2) {
                continue;
            }
            if (i % 4 == 0) {
                s[i]->st->link->ops->reset(s[i]->st, 7);
            } else if (i % 4 == 2) {
                s[i]->st->link->ops->stop(s[i]->st, 8);
            } else {
                s[i]->st->link->ops->finish(s[i]->st);
            }
        }
    }
}

/* Runs a life with the hook at the n-th event of either side, for every n that there is. */
static void at_every_event(void (*hook)(struct rig_side *, struct qms_link *, const char *),
                           bool at_server)
{
    unsigned seen = UINT32_MAX;

    for (unsigned n = 1; n <= seen && n < 200; n++) {
        struct rig *r = rig_new();
        struct rig_side *side = at_server ? &r->server : &r->client;
        side->hook = hook;
        side->hook_at = n;
        r->server.echo = true;
        rig_start(r);
        live(r);
        seen = side->events;
        if (hook == close_it && n <= seen) {
            assert_true(rig_until(r, &r->client.closed, 3000));
        }
        rig_free(r);
    }
}

static void closing_inside_any_event_is_safe(void **state)
{
    (void)state;
    at_every_event(close_it, false);
    at_every_event(close_it, true);
}

static void resetting_inside_any_event_is_safe(void **state)
{
    (void)state;
    at_every_event(reset_all, false);
    at_every_event(reset_all, true);
}

/* ---- no memory ---- */

static void a_stream_without_memory_is_called_off(void **state)
{
    struct rig *r = *state;
    struct qms_link_stream *st;

    rig_start(r);
    rig_establish(r);
    struct qms_link *link = r->client.link;
    qms_mem_fail_after(1); /* the stream itself is had, its place in the table is not */
    assert_int_equal(link->ops->open(link, true, 1, &st), QMS_E_NOMEM);
    qms_mem_fail_after(UINT64_MAX);
    rig_run(r, 50);
    assert_int_equal(r->server.opened, 1);
    assert_true(r->server.streams->reset);
    assert_false(r->client.closed);
}

static void any_failed_allocation_ends_at_worst_the_connection(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 150; n++) {
        struct rig *r = rig_new();
        r->client_config.handshake_for = r->server_config.handshake_for = 300 * QMS_MILLISECOND;
        rig_start(r);
        struct qms_quic_conn *conn;
        qms_mem_fail_after(n);
        qms_err err =
            qms_endpoint_connect(r->client.ep, (struct sockaddr *)&r->address, r->address_len,
                                 r->name, r->alpn, r->tls_client, &conn);
        if (err == QMS_OK) {
            rig_adopt(&r->client, conn);
            for (int i = 0; i < 40 && !r->client.ready && !r->client.closed; i++) {
                rig_turn(r, 10);
            }
            if (r->client.ready && !r->client.closed) {
                struct qms_link_stream *st;
                if (r->client.link->ops->open(r->client.link, true, 1, &st) == QMS_OK) {
                    (void)rig_note(&r->client, st);
                    st->link->ops->finish(st);
                }
                rig_run(r, 10);
            }
        } else {
            assert_int_equal(err, QMS_E_NOMEM);
        }
        qms_mem_fail_after(UINT64_MAX);
        rig_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(ipv6_works_like_ipv4),
        QMS_TEST(lost_packets_are_sent_again),
        QMS_TEST(reset_and_stopped_streams_survive_loss),
        QMS_TEST(full_socket_waits_for_room_and_loses_nothing),
        QMS_TEST(idle_connection_sleeps),
        QMS_TEST(closing_inside_any_event_is_safe),
        QMS_TEST(resetting_inside_any_event_is_safe),
        QMS_TEST(a_stream_without_memory_is_called_off),
        QMS_TEST(any_failed_allocation_ends_at_worst_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
