// SPDX-License-Identifier: MIT
#include "support/testkit.h"

#include "worker/retrain_decay.h"

#include <math.h>
#include <string.h>

#define NOW_MS   INT64_C(1700000000000)
#define START_MS INT64_C(1699999200000) // 22:00:00 UTC

static const struct gw_retrain_decay_reference trained = {
    .version = 3, .head = "is_favorited", .normalised_entropy = 0.8};

static struct gw_model_quality quality(double entropy)
{
    return (struct gw_model_quality){.model_name = gw_slice_text("ranker"),
                                     .model_version = 3,
                                     .variant = gw_slice_text("champion"),
                                     .head = gw_slice_text("is_favorited"),
                                     .window_start_ms = START_MS,
                                     .window_end_ms = START_MS + 300000,
                                     .examples = 12345,
                                     .normalised_entropy = entropy,
                                     .has_normalised_entropy_low = true,
                                     .normalised_entropy_low = entropy - 0.02,
                                     .has_normalised_entropy_high = true,
                                     .normalised_entropy_high = entropy + 0.02,
                                     .maturity = 1,
                                     .computed_at_ms = NOW_MS - 1000};
}

// Decides on a window `index` windows after the first one, and takes the mark over.
static struct gw_retrain_decay_decision decide(const struct gw_retrain_decay_reference *reference, int index,
                                               double entropy, struct gw_retrain_decay_mark *mark)
{
    struct gw_model_quality record = quality(entropy);
    struct gw_retrain_decay_window window;
    struct gw_retrain_decay_decision decision;
    record.window_start_ms += index * 300000;
    record.window_end_ms += index * 300000;
    assert_true(gw_retrain_decay_read(&record, NOW_MS, &window));
    gw_retrain_decay_decide(&window, reference, 0.05, mark, &decision);
    *mark = decision.mark;
    return decision;
}

static void a_surely_higher_entropy_asks_with_its_numbers(void **state)
{
    (void)state;
    struct gw_retrain_decay_mark mark = {0};
    struct gw_retrain_decay_decision decision = decide(&trained, 0, 0.87, &mark);
    assert_true(decision.asks);
    assert_false(decision.repeats);
    assert_string_equal(decision.reason,
                        "quality decay: normalised entropy 0.8700 (0.8500 to 0.8900) of 'is_favorited' "
                        "under version 3 from 22:00:00 to 22:05:00 UTC on 12345 examples, 0.8000 at "
                        "training");
}

static void what_is_not_sure_or_within_the_share_does_not_ask(void **state)
{
    (void)state;
    struct gw_retrain_decay_mark mark = {0};
    assert_false(decide(&trained, 0, 0.80, &mark).asks);
    assert_false(decide(&trained, 1, 0.855, &mark).asks); // its low end is below 0.84
}

static void a_window_that_follows_repeats_until_a_calm_one(void **state)
{
    (void)state;
    struct gw_retrain_decay_mark mark = {0};
    assert_false(decide(&trained, 0, 0.9, &mark).repeats);
    assert_true(decide(&trained, 1, 0.9, &mark).repeats);
    assert_false(decide(&trained, 2, 0.85, &mark).asks); // in between: not calm either
    assert_true(decide(&trained, 3, 0.9, &mark).repeats);
    assert_false(decide(&trained, 4, 0.82, &mark).asks);
    assert_false(decide(&trained, 5, 0.9, &mark).repeats);
    assert_true(decide(&trained, 6, 0.9, &mark).repeats);
}

static void the_same_window_again_decides_the_same(void **state)
{
    (void)state;
    struct gw_retrain_decay_mark mark = {0};
    assert_false(decide(&trained, 0, 0.9, &mark).repeats);
    assert_false(decide(&trained, 0, 0.9, &mark).repeats);
    assert_true(decide(&trained, 1, 0.9, &mark).repeats);
}

static void another_champion_starts_anew(void **state)
{
    (void)state;
    struct gw_retrain_decay_mark mark = {.version = 2, .decayed = true, .first_ms = 1};
    struct gw_retrain_decay_decision decision = decide(&trained, 0, 0.9, &mark);
    assert_true(decision.asks);
    assert_false(decision.repeats);
}

static void others_than_the_champion_and_its_primary_head_say_nothing(void **state)
{
    (void)state;
    struct gw_retrain_decay_mark mark = {0};
    struct gw_retrain_decay_reference other = trained;
    other.version = 4;
    assert_false(decide(&other, 0, 0.99, &mark).asks);
    other = trained;
    strcpy(other.head, "is_replied");
    assert_false(decide(&other, 0, 0.99, &mark).asks);
    other = (struct gw_retrain_decay_reference){0}; // no champion
    assert_false(decide(&other, 0, 0.99, &mark).asks);
    other = trained;
    other.normalised_entropy = (double)NAN; // a bundle without metadata
    assert_false(decide(&other, 0, 0.99, &mark).asks);
    assert_int_equal(mark.version, 0);
}

static void records_that_say_nothing_are_not_read(void **state)
{
    (void)state;
    struct gw_retrain_decay_window window;
    struct gw_model_quality record = quality(0.9);
    record.variant = gw_slice_text("shadow");
    assert_false(gw_retrain_decay_read(&record, NOW_MS, &window));
    record = quality(0.9);
    record.maturity = 0.98;
    assert_false(gw_retrain_decay_read(&record, NOW_MS, &window));
    record.maturity = (double)NAN;
    assert_false(gw_retrain_decay_read(&record, NOW_MS, &window));
    record = quality(0.9);
    record.computed_at_ms = NOW_MS - GW_RETRAIN_DECAY_AGE_MS - 1;
    assert_false(gw_retrain_decay_read(&record, NOW_MS, &window));
    record = quality(0.9);
    record.has_normalised_entropy_low = false; // written before there were intervals
    assert_false(gw_retrain_decay_read(&record, NOW_MS, &window));
    record = quality((double)NAN); // one class
    assert_false(gw_retrain_decay_read(&record, NOW_MS, &window));
    char name[GW_RETRAIN_DECAY_HEAD_BYTES + 1] = "";
    memset(name, 'x', GW_RETRAIN_DECAY_HEAD_BYTES);
    record = quality(0.9);
    record.head = gw_slice_text(name);
    assert_false(gw_retrain_decay_read(&record, NOW_MS, &window));
}

GW_TESTS(a_surely_higher_entropy_asks_with_its_numbers, what_is_not_sure_or_within_the_share_does_not_ask,
         a_window_that_follows_repeats_until_a_calm_one, the_same_window_again_decides_the_same,
         another_champion_starts_anew, others_than_the_champion_and_its_primary_head_say_nothing,
         records_that_say_nothing_are_not_read)
