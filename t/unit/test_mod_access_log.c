/* SPDX-License-Identifier: MIT */
/* The access log over routes of our own: what is escaped how, what a format compiles to, and
 * what each variable says. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modules/access_log/format.h"
#include "qms_test.h"

/* ---- the core's part of the interface ---- */

static char diag_text[512];
static bool fail_alloc;

struct qms_peer {
    const char *id;
    struct sockaddr_in6 address;
    qms_time rtt;
};
struct qms_route {
    const char *target, *acceptor, *reason, *trace;
    qms_time answered, first;
    int64_t stream;
};

static struct qms_peer opener;

static struct qms_bytes text(const char *s)
{
    return (struct qms_bytes){(const uint8_t *)s, s != NULL ? strlen(s) : 0};
}

void qms_diag_error(struct qms_diag *diag, const char *format, ...)
{
    va_list ap;

    (void)diag;
    va_start(ap, format);
    vsnprintf(diag_text, sizeof(diag_text), format, ap);
    va_end(ap);
}

/* What a test allocates it frees by hand. */
void *qms_conf_alloc(struct qms_diag *diag, size_t size)
{
    (void)diag;
    return fail_alloc ? NULL : calloc(1, size);
}

struct qms_bytes qms_peer_id(const struct qms_peer *p)
{
    return text(p->id);
}
const char *qms_peer_carrier(const struct qms_peer *p)
{
    (void)p;
    return "quic";
}
const void *qms_peer_address(const struct qms_peer *p)
{
    return &p->address;
}
const char *qms_peer_scopes(const struct qms_peer *p)
{
    (void)p;
    return "";
}
uint64_t qms_peer_number(const struct qms_peer *p)
{
    (void)p;
    return 7;
}
unsigned qms_peer_worker(const struct qms_peer *p)
{
    (void)p;
    return 3;
}
qms_time qms_peer_rtt(const struct qms_peer *p)
{
    return p->rtt;
}
const char *qms_peer_server_name(const struct qms_peer *p)
{
    (void)p;
    return "example.org";
}
struct qms_peer *qms_route_opener(const struct qms_route *r)
{
    (void)r;
    return &opener;
}
enum qms_kind qms_route_kind(const struct qms_route *r)
{
    (void)r;
    return QMS_KIND_AGENT;
}
struct qms_bytes qms_route_target(const struct qms_route *r)
{
    return text(r->target);
}
bool qms_route_bidi(const struct qms_route *r)
{
    (void)r;
    return true;
}
uint8_t qms_route_priority(const struct qms_route *r)
{
    (void)r;
    return 200;
}
void qms_route_bytes(const struct qms_route *r, uint64_t *forward, uint64_t *reverse)
{
    (void)r;
    *forward = 11;
    *reverse = UINT64_C(5000000000);
}
qms_time qms_route_opened_at(const struct qms_route *r)
{
    (void)r;
    return QMS_SECOND;
}
qms_time qms_route_answered_at(const struct qms_route *r)
{
    return r->answered;
}
qms_time qms_route_first_byte_at(const struct qms_route *r)
{
    return r->first;
}
struct qms_bytes qms_route_acceptor_id(const struct qms_route *r)
{
    return text(r->acceptor);
}
const char *qms_route_reason(const struct qms_route *r)
{
    return r->reason;
}
int64_t qms_route_stream_id(const struct qms_route *r)
{
    return r->stream;
}
struct qms_bytes qms_route_traceparent(const struct qms_route *r)
{
    return text(r->trace);
}
const char *qms_route_block_name(const struct qms_route *r)
{
    (void)r;
    return "agent *";
}
/* Of the module's other file; no test of this program comes there. */
qms_err qms_conf_value(struct qms_diag *diag, const struct qms_directive *d,
                       enum qms_dtype type, const char *word, uint64_t *out)
{
    (void)diag, (void)d, (void)type, (void)word, (void)out;
    return QMS_E_CONFIG;
}

/* ---- helpers ---- */

static int setup(void **state)
{
    (void)state;
    setenv("TZ", "UTC", 1);
    diag_text[0] = '\0';
    fail_alloc = false;
    opener = (struct qms_peer){.id = "agent-1", .rtt = 1500 * QMS_MICROSECOND};
    opener.address.sin6_family = AF_INET6;
    opener.address.sin6_port = htons(4433);
    opener.address.sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return 0;
}

static qms_err compile(struct qms_log_format *f, enum qms_escape escape, const char *pattern)
{
    *f = (struct qms_log_format){.name = "f", .escape = escape};
    return qms_log_format_parse(f, pattern, NULL);
}

/* Without the newline; static memory. */
static const char *render(enum qms_escape escape, const char *pattern,
                          const struct qms_route *route)
{
    static struct qms_line line;
    struct qms_log_event e = {.route = route,
                              .opener = &opener,
                              .status = QMS_CODE_OFFLINE,
                              .now = 3500 * QMS_MILLISECOND,
                              .wall = INT64_C(1764302400123456789)};
    struct qms_log_format f;

    assert_int_equal(compile(&f, escape, pattern), QMS_OK);
    line.len = 0;
    qms_log_format_write(&f, &line, &e);
    struct qms_bytes whole = qms_line_end(&line);
    assert_int_equal(whole.data[whole.len - 1], '\n');
    line.text[whole.len - 1] = '\0';
    free(f.parts);
    return line.text;
}

static const struct qms_route plain = {.target = "b", .stream = -1};

/* ---- tests ---- */

static void text_and_variables_alternate(void **state)
{
    (void)state;
    assert_string_equal(render(QMS_ESCAPE_DEFAULT, "<$agent>$target ${target}x", &plain),
                        "<agent-1>b bx");
    assert_string_equal(render(QMS_ESCAPE_DEFAULT, "no variable", &plain), "no variable");
    assert_string_equal(render(QMS_ESCAPE_DEFAULT, "$agent", &plain), "agent-1");
    assert_string_equal(render(QMS_ESCAPE_DEFAULT, "", &plain), "");
}

static void an_unknown_variable_is_told_the_nearest(void **state)
{
    struct qms_log_format f;

    (void)state;
    assert_int_equal(compile(&f, QMS_ESCAPE_DEFAULT, "$agent $tarqet"), QMS_E_CONFIG);
    assert_non_null(strstr(diag_text, "\"$tarqet\"; did you mean \"$target\""));
    free(f.parts);
    assert_int_equal(compile(&f, QMS_ESCAPE_DEFAULT, "$zzzzzzz"), QMS_E_CONFIG);
    assert_non_null(strstr(diag_text, "\"$zzzzzzz\"."));
    free(f.parts);
    for (size_t i = 0; i < 4; i++) {
        static const char *const bare[] = {"$", "$ x", "${agent", "${}"};
        assert_int_equal(compile(&f, QMS_ESCAPE_DEFAULT, bare[i]), QMS_E_CONFIG);
        assert_non_null(strstr(diag_text, "followed by the name"));
        free(f.parts);
    }
    fail_alloc = true;
    assert_int_equal(compile(&f, QMS_ESCAPE_DEFAULT, "x"), QMS_E_NOMEM);
}

static void peers_cannot_forge_a_line(void **state)
{
    const struct qms_route evil = {.target = "a\"\\\n\r\x1b\x7f\xe4z", .stream = 0};

    (void)state;
    assert_string_equal(render(QMS_ESCAPE_DEFAULT, "\"$target\"", &evil),
                        "\"a\\x22\\x5C\\x0A\\x0D\\x1B\\x7F\\xE4z\"");
    assert_string_equal(render(QMS_ESCAPE_JSON, "\"$target\"", &evil),
                        "\"a\\\"\\\\\\u000a\\u000d\\u001b\\u007f\\ufffdz\"");
    assert_string_equal(render(QMS_ESCAPE_NONE, "$target", &evil), "a\"\\    \xe4z");
}

static void json_keeps_utf8_and_nothing_that_only_looks_like_it(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xc0\xaf", "\\ufffd\\ufffd"},                       /* overlong */
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},            /* a surrogate */
        {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* above U+10FFFF */
        {"\xe2\x82", "\\ufffd\\ufffd"},                       /* cut off */
        {"\xff", "\\ufffd"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct qms_route r = {.target = rows[i].in};
        assert_string_equal(render(QMS_ESCAPE_JSON, "$target", &r), rows[i].out);
    }
}

static void absent_values_are_a_dash_or_nothing(void **state)
{
    static const char all[] =
        "$peer|$reason|$answer|$first_byte|$stream|$traceparent|$trace_id|"
        "$span_id|$scopes";

    (void)state;
    assert_string_equal(render(QMS_ESCAPE_DEFAULT, all, &plain), "-|-|-|-|-|-|-|-|-");
    assert_string_equal(render(QMS_ESCAPE_JSON, all, &plain), "||||||||");
    assert_string_equal(render(QMS_ESCAPE_NONE, all, &plain), "||||||||");
    opener.rtt = 0;
    opener.address.sin6_family = AF_UNSPEC;
    assert_string_equal(render(QMS_ESCAPE_DEFAULT, "$rtt $address", &plain), "- -");
}

static void each_variable_says_what_it_is_for(void **state)
{
    static const char trace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const struct qms_route r = {.target = "b",
                                .acceptor = "b2",
                                .reason = "offline",
                                .trace = trace,
                                .answered = 1250 * QMS_MILLISECOND,
                                .first = 2 * QMS_SECOND,
                                .stream = 12};

    (void)state;
    assert_string_equal(render(QMS_ESCAPE_DEFAULT, "$time_iso8601 $time_local $time", &r),
                        "2025-11-28T04:00:00+00:00 28/Nov/2025:04:00:00 +0000 "
                        "1764302400.123");
    assert_string_equal(render(QMS_ESCAPE_DEFAULT, "$peer $carrier $address $remote_addr", &r),
                        "b2 quic [::1]:4433 ::1");
    assert_string_equal(render(QMS_ESCAPE_DEFAULT,
                               "$kind $route $direction $priority $status $status_code $reason",
                               &r),
                        "agent agent * bidi 200 offline 7 offline");
    assert_string_equal(render(QMS_ESCAPE_DEFAULT,
                               "$bytes_received $bytes_sent $duration $answer $first_byte $rtt",
                               &r),
                        "11 5000000000 2.500000 0.250000 1.000000 0.001500");
    assert_string_equal(
        render(QMS_ESCAPE_DEFAULT, "$worker $connection $stream $server $traceparent", &r),
        "3 7 12 example.org "
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_string_equal(render(QMS_ESCAPE_DEFAULT, "$trace_id $span_id", &r),
                        "0af7651916cd43dd8448eb211c80319c b7ad6b7169203331");
}

static void a_line_that_is_too_long_is_cut_and_ends(void **state)
{
    static char target[2 * QMS_LINE_MAX];
    const struct qms_route r = {.target = target};

    (void)state;
    memset(target, '\n', sizeof(target) - 1);
    assert_int_equal(strlen(render(QMS_ESCAPE_DEFAULT, "$target end", &r)), QMS_LINE_MAX - 1);
    memset(target, 0xc3, sizeof(target) - 1);
    assert_true(strlen(render(QMS_ESCAPE_JSON, "$target end", &r)) <= QMS_LINE_MAX - 1);
}

static void every_variable_stands_in_the_readme(void **state)
{
    static char page[32768];
    const char *source = getenv("QUICMS_SOURCE");
    char path[4096], word[64];

    (void)state;
    snprintf(path, sizeof(path), "%s/src/modules/access_log/README.md",
             source != NULL ? source : ".");
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(page, 1, sizeof(page) - 1, file) > 0);
    assert_int_equal(fclose(file), 0);
    for (const struct qms_log_variable *v = qms_log_variables; v->name != NULL; v++) {
        snprintf(word, sizeof(word), "`$%s`", v->name);
        if (strstr(page, word) == NULL) {
            fail_msg("%s is not explained", word);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(text_and_variables_alternate),
        QMS_TEST(an_unknown_variable_is_told_the_nearest),
        QMS_TEST(peers_cannot_forge_a_line),
        QMS_TEST(json_keeps_utf8_and_nothing_that_only_looks_like_it),
        QMS_TEST(absent_values_are_a_dash_or_nothing),
        QMS_TEST(each_variable_says_what_it_is_for),
        QMS_TEST(a_line_that_is_too_long_is_cut_and_ends),
        QMS_TEST(every_variable_stands_in_the_readme),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
