/* SPDX-License-Identifier: MIT */
/* Streams that leave before WELCOME, and the store of tickets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client_fixture.h"

/* Not yet connected to; early data possible. */
static struct fixture *early(enum welcome welcome, const char *written, bool finish,
                             struct watch *w)
{
    struct fixture *f = fixture_new(welcome, NULL);
    size_t taken = 0;

    open_to(f, w, "b", QMS_OPEN_IDEMPOTENT);
    if (written[0] != '\0') {
        assert_int_equal(qms_stream_write(w->st, text(written), &taken), QMS_OK);
    }
    if (finish) {
        assert_int_equal(qms_stream_finish(w->st), QMS_OK);
    }
    qms_streams_launch_early(f->conn);
    return f;
}

static void an_idempotent_stream_leaves_once(void **state)
{
    struct watch w = {0};
    struct fixture *f = early(WELCOME, "early", true, &w);
    (void)state;

    assert_true(w.st->early);
    assert_true(w.st->session_stream->link_stream->early);
    settle(f);
    assert_false(w.st->early);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->streams[0]->len, 5);
    assert_true(f->streams[0]->fin);
    peer_answers(f->streams[0], 0, "");
    peer_writes(f->streams[0], "yes", true);
    settle(f);
    assert_string_equal(w.log, "rRC");
    assert_int_equal(w.closed, QMS_OK);
    assert_int_equal(f->conn->waiting_count, 0);
    fixture_free(f);
}

static void what_is_written_meanwhile_follows_behind_welcome(void **state)
{
    struct watch w = {0};
    struct fixture *f = early(SILENT, "first ", false, &w);
    size_t taken = 0;
    (void)state;

    settle(f);
    assert_int_equal(f->count, 0); /* held by the broker */
    assert_int_equal(qms_stream_write(w.st, text("second"), &taken), QMS_OK);
    assert_int_equal(qms_stream_finish(w.st), QMS_OK);
    assert_int_equal(qms_stream_set_priority(w.st, 3, -1), QMS_OK);
    {
        struct qms_control m = {.type = QMS_MSG_WELCOME};

        m.u.welcome.agent_id = text("me");
        assert_int_equal(qms_session_welcome(f->peer, &m), QMS_OK);
    }
    settle(f);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->streams[0]->len, 12);
    assert_memory_equal(f->streams[0]->data, "first second", 12);
    assert_true(f->streams[0]->fin);
    assert_int_equal(f->streams[0]->priority, 3);
    fixture_free(f);
}

static void others_wait(void **state)
{
    struct watch w = {0}, large = {0};
    struct fixture *f = fixture_new(SILENT, NULL);
    static char much[9000];
    size_t taken = 0;
    (void)state;

    open_to(f, &w, "b", 0);
    open_to(f, &large, "b", QMS_OPEN_IDEMPOTENT);
    memset(much, 'm', sizeof(much) - 1);
    assert_int_equal(qms_stream_write(large.st, text(much), &taken), QMS_OK);
    qms_streams_launch_early(f->conn);
    assert_false(w.st->early);
    assert_false(large.st->early);
    fixture_free(f);
}

static void their_number_is_bounded(void **state)
{
    struct watch w[12] = {0};
    struct fixture *f = fixture_new(SILENT, NULL);
    unsigned count = 0;
    (void)state;

    for (int i = 0; i < 12; i++) {
        open_to(f, &w[i], "b", QMS_OPEN_IDEMPOTENT);
    }
    qms_streams_launch_early(f->conn);
    for (int i = 0; i < 12; i++) {
        count += w[i].st->early;
    }
    assert_int_equal(count, 8);
    fixture_free(f);
}

static void a_stream_that_left_in_vain_waits_again(void **state)
{
    struct watch w = {0};
    struct fixture *f = fixture_reconnecting(SILENT);
    size_t taken = 0;
    (void)state;

    open_to(f, &w, "b", QMS_OPEN_IDEMPOTENT);
    assert_int_equal(qms_stream_write(w.st, text("early"), &taken), QMS_OK);
    assert_int_equal(qms_stream_finish(w.st), QMS_OK);
    qms_streams_launch_early(f->conn);
    settle(f);
    f->welcome = WELCOME;
    fake_link_break(f->pair, QMS_E_IDLE);
    settle(f);
    assert_string_equal(w.log, "");
    pass(f, QMS_SECOND);
    assert_string_equal(f->log, "xy");
    assert_int_equal(f->count, 1);
    assert_memory_equal(f->streams[0]->data, "early", 5);
    assert_true(f->streams[0]->fin);
    fixture_free(f);
}

static void it_may_be_reset_and_released_at_any_time(void **state)
{
    struct watch w = {0};
    struct fixture *f = early(SILENT, "early", false, &w);
    (void)state;

    qms_stream_reset(w.st, 0x80);
    settle(f);
    assert_string_equal(w.log, "RC");
    fixture_free(f);

    struct watch v = {0};
    f = early(WELCOME, "early", false, &v);
    qms_stream_release(v.st);
    settle(f);
    assert_string_equal(f->log, "y");
    fixture_free(f);

    struct watch u = {0};
    f = early(WELCOME, "early", true, &u);
    qms_stream_release(u.st); /* finished: it goes on */
    settle(f);
    assert_int_equal(f->count, 1);
    assert_true(f->streams[0]->fin);
    fixture_free(f);

    struct watch t = {0};
    f = early(SILENT, "early", true, &t);
    qms_connection_close(f->conn, 0x81, NULL);
    settle(f);
    assert_string_equal(t.log, "RC");
    assert_int_equal(t.closed, QMS_E_WIRE + 0x81);
    fixture_free(f);
}

static void a_refused_agent_ends_it(void **state)
{
    struct watch w = {0};
    struct fixture *f = early(REFUSE, "early", true, &w);
    (void)state;

    settle(f);
    assert_string_equal(f->log, "fc");
    assert_string_equal(w.log, "RC");
    assert_int_equal(w.closed, QMS_E_WIRE_UNAUTHENTICATED);
    fixture_free(f);
}

/* ---- the store ---- */

static void the_folder_keeps_one_secret_file_a_key(void **state)
{
    char dir[] = "/tmp/quicms-tickets-XXXXXX", path[128];
    struct fixture *f = fixture_new(WELCOME, NULL);
    uint8_t buf[64];
    struct stat st;
    (void)state;

    assert_non_null(mkdtemp(dir));
    assert_int_equal(qms_options_set_ticket_dir(&f->conn->settings, dir), QMS_OK);
    assert_int_equal(qms_ticket_load(f->conn, buf, sizeof(buf)), 0); /* no key */
    strcpy(f->conn->ticket_key, "abcd");
    assert_int_equal(qms_ticket_load(f->conn, buf, sizeof(buf)), 0);
    qms_ticket_note(f->conn, text("older"));
    qms_ticket_note(f->conn, text("newer"));
    settle(f);
    (void)snprintf(path, sizeof(path), "%s/abcd.ticket", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(qms_ticket_load(f->conn, buf, sizeof(buf)), 5);
    assert_memory_equal(buf, "newer", 5);
    assert_int_equal(qms_ticket_load(f->conn, buf, sizeof(buf)), 0); /* used once */
    assert_int_equal(rmdir(dir), 0);                                 /* nothing is left */
    qms_ticket_note(f->conn, text("nowhere"));
    settle(f);
    fixture_free(f);
}

static char stored[64], stored_key[80];

static size_t load(void *arg, const char *key, uint8_t *buf, size_t cap)
{
    (void)arg;
    (void)cap;
    assert_string_equal(key, stored_key);
    memcpy(buf, stored, strlen(stored));
    return strlen(stored);
}

static void save(void *arg, const char *key, struct qms_bytes ticket)
{
    (void)arg;
    assert_true(ticket.len < sizeof(stored));
    memcpy(stored, ticket.data, ticket.len);
    strcpy(stored_key, key);
}

static void callbacks_are_given_what_the_folder_would_be(void **state)
{
    struct fixture *f = fixture_new(WELCOME, NULL);
    uint8_t buf[64];
    (void)state;

    assert_int_equal(qms_options_set_ticket_store(&f->conn->settings, load, NULL, NULL),
                     QMS_E_INVALID);
    assert_int_equal(qms_options_set_ticket_store(&f->conn->settings, load, save, NULL),
                     QMS_OK);
    strcpy(f->conn->ticket_key, "key");
    qms_ticket_note(f->conn, text("ticket"));
    assert_string_equal(stored, ""); /* not from within an event */
    settle(f);
    assert_string_equal(stored, "ticket");
    assert_string_equal(stored_key, "key");
    assert_int_equal(qms_ticket_load(f->conn, buf, sizeof(buf)), 6);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idempotent_stream_leaves_once),
        cmocka_unit_test(what_is_written_meanwhile_follows_behind_welcome),
        cmocka_unit_test(others_wait),
        cmocka_unit_test(their_number_is_bounded),
        cmocka_unit_test(a_stream_that_left_in_vain_waits_again),
        cmocka_unit_test(it_may_be_reset_and_released_at_any_time),
        cmocka_unit_test(a_refused_agent_ends_it),
        cmocka_unit_test(the_folder_keeps_one_secret_file_a_key),
        cmocka_unit_test(callbacks_are_given_what_the_folder_would_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
