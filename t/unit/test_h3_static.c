/* SPDX-License-Identifier: MIT */
/* qms_static_open on a directory of its own. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "h3/h3.h"
#include "qms_test.h"

struct fixture {
    char dir[64];
    int root; /* of dir/root; dir/secret.txt lies outside */
};

static void put(const struct fixture *f, const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void make_dir(const struct fixture *f, const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void make_link(const struct fixture *f, const char *target, const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    assert_int_equal(symlink(target, path), 0);
}

static int setup(void **state)
{
    static struct fixture f;
    char path[256];

    strncpy(f.dir, "/tmp/quicms-static-XXXXXX", sizeof(f.dir) - 1);
    assert_non_null(mkdtemp(f.dir));
    put(&f, "secret.txt", "secret");
    make_dir(&f, "root");
    make_dir(&f, "root/sub");
    make_dir(&f, "root/empty");
    put(&f, "root/index.html", "<p>");
    put(&f, "root/a b.txt", "space");
    put(&f, "root/app.wasm", "wasm!");
    put(&f, "root/sub/index.html", "<b>x");
    make_link(&f, "../secret.txt", "root/out");
    make_link(&f, "/etc/passwd", "root/absolute");
    make_link(&f, "sub/index.html", "root/inside.html");
    make_link(&f, "loop", "root/loop");
    snprintf(path, sizeof(path), "%s/root/fifo", f.dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof(path), "%s/root", f.dir);
    f.root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(f.root >= 0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {
        "root/index.html",
        "root/a b.txt",
        "root/app.wasm",
        "root/sub/index.html",
        "root/out",
        "root/absolute",
        "root/loop",
        "root/inside.html",
        "root/fifo",
        "secret.txt",
        "root/sub",
        "root/empty",
        "root",
        "",
    };
    struct fixture *f = *state;
    char path[256];

    close(f->root);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
        assert_int_equal(remove(path), 0);
    }
    return 0;
}

static int get_bytes(const struct fixture *f, const char *path, size_t len, char *body,
                     const char **type)
{
    struct qms_web_file file = {.fd = -1};
    int status =
        qms_static_open(f->root, (struct qms_bytes){(const uint8_t *)path, len}, &file);

    body[0] = 0;
    if (status == 200) {
        ssize_t n = read(file.fd, body, 63);
        assert_int_equal(n, (ssize_t)file.size);
        body[n] = 0;
        *type = file.type;
        close(file.fd);
    }
    return status;
}

static int get(const struct fixture *f, const char *path, char *body, const char **type)
{
    return get_bytes(f, path, strlen(path), body, type);
}

static void files_come_with_size_and_type(void **state)
{
    char body[64];
    const char *type;

    assert_int_equal(get(*state, "/app.wasm", body, &type), 200);
    assert_string_equal(body, "wasm!");
    assert_string_equal(type, "application/wasm");
    assert_int_equal(get(*state, "/a%20b%2etxt", body, &type), 200);
    assert_string_equal(body, "space");
    assert_string_equal(type, "text/plain; charset=utf-8");
}

static void a_directory_stands_for_its_index(void **state)
{
    char body[64];
    const char *type;

    assert_int_equal(get(*state, "/", body, &type), 200);
    assert_string_equal(body, "<p>");
    assert_string_equal(type, "text/html; charset=utf-8");
    assert_int_equal(get(*state, "/sub", body, &type), 200);
    assert_string_equal(body, "<b>x");
    assert_int_equal(get(*state, "//sub/", body, &type), 200);
    assert_int_equal(get(*state, "/empty/", body, &type), 404);
}

static void nothing_outside_the_root_is_reached(void **state)
{
    static const char *const paths[] = {
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/sub/../../secret.txt",
        "/..%2fsecret.txt",
        "/sub/%2e%2e%2f%2e%2e/secret.txt",
        "/out",
        "/absolute",
        "/loop",
        "/..",
    };
    char body[64];
    const char *type;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(get(*state, paths[i], body, &type), 403);
    }
    /* A leading slash more does not make a path absolute. */
    assert_int_equal(get(*state, "///etc/passwd", body, &type), 404);
    assert_int_equal(get(*state, "/%2fetc/passwd", body, &type), 404);
}

static void links_and_dots_inside_the_root_are_followed(void **state)
{
    char body[64];
    const char *type;

    assert_int_equal(get(*state, "/inside.html", body, &type), 200);
    assert_string_equal(body, "<b>x");
    assert_int_equal(get(*state, "/sub/../index.html", body, &type), 200);
    assert_string_equal(body, "<p>");
}

static void what_is_no_file_is_refused(void **state)
{
    char body[64];
    const char *type;

    assert_int_equal(get(*state, "/fifo", body, &type), 403);
    assert_int_equal(get(*state, "/absent", body, &type), 404);
    assert_int_equal(get(*state, "/index.html/x", body, &type), 404);
}

static void bad_escapes_and_nul_are_bad_requests(void **state)
{
    static const char *const paths[] = {"", "index.html", "/%", "/%2", "/%zz", "/a%00b", "*"};
    char body[64];
    const char *type;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(get(*state, paths[i], body, &type), 400);
    }
    assert_int_equal(get_bytes(*state, "/a\0b", 4, body, &type), 400);
}

static void a_path_without_end_is_not_found(void **state)
{
    char path[8192], body[64];
    const char *type;

    memset(path, 'a', sizeof(path));
    path[0] = '/';
    for (size_t len = 1000; len < sizeof(path); len += 5) {
        assert_int_equal(get_bytes(*state, path, len, body, &type), 404);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(files_come_with_size_and_type),
        QMS_TEST(a_directory_stands_for_its_index),
        QMS_TEST(nothing_outside_the_root_is_reached),
        QMS_TEST(links_and_dots_inside_the_root_are_followed),
        QMS_TEST(what_is_no_file_is_refused),
        QMS_TEST(bad_escapes_and_nul_are_bad_requests),
        QMS_TEST(a_path_without_end_is_not_found),
    };
    return cmocka_run_group_tests_name("h3_static", tests, NULL, NULL);
}
