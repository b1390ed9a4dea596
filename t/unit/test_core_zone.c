/* SPDX-License-Identifier: MIT */
/* Zones: who gets which memory over reloads, by inheritance and by descriptor. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf_fixture.h"
#include "core/conf/zone.h"
#include "qms_test.h"

/* Each call is one reading of the same text. */
static struct qms_conf *a_conf(struct conf_fixture *f)
{
    conf_is(f, QUIC(""));
    struct qms_conf *conf = f->conf;
    f->conf = NULL;
    return conf;
}

static struct qms_zone *declare(struct qms_conf *conf, const char *name, size_t size)
{
    struct qms_diag diag = {.conf = conf};
    return qms_zone_declare(&diag, name, size);
}

static void refused(struct qms_conf *conf, const char *name, size_t size, const char *why)
{
    struct qms_diag diag = {.conf = conf};
    assert_null(qms_zone_declare(&diag, name, size));
    assert_string_equal(diag.text, why);
}

static void give(struct qms_conf *conf, const struct qms_conf *from)
{
    struct qms_diag diag = {0};
    assert_int_equal(qms_zones_give(conf, from, &diag), QMS_OK);
}

static void one_name_is_one_zone_and_wrong_sizes_are_refused(void **state)
{
    struct conf_fixture *f = *state;
    struct qms_conf *conf = a_conf(f);
    struct qms_zone *zone = declare(conf, "a", 100);
    size_t size = 7;

    assert_non_null(zone);
    assert_ptr_equal(declare(conf, "a", 100), zone);
    assert_ptr_not_equal(declare(conf, "b", 100), zone);
    refused(conf, "a", 101, "The zone \"a\" is declared with 100 and with 101 bytes.");
    refused(conf, "c", 0, "The zone \"c\" must have 1 to 1073741824 bytes, not 0.");
    refused(conf, "c", QMS_ZONE_MAX + 1,
            "The zone \"c\" must have 1 to 1073741824 bytes, not 1073741825.");
    assert_null(qms_zone_memory(zone, &size));
    assert_int_equal(size, 0);
    for (int i = 2; i < QMS_ZONES_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "z%d", i);
        assert_non_null(declare(conf, name, 1));
    }
    refused(conf, "last", 1, "There are more than 64 shared zones.");
    qms_conf_unref(conf);
}

static void memory_goes_from_one_configuration_to_the_next_of_its_name_and_size(void **state)
{
    struct conf_fixture *f = *state;
    struct qms_conf *first = a_conf(f), *second = a_conf(f), *third = a_conf(f);
    size_t size;

    (void)declare(first, "same", 5000);
    (void)declare(first, "grows", 100);
    give(first, NULL);
    uint8_t *same = qms_zones_find(first, "same", &size);
    assert_int_equal(size, 5000);
    uint8_t *grows = qms_zones_find(first, "grows", NULL);
    same[4999] = 42;
    grows[0] = 43;

    (void)declare(second, "grows", 200);
    (void)declare(second, "same", 5000);
    give(second, first);
    assert_ptr_equal(qms_zones_find(second, "same", NULL), same);
    uint8_t *grown = qms_zones_find(second, "grows", NULL);
    assert_ptr_not_equal(grown, grows);
    assert_int_equal(grown[0], 0);
    qms_conf_unref(first);
    assert_int_equal(same[4999], 42);

    give(third, second);
    assert_null(qms_zones_find(third, "same", NULL));
    qms_conf_unref(second);
    qms_conf_unref(third);
}

static void a_forked_process_shares_it(void **state)
{
    struct conf_fixture *f = *state;
    struct qms_conf *conf = a_conf(f);
    int status, fd[QMS_ZONES_MAX];

    (void)declare(conf, "a", 100);
    give(conf, NULL);
    uint8_t *at = qms_zones_find(conf, "a", NULL);
    assert_int_equal(qms_zones_fds(conf, fd), 1);
    pid_t child = fork();
    if (child == 0) {
        qms_zones_keep(conf);
        at[1] = 7;
        _exit(fcntl(fd[0], F_GETFD) == -1 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(at[1], 7);
    qms_conf_unref(conf);
    assert_int_equal(fcntl(fd[0], F_GETFD), -1);
}

static void nobody_can_resize_it(void **state)
{
    struct conf_fixture *f = *state;
    struct qms_conf *conf = a_conf(f);
    int fd[QMS_ZONES_MAX];

    (void)declare(conf, "a", 100);
    give(conf, NULL);
    assert_int_equal(qms_zones_fds(conf, fd), 1);
    assert_int_equal(ftruncate(fd[0], 50), -1);
    assert_int_equal(ftruncate(fd[0], 200), -1);
    qms_conf_unref(conf);
}

static void a_worker_takes_what_the_master_made(void **state)
{
    struct conf_fixture *f = *state;
    struct qms_conf *master = a_conf(f), *old = a_conf(f), *new = a_conf(f);
    struct qms_diag diag = {0};
    int fds[QMS_ZONES_MAX];

    (void)declare(master, "a", 100);
    (void)declare(master, "b", 200);
    give(master, NULL);
    size_t count = qms_zones_fds(master, fds);
    assert_int_equal(count, 2);

    (void)declare(old, "a", 100);
    assert_int_equal(qms_zones_take(old, NULL, fds, 1, &diag), QMS_OK);
    uint8_t *a = qms_zones_find(old, "a", NULL);
    ((uint8_t *)qms_zones_find(master, "a", NULL))[9] = 1;
    assert_int_equal(a[9], 1);

    (void)declare(new, "a", 100);
    (void)declare(new, "b", 200);
    assert_int_equal(qms_zones_take(new, old, fds, count, &diag), QMS_OK);
    assert_ptr_equal(qms_zones_find(new, "a", NULL), a);
    qms_conf_unref(old);
    ((uint8_t *)qms_zones_find(new, "b", NULL))[199] = 3;
    assert_int_equal(((uint8_t *)qms_zones_find(master, "b", NULL))[199], 3);
    qms_conf_unref(new);
    qms_conf_unref(master);
}

static void takes(struct conf_fixture *f, const int *fds, size_t count, qms_err expected,
                  const char *why)
{
    struct qms_conf *conf = a_conf(f);
    struct qms_diag diag = {0};

    (void)declare(conf, "a", 100);
    assert_int_equal(qms_zones_take(conf, NULL, fds, count, &diag), expected);
    assert_string_equal(diag.text, why);
    qms_conf_unref(conf);
}

static void a_worker_refuses_what_is_no_zone(void **state)
{
    struct conf_fixture *f = *state;
    struct qms_conf *master = a_conf(f);
    int fds[QMS_ZONES_MAX], plain = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    (void)declare(master, "a", 100);
    (void)declare(master, "b", 101);
    give(master, NULL);
    (void)qms_zones_fds(master, fds);
    takes(f, fds, 0, QMS_E_PROTOCOL,
          "The shared zone \"a\" did not arrive: there are too few.");
    takes(f, fds, 2, QMS_E_PROTOCOL, "2 shared zones came for 1.");
    takes(f, fds + 1, 1, QMS_E_IO,
          "The shared zone \"a\" did not arrive: Bad file descriptor.");
    assert_int_equal(ftruncate(plain, 100), 0);
    takes(f, &plain, 1, QMS_E_IO, "The shared zone \"a\" did not arrive: Bad file descriptor.");
    close(plain);
    qms_conf_unref(master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_CONF_TEST(one_name_is_one_zone_and_wrong_sizes_are_refused),
        QMS_CONF_TEST(memory_goes_from_one_configuration_to_the_next_of_its_name_and_size),
        QMS_CONF_TEST(a_forked_process_shares_it),
        QMS_CONF_TEST(nobody_can_resize_it),
        QMS_CONF_TEST(a_worker_takes_what_the_master_made),
        QMS_CONF_TEST(a_worker_refuses_what_is_no_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
