// SPDX-License-Identifier: MIT
#include "support/testkit.h"

#include "worker/retrain_alert.h"

#include <string.h>

static struct gw_retrain_alert_decision decide(const char *kind, const char *state, int64_t age_ms)
{
    const struct gw_drift_alert alert = {.alert_id = gw_slice_text("a7"),
                                         .model_version = 3,
                                         .state = gw_slice_text(state),
                                         .kind = gw_slice_text(kind),
                                         .stream = gw_slice_text("is_favorited"),
                                         .severity = gw_slice_text("high"),
                                         .at_ms = 1000000000 - age_ms};
    struct gw_retrain_alert_decision decision;
    gw_retrain_alert_decide(&alert, 1000000000, &decision);
    return decision;
}

static void a_change_of_concept_asks(void **state)
{
    (void)state;
    struct gw_retrain_alert_decision decision = decide("concept", "open", 1000);
    assert_true(decision.asks);
    assert_false(decision.repeats);
    assert_null(decision.refusal);
    assert_string_equal(decision.reason, "alert a7: concept drift of 'is_favorited' under version 3, severity high");
}

static void an_alert_that_goes_on_asks_again(void **state)
{
    (void)state;
    struct gw_retrain_alert_decision decision = decide("concept", "update", 1000);
    assert_true(decision.asks);
    assert_true(decision.repeats);
}

static void what_closes_asks_nothing(void **state)
{
    (void)state;
    assert_false(decide("concept", "close", 1000).asks);
    assert_false(decide("concept", "", 1000).asks);
}

static void what_does_no_harm_or_is_old_is_refused(void **state)
{
    (void)state;
    assert_non_null(strstr(decide("feature", "open", 1000).refusal, "harm"));
    assert_non_null(strstr(decide("concept", "open", GW_RETRAIN_ALERT_AGE_MS + 1).refusal, "old"));
    assert_null(decide("concept", "open", GW_RETRAIN_ALERT_AGE_MS).refusal);
}

static void long_words_are_cut(void **state)
{
    (void)state;
    char stream[5000];
    memset(stream, 'x', sizeof stream);
    const struct gw_drift_alert alert = {.kind = gw_slice_text("concept"),
                                         .state = gw_slice_text("open"),
                                         .stream = gw_slice_make(stream, sizeof stream)};
    struct gw_retrain_alert_decision decision;
    gw_retrain_alert_decide(&alert, 0, &decision);
    assert_true(strlen(decision.reason) < 200);
}

GW_TESTS(a_change_of_concept_asks, an_alert_that_goes_on_asks_again, what_closes_asks_nothing,
         what_does_no_harm_or_is_old_is_refused, long_words_are_cut)
