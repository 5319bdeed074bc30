// SPDX-License-Identifier: MIT
#include "simulator/concept.h"

#include "base/mem.h"

#define SAMPLE_ROWS     20000u
#define SAMPLE_REQUESTS 20000u // when requests show next to nothing
#define NEWTON_STEPS    50
#define NEWTON_STEP_MAX 2.0

void gw_sim_sample_deinit(struct gw_sim_sample *sample)
{
    gw_mem_free(sample->rows);
    gw_mem_free(sample->before);
    gw_mem_free(sample->after);
    *sample = (struct gw_sim_sample){0};
}

static gw_status reserve(struct gw_sim_sample *sample, gw_err *err)
{
    sample->count = 0;
    if (sample->rows == NULL) {
        sample->rows = gw_mem_calloc(SAMPLE_ROWS, sizeof *sample->rows);
    }
    if (sample->before == NULL) {
        sample->before = gw_mem_calloc(SAMPLE_ROWS, sizeof *sample->before);
    }
    if (sample->after == NULL) {
        sample->after = gw_mem_calloc(SAMPLE_ROWS, sizeof *sample->after);
    }
    return sample->rows != NULL && sample->before != NULL && sample->after != NULL
               ? GW_OK
               : gw_fail(err, GW_E_MEMORY, "no memory for a sample of %u shown tweets", SAMPLE_ROWS);
}

static void add_row(struct gw_sim_sample *sample, const struct gw_sim_draw *draw, const struct gw_sim_world *world,
                    size_t index)
{
    struct gw_sim_sample_row *row = &sample->rows[sample->count++];
    *row = (struct gw_sim_sample_row){.factors = gw_sim_draw_factors(draw, world, index), .user = draw->user};
    for (int head = 0; head < GW_SIM_HEAD_COUNT; head++) {
        row->possible[head] = gw_sim_draw_is_possible(draw, index, (enum gw_sim_head)head);
    }
}

gw_status gw_sim_sample_take(struct gw_sim_sample *sample, struct gw_sim_draw *draw, const struct gw_sim_world *world,
                             const struct gw_sim_tweets *tweets, const struct gw_simulator_options *options,
                             gw_err *err)
{
    GW_TRY(reserve(sample, err));
    sample->seed = draw->seed;
    for (uint32_t request = 0; request < SAMPLE_REQUESTS && sample->count < SAMPLE_ROWS; request++) {
        struct gw_rng rng;
        gw_rng_init(&rng, gw_sim_hash(draw->seed, GW_SIM_STREAM_SAMPLE, (uint64_t)draw->time_ms, request));
        draw->user = gw_sim_world_pick_user(world, &rng, draw->time_ms);
        gw_sim_draw_candidates(draw, world, tweets, gw_sim_draw_wanted_count(&rng, options->candidates_mean), &rng);
        uint32_t shown = gw_sim_draw_shown_count(&rng, options->shown_mean);
        for (uint32_t n = 0; n < shown && n < draw->count && sample->count < SAMPLE_ROWS; n++) {
            add_row(sample, draw, world, gw_sim_draw_next_shown(draw));
        }
    }
    return GW_OK;
}

static double probability(const struct gw_sim_sample *sample, size_t at, const struct gw_sim_weights *weights, int head)
{
    const struct gw_sim_sample_row *row = &sample->rows[at];
    if (!row->possible[head]) {
        return 0.0;
    }
    struct gw_sim_factors factors = row->factors;
    factors.tilt = gw_sim_hash_normal(gw_sim_hash(sample->seed, GW_SIM_STREAM_TILT, row->user, (uint64_t)head));
    return gw_sim_truth_probability(weights, &factors);
}

// Sum of probabilities, and of p (1 - p): its derivative by the bias.
static double sum_of(const struct gw_sim_sample *sample, const struct gw_sim_weights *weights, int head,
                     double *ret_slope)
{
    double sum = 0.0;
    *ret_slope = 0.0;
    for (size_t i = 0; i < sample->count; i++) {
        double p = probability(sample, i, weights, head);
        sum += p;
        *ret_slope += p * (1.0 - p);
    }
    return sum;
}

// Newton's method on ln(sum / target), which is nearly linear in the bias for rare heads. A step is bounded, so that it
// comes home from afar as well.
static void level(const struct gw_sim_sample *sample, double target, int head, struct gw_sim_weights *weights)
{
    for (int step = 0; step < NEWTON_STEPS && target > 0.0; step++) {
        double slope = 0.0;
        double sum = sum_of(sample, weights, head, &slope);
        double change = -log(sum / target) * sum / slope;
        weights->bias += GW_MAX(-NEWTON_STEP_MAX, GW_MIN(change, NEWTON_STEP_MAX));
        if (fabs(change) < 1e-9) {
            break;
        }
    }
}

struct gw_sim_truth gw_sim_concept_turn(struct gw_sim_sample *sample, const struct gw_sim_truth *old, double amount)
{
    struct gw_sim_truth turned = *old;
    double factor = 1.0 - 2.0 * amount;
    for (int head = 0; head < GW_SIM_HEAD_COUNT; head++) {
        struct gw_sim_weights *weights = &turned.heads[head];
        double slope = 0.0;
        weights->match *= factor;
        weights->content *= factor;
        weights->age *= factor;
        weights->in_network *= factor;
        level(sample, sum_of(sample, &old->heads[head], head, &slope), head, weights);
    }
    for (size_t i = 0; i < sample->count; i++) {
        sample->before[i] = probability(sample, i, &old->heads[GW_SIM_FAV], GW_SIM_FAV);
        sample->after[i] = probability(sample, i, &turned.heads[GW_SIM_FAV], GW_SIM_FAV);
    }
    return turned;
}
