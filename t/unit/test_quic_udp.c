/* SPDX-License-Identifier: MIT */
/* Batches through the kernel's loopback, with and without its help. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "qms_test.h"
#include "quic/udp.h"

struct fixture {
    struct qms_udp a, b; /* a sends to b */
    struct qms_udp_rx *rx;
    uint8_t data[65536];
};

static void open_pair(struct fixture *f, bool offload, uint32_t address)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    int fds[2];

    for (int i = 0; i < 2; i++) {
        fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        sin.sin_addr.s_addr = htonl(i == 0 ? INADDR_LOOPBACK : address);
        assert_int_equal(bind(fds[i], (struct sockaddr *)&sin, sizeof(sin)), 0);
    }
    assert_int_equal(qms_udp_init(&f->a, fds[0], offload), 0);
    assert_int_equal(qms_udp_init(&f->b, fds[1], offload), 0);
}

static int setup(void **state)
{
    struct fixture *f = qms_calloc(1, sizeof(*f));

    assert_non_null(f);
    f->rx = qms_udp_rx_new();
    f->a.fd = f->b.fd = -1;
    for (size_t i = 0; i < sizeof(f->data); i++) {
        f->data[i] = (uint8_t)(i * 31 >> 3);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    if (f->a.fd >= 0) {
        close(f->a.fd);
        close(f->b.fd);
    }
    qms_udp_rx_free(f->rx);
    qms_free(f);
    return 0;
}

static int transmit(struct fixture *f, size_t len, size_t segment, size_t *done)
{
    union qms_sockaddr to = f->b.local;

    if (f->b.pktinfo) {
        to.in.sin_addr.s_addr = htonl(0x7f000005);
    }
    struct qms_udp_batch b = {.data = f->data,
                              .len = len,
                              .segment = segment,
                              .remote = &to.sa,
                              .remote_len = f->b.local_len};
    return qms_udp_send(&f->a, &b, done);
}

/* Receives until `len` bytes came; every datagram but the last must have `segment` bytes. */
static void expect(struct fixture *f, size_t len, size_t segment)
{
    size_t have = 0;

    while (have < len) {
        struct pollfd p = {.fd = f->b.fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 1000), 1);
        int n = qms_udp_recv(&f->b, f->rx);
        assert_true(n > 0);
        for (int i = 0; i < n; i++) {
            const struct qms_udp_message *m = qms_udp_message(f->rx, i);
            assert_true(m->segment == segment || have + m->len == len);
            assert_int_equal(m->remote.in.sin_port, f->a.local.in.sin_port);
            assert_memory_equal(m->data, f->data + have, m->len);
            have += m->len;
        }
    }
    assert_int_equal(have, len);
    assert_int_equal(qms_udp_recv(&f->b, f->rx), 0);
}

static void batch_goes_out_in_one_call_and_comes_in_segments(void **state)
{
    struct fixture *f = *state;
    size_t done;

    open_pair(f, true, INADDR_LOOPBACK);
    assert_int_equal(transmit(f, 44 * 1452, 1452, &done), 0);
    assert_int_equal(done, 44 * 1452);
    assert_int_equal(f->a.writes, 1);
    expect(f, 44 * 1452, 1452);
    assert_true(f->b.reads <= 3);
}

static void shorter_last_segment_keeps_its_length(void **state)
{
    struct fixture *f = *state;
    size_t done;

    open_pair(f, true, INADDR_LOOPBACK);
    assert_int_equal(transmit(f, 5 * 1200 + 7, 1200, &done), 0);
    expect(f, 5 * 1200 + 7, 1200);
    assert_int_equal(transmit(f, 9, 9, &done), 0);
    expect(f, 9, 9);
}

static void without_offload_the_same_datagrams_arrive(void **state)
{
    struct fixture *f = *state;
    size_t done;

    open_pair(f, false, INADDR_LOOPBACK);
    assert_int_equal(transmit(f, 20 * 1200 + 1, 1200, &done), 0);
    assert_int_equal(done, 20 * 1200 + 1);
    assert_int_equal(f->a.writes, 1); /* sendmmsg */
    expect(f, 20 * 1200 + 1, 1200);
}

static void refused_segmentation_falls_back_for_good(void **state)
{
    struct fixture *f = *state;
    size_t done;

    open_pair(f, true, INADDR_LOOPBACK);
    /* More segments than the kernel takes in one call. */
    assert_int_equal(transmit(f, 20000, 100, &done), 0);
    assert_int_equal(done, 20000);
    assert_false(f->a.gso);
    expect(f, 20000, 100);
}

static void wildcard_socket_learns_the_address_it_was_reached_at(void **state)
{
    struct fixture *f = *state;
    size_t done;

    open_pair(f, true, INADDR_ANY);
    assert_true(f->b.pktinfo);
    assert_int_equal(transmit(f, 100, 100, &done), 0);
    struct pollfd p = {.fd = f->b.fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 1000), 1);
    assert_int_equal(qms_udp_recv(&f->b, f->rx), 1);
    const struct qms_udp_message *m = qms_udp_message(f->rx, 0);
    assert_int_equal(ntohl(m->local.in.sin_addr.s_addr), 0x7f000005);

    /* And answers from it. */
    struct qms_udp_batch b = {.data = f->data,
                              .len = 3000,
                              .segment = 1000,
                              .remote = &m->remote.sa,
                              .local = &m->local.sa,
                              .remote_len = m->remote_len};
    assert_int_equal(qms_udp_send(&f->b, &b, &done), 0);
    struct qms_udp_rx *rx = qms_udp_rx_new();
    p.fd = f->a.fd;
    assert_int_equal(poll(&p, 1, 1000), 1);
    assert_true(qms_udp_recv(&f->a, rx) > 0);
    assert_int_equal(ntohl(qms_udp_message(rx, 0)->remote.in.sin_addr.s_addr), 0x7f000005);
    qms_udp_rx_free(rx);
}

static void icmp_of_a_dead_port_is_an_error_of_the_connected_socket(void **state)
{
    struct fixture *f = *state;
    struct qms_udp c;
    size_t done;

    open_pair(f, true, INADDR_LOOPBACK);
    union qms_sockaddr dead = f->b.local;
    close(f->b.fd);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, &dead.sa, sizeof(dead.in)), 0);
    assert_int_equal(qms_udp_init(&c, fd, true), 0);
    assert_true(c.connected);
    struct qms_udp_batch b = {.data = f->data, .len = 10, .segment = 10};
    assert_int_equal(qms_udp_send(&c, &b, &done), 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 1000), 1);
    assert_int_equal(qms_udp_recv(&c, f->rx), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
    f->b.fd = dup(f->a.fd);
}

static void only_ip_sockets_are_taken(void **state)
{
    struct fixture *f = *state;
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    assert_int_equal(qms_udp_init(&f->a, fd, true), EAFNOSUPPORT);
    close(fd);
    assert_int_equal(qms_udp_init(&f->a, -1, true), EBADF);
    f->a.fd = -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(batch_goes_out_in_one_call_and_comes_in_segments),
        QMS_TEST(shorter_last_segment_keeps_its_length),
        QMS_TEST(without_offload_the_same_datagrams_arrive),
        QMS_TEST(refused_segmentation_falls_back_for_good),
        QMS_TEST(wildcard_socket_learns_the_address_it_was_reached_at),
        QMS_TEST(icmp_of_a_dead_port_is_an_error_of_the_connected_socket),
        QMS_TEST(only_ip_sockets_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
