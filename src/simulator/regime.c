// SPDX-License-Identifier: MIT
#include "simulator/regime.h"

#include "base/mem.h"

#define SECOND_MS 1000

gw_status gw_sim_regime_init(struct gw_sim_regime *regime, const struct gw_simulator_options *options, gw_err *err)
{
    regime->epochs = gw_mem_calloc(options->epoch_count + 1, sizeof *regime->epochs);
    if (regime->epochs == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %zu epochs", options->epoch_count);
    }
    regime->epochs[0] = (struct gw_sim_epoch){.from_ms = INT64_MIN, .truth = gw_sim_truth_default()};
    for (size_t i = 0; i < options->epoch_count; i++) {
        regime->epochs[i + 1] = options->epochs[i];
    }
    regime->epoch_count = options->epoch_count + 1;
    regime->report = (struct gw_sim_report){.seed = options->seed, .drifts = regime->drifts};
    return GW_OK;
}

void gw_sim_regime_deinit(struct gw_sim_regime *regime)
{
    gw_sim_sample_deinit(&regime->sample);
    gw_mem_free(regime->epochs);
    regime->epochs = NULL;
}

gw_status gw_sim_regime_add(struct gw_sim_regime *regime, const struct gw_sim_drift *drift, int64_t earliest_ms,
                            gw_err *err)
{
    GW_TRY(gw_sim_drift_check(drift, err));
    if (regime->drift_count == GW_SIM_DRIFTS_MAX) {
        return gw_fail(err, GW_E_CONFIG, "simulator: more than %d drifts", GW_SIM_DRIFTS_MAX);
    }
    struct gw_sim_drift added = *drift;
    int64_t over_ms = GW_MAX(drift->from_ms, earliest_ms) % SECOND_MS;
    added.from_ms = GW_MAX(drift->from_ms, earliest_ms) - over_ms;
    if (over_ms > 0 && added.from_ms <= INT64_MAX - SECOND_MS) {
        added.from_ms += SECOND_MS;
    }
    size_t at = regime->drift_count++;
    for (; at > 0 && regime->drifts[at - 1].from_ms > added.from_ms; at--) {
        regime->drifts[at] = regime->drifts[at - 1];
        regime->states[at] = regime->states[at - 1];
    }
    regime->drifts[at] = added;
    regime->states[at] = (struct gw_sim_drift_state){.backfill = gw_sim_backfill_of(&added)};
    regime->report.drift_count = regime->drift_count;
    return GW_OK;
}

gw_status gw_sim_regime_backfill(struct gw_sim_regime *regime, uint32_t user_count, const struct gw_sim_tweets *tweets,
                                 int64_t until_ms, struct gw_sim_heap *heap, gw_err *err)
{
    for (size_t d = 0; d < regime->drift_count; d++) {
        GW_TRY(gw_sim_backfill_push(&regime->states[d].backfill, user_count, tweets, until_ms, heap, err));
    }
    return GW_OK;
}

static const struct gw_sim_truth *truth_at(const struct gw_sim_regime *regime, int64_t time_ms)
{
    size_t i = regime->epoch_count - 1;
    while (regime->epochs[i].from_ms > time_ms) {
        i--; // the first one is from INT64_MIN
    }
    const struct gw_sim_epoch *epoch = &regime->epochs[i];
    for (size_t d = regime->drift_count; d-- > 0;) {
        if (regime->states[d].is_turned && regime->drifts[d].from_ms <= time_ms) {
            return regime->drifts[d].from_ms >= epoch->from_ms ? &regime->states[d].truth : &epoch->truth;
        }
    }
    return &epoch->truth;
}

gw_status gw_sim_regime_turn(struct gw_sim_regime *regime, int64_t time_ms, struct gw_sim_draw *draw,
                             const struct gw_sim_world *world, const struct gw_sim_tweets *tweets,
                             const struct gw_simulator_options *options, gw_err *err)
{
    for (size_t d = 0; d < regime->drift_count && regime->drifts[d].from_ms <= time_ms; d++) {
        struct gw_sim_drift_state *state = &regime->states[d];
        if (regime->drifts[d].kind != GW_SIM_DRIFT_CONCEPT || state->is_turned) {
            continue;
        }
        draw->time_ms = time_ms;
        GW_TRY(gw_sim_sample_take(&regime->sample, draw, world, tweets, options, err));
        const struct gw_sim_truth *old = truth_at(regime, regime->drifts[d].from_ms);
        state->truth = gw_sim_concept_turn(&regime->sample, old, regime->drifts[d].amount);
        state->is_turned = true;
    }
    return GW_OK;
}

void gw_sim_regime_set(const struct gw_sim_regime *regime, struct gw_sim_draw *draw)
{
    draw->truth = truth_at(regime, draw->time_ms);
    draw->delay_factor = 1.0;
    draw->poison = 0.0;
    for (size_t d = 0; d < regime->drift_count && regime->drifts[d].from_ms <= draw->time_ms; d++) {
        const struct gw_sim_drift *drift = &regime->drifts[d];
        draw->delay_factor *= drift->kind == GW_SIM_DRIFT_DELAY ? drift->amount : 1.0;
        draw->poison = drift->kind == GW_SIM_DRIFT_POISON ? GW_MAX(draw->poison, drift->amount) : draw->poison;
    }
}

bool gw_sim_regime_next_switch(struct gw_sim_regime *regime, int64_t now_ms, struct gw_sim_switch *ret_switch)
{
    for (size_t d = 0; d < regime->drift_count && regime->drifts[d].from_ms <= now_ms; d++) {
        struct gw_sim_drift_state *state = &regime->states[d];
        bool is_concept = regime->drifts[d].kind == GW_SIM_DRIFT_CONCEPT;
        if (state->is_told || (is_concept && !state->is_turned)) {
            continue;
        }
        state->is_told = true;
        *ret_switch = (struct gw_sim_switch){.drift = regime->drifts[d]};
        if (is_concept) {
            ret_switch->before = regime->sample.before;
            ret_switch->after = regime->sample.after;
            ret_switch->count = regime->sample.count;
        }
        return true;
    }
    return false;
}
