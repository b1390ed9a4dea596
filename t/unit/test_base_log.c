/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

#include "qms_test.h"

/* The sink writes into memory. */
struct fixture {
    int fd;
    char text[16384];
};

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));

    f->fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(f->fd >= 0);
    qms_log_set_fd(f->fd);
    qms_log_set_level(QMS_LOG_NOTICE);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    qms_log_set_fd(-1); /* closes the memory file */
    test_free(*state);
    return 0;
}

static const char *written(struct fixture *f)
{
    ssize_t n = pread(f->fd, f->text, sizeof(f->text) - 1, 0);

    assert_true(n >= 0);
    f->text[n] = '\0';
    return f->text;
}

static unsigned lines(struct fixture *f)
{
    unsigned n = 0;

    for (const char *p = written(f); (p = strchr(p, '\n')) != NULL; p++) {
        n++;
    }
    return n;
}

static void line_has_time_level_process_and_text(void **state)
{
    struct fixture *f = *state;
    char pattern[200];
    regex_t re;

    snprintf(pattern, sizeof(pattern),
             "^20[0-9][0-9]/[01][0-9]/[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9] "
             "\\[warn\\] %ld: peer gone id=7\n$",
             (long)getpid());
    qms_log(QMS_LOG_WARN, "peer gone id=%d", 7);
    assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
    int match = regexec(&re, written(f), 0, NULL, 0);
    regfree(&re);
    assert_int_equal(match, 0);
}

static void less_urgent_than_the_level_is_not_written(void **state)
{
    struct fixture *f = *state;

    qms_log(QMS_LOG_INFO, "quiet");
    assert_int_equal(lines(f), 0);
    assert_false(qms_log_enabled(QMS_LOG_INFO));
    assert_true(qms_log_enabled(QMS_LOG_NOTICE));
    qms_log(QMS_LOG_ERROR, "loud");
    assert_int_equal(lines(f), 1);
    qms_log_set_level(QMS_LOG_DEBUG);
    qms_log(QMS_LOG_DEBUG, "now too");
    assert_int_equal(lines(f), 2);
}

static void text_of_a_peer_cannot_forge_a_line(void **state)
{
    struct fixture *f = *state;

    qms_log(QMS_LOG_NOTICE, "hello id=%s", "a\n2026/11/22 [error]\x1b[2J\x7f\xc3\xa9\\");
    assert_int_equal(lines(f), 1);
    assert_non_null(
        strstr(f->text, "id=a\\x0a2026/11/22 [error]\\x1b[2J\\x7f\\xc3\\xa9\\x5c\n"));
}

static void long_text_is_cut_after_512_bytes(void **state)
{
    struct fixture *f = *state;
    char big[2000];

    memset(big, '\x01', sizeof(big)); /* each becomes four characters */
    qms_log(QMS_LOG_NOTICE, "%.*s", (int)sizeof(big), big);
    assert_int_equal(lines(f), 1);
    const char *text = strstr(f->text, ": ") + 2;
    assert_int_equal(strlen(text), 4 * 512 + strlen("...\n"));
    assert_string_equal(text + 4 * 512, "...\n");
}

static void logging_keeps_errno(void **state)
{
    struct fixture *f = *state;

    qms_log_set_fd(open("/dev/full", O_WRONLY | O_CLOEXEC));
    errno = EDOM;
    qms_log(QMS_LOG_NOTICE, "lost");
    assert_int_equal(errno, EDOM);
    (void)f;
}

static void lost_lines_are_counted_and_told_with_the_next(void **state)
{
    struct fixture *f = *state;
    int file = fcntl(f->fd, F_DUPFD_CLOEXEC, 3);

    qms_log(QMS_LOG_NOTICE, "tells what other cases have lost");
    (void)qms_log_take_lost();
    qms_log_set_fd(open("/dev/full", O_WRONLY | O_CLOEXEC));
    qms_log(QMS_LOG_NOTICE, "one");
    qms_log(QMS_LOG_NOTICE, "two");
    qms_log(QMS_LOG_INFO, "not for the log");
    assert_int_equal(qms_log_take_lost(), 2);
    qms_log(QMS_LOG_NOTICE, "three");
    f->fd = file;
    qms_log_set_fd(file);
    qms_log(QMS_LOG_NOTICE, "back");
    qms_log(QMS_LOG_NOTICE, "next");
    assert_int_equal(lines(f), 3);
    assert_non_null(strstr(f->text, ": back lost=3\n"));
    assert_non_null(strstr(f->text, ": next\n"));
    assert_int_equal(qms_log_take_lost(), 1);
    assert_int_equal(qms_log_take_lost(), 0);
}

/* Its parent tells it itself. */
static void a_child_does_not_tell_what_its_parent_lost(void **state)
{
    struct fixture *f = *state;
    int file = fcntl(f->fd, F_DUPFD_CLOEXEC, 3), status;

    qms_log_set_fd(open("/dev/full", O_WRONLY | O_CLOEXEC));
    qms_log(QMS_LOG_NOTICE, "one");
    f->fd = file;
    qms_log_set_fd(file);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        qms_log(QMS_LOG_NOTICE, "child");
        _exit((int)qms_log_take_lost());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    qms_log(QMS_LOG_NOTICE, "parent");
    assert_non_null(strstr(written(f), ": child\n"));
    assert_non_null(strstr(f->text, ": parent lost=1\n"));
}

/* ---- sinks of another kind ---- */

static struct {
    char text[256];
    enum qms_log_level level;
    int fd;
    bool fails;
} sent;

static bool send_line(const void *context, int fd, enum qms_log_level level,
                      struct qms_bytes line)
{
    (void)snprintf(sent.text, sizeof(sent.text), "%s|%.*s", (const char *)context,
                   (int)line.len, (const char *)line.data);
    sent.level = level;
    sent.fd = fd;
    return !sent.fails;
}

static void a_sink_gets_each_line_without_its_date(void **state)
{
    struct fixture *f = *state;
    char context[] = "first", wanted[100];
    const struct qms_log_sink sink = {send_line, context, sizeof(context)};
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)snprintf(wanted, sizeof(wanted), "first|[warn] %ld: hello lost=1", (long)getpid());
    int file = fcntl(f->fd, F_DUPFD_CLOEXEC, 3);
    qms_log_set_sink(fd, &sink);
    context[0] = 'F'; /* the sink has a copy */
    sent.fails = true;
    qms_log(QMS_LOG_NOTICE, "lost");
    sent.fails = false;
    qms_log(QMS_LOG_WARN, "hello");
    assert_string_equal(sent.text, wanted);
    assert_int_equal(sent.level, QMS_LOG_WARN);
    assert_int_equal(sent.fd, fd);
    qms_log_set_fd(file); /* ends it */
    f->fd = file;
    qms_log(QMS_LOG_WARN, "to the file");
    assert_string_equal(sent.text, wanted);
    assert_int_equal(lines(f), 1);
}

static void open_appends_and_a_failed_open_keeps_the_sink(void **state)
{
    struct fixture *f = *state;
    char path[] = "/tmp/quicms-log-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "old\n", 4), 4);
    assert_int_equal(qms_log_open("/nonexistent/x", QMS_LOG_DEBUG), QMS_E_IO);
    assert_int_equal(qms_log_fd(), f->fd);
    assert_false(qms_log_enabled(QMS_LOG_DEBUG));
    assert_int_equal(qms_log_open(path, QMS_LOG_INFO), QMS_OK);
    qms_log(QMS_LOG_INFO, "new");
    f->fd = fd;
    assert_int_equal(strncmp(written(f), "old\n", 4), 0);
    assert_non_null(strstr(f->text, ": new\n"));
    assert_int_equal(qms_log_open("-", QMS_LOG_NOTICE), QMS_OK);
    assert_int_equal(qms_log_fd(), STDERR_FILENO);
    close(fd);
    unlink(path);
}

static void gate_passes_ten_a_second_and_tells_what_it_held_back(void **state)
{
    struct fixture *f = *state;
    struct qms_log_gate gate = {0};
    unsigned passed = 0;

    for (int i = 0; i < 25; i++) {
        passed += qms_log_gate(&gate);
    }
    assert_int_equal(passed, 10);
    gate.from -= QMS_SECOND; /* a second later */
    assert_true(qms_log_gate(&gate));
    qms_log(QMS_LOG_NOTICE, "bad packet");
    qms_log(QMS_LOG_NOTICE, "next");
    assert_non_null(strstr(written(f), ": bad packet suppressed=15\n"));
    assert_non_null(strstr(f->text, ": next\n"));
}

static void peer_lines_are_limited_per_place(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 50; i++) {
        qms_log_peer(QMS_LOG_NOTICE, "one place n=%d", i);
        qms_log_peer(QMS_LOG_INFO, "below the level n=%d", i);
    }
    assert_int_equal(lines(f), 10);
    qms_log_peer(QMS_LOG_NOTICE, "another place");
    assert_int_equal(lines(f), 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(line_has_time_level_process_and_text),
        QMS_TEST(less_urgent_than_the_level_is_not_written),
        QMS_TEST(text_of_a_peer_cannot_forge_a_line),
        QMS_TEST(long_text_is_cut_after_512_bytes),
        QMS_TEST(logging_keeps_errno),
        QMS_TEST(lost_lines_are_counted_and_told_with_the_next),
        QMS_TEST(a_child_does_not_tell_what_its_parent_lost),
        QMS_TEST(a_sink_gets_each_line_without_its_date),
        QMS_TEST(open_appends_and_a_failed_open_keeps_the_sink),
        QMS_TEST(gate_passes_ten_a_second_and_tells_what_it_held_back),
        QMS_TEST(peer_lines_are_limited_per_place),
    };
    return cmocka_run_group_tests_name("base_log", tests, NULL, NULL);
}
