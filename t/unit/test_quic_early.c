/* SPDX-License-Identifier: MIT */
/* Early data between two endpoints: taken, refused for each reason, replayed. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "qms_test.h"
#include "quic/int.h"
#include "quic/replay.h"
#include "test_quic_rig.h"

static uint8_t kept[32768];
static size_t kept_len;
static unsigned tickets;

static void on_ticket(void *arg, struct qms_bytes ticket)
{
    (void)arg;
    assert_true(ticket.len <= sizeof(kept));
    memcpy(kept, ticket.data, ticket.len);
    kept_len = ticket.len;
    tickets++;
}

static void connect_resumed(struct rig *r, bool early)
{
    struct qms_quic_resume resume = {
        .ticket = {kept, kept_len}, .early = early, .on_ticket = on_ticket};
    struct qms_quic_conn *conn;

    r->client.ready = r->client.closed = r->server.ready = r->server.closed = false;
    assert_int_equal(qms_endpoint_connect_resumed(r->client.ep, (struct sockaddr *)&r->address,
                                                  r->address_len, r->name, r->alpn,
                                                  r->tls_client, &resume, &conn),
                     QMS_OK);
    rig_adopt(&r->client, conn);
}

/* A first connection, for its ticket. */
static struct rig *with_ticket(void)
{
    struct rig *r = rig_new();

    kept_len = 0;
    r->server_config.early_alpn = "quicms/1";
    rig_start(r);
    connect_resumed(r, true);
    assert_false(r->client.link->early);
    assert_true(rig_until(r, &r->client.ready, 3000));
    for (int i = 0; i < 100 && kept_len == 0; i++) {
        rig_run(r, 10);
    }
    assert_true(kept_len > 0);
    return r;
}

static void end(struct rig *r)
{
    r->client.link->ops->close(r->client.link, 0, (struct qms_bytes){0});
    assert_true(rig_until(r, &r->client.closed, 3000));
    assert_true(rig_until(r, &r->server.closed, 3000));
}

static bool accepted(struct rig_side *side)
{
    struct qms_link_stats s;

    side->link->ops->stats(side->link, &s);
    return s.early_data_accepted;
}

static struct rig_stream *open_early(struct rig *r, bool bidi, size_t len)
{
    struct rig_stream *st = rig_open(&r->client, bidi, QMS_PRIORITY_NORMAL);

    st->st->early = true;
    (void)rig_write(st, len);
    st->st->link->ops->finish(st->st);
    return st;
}

static bool heard_before_ready;

static void watch_order(struct rig_side *side, struct qms_link *link, const char *event)
{
    side->hook_at = side->events + 1; /* at the next event too */
    if (strcmp(event, "stream") == 0 && !side->ready) {
        heard_before_ready = link->early;
    }
}

static void early_streams_arrive_before_the_handshake_is_complete(void **state)
{
    struct rig *r = with_ticket();
    size_t before;
    (void)state;

    end(r);
    heard_before_ready = false;
    r->server.hook = watch_order;
    r->server.hook_at = r->server.events + 1;
    connect_resumed(r, true);
    assert_true(r->client.link->early);
    before = r->server.finished;
    open_early(r, true, 3000);
    open_early(r, false, 500);
    assert_true(rig_until_count(r, &r->server.finished, before + 2, 3000));
    assert_true(heard_before_ready);
    assert_true(rig_until(r, &r->client.ready, 3000));
    assert_true(accepted(&r->client));
    assert_int_equal(r->server.received, 3500);
    rig_free(r);
}

static void streams_that_may_not_be_early_wait(void **state)
{
    struct rig *r = with_ticket();
    struct rig_stream *st;
    (void)state;

    end(r);
    heard_before_ready = false;
    r->server.hook = watch_order;
    r->server.hook_at = r->server.events + 1;
    connect_resumed(r, true);
    st = rig_open(&r->client, true, QMS_PRIORITY_NORMAL);
    (void)rig_write(st, 100);
    st->st->link->ops->finish(st->st);
    assert_true(rig_until_count(r, &r->server.finished, 1, 3000));
    assert_false(heard_before_ready);
    rig_free(r);
}

/* Whatever the reason, all of it arrives, once, in the order of opening. */
static void arrives_after_refusal(struct rig *r)
{
    size_t before = r->server.finished;
    uint64_t received = r->server.received;
    struct rig_stream *one, *two;

    connect_resumed(r, true);
    one = open_early(r, true, 3000);
    two = open_early(r, true, 700);
    assert_true(rig_until_count(r, &r->server.finished, before + 2, 3000));
    assert_true(rig_until(r, &r->client.ready, 3000));
    assert_false(accepted(&r->client));
    assert_int_equal(r->server.received - received, 3700);
    assert_int_equal(one->st != NULL ? one->st->id : one->id, 0);
    assert_int_equal(two->st != NULL ? two->st->id : two->id, 4);
    assert_int_equal(rig_find(&r->server, 0)->sum, rig_hash(3000));
}

static void a_server_that_takes_none_gets_it_again(void **state)
{
    struct rig *r = with_ticket();
    (void)state;

    end(r);
    r->server_config.early_alpn = NULL;
    rig_restart_server(r);
    arrives_after_refusal(r);
    rig_free(r);
}

static void a_server_with_another_key_gets_it_again(void **state)
{
    struct rig *r = with_ticket();
    (void)state;

    end(r);
    qms_random(r->secret, sizeof(r->secret));
    rig_restart_server(r);
    arrives_after_refusal(r);
    rig_free(r);
}

static void a_server_with_lower_limits_gets_it_again(void **state)
{
    struct rig *r = with_ticket();
    (void)state;

    end(r);
    r->server_config.stream_window = 16384;
    rig_restart_server(r);
    arrives_after_refusal(r);
    rig_free(r);
}

static void a_server_that_has_just_begun_gets_it_again(void **state)
{
    struct rig *r = with_ticket();
    (void)state;

    end(r);
    rig_restart_server(r); /* it cannot know what its predecessor saw */
    arrives_after_refusal(r);
    rig_free(r);
}

static void a_damaged_ticket_is_ignored(void **state)
{
    struct rig *r = with_ticket();
    (void)state;

    for (size_t cut = 0; cut < kept_len; cut += kept_len / 7 + 1) {
        end(r);
        kept_len = cut;
        connect_resumed(r, true);
        assert_true(rig_until(r, &r->client.ready, 3000));
    }
    rig_free(r);
}

/* ---- replay ---- */

struct other {
    struct qms_endpoint *ep;
    unsigned connections;
    size_t bytes;
};

static void other_data(struct qms_link_stream *st, struct qms_bytes data, bool fin)
{
    (void)fin;
    ((struct other *)st->link->user)->bytes += data.len;
}
static void other_link(struct qms_link *link)
{
    (void)link;
}
static void other_stream(struct qms_link *link, struct qms_link_stream *st)
{
    (void)link;
    (void)st;
}
static void other_code(struct qms_link_stream *st, uint64_t code)
{
    (void)st;
    (void)code;
}
static void other_stream_closed(struct qms_link_stream *st)
{
    (void)st;
}
static void other_closed(struct qms_link *link, const struct qms_link_close *why)
{
    (void)link;
    (void)why;
}

static void other_connection(struct qms_endpoint *ep, struct qms_quic_conn *conn,
                             struct qms_bytes alpn)
{
    static const struct qms_link_events events = {.on_ready = other_link,
                                                  .on_stream = other_stream,
                                                  .on_data = other_data,
                                                  .on_reset = other_code,
                                                  .on_stop = other_code,
                                                  .on_acked = other_code,
                                                  .on_stream_closed = other_stream_closed,
                                                  .on_closed = other_closed};
    struct other *o = qms_endpoint_user(ep);
    (void)alpn;

    o->connections++;
    qms_quic_conn_link(conn)->events = &events;
    qms_quic_conn_link(conn)->user = o;
}

static const struct qms_endpoint_events other_events = {.on_connection = other_connection};
static const char *const other_alpns[] = {"quicms/1", NULL};

static int bound(struct sockaddr_in *at)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    socklen_t len = sizeof(*at);

    *at = (struct sockaddr_in){.sin_family = AF_INET};
    at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)at, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)at, &len), 0);
    return fd;
}

/* Sends what is captured to a server of the same secret; the bytes it took as early data. */
static size_t replay_to(const struct rig *r, struct other *o, int capture, uint8_t *flight,
                        const size_t *lens, size_t count)
{
    struct sockaddr_in at;
    int fd = bound(&at), from = capture;

    o->connections = 0;
    o->bytes = 0;
    assert_true(qms_endpoint_add_listener(o->ep, fd, other_alpns, r->tls_server) >= 0);
    for (size_t i = 0, off = 0; i < count; off += lens[i++]) {
        assert_int_equal(
            sendto(from, flight + off, lens[i], 0, (struct sockaddr *)&at, sizeof(at)),
            lens[i]);
    }
    usleep(20000);
    (void)qms_endpoint_readable(o->ep, fd, qms_clock_now());
    qms_endpoint_flush(o->ep, qms_clock_now());
    return o->bytes;
}

static void flight_sent_twice(bool shared, size_t first, size_t second)
{
    struct rig *r = rig_new();
    struct qms_replay *set = qms_replay_local_new(), *another = qms_replay_local_new();
    struct other a = {NULL, 0, 0}, b = {NULL, 0, 0};
    struct qms_quic_config config;
    struct sockaddr_in at;
    uint8_t flight[65536];
    size_t lens[32], count = 0, off = 0;
    int capture = bound(&at);
    ssize_t n;

    kept_len = 0;
    r->server_config.early_alpn = "quicms/1";
    config = r->server_config;
    config.replay = r->server_config.replay = set;
    a.ep = qms_endpoint_new(&config, r->secret, &other_events, &a);
    config.replay = shared ? set : another;
    b.ep = qms_endpoint_new(&config, r->secret, &other_events, &b);
    usleep(1100000); /* tickets count whole seconds; both began before this one was made */
    rig_start(r);
    connect_resumed(r, true);
    for (int i = 0; i < 200 && kept_len == 0; i++) {
        rig_run(r, 10);
    }
    assert_true(kept_len > 0);
    end(r);
    memcpy(&r->address, &at, sizeof(at));
    connect_resumed(r, true);
    open_early(r, true, 800);
    qms_endpoint_flush(r->client.ep, qms_clock_now());
    usleep(20000);
    while ((n = recv(capture, flight + off, sizeof(flight) - off, MSG_DONTWAIT)) > 0) {
        lens[count++] = (size_t)n;
        off += (size_t)n;
    }
    assert_true(count > 0);
    assert_int_equal(replay_to(r, &a, capture, flight, lens, count), first);
    assert_int_equal(replay_to(r, &b, capture, flight, lens, count), second);
    qms_endpoint_free(a.ep);
    qms_endpoint_free(b.ep);
    rig_free(r);
    set->ops->free(set);
    another->ops->free(another);
    close(capture);
}

static void a_captured_flight_sent_twice_delivers_once(void **state)
{
    (void)state;
    flight_sent_twice(true, 800, 0);
}

static void it_is_the_shared_set_that_tells(void **state)
{
    (void)state;
    flight_sent_twice(false, 800, 800);
}

static void tickets_of_a_set_of_its_own_are_read_by_that_endpoint_only(void **state)
{
    struct rig *r = rig_new();
    struct qms_endpoint *ep;
    (void)state;

    r->server_config.early_alpn = "quicms/1";
    rig_start(r);
    ep = qms_endpoint_new(&r->server_config, r->secret, &other_events, NULL);
    assert_memory_not_equal(ep->keys.ticket, r->server.ep->keys.ticket,
                            sizeof(ep->keys.ticket));
    assert_memory_equal(ep->keys.retry, r->server.ep->keys.retry, sizeof(ep->keys.retry));
    qms_endpoint_free(ep);
    rig_free(r);
}

static void tickets_are_bound_to_the_limits_promised(void **state)
{
    struct qms_replay *set = qms_replay_local_new();
    struct qms_quic_config config = qms_quic_config_default;
    struct qms_endpoint *one, *same, *lower;
    const uint8_t secret[32] = {1};
    (void)state;

    config.early_alpn = "quicms/1";
    config.replay = set;
    one = qms_endpoint_new(&config, secret, &other_events, NULL);
    same = qms_endpoint_new(&config, secret, &other_events, NULL);
    config.stream_window /= 2;
    lower = qms_endpoint_new(&config, secret, &other_events, NULL);
    assert_memory_equal(one->keys.ticket, same->keys.ticket, sizeof(one->keys.ticket));
    assert_memory_not_equal(one->keys.ticket, lower->keys.ticket, sizeof(one->keys.ticket));
    qms_endpoint_free(one);
    qms_endpoint_free(same);
    qms_endpoint_free(lower);
    set->ops->free(set);
}

static void the_set_remembers_until_its_time_and_is_bounded(void **state)
{
    struct qms_replay *r = qms_replay_local_new();
    uint64_t n;
    struct qms_bytes digest = {(const uint8_t *)&n, sizeof(n)};
    (void)state;

    n = 1;
    assert_true(r->ops->add(r, digest, 100, 110));
    assert_false(r->ops->add(r, digest, 109, 119));
    n = 2;
    assert_true(r->ops->add(r, digest, 109, 119));
    assert_true(r->ops->add(r, digest, 140, 150)); /* long over */
    for (n = 1000; n < 200000 && r->ops->add(r, digest, 141, 151); n++) {
    }
    assert_true(n < 200000);
    n = 5000;
    assert_false(r->ops->add(r, digest, 141, 151));
    r->ops->free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(early_streams_arrive_before_the_handshake_is_complete),
        cmocka_unit_test(streams_that_may_not_be_early_wait),
        cmocka_unit_test(a_server_that_takes_none_gets_it_again),
        cmocka_unit_test(a_server_with_another_key_gets_it_again),
        cmocka_unit_test(a_server_with_lower_limits_gets_it_again),
        cmocka_unit_test(a_server_that_has_just_begun_gets_it_again),
        cmocka_unit_test(a_damaged_ticket_is_ignored),
        cmocka_unit_test(a_captured_flight_sent_twice_delivers_once),
        cmocka_unit_test(it_is_the_shared_set_that_tells),
        cmocka_unit_test(tickets_of_a_set_of_its_own_are_read_by_that_endpoint_only),
        cmocka_unit_test(tickets_are_bound_to_the_limits_promised),
        cmocka_unit_test(the_set_remembers_until_its_time_and_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
