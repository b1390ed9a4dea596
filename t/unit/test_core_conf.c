/* SPDX-License-Identifier: MIT */
/* Values, defaults, includes, inheritance and packing; errors are in test_core_conf_errors.c.
 */
#include <arpa/inet.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf_fixture.h"
#include "core/conf/pack.h"
#include "core/conf/restart.h"
#include "qms_test.h"

static void defaults_hold_where_nothing_is_written(void **state)
{
    struct conf_fixture *f = *state;
    conf_is(f, QUIC(""));
    const struct qms_conf *c = f->conf;

    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
    assert_int_equal(c->worker_processes, CPU_COUNT(&set));
    assert_int_equal(c->seccomp, 1);
    assert_true(c->worker_shutdown_for == 1800 * QMS_SECOND);
    assert_string_equal(c->pid_file, "/run/quicms.pid");
    assert_string_equal(c->error_log, "stderr");
    assert_int_equal(c->log_level, QMS_LOG_NOTICE);
    assert_int_equal(c->daemon, 0);
    assert_int_equal(c->udp_gso, 1);
    assert_int_equal(c->udp_rcvbuf, 4 << 20);
    assert_true(c->idle_for == 60 * QMS_SECOND);
    assert_true(c->keep_alive_for == 20 * QMS_SECOND);
    assert_int_equal(c->congestion, 2);
    assert_int_equal(c->priority_guard, 32);
    assert_int_equal(c->stream_window, 65536);
    assert_int_equal(c->stream_window_max, 4 << 20);
    assert_int_equal(c->max_streams, 1024);
    assert_int_equal(c->servers[0].retry, 0);
    assert_int_equal(c->http_listen_count, 0);
    assert_null(c->user);
}

static void written_values_arrive_in_their_fields(void **state)
{
    struct conf_fixture *f = *state;
    conf_is(
        f, "user www staff; worker_processes 1; pid run/q.pid; error_log logs/e.log debug;\n"
           "events { udp_gso off; udp_rcvbuf 1m; worker_connections 7; }\n"
           "quic { idle_timeout 2m; keepalive 0; congestion cubic; priority_guard off;\n"
           "  route_buffer 128k max=1m; duplicate_agent refuse;\n"
           "  server { " SERVER_HEAD "listen [::1]:4433 quic webtransport reuseport;\n"
           "    retry on; server_name a.example; allowed_origins self https://b.example:8443;\n"
           "    location / { root html; }\n"
           "    location /quicms/v1 { webtransport on; max_sessions_per_conn 2; } } }\n"
           "http { listen 127.0.0.1:9464; root html; allowed_hosts a b; }\n");
    const struct qms_conf *c = f->conf;
    const struct qms_server_conf *s = &c->servers[0];

    assert_string_equal(c->user, "www");
    assert_string_equal(c->group, "staff");
    assert_string_equal(c->pid_file, "/c/run/q.pid");
    assert_string_equal(c->error_log, "/c/logs/e.log");
    assert_int_equal(c->log_level, QMS_LOG_DEBUG);
    assert_int_equal(c->udp_gso, 0);
    assert_int_equal(c->udp_rcvbuf, 1 << 20);
    assert_int_equal(c->worker_connections, 7);
    assert_true(c->idle_for == 120 * QMS_SECOND);
    assert_int_equal(c->keep_alive_for, 0);
    assert_int_equal(c->congestion, 0);
    assert_int_equal(c->priority_guard, 0);
    assert_int_equal(c->stream_window, 131072);
    assert_int_equal(c->stream_window_max, 1 << 20);
    assert_int_equal(c->duplicate, QMS_DUPLICATE_REFUSE);
    assert_int_equal(s->listen_count, 2);
    assert_string_equal(s->listens[0].text, "127.0.0.1:4433");
    assert_true(s->listens[0].quic && !s->listens[0].webtransport);
    assert_string_equal(s->listens[1].text, "[::1]:4433");
    assert_true(s->listens[1].quic && s->listens[1].webtransport);
    assert_int_equal(s->listens[1].addr.ss_family, AF_INET6);
    assert_int_equal(s->listens[1].fd, -1);
    assert_int_equal(s->retry, 1);
    assert_string_equal(s->identity->server_name, "a.example");
    assert_int_equal(s->identity->self_signed, 1);
    assert_int_equal(s->allowed_origin_count, 2);
    assert_string_equal(s->allowed_origins[1], "https://b.example:8443");
    assert_int_equal(s->location_count, 2);
    assert_string_equal(s->locations[0].root, "/c/html");
    assert_int_equal(s->locations[1].webtransport, 1);
    assert_int_equal(s->locations[1].max_sessions_per_connection, 2);
    assert_string_equal(c->http_listens[0].text, "127.0.0.1:9464");
    assert_string_equal(c->http_root, "/c/html");
    assert_int_equal(c->http_host_count, 2);
}

static void a_lone_port_means_every_ipv4_address(void **state)
{
    struct conf_fixture *f = *state;
    conf_is(f, "quic { server { listen 4433 quic; listen *:4434 quic; listen [*]:4435 quic; "
               "tls self-signed; auth off; } }");
    const struct qms_listen *l = f->conf->servers[0].listens;

    assert_string_equal(l[0].text, "0.0.0.0:4433");
    assert_string_equal(l[1].text, "0.0.0.0:4434");
    assert_string_equal(l[2].text, "[::]:4435");
}

static void roots_have_slots_in_an_order_of_their_own(void **state)
{
    struct conf_fixture *f = *state;
    int *slots[4];
    conf_is(
        f,
        "http { root h; } quic { server { " SERVER_HEAD
        "location /a { root a; } location /n { webtransport on; } location /b { root b; } } }");

    assert_int_equal(qms_conf_root_slots(f->conf, NULL, 0), 3);
    assert_int_equal(qms_conf_root_slots(f->conf, slots, 4), 3);
    assert_ptr_equal(slots[0], &f->conf->http_root_fd);
    assert_ptr_equal(slots[1], &f->conf->servers[0].locations[0].root_fd);
    assert_ptr_equal(slots[2], &f->conf->servers[0].locations[2].root_fd);
    assert_int_equal(*slots[1], -1);
}

static void authenticators_are_named_with_or_without_their_prefix(void **state)
{
    struct conf_fixture *f = *state;
    conf_is(f, "quic { server { listen 1 quic; tls self-signed; auth any auth_fake; }\n"
               "server { listen 2 quic; tls self-signed; auth all fake; }\n"
               "server { listen 3 quic; tls self-signed; auth fake; } }");
    const struct qms_server_conf *s = f->conf->servers;

    assert_int_equal(s[0].auth_mode, QMS_AUTH_MODE_ANY);
    assert_int_equal(s[0].auth_count, 1);
    assert_string_equal(s[0].auth[0]->name, "auth_fake");
    assert_ptr_equal(s[1].auth[0], s[0].auth[0]);
    assert_int_equal(s[1].auth_mode, QMS_AUTH_MODE_ALL);
    assert_int_equal(s[2].auth_mode, QMS_AUTH_MODE_ANY);
    assert_int_equal(s[2].auth_count, 1);
    assert_int_equal(s[2].index, 2);
    assert_ptr_equal(s[0].identity, s[2].identity);
}

static void inner_blocks_inherit_wherever_the_outer_directive_stands(void **state)
{
    struct conf_fixture *f = *state;
    conf_file(f, "/c/t1", "one");
    conf_is(f, "quic { server { " SERVER_HEAD "fake_level 9; } server { listen 2 quic; tls "
               "self-signed; auth off; fake_note deep; }\n"
               "fake_note hi; fake_token t1; fake_pair x; } fake_level 5;");
    const struct qms_conf *c = f->conf;
    const struct fake_conf *outer = c->module_conf[1], *quic = c->quic_module_conf[1];
    const struct fake_conf *a = c->servers[0].module_conf[1], *b = c->servers[1].module_conf[1];

    assert_int_equal(outer->level, 5);
    assert_null(outer->note);
    assert_string_equal(outer->pair[1], "two"); /* the default */
    assert_int_equal(quic->level, 5);
    assert_int_equal(quic->merged, 1);
    assert_string_equal(quic->pair[0], "x");
    assert_null(quic->pair[1]);
    assert_int_equal(a->level, 9);
    assert_string_equal(a->note, "hi");
    assert_string_equal(a->token, "/c/t1");
    assert_string_equal((const char *)a->token_text.data, "one");
    assert_string_equal(a->pair[0], "x"); /* by conf_merge */
    assert_int_equal(b->level, 5);
    assert_string_equal(b->note, "deep");
    assert_ptr_equal(c->http_module_conf[1], outer);
    assert_ptr_equal(c->servers[1].module_conf[0], c->module_conf[0]);

    conf_fixture_fini(f);
    assert_int_equal(fake_freed, 4);
}

static void note_name(void *arg, const char *directive)
{
    char *names = arg;

    strcat(strcat(names, directive), " ");
}

static void what_a_running_process_cannot_follow_is_named(void **state)
{
    struct conf_fixture *f = *state;
    char names[256] = "";

    conf_is(f, QUIC(""));
    struct qms_conf *first = qms_conf_ref(f->conf);
    conf_is(f, "worker_shutdown_timeout 7s;" QUIC("hello_timeout 3s; worker_memory 1g;"));
    assert_int_equal(qms_conf_restart_each(first, f->conf, note_name, names), 0);
    assert_int_equal(qms_conf_workers_each(first, f->conf, note_name, names), 0);
    conf_is(f, "user nobody; pid other.pid;" QUIC(
                   "idle_timeout 9s; route_buffer 128k max=8m; congestion cubic;"));
    assert_int_equal(qms_conf_restart_each(first, f->conf, note_name, names), 1);
    assert_string_equal(names, "pid ");
    names[0] = '\0';
    assert_int_equal(qms_conf_workers_each(first, f->conf, note_name, names), 4);
    assert_string_equal(names, "idle_timeout congestion route_buffer user ");
    names[0] = '\0';
    assert_int_equal(qms_conf_restart_each(f->conf, f->conf, note_name, names), 0);
    assert_int_equal(qms_conf_workers_each(f->conf, f->conf, note_name, names), 0);
    conf_is(f, "quic { server { " SERVER_HEAD "retry on; early_data idempotent; } }");
    assert_int_equal(qms_conf_restart_each(first, f->conf, note_name, names), 0);
    assert_int_equal(qms_conf_workers_each(first, f->conf, note_name, names), 2);
    assert_string_equal(names, "early_data retry ");
    qms_conf_unref(first);
}

static void globals_win_over_the_file(void **state)
{
    struct conf_fixture *f = *state;
    f->env.globals = "pid /x/a.pid; worker_shutdown_timeout 5s";
    conf_is(f, "daemon on; error_log syslog:server=127.0.0.1 info;" QUIC(""));
    assert_non_null(f->conf->error_syslog);
    assert_int_equal(f->conf->log_level, QMS_LOG_INFO);
    conf_is(f, "pid b.pid; error_log e.log;" QUIC(""));
    assert_null(f->conf->error_syslog);
    assert_string_equal(f->conf->pid_file, "/x/a.pid");
    assert_true(f->conf->worker_shutdown_for == 5 * QMS_SECOND);
    assert_string_equal(f->conf->error_log, "/c/e.log");
    f->env.globals = "quic { server { " SERVER_HEAD "} }";
    conf_is(f, "pid x;");
    f->env.globals = " ";
    conf_is(f, QUIC(""));
}

static void includes_stand_for_their_content(void **state)
{
    struct conf_fixture *f = *state;
    conf_file(f, "/c/q.conf", "idle_timeout 33s; include s/*.conf;");
    conf_glob(f, "/c/s/*.conf", "/c/s/1.conf\0/c/s/2.conf\0", 24);
    conf_glob(f, "/c/none*", "", 0);
    conf_file(f, "/c/s/1.conf", "server { " SERVER_HEAD "}");
    conf_file(f, "/c/s/2.conf", "server { listen 2 webtransport; tls self-signed; auth off; }");
    conf_is(f, "quic { include q.conf; include none*; }");
    assert_int_equal(f->conf->server_count, 2);
    assert_true(f->conf->idle_for == 33 * QMS_SECOND);
    assert_true(f->conf->servers[1].listens[0].webtransport);
}

static void certificates_are_read_and_checked(void **state)
{
    struct conf_fixture *f = *state;
    conf_file(f, "/etc/c.pem", "CERT7");
    conf_file(f, "/c/k.pem", "KEY7");
    conf_is(f, "quic { server { listen 1 quic; tls prod; auth off; server_name n; }\n"
               "tls prod { certificate /etc/c.pem; certificate_key k.pem; } }");
    const struct qms_identity *id = f->conf->servers[0].identity;

    assert_string_equal(id->name, "prod");
    assert_int_equal(id->self_signed, 0);
    assert_string_equal((const char *)id->key_pem.data, "KEY7");
    assert_int_equal(id->hash[31], '7');
}

/* ---- packing ---- */

static const struct qms_bytes *minted(void)
{
    static struct qms_bytes texts[4];
    static const char *const words[] = {"CERTa", "KEYa", "CERTb", "KEYb"};

    for (size_t i = 0; i < 4; i++) {
        texts[i] = (struct qms_bytes){(const uint8_t *)words[i], strlen(words[i])};
    }
    return texts;
}

static void a_pack_loads_to_the_same_configuration_and_pack(void **state)
{
    struct conf_fixture *f = *state;
    uint8_t *pack = NULL, *again = NULL;
    size_t len = 0, again_len = 0;
    struct qms_diag diag = {0};
    conf_file(f, "/c/t1", "token text");
    conf_file(f, "/c/q.conf", "fake_token t1;");
    conf_is(f, "quic { include q.conf; server { " SERVER_HEAD "} }");
    assert_int_equal(
        qms_conf_identity_set(f->conf, &f->env, f->conf->identities[0], minted(), 77, &diag),
        QMS_OK);

    assert_int_equal(qms_conf_pack(f->conf, &pack, &len), QMS_OK);
    struct qms_conf *copy =
        qms_conf_load_packed((struct qms_bytes){pack, len}, "quicms.conf", &f->env, &diag);
    assert_non_null(copy);
    const struct fake_conf *fake = copy->servers[0].module_conf[1];
    const struct qms_identity *id = copy->identities[0];
    assert_string_equal((const char *)fake->token_text.data, "token text");
    assert_string_equal((const char *)id->cert_pem.data, "CERTa");
    assert_string_equal((const char *)id->key_pem.data, "KEYa");
    assert_string_equal((const char *)id->next_key_pem.data, "KEYb");
    assert_int_equal(id->hash[0], 'a');
    assert_int_equal(id->next_hash[0], 'b');
    assert_int_equal(id->next_at, 77);

    assert_int_equal(qms_conf_pack(copy, &again, &again_len), QMS_OK);
    assert_int_equal(again_len, len);
    assert_memory_equal(again, pack, len);
    qms_free(pack);
    qms_free(again);
    qms_conf_unref(copy);
}

static void a_pack_cut_anywhere_is_an_error_and_no_crash(void **state)
{
    struct conf_fixture *f = *state;
    uint8_t *pack = NULL;
    size_t len = 0;
    struct qms_diag diag = {0};
    conf_is(f, QUIC(""));
    assert_int_equal(
        qms_conf_identity_set(f->conf, &f->env, f->conf->identities[0], minted(), 0, &diag),
        QMS_OK);
    assert_int_equal(qms_conf_pack(f->conf, &pack, &len), QMS_OK);
    size_t whole = 0;
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *copy = malloc(cut + 1);
        assert_non_null(copy);
        memcpy(copy, pack, cut);
        diag = (struct qms_diag){0};
        struct qms_conf *c =
            qms_conf_load_packed((struct qms_bytes){copy, cut}, "quicms.conf", &f->env, &diag);
        whole += c != NULL; /* only where the identity's record is missing as a whole */
        qms_conf_unref(c);
        free(copy);
    }
    assert_int_equal(whole, 1);
    qms_free(pack);
}

static void every_failing_allocation_is_survived(void **state)
{
    struct conf_fixture *f = *state;
    bool loaded = false;
    conf_file(f, "/c/t1", "token text");
    conf_file(f, "/c/quicms.conf",
              "quic { fake_token t1; server { " SERVER_HEAD
              "location / { webtransport on; } } }");
    for (uint64_t n = 0; !loaded && n < 200; n++) {
        qms_mem_fail_after(n);
        conf_load(f);
        qms_mem_fail_after(UINT64_MAX);
        loaded = f->conf != NULL;
        if (!loaded) {
            assert_non_null(strstr(f->diag.text, "Out of memory."));
        }
    }
    assert_true(loaded);
}

/* ---- -T and the manual ---- */

struct text {
    char data[65536];
    size_t len;
};

static void put(void *arg, const char *s)
{
    struct text *t = arg;
    size_t len = strlen(s);

    assert_true(t->len + len < sizeof(t->data));
    memcpy(t->data + t->len, s, len + 1);
    t->len += len;
}

static void drop_comments(struct text *t)
{
    char *p;

    while ((p = strstr(t->data, " # default")) != NULL) {
        memmove(p, p + 10, strlen(p + 10) + 1);
    }
}

static void a_dump_is_a_configuration_that_means_the_same(void **state)
{
    struct conf_fixture *f = *state;
    struct text *first = calloc(1, sizeof(*first)), *second = calloc(1, sizeof(*second));
    conf_file(f, "/c/q.conf", "fake_note \"two words; \\\"x\\\" \\\\\";");
    conf_is(f, "pid '/x y';" QUIC("include q.conf; idle_timeout 61s;"));
    qms_conf_dump(f->conf, put, first);
    assert_non_null(strstr(first->data, "    idle_timeout 61s;\n"));
    assert_non_null(strstr(first->data, "fake_level 3; # default\n"));
    assert_non_null(strstr(first->data, "fake_note \"two words; \\\"x\\\" \\\\\";"));
    assert_non_null(strstr(first->data, "http {\n"));
    drop_comments(first);

    conf_is(f, first->data);
    assert_true(f->conf->idle_for == 61 * QMS_SECOND);
    const struct fake_conf *fake = f->conf->quic_module_conf[1];
    assert_string_equal(fake->note, "two words; \"x\" \\");
    qms_conf_dump(f->conf, put, second);
    drop_comments(second);
    for (const char *p = first->data; *p != 0; p = strchr(p, '\n') + 1) {
        char line[512];
        size_t len = strcspn(p, "\n");
        assert_true(len + 1 < sizeof(line));
        memcpy(line, p, len);
        line[len] = 0;
        assert_non_null(strstr(second->data, line));
    }
    free(first);
    free(second);
}

static void the_manual_names_every_directive_with_its_bounds(void **state)
{
    struct conf_fixture *f = *state;
    struct text *t = calloc(1, sizeof(*t));
    qms_conf_document(&f->env, put, t);
    assert_non_null(strstr(t->data, "### idle_timeout\n\n    idle_timeout time;\n"));
    assert_non_null(strstr(t->data, "- default: `60s`\n- range: 1s to 1d\n- in: quic\n"));
    assert_non_null(strstr(t->data, "    congestion cubic | reno | bbr;\n"));
    assert_non_null(strstr(t->data, "## Module auth_fake\n"));
    assert_non_null(strstr(t->data, "    fake_pair text [text];\n"));
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_CONF_TEST(defaults_hold_where_nothing_is_written),
        QMS_CONF_TEST(written_values_arrive_in_their_fields),
        QMS_CONF_TEST(a_lone_port_means_every_ipv4_address),
        QMS_CONF_TEST(roots_have_slots_in_an_order_of_their_own),
        QMS_CONF_TEST(authenticators_are_named_with_or_without_their_prefix),
        QMS_CONF_TEST(inner_blocks_inherit_wherever_the_outer_directive_stands),
        QMS_CONF_TEST(what_a_running_process_cannot_follow_is_named),
        QMS_CONF_TEST(globals_win_over_the_file),
        QMS_CONF_TEST(includes_stand_for_their_content),
        QMS_CONF_TEST(certificates_are_read_and_checked),
        QMS_CONF_TEST(a_pack_loads_to_the_same_configuration_and_pack),
        QMS_CONF_TEST(a_pack_cut_anywhere_is_an_error_and_no_crash),
        QMS_CONF_TEST(every_failing_allocation_is_survived),
        QMS_CONF_TEST(a_dump_is_a_configuration_that_means_the_same),
        QMS_CONF_TEST(the_manual_names_every_directive_with_its_bounds),
    };
    return cmocka_run_group_tests_name("core_conf", tests, NULL, NULL);
}
