// SPDX-License-Identifier: MIT
#include "worker/overview.h"

#include "support/testkit.h"

#include <math.h>
#include <stdio.h>

enum { S = 1000000 }; // microseconds

static struct gw_serving_metrics record_of(const char *instance, const char *lane, int64_t start_ms)
{
    return (struct gw_serving_metrics){.instance = gw_slice_text(instance),
                                       .lane = gw_slice_text(lane),
                                       .window_start_ms = start_ms,
                                       .window_ms = 1000,
                                       .requests = 10,
                                       .predictions = 1000,
                                       .rows_wanted = 100,
                                       .rows_found = 90,
                                       .latency_p50_us = 1000,
                                       .latency_p95_us = 2000,
                                       .latency_p99_us = 3000,
                                       .lag = 4,
                                       .model_digest = gw_slice_text("abc")};
}

static void a_lane_sums_over_processes_and_threads(void **state)
{
    (void)state;
    static struct gw_overview overview;
    overview = (struct gw_overview){0};
    struct gw_overview_lane lane;
    const struct gw_serving_metrics first = record_of("0", "bulk", 5000);
    const struct gw_serving_metrics second = record_of("0", "bulk", 5000);
    const struct gw_serving_metrics other = record_of("1", "bulk", 5300);
    const struct gw_serving_metrics sync = record_of("1", "sync", 5300);

    gw_overview_note(&overview, &first, 10 * S);
    gw_overview_note(&overview, &second, 10 * S + 10);
    gw_overview_note(&overview, &other, 10 * S + 300);
    gw_overview_note(&overview, &sync, 10 * S + 300);
    gw_overview_lane(&overview, "bulk", 11 * S, &lane);

    assert_int_equal(lane.processes, 2);
    assert_true(lane.requests_per_s == 30.0);
    assert_true(lane.predictions_per_s == 3000.0);
    assert_int_equal(lane.lag, 12);
    assert_true(fabs(gw_overview_hit_ratio(&overview, 11 * S) - 0.9) < 1e-12);
    assert_string_equal(lane.digest, "abc");
}

static void latency_is_the_worst_processs_and_idle_ones_do_not_count(void **state)
{
    (void)state;
    static struct gw_overview overview;
    overview = (struct gw_overview){0};
    struct gw_overview_lane lane;
    struct gw_serving_metrics slow = record_of("0", "sync", 5000);
    struct gw_serving_metrics fast = record_of("1", "sync", 5000);
    struct gw_serving_metrics idle = record_of("2", "sync", 5000);
    slow.latency_p99_us = 50000;
    idle.requests = 0;
    idle.latency_p99_us = 900000; // of no request at all

    gw_overview_note(&overview, &slow, 10 * S);
    gw_overview_note(&overview, &fast, 10 * S);
    gw_overview_note(&overview, &idle, 10 * S);
    gw_overview_lane(&overview, "sync", 11 * S, &lane);

    assert_true(lane.p99_ms == 50.0);
    assert_true(lane.p50_ms == 1.0);
}

static void an_idle_lane_has_rates_of_zero_and_no_latency(void **state)
{
    (void)state;
    static struct gw_overview overview;
    overview = (struct gw_overview){0};
    struct gw_overview_lane lane;
    const struct gw_serving_metrics idle = {
        .instance = gw_slice_text("0"), .lane = gw_slice_text("sync"), .window_start_ms = 1, .window_ms = 1000};

    gw_overview_note(&overview, &idle, 10 * S);
    gw_overview_lane(&overview, "sync", 11 * S, &lane);

    assert_int_equal(lane.processes, 1);
    assert_true(lane.requests_per_s == 0.0);
    assert_true(isnan(lane.p50_ms) && isnan(lane.p95_ms) && isnan(lane.p99_ms));
    assert_true(isnan(gw_overview_hit_ratio(&overview, 11 * S)));
}

// While a second's records still come in, the one before it is shown: rates do not dip when a process has two lanes.
static void a_second_counts_when_all_its_records_have_come(void **state)
{
    (void)state;
    static struct gw_overview overview;
    overview = (struct gw_overview){0};
    struct gw_overview_lane lane;
    const struct gw_serving_metrics old = record_of("0", "bulk", 5000);
    struct gw_serving_metrics new = record_of("0", "bulk", 6000);
    new.requests = 500;
    gw_overview_note(&overview, &old, 10 * S);
    gw_overview_note(&overview, &old, 10 * S);
    gw_overview_note(&overview, &new, 11 * S);

    gw_overview_lane(&overview, "bulk", 11 * S + 1000, &lane);
    assert_true(lane.requests_per_s == 20.0);

    gw_overview_lane(&overview, "bulk", 11 * S + 300000, &lane);
    assert_true(lane.requests_per_s == 500.0);
}

static void a_silent_process_is_gone_after_five_seconds(void **state)
{
    (void)state;
    static struct gw_overview overview;
    overview = (struct gw_overview){0};
    struct gw_overview_lane lane;
    const struct gw_serving_metrics record = record_of("0", "sync", 5000);
    gw_overview_note(&overview, &record, 10 * S);

    gw_overview_lane(&overview, "sync", 15 * S, &lane);
    assert_int_equal(lane.processes, 1);

    gw_overview_lane(&overview, "sync", 15 * S + 1, &lane);
    assert_int_equal(lane.processes, 0);
    assert_true(isnan(lane.requests_per_s) && isnan(lane.predictions_per_s));
    assert_int_equal(lane.lag, -1);
    assert_string_equal(lane.digest, "");
}

static void more_processes_than_places_forget_the_one_silent_longest(void **state)
{
    (void)state;
    static struct gw_overview overview;
    overview = (struct gw_overview){0};
    struct gw_overview_lane lane;
    for (int i = 0; i <= GW_OVERVIEW_SERIES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        const struct gw_serving_metrics record = record_of(name, "sync", 5000);
        gw_overview_note(&overview, &record, 10 * S + (uint64_t)i);
    }

    gw_overview_lane(&overview, "sync", 11 * S, &lane);

    assert_int_equal(lane.processes, GW_OVERVIEW_SERIES_MAX);
    assert_string_equal(overview.series[0].instance, "64");
}

static void over_long_names_are_cut(void **state)
{
    (void)state;
    static struct gw_overview overview;
    overview = (struct gw_overview){0};
    static const char name[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const struct gw_serving_metrics record = record_of(name, name, 5000);

    gw_overview_note(&overview, &record, 10 * S);
    gw_overview_note(&overview, &record, 11 * S);

    assert_int_equal(overview.count, 1);
}

static void rate_is_growth_over_time(void **state)
{
    (void)state;
    struct gw_overview_count count = {0};

    assert_true(isnan(gw_overview_rate(&count, true, 100, 1 * S)));
    assert_true(gw_overview_rate(&count, true, 300, 3 * S) == 100.0);
    assert_true(gw_overview_rate(&count, true, 300, 4 * S) == 0.0);
}

static void rate_is_unknown_after_a_step_back_or_a_gap(void **state)
{
    (void)state;
    struct gw_overview_count count = {0};
    assert_true(isnan(gw_overview_rate(&count, true, 100, 1 * S)));

    assert_true(isnan(gw_overview_rate(&count, true, 50, 2 * S)));
    assert_true(gw_overview_rate(&count, true, 60, 3 * S) == 10.0);
    assert_true(isnan(gw_overview_rate(&count, false, 0, 4 * S)));
    assert_true(isnan(gw_overview_rate(&count, true, 70, 5 * S)));
    assert_true(gw_overview_rate(&count, true, 80, 6 * S) == 10.0);
    assert_true(isnan(gw_overview_rate(&count, true, 90, 6 * S))); // no time has passed
}

GW_TESTS(a_lane_sums_over_processes_and_threads, latency_is_the_worst_processs_and_idle_ones_do_not_count,
         an_idle_lane_has_rates_of_zero_and_no_latency, a_second_counts_when_all_its_records_have_come,
         a_silent_process_is_gone_after_five_seconds, more_processes_than_places_forget_the_one_silent_longest,
         over_long_names_are_cut, rate_is_growth_over_time, rate_is_unknown_after_a_step_back_or_a_gap)
