// SPDX-License-Identifier: MIT
#include "worker/monitor_options.h"

#include "support/testkit.h"

#include <stdio.h>

static struct gw_monitor_drift_options options_of(const char *days, const char *rate, const char *names)
{
    char text[256];
    struct gw_config *config = NULL;
    snprintf(text, sizeof text, "[monitor]\ndrift_days = %s\ndrift_rate = %s\ndrift_names = %s\ndrift_calm = 90s\n",
             days, rate, names);
    assert_ok(gw_config_new(&config, NULL));
    assert_ok(gw_config_load_text(config, "test.ini", text, strlen(text), NULL));
    struct gw_monitor_drift_options options = gw_monitor_drift_options(config);
    gw_config_free(config);
    return options;
}

static void days_at_a_rate_become_rows(void **state)
{
    (void)state;
    struct gw_monitor_drift_options options = options_of("2", "500", "0.01");
    assert_true(options.bank.threshold == 2 * 86400.0 * 500);
    assert_true(options.loss.threshold == options.bank.threshold);
    assert_int_equal(options.bank.episode.rearm_ms, 90 * 1000);
    assert_int_equal(options.loss.episode.cooldown_ms, 600 * 1000);
    assert_int_equal(options.bank.episode.update_ms, 300 * 1000);
}

static void any_days_and_rate_make_a_bank_and_a_watch(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"0.001", "0.001", "0.000001"}, {"0.001", "0.001", "1"}, {"36500", "1000000", "0.01"}};
    static float values[2 * GW_DRIFT_BASELINE_ROWS_MIN];
    static uint8_t labels[GW_DRIFT_BASELINE_ROWS_MIN];
    static const char *const names[] = {"a", "b"};
    static const char *const heads[] = {"like"};
    for (size_t i = 0; i < GW_COUNT_OF(values); i++) {
        values[i] = (float)(i % 97) / 97.0f;
    }
    for (size_t i = 0; i < GW_COUNT_OF(labels); i++) {
        labels[i] = i % 7 == 0;
    }
    const struct gw_drift_rows rows = {.values = values,
                                       .row_count = GW_DRIFT_BASELINE_ROWS_MIN,
                                       .feature_count = 2,
                                       .names = names,
                                       .labelled_count = GW_DRIFT_BASELINE_ROWS_MIN,
                                       .probabilities = values,
                                       .labels = labels,
                                       .head_count = 1,
                                       .head_names = heads};
    const struct gw_drift_build_options build = {0};
    struct gw_drift_profile *profile = NULL;
    assert_ok(gw_drift_profile_build(&rows, &build, &profile, NULL));
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        struct gw_monitor_drift_options options = options_of(cases[i][0], cases[i][1], cases[i][2]);
        struct gw_drift_bank *bank = NULL;
        assert_ok(gw_drift_bank_new(profile, &options.bank, &bank, NULL));
        gw_drift_bank_free(bank);
        assert_in_range((uint64_t)options.loss.threshold, 2, (uint64_t)GW_DRIFT_THRESHOLD_MAX);
    }
    gw_drift_profile_free(profile);
}

GW_TESTS(days_at_a_rate_become_rows, any_days_and_rate_make_a_bank_and_a_watch)
