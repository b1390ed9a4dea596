/* SPDX-License-Identifier: MIT */
/* Renewal of self-signed certificates, with a minter that writes down when it was asked and a
 * clock moved by hand; and the Host header's gate. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "core/http/http_i.h"
#include "core/process/cert.h"
#include "core/process/cert_store.h"
#include "qms_test.h"

#define HOUR 3600
#define DAY  86400
#define T0   ((int64_t)1000000000)

static useconds_t mint_takes;

/* A "certificate" is "FROM DAYS" before its key. */
static qms_err mint(const char *name, int64_t from, unsigned days, char **cert, char **key)
{
    char text[64];

    assert_string_equal(name, "a.example");
    (void)usleep(mint_takes);
    int len = snprintf(text, sizeof(text), "%lld %u\n", (long long)from, days);
    *cert = qms_strndup(text, (size_t)len);
    *key = qms_strndup("-----BEGIN PRIVATE KEY-----\nx\n", 30);
    return QMS_OK;
}

static qms_err check(struct qms_identity *id, struct qms_diag *diag)
{
    unsigned days = 0;
    long long from = 0;

    if (id->cert_pem.len == 0 || id->cert_pem.data[id->cert_pem.len] != 0 ||
        sscanf((const char *)id->cert_pem.data, "%lld %u", &from, &days) != 2 ||
        strncmp((const char *)id->key_pem.data, "-----BEGIN PRIVATE KEY-----", 27) != 0) {
        qms_diag_error(diag, "Bad.");
        return QMS_E_CONFIG;
    }
    id->from = from;
    id->until = from + (int64_t)days * DAY;
    memcpy(id->hash, &from, sizeof(from));
    return QMS_OK;
}

static const struct qms_identity_ops ops = {.check = check, .mint = mint};

struct fixture {
    char dir[64], state[80];
    struct qms_conf_env env;
    struct qms_conf *conf;
    struct qms_diag diag;
};

static void load(struct fixture *f)
{
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/q.conf", f->dir);
    qms_conf_unref(f->conf);
    f->diag = (struct qms_diag){0};
    f->conf = qms_conf_load(path, &f->env, &f->diag);
    assert_non_null(f->conf);
}

static int setup(void **state)
{
    static const char text[] =
        "state_dir state; quic { server { listen 1 quic; tls self-signed; auth "
        "off; server_name a.example; } }";
    struct fixture *f = calloc(1, sizeof(*f));
    char path[96];

    assert_non_null(f);
    qms_log_set_level(QMS_LOG_ERROR);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/qms_cert_XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(path, sizeof(path), "%s/q.conf", f->dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(f->state, sizeof(f->state), "%s/state", f->dir);
    f->env = (struct qms_conf_env){.prefix = f->dir, .identity = &ops};
    load(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"state/self-signed.pem",
                                        "state/self-signed-next.pem",
                                        "state/keys",
                                        "state",
                                        "q.conf",
                                        ""};
    struct fixture *f = *state;

    qms_conf_unref(f->conf);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
        (void)remove(path);
    }
    assert_int_not_equal(access(f->dir, F_OK), 0);
    free(f);
    return 0;
}

/* What the identity is after a provisioning at `now` out of a fresh load. */
static const struct qms_identity *at(struct fixture *f, int64_t now)
{
    load(f);
    assert_int_equal(qms_cert_provision(f->conf, &f->env, now, &f->diag), QMS_OK);
    return f->conf->identities[0];
}

static int64_t hash_of(const uint8_t hash[32])
{
    int64_t v;
    memcpy(&v, hash, sizeof(v));
    return v;
}

static void the_first_is_minted_and_kept(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    char path[128];

    const struct qms_identity *id = at(f, T0);
    assert_int_equal(id->from, T0 - HOUR);
    assert_int_equal(id->until, T0 - HOUR + 13 * DAY);
    assert_int_equal(id->next_cert_pem.len, 0);
    assert_int_equal(qms_cert_next_at(f->conf), T0 + 9 * DAY - HOUR);
    (void)snprintf(path, sizeof(path), "%s/self-signed.pem", f->state);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(f->state, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);

    id = at(f, T0 + 5 * DAY);
    assert_int_equal(hash_of(id->hash), T0 - HOUR);
}

static void the_next_is_published_before_it_takes_over(void **state)
{
    struct fixture *f = *state;
    (void)at(f, T0);
    const int64_t publish = T0 + 9 * DAY - HOUR, take = T0 + 10 * DAY - HOUR;

    assert_int_equal(at(f, publish - 1)->next_cert_pem.len, 0);
    const struct qms_identity *id = at(f, publish);
    assert_int_equal(hash_of(id->hash), T0 - HOUR);
    assert_int_equal(hash_of(id->next_hash), take - HOUR);
    assert_int_equal(id->next_at, take);
    assert_int_equal(qms_cert_next_at(f->conf), take);

    id = at(f, take - 1);
    assert_int_equal(hash_of(id->hash), T0 - HOUR);
    id = at(f, take);
    assert_int_equal(hash_of(id->hash), take - HOUR);
    assert_int_equal(id->next_cert_pem.len, 0);
    assert_int_equal(qms_cert_next_at(f->conf), take + 9 * DAY - HOUR);
}

static void a_long_sleep_is_made_up_for(void **state)
{
    struct fixture *f = *state;
    (void)at(f, T0);
    (void)at(f, T0 + 9 * DAY);

    const struct qms_identity *id = at(f, T0 + 40 * DAY);
    assert_int_equal(hash_of(id->hash), T0 + 40 * DAY - HOUR);
    assert_int_equal(id->next_cert_pem.len, 0);
}

static void short_lives_take_turns_by_the_second(void **state)
{
    struct fixture *f = *state;
    f->env.globals = "";
    (void)at(f, T0);
    struct qms_identity *id = f->conf->identities[0];
    id->self_signed_for = 20 * QMS_SECOND;
    id->self_signed_renew_for = 14 * QMS_SECOND;
    assert_int_equal(qms_cert_provision(f->conf, &f->env, T0 + 1, &f->diag), QMS_OK);
    assert_int_equal(hash_of(id->hash), T0 - HOUR);
    assert_int_equal(hash_of(id->next_hash), T0 + 6 - HOUR);
    assert_int_equal(id->next_at, T0 + 6);
    assert_int_equal(qms_cert_provision(f->conf, &f->env, T0 + 6, &f->diag), QMS_OK);
    assert_int_equal(hash_of(id->hash), T0 + 6 - HOUR);
    assert_int_equal(id->until - id->from, DAY);
}

static void a_spoilt_file_is_replaced(void **state)
{
    struct fixture *f = *state;
    char path[128];
    (void)at(f, T0);
    (void)snprintf(path, sizeof(path), "%s/self-signed.pem", f->state);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("junk", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(hash_of(at(f, T0 + 7)->hash), T0 + 7 - HOUR);
}

static void a_folder_that_cannot_be_made_is_told(void **state)
{
    struct fixture *f = *state;
    f->env.globals = "state_dir /proc/none/state";
    load(f);
    assert_int_equal(qms_cert_provision(f->conf, &f->env, T0, &f->diag), QMS_E_CONFIG);
    assert_string_equal(f->diag.text,
                        "Cannot make the folder \"/proc/none/state\": No such file or "
                        "directory; name another one with \"state_dir\".");
}

/* A machine may start with a clock that is years ahead, and be told better. */
static void what_a_clock_that_was_ahead_has_minted_is_replaced(void **state)
{
    struct fixture *f = *state;
    const int64_t then = T0 + 1000 * DAY;

    (void)at(f, then);
    (void)at(f, then + 9 * DAY); /* the next one too */
    assert_false(qms_cert_ahead(f->conf, then));
    assert_true(qms_cert_ahead(f->conf, T0));
    const struct qms_identity *id = at(f, T0);
    assert_int_equal(hash_of(id->hash), T0 - HOUR);
    assert_int_equal(id->next_cert_pem.len, 0);
    assert_false(qms_cert_ahead(f->conf, T0));
    /* By hours is no reason to break pins. */
    assert_int_equal(hash_of(at(f, T0 - 20 * HOUR)->hash), T0 - HOUR);
    /* Nor is a next one that begins when it takes over. */
    id = at(f, T0 + 9 * DAY);
    const int64_t next = hash_of(id->next_hash);
    assert_int_equal(hash_of(at(f, T0 + 9 * DAY + 1)->next_hash), next);
}

static void two_brokers_with_one_folder_have_one_certificate(void **state)
{
    struct fixture *f = *state;
    int64_t theirs = 0;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    mint_takes = 200000;
    pid_t pid = fork();
    if (pid == 0) {
        theirs = hash_of(at(f, T0 + 1)->hash);
        _exit(write(ends[1], &theirs, sizeof(theirs)) == (ssize_t)sizeof(theirs) ? 0 : 1);
    }
    assert_true(pid > 0);
    int64_t ours = hash_of(at(f, T0 + 2)->hash);
    assert_int_equal(read(ends[0], &theirs, sizeof(theirs)), sizeof(theirs));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    mint_takes = 0;
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(ours, theirs);
}

static void the_secret_outlives_a_restart(void **state)
{
    struct fixture *f = *state;
    uint8_t a[32], b[32];
    qms_cert_secret(f->conf, a);
    qms_cert_secret(f->conf, b);
    assert_memory_equal(a, b, 32);
}

static void only_our_own_host_names_are_answered(void **state)
{
    static const char *const hosts[] = {"Monitor.example"};
    const struct qms_conf conf = {.http_hosts = hosts, .http_host_count = 1};
    static const char *const good[] = {"localhost",         "LOCALHOST:9464", "127.0.0.1",
                                       "127.0.0.1:9464",    "[::1]",          "[::1]:9464",
                                       "monitor.EXAMPLE:1", "10.0.0.3:9464"};
    static const char *const bad[] = {"",
                                      "evil.example",
                                      "localhost.evil.example",
                                      "[::1",
                                      "[::1]x",
                                      "10.0.0.4",
                                      ":9464",
                                      "127.0.0.1.evil.example:9464",
                                      "127.0.0.2",
                                      "monitor.example@evil"};
    (void)state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(qms_http_host_matches(&conf, good[i], "10.0.0.3"));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(qms_http_host_matches(&conf, bad[i], "10.0.0.3"));
    }
    assert_false(qms_http_host_matches(&conf, "10.0.0.3", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(the_first_is_minted_and_kept),
        QMS_TEST(the_next_is_published_before_it_takes_over),
        QMS_TEST(a_long_sleep_is_made_up_for),
        QMS_TEST(short_lives_take_turns_by_the_second),
        QMS_TEST(a_spoilt_file_is_replaced),
        QMS_TEST(a_folder_that_cannot_be_made_is_told),
        QMS_TEST(what_a_clock_that_was_ahead_has_minted_is_replaced),
        QMS_TEST(two_brokers_with_one_folder_have_one_certificate),
        QMS_TEST(the_secret_outlives_a_restart),
        QMS_TEST(only_our_own_host_names_are_answered),
    };
    return cmocka_run_group_tests_name("core_cert", tests, NULL, NULL);
}
