/* SPDX-License-Identifier: MIT */
/* How connections begin and end, in good order and otherwise. */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "qms_test.h"
#include "test_quic_rig.h"

static int setup(void **state)
{
    *state = rig_new();
    return 0;
}

static int teardown(void **state)
{
    rig_free(*state);
    return 0;
}

static struct qms_bytes text(const char *s)
{
    return (struct qms_bytes){(const uint8_t *)s, strlen(s)};
}

static void use_client(struct rig *r, const struct qms_tls_client_config *config)
{
    char error[QMS_TLS_ERROR_MAX];

    qms_tls_client_free(r->tls_client);
    r->tls_client = qms_tls_client_new(config, error);
    assert_non_null(r->tls_client);
}

static struct qms_endpoint_stats server_stats(struct rig *r)
{
    struct qms_endpoint_stats stats;

    qms_endpoint_stats(r->server.ep, &stats);
    return stats;
}

/* ---- good order ---- */

static void close_brings_code_and_reason(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    (void)rig_write(rig_open(&r->client, true, 1), 100);
    rig_run(r, 20);
    r->client.link->ops->close(r->client.link, 4711, text("enough for today"));
    assert_false(r->client.closed); /* an operation never calls an event */
    assert_true(rig_until(r, &r->server.closed, 2000));
    assert_true(r->client.closed);
    assert_int_equal(r->server.why.err, QMS_OK);
    assert_int_equal(r->server.why.code, 4711);
    assert_true(r->server.why.application);
    assert_true(r->server.why.by_peer);
    assert_string_equal(r->server.reason, "enough for today");
    assert_int_equal(r->client.why.code, 4711);
    assert_false(r->client.why.by_peer);
    assert_string_equal(r->client.reason, "enough for today");
    assert_int_equal(server_stats(r).connections, 0);
}

static void what_was_received_is_acknowledged_before_the_close(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    rig_run(r, 100); /* nothing of the handshake is left to be acknowledged */
    struct rig_stream *s = rig_open(&r->server, true, 128);
    rig_write(s, 10);
    s->st->link->ops->finish(s->st);
    assert_true(rig_until_count(r, &r->client.finished, 1, 2000));
    r->client.link->ops->close(r->client.link, 0, text(""));
    assert_true(rig_until(r, &r->server.closed, 2000));
    assert_int_equal(s->acked, 10);
}

static void overlong_reason_is_cut_and_still_arrives(void **state)
{
    struct rig *r = *state;
    static uint8_t reason[5000];

    memset(reason, 'x', sizeof(reason));
    rig_start(r);
    rig_establish(r);
    r->server.link->ops->close(r->server.link, 1, (struct qms_bytes){reason, sizeof(reason)});
    assert_true(rig_until(r, &r->client.closed, 2000));
    assert_int_equal(r->client.why.code, 1);
    assert_int_equal(r->client.reason[0], 'x');
}

static void operations_after_close_do_nothing(void **state)
{
    struct rig *r = *state;
    struct qms_link_stream *st;

    rig_start(r);
    rig_establish(r);
    struct rig_stream *s = rig_open(&r->client, true, 1);
    struct qms_link *link = r->client.link;
    link->ops->close(link, 5, text(""));
    link->ops->close(link, 6, text("again"));
    assert_int_equal(link->ops->open(link, true, 1, &st), QMS_E_CLOSED);
    assert_int_equal(link->ops->write(s->st, NULL, 0, 1), QMS_E_CLOSED);
    assert_int_equal(link->ops->datagram(link, 1, NULL, 0), QMS_E_CLOSED);
    link->ops->finish(s->st);
    link->ops->reset(s->st, 1);
    link->ops->stop(s->st, 1);
    link->ops->consume(s->st, 1);
    link->ops->set_priority(s->st, 1);
    assert_true(rig_until(r, &r->server.closed, 2000));
    assert_int_equal(r->server.why.code, 5);
}

static void lost_close_is_repeated_to_who_still_talks(void **state)
{
    struct rig *r = *state;
    uint8_t waste[2048];

    rig_start(r);
    rig_establish(r);
    rig_run(r, 50);
    r->client.link->ops->close(r->client.link, 3, text("first copy"));
    qms_endpoint_flush(r->client.ep, qms_clock_now());
    while (recv(r->listen_fd, waste, sizeof(waste), 0) > 0) { /* the first copy is lost */
    }
    (void)rig_write(rig_open(&r->server, false, 1), 10);
    assert_true(rig_until(r, &r->server.closed, 1000));
    assert_int_equal(r->server.why.code, 3);
    assert_string_equal(r->server.reason, "first copy");
}

static void closing_period_ends_and_frees_the_socket(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    assert_int_equal(r->fd_count, 2);
    r->client.link->ops->close(r->client.link, 0, text(""));
    for (int i = 0; i < 300 && r->fd_count > 1; i++) {
        rig_run(r, 10);
    }
    assert_int_equal(r->fd_count, 1);
    assert_true(qms_endpoint_next_at(r->client.ep) == QMS_NEVER);
}

static void freeing_an_endpoint_with_everything_alive_leaks_nothing(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    (void)rig_write(rig_open(&r->client, true, 1), 1 << 20);
    (void)rig_write(rig_open(&r->server, false, 1), 1 << 20);
    rig_turn(r, 1);
}

/* ---- timers ---- */

static void silence_ends_the_connection(void **state)
{
    struct rig *r = *state;

    r->client_config.idle_for = 200 * QMS_MILLISECOND;
    rig_start(r);
    rig_establish(r);
    assert_true(rig_until(r, &r->client.closed, 3000));
    assert_int_equal(r->client.why.err, QMS_E_IDLE);
    assert_true(rig_until(r, &r->server.closed, 3000));
    assert_int_equal(r->server.why.err, QMS_E_IDLE);
}

static void keep_alive_adapts_to_the_peers_shorter_timeout(void **state)
{
    struct rig *r = *state;

    r->server_config.idle_for = 400 * QMS_MILLISECOND;
    r->client_config.keep_alive_for = 10 * QMS_SECOND;
    rig_start(r);
    rig_establish(r);
    rig_run(r, 1200);
    assert_false(r->client.closed);
    assert_false(r->server.closed);
}

static void keep_alive_outlasts_the_idle_timeout(void **state)
{
    struct rig *r = *state;

    r->client_config.idle_for = 300 * QMS_MILLISECOND;
    r->client_config.keep_alive_for = 100 * QMS_MILLISECOND;
    rig_start(r);
    rig_establish(r);
    rig_run(r, 800);
    assert_false(r->client.closed);
    qms_quic_conn_keep_alive(qms_quic_conn_of(r->client.link), 0);
    assert_true(rig_until(r, &r->client.closed, 2000));
}

static void black_hole_times_out(void **state)
{
    struct rig *r = *state;

    r->client_config.handshake_for = 300 * QMS_MILLISECOND;
    rig_start(r);
    r->server_stalled = true;
    rig_connect(r);
    qms_time from = qms_clock_now();
    assert_true(rig_until(r, &r->client.closed, 3000));
    assert_int_equal(r->client.why.err, QMS_E_TIMEOUT);
    assert_in_range(qms_clock_now() - from, 250 * QMS_MILLISECOND, 1500 * QMS_MILLISECOND);
    assert_false(r->client.ready);
}

static void dead_port_is_told_at_once(void **state)
{
    struct rig *r = *state;
    socklen_t len = r->address_len;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    rig_start(r);
    ((struct sockaddr_in *)(void *)&r->address)->sin_port = 0;
    assert_int_equal(bind(fd, (struct sockaddr *)&r->address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&r->address, &len), 0);
    close(fd);
    rig_connect(r);
    qms_time from = qms_clock_now();
    assert_true(rig_until(r, &r->client.closed, 3000));
    assert_int_equal(r->client.why.err, QMS_E_CONNECT);
    assert_true(qms_clock_now() - from < 500 * QMS_MILLISECOND);
}

static void abandoned_handshake_ends_and_is_counted(void **state)
{
    struct rig *r = *state;

    r->server_config.handshake_for = 200 * QMS_MILLISECOND;
    rig_start(r);
    rig_connect(r);
    qms_endpoint_flush(r->client.ep, qms_clock_now());
    qms_endpoint_free(r->client.ep); /* the client vanishes after its first packet */
    r->client.ep =
        qms_endpoint_new(&r->client_config, r->secret,
                         &(struct qms_endpoint_events){.on_admit = NULL}, &r->client);
    rig_run(r, 600);
    assert_int_equal(r->server.admitted, 1);
    assert_int_equal(r->server.failed, 1);
    assert_int_equal(server_stats(r).handshakes_failed_timeout, 1);
    assert_int_equal(server_stats(r).connections, 0);
}

/* ---- trust ---- */

static void wrong_pin_is_a_certificate_error(void **state)
{
    struct rig *r = *state;
    uint8_t pins[2][32] = {{1}, {2}};

    use_client(
        r, &(struct qms_tls_client_config){.pins = (const uint8_t(*)[32])pins, .pin_count = 2});
    rig_start(r);
    rig_connect(r);
    assert_true(rig_until(r, &r->client.closed, 3000));
    assert_int_equal(r->client.why.err, QMS_E_CERTIFICATE);
    assert_non_null(strstr(r->client.reason, "pins"));
    rig_run(r, 50);
    assert_int_equal(r->server.failed, 1);
    assert_int_equal(server_stats(r).handshakes_failed_tls, 1);
}

static void pin_of_the_public_key_is_enough(void **state)
{
    struct rig *r = *state;
    uint8_t pins[2][32] = {{1}, {2}};

    qms_tls_server_spki_hash(r->tls_server, pins[1]);
    use_client(
        r, &(struct qms_tls_client_config){.pins = (const uint8_t(*)[32])pins, .pin_count = 2});
    rig_start(r);
    rig_establish(r);
}

static void unknown_authority_is_a_certificate_error(void **state)
{
    struct rig *r = *state;

    use_client(r, &(struct qms_tls_client_config){.ca_file = NULL});
    rig_start(r);
    rig_connect(r);
    assert_true(rig_until(r, &r->client.closed, 3000));
    assert_int_equal(r->client.why.err, QMS_E_CERTIFICATE);
    assert_non_null(strstr(r->client.reason, "issuer is unknown"));
}

static void insecure_client_takes_any_certificate(void **state)
{
    struct rig *r = *state;

    use_client(r, &(struct qms_tls_client_config){.insecure = true});
    rig_start(r);
    rig_establish(r);
}

static void unknown_alpn_is_refused_with_the_tls_alert(void **state)
{
    struct rig *r = *state;

    r->alpn = "other/1";
    rig_start(r);
    rig_connect(r);
    assert_true(rig_until(r, &r->client.closed, 3000));
    assert_int_equal(r->client.why.err, QMS_E_TLS);
    assert_int_equal(r->client.why.code, 0x178);
    assert_int_equal(server_stats(r).handshakes_failed_alpn, 1);
}

/* ---- admission ---- */

static void retry_always_still_connects(void **state)
{
    struct rig *r = *state;

    r->server_config.retry_above = 0;
    rig_start(r);
    rig_establish(r);
    assert_int_equal(server_stats(r).retries_sent, 1);
    assert_int_equal(r->server.admitted, 1);
}

/* Six first packets wait when the server looks. */
static void retry_turns_itself_on_and_off(void **state)
{
    struct rig *r = *state;

    r->server_config.retry_above = 2;
    rig_start(r);
    for (int i = 0; i < 6; i++) {
        rig_connect(r);
    }
    for (int i = 0; i < 200 && server_stats(r).handshakes_completed < 6; i++) {
        rig_run(r, 10);
    }
    assert_int_equal(server_stats(r).handshakes_completed, 6);
    assert_int_equal(server_stats(r).retries_sent, 3);
    rig_establish(r);
    assert_int_equal(server_stats(r).retries_sent, 3);
}

static void refused_client_is_told_so(void **state)
{
    struct rig *r = *state;

    r->server.refuse = true;
    rig_start(r);
    rig_connect(r);
    assert_true(rig_until(r, &r->client.closed, 3000));
    assert_int_equal(r->client.why.err, QMS_E_CONNECT);
    assert_int_equal(server_stats(r).handshakes_failed_refused, 1);
    assert_int_equal(server_stats(r).handshakes_started, 0);
}

static void nobody_new_after_stop_accepting(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    struct qms_link *living = r->client.link;
    qms_endpoint_stop_accepting(r->server.ep, false);
    rig_connect(r);
    assert_true(rig_until(r, &r->client.closed, 3000));
    assert_int_equal(r->client.why.err, QMS_E_CONNECT);
    r->client.link = living;
    struct rig_stream *s = rig_open(&r->client, false, 1);
    living->ops->finish(s->st);
    assert_true(rig_until(r, &s->closed, 2000));
}

static void handshakes_beyond_the_cap_are_dropped(void **state)
{
    struct rig *r = *state;

    r->server_config.half_open_max = 0;
    r->client_config.handshake_for = 200 * QMS_MILLISECOND;
    rig_start(r);
    rig_connect(r);
    assert_true(rig_until(r, &r->client.closed, 3000));
    assert_int_equal(r->client.why.err, QMS_E_TIMEOUT);
    assert_true(server_stats(r).packets_dropped > 0);
    assert_int_equal(r->server.admitted, 0);
}

/* Six first packets wait when the server looks; all are of one address. */
static void one_address_waits_where_half_of_the_places_are_taken(void **state)
{
    struct rig *r = *state;

    r->server_config.half_open_max = 4;
    r->server_config.retry_above = 1000;
    rig_start(r);
    for (int i = 0; i < 6; i++) {
        rig_connect(r);
    }
    rig_run(r, 1);
    assert_int_equal(server_stats(r).handshakes_started, 2);
    assert_int_equal(server_stats(r).packets_dropped, 4);
    for (int i = 0; i < 500 && server_stats(r).handshakes_completed < 6; i++) {
        rig_run(r, 10);
    }
    assert_int_equal(server_stats(r).handshakes_completed, 6); /* each came again by itself */
}

/* ---- strangers' packets ---- */

/* Sends raw bytes to the server and returns the length of its answer, 0 for silence. */
static size_t poke(struct rig *r, const uint8_t *data, size_t len, uint8_t *answer, size_t room)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    ssize_t n = 0;

    assert_int_equal(sendto(fd, data, len, 0, (struct sockaddr *)&r->address, r->address_len),
                     len);
    for (int i = 0; i < 5 && n <= 0; i++) {
        rig_turn(r, 5);
        n = recv(fd, answer, room, MSG_DONTWAIT);
    }
    close(fd);
    return n > 0 ? (size_t)n : 0;
}

static void unknown_version_is_answered_with_ours(void **state)
{
    struct rig *r = *state;
    uint8_t pkt[1200] = {0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 1, 2, 3, 4,
                         5,    6,    7,    8,    4,    9, 9, 9, 9};
    uint8_t answer[1500];

    rig_start(r);
    size_t n = poke(r, pkt, sizeof(pkt), answer, sizeof(answer));
    assert_int_equal(n, 7 + 4 + 8 + 8);
    assert_true(answer[0] & 0x80);
    assert_memory_equal(answer + 1, "\0\0\0\0", 4);
    assert_memory_equal(answer + 5 + 1 + 4 + 1 + 8, "\0\0\0\1", 4);
    assert_int_equal(server_stats(r).version_negotiations_sent, 1);
    /* A short one could be used to multiply traffic. */
    assert_int_equal(poke(r, pkt, 1199, answer, sizeof(answer)), 0);
}

static void unknown_connection_is_reset_with_fewer_bytes_and_not_for_ever(void **state)
{
    struct rig *r = *state;
    uint8_t pkt[100] = {0x40, 1, 2, 3}, answer[1500];

    rig_start(r);
    size_t n = poke(r, pkt, sizeof(pkt), answer, sizeof(answer));
    assert_true(n >= 21 && n < 43);
    /* A PING alone is as short as this, and its sender may be waiting for nothing else. */
    assert_int_equal(poke(r, pkt, 38, answer, sizeof(answer)), 37);
    assert_int_equal(poke(r, pkt, 22, answer, sizeof(answer)), 21);
    assert_int_equal(poke(r, pkt, 21, answer, sizeof(answer)), 0);
    for (int i = 0; i < 1000; i++) {
        pkt[1] = (uint8_t)i;
        pkt[2] = (uint8_t)(i >> 8);
        (void)sendto(r->listen_fd, pkt, sizeof(pkt), 0, (struct sockaddr *)&r->address,
                     r->address_len);
        rig_turn(r, 0);
    }
    assert_true(server_stats(r).resets_sent < 500);
}

static void junk_of_every_length_is_survived(void **state)
{
    struct rig *r = *state;
    uint8_t pkt[1500];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    rig_start(r);
    for (size_t len = 0; len < sizeof(pkt); len += 3) {
        qms_random(pkt, sizeof(pkt));
        if (len % 2 == 0) { /* often enough an Initial of version 1 */
            memcpy(pkt, "\xc3\0\0\0\1\x08", 6);
            pkt[14] = 8;
            pkt[23] = 0;
        }
        (void)sendto(fd, pkt, len, 0, (struct sockaddr *)&r->address, r->address_len);
        rig_turn(r, 0);
    }
    close(fd);
    rig_establish(r);
}

static void lost_server_state_resets_the_client(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    rig_run(r, 50);
    rig_restart_server(r);
    struct rig_stream *s = rig_open(&r->client, true, 1);
    (void)rig_write(s, 1000);
    assert_true(rig_until(r, &r->client.closed, 2000));
    assert_int_equal(r->client.why.err, QMS_E_TRANSPORT);
    assert_true(r->client.why.by_peer);
    assert_non_null(strstr(r->client.reason, "stateless reset"));
    /* One for each packet of the client's; a path-MTU probe may be among them. */
    assert_in_range(server_stats(r).resets_sent, 1, 3);
}

/* ---- path ---- */

static void client_that_changes_its_port_is_followed(void **state)
{
    struct rig *r = *state;
    struct sockaddr_in other = {.sin_family = AF_INET};
    socklen_t len = sizeof(other);

    rig_start(r);
    rig_establish(r);
    rig_run(r, 50);
    /* A NAT rebinding: the client's socket gets another source port below it. */
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), client_fd = -1;
    other.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&other, len), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&r->address, r->address_len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&other, &len), 0);
    for (size_t i = 0; i < r->fd_count; i++) {
        client_fd = r->fds[i].side == &r->client ? r->fds[i].fd : client_fd;
    }
    assert_true(dup2(fd, client_fd) >= 0);
    close(fd);

    struct rig_stream *s = rig_open(&r->client, false, 1);
    (void)rig_write(s, 300000);
    s->st->link->ops->finish(s->st);
    assert_true(rig_until(r, &s->closed, 5000));
    assert_int_equal(r->server.received, 300000);
    const struct sockaddr *remote = NULL;
    r->server.link->ops->addresses(r->server.link, &remote, NULL);
    assert_int_equal(((const struct sockaddr_in *)(const void *)remote)->sin_port,
                     other.sin_port);
}

static void address_of_the_peer_is_known(void **state)
{
    struct rig *r = *state;
    const struct sockaddr *remote = NULL, *local = NULL;

    rig_start(r);
    rig_establish(r);
    r->client.link->ops->addresses(r->client.link, &remote, &local);
    assert_memory_equal(remote, &r->address, 8);
    assert_int_equal(local->sa_family, AF_INET);
    assert_ptr_equal(qms_quic_conn_endpoint(qms_quic_conn_of(r->client.link)), r->client.ep);
}

static void swapped_certificate_serves_the_next_handshake(void **state)
{
    struct rig *r = *state;
    struct rig *other = rig_new();
    uint8_t pins[1][32];

    rig_start(r);
    rig_establish(r);
    qms_tls_server_hash(other->tls_server, pins[0]);
    qms_endpoint_set_tls(r->server.ep, 0, other->tls_server);
    struct qms_tls_client *before = r->tls_client;
    r->tls_client = NULL;
    use_client(
        r, &(struct qms_tls_client_config){.pins = (const uint8_t(*)[32])pins, .pin_count = 1});
    r->client.ready = r->server.ready = false;
    rig_establish(r);
    qms_endpoint_free(r->client.ep);
    r->client.ep = NULL;
    qms_tls_client_free(before);
    rig_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(close_brings_code_and_reason),
        QMS_TEST(what_was_received_is_acknowledged_before_the_close),
        QMS_TEST(overlong_reason_is_cut_and_still_arrives),
        QMS_TEST(operations_after_close_do_nothing),
        QMS_TEST(lost_close_is_repeated_to_who_still_talks),
        QMS_TEST(closing_period_ends_and_frees_the_socket),
        QMS_TEST(freeing_an_endpoint_with_everything_alive_leaks_nothing),
        QMS_TEST(silence_ends_the_connection),
        QMS_TEST(keep_alive_adapts_to_the_peers_shorter_timeout),
        QMS_TEST(keep_alive_outlasts_the_idle_timeout),
        QMS_TEST(black_hole_times_out),
        QMS_TEST(dead_port_is_told_at_once),
        QMS_TEST(abandoned_handshake_ends_and_is_counted),
        QMS_TEST(wrong_pin_is_a_certificate_error),
        QMS_TEST(pin_of_the_public_key_is_enough),
        QMS_TEST(unknown_authority_is_a_certificate_error),
        QMS_TEST(insecure_client_takes_any_certificate),
        QMS_TEST(unknown_alpn_is_refused_with_the_tls_alert),
        QMS_TEST(retry_always_still_connects),
        QMS_TEST(retry_turns_itself_on_and_off),
        QMS_TEST(refused_client_is_told_so),
        QMS_TEST(nobody_new_after_stop_accepting),
        QMS_TEST(handshakes_beyond_the_cap_are_dropped),
        QMS_TEST(one_address_waits_where_half_of_the_places_are_taken),
        QMS_TEST(unknown_version_is_answered_with_ours),
        QMS_TEST(unknown_connection_is_reset_with_fewer_bytes_and_not_for_ever),
        QMS_TEST(junk_of_every_length_is_survived),
        QMS_TEST(lost_server_state_resets_the_client),
        QMS_TEST(client_that_changes_its_port_is_followed),
        QMS_TEST(address_of_the_peer_is_known),
        QMS_TEST(swapped_certificate_serves_the_next_handshake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
