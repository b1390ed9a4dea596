/* SPDX-License-Identifier: MIT */
/* Every kind of configuration error, with the exact words an operator reads. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_fixture.h"
#include "qms_test.h"

#define AT(line, sentence) "/c/quicms.conf:" #line ": " sentence

static void misspelt_names_get_the_nearest_known_one(void **state)
{
    struct conf_fixture *f = *state;
    conf_fails(
        f, "\nwroker_processes 1;",
        AT(2, "Unknown directive \"wroker_processes\"; did you mean \"worker_processes\"?"));
    conf_fails(f, "quic { idle_timout 3s; }",
               AT(1, "Unknown directive \"idle_timout\"; did you mean \"idle_timeout\"?"));
    conf_fails(f, "quic { idel_timout 3s; }",
               AT(1, "Unknown directive \"idel_timout\"; did you mean \"idle_timeout\"?"));
    conf_fails(f, "quic { fake_levl 3; }",
               AT(1, "Unknown directive \"fake_levl\"; did you mean \"fake_level\"?"));
    conf_fails(f, "quik { }", AT(1, "Unknown directive \"quik\"; did you mean \"quic\"?"));
    conf_fails(f, "lisen 1;", AT(1, "Unknown directive \"lisen\"; did you mean \"listen\"?"));
    conf_fails(f, "events { gzip on; }",
               AT(1, "Unknown directive \"gzip\" in the events block."));
}

static void misplaced_names_are_told_where_they_belong(void **state)
{
    struct conf_fixture *f = *state;
    conf_fails(f, "listen 1;",
               AT(1, "Directive \"listen\" is not allowed in the main block; it "
                     "belongs in server or http."));
    conf_fails(f, "quic { pid x; }",
               AT(1, "Directive \"pid\" is not allowed in the quic block; it "
                     "belongs in main."));
    conf_fails(f, "events { fake_level 1; }",
               AT(1,
                  "Directive \"fake_level\" is not allowed in the events block; it belongs in "
                  "main, quic, server or route."));
    conf_fails(f, "server { }",
               AT(1, "Directive \"server\" is not allowed in the main block; it "
                     "belongs in quic."));
}

static void doubles_are_told_with_the_first_place(void **state)
{
    struct conf_fixture *f = *state;
    conf_fails(f, "pid a;\npid b;", AT(2, "\"pid\" is there already, at /c/quicms.conf:1."));
    conf_fails(f, "events { }\nevents { }",
               AT(2, "\"events\" is there already, at /c/quicms.conf:1."));
    conf_fails(f, "quic { fake_level 1;\nfake_level 1; }",
               AT(2, "\"fake_level\" is there already, at /c/quicms.conf:1."));
    conf_fails(f, "quic { server { " SERVER_HEAD "location /a { }\nlocation /a { } } }",
               AT(2, "The location \"/a\" is there already in this server."));
    conf_fails(f, "quic { server { " SERVER_HEAD "\nlisten 127.0.0.1:4433 quic; } }",
               AT(2, "\"127.0.0.1:4433\" is listened at already in this block."));
    conf_fails(f,
               "quic { server { " SERVER_HEAD "}\nserver { listen 127.0.0.1:4433 webtransport; "
               "tls self-signed; auth off; } }",
               AT(2,
                  "\"127.0.0.1:4433\" belongs to another server already; both carriers on one "
                  "port are \"listen 127.0.0.1:4433 quic webtransport\"."));
    conf_fails(f, "quic { tls a { self_signed on; }\ntls a { self_signed on; } }",
               AT(2, "The name \"a\" of this tls block is taken."));
    f->env.globals = "pid a; pid b;";
    conf_fails(f, "", "-g:1: \"pid\" is there already, at -g:1.");
}

static void wrong_numbers_of_arguments_are_counted(void **state)
{
    struct conf_fixture *f = *state;
    conf_fails(f, "pid;", AT(1, "Directive \"pid\" takes 1 argument, not 0."));
    conf_fails(f, "user a b c;",
               AT(1, "Directive \"user\" takes 1 to 2 arguments, not 3: name [group]."));
    conf_fails(f, "quic { tls { } }", AT(1, "Block \"tls\" takes name, not 0 arguments."));
    conf_fails(f, "quic x { }", AT(1, "Block \"quic\" takes no argument, not 1 arguments."));
    conf_fails(f, "include;", AT(1, "Directive \"include\" takes 1 argument, not 0."));
}

static void blocks_and_directives_are_not_mistaken(void **state)
{
    struct conf_fixture *f = *state;
    conf_fails(f, "quic;", AT(1, "\"quic\" needs a block in braces."));
    conf_fails(f, "pid x { }", AT(1, "Directive \"pid\" takes no block."));
    conf_fails(f, "quic { tls prod; }", AT(1, "\"tls\" needs a block in braces."));
    conf_fails(f, "quic { server { " SERVER_HEAD "location /x { fake_note a; } } }",
               AT(1, "Directive \"fake_note\" is not allowed in the location block; it belongs "
                     "in quic, server or route."));
}

/* Slips that would be files of an odd name, or that the last word would silently win. */
static void logs_are_files_only_where_a_path_is_meant(void **state)
{
    struct conf_fixture *f = *state;
    conf_fails(f, "error_log \"\";",
               AT(1, "A log needs a path, stderr, or syslog:server=HOST."));
    conf_fails(f, "error_log off;",
               AT(1, "\"off\" would be a file of that name, which is written \"./off\"; other "
                     "than a path a log takes stderr or syslog:server=HOST."));
    conf_fails(f, "error_log stdrr;",
               AT(1, "\"stdrr\" would be a file of that name, which is written \"./stdrr\"; "
                     "other than a path a log takes stderr or syslog:server=HOST."));
    conf_fails(f, "error_log sislog:server=127.0.0.1;",
               AT(1, "\"sislog:server=127.0.0.1\" is no path; a syslog server is written "
                     "syslog:server=HOST."));
    conf_is(f, "error_log ./off;" QUIC(""));
    conf_is(f, "error_log logs/a:server=b;" QUIC(""));
}

static void parts_of_a_syslog_server_are_told_apart(void **state)
{
    struct conf_fixture *f = *state;
    conf_fails(f, "error_log syslog:serve=127.0.0.1;",
               AT(1, "Unknown part \"serve=127.0.0.1\" of a syslog server; it has server=, "
                     "facility=, tag= and nohostname. Did you mean \"server=\"?"));
    conf_fails(f, "error_log syslog:server;",
               AT(1, "Unknown part \"server\" of a syslog server; it has server=, facility=, "
                     "tag= and nohostname. Did you mean \"server=\"?"));
    conf_fails(f, "error_log syslog:server=127.0.0.1,facility=deamon;",
               AT(1, "\"deamon\" is not valid for the facility of a syslog server; it takes a "
                     "facility such as daemon or local0 to local7. Did you mean \"daemon\"?"));
    conf_fails(f, "error_log syslog:server=127.0.0.1,tag=a,tag=b;",
               AT(1, "\"tag=\" is there already in this syslog server."));
    conf_fails(f, "error_log syslog:server=[::1;",
               AT(1, "\"[::1\" is not valid for the server of a syslog server; it takes "
                     "HOST[:PORT] or unix:PATH."));
    conf_is(f, "error_log syslog:server=[::1],tag=a,facility=local0,nohostname;" QUIC(""));
}

static void values_out_of_range_are_told_the_range(void **state)
{
    struct conf_fixture *f = *state;
    conf_fails(f, "events { worker_connections 0; }",
               AT(1, "\"0\" is out of range for \"worker_connections\": 1 to 1000000."));
    conf_fails(f, "quic { idle_timeout 10ms; }",
               AT(1, "\"10ms\" is out of range for \"idle_timeout\": 1s to 1d."));
    conf_fails(f, "events { udp_rcvbuf 2g; }",
               AT(1, "\"2g\" is out of range for \"udp_rcvbuf\": 64k to 1g."));
    conf_fails(
        f, "quic { max_datagram 99999999999999999999; }",
        AT(1, "\"99999999999999999999\" is out of range for \"max_datagram\": 0 to 65535."));
    conf_fails(f, "quic { priority_guard 1/1; }",
               AT(1, "\"1\" is out of range for \"priority_guard\": 2 to 1024."));
    conf_fails(f, "quic { route_buffer 64k max=32k; }",
               AT(1, "The max of \"route_buffer\" is smaller than its start."));
    conf_fails(f, "quic { fake_level 11; }",
               AT(1, "\"11\" is out of range for \"fake_level\": 0 to 10."));
}

static void values_of_the_wrong_form_are_told_the_right_one(void **state)
{
    struct conf_fixture *f = *state;
    conf_fails(f, "quic { idle_timeout 5 min; }",
               AT(1, "Directive \"idle_timeout\" takes 1 argument, not 2."));
    conf_fails(f, "quic { idle_timeout 5min; }",
               AT(1,
                  "\"5min\" is not valid for \"idle_timeout\"; it takes a time: a number with "
                  "ms, s, m, h or d."));
    conf_fails(f, "events { udp_rcvbuf 4mb; }",
               AT(1,
                  "\"4mb\" is not valid for \"udp_rcvbuf\"; it takes a size: a number with k, "
                  "m, g or none of them."));
    conf_fails(f, "events { worker_connections many; }",
               AT(1, "\"many\" is not valid for \"worker_connections\"; it takes a number."));
    conf_fails(f, "events { udp_gso yes; }",
               AT(1, "\"yes\" is not valid for \"udp_gso\"; it takes on or off."));
    conf_fails(
        f, "quic { congestion vegas; }",
        AT(1, "\"vegas\" is not valid for \"congestion\"; it takes cubic, reno or bbr."));
    conf_fails(f, "error_log x loud;",
               AT(1, "\"loud\" is not valid for \"error_log\"; it takes the "
                     "level error, warn, notice, info or debug."));
    conf_fails(f, "error_log x INFOO;",
               AT(1,
                  "\"INFOO\" is not valid for \"error_log\"; it takes the level error, warn, "
                  "notice, info or debug. Did you mean \"info\"?"));
    conf_fails(f, "quic { server { listen 1 quic; auth any fake auth_fake; } }",
               AT(1, "\"auth\" names the authenticator \"auth_fake\" twice."));
    conf_fails(f, "quic { server { listen 1 quic; auth off fake; } }",
               AT(1, "\"auth off\" takes nothing more."));
    conf_fails(f, "quic { server { listen 1 quic; auth_backoff off max=3s; } }",
               AT(1, "\"auth_backoff off\" takes nothing more."));
    conf_fails(f, "quic { server { listen 1 quic; auth_backoff 5 max=3x; } }",
               AT(1, "\"3x\" is not valid for \"auth_backoff max=\"; it takes a time: a number "
                     "with ms, s, m, h or d."));
    conf_fails(f, "error_log syslog:server=127.0.0.1,severity=info;",
               AT(1, "The lines of \"error_log\" have the severity of their level, so no "
                     "severity= can be written."));
    conf_fails(f, "error_log syslog:tag=x;",
               AT(1, "A syslog server needs server=HOST[:PORT] or server=unix:PATH."));
    conf_fails(f, "quic { server { allowed_origins https://a/b; } }",
               AT(1,
                  "\"https://a/b\" is not valid for \"allowed_origins\"; it takes origins like "
                  "https://app.example.com without a path, \"self\" or \"*\"."));
    conf_fails(f, "quic { server { listen localhost:1 quic; } }",
               AT(1, "\"localhost:1\" is not an address to listen at; write 127.0.0.1:4433, "
                     "[::1]:4433 or a port."));
    conf_fails(f, "quic { server { listen 127.0.0.1:65536 quic; } }",
               AT(1,
                  "\"127.0.0.1:65536\" is not an address to listen at; write 127.0.0.1:4433, "
                  "[::1]:4433 or a port."));
    conf_fails(f, "quic { server { listen 4433; } }",
               AT(1, "Say what is spoken at 0.0.0.0:4433: quic, webtransport or both."));
    conf_fails(
        f, "quic { server { listen 4433 http3; } }",
        AT(1, "\"http3\" is not valid for \"listen\"; it takes quic, webtransport or both."));
    conf_fails(f, "worker_processes many;",
               AT(1, "\"many\" is not valid for \"worker_processes\"; it takes auto, or a "
                     "number."));
    conf_fails(f, "worker_processes atuo;",
               AT(1, "\"atuo\" is not valid for \"worker_processes\"; it takes auto, or a "
                     "number. Did you mean \"auto\"?"));
    conf_fails(f, "quic { agent_id_format \"[a-\"; }",
               AT(1,
                  "The regular expression \"[a-\" of \"agent_id_format\" is wrong at character "
                  "4: missing terminating ] for character class."));
    conf_fails(f, "error_log x wran;",
               AT(1, "\"wran\" is not valid for \"error_log\"; it takes the level error, warn, "
                     "notice, info or debug. Did you mean \"warn\"?"));
    conf_fails(f, "events { steering maybe; }",
               AT(1, "\"maybe\" is not valid for \"steering\"; it takes auto, off or on."));
    conf_fails(f, "pid \"\";", AT(1, "Directive \"pid\" takes a text that is not empty."));
}

static void servers_say_whom_they_let_in_and_what_they_show(void **state)
{
    struct conf_fixture *f = *state;
    conf_fails(f, "\nquic { server { tls self-signed; auth off; } }",
               AT(2, "The server has no \"listen\" directive."));
    conf_fails(f, "quic { server { listen 1 quic; auth off; } }",
               AT(1, "The server has no \"tls\" directive; name a tls block or say \"tls "
                     "self-signed\"."));
    conf_fails(f, "quic { server { listen 1 quic; tls self-signed; } }",
               AT(1, "The server has no \"auth\" directive; name authenticators or say \"auth "
                     "off\"."));
    conf_fails(f, "quic { tls prod { self_signed on; } server { tls prd; } }",
               AT(1, "There is no tls block \"prd\"; did you mean \"prod\"?"));
    conf_fails(f, "quic { server { tls x; } }", AT(1, "There is no tls block \"x\"."));
    conf_fails(f, "quic { server { auth any token; } }",
               AT(1, "There is no authenticator \"token\"; known are: fake."));
    conf_fails(f, "quic { server { auth anny fake; } }",
               AT(1, "There is no authenticator \"anny\"; known are: fake. Did you mean "
                     "\"any\"?"));
    conf_fails(f, "quic { server { auth any fkae; } }",
               AT(1, "There is no authenticator \"fkae\"; known are: fake. Did you mean "
                     "\"fake\"?"));
    conf_fails(f, "quic { server { auth any all; } }",
               AT(1, "There is no authenticator \"all\"; known are: fake."));
    conf_fails(
        f, "quic { server { auth any; } }",
        AT(1, "\"any\" is not valid for \"auth\"; it takes off, or any or all and then names "
              "of authenticators."));
    conf_fails(f,
               "quic { server { location x { } listen 1 quic; tls self-signed; auth off; } }",
               AT(1, "The path \"x\" of a location does not begin with \"/\"."));
    conf_fails(f, "quic { tls ../x { } }", AT(1, "\"../x\" is not a name for a tls block."));
    conf_fails(
        f, "pid x;",
        "/c/quicms.conf: There is no \"server\" block in a \"quic\" block: nothing to serve.");
}

static void values_must_fit_each_other(void **state)
{
    struct conf_fixture *f = *state;
    conf_fails(
        f, QUIC("idle_timeout 10s; keepalive 10s;"),
        "/c/quicms.conf: \"keepalive\" must be shorter than \"idle_timeout\", or no PING would "
        "ever keep a connection alive.");
    conf_fails(f, QUIC("route_buffer 64k max=32m;"),
               "/c/quicms.conf: The max of \"route_buffer\" is larger than \"agent_memory\".");
    conf_fails(f, QUIC("agent_memory 64m; worker_memory 32m;"),
               "/c/quicms.conf: \"agent_memory\" is larger than \"worker_memory\".");
    conf_fails(f, QUIC("self_signed_renew 13d;"),
               "/c/quicms.conf: \"self_signed_renew\" must be shorter than "
               "\"self_signed_lifetime\".");
    conf_fails(f, "daemon on;" QUIC(""),
               "/c/quicms.conf: \"daemon on\" leaves the terminal, so \"error_log\" must name "
               "a file or a syslog server.");
    conf_fails(f, "quic { tls a { } server { listen 1 quic; tls a; auth off; } }",
               "/c/quicms.conf:1: The tls block \"a\" needs either \"certificate\" and "
               "\"certificate_key\", or \"self_signed on\".");
    conf_file(f, "/c/bad.pem", "junk");
    conf_fails(
        f,
        "quic { tls a { certificate bad.pem; certificate_key bad.pem; } server { listen 1 "
        "quic; tls a; auth off; } }",
        "/c/quicms.conf:1: \"/c/bad.pem\" with \"/c/bad.pem\": The certificate of \"a\" is "
        "bad.");
}

static void broken_text_is_told_at_its_line(void **state)
{
    struct conf_fixture *f = *state;
    conf_fails(f, "quic {\n\nidle_timeout 3s;\n",
               AT(4, "The \"quic\" block of line 1 is not closed by \"}\"."));
    conf_fails(f, "pid \"a;\n", AT(1, "The quote that opens here is not closed."));
    conf_fails(f, "pid a", AT(1, "Directive \"pid\" is not ended by \";\"."));
    conf_fails(f, "events { udp_gso on }",
               AT(1, "Directive \"udp_gso\" is not ended by \";\"."));
    conf_fails(f, "pid a;\n}", AT(2, "\"}\" closes no block of this file."));
    conf_fails(f, "{ }", AT(1, "\"{\" stands without the name of a block."));
    conf_fails(f, "pid a;;", AT(1, "\";\" stands without a directive."));
}

static void modules_speak_with_the_place_of_their_directive(void **state)
{
    struct conf_fixture *f = *state;
    conf_fails(f, "quic {\nfake_pair bad; }", AT(2, "The pair is bad."));
    conf_fails(f, "quic {\n\nfake_token gone; }",
               AT(3, "\"/c/gone\" was not among the files that were checked."));
    assert_int_equal(fake_freed, 4); /* main and quic objects, both times */
}

static void include_loops_and_missing_files_end(void **state)
{
    struct conf_fixture *f = *state;
    conf_file(f, "/c/a.conf", "\ninclude b.conf;");
    conf_file(f, "/c/b.conf", "include a.conf;");
    conf_fails(f, "include a.conf;", "/c/b.conf:1: \"/c/a.conf\" includes itself.");
    conf_fails(f, "include gone.conf;",
               AT(1, "\"/c/gone.conf\" was not among the files that were checked."));
}

/* ---- on disk ---- */

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void disk_fails(struct conf_fixture *f, const char *text, const char *error)
{
    struct qms_diag diag = {0};
    put_file("quicms.conf", text);
    assert_null(qms_conf_load("quicms.conf", &f->env, &diag));
    const char *colon = strchr(diag.text, ':');
    assert_non_null(colon);
    assert_string_equal(colon, error);
}

static void the_system_s_word_and_the_path_are_told(void **state)
{
    struct conf_fixture *f = *state;
    char folder[] = "/tmp/qms_conf_XXXXXX", prefix[64], error[256];
    struct qms_diag diag = {0};
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_non_null(getcwd(prefix, sizeof(prefix)));
    f->env.prefix = prefix;

    assert_null(qms_conf_load("none.conf", &f->env, &diag));
    (void)snprintf(error, sizeof(error),
                   "Cannot open \"%s/none.conf\": No such file or directory.", prefix);
    assert_string_equal(diag.text, error);
    (void)snprintf(error, sizeof(error),
                   ":2: Cannot open \"%s/gone\": No such file or directory.", prefix);
    disk_fails(f, "quic {\nfake_token gone; }", error);
    (void)snprintf(error, sizeof(error), ":1: Cannot read \"%s/.\": it is not a regular file.",
                   prefix);
    disk_fails(f, "quic { fake_token .; }", error);
    (void)snprintf(error, sizeof(error),
                   ":1: Cannot open the root \"%s/html\": No such file or directory.", prefix);
    disk_fails(f, "http { root html; }" QUIC(""), error);

    assert_int_equal(mkdir("html", 0700), 0);
    assert_int_equal(mkdir("d", 0700), 0);
    put_file("d/2.conf", "idle_timeout 44s;");
    put_file("d/1.conf", "max_streams 5;");
    put_file("quicms.conf", "http { root html; }" QUIC("include d/*.conf;"));
    diag = (struct qms_diag){0};
    f->conf = qms_conf_load("quicms.conf", &f->env, &diag);
    assert_non_null(f->conf);
    assert_true(f->conf->idle_for == 44 * QMS_SECOND);
    assert_int_equal(f->conf->max_streams, 5);
    assert_true(fcntl(f->conf->http_root_fd, F_GETFD) >= 0);
    int fd = f->conf->http_root_fd;
    conf_fixture_fini(f);
    assert_int_equal(fcntl(fd, F_GETFD), -1);

    (void)unlink("d/1.conf");
    (void)unlink("d/2.conf");
    (void)rmdir("d");
    (void)rmdir("html");
    (void)unlink("quicms.conf");
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_CONF_TEST(misspelt_names_get_the_nearest_known_one),
        QMS_CONF_TEST(logs_are_files_only_where_a_path_is_meant),
        QMS_CONF_TEST(parts_of_a_syslog_server_are_told_apart),
        QMS_CONF_TEST(misplaced_names_are_told_where_they_belong),
        QMS_CONF_TEST(doubles_are_told_with_the_first_place),
        QMS_CONF_TEST(wrong_numbers_of_arguments_are_counted),
        QMS_CONF_TEST(blocks_and_directives_are_not_mistaken),
        QMS_CONF_TEST(values_out_of_range_are_told_the_range),
        QMS_CONF_TEST(values_of_the_wrong_form_are_told_the_right_one),
        QMS_CONF_TEST(servers_say_whom_they_let_in_and_what_they_show),
        QMS_CONF_TEST(values_must_fit_each_other),
        QMS_CONF_TEST(broken_text_is_told_at_its_line),
        QMS_CONF_TEST(modules_speak_with_the_place_of_their_directive),
        QMS_CONF_TEST(include_loops_and_missing_files_end),
        QMS_CONF_TEST(the_system_s_word_and_the_path_are_told),
    };
    return cmocka_run_group_tests_name("core_conf_errors", tests, NULL, NULL);
}
