// SPDX-License-Identifier: MIT
// What every cmocka test needs: the include order cmocka wants, status assertions, and a main from a list of tests.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"

// Older cmocka has no assert_string_not_equal for statuses; these print the names.
#define assert_ok(expression)                                                                                          \
    do {                                                                                                               \
        gw_status testkit_status = (expression);                                                                       \
        if (testkit_status != GW_OK) {                                                                                 \
            print_error("%s: expected ok, got %s\n", #expression, gw_status_name(testkit_status));                     \
        }                                                                                                              \
        assert_int_equal(testkit_status, GW_OK);                                                                       \
    } while (0)

// For calls that fill `err`: prints its message when the call fails.
#define assert_ok_err(expression, err_pointer)                                                                         \
    do {                                                                                                               \
        gw_status testkit_status = (expression);                                                                       \
        if (testkit_status != GW_OK) {                                                                                 \
            print_error("%s: %s: %s\n", #expression, gw_status_name(testkit_status), (err_pointer)->message);          \
        }                                                                                                              \
        assert_int_equal(testkit_status, GW_OK);                                                                       \
    } while (0)

#define assert_fails(expression, status)                                                                               \
    do {                                                                                                               \
        gw_status testkit_status = (expression);                                                                       \
        if (testkit_status != (status)) {                                                                              \
            print_error("%s: expected %s, got %s\n", #expression, gw_status_name(status),                              \
                        gw_status_name(testkit_status));                                                               \
        }                                                                                                              \
        assert_int_equal(testkit_status, (status));                                                                    \
    } while (0)

#define TESTKIT_APPLY_1(m, a)       m(a)
#define TESTKIT_APPLY_2(m, a, ...)  m(a), TESTKIT_APPLY_1(m, __VA_ARGS__)
#define TESTKIT_APPLY_3(m, a, ...)  m(a), TESTKIT_APPLY_2(m, __VA_ARGS__)
#define TESTKIT_APPLY_4(m, a, ...)  m(a), TESTKIT_APPLY_3(m, __VA_ARGS__)
#define TESTKIT_APPLY_5(m, a, ...)  m(a), TESTKIT_APPLY_4(m, __VA_ARGS__)
#define TESTKIT_APPLY_6(m, a, ...)  m(a), TESTKIT_APPLY_5(m, __VA_ARGS__)
#define TESTKIT_APPLY_7(m, a, ...)  m(a), TESTKIT_APPLY_6(m, __VA_ARGS__)
#define TESTKIT_APPLY_8(m, a, ...)  m(a), TESTKIT_APPLY_7(m, __VA_ARGS__)
#define TESTKIT_APPLY_9(m, a, ...)  m(a), TESTKIT_APPLY_8(m, __VA_ARGS__)
#define TESTKIT_APPLY_10(m, a, ...) m(a), TESTKIT_APPLY_9(m, __VA_ARGS__)
#define TESTKIT_APPLY_11(m, a, ...) m(a), TESTKIT_APPLY_10(m, __VA_ARGS__)
#define TESTKIT_APPLY_12(m, a, ...) m(a), TESTKIT_APPLY_11(m, __VA_ARGS__)
#define TESTKIT_APPLY_13(m, a, ...) m(a), TESTKIT_APPLY_12(m, __VA_ARGS__)
#define TESTKIT_APPLY_14(m, a, ...) m(a), TESTKIT_APPLY_13(m, __VA_ARGS__)
#define TESTKIT_APPLY_15(m, a, ...) m(a), TESTKIT_APPLY_14(m, __VA_ARGS__)
#define TESTKIT_APPLY_16(m, a, ...) m(a), TESTKIT_APPLY_15(m, __VA_ARGS__)
#define TESTKIT_APPLY_17(m, a, ...) m(a), TESTKIT_APPLY_16(m, __VA_ARGS__)
#define TESTKIT_APPLY_18(m, a, ...) m(a), TESTKIT_APPLY_17(m, __VA_ARGS__)
#define TESTKIT_APPLY_19(m, a, ...) m(a), TESTKIT_APPLY_18(m, __VA_ARGS__)
#define TESTKIT_APPLY_20(m, a, ...) m(a), TESTKIT_APPLY_19(m, __VA_ARGS__)
#define TESTKIT_COUNT(...)                                                                                             \
    TESTKIT_PICK(__VA_ARGS__, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define TESTKIT_PICK(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, n, ...) n
#define TESTKIT_JOIN_(a, b)         a##b
#define TESTKIT_JOIN(a, b)          TESTKIT_JOIN_(a, b)

// At the end of a test file (up to 20 tests): defines main.
#define GW_TESTS(...)                                                                                                  \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        const struct CMUnitTest tests[] = {                                                                            \
            TESTKIT_JOIN(TESTKIT_APPLY_, TESTKIT_COUNT(__VA_ARGS__))(cmocka_unit_test, __VA_ARGS__)};                  \
        return cmocka_run_group_tests(tests, NULL, NULL);                                                              \
    }
