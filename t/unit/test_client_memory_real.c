/* SPDX-License-Identifier: MIT */
/* The calls that stand on sockets, threads and TLS, and the blocking layer, with each of the
 * library's allocations failing.  The server is a process of its own, so that it is this side's
 * memory that is out. */
#include <quicms/client_sync.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "qms_test.h"

#define SOON (10 * QMS_SECOND)

/* ---- the server ---- */

struct server {
    pid_t pid;
    char url[128], pin[65];
};

static void echo(struct qms_sync_connection *c)
{
    struct qms_sync_stream *st = NULL;
    uint8_t buf[4096];
    size_t len;

    while (qms_sync_accept_stream(c, SOON, &st) == QMS_OK) {
        while (qms_sync_read(st, buf, sizeof(buf), SOON, &len) == QMS_OK && len > 0) {
            (void)!qms_sync_write_all(st, (struct qms_bytes){buf, len}, SOON, NULL);
        }
        (void)!qms_sync_finish(st, SOON);
        qms_sync_stream_free(st);
    }
}

/* One connection after the other: the tests have one at a time. */
static void serve(int out)
{
    struct qms_sync_listener *l = NULL;
    struct qms_sync_connection *c = NULL;

    if (qms_sync_listen(NULL, "127.0.0.1:0", &l) != QMS_OK ||
        dprintf(out, "%s %s\n", qms_listener_local_address(qms_sync_listener_handle(l)),
                qms_listener_pin(qms_sync_listener_handle(l))) < 0) {
        _exit(1);
    }
    while (qms_sync_accept(l, QMS_NEVER, &c) == QMS_OK) {
        echo(c);
        qms_sync_connection_free(c);
    }
    _exit(0);
}

static int start_server(void **state)
{
    static struct server s;
    char address[64];
    int ends[2];
    FILE *words;

    assert_int_equal(pipe(ends), 0);
    s.pid = fork();
    assert_true(s.pid >= 0);
    if (s.pid == 0) {
        serve(ends[1]);
    }
    (void)close(ends[1]);
    words = fdopen(ends[0], "r");
    assert_non_null(words);
    assert_int_equal(fscanf(words, "%63s %64s", address, s.pin), 2);
    (void)fclose(words);
    (void)snprintf(s.url, sizeof(s.url), "quic://%s", address);
    *state = &s;
    return 0;
}

static int stop_server(void **state)
{
    struct server *s = *state;

    (void)kill(s->pid, SIGKILL);
    return waitpid(s->pid, NULL, 0) == s->pid ? 0 : 1;
}

/* ---- what must not fail in another way ---- */

/* Memory may be out at any instant of a connection: then it is this, or the connection is lost
 * by it, with whatever the layer that had none says.  It may also not matter. */
static void check(const char *what, uint64_t n, qms_err err)
{
    static const qms_err allowed[] = {QMS_OK, QMS_E_NOMEM, QMS_E_WIRE_INTERNAL, QMS_E_CLOSED};

    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        if (err == allowed[i]) {
            return;
        }
    }
    fail_msg("%s, allocation %llu: %s", what, (unsigned long long)n, qms_err_name(err));
}

static struct qms_options *trusting(const struct server *s)
{
    struct qms_options *o = qms_options_new();

    assert_non_null(o);
    assert_int_equal(qms_options_add_certificate_pin(o, s->pin), QMS_OK);
    return o;
}

/* ---- cases ---- */

static void a_context_is_made_or_not(void **state)
{
    unsigned failed = 0;

    (void)state;
    for (uint64_t n = 0; n < 8; n++) {
        struct qms_client *client = NULL;
        qms_err err;

        qms_mem_fail_after(n);
        err = qms_client_new(&client);
        if (err == QMS_OK) {
            err = qms_client_start_thread(client);
        }
        qms_mem_fail_after(UINT64_MAX);
        failed += err == QMS_E_NOMEM;
        assert_true(err == QMS_OK || err == QMS_E_NOMEM);
        qms_client_free(client);
    }
    assert_in_range(failed, 3, 7);
}

static qms_err begin(const struct server *s, const char *url, uint64_t n)
{
    struct qms_client *client = NULL;
    struct qms_options *o = trusting(s);
    struct qms_connection *c = NULL;
    qms_err err;

    assert_int_equal(qms_client_new(&client), QMS_OK);
    qms_mem_fail_after(n);
    err = qms_connect(client, o, url, NULL, NULL, &c);
    qms_mem_fail_after(UINT64_MAX);
    if (err != QMS_OK) {
        uint64_t values[QMS_CLIENT_STAT_COUNT];

        assert_true(strlen(qms_client_error(client)) > 0);
        qms_client_stats(client, values, QMS_CLIENT_STAT_COUNT);
        assert_int_equal(values[QMS_CLIENT_ATTEMPTED], 0);
    }
    qms_connection_release(c);
    qms_client_free(client);
    qms_options_free(o);
    return err;
}

static void connecting_begins_or_not(void **state)
{
    static const char *const urls[] = {"quic://127.0.0.1:1", "quic://localhost:1"};
    const struct server *s = *state;

    for (size_t i = 0; i < 2; i++) {
        unsigned failed = 0;

        for (uint64_t n = 0; n < 30; n++) {
            qms_err err = begin(s, urls[i], n);

            assert_true(err == QMS_OK || err == QMS_E_NOMEM);
            failed += err != QMS_OK;
        }
        assert_in_range(failed, 5, 29);
    }
}

static void listening_begins_or_not(void **state)
{
    unsigned failed = 0;

    (void)state;
    for (uint64_t n = 0; n < 30; n++) {
        struct qms_sync_listener *l = NULL;
        qms_err err;

        qms_mem_fail_after(n);
        err = qms_sync_listen(NULL, "127.0.0.1:0", &l);
        qms_mem_fail_after(UINT64_MAX);
        assert_true(err == QMS_OK || err == QMS_E_NOMEM);
        failed += err != QMS_OK;
        qms_sync_listener_free(l);
    }
    assert_in_range(failed, 5, 29);
}

static void the_blocking_layer_connects_or_not(void **state)
{
    const struct server *s = *state;
    struct qms_options *o = trusting(s);
    unsigned failed = 0;

    for (uint64_t n = 0; n < 80; n++) {
        struct qms_sync_connection *c = NULL;
        qms_err err;

        qms_mem_fail_after(n);
        err = qms_sync_connect(o, s->url, SOON, &c);
        qms_mem_fail_after(UINT64_MAX);
        check("connect", n, err);
        failed += err != QMS_OK;
        qms_sync_connection_free(c);
    }
    assert_in_range(failed, 5, 79);
    qms_options_free(o);
}

static qms_err converse(struct qms_sync_connection *c)
{
    struct qms_sync_stream *st = NULL;
    char buf[16];
    size_t len;
    qms_err err = qms_sync_open(c, QMS_KIND_SELF, NULL, 0, 1, NULL, SOON, &st);

    if (err != QMS_OK) {
        return err;
    }
    err = qms_sync_write_all(st, (struct qms_bytes){(const uint8_t *)"words", 5}, SOON, NULL);
    if (err == QMS_OK) {
        err = qms_sync_read_exact(st, buf, 5, SOON, &len);
    }
    if (err == QMS_OK) {
        err = qms_sync_finish(st, SOON);
    }
    qms_sync_stream_free(st);
    if (err == QMS_OK) {
        err = qms_sync_request(c, QMS_KIND_SELF, NULL, 1,
                               (struct qms_bytes){(const uint8_t *)"ask", 3}, SOON, buf,
                               sizeof(buf), &len);
    }
    return err;
}

static void the_blocking_layer_survives_a_lack_at_any_place(void **state)
{
    const struct server *s = *state;
    struct qms_options *o = trusting(s);
    unsigned failed = 0;

    for (uint64_t n = 0; n < 60; n++) {
        struct qms_sync_connection *c = NULL;
        qms_err err;

        assert_int_equal(qms_sync_connect(o, s->url, SOON, &c), QMS_OK);
        qms_mem_fail_after(n);
        err = converse(c);
        qms_mem_fail_after(UINT64_MAX);
        check("converse", n, err);
        failed += err != QMS_OK;
        qms_sync_connection_free(c);
    }
    assert_in_range(failed, 5, 59);
    qms_options_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_context_is_made_or_not),
        cmocka_unit_test(connecting_begins_or_not),
        cmocka_unit_test(listening_begins_or_not),
        cmocka_unit_test(the_blocking_layer_connects_or_not),
        cmocka_unit_test(the_blocking_layer_survives_a_lack_at_any_place),
    };

    return cmocka_run_group_tests_name("client_memory_real", tests, start_server, stop_server);
}
