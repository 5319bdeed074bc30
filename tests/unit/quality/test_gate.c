// SPDX-License-Identifier: MIT
#include "base/rng.h"
#include "quality/gate.h"
#include "support/testkit.h"

#include <math.h>

static const uint64_t seed = 90210;
static const double alpha = 0.05;

struct world {
    struct gw_rng rng;
    struct gw_paired paired;
    struct gw_head_quality *candidate;
    struct gw_head_quality *champion;
};

static void begin(struct world *world, uint64_t rows_expected)
{
    const struct gw_paired_options options = {.clip = 0.001,
                                              .gain_limit = (double)INFINITY,
                                              .weight_limit = 1.0,
                                              .alpha = alpha,
                                              .rows_expected = rows_expected};
    assert_ok(gw_paired_init(&options, &world->paired, NULL));
    world->candidate = gw_head_quality_new();
    world->champion = gw_head_quality_new();
    assert_non_null(world->candidate);
    assert_non_null(world->champion);
}

static void end(struct world *world)
{
    gw_head_quality_free(world->candidate);
    gw_head_quality_free(world->champion);
}

static double sigmoid(double z)
{
    return 1.0 / (1.0 + exp(-z));
}

static void add(struct world *world, double candidate, double champion, bool positive)
{
    const struct gw_head_row a = {.prediction = candidate, .positive = positive, .weight = 1.0};
    const struct gw_head_row b = {.prediction = champion, .positive = positive, .weight = 1.0};
    assert_ok(gw_head_quality_add(world->candidate, &a, NULL));
    assert_ok(gw_head_quality_add(world->champion, &b, NULL));
    assert_ok(gw_paired_add(&world->paired, candidate, champion, positive, 1.0, NULL));
}

static struct gw_gate_decision decide(const struct world *world, double margin)
{
    struct gw_gate_decision decision;
    gw_gate_decide(&world->paired, margin, alpha, &decision);
    return decision;
}

static bool informs(const struct gw_head_quality *candidate)
{
    struct gw_head_measures measures;
    struct gw_gate_check checks[2];
    gw_head_quality_measure(candidate, &measures);
    gw_gate_check_informs(&measures, checks);
    return checks[0].passed && checks[1].passed;
}

static void better_passes_and_worse_fails(void **state)
{
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct world better = {0};
    struct world worse = {0};
    gw_rng_init(&better.rng, seed);
    begin(&better, 4000);
    begin(&worse, 4000);
    for (int i = 0; i < 4000; i++) {
        double logit = -1.5 + 1.2 * gw_rng_normal(&better.rng);
        bool positive = gw_rng_double(&better.rng) < sigmoid(logit);
        add(&better, sigmoid(logit), sigmoid(logit + 1.0), positive);
        add(&worse, sigmoid(logit + 1.0), sigmoid(logit), positive);
    }
    struct gw_gate_decision decision = decide(&better, 0.0);
    assert_int_equal(decision.verdict, GW_GATE_PASS);
    assert_true(decision.bounds.high < 0.0 && decision.bounds.mean < decision.bounds.high);
    assert_int_equal(decision.rows, 4000);
    assert_true(informs(better.candidate));
    decision = decide(&worse, 0.01);
    assert_int_equal(decision.verdict, GW_GATE_FAIL);
    assert_true(decision.bounds.low > 0.01);
    end(&better);
    end(&worse);
}

static void the_same_model_passes_by_its_margin_only(void **state)
{
    (void)state;
    struct world world = {0};
    gw_rng_init(&world.rng, seed + 1);
    begin(&world, 0);
    for (int i = 0; i < 3000; i++) {
        double p = sigmoid(-1.5 + gw_rng_normal(&world.rng));
        add(&world, p, p, gw_rng_double(&world.rng) < p);
        assert_int_equal(decide(&world, 0.0).verdict, GW_GATE_INCONCLUSIVE);
    }
    assert_int_equal(decide(&world, 0.02).verdict, GW_GATE_PASS);
    assert_int_equal(decide(&world, 1e-4).verdict, GW_GATE_INCONCLUSIVE);
    end(&world);
}

static void the_base_rate_beats_a_lost_champion_and_is_stopped_by_the_checks(void **state)
{
    (void)state;
    struct world world = {0};
    gw_rng_init(&world.rng, seed + 2);
    begin(&world, 0);
    for (int i = 0; i < 5000; i++) {
        double p = sigmoid(-2.0 + gw_rng_normal(&world.rng));
        bool positive = gw_rng_double(&world.rng) < p;
        add(&world, 0.15, sigmoid(1.0 + gw_rng_normal(&world.rng)), positive); // the champion knows nothing any more
    }
    assert_int_equal(decide(&world, 0.0).verdict, GW_GATE_PASS);
    struct gw_head_measures measures;
    struct gw_gate_check checks[2];
    gw_head_quality_measure(world.candidate, &measures);
    gw_gate_check_informs(&measures, checks);
    assert_false(checks[0].passed);
    assert_false(checks[1].passed);
    assert_true(checks[0].value == 0.5);

    // At exactly the hold-out's own rate, the best that a constant can do.
    double rate = measures.positives / measures.examples;
    gw_head_quality_clear(world.candidate);
    for (int i = 0; i < 5000; i++) {
        const struct gw_head_row row = {.prediction = rate, .positive = i < (int)measures.positives, .weight = 1.0};
        assert_ok(gw_head_quality_add(world.candidate, &row, NULL));
    }
    gw_head_quality_measure(world.candidate, &measures);
    assert_true(fabs(measures.normalised_entropy - 1.0) < 1e-8);
    gw_gate_check_informs(&measures, checks);
    assert_false(checks[0].passed);
    assert_false(checks[1].passed);
    end(&world);
}

// The candidate's loss is worse by exactly the margin, on average: the hardest case that must not pass.
static void a_worse_model_passes_no_oftener_than_alpha(void **state)
{
    (void)state;
    enum { ROUNDS = 400, ROWS = 1000 };
    print_message("seed %llu\n", (unsigned long long)seed);
    struct gw_rng rng;
    gw_rng_init(&rng, seed + 3);
    const struct gw_paired_options options = {
        .clip = 0.01, .gain_limit = (double)INFINITY, .weight_limit = 1.0, .alpha = alpha, .rows_expected = ROWS};
    // Truth p, candidate q for a champion that says p: mean difference p ln(p/q) + (1-p) ln((1-p)/(1-q)).
    const double p = 0.2;
    const double q = 0.26;
    const double margin = p * log(p / q) + (1.0 - p) * log((1.0 - p) / (1.0 - q));
    int passes = 0;
    int failures = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct gw_paired paired;
        assert_ok(gw_paired_init(&options, &paired, NULL));
        bool passed = false; // at any look
        bool failed = false;
        for (int i = 0; i < ROWS; i++) {
            assert_ok(gw_paired_add(&paired, q, p, gw_rng_double(&rng) < p, 1.0, NULL));
            struct gw_gate_decision decision;
            gw_gate_decide(&paired, margin, alpha, &decision);
            passed = passed || decision.verdict == GW_GATE_PASS;
            failed = failed || decision.verdict == GW_GATE_FAIL;
        }
        passes += passed;
        failures += failed;
    }
    print_message("passed %d, failed %d of %d\n", passes, failures, ROUNDS);
    assert_true(passes <= alpha * ROUNDS);
    assert_true(failures <= alpha * ROUNDS);
}

static void checks_carry_what_they_saw_and_allowed(void **state)
{
    (void)state;
    struct world world = {0};
    gw_rng_init(&world.rng, seed + 4);
    begin(&world, 0);
    struct gw_head_measures measures;
    gw_head_quality_measure(world.candidate, &measures);
    assert_false(gw_gate_check_prior(&measures, 0.1, 2.0).passed); // no rows
    assert_false(gw_gate_check_scores(world.champion, world.candidate, 0.1).passed);
    for (int i = 0; i < 2000; i++) {
        double logit = -2.0 + gw_rng_normal(&world.rng);
        add(&world, sigmoid(logit + 1.5), sigmoid(logit), i % 10 == 0);
    }
    gw_head_quality_measure(world.candidate, &measures);
    struct gw_gate_check check = gw_gate_check_prior(&measures, 0.15, 2.0);
    assert_true(check.passed);
    assert_string_equal(check.name, "label_prior");
    assert_true(check.value == 0.1 && check.low == 0.075 && check.high == 0.3);
    assert_false(gw_gate_check_prior(&measures, 0.25, 2.0).passed);
    assert_false(gw_gate_check_prior(&measures, 0.04, 2.0).passed);
    assert_false(gw_gate_check_calibration(&measures, 1.5).passed); // says several times too much
    assert_true(gw_gate_check_calibration(&measures, 10.0).passed);
    assert_false(gw_gate_check_scores(world.champion, world.candidate, 0.25).passed);
    assert_true(gw_gate_check_scores(world.champion, world.champion, 0.0).passed);
    assert_true(gw_gate_check_missing(1, 1000, 0.001).passed);
    assert_false(gw_gate_check_missing(2, 1000, 0.001).passed);
    assert_false(gw_gate_check_missing(0, 0, 0.5).passed);
    assert_string_equal(gw_gate_verdict_name(GW_GATE_INCONCLUSIVE), "INCONCLUSIVE");
    end(&world);
}

GW_TESTS(better_passes_and_worse_fails, the_same_model_passes_by_its_margin_only,
         the_base_rate_beats_a_lost_champion_and_is_stopped_by_the_checks, a_worse_model_passes_no_oftener_than_alpha,
         checks_carry_what_they_saw_and_allowed)
