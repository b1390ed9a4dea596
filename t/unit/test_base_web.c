/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/web.h"
#include "qms_test.h"

#define CHANGED 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */

static struct qms_web_file file(void)
{
    struct qms_web_file f = {.size = 0x1234};

    qms_web_file_describe(&f, CHANGED, 255);
    return f;
}

static struct qms_bytes text(const char *s)
{
    return (struct qms_bytes){(const uint8_t *)s, s != NULL ? strlen(s) : 0};
}

static bool unchanged(const char *none_match, const char *since)
{
    struct qms_web_file f = file();

    return qms_web_file_unchanged(&f, text(none_match), text(since));
}

static void a_file_is_described_by_size_and_time(void **state)
{
    struct qms_web_file f = file(), later = {.size = 0x1234}, longer = {.size = 0x1235};

    (void)state;
    assert_string_equal(f.etag, "\"2ebc98a1.ff-1234\"");
    assert_string_equal(f.modified, "Sun, 06 Nov 1994 08:49:37 GMT");
    qms_web_file_describe(&later, CHANGED, 256);
    qms_web_file_describe(&longer, CHANGED, 255);
    assert_string_not_equal(f.etag, later.etag);
    assert_string_not_equal(f.etag, longer.etag);
}

static void tags_are_found_in_lists(void **state)
{
    (void)state;
    assert_true(unchanged("\"2ebc98a1.ff-1234\"", NULL));
    assert_true(unchanged("W/\"2ebc98a1.ff-1234\"", NULL));
    assert_true(unchanged("\"a\", W/\"b\" ,\"2ebc98a1.ff-1234\"", NULL));
    assert_true(unchanged("*", NULL));
    assert_false(unchanged("\"a\", \"b\"", NULL));
    assert_false(unchanged("2ebc98a1.ff-1234", NULL));
    assert_false(unchanged("\"2ebc98a1.ff-1234", NULL));
    assert_false(unchanged("\"2ebc98a1.ff-12345\"", NULL));
    assert_false(unchanged("\"", NULL));
    assert_false(unchanged("", NULL));
}

static void dates_count_where_no_tag_is_given(void **state)
{
    (void)state;
    assert_true(unchanged(NULL, "Sun, 06 Nov 1994 08:49:37 GMT"));
    assert_true(unchanged(NULL, "Mon, 07 Nov 1994 08:49:37 GMT"));
    assert_false(unchanged(NULL, "Sun, 06 Nov 1994 08:49:36 GMT"));
    assert_false(unchanged("\"other\"", "Mon, 07 Nov 1994 08:49:37 GMT"));
    assert_false(unchanged(NULL, NULL));
    static const char far[] = "Sun, 06 Nov 1994 08:49:37 GMT                         "
                              "                                            ";
    static const char *const bad[] = {"", "yesterday", "Sunday, 06-Nov-94 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 08:49:37 GMT and more", far};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(unchanged(NULL, bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_described_by_size_and_time),
        cmocka_unit_test(tags_are_found_in_lists),
        cmocka_unit_test(dates_count_where_no_tag_is_given),
    };
    return cmocka_run_group_tests_name("base_web", tests, NULL, NULL);
}
