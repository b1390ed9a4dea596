/* SPDX-License-Identifier: MIT */
/* HTTP/3 as a web server: SETTINGS, files, refusals, and the errors of RFC 9114 and 9204. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test_h3_world.h"

#define BIG (3 * 1024 * 1024 + 17)

/* The world with a root directory of two files. */
static char dir[64];

static void put(const char *name, size_t len)
{
    char path[128];
    uint8_t *data = malloc(len + 1);

    assert_non_null(data);
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)(i * 31 + i / 251);
    }
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    close(fd);
    free(data);
}

static int setup(void **state)
{
    world_setup(state);
    struct world *w = *state;
    snprintf(dir, sizeof(dir), "/tmp/quicms-http-XXXXXX");
    assert_non_null(mkdtemp(dir));
    put("index.html", 5);
    put("big.bin", BIG);
    put("empty.js", 0);
    w->root_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(w->root_fd >= 0);
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"index.html", "big.bin", "empty.js", ""};
    char path[128];

    close(w->root_fd);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        assert_int_equal(remove(path), 0);
    }
    return world_teardown(state);
}

static void settings_are_these_bytes(void **state)
{
    static const uint8_t want[] = {
        0x00,                         /* control stream */
        0x04, 0x21,                   /* SETTINGS */
        0x06, 0x80, 0x00, 0x40, 0x00, /* field section: 16,384 */
        0x01, 0x50, 0x00,             /* QPACK table: 4,096 */
        0x07, 0x10,                   /* blocked streams: 16 */
        0x33, 0x01,                   /* datagrams */
        0x08, 0x01,                   /* extended CONNECT */
        0xab, 0x60, 0x37, 0x42, 0x01, /* WebTransport, as browsers know it */
        0xc0, 0x00, 0x00, 0x00, 0xc6, 0x71, 0x70, 0x6a, 0x01, 0x94, 0xe9, 0xcd, 0x29, 0x01,
    };
    struct world *w = *state;

    world_start(w);
    for (size_t i = 0; i < w->page_count; i++) {
        if (w->page[i]->raw.len > 0 && w->page[i]->raw.data[0] == 0) {
            assert_int_equal(w->page[i]->raw.len, sizeof(want));
            assert_memory_equal(w->page[i]->raw.data, want, sizeof(want));
            return;
        }
    }
    fail_msg("no control stream");
}

static void check_pattern(const struct page_stream *s, size_t len)
{
    assert_int_equal(s->body.len, len);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(s->body.data[i], (uint8_t)(i * 31 + i / 251));
    }
}

static void get_serves_a_file(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct page_stream *s = page_get(w, "/?query");
    world_run(w);
    assert_int_equal(s->status, 200);
    assert_string_equal(s->type, "text/html; charset=utf-8");
    assert_string_equal(s->length, "5");
    check_pattern(s, 5);
    assert_true(s->fin);
    assert_null(s->st);
    assert_int_equal(w->requests, 1);
    assert_int_equal(w->last_status, 200);
    assert_int_equal(w->last_body, 5);
}

static struct page_stream *get_if(struct world *w, const char *field, const char *value)
{
    return page_request(w, 0, ":method", "GET", ":scheme", "https", ":authority", "b.test",
                        ":path", "/", field, value, NULL);
}

static void a_file_that_the_browser_has_is_not_sent_again(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct page_stream *first = page_get(w, "/");
    world_run(w);
    assert_int_equal(first->status, 200);
    assert_string_equal(first->cache, "no-cache");
    assert_int_equal(first->etag[0], '"');
    struct page_stream *same = get_if(w, "if-none-match", first->etag);
    struct page_stream *other = get_if(w, "if-none-match", "\"other\"");
    struct page_stream *date = get_if(w, "if-modified-since", first->modified);
    struct page_stream *old = get_if(w, "if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT");
    world_run(w);
    assert_int_equal(same->status, 304);
    assert_int_equal(same->body.len, 0);
    assert_string_equal(same->etag, first->etag);
    assert_string_equal(same->cache, "no-cache");
    assert_true(same->fin);
    assert_int_equal(date->status, 304);
    assert_int_equal(other->status, 200);
    assert_int_equal(other->body.len, 5);
    assert_int_equal(old->status, 200);
}

static void head_tells_the_length_only(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct page_stream *s = page_request(w, 0, ":method", "HEAD", ":scheme", "https",
                                         ":authority", "b.test", ":path", "/big.bin", NULL);
    struct page_stream *empty = page_get(w, "/empty.js");
    world_run(w);
    assert_int_equal(s->status, 200);
    assert_int_equal(strtol(s->length, NULL, 10), BIG);
    assert_int_equal(s->body.len, 0);
    assert_true(s->fin);
    assert_int_equal(empty->status, 200);
    assert_int_equal(empty->body.len, 0);
    assert_true(empty->fin);
}

static uint64_t server_buffered(struct world *w)
{
    struct qms_link *link = fake_pair_link(w->pair, 1);
    struct qms_link_stats stats;

    link->ops->stats(link, &stats);
    return stats.send_buffered;
}

static void a_large_file_never_queues_more_than_its_window(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct page_stream *s = page_get(w, "/big.bin");
    uint64_t most = 0;
    while (fake_link_pump(w->pair, 5000)) {
        uint64_t now = server_buffered(w);
        most = now > most ? now : most;
    }
    check_pattern(s, BIG);
    assert_true(s->fin);
    assert_true(most > 200 * 1024);
    assert_true(most <= 256 * 1024 + 16384 + 1024);
}

static void many_large_files_share_the_connections_window(void **state)
{
    struct world *w = *state;
    struct page_stream *s[20];
    uint64_t most = 0;

    world_start(w);
    for (size_t i = 0; i < 20; i++) {
        s[i] = page_get(w, "/big.bin");
    }
    while (fake_link_pump(w->pair, 20000)) {
        uint64_t now = server_buffered(w);
        most = now > most ? now : most;
    }
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(s[i]->body.len, BIG);
        assert_true(s[i]->fin);
    }
    assert_true(most <= 1024 * 1024 + 21 * (16384 + 1024));
}

static void a_file_that_shrinks_ends_in_a_reset(void **state)
{
    struct world *w = *state;
    char path[128];

    world_start(w);
    struct page_stream *s = page_get(w, "/big.bin");
    fake_link_pump(w->pair, 1000);
    fake_link_pump(w->pair, 1000);
    snprintf(path, sizeof(path), "%s/big.bin", dir);
    assert_int_equal(truncate(path, 300 * 1024), 0);
    world_run(w);
    assert_true(s->reset);
    assert_int_equal(s->reset_code, 0x102);
    assert_non_null(w->h3);
    put("big.bin", BIG);
}

static void a_reset_request_gives_its_window_back(void **state)
{
    struct world *w = *state;
    struct page_stream *s[8];

    world_start(w);
    for (size_t i = 0; i < 8; i++) {
        s[i] = page_get(w, "/big.bin");
    }
    for (int i = 0; i < 4; i++) {
        fake_link_pump(w->pair, 1000);
    }
    for (size_t i = 0; i < 7; i++) {
        w->client->ops->stop(s[i]->st, 0x10c);
    }
    world_run(w);
    for (size_t i = 0; i < 7; i++) {
        assert_true(s[i]->body.len < BIG);
        assert_null(s[i]->st);
    }
    check_pattern(s[7], BIG);
}

static void more_files_at_once_than_allowed_are_unavailable(void **state)
{
    struct world *w = *state;
    struct page_stream *s[40];
    unsigned ok = 0, busy = 0;

    world_start(w);
    fake_link_hold_acks(w->pair, 1, true);
    for (size_t i = 0; i < 40; i++) {
        s[i] = page_get(w, "/big.bin");
    }
    world_run(w);
    for (size_t i = 0; i < 40; i++) {
        ok += s[i]->status == 200;
        busy += s[i]->status == 503;
    }
    assert_int_equal(busy, 8);
    assert_true(ok <= 32);
    fake_link_hold_acks(w->pair, 1, false);
}

static int status_of(struct world *w, const char *method, const char *path)
{
    struct page_stream *s = page_request(w, 0, ":method", method, ":scheme", "https",
                                         ":authority", "b.test", ":path", path, NULL);
    world_run(w);
    assert_true(s->fin);
    return s->status;
}

static void refusals_carry_their_status(void **state)
{
    struct world *w = *state;

    world_start(w);
    assert_int_equal(status_of(w, "GET", "/absent"), 404);
    assert_int_equal(status_of(w, "GET", "/../etc/passwd"), 403);
    assert_int_equal(status_of(w, "GET", "/%2e%2e/etc/passwd"), 403);
    assert_int_equal(status_of(w, "GET", "/%00"), 400);
    assert_int_equal(status_of(w, "DELETE", "/"), 405);
    assert_int_equal(w->requests, 5);
}

static void a_refused_get_says_why_in_words(void **state)
{
    static const char words[] = "404 Not Found\n";
    struct world *w = *state;

    world_start(w);
    struct page_stream *s = page_get(w, "/absent");
    struct page_stream *head = page_request(w, 0, ":method", "HEAD", ":scheme", "https",
                                            ":authority", "b.test", ":path", "/absent", NULL);
    world_run(w);
    assert_int_equal(s->body.len, sizeof(words) - 1);
    assert_memory_equal(s->body.data, words, sizeof(words) - 1);
    assert_int_equal(strtol(s->length, NULL, 10), sizeof(words) - 1);
    assert_string_equal(s->type, "text/plain; charset=utf-8");
    assert_string_equal(s->cache, "no-store");
    assert_true(s->fin);
    assert_null(s->st);
    assert_int_equal(head->status, 404);
    assert_int_equal(head->body.len, 0);
    assert_null(head->st);
}

static void files_carry_the_policy_of_the_page(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct page_stream *s = page_get(w, "/");
    world_run(w);
    assert_string_equal(s->cache, "no-cache");
    assert_non_null(strstr(s->csp, "default-src 'self';"));
    assert_non_null(strstr(s->csp, "connect-src 'self' https:;"));
    assert_non_null(strstr(s->csp, "frame-ancestors 'none'"));
}

static void each_path_has_its_own_root(void **state)
{
    struct world *w = *state;

    world_start(w);
    assert_int_equal(status_of(w, "GET", "/index.html"), 200);
    assert_int_equal(status_of(w, "GET", "/second/index.html"), 404);
    put("second", 0);
    w->second_fd = w->root_fd;
    assert_int_equal(status_of(w, "GET", "/second?q"), 200);
    w->second_fd = -1;
    assert_int_equal(status_of(w, "GET", "/second?q"), 404);
    char path[128];
    snprintf(path, sizeof(path), "%s/second", dir);
    assert_int_equal(remove(path), 0);
}

static void without_a_root_everything_is_absent(void **state)
{
    struct world *w = *state;
    int root = w->root_fd;

    w->root_fd = -1;
    world_start(w);
    assert_int_equal(status_of(w, "GET", "/"), 404);
    w->root_fd = root;
}

static void send_body(struct world *w, struct page_stream *s, size_t len)
{
    static const uint8_t data[16000];

    for (; len > 0 && s->st != NULL; len -= sizeof(data)) {
        page_capsule(s, data, sizeof(data));
        world_run(w);
    }
}

static void a_moderate_upload_is_read_to_its_end_and_refused(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct page_stream *s = page_request(w, 1, ":method", "POST", ":scheme", "https",
                                         ":authority", "b.test", ":path", "/", NULL);
    send_body(w, s, 240000);
    page_fin(s);
    world_run(w);
    assert_int_equal(s->status, 405);
    assert_string_equal(s->allow, "GET, HEAD");
    assert_true(s->fin);
    assert_false(s->stopped);
    assert_null(s->st);
}

static void an_upload_without_end_is_stopped(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct page_stream *s = page_request(w, 1, ":method", "GET", ":scheme", "https",
                                         ":authority", "b.test", ":path", "/", NULL);
    send_body(w, s, 320000);
    assert_int_equal(s->status, 200);
    assert_true(s->stopped);
    assert_int_equal(s->stop_code, 0x100);
    assert_null(s->st);
    assert_int_equal(fake_link_unconsumed(w->pair, 1), 0);
}

/* As a browser does when it is told to stop sending. */
static void an_answer_survives_the_reset_of_its_request(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct page_stream *s = page_request(w, 1, ":method", "GET", ":scheme", "https",
                                         ":authority", "b.test", ":path", "/big.bin", NULL);
    fake_link_pump(w->pair, 1000);
    fake_link_pump(w->pair, 1000);
    w->client->ops->reset(s->st, 0x100);
    world_run(w);
    check_pattern(s, BIG);
    assert_true(s->fin);
    assert_false(s->reset);
    assert_null(s->st);
}

static void fields_over_16_kib_are_refused_and_over_64_kib_end_the_connection(void **state)
{
    struct world *w = *state;
    char *value = malloc(20001);
    uint64_t code;

    memset(value, 'v', 20000);
    value[20000] = 0;
    world_start(w);
    struct page_stream *s =
        page_request(w, 0, ":method", "GET", ":scheme", "https", ":authority", "b.test",
                     ":path", "/", "x-a", value, NULL);
    world_run(w);
    assert_int_equal(s->status, 431);
    page_request(w, 0, ":method", "GET", ":scheme", "https", ":authority", "b.test", ":path",
                 "/", "x-a", value, "x-b", value, "x-c", value, "x-d", value, NULL);
    world_run(w);
    assert_true(world_closed(w, &code));
    assert_int_equal(code, 0x107);
    free(value);
}

static void a_qpack_bomb_ends_the_connection(void **state)
{
    struct world *w = *state;
    struct bytes section = {0};
    uint8_t head[8] = {0x01, 0x80, 0, 0, 0};
    uint64_t code;

    /* The browser's encoder stream: capacity 4,096, then one entry of about 4,000 bytes. */
    world_start(w);
    uint8_t insert[4100] = {0x3f, 0xe1, 0x1f, 0x43, 'b', 'o', 'm', 0x7f, 0xa1, 0x1e};
    memset(insert + 10, 'x', 4000);
    page_send(w->own[1], insert, 10 + 4000);
    /* A request that names the entry 100 times: 400 kB out of 110 bytes. */
    bytes_add(&section, "\x02\x00", 2);
    bytes_add(&section, "\xd1\xd7\xc1\x50\x01z", 6);
    for (int i = 0; i < 100; i++) {
        bytes_add(&section, "\x80", 1);
    }
    head[4] = (uint8_t)section.len;
    struct page_stream *s = page_open(w, true);
    page_send(s, head, 5);
    page_send(s, section.data, section.len);
    page_fin(s);
    world_run(w);
    assert_true(world_closed(w, &code));
    assert_int_equal(code, 0x107);
    free(section.data);
}

static void a_request_that_qpack_blocks_may_be_gone_when_it_is_unblocked(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct page_stream *s = page_open(w, true);
    PAGE_SEND(s, "\x01\x0a\x02\x00\xd1\xd7\xc1\x50\x02zz\x80");
    page_fin(s);
    world_run(w);
    assert_int_equal(w->requests, 0);
    w->client->ops->stop(s->st, 0x10c);
    world_run(w);
    assert_null(s->st);
    /* The entry that it waited for: capacity 4,096, then "bom: x". */
    PAGE_SEND(w->own[1], "\x3f\xe1\x1f\x43"
                         "bom"
                         "\x01x");
    world_run(w);
    assert_non_null(w->h3);
    assert_int_equal(w->requests, 0);
}

static void a_request_that_qpack_blocks_is_answered_when_it_is_unblocked(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct page_stream *s = page_open(w, true);
    PAGE_SEND(s, "\x01\x0a\x02\x00\xd1\xd7\xc1\x50\x02zz\x80");
    page_fin(s);
    world_run(w);
    PAGE_SEND(w->own[1], "\x3f\xe1\x1f\x43"
                         "bom"
                         "\x01x");
    world_run(w);
    assert_int_equal(w->last_status, 200);
    assert_null(s->st);
    assert_int_equal(fake_link_unconsumed(w->pair, 1), 0);
}

/* --- errors that end the connection --- */

struct hostile {
    const char *name;
    bool bidi, start; /* start: the browser's own streams are there first */
    const char *bytes;
    size_t len;
    bool fin;
    uint64_t code;
};

#define ROW(name, bidi, start, bytes, fin, code)                                               \
    {                                                                                          \
        (name), (bidi), (start), (bytes), sizeof(bytes) - 1, (fin), (code)                     \
    }

static void hostile_bytes_end_the_connection_with_the_code_of_the_rfc(void **state)
{
    static const struct hostile rows[] = {
        ROW("DATA before HEADERS", true, true, "\x00\x01x", false, 0x105),
        ROW("SETTINGS on a request", true, true, "\x04\x00", false, 0x105),
        ROW("CANCEL_PUSH on a request", true, true, "\x03\x01\x00", false, 0x105),
        ROW("truncated frame", true, true, "\x01\x20\x00", true, 0x106),
        ROW("FIN in the type of a frame", true, true, "\xc0\x00", true, 0x106),
        ROW("0x41 not first", true, true, "\x21\x00\x40\x41\x00", false, 0x106),
        ROW("first control frame is not SETTINGS", false, false, "\x00\x07\x01\x00", false,
            0x10a),
        ROW("HTTP/2 setting", false, false, "\x00\x04\x02\x02\x00", false, 0x109),
        ROW("second SETTINGS", false, false, "\x00\x04\x00\x04\x00", false, 0x105),
        ROW("DATA on the control stream", false, false, "\x00\x04\x00\x00\x00", false, 0x105),
        ROW("HEADERS on the control stream", false, false, "\x00\x04\x00\x01\x00", false,
            0x105),
        ROW("FIN of the control stream", false, false, "\x00\x04\x00", true, 0x104),
        ROW("FIN right after the control type", false, false, "\x00", true, 0x104),
        ROW("FIN of the encoder stream", false, false, "\x02\x20", true, 0x104),
        ROW("second control stream", false, true, "\x00\x04\x00", false, 0x103),
        ROW("push stream", false, true, "\x01\x00", false, 0x103),
        ROW("bad static index", true, true, "\x01\x05\x00\x00\xff\xff\x03", false, 0x200),
        ROW("capacity over the limit", false, false, "\x02\x3f\xe2\x3f", false, 0x201),
        ROW("zero increment", false, false, "\x03\x00", false, 0x202),
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t chunk = 0; chunk < 2; chunk++) {
            struct world *w = world_new();
            uint64_t code;
            if (rows[i].start) {
                world_start(w);
            }
            struct page_stream *s = page_open(w, rows[i].bidi);
            page_send(s, rows[i].bytes, rows[i].len);
            if (rows[i].fin) {
                page_fin(s);
            }
            world_run_by(w, chunk);
            if (!world_closed(w, &code) || code != rows[i].code) {
                fail_msg("%s: closed %d, code 0x%x, not 0x%x", rows[i].name, w->h3 == NULL,
                         (unsigned)code, (unsigned)rows[i].code);
            }
            world_free(w);
        }
    }
}

static void reset_of_a_critical_stream_ends_the_connection(void **state)
{
    struct world *w = *state;
    uint64_t code;

    world_start(w);
    w->client->ops->reset(w->own[2]->st, 0);
    world_run(w);
    assert_true(world_closed(w, &code));
    assert_int_equal(code, 0x104);
}

static void stopping_our_control_stream_ends_the_connection(void **state)
{
    struct world *w = *state;
    uint64_t code;

    world_start(w);
    for (size_t i = 0; i < w->page_count; i++) {
        if (w->page[i]->raw.len > 0 && w->page[i]->raw.data[0] == 0) {
            w->client->ops->stop(w->page[i]->st, 0);
        }
    }
    world_run(w);
    assert_true(world_closed(w, &code));
    assert_int_equal(code, 0x104);
}

static void malformed_requests_are_reset_alone(void **state)
{
    struct world *w = *state;
    /* Field sections: no :path; :method twice; upper case; pseudo-header late; "connection". */
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        {"\x01\x04\x00\x00\xd1\xd7", 6},
        {"\x01\x06\x00\x00\xd1\xd1\xd7\xc1", 8},
        {"\x01\x0b\x00\x00\xd1\xd7\xc1\x50\x01z\x21\x41\x00", 13},
        {"\x01\x0b\x00\x00\xd7\xc1\x50\x01z\x21\x61\x00\xd1", 13},
    };

    world_start(w);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct page_stream *s = page_open(w, true);
        page_send(s, rows[i].bytes, rows[i].len);
        page_fin(s);
        world_run(w);
        assert_true(s->reset);
        assert_int_equal(s->reset_code, 0x10e);
    }
    assert_non_null(w->h3);
    assert_int_equal(w->requests, 0);
}

static void unknown_streams_and_frames_are_ignored(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct page_stream *grease = page_open(w, false);
    PAGE_SEND(grease, "\x40\x5fsome grease");
    struct page_stream *s = page_open(w, true);
    PAGE_SEND(s, "\x21\x03xyz\x01\x0b\x00\x00\xd1\xd7\xc1\x50\x04test");
    page_fin(s);
    world_run(w);
    assert_true(grease->stopped);
    assert_int_equal(grease->stop_code, 0x103);
    assert_int_equal(w->last_status, 200);
    assert_int_equal(fake_link_unconsumed(w->pair, 1), 0);
}

static void a_flood_of_resets_ends_the_connection(void **state)
{
    struct world *w = *state;
    uint64_t code;

    world_start(w);
    for (int i = 0; i < 400 && w->client != NULL; i++) {
        struct page_stream *s = page_open(w, true);
        PAGE_SEND(s, "\x01\x0a\x00");
        fake_link_pump(w->pair, 0);
        if (s->st != NULL) {
            w->client->ops->reset(s->st, 0x10c);
        }
        world_run(w);
    }
    assert_true(world_closed(w, &code));
    assert_int_equal(code, 0x107);
}

static void the_same_resets_over_minutes_do_not(void **state)
{
    struct world *w = *state;

    world_start(w);
    for (int i = 0; i < 400; i++) {
        struct page_stream *s = page_open(w, true);
        PAGE_SEND(s, "\x01\x0a\x00");
        fake_link_pump(w->pair, 0);
        w->client->ops->reset(s->st, 0x10c);
        world_wait(w, QMS_SECOND / 100);
    }
    assert_non_null(w->h3);
}

static void a_flood_of_priority_updates_ends_the_connection(void **state)
{
    struct world *w = *state;
    uint64_t code;

    world_start(w);
    for (unsigned i = 0; i < 1100 && w->client != NULL; i++) {
        unsigned id = 4 * (i % 1000);
        const uint8_t update[] = {
            0x80,        0x0f, 0x07, 0x00, 0x05, (uint8_t)(0x40 | id >> 8),
            (uint8_t)id, 'u',  '=',  '1'};
        page_send(w->own[0], update, sizeof(update));
        world_wait(w, QMS_SECOND / 100);
    }
    assert_true(world_closed(w, &code));
    assert_int_equal(code, 0x107);
}

static void a_connection_that_only_gets_files_is_left_open(void **state)
{
    struct world *w = *state;

    world_start(w);
    page_get(w, "/");
    world_run(w);
    assert_true(qms_h3_next_at(w->h3) == QMS_NEVER);
    world_wait(w, 3600 * QMS_SECOND);
    assert_non_null(w->h3);
}

static void closing_waits_for_answers_and_refuses_new_requests(void **state)
{
    struct world *w = *state;
    uint64_t code;

    world_start(w);
    struct page_stream *s = page_get(w, "/big.bin");
    fake_link_pump(w->pair, 1000);
    fake_link_pump(w->pair, 1000);
    qms_h3_close(w->h3, 0, (struct qms_bytes){NULL, 0});
    struct page_stream *late = page_open(w, true);
    PAGE_SEND(late, "\x01\x0b\x00\x00\xd1\xd7\xc1\x50\x04test");
    page_fin(late);
    world_run(w);
    assert_int_equal(s->body.len, BIG);
    assert_true(late->reset);
    assert_int_equal(late->reset_code, 0x10b);
    assert_true(world_closed(w, &code));
    assert_int_equal(code, 0x100);
}

static void closing_does_not_wait_for_ever(void **state)
{
    struct world *w = *state;
    uint64_t code;

    world_start(w);
    page_get(w, "/big.bin");
    fake_link_hold_acks(w->pair, 1, true);
    world_run(w);
    qms_h3_close(w->h3, 0, (struct qms_bytes){NULL, 0});
    world_wait(w, QMS_SECOND);
    assert_non_null(w->h3);
    world_wait(w, QMS_SECOND);
    assert_true(world_closed(w, &code));
    assert_int_equal(code, 0x100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(settings_are_these_bytes),
        QMS_TEST(get_serves_a_file),
        QMS_TEST(a_file_that_the_browser_has_is_not_sent_again),
        QMS_TEST(head_tells_the_length_only),
        QMS_TEST(a_large_file_never_queues_more_than_its_window),
        QMS_TEST(many_large_files_share_the_connections_window),
        QMS_TEST(a_file_that_shrinks_ends_in_a_reset),
        QMS_TEST(a_reset_request_gives_its_window_back),
        QMS_TEST(more_files_at_once_than_allowed_are_unavailable),
        QMS_TEST(refusals_carry_their_status),
        QMS_TEST(a_refused_get_says_why_in_words),
        QMS_TEST(files_carry_the_policy_of_the_page),
        QMS_TEST(each_path_has_its_own_root),
        QMS_TEST(without_a_root_everything_is_absent),
        QMS_TEST(a_moderate_upload_is_read_to_its_end_and_refused),
        QMS_TEST(an_upload_without_end_is_stopped),
        QMS_TEST(an_answer_survives_the_reset_of_its_request),
        QMS_TEST(fields_over_16_kib_are_refused_and_over_64_kib_end_the_connection),
        QMS_TEST(a_qpack_bomb_ends_the_connection),
        QMS_TEST(a_request_that_qpack_blocks_may_be_gone_when_it_is_unblocked),
        QMS_TEST(a_request_that_qpack_blocks_is_answered_when_it_is_unblocked),
        QMS_TEST(hostile_bytes_end_the_connection_with_the_code_of_the_rfc),
        QMS_TEST(reset_of_a_critical_stream_ends_the_connection),
        QMS_TEST(stopping_our_control_stream_ends_the_connection),
        QMS_TEST(malformed_requests_are_reset_alone),
        QMS_TEST(unknown_streams_and_frames_are_ignored),
        QMS_TEST(a_flood_of_resets_ends_the_connection),
        QMS_TEST(the_same_resets_over_minutes_do_not),
        QMS_TEST(a_flood_of_priority_updates_ends_the_connection),
        QMS_TEST(a_connection_that_only_gets_files_is_left_open),
        QMS_TEST(closing_waits_for_answers_and_refuses_new_requests),
        QMS_TEST(closing_does_not_wait_for_ever),
    };
    return cmocka_run_group_tests_name("h3_http", tests, NULL, NULL);
}
