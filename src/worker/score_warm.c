// SPDX-License-Identifier: MIT
#include "worker/score_warm.h"

#include "base/clock.h"
#include "base/mem.h"
#include "records/prediction_request.h"
#include "worker/score_pass.h"

#include <math.h>

enum {
    CANDIDATES_ENOUGH = 600, // every tree has been walked some hundred times; more only delays the swap
    TIME_ENOUGH_US = 500000,
    EMPTY_CANDIDATES = 64,
    ARENA_BLOCK_BYTES = 256 << 10,
    ARENA_LIMIT_BYTES = 32 << 20, // a remembered request is at most 256 KiB
};

struct gw_score_warm {
    const struct gw_runtime *runtime;
    struct gw_score_recent *recent;
    struct gw_store *store;
    struct gw_score_batch *batch;
    struct gw_score_pass *pass;
    struct gw_buf body;
    struct gw_arena arena;
};

gw_status gw_score_warm_new(const struct gw_runtime *runtime, struct gw_score_recent *recent,
                            struct gw_score_warm **ret_warm, gw_err *err)
{
    struct gw_score_warm *warm = gw_mem_calloc(1, sizeof *warm);
    if (warm == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory to warm models up");
    }
    warm->runtime = runtime;
    warm->recent = recent;
    gw_arena_init(&warm->arena, ARENA_BLOCK_BYTES, ARENA_LIMIT_BYTES);
    size_t rows_max = gw_config_u64(runtime->config, GW_OPT_SCORE_MAX_CANDIDATES);
    gw_status status = gw_runtime_store(runtime, &warm->store, err);
    if (status == GW_OK) {
        status = gw_score_batch_new(runtime->features, warm->store, GW_MAX(rows_max, (size_t)EMPTY_CANDIDATES),
                                    &warm->batch, err);
    }
    if (status == GW_OK) {
        status = gw_score_pass_new(&warm->pass, err);
    }
    if (status != GW_OK) {
        gw_score_warm_free(warm);
        return status;
    }
    *ret_warm = warm;
    return GW_OK;
}

void gw_score_warm_free(struct gw_score_warm *warm)
{
    if (warm == NULL) {
        return;
    }
    gw_score_pass_free(warm->pass);
    gw_score_batch_free(warm->batch);
    gw_store_free(warm->store);
    gw_arena_deinit(&warm->arena);
    gw_buf_deinit(&warm->body);
    gw_mem_free(warm);
}

static gw_status check_outputs(const struct gw_score_warm *warm, const struct gw_score_model *model, gw_err *err)
{
    const struct gw_bundle_info *info = gw_bundle_info(model->bundle);
    struct gw_score_result result;
    gw_score_pass_result(warm->pass, 0, &result);
    for (uint32_t i = 0; i < result.count; i++) {
        for (uint32_t head = 0; head < result.head_count; head++) {
            float probability = result.probabilities[(size_t)i * result.head_count + head];
            if (!isfinite(probability)) {
                return gw_fail(err, GW_E_INVALID, "warm-up: head '%s' answers %g", info->heads[head].name,
                               (double)probability);
            }
        }
        if (!isfinite(result.scores[i])) {
            return gw_fail(err, GW_E_INVALID, "warm-up: a score is %g", (double)result.scores[i]);
        }
    }
    return GW_OK;
}

// Scores the one request that is in the batch.
static gw_status score_request(struct gw_score_warm *warm, const struct gw_score_model *model, uint32_t request,
                               gw_err *err)
{
    uint64_t timeout_us = (uint64_t)gw_config_duration_us(warm->runtime->config, GW_OPT_REDIS_TIMEOUT);
    uint64_t deadline_us = gw_clock_mono_us() + GW_MIN(timeout_us, (uint64_t)TIME_ENOUGH_US);
    GW_TRY(gw_score_batch_hydrate(warm->batch, deadline_us, true, err));
    GW_TRY(gw_score_pass_run(warm->pass, warm->batch, model, &request, 1, NULL, err));
    return check_outputs(warm, model, err);
}

static gw_status begin_request(struct gw_score_warm *warm, const struct gw_score_model *model,
                               struct gw_score_request *request, uint32_t *ret_index, gw_err *err)
{
    gw_score_batch_clear(warm->batch);
    GW_TRY(gw_score_batch_reads(warm->batch, model, &request->reads, err));
    return gw_score_batch_add_request(warm->batch, request, ret_index, err);
}

// Candidates that nobody knows: every value is missing.
static gw_status score_unknown(struct gw_score_warm *warm, const struct gw_score_model *model, uint64_t *candidates,
                               gw_err *err)
{
    struct gw_score_request request = {.user_id = INT64_MIN};
    uint32_t index = 0;
    GW_TRY(begin_request(warm, model, &request, &index, err));
    for (int64_t i = 0; i < EMPTY_CANDIDATES; i++) {
        const struct gw_score_candidate candidate = {.tweet_id = INT64_MIN + i};
        GW_TRY(gw_score_batch_add_candidate(warm->batch, &candidate, err));
    }
    *candidates += EMPTY_CANDIDATES;
    return score_request(warm, model, index, err);
}

// True: the remembered bytes are a request that a lane would score.
static bool decode(struct gw_score_warm *warm, struct gw_prediction_request *request)
{
    gw_arena_clear(&warm->arena);
    bool fits = gw_prediction_request_decode(gw_buf_slice(&warm->body), &warm->arena, request, NULL) == GW_OK &&
                request->candidates.count > 0 &&
                request->candidates.count <= gw_config_u64(warm->runtime->config, GW_OPT_SCORE_MAX_CANDIDATES);
    for (uint32_t i = 0; fits && i < request->candidates.count; i++) {
        uint32_t values = request->candidates.items[i].values.count;
        fits = values == 0 || values == request->value_names.count;
    }
    return fits;
}

static gw_status score_remembered(struct gw_score_warm *warm, const struct gw_score_model *model,
                                  const struct gw_prediction_request *remembered, uint64_t *candidates, gw_err *err)
{
    uint32_t index = 0;
    struct gw_score_value *context = gw_arena_array(&warm->arena, remembered->context.count, sizeof *context);
    if (context == NULL) {
        return gw_fail(err, GW_E_MEMORY, "a remembered request exceeds %d bytes", ARENA_LIMIT_BYTES);
    }
    for (uint32_t i = 0; i < remembered->context.count; i++) {
        context[i] = (struct gw_score_value){.name = remembered->context.items[i].key,
                                             .value = remembered->context.items[i].value};
    }
    struct gw_score_request request = {.user_id = remembered->user_id,
                                       .value_names = remembered->value_names.items,
                                       .value_name_count = remembered->value_names.count,
                                       .context = context,
                                       .context_count = remembered->context.count};
    GW_TRY(begin_request(warm, model, &request, &index, err));
    for (uint32_t i = 0; i < remembered->candidates.count; i++) {
        const struct gw_candidate *from = &remembered->candidates.items[i];
        const struct gw_score_candidate candidate = {.tweet_id = from->tweet_id,
                                                     .author_id = from->author_id,
                                                     .values = from->values.items,
                                                     .value_count = from->values.count};
        GW_TRY(gw_score_batch_add_candidate(warm->batch, &candidate, err));
    }
    *candidates += remembered->candidates.count;
    return score_request(warm, model, index, err);
}

static gw_status score_recent(struct gw_score_warm *warm, const struct gw_score_model *model, uint64_t *candidates,
                              gw_err *err)
{
    uint64_t end_us = gw_clock_mono_us() + TIME_ENOUGH_US;
    bool found = true;
    for (size_t i = 0; *candidates < CANDIDATES_ENOUGH && gw_clock_mono_us() < end_us; i++) {
        if (gw_score_recent_copy(warm->recent, i, &warm->body, &found) != GW_OK) {
            return gw_fail(err, GW_E_MEMORY, "no memory to copy a request");
        }
        struct gw_prediction_request request;
        if (!found) {
            return GW_OK;
        }
        if (decode(warm, &request)) {
            GW_TRY(score_remembered(warm, model, &request, candidates, err));
        }
    }
    return GW_OK;
}

gw_status gw_score_warm_up(struct gw_score_warm *warm, const struct gw_score_model *model, uint64_t *ret_candidates,
                           gw_err *err)
{
    uint64_t candidates = 0;
    gw_status status = score_unknown(warm, model, &candidates, err);
    if (status == GW_OK) {
        status = score_recent(warm, model, &candidates, err);
    }
    gw_score_batch_clear(warm->batch); // it must not point to the model any longer
    *ret_candidates = candidates;
    return status;
}
