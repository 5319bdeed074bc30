// SPDX-License-Identifier: MIT
#include "base/mem.h"
#include "base/metrics.h"
#include "support/testkit.h"

#include <math.h>
#include <string.h>

static char *text_of(struct gw_metrics *metrics, struct gw_buf *out)
{
    gw_buf_clear(out);
    assert_ok(gw_metrics_write(metrics, out));
    assert_ok(gw_buf_append(out, "", 1));
    return (char *)out->data;
}

static void families_are_written_in_one_piece(void **state)
{
    (void)state;
    struct gw_metrics *metrics = NULL;
    struct gw_buf out = {0};
    assert_ok(gw_metrics_new(&metrics, NULL));
    struct gw_metric *b = gw_metrics_counter(metrics, "godwit_b_total", "lane=\"sync\"", "Things.\nC:\\.");
    gw_metric_set(gw_metrics_gauge(metrics, "godwit_a_seconds", "", "A."), 1.5);
    gw_metric_add(gw_metrics_counter(metrics, "godwit_b_total", "lane=\"bulk\"", "Things."), 2);
    gw_metric_add(b, 40);
    gw_metric_add(gw_metrics_counter(metrics, "godwit_b_total", "lane=\"sync\"", "Things."), 1);

    assert_int_equal(gw_metric_count(b), 41);
    assert_string_equal(text_of(metrics, &out), "# HELP godwit_a_seconds A.\n"
                                                "# TYPE godwit_a_seconds gauge\n"
                                                "godwit_a_seconds 1.5\n"
                                                "# HELP godwit_b_total Things.\n"
                                                "# TYPE godwit_b_total counter\n"
                                                "godwit_b_total{lane=\"bulk\"} 2\n"
                                                "godwit_b_total{lane=\"sync\"} 41\n");
    gw_buf_deinit(&out);
    gw_metrics_free(metrics);
}

static void help_is_escaped_and_special_values_are_named(void **state)
{
    (void)state;
    struct gw_metrics *metrics = NULL;
    struct gw_buf out = {0};
    assert_ok(gw_metrics_new(&metrics, NULL));
    struct gw_metric *gauge = gw_metrics_gauge(metrics, "g", "", "a\\b\nc");
    gw_metric_set(gauge, (double)INFINITY);
    assert_string_equal(text_of(metrics, &out), "# HELP g a\\\\b\\nc\n# TYPE g gauge\ng +Inf\n");
    gw_metric_set(gauge, (double)NAN);
    assert_non_null(strstr(text_of(metrics, &out), "g NaN\n"));
    gw_buf_deinit(&out);
    gw_metrics_free(metrics);
}

static void histogram_buckets_are_cumulative_seconds(void **state)
{
    (void)state;
    struct gw_metrics *metrics = NULL;
    struct gw_buf out = {0};
    struct gw_histogram snapshot;
    assert_ok(gw_metrics_new(&metrics, NULL));
    struct gw_metric *histogram = gw_metrics_histogram(metrics, "godwit_h_seconds", "lane=\"bulk\"", "H.");
    gw_metric_observe_us(histogram, 0);
    gw_metric_observe_us_n(histogram, 1000, 3);
    gw_metric_observe_us(histogram, 200000000);

    const char *text = text_of(metrics, &out);
    assert_non_null(strstr(text, "godwit_h_seconds_bucket{lane=\"bulk\",le=\"1e-06\"} 1\n"));
    assert_non_null(strstr(text, "godwit_h_seconds_bucket{lane=\"bulk\",le=\"0.00063\"} 1\n"));
    assert_non_null(strstr(text, "godwit_h_seconds_bucket{lane=\"bulk\",le=\"0.001\"} 4\n"));
    assert_non_null(strstr(text, "godwit_h_seconds_bucket{lane=\"bulk\",le=\"100\"} 4\n"));
    assert_non_null(strstr(text, "godwit_h_seconds_bucket{lane=\"bulk\",le=\"+Inf\"} 5\n"));
    assert_non_null(strstr(text, "godwit_h_seconds_sum{lane=\"bulk\"} 200.003\n"));
    assert_non_null(strstr(text, "godwit_h_seconds_count{lane=\"bulk\"} 5\n"));
    assert_int_equal(gw_metric_count(histogram), 5);
    gw_metric_snapshot(histogram, &snapshot);
    assert_int_equal(gw_histogram_total(&snapshot), 5);
    gw_buf_deinit(&out);
    gw_metrics_free(metrics);
}

static void buckets_hold_values_up_to_their_bound(void **state)
{
    (void)state;
    assert_int_equal(gw_histogram_bound_us(0), 1);
    assert_int_equal(gw_histogram_bound_us(GW_HISTOGRAM_BUCKETS - 2), 100000000);
    for (uint32_t i = 0; i + 1 < GW_HISTOGRAM_BUCKETS; i++) {
        uint64_t bound_us = gw_histogram_bound_us(i);
        assert_true(bound_us < gw_histogram_bound_us(i + 1));
        assert_int_equal(gw_histogram_bucket(bound_us), i);
        assert_int_equal(gw_histogram_bucket(bound_us + 1), i + 1);
    }
    assert_int_equal(gw_histogram_bucket(UINT64_MAX), GW_HISTOGRAM_BUCKETS - 1);
}

static void quantiles_interpolate_inside_a_bucket(void **state)
{
    (void)state;
    struct gw_histogram histogram = {0};
    assert_true(gw_histogram_quantile_us(&histogram, 0.5) == 0);

    gw_histogram_observe_us(&histogram, 1000, 50); // in (630, 1000]
    gw_histogram_observe_us(&histogram, 4000, 50); // in (2500, 4000]
    assert_true(fabs(gw_histogram_quantile_us(&histogram, 0.25) - 815) < 1e-6);
    assert_true(fabs(gw_histogram_quantile_us(&histogram, 0.5) - 1000) < 1e-6);
    assert_true(fabs(gw_histogram_quantile_us(&histogram, 0.75) - 3250) < 1e-6);
    assert_true(fabs(gw_histogram_quantile_us(&histogram, 1) - 4000) < 1e-6);

    gw_histogram_observe_us(&histogram, UINT64_C(500000000), 900);
    assert_true(gw_histogram_quantile_us(&histogram, 0.99) == 1e8);
}

static void failed_allocations_give_null_or_a_status(void **state)
{
    (void)state;
    struct gw_metrics *metrics = NULL;
    struct gw_buf out = {0};
    gw_mem_fail_nth(1);
    assert_fails(gw_metrics_new(&metrics, NULL), GW_E_MEMORY);
    assert_ok(gw_metrics_new(&metrics, NULL));
    for (unsigned long n = 1; n <= 4; n++) {
        gw_mem_fail_nth(n);
        assert_null(gw_metrics_counter(metrics, "name", "", "help"));
    }
    gw_mem_fail_nth(0);
    assert_non_null(gw_metrics_counter(metrics, "name", "", "help"));
    gw_mem_fail_nth(1);
    assert_fails(gw_metrics_write(metrics, &out), GW_E_MEMORY);
    gw_mem_fail_nth(0);
    gw_buf_deinit(&out);
    gw_metrics_free(metrics);
}

GW_TESTS(families_are_written_in_one_piece, help_is_escaped_and_special_values_are_named,
         histogram_buckets_are_cumulative_seconds, buckets_hold_values_up_to_their_bound,
         quantiles_interpolate_inside_a_bucket, failed_allocations_give_null_or_a_status)
