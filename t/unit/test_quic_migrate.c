/* SPDX-License-Identifier: MIT */
/* A client moves to another socket in the middle of a transfer. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "qms_test.h"
#include "quic/int.h"
#include "test_quic_rig.h"

static uint16_t local_port(struct rig_side *side)
{
    const struct sockaddr *local;
    struct sockaddr_in in;

    side->link->ops->addresses(side->link, NULL, &local);
    memcpy(&in, local, sizeof(in));
    return ntohs(in.sin_port);
}

static uint16_t remote_port(struct rig_side *side)
{
    const struct sockaddr *remote;
    struct sockaddr_in in;

    side->link->ops->addresses(side->link, &remote, NULL);
    memcpy(&in, remote, sizeof(in));
    return ntohs(in.sin_port);
}

/* Of the server's last validated address of the client. */
static uint16_t validated_port(struct rig *r)
{
    const struct sockaddr *remote = qms_link_validated_remote(r->server.link);
    struct sockaddr_in in;

    assert_non_null(remote);
    memcpy(&in, remote, sizeof(in));
    return ntohs(in.sin_port);
}

static struct qms_quic_conn *conn_of(struct rig *r)
{
    return qms_quic_conn_of(r->client.link);
}

static struct rig *established(void)
{
    struct rig *r = rig_new();

    rig_start(r);
    rig_establish(r);
    rig_run(r, 50); /* HANDSHAKE_DONE and connection ids */
    return r;
}

static void streams_survive_and_the_old_socket_is_closed(void **state)
{
    struct rig *r = established();
    uint16_t before = local_port(&r->client);
    struct rig_stream *st = rig_open(&r->client, true, QMS_PRIORITY_NORMAL);
    uint64_t sum = rig_write(st, 2000000);
    (void)state;

    assert_int_equal(validated_port(r), before);
    st->st->link->ops->finish(st->st);
    assert_true(rig_until_count(r, &r->server.received, 100000, 3000));
    assert_int_equal(r->client.link->ops->migrate(r->client.link), QMS_OK);
    assert_int_equal(r->client.link->ops->migrate(r->client.link), QMS_E_STATE);
    assert_true(rig_until_count(r, &r->server.finished, 1, 5000));
    assert_int_equal(rig_find(&r->server, 0)->sum, sum);
    assert_int_not_equal(local_port(&r->client), before);
    rig_run(r, 100);
    assert_int_equal(remote_port(&r->server), local_port(&r->client));
    assert_int_equal(validated_port(r), local_port(&r->client));
    assert_null(conn_of(r)->old_sock);
    rig_run(r, 1000);
    assert_int_equal(r->client.link->ops->migrate(r->client.link), QMS_OK); /* and again */
    rig_run(r, 100);
    assert_int_equal(remote_port(&r->server), local_port(&r->client));
    assert_int_equal(validated_port(r), local_port(&r->client));
    rig_free(r);
}

static void it_may_end_in_the_middle_of_a_move(void **state)
{
    struct rig *r = established();
    (void)state;

    assert_int_equal(r->client.link->ops->migrate(r->client.link), QMS_OK);
    r->client.link->ops->close(r->client.link, 7, (struct qms_bytes){0});
    assert_true(rig_until(r, &r->client.closed, 1000));
    rig_free(r);

    r = established();
    assert_int_equal(r->client.link->ops->migrate(r->client.link), QMS_OK);
    rig_free(r);
}

static void neither_a_server_nor_a_closing_connection_moves(void **state)
{
    struct rig *r = established();
    (void)state;

    assert_int_equal(r->server.link->ops->migrate(r->server.link), QMS_E_STATE);
    r->client.link->ops->close(r->client.link, 7, (struct qms_bytes){0});
    assert_int_equal(r->client.link->ops->migrate(r->client.link), QMS_E_CLOSED);
    rig_free(r);
}

/* The test stands between the library and the kernel: sends from this socket fail. */
static int fail_fd = -1;
extern ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
extern ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);

ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
    if (fd == fail_fd) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    return __real_sendmsg(fd, m, flags);
}

static void a_changed_address_is_followed(void **state)
{
    struct rig *r = established();
    struct rig_stream *st = rig_open(&r->client, true, QMS_PRIORITY_NORMAL);
    (void)state;

    fail_fd = conn_of(r)->sock->udp.fd;
    conn_of(r)->sock->udp.local.in.sin_addr.s_addr = htonl(0x7f000063); /* as it was before */
    (void)rig_write(st, 100000);
    st->st->link->ops->finish(st->st);
    assert_true(rig_until_count(r, &r->server.finished, 1, 5000));
    assert_int_not_equal(conn_of(r)->sock->udp.fd, fail_fd);
    fail_fd = -1;
    rig_free(r);
}

static void an_unchanged_address_is_kept(void **state)
{
    struct rig *r = established();
    struct rig_stream *st = rig_open(&r->client, true, QMS_PRIORITY_NORMAL);
    struct qms_socket *sock = conn_of(r)->sock;
    (void)state;

    fail_fd = sock->udp.fd;
    (void)rig_write(st, 1000);
    st->st->link->ops->finish(st->st);
    rig_run(r, 100);
    assert_ptr_equal(conn_of(r)->sock, sock);
    fail_fd = -1;
    assert_true(rig_until_count(r, &r->server.finished, 1, 5000));
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_survive_and_the_old_socket_is_closed),
        cmocka_unit_test(it_may_end_in_the_middle_of_a_move),
        cmocka_unit_test(neither_a_server_nor_a_closing_connection_moves),
        cmocka_unit_test(a_changed_address_is_followed),
        cmocka_unit_test(an_unchanged_address_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
