/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "fake_bare.h"
#include "qms_test.h"
#include "session_duo.h"

#define B(...)       ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})
#define NEVER_CLOSES 1000000

/* An accepting session at side 1; the test is the agent at side 0. */
struct fixture {
    struct fake_pair *pair;
    struct duo_side side;
    struct bare bare;
    struct bare_stream *control;
    struct qms_session_limits limits;
};

static void settle(struct fixture *f)
{
    do {
        fake_link_settle(f->pair);
        if (f->side.s != NULL && qms_session_next_at(f->side.s) <= fake_link_now(f->pair)) {
            qms_session_expire(f->side.s, fake_link_now(f->pair));
        }
    } while (fake_link_pump(f->pair, 0));
}

static void start(struct fixture *f, unsigned malformed_per_minute)
{
    memset(f, 0, sizeof(*f));
    f->limits = duo_limits;
    f->limits.malformed_per_minute = malformed_per_minute;
    f->pair = fake_pair_new(NULL);
    assert_non_null(f->pair);
    bare_init(&f->bare, f->pair, 0);
    assert_non_null(duo_one(&f->side, fake_pair_link(f->pair, 1), false, &f->limits));
}

static const uint8_t hello[] = {0x01, 0x01, 0x06, 0x01, 0x01, 0x02, 'a', '1', 0x00};

static void greet(struct fixture *f)
{
    f->control = bare_open(&f->bare, true);
    assert_true(bare_write(f->control, hello, sizeof(hello)));
    settle(f);
    assert_string_equal(duo_take(&f->side), "hello a1\n");
}

static void end(struct fixture *f)
{
    qms_session_free(f->side.s);
    free(f->side.log);
    fake_pair_free(f->pair);
    bare_fini(&f->bare);
    qms_blob_trim();
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    start(f, 16);
    greet(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    end(*state);
    free(*state);
    return 0;
}

/* Opens a stream with these bytes and lets things happen. */
static struct bare_stream *throw_at(struct fixture *f, bool bidi, const void *data, size_t len,
                                    bool fin)
{
    struct bare_stream *st = bare_open(&f->bare, bidi);

    assert_non_null(st);
    assert_true(bare_write(st, data, len));
    if (fin) {
        bare_finish(st);
    }
    settle(f);
    return st;
}

/* Both directions ended with `code`, and nothing else did. */
static void check_refused(struct fixture *f, const struct bare_stream *st, uint64_t code)
{
    assert_true(st->reset);
    assert_int_equal(st->reset_code, code);
    assert_true(st->stopped);
    assert_int_equal(st->stop_code, code);
    assert_null(st->ls);
    assert_false(f->bare.closed);
    assert_int_equal(fake_link_unconsumed(f->pair, 1), 0);
    assert_int_equal(fake_link_streams(f->pair, 1), 1);
}

static void check_closed(struct fixture *f, uint64_t code)
{
    assert_true(f->side.ended);
    assert_true(f->bare.closed);
    assert_true(f->bare.closed_by_peer);
    assert_int_equal(f->bare.code, code);
}

/* META `hi` behind it, as in the vectors. */
static const uint8_t route[] = {0x02, 0x0a, 0x00, 0x10, 0x01, 0x00,
                                0x01, 0x62, 0x08, 0x02, 0x68, 0x69};

static void the_vectors_of_the_document_are_understood(void **state)
{
    struct fixture *f = *state;

    struct bare_stream *st = throw_at(f, true, route, sizeof(route), true);
    assert_string_equal(duo_take(&f->side), "route 0 agent:b 16\nfin 0\n");
    assert_int_equal(st->len, 2);
    assert_memory_equal(st->data, "\x01\x00", 2);
}

static void long_encodings_of_numbers_are_accepted(void **state)
{
    struct fixture *f = *state;

    /* type 2, length 14, flags, priority, kind 1, handle 7, "b" */
    throw_at(f, false,
             B(0xc0, 0, 0, 0, 0, 0, 0, 0x02, 0x80, 0, 0, 0x0e, 0x00, 0x10, 0x40, 0x01, 0xc0, 0,
               0, 0, 0, 0, 0, 0x07, 0x01, 0x62),
             false);
    assert_string_equal(duo_take(&f->side), "route 7 agent:b 16\n");
}

static void a_header_cut_short_at_any_byte_is_a_protocol_error_of_its_stream(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(route); len++) {
        for (int bidi = 0; bidi < 2; bidi++) {
            struct fixture f;
            start(&f, 16);
            greet(&f);
            struct bare_stream *st = throw_at(&f, bidi, route, len, true);
            assert_string_equal(duo_take(&f.side), "odd malformed_header\n");
            assert_int_equal(st->reset, bidi);
            assert_true(!bidi || st->reset_code == QMS_CODE_PROTOCOL);
            assert_null(st->ls);
            assert_false(f.bare.closed);
            end(&f);
        }
    }
}

static void a_header_cut_short_by_reset_is_not_told(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(route); len++) {
        struct fixture f;
        start(&f, 16);
        greet(&f);
        struct bare_stream *st = throw_at(&f, true, route, len, false);
        st->ls->link->ops->reset(st->ls, 0x80);
        settle(&f);
        assert_string_equal(duo_take(&f.side), "");
        assert_null(st->ls);
        end(&f);
    }
}

struct row {
    const char *what;
    const uint8_t *data;
    size_t len;
    uint64_t code;
};

static const struct row malformed[] = {
    {"inner length overruns", B(0x02, 0x06, 0, 0x10, 1, 0, 2, 'b'), QMS_CODE_PROTOCOL},
    {"bytes behind the fields", B(0x02, 0x07, 0, 0x10, 1, 0, 1, 'b', 0x08), QMS_CODE_PROTOCOL},
    {"TLV length overruns", B(0x02, 0x08, 0, 0x10, 1, 0, 1, 'b', 8, 3), QMS_CODE_PROTOCOL},
    {"a reserved flag", B(0x02, 0x06, 0x08, 0x10, 1, 0, 1, 'b'), QMS_CODE_PROTOCOL},
    {"descending TLVs", B(0x02, 0x0a, 0, 0x10, 1, 0, 1, 'b', 8, 0, 6, 0), QMS_CODE_PROTOCOL},
    {"duplicate TLVs", B(0x02, 0x0a, 0, 0x10, 1, 0, 1, 'b', 8, 0, 8, 0), QMS_CODE_PROTOCOL},
    {"a bad name", B(0x02, 0x06, 0, 0x10, 1, 0, 1, ' '), QMS_CODE_PROTOCOL},
    {"an empty name", B(0x02, 0x05, 0, 0x10, 1, 0, 0), QMS_CODE_PROTOCOL},
    {"a kind that is none", B(0x02, 0x06, 0, 0x10, 5, 0, 1, 'b'), QMS_CODE_PROTOCOL},
    {"a name for SELF", B(0x02, 0x06, 0, 0x10, 0, 0, 1, 'b'), QMS_CODE_PROTOCOL},
    {"a topic both ways", B(0x02, 0x06, 0, 0x10, 3, 0, 1, 'b'), QMS_CODE_PROTOCOL},
    {"SOURCE from an agent", B(0x02, 0x09, 0, 0x10, 1, 0, 1, 'b', 1, 1, 'x'),
     QMS_CODE_PROTOCOL},
    {"a handle of 2^60", B(0x02, 0x0d, 0, 0x10, 1, 0xd0, 0, 0, 0, 0, 0, 0, 0, 1, 'b'),
     QMS_CODE_PROTOCOL},
    {"unknown critical TLV", B(0x02, 0x08, 0, 0x10, 1, 0, 1, 'b', 0x05, 0),
     QMS_CODE_UNSUPPORTED},
    {"a header of 4,097 bytes", B(0x02, 0x50, 0x01), QMS_CODE_TOO_LARGE},
    {"a header of 2^62 bytes", B(0x02, 0xff, 255, 255, 255, 255, 255, 255, 255),
     QMS_CODE_TOO_LARGE},
    {"grease", B(0x21, 'x'), QMS_CODE_UNSUPPORTED},
    {"a long grease", B(0xc0, 0, 0, 0, 0, 0, 0x10, 0x21, 1), QMS_CODE_UNSUPPORTED},
    {"type 0", B(0x00), QMS_CODE_UNSUPPORTED},
};

static void each_malformed_header_is_answered_on_its_stream_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        for (size_t chunk = 0; chunk < 2; chunk++) { /* at once, and byte by byte */
            struct fixture f;
            start(&f, 16);
            greet(&f);
            struct bare_stream *st = bare_open(&f.bare, true);
            assert_true(bare_write(st, malformed[i].data, malformed[i].len));
            assert_true(bare_write(st, "payload that nobody reads", 25));
            fake_link_settle_by(f.pair, chunk);
            if (!st->reset) {
                print_error("not refused: %s\n", malformed[i].what);
            }
            check_refused(&f, st, malformed[i].code);
            assert_int_equal(f.side.routes, 0);
            end(&f);
        }
    }
}

static void the_seventeenth_malformed_header_in_a_minute_closes(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 16; i++) {
        throw_at(f, true, malformed[0].data, malformed[0].len, false);
    }
    assert_false(f->bare.closed);
    throw_at(f, true, malformed[0].data, malformed[0].len, false);
    check_closed(f, QMS_CODE_PROTOCOL);
    assert_string_equal(f->bare.reason, "too much malformed input");
}

static void a_minute_later_the_budget_is_whole_again(void **state)
{
    struct fixture *f = *state;

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 16; i++) {
            throw_at(f, true, malformed[0].data, malformed[0].len, false);
        }
        fake_link_advance(f->pair, 60 * QMS_SECOND);
    }
    assert_false(f->bare.closed);
}

static void grease_costs_no_budget(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 100; i++) {
        struct bare_stream *st = throw_at(f, true, B(0x40, 0x40, 1, 2, 3), false);
        assert_int_equal(st->stop_code, QMS_CODE_UNSUPPORTED);
    }
    assert_false(f->bare.closed);
    assert_int_equal(f->side.oddities, 0);
}

static void a_handle_used_twice_is_a_protocol_error(void **state)
{
    struct fixture *f = *state;

    throw_at(f, true, route, sizeof(route), false); /* lives */
    struct bare_stream *st = throw_at(f, true, route, sizeof(route), false);
    assert_int_equal(st->stop_code, QMS_CODE_PROTOCOL);
    assert_true(st->stopped);

    st = throw_at(f, false, B(0x02, 0x06, 0, 0x10, 1, 5, 1, 'b'), true); /* has ended */
    assert_null(st->ls);
    st = throw_at(f, false, B(0x02, 0x06, 0, 0x10, 1, 5, 1, 'b'), false);
    assert_true(st->stopped);
    assert_int_equal(st->stop_code, QMS_CODE_PROTOCOL);
    assert_int_equal(f->side.routes, 2);
}

static void a_second_control_stream_closes(void **state)
{
    struct fixture *f = *state;

    throw_at(f, true, B(0x01), false);
    check_closed(f, QMS_CODE_PROTOCOL);
}

static void a_unidirectional_control_stream_closes(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, 16);
    throw_at(&f, false, hello, sizeof(hello), false);
    check_closed(&f, QMS_CODE_PROTOCOL);
    end(&f);
}

static void the_accepting_side_may_not_open_control(void **state)
{
    struct fake_pair *pair = fake_pair_new(NULL);
    struct duo_side side = {0};
    struct bare bare;

    (void)state;
    bare_init(&bare, pair, 1);
    assert_non_null(duo_one(&side, fake_pair_link(pair, 0), true, NULL));
    struct bare_stream *st = bare_open(&bare, true);
    assert_true(bare_write(st, B(0x01)));
    fake_link_settle(pair);
    assert_true(bare.closed);
    assert_int_equal(bare.code, QMS_CODE_PROTOCOL);
    free(side.log);
    fake_pair_free(pair);
    bare_fini(&bare);
}

static void fin_on_control_closes(void **state)
{
    struct fixture *f = *state;

    bare_finish(f->control);
    settle(f);
    check_closed(f, QMS_CODE_PROTOCOL);
}

static void reset_on_control_closes(void **state)
{
    struct fixture *f = *state;

    f->control->ls->link->ops->reset(f->control->ls, 0);
    settle(f);
    check_closed(f, QMS_CODE_PROTOCOL);
}

static void stop_sending_on_control_closes(void **state)
{
    struct fixture *f = *state;

    f->control->ls->link->ops->stop(f->control->ls, 0);
    settle(f);
    check_closed(f, QMS_CODE_PROTOCOL);
}

static void hello_cut_short_at_any_byte_closes(void **state)
{
    (void)state;
    for (size_t len = 1; len < sizeof(hello); len++) {
        struct fixture f;
        start(&f, 16);
        throw_at(&f, true, hello, len, true);
        assert_string_equal(duo_take(&f.side), "end here protocol \"CONTROL ended\"\n");
        check_closed(&f, QMS_CODE_PROTOCOL);
        end(&f);
    }
}

/* One of each message that an agent may send, behind a good HELLO. */
static const struct row messages[] = {
    {"GOAWAY", B(0x07, 0x02, 0, 0), 0},
    {"JOIN", B(0x09, 0x04, 1, 2, 1, 'g'), 0},
    {"LEAVE", B(0x0b, 0x04, 1, 2, 1, 'g'), 0},
    {"WATCH", B(0x0d, 0x02, 1, 0), 0},
    {"UNWATCH", B(0x0f, 0x02, 2, 1), 0},
    {"PRESENCE", B(0x10, 0x04, 1, 1, 1, 'n'), 0},
    {"REPLY", B(0x11, 0x02, 1, 0), 0},
    {"PRIORITY", B(0x13, 0x05, 0, 0, 1, 5, 0), 0},
    {"DGRAM_BIND", B(0x15, 0x05, 3, 1, 1, 'b', 9), 0},
    {"DGRAM_UNBIND", B(0x17, 0x01, 3), 0},
    {"STREAM_STATUS", B(0x19, 0x05, 0, 0, 7, 1, 'r'), 0},
    {"AUTH", B(0x1b, 0x05, 1, 1, 't', 'o', 'k'), 0},
    {"PING", B(0x1d, 0x08, 0, 1, 2, 3, 4, 5, 6, 7), 0},
    {"PONG", B(0x1f, 0x08, 0, 1, 2, 3, 4, 5, 6, 7), 0},
    {"THROTTLED", B(0x20, 0x02, 1, 5), 0},
    {"STATS_REQUEST", B(0x21, 0x02, 1, 0), 0},
    {"STATS", B(0x22, 0x01, 1), 0},
    {"an unknown even type", B(0x24, 0x03, 1, 2, 3), 0},
    {"a long unknown even type", B(0x7f, 0xfe, 0x00), 0},
};

static void each_message_is_taken_whole_and_cut_short_it_closes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        for (size_t len = 1; len <= messages[i].len; len++) {
            struct fixture f;
            start(&f, 16);
            greet(&f);
            assert_true(bare_write(f.control, messages[i].data, len));
            fake_link_settle_by(f.pair, 1);
            if (f.bare.closed) {
                print_error("closed by %s at %zu: %s\n", messages[i].what, len, f.bare.reason);
            }
            assert_false(f.bare.closed);
            if (len < messages[i].len) {
                bare_finish(f.control);
                settle(&f);
                check_closed(&f, QMS_CODE_PROTOCOL);
            }
            end(&f);
        }
    }
}

static void a_length_that_does_not_fit_its_message_closes(void **state)
{
    (void)state;
    for (size_t i = 0; i + 2 < sizeof(messages) / sizeof(messages[0]); i++) {
        static const int by[] = {-1, 1};
        for (size_t k = 0; k < 2; k++) {
            struct fixture f;
            uint8_t broken[32] = {0};
            memcpy(broken, messages[i].data, messages[i].len);
            broken[1] = (uint8_t)(broken[1] + by[k]);
            bool open_ended = messages[i].data[0] == QMS_MSG_AUTH; /* a token of any length */
            start(&f, 16);
            greet(&f);
            assert_true(bare_write(f.control, broken, messages[i].len + 1));
            settle(&f);
            if (f.bare.closed == open_ended) {
                print_error("%s, length %+d\n", messages[i].what, by[k]);
            }
            assert_int_equal(f.bare.closed, !open_ended);
            end(&f);
        }
    }
}

static const struct row bad_control[] = {
    {"unknown odd type", B(0x23, 0), QMS_CODE_UNSUPPORTED},
    {"HELLO again", hello + 1, sizeof(hello) - 1, QMS_CODE_PROTOCOL},
    {"WELCOME to the broker",
     B(0x03, 0x17, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 1, 'a', 0, 0, 0, 0),
     QMS_CODE_PROTOCOL},
    {"REFUSED to the broker", B(0x05, 0x03, 1, 0, 0), QMS_CODE_PROTOCOL},
    {"a message of 16,385 bytes", B(0x07, 0x80, 0, 0x40, 0x01), QMS_CODE_PROTOCOL},
    {"context 0 bound", B(0x15, 0x05, 0, 1, 1, 'b', 9), QMS_CODE_PROTOCOL},
    {"PRIORITY without a mask", B(0x13, 0x05, 0, 0, 0, 5, 0), QMS_CODE_PROTOCOL},
    {"PRIORITY by a third side", B(0x13, 0x05, 0, 2, 1, 5, 0), QMS_CODE_PROTOCOL},
    {"forward by the acceptor", B(0x13, 0x05, 0, 1, 1, 5, 0), QMS_CODE_PROTOCOL},
    {"a bad name", B(0x09, 0x04, 1, 2, 1, ' '), QMS_CODE_PROTOCOL},
};

static void each_error_on_control_closes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_control) / sizeof(bad_control[0]); i++) {
        struct fixture f;
        start(&f, 16);
        greet(&f);
        assert_true(bare_write(f.control, bad_control[i].data, bad_control[i].len));
        fake_link_settle_by(f.pair, 1);
        if (!f.bare.closed) {
            print_error("not closed: %s\n", bad_control[i].what);
        }
        check_closed(&f, bad_control[i].code);
        end(&f);
    }
}

static void control_that_does_not_begin_with_hello_closes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        struct fixture f;
        start(&f, 16);
        struct bare_stream *st = bare_open(&f.bare, true);
        assert_true(bare_write(st, B(0x01)));
        assert_true(bare_write(st, messages[i].data, messages[i].len));
        assert_true(bare_write(st, (const uint8_t[512]){0}, 512)); /* ends the long one */
        settle(&f);
        check_closed(&f, QMS_CODE_PROTOCOL);
        end(&f);
    }
}

static void a_connecting_side_is_answered_by_welcome_or_refused_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        struct fake_pair *pair = fake_pair_new(NULL);
        struct duo_side side = {0};
        struct bare bare;
        struct qms_control m = {.type = QMS_MSG_HELLO};

        bare_init(&bare, pair, 1);
        assert_non_null(duo_one(&side, fake_pair_link(pair, 0), true, NULL));
        m.u.hello.min_version = m.u.hello.max_version = 1;
        assert_int_equal(qms_session_hello(side.s, &m), QMS_OK);
        fake_link_settle(pair);
        assert_true(bare_write(bare.streams, messages[i].data, messages[i].len));
        assert_true(bare_write(bare.streams, (const uint8_t[512]){0}, 512));
        fake_link_settle(pair);
        assert_true(bare.closed);
        assert_int_equal(bare.code, QMS_CODE_PROTOCOL);
        free(side.log);
        fake_pair_free(pair);
        bare_fini(&bare);
    }
}

/* ---- RESULT ---- */

static struct bare_stream *ask(struct fixture *f)
{
    assert_non_null(duo_open(&f->side, true, "a1", 9));
    settle(f);
    return f->bare.streams;
}

static const uint8_t result[] = {0x04, 0x07, 0x02, 0x01, 'r'};

static void a_result_cut_short_at_any_byte_ends_its_stream(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(result); len++) {
        struct fixture f;
        start(&f, 16);
        greet(&f);
        struct bare_stream *st = ask(&f);
        assert_true(bare_write(st, result, len));
        bare_finish(st);
        fake_link_settle_by(f.pair, 1);
        assert_string_equal(
            duo_take(&f.side),
            "reset 0 protocol\nstop 0 protocol\nodd malformed_result\nclosed 0\n");
        assert_true(st->reset);
        assert_int_equal(st->reset_code, QMS_CODE_PROTOCOL);
        assert_false(f.bare.closed);
        end(&f);
    }
}

static const struct row bad_result[] = {
    {"empty", B(0x00), QMS_CODE_PROTOCOL},
    {"over 1,024 bytes", B(0x44, 0x01, 0), QMS_CODE_TOO_LARGE},
    {"a TLV that overruns", B(0x04, 0x07, 0x02, 0x09, 'r'), QMS_CODE_PROTOCOL},
    {"an unknown critical TLV", B(0x03, 0x00, 0x05, 0x00), QMS_CODE_UNSUPPORTED},
    {"descending TLVs", B(0x05, 0x00, 0x08, 0x00, 0x06, 0x00), QMS_CODE_PROTOCOL},
};

static void a_malformed_result_ends_its_stream(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_result) / sizeof(bad_result[0]); i++) {
        struct fixture f;
        start(&f, 16);
        greet(&f);
        struct bare_stream *st = ask(&f);
        assert_true(bare_write(st, bad_result[i].data, bad_result[i].len));
        fake_link_settle_by(f.pair, 1);
        if (!st->stopped) {
            print_error("not refused: %s\n", bad_result[i].what);
        }
        check_refused(&f, st, bad_result[i].code);
        assert_int_equal(f.side.results, 0);
        end(&f);
    }
}

static void payload_behind_a_refusal_is_dropped(void **state)
{
    struct fixture *f = *state;

    struct bare_stream *st = ask(f);
    assert_true(bare_write(st, B(0x01, 0x07, 'x', 'y')));
    settle(f);
    assert_string_equal(duo_take(&f->side), "result 0 offline \nclosed 0\n");
    assert_true(st->stopped);
    assert_int_equal(f->side.bytes, 0);
    assert_int_equal(fake_link_unconsumed(f->pair, 1), 0);
}

static void a_refusal_in_all_its_forms_is_told_once(void **state)
{
    struct fixture *f = *state;
    struct qms_route_header h = {.kind = QMS_KIND_AGENT};
    struct qms_session_stream *route_out;

    h.target = h.source = duo_text("a1");
    assert_int_equal(qms_session_open(f->side.s, false, &h, NULL, &route_out), QMS_OK);
    settle(f);
    /* STREAM_STATUS twice and STOP_SENDING; a status of 0 means nothing. */
    assert_true(bare_write(f->control, B(0x19, 0x04, 0, 1, 0, 0)));
    assert_true(bare_write(f->control, B(0x19, 0x05, 0, 1, 7, 1, 'r')));
    assert_true(bare_write(f->control, B(0x19, 0x05, 0, 1, 9, 1, 's')));
    struct bare_stream *st = f->bare.streams;
    st->ls->link->ops->stop(st->ls, 9);
    settle(f);
    assert_string_equal(duo_take(&f->side), "result 0 offline r\nclosed 0\n");
}

/* ---- anything at all ---- */

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void random_bytes_break_nothing(void **state)
{
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 60; round++) {
        struct fixture f;
        start(&f, NEVER_CLOSES);
        f.side.quiet = f.side.echoes = true;
        if (round % 3 != 0) {
            f.control = bare_open(&f.bare, true);
            assert_true(bare_write(f.control, hello, sizeof(hello)));
            settle(&f);
        }
        for (int i = 0; i < 60 && !f.bare.closed; i++) {
            uint8_t noise[64];
            size_t len = next_random(&seed) % sizeof(noise);
            for (size_t k = 0; k < len; k++) {
                noise[k] = (uint8_t)next_random(&seed);
            }
            noise[0] = (uint8_t)(next_random(&seed) % 4); /* a type that is known, mostly */
            noise[1] = (uint8_t)(next_random(&seed) % 16);
            noise[2] &= 7;
            noise[4] &= 3;
            throw_at(&f, next_random(&seed) % 2, noise, len, next_random(&seed) % 2);
        }
        fake_link_advance(f.pair, 6 * QMS_SECOND);
        settle(&f);
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(the_vectors_of_the_document_are_understood),
        QMS_TEST(long_encodings_of_numbers_are_accepted),
        QMS_TEST(a_header_cut_short_at_any_byte_is_a_protocol_error_of_its_stream),
        QMS_TEST(a_header_cut_short_by_reset_is_not_told),
        QMS_TEST(each_malformed_header_is_answered_on_its_stream_alone),
        QMS_TEST(the_seventeenth_malformed_header_in_a_minute_closes),
        QMS_TEST(a_minute_later_the_budget_is_whole_again),
        QMS_TEST(grease_costs_no_budget),
        QMS_TEST(a_handle_used_twice_is_a_protocol_error),
        QMS_TEST(a_second_control_stream_closes),
        QMS_TEST(a_unidirectional_control_stream_closes),
        QMS_TEST(the_accepting_side_may_not_open_control),
        QMS_TEST(fin_on_control_closes),
        QMS_TEST(reset_on_control_closes),
        QMS_TEST(stop_sending_on_control_closes),
        QMS_TEST(hello_cut_short_at_any_byte_closes),
        QMS_TEST(each_message_is_taken_whole_and_cut_short_it_closes),
        QMS_TEST(a_length_that_does_not_fit_its_message_closes),
        QMS_TEST(each_error_on_control_closes),
        QMS_TEST(control_that_does_not_begin_with_hello_closes),
        QMS_TEST(a_connecting_side_is_answered_by_welcome_or_refused_only),
        QMS_TEST(a_result_cut_short_at_any_byte_ends_its_stream),
        QMS_TEST(a_malformed_result_ends_its_stream),
        QMS_TEST(payload_behind_a_refusal_is_dropped),
        QMS_TEST(a_refusal_in_all_its_forms_is_told_once),
        QMS_TEST(random_bytes_break_nothing),
    };
    return cmocka_run_group_tests_name("session_hostile", tests, NULL, NULL);
}
