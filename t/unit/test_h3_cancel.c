/* SPDX-License-Identifier: MIT */
/* One busy conversation, ended at every event of the session's user in turn, in every way it
 * can be ended, and with every allocation failing in turn: nothing is used after it was freed,
 * nothing leaks, and everybody hears of the end. */
#include <string.h>

#include "base/mem.h"
#include "test_h3_world.h"

#define BIDI "\x40\x41\x00"
#define UNI  "\x40\x54\x00"

enum way { CLOSE_SESSION, CLOSE_H3, CLOSE_LINK, RESET_ALL, WAYS };

static enum way way;
static unsigned at;

static void reset_all(struct world *w)
{
    for (size_t i = 0; i < w->stream_count; i++) {
        struct qms_link_stream *st = w->streams[i]->st;
        if (st != NULL && st->bidi) {
            st->link->ops->reset(st, 1);
            st->link->ops->stop(st, 2);
        }
    }
}

static void end(struct world *w, struct qms_link *session, unsigned n)
{
    const struct qms_bytes reason = {(const uint8_t *)"cancel", 6};

    if (n != at) {
        return;
    }
    switch (way) {
    case CLOSE_SESSION:
        session->ops->close(session, 3, reason);
        break;
    case CLOSE_H3:
        qms_h3_close(w->h3, 3, reason);
        break;
    case CLOSE_LINK:
        qms_h3_link(w->h3)->ops->close(qms_h3_link(w->h3), 0x100, reason);
        break;
    case RESET_ALL:
    case WAYS:
        reset_all(w);
        break;
    }
}

static void answer(struct world *w)
{
    struct qms_link *session = w->users[0].session;
    struct qms_link_stream *st;
    struct qms_blob *blob;

    if (session == NULL) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        if (session->ops->open(session, i == 0, 200, &st) == QMS_OK) {
            blob = qms_blob_copy((struct qms_bytes){(const uint8_t *)"from us", 7});
            if (blob != NULL) {
                (void)session->ops->write(st, blob, 0, blob->len);
            }
            qms_blob_unref(blob);
            session->ops->finish(st);
        }
    }
    const struct qms_bytes part = {(const uint8_t *)"dg", 2};
    (void)session->ops->datagram(session, 1, &part, 1);
}

/* Held streams, streams both ways, a reset, a stop, datagrams, requests, a close. */
static void converse(struct world *w)
{
    struct page_stream *s[6] = {0};
    const struct qms_bytes d = {(const uint8_t *)"\0x", 2};

    w->settings_held = true;
    world_start(w);
    struct page_stream *connect = page_connect(w);
    for (int i = 0; i < 6 && w->client != NULL; i++) {
        s[i] = page_open(w, i % 3 != 0);
        page_send(s[i], i % 3 != 0 ? BIDI : UNI, 3);
        PAGE_SEND(s[i], "held data");
    }
    world_run_by(w, 4);
    PAGE_SEND(w->own[0], "\x00\x04\x00");
    world_run(w);
    answer(w);
    for (int i = 0; i < 6; i++) {
        if (s[i] != NULL) {
            PAGE_SEND(s[i], "and more");
        }
    }
    if (s[1] != NULL && s[1]->st != NULL) {
        w->client->ops->reset(s[1]->st, 0x52e4a40fa8dd);
    }
    if (s[2] != NULL && s[2]->st != NULL) {
        w->client->ops->stop(s[2]->st, 0x52e4a40fa8dd);
    }
    if (w->client != NULL) {
        (void)w->client->ops->datagram(w->client, 0, &d, 1);
        page_get(w, "/x");
    }
    world_run(w);
    page_capsule(connect, "\x68\x43\x05\0\0\0\x09!", 8);
    page_fin(connect);
    world_run(w);
    world_wait(w, 3 * QMS_SECOND);
    world_wait(w, 3 * QMS_SECOND);
}

static void the_end_may_come_at_any_event(void **state)
{
    (void)state;
    struct world *w = world_new();
    converse(w);
    unsigned events = w->event_count;
    assert_true(events > 20);
    assert_true(w->users[0].closed);
    world_free(w);

    for (way = 0; way < WAYS; way++) {
        for (at = 1; at <= events; at++) {
            w = world_new();
            w->at_event = end;
            converse(w);
            assert_true(w->users[0].closed);
            assert_null(w->h3);
            world_free(w);
        }
    }
}

/* Allocations of the server fail, one in each run; the browser's own are spared. */
static void memory_may_end_at_any_allocation(void **state)
{
    unsigned turns = 1;

    (void)state;
    for (unsigned t = 0; t <= turns; t++) {
        for (uint64_t n = 0; n < 24; n++) {
            struct world *w = world_new();
            w->fail_turn = t;
            w->fail_after = n;
            converse(w);
            turns = t == 0 ? w->turn : turns;
            for (size_t i = 0; i < w->user_count; i++) {
                assert_true(w->users[i].closed);
            }
            world_free(w);
        }
    }
}

static void a_server_without_memory_is_not_made(void **state)
{
    struct fake_pair *pair = fake_pair_new(NULL);
    struct qms_h3_config config = {.max_sessions = 1};
    (void)state;

    qms_mem_fail_after(0);
    assert_null(qms_h3_new(fake_pair_link(pair, 1), &config, NULL, NULL));
    qms_mem_fail_after(UINT64_MAX);
    fake_pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_may_come_at_any_event),
        cmocka_unit_test(memory_may_end_at_any_allocation),
        cmocka_unit_test(a_server_without_memory_is_not_made),
    };
    return cmocka_run_group_tests_name("h3_cancel", tests, NULL, NULL);
}
