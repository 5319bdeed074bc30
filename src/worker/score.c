// SPDX-License-Identifier: MIT
// score: ranks the candidates of prediction requests.
//
//   prediction_requests      ──► bulk lanes (transactions)   ──► predictions, predictions_flat, served_candidates
//   prediction_requests_sync ──► synchronous lane (at once)  ──► prediction_replies, served_candidates
//   every lane               ──► reporter, once a second     ──► serving_metrics
//   model_routes             ──► side thread: fetch, verify, warm up, swap the table that lanes score by
//
// Each lane is a thread with its own consumer group, consumer, producer and Redis connection, so that a caller never waits
// behind a bulk backlog, a commit or a rebalance. They share the table of routes and models, which is immutable.
#include "worker/score.h"

#include "base/mem.h"
#include "worker/worker.h"

static void free_score(void *state)
{
    struct gw_score *score = state;
    gw_score_models_stop(score->models); // after the lanes
    for (size_t i = 0; i < score->lane_count; i++) {
        pthread_mutex_destroy(&score->stats[i].lock);
    }
    gw_mem_free(score);
}

static void join_threads(void *state)
{
    gw_score_report_join(state);
}

static gw_status add_lane(struct gw_score *score, struct gw_lanes *lanes, bool sync, gw_err *err)
{
    if (lanes->count == GW_LANES_MAX || score->lane_count == GW_SCORE_LANES_MAX) {
        return gw_fail(err, GW_E_CONFIG, "over %d lanes in one process", GW_LANES_MAX);
    }
    struct gw_lane *lane = gw_mem_calloc(1, sizeof *lane);
    if (lane == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a lane");
    }
    lane->lock = -1;
    uint32_t slot = (uint32_t)lanes->count;
    lanes->items[lanes->count++] = lane;
    struct gw_score_stats *stats = &score->stats[score->lane_count++];
    pthread_mutex_init(&stats->lock, NULL);
    stats->sync = sync;
    stats->loop = &lane->status;
    return gw_score_lane_make(score, slot, stats, lane, err);
}

gw_status gw_score_lanes(const struct gw_runtime *runtime, struct gw_lanes *lanes, struct gw_worker_state *ret_state,
                         gw_err *err)
{
    struct gw_score *score = gw_mem_calloc(1, sizeof *score);
    if (score == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for score");
    }
    score->runtime = runtime;
    *ret_state = (struct gw_worker_state){.state = score, .join_threads = join_threads, .free_state = free_score};

    GW_TRY(gw_score_models_start(runtime, &score->models, err));
    uint64_t bulk = gw_config_u64(runtime->config, GW_OPT_SCORE_BULK_THREADS);
    for (uint64_t i = 0; i < bulk; i++) {
        GW_TRY(add_lane(score, lanes, false, err));
    }
    if (gw_config_bool(runtime->config, GW_OPT_SCORE_SYNC_ENABLED)) {
        GW_TRY(add_lane(score, lanes, true, err));
    }
    return gw_score_report_start(score, err);
}
