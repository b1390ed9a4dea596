/* SPDX-License-Identifier: MIT */
/* The tables of this build, the core's and the real modules', against their rules and the
 * manual. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/conf/table.h"
#include "modules/table.h"
#include "qms_test.h"

static int setup(void **state)
{
    static struct qms_conf_env env;
    env.prefix = "/";
    env.modules = qms_modules;
    env.module_count = qms_module_count;
    *state = &env;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return 0;
}

struct text {
    char *data;
    size_t len;
};

static void put(void *arg, const char *s)
{
    struct text *t = arg;
    size_t len = strlen(s);
    char *grown = realloc(t->data, t->len + len + 1);

    assert_non_null(grown);
    memcpy(grown + t->len, s, len + 1);
    t->data = grown;
    t->len += len;
}

static char *read_file(const char *path)
{
    struct text t = {0};
    char line[4096];
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        put(&t, line);
    }
    assert_int_equal(fclose(file), 0);
    assert_non_null(t.data);
    return t.data;
}

static void the_manual_of_directives_is_what_the_tables_say(void **state)
{
    const char *source = getenv("QUICMS_SOURCE");
    char path[4096];
    struct text t = {0};

    (void)snprintf(path, sizeof(path), "%s/doc/directives.md", source != NULL ? source : ".");
    char *manual = read_file(path);
    qms_conf_document(*state, put, &t);
    if (strcmp(manual, t.data) != 0) {
        print_error("doc/directives.md is out of date: run \"make directives\"\n");
    }
    assert_string_equal(manual, t.data);
    free(manual);
    free(t.data);
}

static void check_row(const struct qms_directive *d)
{
    size_t len = d->help != NULL ? strlen(d->help) : 0;

    if (len < 10 || d->help[len - 1] != '.' || strstr(d->help, ". ") != NULL) {
        print_error("%s: \"%s\"\n", d->name, len > 0 ? d->help : "no sentence");
    }
    assert_true(len >= 10 && d->help[len - 1] == '.' && strstr(d->help, ". ") == NULL);
    assert_true(isupper((unsigned char)d->help[0]));
    assert_true(d->contexts != 0);
    assert_true(d->max == 0 || d->max >= d->min);
    assert_true((d->type == QMS_D_CUSTOM) == (d->set != NULL));
    /* Of a CUSTOM one they are what it takes besides a value. */
    assert_true(d->type == QMS_D_CUSTOM || (d->type == QMS_D_ENUM) == (d->words != NULL));
    assert_true(d->type != QMS_D_CUSTOM || d->syntax != NULL);
}

static void every_row_is_whole(void **state)
{
    (void)state;
    for (const struct qms_conf_block *b = qms_conf_blocks; b->name != NULL; b++) {
        for (const struct qms_directive *d = b->rows; d->name != NULL; d++) {
            check_row(d);
        }
    }
    for (size_t i = 0; i < qms_module_count; i++) {
        const struct qms_directive *d = qms_modules[i]->directives;
        assert_int_equal(qms_modules[i]->abi, QMS_MODULE_ABI);
        for (; d != NULL && d->name != NULL; d++) {
            check_row(d);
        }
    }
}

/* How many tables hold `name` in one block; the look-up would take the first in silence. */
static unsigned holders(const struct qms_conf_block *b, const char *name)
{
    unsigned n = qms_conf_core_row(b, name) != NULL;

    for (size_t i = 0; i < qms_module_count; i++) {
        n += qms_conf_module_row(b, qms_modules[i], name) != NULL;
    }
    return n;
}

static void no_name_means_two_things_in_one_block(void **state)
{
    (void)state;
    for (const struct qms_conf_block *b = qms_conf_blocks; b->name != NULL; b++) {
        for (const struct qms_directive *d = b->rows; d->name != NULL; d++) {
            assert_true(holders(b, d->name) <= 1);
        }
        for (size_t i = 0; i < qms_module_count; i++) {
            const struct qms_directive *d = qms_modules[i]->directives;
            for (; d != NULL && d->name != NULL; d++) {
                assert_true(holders(b, d->name) <= 1);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(the_manual_of_directives_is_what_the_tables_say),
        QMS_TEST(every_row_is_whole),
        QMS_TEST(no_name_means_two_things_in_one_block),
    };
    return cmocka_run_group_tests_name("core_directives", tests, NULL, NULL);
}
