// SPDX-License-Identifier: MIT
#include "base/mem.h"
#include "base/rng.h"
#include "drift/concept.h"
#include "drift/promise.h"
#include "support/testkit.h"

#include <math.h>

enum { REFERENCE = 20000 };

// A calibrated model: the label has the probability that it says. `flip` is the share of labels turned round.
struct world {
    struct gw_rng rng;
    double flip;
};

static float next(struct world *world, bool *ret_label)
{
    float p = (float)(0.02 + 0.3 * gw_rng_double(&world->rng));
    bool label = gw_rng_double(&world->rng) < (double)p;
    *ret_label = gw_rng_double(&world->rng) < world->flip ? !label : label;
    return p;
}

static struct gw_drift_profile *reference(size_t rows)
{
    static const char *const head[] = {"is_favorited"};
    struct world world = {0};
    gw_rng_init(&world.rng, 1);
    float *p = gw_mem_calloc(rows, sizeof *p);
    uint8_t *labels = gw_mem_calloc(rows, 1);
    float *none = gw_mem_calloc(rows, sizeof *none);
    assert_true(p != NULL && labels != NULL && none != NULL);
    for (size_t i = 0; i < rows; i++) {
        bool label = false;
        p[i] = next(&world, &label);
        labels[i] = label ? 1 : 0;
    }
    const struct gw_drift_rows input = {.values = none,
                                        .row_count = rows,
                                        .labelled_count = rows,
                                        .probabilities = p,
                                        .labels = labels,
                                        .head_count = 1,
                                        .head_names = head};
    struct gw_drift_profile *profile = NULL;
    assert_ok(gw_drift_profile_build(&input, &(struct gw_drift_build_options){0}, &profile, NULL));
    gw_mem_free(p);
    gw_mem_free(labels);
    gw_mem_free(none);
    return profile;
}

// Rows until the threshold; `limit` when it is not reached.
static uint32_t run(const struct gw_drift_baseline *baseline, uint64_t seed, double flip, double threshold,
                    uint32_t limit)
{
    struct world world = {.flip = flip};
    struct gw_drift_concept concept;
    gw_rng_init(&world.rng, seed);
    assert_ok(gw_drift_concept_init(&concept, baseline, NULL));
    for (uint32_t i = 1; i <= limit; i++) {
        bool label = false;
        double e = 0.0;
        float p = next(&world, &label);
        assert_ok(gw_drift_concept_feed(&concept, baseline, gw_drift_log_loss(p, label), 1.0, &e, NULL));
        if (e >= threshold) {
            return i;
        }
    }
    return limit;
}

static void an_unchanged_model_raises_no_alarm(void **state)
{
    (void)state;
    struct gw_drift_profile *profile = reference(REFERENCE);
    for (uint64_t seed = 10; seed < 13; seed++) {
        assert_int_equal(run(&profile->heads[0], seed, 0.0, 1e4, 100000), 100000);
    }
    gw_drift_profile_free(profile);
}

static void a_model_that_became_worse_is_seen(void **state)
{
    (void)state;
    struct gw_drift_profile *profile = reference(REFERENCE);
    const struct gw_drift_baseline *head = &profile->heads[0];
    uint32_t delay = run(head, 20, 0.1, 1e6, 100000);
    assert_in_range(delay, 200, 2500);
    assert_true(run(head, 21, 0.02, 1e6, 100000) > delay);
    gw_drift_profile_free(profile);
}

static void the_promised_delay_is_near_the_simulated_one(void **state)
{
    (void)state;
    struct gw_drift_profile *profile = reference(REFERENCE);
    const struct gw_drift_baseline *head = &profile->heads[0];
    // What ten percent of turned labels do to the loss, in deviations.
    struct world world = {.flip = 0.1};
    gw_rng_init(&world.rng, 30);
    double sum = 0.0;
    for (int i = 0; i < 100000; i++) {
        bool label = false;
        float p = next(&world, &label);
        sum += fmin(gw_drift_log_loss(p, label), head->clip);
    }
    double rise = (sum / 100000 - head->mean) / head->deviation;
    double delays = 0.0;
    for (uint64_t seed = 40; seed < 80; seed++) {
        delays += run(head, seed, 0.1, 1e6, 100000);
    }
    double promised = gw_drift_promise_loss_delay(head, 1e6, rise);
    print_message("rise %.3f: promised %.0f, simulated %.0f\n", rise, promised, delays / 40);
    assert_true(delays / 40 > 0.5 * promised && delays / 40 < 1.5 * promised);
    double smallest = gw_drift_promise_loss(head, 1e6, promised);
    assert_true(smallest > 0.9 * rise && smallest <= rise * 1.001);
    assert_true(isinf(gw_drift_promise_loss(head, 1e6, 2)));
    gw_drift_profile_free(profile);
}

static void a_better_model_raises_no_alarm(void **state)
{
    (void)state;
    struct gw_drift_profile *profile = reference(REFERENCE);
    struct gw_drift_concept concept;
    double e = 0.0;
    assert_ok(gw_drift_concept_init(&concept, &profile->heads[0], NULL));
    for (int i = 0; i < 10000; i++) {
        assert_ok(gw_drift_concept_feed(&concept, &profile->heads[0], 0.01, 1.0, &e, NULL));
        assert_true(e <= 1.0);
    }
    gw_drift_profile_free(profile);
}

static void a_small_baseline_is_refused(void **state)
{
    (void)state;
    struct gw_drift_profile *profile = reference(GW_DRIFT_BASELINE_ROWS_MIN - 1);
    struct gw_drift_concept concept;
    gw_err err = {0};
    assert_fails(gw_drift_concept_init(&concept, &profile->heads[0], &err), GW_E_INVALID);
    assert_string_equal(err.message, "head 'is_favorited': baseline of 9999 rows, needs 10000");
    gw_drift_profile_free(profile);
}

static void no_loss_is_no_evidence(void **state)
{
    (void)state;
    struct gw_drift_profile *profile = reference(REFERENCE);
    struct gw_drift_concept concept;
    struct gw_drift_concept before;
    double e = 0.0;
    assert_ok(gw_drift_concept_init(&concept, &profile->heads[0], NULL));
    before = concept;
    assert_fails(gw_drift_concept_feed(&concept, &profile->heads[0], NAN, 1.0, &e, NULL), GW_E_INVALID);
    assert_fails(gw_drift_concept_feed(&concept, &profile->heads[0], -1.0, 1.0, &e, NULL), GW_E_INVALID);
    assert_fails(gw_drift_concept_feed(&concept, &profile->heads[0], 1.0, 0.0, &e, NULL), GW_E_INVALID);
    assert_fails(gw_drift_concept_feed(&concept, &profile->heads[0], 1.0, 1.5, &e, NULL), GW_E_INVALID);
    assert_memory_equal(&concept, &before, sizeof before);
    assert_ok(gw_drift_concept_feed(&concept, &profile->heads[0], INFINITY, 1.0, &e, NULL)); // clipped
    assert_true(e > 1.0);
    gw_drift_profile_free(profile);
}

GW_TESTS(an_unchanged_model_raises_no_alarm, a_model_that_became_worse_is_seen,
         the_promised_delay_is_near_the_simulated_one, a_better_model_raises_no_alarm, a_small_baseline_is_refused,
         no_loss_is_no_evidence)
