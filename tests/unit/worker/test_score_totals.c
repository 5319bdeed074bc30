// SPDX-License-Identifier: MIT
#include "worker/score.h"

#include "support/testkit.h"

#include <stdio.h>

static struct gw_score_served served_by(int32_t version, const char *variant, uint64_t requests)
{
    struct gw_score_served served = {.version = version, .requests = requests, .predictions = requests * 10};
    snprintf(served.model, sizeof served.model, "m");
    snprintf(served.variant, sizeof served.variant, "%s", variant);
    return served;
}

static void counts_add_up_by_model_version_and_variant(void **state)
{
    (void)state;
    static struct gw_score_totals totals;
    static struct gw_score_totals more;
    totals = (struct gw_score_totals){0};
    more =
        (struct gw_score_totals){.requests = 3, .predictions = 30, .feature_samples = 4, .feature_samples_partial = 1};
    const struct gw_score_served champion = served_by(1, "champion", 2);
    const struct gw_score_served canary = served_by(1, "canary", 1);
    gw_score_totals_served(&more, &champion);
    gw_score_totals_served(&more, &canary);
    gw_score_totals_add(&totals, &more);
    gw_score_totals_add(&totals, &more);
    assert_int_equal(totals.requests, 6);
    assert_int_equal(totals.feature_samples, 8);
    assert_int_equal(totals.feature_samples_partial, 2);
    assert_int_equal(totals.served_count, 2);
    assert_int_equal(totals.served[0].requests, 4);
    assert_int_equal(totals.served[0].predictions, 40);
    assert_int_equal(totals.served[1].requests, 2);
}

static void the_version_seen_first_makes_room_for_a_new_one(void **state)
{
    (void)state;
    static struct gw_score_totals totals;
    totals = (struct gw_score_totals){0};
    for (int32_t version = 1; version <= GW_SCORE_SERVED_MAX + 2; version++) {
        const struct gw_score_served served = served_by(version, "champion", 1);
        gw_score_totals_served(&totals, &served);
    }
    assert_int_equal(totals.served_count, GW_SCORE_SERVED_MAX);
    assert_int_equal(totals.served[0].version, 3);
    assert_int_equal(totals.served[GW_SCORE_SERVED_MAX - 1].version, GW_SCORE_SERVED_MAX + 2);
}

static void shadows_add_up_and_the_oldest_makes_room(void **state)
{
    (void)state;
    static struct gw_score_totals totals;
    totals = (struct gw_score_totals){0};
    for (int32_t version = 1; version <= GW_SCORE_SHADOWED_MAX + 1; version++) {
        struct gw_score_shadowed shadow = {.model = "m", .version = version, .skipped = 1};
        shadow.tally.requests = 5;
        gw_score_totals_shadowed(&totals, &shadow, 1);
        gw_score_totals_shadowed(&totals, &shadow, 1);
    }
    assert_int_equal(totals.shadowed_count, GW_SCORE_SHADOWED_MAX);
    assert_int_equal(totals.shadowed[0].version, 2);
    assert_int_equal(totals.shadowed[0].tally.requests, 10);
    assert_int_equal(totals.shadowed[0].skipped, 2);
}

static double metric_in(struct gw_metrics *metrics, const char *line)
{
    struct gw_buf text = {0};
    double value = -1;
    assert_ok(gw_metrics_write(metrics, &text));
    assert_ok(gw_buf_append(&text, "", 1));
    const char *at = strstr((const char *)text.data, line);
    if (at != NULL) {
        value = strtod(at + strlen(line), NULL);
    }
    gw_buf_deinit(&text);
    return value;
}

static void versions_and_shadows_become_metrics(void **state)
{
    (void)state;
    static struct gw_score_totals before;
    static struct gw_score_totals now;
    struct gw_metrics *metrics = NULL;
    before = (struct gw_score_totals){0};
    now = (struct gw_score_totals){0};
    assert_ok(gw_metrics_new(&metrics, NULL));
    const struct gw_score_served served = served_by(4, "canary", 2);
    struct gw_score_shadowed shadow = {.model = "m", .version = 5, .skipped = 1};
    shadow.tally = (struct gw_shadow_tally){.requests = 8, .candidates = 80, .flips = 2, .delta_sum = 4};
    gw_score_totals_served(&now, &served);
    gw_score_totals_shadowed(&now, &shadow, 1);
    gw_score_metrics_publish(metrics, "bulk", 0, &before, &now);
    before = now;
    gw_score_totals_served(&now, &served);
    gw_score_metrics_publish(metrics, "bulk", 0, &before, &now);

    const char *labels = "lane=\"bulk\",slot=\"0\",model=\"m\",version=\"4\",variant=\"canary\"} ";
    char line[256];
    snprintf(line, sizeof line, "godwit_score_version_predictions_total{%s", labels);
    assert_true(metric_in(metrics, line) == 40);
    assert_true(metric_in(metrics, "godwit_score_shadow_flips_total{lane=\"bulk\",slot=\"0\",model=\"m\",version=\"5\"} ") ==
                2);
    assert_true(metric_in(metrics, "godwit_score_shadow_delta_mean_ratio{lane=\"bulk\",slot=\"0\",model=\"m\",version=\"5\"} ") ==
                0.05);
    gw_metrics_free(metrics);
}

GW_TESTS(counts_add_up_by_model_version_and_variant, the_version_seen_first_makes_room_for_a_new_one,
         shadows_add_up_and_the_oldest_makes_room, versions_and_shadows_become_metrics)
