// SPDX-License-Identifier: MIT
#include "base/number.h"
#include "base/rng.h"
#include "support/testkit.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static struct gw_number scan(const char *text)
{
    struct gw_number number = {0};
    assert_int_equal(gw_number_scan((const uint8_t *)text, strlen(text), &number), strlen(text));
    return number;
}

static void same_double(const char *text)
{
    struct gw_number number = scan(text);
    double value = 0;
    double expected = strtod(text, NULL);
    assert_ok(gw_number_double(&number, &value, NULL));
    if (memcmp(&value, &expected, sizeof value) != 0) {
        fail_msg("double of %s: %a, expected %a", text, value, expected);
    }
}

static void same_float(const char *text)
{
    struct gw_number number = scan(text);
    float value = 0;
    float expected = strtof(text, NULL);
    assert_ok(gw_number_float(&number, &value, NULL));
    if (memcmp(&value, &expected, sizeof value) != 0) {
        fail_msg("float of %s: %a, expected %a", text, (double)value, (double)expected);
    }
}

static void hard_cases_round_like_the_c_library(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0",
        "-0",
        "0.1",
        "1e22",
        "1e23",
        "9007199254740992",
        "9007199254740993",
        "123456789012345678901234567890",
        "2.2250738585072011e-308",
        "4.9e-324",
        "1e-400",
        "0e999",
        "16777217",
        "16777217.0000000001",
        "1.00000017881393421514957253748434595763683319091796875001",
        "1.1754943508222875e-38",
        "1e-45",
        "7e-46",
        "3.4028234663852886e38",
        "0.000000000000000000000000000000000000000000001",
    };
    for (size_t i = 0; i < GW_COUNT_OF(texts); i++) {
        same_double(texts[i]);
        same_float(texts[i]);
    }
}

static void random_numbers_round_like_the_c_library(void **state)
{
    (void)state;
    struct gw_rng rng;
    gw_rng_init(&rng, 20240501);
    for (int i = 0; i < 20000; i++) {
        char text[64];
        uint64_t bits = gw_rng_next(&rng);
        unsigned digits = 1 + (unsigned)gw_rng_below(&rng, 17);
        float narrow = 0;
        uint32_t narrow_bits = (uint32_t)bits;
        memcpy(&narrow, &narrow_bits, sizeof narrow);
        if (!isfinite(narrow)) {
            continue;
        }
        snprintf(text, sizeof text, "%.*g", (int)digits, (double)narrow);
        if (isfinite(strtof(text, NULL))) {
            same_float(text);
        }
        same_double(text);
        // Half way between two floats, exactly and almost: where rounding twice would go wrong.
        double half = (double)(1 + gw_rng_below(&rng, 1 << 24)) + 0.5;
        snprintf(text, sizeof text, "%.1f%s", half, i % 2 == 0 ? "" : "000000001");
        same_float(text);
    }
}

static void out_of_range_and_endless_numbers_are_refused(void **state)
{
    (void)state;
    struct gw_number number = scan("1e999");
    double value = 0;
    float narrow = 0;
    gw_err err = {0};
    assert_fails(gw_number_double(&number, &value, &err), GW_E_INVALID);
    assert_string_equal(err.message, "number '1e999' is out of the range of a double");
    number = scan("3.5e38");
    assert_ok(gw_number_double(&number, &value, NULL));
    assert_fails(gw_number_float(&number, &narrow, NULL), GW_E_INVALID);

    char text[GW_NUMBER_TEXT_MAX + 2];
    memset(text, '1', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    number = scan(text);
    assert_fails(gw_number_double(&number, &value, NULL), GW_E_TOO_LARGE);
}

static void shortest_text_reads_back(void **state)
{
    (void)state;
    char text[GW_NUMBER_FORMAT_BYTES];
    gw_number_format_double(0.1, text);
    assert_string_equal(text, "0.1");
    gw_number_format_double(-0.0, text);
    assert_string_equal(text, "-0");
    gw_number_format_double(1e15, text);
    assert_string_equal(text, "1000000000000000");
    gw_number_format_float(0.3f, text);
    assert_string_equal(text, "0.3");

    struct gw_rng rng;
    gw_rng_init(&rng, 7);
    for (int i = 0; i < 5000; i++) {
        uint64_t bits = gw_rng_next(&rng);
        double value = 0;
        float narrow = 0;
        memcpy(&value, &bits, sizeof value);
        memcpy(&narrow, &bits, sizeof narrow);
        if (isfinite(value)) {
            size_t length = gw_number_format_double(value, text);
            assert_int_equal(length, strlen(text));
            assert_true(strtod(text, NULL) == value);
        }
        if (isfinite(narrow)) {
            size_t length = gw_number_format_float(narrow, text);
            assert_int_equal(length, strlen(text));
            assert_true(strtof(text, NULL) == narrow);
        }
    }
}

GW_TESTS(hard_cases_round_like_the_c_library, random_numbers_round_like_the_c_library,
         out_of_range_and_endless_numbers_are_refused, shortest_text_reads_back)
