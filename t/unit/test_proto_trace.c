/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "proto/trace.h"
#include "qms_test.h"

static const char good[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

static bool ok(const char *text, size_t len)
{
    return qms_traceparent_ok((struct qms_bytes){(const uint8_t *)text, len});
}

static void well_formed_ones_are_taken(void **state)
{
    (void)state;
    assert_true(ok(good, strlen(good)));
    assert_true(ok("cc-00000000000000000000000000000001-0000000000000001-ff", 55));
}

static void other_lengths_are_refused(void **state)
{
    char longer[60] = "";

    (void)state;
    assert_false(qms_traceparent_ok((struct qms_bytes){NULL, 0}));
    for (size_t len = 0; len < strlen(good); len++) {
        assert_false(ok(good, len));
    }
    strcpy(longer, good);
    strcat(longer, "-");
    assert_false(ok(longer, strlen(longer)));
}

static void each_byte_must_be_of_its_kind(void **state)
{
    static const char bad[] = {'A', 'F', 'g', ' ', '/', ':', '`', '\0', '\n', '\x80'};

    (void)state;
    for (size_t i = 0; i < strlen(good); i++) {
        for (size_t k = 0; k < sizeof(bad); k++) {
            char text[56];
            memcpy(text, good, sizeof(text));
            text[i] = bad[k];
            assert_false(ok(text, 55));
        }
    }
}

static void version_ff_and_zero_ids_are_refused(void **state)
{
    (void)state;
    assert_false(ok("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 55));
    assert_false(ok("00-00000000000000000000000000000000-b7ad6b7169203331-01", 55));
    assert_false(ok("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", 55));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_ones_are_taken),
        cmocka_unit_test(other_lengths_are_refused),
        cmocka_unit_test(each_byte_must_be_of_its_kind),
        cmocka_unit_test(version_ff_and_zero_ids_are_refused),
    };
    return cmocka_run_group_tests_name("proto_trace", tests, NULL, NULL);
}
