/* SPDX-License-Identifier: MIT */
/* Pid file and the channel between master and worker: what two processes rest on, in one. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "core/process/pidfile.h"
#include "core/process/reload_answer.h"
#include "core/process/worker_channel.h"
#include "qms_test.h"

struct fixture {
    char dir[32], pid_file[64];
    int ends[2];
    struct qms_diag diag;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/qms_proc_XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->pid_file, sizeof(f->pid_file), "%s/q.pid", f->dir);
    assert_int_equal(qms_channel_pair(f->ends), QMS_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    (void)unlink(f->pid_file);
    assert_int_equal(rmdir(f->dir), 0);
    for (int i = 0; i < 2; i++) {
        if (f->ends[i] >= 0) {
            close(f->ends[i]);
        }
    }
    free(f);
    return 0;
}

static void a_second_owner_is_refused_by_the_first_s_number(void **state)
{
    struct fixture *f = *state;
    char expected[256];
    int fd = -1, second = -1;

    assert_int_equal(qms_pidfile_take(f->pid_file, &fd, &f->diag), QMS_OK);
    assert_int_equal(qms_pidfile_take(f->pid_file, &second, &f->diag), QMS_E_EXISTS);
    (void)snprintf(expected, sizeof(expected),
                   "Another broker runs with the pid file \"%s\" (process %ld).", f->pid_file,
                   (long)getpid());
    assert_string_equal(f->diag.text, expected);
    assert_int_equal(second, -1);
    qms_pidfile_drop(f->pid_file, fd);
    assert_int_equal(access(f->pid_file, F_OK), -1);
}

static void a_file_left_over_is_not_a_broker(void **state)
{
    struct fixture *f = *state;
    char expected[256];
    int fd = -1;

    assert_int_equal(qms_pidfile_signal(f->pid_file, SIGHUP, &f->diag), QMS_E_NOT_FOUND);
    assert_non_null(strstr(f->diag.text, "No such file or directory"));

    assert_int_equal(qms_pidfile_take(f->pid_file, &fd, &f->diag), QMS_OK);
    close(fd); /* as a crash does */
    f->diag = (struct qms_diag){0};
    assert_int_equal(qms_pidfile_signal(f->pid_file, SIGHUP, &f->diag), QMS_E_NOT_FOUND);
    (void)snprintf(expected, sizeof(expected),
                   "No broker is running: the pid file \"%s\" is left over.", f->pid_file);
    assert_string_equal(f->diag.text, expected);
    assert_int_equal(qms_pidfile_take(f->pid_file, &fd, &f->diag), QMS_OK);
    qms_pidfile_drop(f->pid_file, fd);
}

static void the_living_owner_gets_the_signal(void **state)
{
    struct fixture *f = *state;
    int fd = -1, ready[2], status;
    char byte;

    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (qms_pidfile_take(f->pid_file, &fd, &f->diag) != QMS_OK ||
            write(ready[1], "1", 1) != 1) {
            _exit(1);
        }
        for (;;) {
            pause();
        }
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    assert_int_equal(qms_pidfile_signal(f->pid_file, SIGTERM, &f->diag), QMS_OK);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static void someone_else_s_file_is_not_unlinked(void **state)
{
    struct fixture *f = *state;
    int fd = -1;

    assert_int_equal(qms_pidfile_take(f->pid_file, &fd, &f->diag), QMS_OK);
    assert_int_equal(unlink(f->pid_file), 0);
    int other = open(f->pid_file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(other >= 0);
    close(other);
    qms_pidfile_drop(f->pid_file, fd);
    assert_int_equal(access(f->pid_file, F_OK), 0);
}

static void messages_carry_text_and_descriptors(void **state)
{
    static const uint8_t bytes[] = "packed";
    struct fixture *f = *state;
    struct qms_message m = {.order = QMS_ORDER_RELOAD, .text = "hello", .fd_count = 2}, got;
    uint8_t *data = NULL;
    size_t len = 0;

    m.fds[0] = qms_channel_file((struct qms_bytes){bytes, sizeof(bytes)});
    m.fds[1] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(m.fds[0] >= 0 && m.fds[1] >= 0);
    assert_int_equal(qms_channel_send(f->ends[0], &m), QMS_OK);
    assert_int_equal(qms_channel_receive(f->ends[1], &got), QMS_OK);
    assert_int_equal(got.order, QMS_ORDER_RELOAD);
    assert_string_equal(got.text, "hello");
    assert_int_equal(got.fd_count, 2);
    assert_int_not_equal(got.fds[0], m.fds[0]);
    assert_true((fcntl(got.fds[1], F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(qms_channel_file_read(got.fds[0], &data, &len), QMS_OK);
    assert_int_equal(len, sizeof(bytes));
    assert_memory_equal(data, bytes, len);
    qms_free(data);
    for (size_t i = 0; i < 2; i++) {
        close(m.fds[i]);
        close(got.fds[i]);
    }
    assert_int_equal(qms_channel_receive(f->ends[1], &got), QMS_E_AGAIN);
}

static void as_many_descriptors_as_roots_are_allowed_go_through(void **state)
{
    struct fixture *f = *state;
    struct qms_message m = {.order = QMS_ORDER_RELOAD, .fd_count = QMS_ORDER_FDS_MAX}, got;

    for (size_t i = 0; i < m.fd_count; i++) {
        m.fds[i] = STDERR_FILENO;
    }
    assert_int_equal(qms_channel_send(f->ends[0], &m), QMS_OK);
    assert_int_equal(qms_channel_receive(f->ends[1], &got), QMS_OK);
    assert_int_equal(got.fd_count, QMS_ORDER_FDS_MAX);
    for (size_t i = 0; i < got.fd_count; i++) {
        assert_int_equal(close(got.fds[i]), 0);
    }
}

static void last_words_arrive_from_one_that_did_not_listen(void **state)
{
    struct fixture *f = *state;
    struct qms_message got;

    qms_channel_say(f->ends[0], QMS_ORDER_QUIT, "");
    qms_channel_say(f->ends[1], QMS_ORDER_FAILED, "no room");
    close(f->ends[1]);
    f->ends[1] = -1;
    assert_int_equal(qms_channel_receive(f->ends[0], &got), QMS_OK);
    assert_string_equal(got.text, "no room");
    assert_int_equal(qms_channel_receive(f->ends[0], &got), QMS_E_CLOSED);
}

static void the_end_of_the_other_side_is_noticed(void **state)
{
    struct fixture *f = *state;
    struct qms_message m = {.order = QMS_ORDER_QUIT};

    qms_channel_say(f->ends[0], QMS_ORDER_READY, "last words");
    close(f->ends[0]);
    f->ends[0] = -1;
    assert_int_equal(qms_channel_receive(f->ends[1], &m), QMS_OK);
    assert_string_equal(m.text, "last words");
    assert_int_equal(qms_channel_receive(f->ends[1], &m), QMS_E_CLOSED);
    assert_int_equal(qms_channel_send(f->ends[1], &m), QMS_E_CLOSED);
}

static void a_message_of_another_form_is_refused(void **state)
{
    struct fixture *f = *state;
    struct qms_message m;

    assert_int_equal(send(f->ends[0], "x", 1, 0), 1);
    assert_int_equal(qms_channel_receive(f->ends[1], &m), QMS_E_PROTOCOL);
    assert_int_equal(m.fd_count, 0);
}

/* An order whose descriptors find no room is still one: whoever gave it must hear of that. */
static void a_message_without_room_for_its_descriptors_is_told(void **state)
{
    struct fixture *f = *state;
    struct qms_message m = {.order = QMS_ORDER_RELOAD, .fds = {0, 0, 0}, .fd_count = 3};
    struct rlimit before, few;
    int next = dup(0);

    assert_int_equal(qms_channel_send(f->ends[0], &m), QMS_OK);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){(rlim_t)next + 1, before.rlim_max};
    assert_int_equal(close(next), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    m = (struct qms_message){.fd_count = 9};
    assert_int_equal(qms_channel_receive(f->ends[1], &m), QMS_E_LIMIT);
    assert_int_equal(m.order, QMS_ORDER_RELOAD);
    assert_int_equal(m.fd_count, 0);
    int again = dup(0); /* the one that did find room was closed */
    assert_int_equal(again, next);
    close(again);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void the_answer_to_a_reload_is_told_to_who_waits(void **state)
{
    struct fixture *f = *state;
    char path[96];
    const qms_time soon = 60 * QMS_MILLISECOND;

    (void)snprintf(path, sizeof(path), "%s.reload", f->pid_file);
    assert_int_equal(qms_reload_answer_number(f->pid_file), 0);
    assert_int_equal(qms_reload_answer_wait(f->pid_file, 0, soon, &f->diag), QMS_E_TIMEOUT);
    assert_int_equal(qms_reload_answer_write(f->pid_file, 1, ""), QMS_OK);
    assert_int_equal(qms_reload_answer_number(f->pid_file), 1);
    f->diag = (struct qms_diag){0};
    assert_int_equal(qms_reload_answer_wait(f->pid_file, 0, soon, &f->diag), QMS_OK);
    assert_int_equal(qms_reload_answer_wait(f->pid_file, 1, soon, &f->diag), QMS_E_TIMEOUT);
    assert_int_equal(qms_reload_answer_write(f->pid_file, 2, "a.conf:3: wrong.\nmore"), QMS_OK);
    f->diag = (struct qms_diag){0};
    assert_int_equal(qms_reload_answer_wait(f->pid_file, 1, soon, &f->diag), QMS_E_CONFIG);
    assert_string_equal(f->diag.text, "The old configuration stays in force: a.conf:3: wrong.");
    qms_reload_answer_drop(f->pid_file);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(qms_reload_answer_number(f->pid_file), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(a_second_owner_is_refused_by_the_first_s_number),
        QMS_TEST(a_file_left_over_is_not_a_broker),
        QMS_TEST(the_living_owner_gets_the_signal),
        QMS_TEST(someone_else_s_file_is_not_unlinked),
        QMS_TEST(messages_carry_text_and_descriptors),
        QMS_TEST(as_many_descriptors_as_roots_are_allowed_go_through),
        QMS_TEST(the_answer_to_a_reload_is_told_to_who_waits),
        QMS_TEST(last_words_arrive_from_one_that_did_not_listen),
        QMS_TEST(the_end_of_the_other_side_is_noticed),
        QMS_TEST(a_message_of_another_form_is_refused),
        QMS_TEST(a_message_without_room_for_its_descriptors_is_told),
    };
    return cmocka_run_group_tests_name("core_process", tests, NULL, NULL);
}
