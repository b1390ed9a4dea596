/* SPDX-License-Identifier: MIT */
/* Agents that talk directly over loopback sockets, by the blocking layer: a server in a thread
 * of its own, which does as its script says, and the client in the test's. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <quicms/client_sync.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "qms_test.h"
#include "quic/tls.h"

#define SOON (10 * QMS_SECOND)

struct server {
    struct qms_sync_listener *l;
    pthread_t thread;
    void (*script)(struct server *s, struct qms_sync_connection *c);
    unsigned connections; /* to serve */
    char url[128], pin[65];
    atomic_bool has_certificate;
    uint8_t certificate[32];
    atomic_uint streams;
};

static void *serve(void *arg)
{
    struct server *s = arg;

    for (unsigned i = 0; i < s->connections; i++) {
        struct qms_sync_connection *c = NULL;

        if (qms_sync_accept(s->l, SOON, &c) != QMS_OK) {
            break;
        }
        s->has_certificate =
            qms_connection_peer_certificate(qms_sync_connection_handle(c), s->certificate);
        if (s->script != NULL) {
            s->script(s, c);
        }
        qms_sync_connection_free(c);
    }
    qms_sync_listener_free(s->l);
    return NULL;
}

static void start(struct server *s, const struct qms_options *o)
{
    assert_int_equal(qms_sync_listen(o, "127.0.0.1:0", &s->l), QMS_OK);
    (void)snprintf(s->url, sizeof(s->url), "quic://%s",
                   qms_listener_local_address(qms_sync_listener_handle(s->l)));
    (void)snprintf(s->pin, sizeof(s->pin), "%s",
                   qms_listener_pin(qms_sync_listener_handle(s->l)));
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void join(struct server *s)
{
    assert_int_equal(pthread_join(s->thread, NULL), 0);
}

/* Options that trust the server. */
static struct qms_options *trusting(const struct server *s)
{
    struct qms_options *o = qms_options_new();

    assert_non_null(o);
    assert_int_equal(qms_options_add_certificate_pin(o, s->pin), QMS_OK);
    return o;
}

static struct qms_sync_connection *connect_to(const struct server *s)
{
    struct qms_options *o = trusting(s);
    struct qms_sync_connection *c = NULL;

    assert_int_equal(qms_sync_connect(o, s->url, SOON, &c), QMS_OK);
    qms_options_free(o);
    return c;
}

static struct qms_bytes text(const char *s)
{
    return (struct qms_bytes){(const uint8_t *)s, strlen(s)};
}

/* ---- scripts ---- */

static void echo_stream(struct qms_sync_stream *st)
{
    static _Thread_local uint8_t buf[65536];
    size_t len;

    while (qms_sync_read(st, buf, sizeof(buf), SOON, &len) == QMS_OK && len > 0) {
        if (qms_sync_write_all(st, (struct qms_bytes){buf, len}, SOON, NULL) != QMS_OK) {
            break;
        }
    }
    (void)!qms_sync_finish(st, SOON);
}

static void echo(struct server *s, struct qms_sync_connection *c)
{
    struct qms_sync_stream *st = NULL;

    while (qms_sync_accept_stream(c, SOON, &st) == QMS_OK) {
        s->streams++;
        echo_stream(st);
        qms_sync_stream_free(st);
    }
}

static void wait_for_end(struct server *s, struct qms_sync_connection *c)
{
    struct qms_sync_stream *st = NULL;

    (void)s;
    while (qms_sync_accept_stream(c, SOON, &st) == QMS_OK) {
        s->streams++;
        qms_sync_stream_free(st);
    }
}

static void one_stream(struct server *s, struct qms_sync_connection *c)
{
    struct qms_sync_stream *st = NULL;

    (void)s;
    if (qms_sync_accept_stream(c, SOON, &st) == QMS_OK) {
        qms_sync_stream_free(st);
    }
}

static void send_words(struct server *s, struct qms_sync_connection *c)
{
    struct qms_sync_stream *st = NULL;

    (void)s;
    if (qms_sync_open(c, QMS_KIND_SELF, NULL, QMS_OPEN_UNI, 1, NULL, SOON, &st) == QMS_OK) {
        (void)!qms_sync_write_all(st, text("some words"), SOON, NULL);
        (void)!qms_sync_finish(st, SOON);
        qms_sync_stream_free(st);
    }
    wait_for_end(s, c);
}

/* ---- cases ---- */

static void bytes_come_back(void **state)
{
    static uint8_t out[100000], in[100000];
    struct server s = {.script = echo, .connections = 1};
    struct qms_sync_connection *c;
    struct qms_sync_stream *st = NULL;
    size_t len;

    (void)state;
    start(&s, NULL);
    c = connect_to(&s);
    qms_random(out, sizeof(out));
    assert_int_equal(qms_sync_open(c, QMS_KIND_SELF, NULL, 0, 9, NULL, SOON, &st), QMS_OK);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(
            qms_sync_write_all(st, (struct qms_bytes){out, sizeof(out)}, SOON, &len), QMS_OK);
        assert_int_equal(len, sizeof(out));
        assert_int_equal(qms_sync_read_exact(st, in, sizeof(in), SOON, &len), QMS_OK);
        assert_memory_equal(in, out, sizeof(in));
    }
    assert_int_equal(qms_sync_finish(st, SOON), QMS_OK);
    assert_int_equal(qms_sync_read_exact(st, in, 1, SOON, &len), QMS_E_MORE);
    assert_int_equal(qms_sync_read(st, in, 1, SOON, &len), QMS_OK);
    assert_int_equal(len, 0);
    qms_sync_stream_free(st);
    assert_int_equal(qms_sync_close(c, 0, NULL, SOON), QMS_OK);
    qms_sync_connection_free(c);
    join(&s);
}

static void request_is_answered(void **state)
{
    struct server s = {.script = echo, .connections = 1};
    struct qms_sync_connection *c;
    char reply[16];
    size_t len;

    (void)state;
    start(&s, NULL);
    c = connect_to(&s);
    assert_int_equal(qms_sync_request(c, QMS_KIND_SELF, NULL, 1, text("question"), SOON, reply,
                                      sizeof(reply), &len),
                     QMS_OK);
    assert_int_equal(len, 8);
    assert_memory_equal(reply, "question", 8);
    assert_int_equal(
        qms_sync_request(c, QMS_KIND_SELF, NULL, 1, text("question"), SOON, reply, 4, &len),
        QMS_E_TOO_LARGE);
    qms_sync_connection_free(c);
    join(&s);
}

static void listener_opens_streams_too(void **state)
{
    struct server s = {.script = send_words, .connections = 1};
    struct qms_sync_connection *c;
    struct qms_sync_stream *st = NULL;
    char buf[16];
    size_t len;

    (void)state;
    start(&s, NULL);
    c = connect_to(&s);
    assert_int_equal(qms_sync_accept_stream(c, SOON, &st), QMS_OK);
    assert_int_equal(qms_sync_read_exact(st, buf, 10, SOON, &len), QMS_OK);
    assert_memory_equal(buf, "some words", 10);
    assert_int_equal(qms_stream_source(qms_sync_stream_handle(st)).len, strlen("direct"));
    qms_sync_stream_free(st);
    qms_sync_connection_free(c);
    join(&s);
}

static void every_call_keeps_its_deadline(void **state)
{
    struct server s = {.script = wait_for_end, .connections = 1};
    struct qms_sync_connection *c, *none = NULL;
    struct qms_sync_stream *st = NULL;
    struct qms_sync_listener *l = NULL;
    static uint8_t much[4 << 20];
    char buf[4];
    size_t len;
    qms_time from;

    (void)state;
    start(&s, NULL);
    c = connect_to(&s);
    assert_int_equal(
        qms_sync_open(c, QMS_KIND_SELF, NULL, QMS_OPEN_NO_RESULT, 9, NULL, SOON, &st), QMS_OK);
    from = qms_clock_now();
    assert_int_equal(qms_sync_accept_stream(c, 50 * QMS_MILLISECOND, &st), QMS_E_TIMEOUT);
    assert_true(qms_clock_now() - from >= 50 * QMS_MILLISECOND);
    assert_true(qms_clock_now() - from < 5 * QMS_SECOND);
    qms_sync_stream_free(st);
    assert_int_equal(qms_sync_listen(NULL, "[::1]:0", &l), QMS_OK);
    assert_int_equal(qms_sync_accept(l, 10 * QMS_MILLISECOND, &none), QMS_E_TIMEOUT);
    qms_sync_listener_free(l);
    qms_sync_connection_free(c);
    join(&s);

    /* Nobody serves the streams of this one. */
    assert_int_equal(qms_sync_listen(NULL, "127.0.0.1:0", &s.l), QMS_OK);
    (void)snprintf(s.url, sizeof(s.url), "quic://%s",
                   qms_listener_local_address(qms_sync_listener_handle(s.l)));
    (void)snprintf(s.pin, sizeof(s.pin), "%s", qms_listener_pin(qms_sync_listener_handle(s.l)));
    struct qms_options *o = trusting(&s);
    assert_int_equal(qms_sync_connect(o, s.url, 100 * QMS_MILLISECOND, &none), QMS_E_TIMEOUT);
    assert_int_equal(pthread_create(&s.thread, NULL, serve, &s), 0);
    s.script = echo;
    assert_int_equal(qms_sync_connect(o, s.url, SOON, &c), QMS_OK);
    qms_options_free(o);
    assert_int_equal(qms_sync_open(c, QMS_KIND_SELF, NULL, 0, 9, NULL, SOON, &st), QMS_OK);
    assert_int_equal(qms_sync_read(st, buf, sizeof(buf), 20 * QMS_MILLISECOND, &len),
                     QMS_E_TIMEOUT);
    assert_int_equal(qms_sync_write_all(st, (struct qms_bytes){much, sizeof(much)},
                                        300 * QMS_MILLISECOND, &len),
                     QMS_E_TIMEOUT); /* the echo stops where nobody reads it */
    assert_true(len > 0 && len < sizeof(much));
    assert_int_equal(qms_sync_finish(st, 20 * QMS_MILLISECOND), QMS_E_TIMEOUT);
    qms_sync_stream_free(st);
    qms_sync_connection_free(c);
    join(&s);
}

static void errors_of_connecting_are_told_apart(void **state)
{
    struct server s = {.script = echo, .connections = 1};
    struct qms_sync_connection *c = NULL;
    struct qms_options *o = qms_options_new();
    struct qms_sync_listener *second = NULL;

    (void)state;
    start(&s, NULL);
    assert_int_equal(qms_options_add_certificate_pin(
                         o, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
                     QMS_OK);
    assert_int_equal(qms_sync_connect(o, s.url, SOON, &c), QMS_E_CERTIFICATE);
    assert_int_equal(qms_sync_connect(o, "quic://127.0.0.1:1", SOON, &c), QMS_E_CONNECT);
    assert_int_equal(qms_sync_connect(o, "quic://", SOON, &c), QMS_E_INVALID);
    assert_int_equal(qms_sync_listen(NULL, "127.0.0.1", &second), QMS_E_INVALID);
    assert_int_equal(qms_sync_listen(NULL, "localhost:1", &second), QMS_E_INVALID);
    assert_int_equal(qms_sync_listen(NULL, s.url + strlen("quic://"), &second), QMS_E_IO);
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(qms_options_set_client_certificate(o, "/nowhere.pem", "/nowhere.key"),
                     QMS_OK);
    assert_int_equal(qms_sync_listen(o, "127.0.0.1:0", &second), QMS_E_CONFIG);
    qms_options_free(o);
    c = connect_to(&s);
    qms_sync_connection_free(c);
    join(&s);
}

static void write_file(const char *path, const char *words)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(words, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* Files of a certificate for localhost, 127.0.0.1 and `name`. */
struct identity {
    char dir[40], cert[64], key[64];
};

static void make_identity(struct identity *id, const char *name)
{
    char *cert = NULL, *key = NULL;

    (void)strcpy(id->dir, "/tmp/quicms-direct-XXXXXX");
    assert_non_null(mkdtemp(id->dir));
    (void)snprintf(id->cert, sizeof(id->cert), "%s/cert", id->dir);
    (void)snprintf(id->key, sizeof(id->key), "%s/key", id->dir);
    assert_int_equal(qms_tls_mint(name, qms_clock_wall() - 10, 5, &cert, &key), QMS_OK);
    write_file(id->cert, cert);
    write_file(id->key, key);
    qms_free(cert);
    qms_free(key);
}

static void remove_identity(const struct identity *id)
{
    (void)unlink(id->cert);
    (void)unlink(id->key);
    (void)rmdir(id->dir);
}

static void name_of_the_server_is_checked(void **state)
{
    static const struct {
        const char *name;
        qms_err err;
    } rows[] = {
        {"mallory", QMS_E_CERTIFICATE}, /* first: the server ends after two connections */
        {NULL, QMS_OK},                 /* the URL's host */
        {"bob", QMS_OK},
    };
    struct server s = {.script = echo, .connections = 2};
    struct qms_options *o = qms_options_new();
    struct identity id;

    (void)state;
    make_identity(&id, "bob");
    assert_int_equal(qms_options_set_client_certificate(o, id.cert, id.key), QMS_OK);
    start(&s, o);
    qms_options_free(o);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct qms_sync_connection *c = NULL;

        o = qms_options_new();
        assert_int_equal(qms_options_set_ca_file(o, id.cert), QMS_OK);
        assert_int_equal(qms_options_set_server_name(o, rows[i].name), QMS_OK);
        assert_int_equal(qms_sync_connect(o, s.url, SOON, &c), rows[i].err);
        qms_sync_connection_free(c);
        qms_options_free(o);
    }
    join(&s);
    remove_identity(&id);
}

static void bytes_are_written_as_they_fit(void **state)
{
    static uint8_t much[1 << 20];
    struct server s = {.script = wait_for_end, .connections = 1};
    struct qms_sync_connection *c;
    struct qms_sync_stream *st = NULL;
    size_t taken = 0;

    (void)state;
    start(&s, NULL);
    c = connect_to(&s);
    assert_int_equal(qms_sync_open(c, QMS_KIND_SELF, NULL, QMS_OPEN_UNI, 1, NULL, SOON, &st),
                     QMS_OK);
    assert_int_equal(qms_sync_write(st, (struct qms_bytes){much, sizeof(much)}, SOON, &taken),
                     QMS_OK);
    assert_in_range(taken, 1, sizeof(much) - 1); /* the send buffer, not all of it */
    qms_sync_stream_free(st);
    assert_int_equal(qms_sync_close(c, 0, NULL, SOON), QMS_OK);
    qms_sync_connection_free(c);
    join(&s);
}

/* The name has an address of each kind here, and only one of them answers. */
static void names_are_resolved_and_their_addresses_tried_in_turn(void **state)
{
    struct server s = {.script = echo, .connections = 1};
    struct qms_sync_connection *c = NULL;
    struct qms_options *o;
    char url[128];

    (void)state;
    start(&s, NULL);
    (void)snprintf(url, sizeof(url), "quic://localhost:%s", strrchr(s.url, ':') + 1);
    o = trusting(&s);
    assert_int_equal(qms_sync_connect(o, url, SOON, &c), QMS_OK);
    qms_options_free(o);
    qms_sync_connection_free(c);
    join(&s);
}

static void names_that_do_not_exist_are_told(void **state)
{
    struct qms_sync_connection *c = NULL;

    (void)state;
    /* A label of more than 63 bytes is refused before anybody is asked. */
    assert_int_equal(
        qms_sync_connect(NULL,
                         "quic://aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"
                         "gggggggggg.invalid:1",
                         SOON, &c),
        QMS_E_RESOLVE);
}

static void sets_of_options_in_use_are_bounded(void **state)
{
    struct qms_client *client = NULL;
    struct qms_options *o = qms_options_new();
    struct qms_connection *all[80];
    size_t count = 0;
    qms_err err = QMS_OK;

    (void)state;
    assert_int_equal(qms_client_new(&client), QMS_OK);
    for (uint32_t i = 1; i <= 80 && err == QMS_OK; i++) {
        assert_int_equal(qms_options_set_max_streams(o, i, i), QMS_OK);
        err = qms_connect(client, o, "quic://127.0.0.1:1", NULL, NULL, &all[count]);
        count += err == QMS_OK;
    }
    assert_int_equal(err, QMS_E_LIMIT);
    assert_int_equal(count, 64);
    while (count > 0) { /* their places are free again */
        qms_connection_release(all[--count]);
    }
    qms_client_process(client);
    assert_int_equal(qms_connect(client, o, "quic://127.0.0.1:1", NULL, NULL, &all[0]), QMS_OK);
    qms_connection_release(all[0]);
    qms_client_free(client);
    qms_options_free(o);
}

static void certificate_of_the_peer_is_known_by_its_key(void **state)
{
    char error[QMS_TLS_ERROR_MAX];
    struct identity id;
    struct server s = {.script = echo, .connections = 2};
    struct qms_options *o = qms_options_new(), *mine;
    struct qms_sync_connection *c = NULL;
    struct qms_tls_server *t;
    uint8_t expected[32];

    (void)state;
    make_identity(&id, "bob");
    t = qms_tls_server_from_files(id.cert, id.key, error);
    assert_non_null(t);
    qms_tls_server_spki_hash(t, expected);
    qms_tls_server_unref(t);
    qms_options_set_request_certificate(o, true);
    start(&s, o);
    mine = trusting(&s);
    assert_int_equal(qms_options_set_client_certificate(mine, id.cert, id.key), QMS_OK);
    assert_int_equal(qms_sync_connect(mine, s.url, SOON, &c), QMS_OK);
    qms_sync_connection_free(c);
    for (int i = 0; i < 500 && !s.has_certificate; i++) {
        (void)usleep(10000);
    }
    assert_true(s.has_certificate);
    assert_memory_equal(s.certificate, expected, sizeof(expected));
    c = connect_to(&s); /* without one */
    qms_sync_connection_free(c);
    join(&s);
    assert_false(s.has_certificate);
    qms_options_free(mine);
    qms_options_free(o);
    remove_identity(&id);
}

static void unknown_tokens_and_floods_are_turned_away(void **state)
{
    struct server s = {.script = wait_for_end, .connections = 1};
    struct qms_options *o = qms_options_new(), *mine;
    struct qms_sync_connection *c = NULL;

    (void)state;
    assert_int_equal(qms_options_add_accepted_token(o, NULL, "open sesame"), QMS_OK);
    assert_int_equal(qms_options_set_accept_rate_per_address(o, 1, 2), QMS_OK);
    start(&s, o);
    mine = trusting(&s);
    assert_int_equal(qms_options_set_token(mine, "wrong"), QMS_OK);
    assert_int_equal(qms_sync_connect(mine, s.url, SOON, &c), QMS_E_WIRE_UNAUTHENTICATED);
    assert_int_equal(qms_options_set_token(mine, "open sesame"), QMS_OK);
    assert_int_equal(qms_sync_connect(mine, s.url, SOON, &c), QMS_OK);
    struct qms_sync_connection *over = NULL;
    assert_int_equal(qms_sync_connect(mine, s.url, SOON, &over), QMS_E_WIRE_RATE_LIMITED);
    qms_sync_connection_free(c);
    join(&s);
    qms_options_free(mine);
    qms_options_free(o);
}

static void a_thousand_streams_open_in_one_burst(void **state)
{
    static struct qms_stream *all[1000];
    struct server s = {.script = echo, .connections = 1};
    struct qms_sync_connection *c;
    unsigned ended = 0;
    char buf[8];
    size_t len;

    (void)state;
    start(&s, NULL);
    c = connect_to(&s);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(qms_stream_open(qms_sync_connection_handle(c), QMS_KIND_SELF, NULL, 0,
                                         9, NULL, NULL, NULL, &all[i]),
                         QMS_OK);
        assert_int_equal(qms_stream_write(all[i], text("burst"), &len), QMS_OK);
        assert_int_equal(qms_stream_finish(all[i]), QMS_OK);
    }
    for (qms_time until = qms_clock_now() + 30 * QMS_SECOND;
         ended < 1000 && qms_clock_now() < until;) {
        (void)!qms_client_run(qms_connection_client(qms_sync_connection_handle(c)),
                              QMS_MILLISECOND);
        while (ended < 1000 && qms_stream_read(all[ended], buf, sizeof(buf), &len) == QMS_OK) {
            assert_memory_equal(buf, "burst", len);
            ended += len == 0;
        }
    }
    assert_int_equal(ended, 1000);
    assert_int_equal(s.streams, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        qms_stream_release(all[i]);
    }
    qms_sync_connection_free(c);
    join(&s);
}

static void end_of_the_listener_is_told(void **state)
{
    struct server s = {.script = one_stream, .connections = 1};
    struct qms_sync_connection *c;
    struct qms_sync_stream *st = NULL;

    (void)state;
    start(&s, NULL);
    c = connect_to(&s);
    assert_int_equal(qms_sync_open(c, QMS_KIND_SELF, NULL, QMS_OPEN_UNI, 1, NULL, SOON, &st),
                     QMS_OK);
    (void)!qms_sync_finish(st, SOON); /* the other side may close before it acknowledges */
    qms_sync_stream_free(st);
    assert_int_equal(qms_sync_accept_stream(c, SOON, &st), QMS_E_CLOSED);
    join(&s);
    qms_sync_connection_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_back),
        cmocka_unit_test(request_is_answered),
        cmocka_unit_test(listener_opens_streams_too),
        cmocka_unit_test(every_call_keeps_its_deadline),
        cmocka_unit_test(errors_of_connecting_are_told_apart),
        cmocka_unit_test(name_of_the_server_is_checked),
        cmocka_unit_test(bytes_are_written_as_they_fit),
        cmocka_unit_test(names_are_resolved_and_their_addresses_tried_in_turn),
        cmocka_unit_test(names_that_do_not_exist_are_told),
        cmocka_unit_test(sets_of_options_in_use_are_bounded),
        cmocka_unit_test(certificate_of_the_peer_is_known_by_its_key),
        cmocka_unit_test(unknown_tokens_and_floods_are_turned_away),
        cmocka_unit_test(a_thousand_streams_open_in_one_burst),
        cmocka_unit_test(end_of_the_listener_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
