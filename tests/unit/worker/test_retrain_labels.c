// SPDX-License-Identifier: MIT
#include "support/testkit.h"

#include "worker/retrain_labels.h"

#include <math.h>
#include <string.h>

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS };
#define CUTOFF_MS INT64_C(1700000000000)

static struct gw_retrain_label_part part(uint64_t rows, uint64_t positives)
{
    struct gw_retrain_label_part part = {0};
    for (uint64_t i = 0; i < rows; i++) {
        gw_retrain_labels_add(&part, i < positives, 1);
    }
    return part;
}

// A day's rows of a label window of 3 h, the newest of them so late.
static struct gw_retrain_labels labels(int64_t late_ms)
{
    const int64_t newest_ms = CUTOFF_MS - 3 * HOUR_MS - MINUTE_MS - late_ms;
    return (struct gw_retrain_labels){.oldest_ms = newest_ms - 24 * HOUR_MS,
                                      .newest_ms = newest_ms,
                                      .before = part(9000, 450),
                                      .newest = part(1000, 50)};
}

static enum gw_retrain_labels_fault judge(const struct gw_retrain_labels *labels, double trained_rate,
                                          char verdict[300])
{
    const struct gw_retrain_labels_rules rules = {
        .cutoff_ms = CUTOFF_MS, .window_ms = 3 * HOUR_MS, .settle_ms = MINUTE_MS, .trained_rate = trained_rate};
    verdict[0] = '\0';
    return gw_retrain_labels_judge(labels, &rules, verdict, 300);
}

static void steady_labels_are_fine(void **state)
{
    (void)state;
    char verdict[300];
    struct gw_retrain_labels rows = labels(0);
    assert_int_equal(judge(&rows, 0.05, verdict), GW_RETRAIN_LABELS_FINE);
    assert_int_equal(judge(&rows, (double)NAN, verdict), GW_RETRAIN_LABELS_FINE);
    assert_string_equal(verdict, "");
    rows.newest.rows = 0; // so few rows that they have no newest tenth
    assert_int_equal(judge(&rows, 0.05, verdict), GW_RETRAIN_LABELS_FINE);
}

static void a_stream_that_stopped_is_broken(void **state)
{
    (void)state;
    char verdict[300];
    struct gw_retrain_labels rows = labels(9 * MINUTE_MS);
    assert_int_equal(judge(&rows, 0.05, verdict), GW_RETRAIN_LABELS_FINE);
    rows = labels(11 * MINUTE_MS);
    assert_int_equal(judge(&rows, 0.05, verdict), GW_RETRAIN_LABELS_STALE);
    assert_non_null(strstr(verdict, "labels look broken: the newest final example is 660 s older"));
}

static void whoever_asks_by_hand_may_learn_old_rows(void **state)
{
    (void)state;
    char verdict[300];
    struct gw_retrain_labels rows = labels(11 * MINUTE_MS);
    const struct gw_retrain_labels_rules rules = {.by_hand = true,
                                                  .cutoff_ms = CUTOFF_MS,
                                                  .window_ms = 3 * HOUR_MS,
                                                  .settle_ms = MINUTE_MS,
                                                  .trained_rate = (double)NAN};
    assert_int_equal(gw_retrain_labels_judge(&rows, &rules, verdict, sizeof verdict), GW_RETRAIN_LABELS_FINE);
}

static void rare_traffic_may_pause_for_longer(void **state)
{
    (void)state;
    char verdict[300];
    struct gw_retrain_labels rows = labels(5 * HOUR_MS);
    rows.before = part(90, 30);
    rows.newest = part(10, 3);
    rows.oldest_ms = rows.newest_ms - 100 * HOUR_MS; // one an hour
    assert_int_equal(judge(&rows, (double)NAN, verdict), GW_RETRAIN_LABELS_FINE);
    rows.oldest_ms = rows.newest_ms - 10 * HOUR_MS;
    assert_int_equal(judge(&rows, (double)NAN, verdict), GW_RETRAIN_LABELS_STALE);
}

static void labels_of_one_class_are_broken(void **state)
{
    (void)state;
    char verdict[300];
    struct gw_retrain_labels rows = labels(0);
    rows.before = part(9000, 0);
    rows.newest = part(1000, 0);
    assert_int_equal(judge(&rows, (double)NAN, verdict), GW_RETRAIN_LABELS_ONE_CLASS);
    assert_non_null(strstr(verdict, "none of 10000 examples is positive"));
    rows.before = part(9000, 9000);
    rows.newest = part(1000, 1000);
    assert_int_equal(judge(&rows, (double)NAN, verdict), GW_RETRAIN_LABELS_ONE_CLASS);
    assert_non_null(strstr(verdict, "all of 10000 examples are positive"));
}

static void positives_that_suddenly_come_or_stay_away_are_broken(void **state)
{
    (void)state;
    char verdict[300];
    struct gw_retrain_labels rows = labels(0);
    rows.newest = part(1000, 300); // poisoned: six times as many
    assert_int_equal(judge(&rows, (double)NAN, verdict), GW_RETRAIN_LABELS_RATE);
    assert_non_null(strstr(verdict, "0.30000 of the newest 1000 examples are positive, 0.05000 of the 9000 before"));
    rows.newest = part(1000, 0); // the actions' topic has stopped
    assert_int_equal(judge(&rows, (double)NAN, verdict), GW_RETRAIN_LABELS_RATE);
    rows.newest = part(1000, 200); // four times as many: may be true
    assert_int_equal(judge(&rows, (double)NAN, verdict), GW_RETRAIN_LABELS_FINE);
    rows.newest = part(100, 0); // much, but not surely
    assert_int_equal(judge(&rows, (double)NAN, verdict), GW_RETRAIN_LABELS_FINE);
}

static void a_rate_that_the_champion_never_saw_is_broken(void **state)
{
    (void)state;
    char verdict[300];
    struct gw_retrain_labels rows = labels(0);
    assert_int_equal(judge(&rows, 0.009, verdict), GW_RETRAIN_LABELS_RATE);
    assert_non_null(strstr(verdict, "the champion was trained on 0.00900"));
    assert_int_equal(judge(&rows, 0.3, verdict), GW_RETRAIN_LABELS_RATE);
    assert_int_equal(judge(&rows, 0.011, verdict), GW_RETRAIN_LABELS_FINE);
}

static void weights_count_as_weights_and_few_heavy_rows_prove_little(void **state)
{
    (void)state;
    char verdict[300];
    struct gw_retrain_labels rows = labels(0);
    memset(&rows.newest, 0, sizeof rows.newest);
    for (int i = 0; i < 1000; i++) {
        gw_retrain_labels_add(&rows.newest, i < 50, i == 0 ? 400 : 1); // one row of a low sampling rate
    }
    assert_int_equal(judge(&rows, (double)NAN, verdict), GW_RETRAIN_LABELS_FINE);
}

GW_TESTS(steady_labels_are_fine, a_stream_that_stopped_is_broken, whoever_asks_by_hand_may_learn_old_rows,
         rare_traffic_may_pause_for_longer, labels_of_one_class_are_broken,
         positives_that_suddenly_come_or_stay_away_are_broken, a_rate_that_the_champion_never_saw_is_broken,
         weights_count_as_weights_and_few_heavy_rows_prove_little)
