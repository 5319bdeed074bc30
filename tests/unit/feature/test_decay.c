// SPDX-License-Identifier: MIT
#include "feature/decay.h"
#include "unit/feature/vocabulary.h"

static const char buys[] = VIEWS "[feature buys]\nview = shop\naggregate = decayed_count\nhalf_life = 30m\n"
                                 "where = act = BUY\nmissing = zero\n";

static void powers_of_two_are_exact(void **state)
{
    (void)state;
    const double half_life_us = 30.0 * MINUTE_US;
    double expected = 1;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_true(gw_decay(i * 30 * MINUTE_US, half_life_us) == expected);
        expected /= 2;
    }
    assert_true(gw_decay(UINT64_MAX, 1) == 0);
    assert_true(gw_decay(0, 1) == 1);
}

static void agrees_with_exp2(void **state)
{
    (void)state;
    for (uint64_t elapsed_us = 0; elapsed_us < 40 * (uint64_t)HOUR_US; elapsed_us += 7777777) {
        double expected = exp2(-(double)elapsed_us / (30.0 * MINUTE_US));
        assert_close(gw_decay(elapsed_us, 30.0 * MINUTE_US), expected, 4e-16);
    }
}

static void golden_bits_hold_on_every_compiler(void **state)
{
    (void)state;
    const struct {
        uint64_t elapsed_us;
        uint64_t bits;
    } golden[] = {{1, 0x3fefffffffcb1324}, {123456789, 0x3fee83a833823183}, {86399999999, 0x3cf00000001a7663}};
    for (size_t i = 0; i < GW_COUNT_OF(golden); i++) {
        double value = gw_decay(golden[i].elapsed_us, 30.0 * MINUTE_US);
        uint64_t bits = 0;
        memcpy(&bits, &value, sizeof bits);
        assert_int_equal(bits, golden[i].bits);
    }
}

static void steady_rate_settles_at_rate_times_half_life_over_ln2(void **state)
{
    (void)state;
    struct gw_feature_set *set = test_set(buys);
    uint8_t row[GW_FEATURE_ROW_BYTES_MAX];
    gw_row_init(gw_feature_set_view(set, 1), row);
    int64_t now_us = START_US;
    for (int i = 0; i < 20 * 3600; i++) { // one a second for 40 half-lives
        assert_true(test_apply(set, 1, row, SIDE_SHOP, now_us, ACT_BUY, NAN));
        now_us += SECOND_US;
    }
    // The sum is a geometric series, half an event above the integral just after an event.
    assert_close(test_value(set, 1, row, now_us - SECOND_US, "buys") - 0.5, 30 * 60 / log(2), 1e-6);
    gw_feature_set_free(set);
}

static void value_below_the_epsilon_reads_as_zero(void **state)
{
    (void)state;
    struct gw_feature_set *set = test_set(buys);
    uint8_t row[GW_FEATURE_ROW_BYTES_MAX];
    gw_row_init(gw_feature_set_view(set, 1), row);
    assert_true(test_apply(set, 1, row, SIDE_SHOP, START_US, ACT_BUY, NAN));

    assert_true(test_value(set, 1, row, START_US + 30 * 19 * MINUTE_US, "buys") > 1.9e-6); // 2^-19
    assert_true(test_value(set, 1, row, START_US + 30 * 20 * MINUTE_US, "buys") == 0);     // 2^-20
    assert_true(test_value(set, 1, NULL, START_US, "buys") == 0);
    gw_feature_set_free(set);
}

static void expired_row_starts_again_with_the_same_value(void **state)
{
    (void)state;
    struct gw_feature_set *set = test_set(buys);
    const struct gw_feature_view *view = gw_feature_set_view(set, 1);
    assert_false(view->never_expires);
    uint8_t kept[GW_FEATURE_ROW_BYTES_MAX];
    uint8_t fresh[GW_FEATURE_ROW_BYTES_MAX];
    gw_row_init(view, kept);
    gw_row_init(view, fresh);
    test_apply(set, 1, kept, SIDE_SHOP, START_US, ACT_BUY, NAN);

    int64_t later_us = START_US + 30 * 20 * MINUTE_US;
    test_apply(set, 1, kept, SIDE_SHOP, later_us, ACT_BUY, NAN);
    test_apply(set, 1, fresh, SIDE_SHOP, later_us, ACT_BUY, NAN);
    assert_memory_equal(kept, fresh, view->row_bytes);
    gw_feature_set_free(set);
}

GW_TESTS(powers_of_two_are_exact, agrees_with_exp2, golden_bits_hold_on_every_compiler,
         steady_rate_settles_at_rate_times_half_life_over_ln2, value_below_the_epsilon_reads_as_zero,
         expired_row_starts_again_with_the_same_value)
