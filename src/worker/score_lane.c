// SPDX-License-Identifier: MIT
// One scoring lane: the whole poll is one scoring batch, whichever versions score it. Requests that cannot be scored are
// answered with a status, never dropped; only bytes that are no request at all become dead letters.
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/score.h"
#include "worker/score_answer.h"
#include "worker/score_rank.h"
#include "worker/score_targets.h"

#include <stdio.h>

enum {
    ARENA_BLOCK_BYTES = 4 << 20,
    ARENA_LIMIT_BYTES = 512 << 20,
    HYDRATE_SHARE = 2, // a synchronous batch spends at most 1/2 of the time left on reading rows
    SYNC_RECORDS_MAX = 64,
    PACE_ROWS_MIN = 2048, // smaller batches say little about speed, and are not asked for
};

struct pending {
    struct gw_prediction_request request;
    enum gw_prediction_status status; // OK: is in the batch
    char message[96];                 // why, when not OK
    struct gw_score_target *target; // NULL: nobody was chosen
    uint32_t pass_index; // of a scored one: among the target's requests
    uint32_t *order;     // of an answered one: its candidates, best first
    struct gw_score_sample sample; // of one in the batch
    uint32_t slot;
    const struct gw_kafka_message *source;
};

struct lane {
    struct gw_score *score;
    struct gw_score_stats *stats;
    bool sync;
    struct gw_store *store;
    struct gw_score_batch *batch;
    struct gw_score_targets *targets;
    const void *seen_table; // of the last poll; only compared
    bool new_table;         // this poll is the first one by it
    uint64_t batch_us;      // time that a bulk batch may take
    double rows_per_us;     // of this lane, smoothed; 0: not known yet
    struct gw_score_shadow *shadow;
    struct gw_score_cache *cache; // of the synchronous lane, when configured
    struct gw_score_writer writer;
    struct gw_arena arena;
    struct pending *pendings;
    uint32_t count;
    uint32_t capacity;
    uint32_t max_candidates;
    int64_t sync_deadline_us;
    uint64_t served_below; // a request is logged when its hash is below this
    uint64_t flat_below;
    struct gw_sampler sampler;      // of feature samples
    struct gw_kafka_producer *side; // of the synchronous lane: records nobody waits for, batched

    struct gw_score_totals open; // since the last commit
    struct {                     // of answers not committed yet: their latency is known when they are visible
        int64_t *enqueued_ms;
        uint32_t count;
        uint32_t capacity;
    } waiting;
};

// ---- decode ---------------------------------------------------------------------------------------------------------

// Whether anybody could score it.
static enum gw_prediction_status judge(const struct lane *self, const struct gw_prediction_request *request,
                                       char *message, size_t size)
{
    if (request->candidates.count == 0) {
        snprintf(message, size, "no candidates");
        return GW_PREDICTION_STATUS_NO_CANDIDATES;
    }
    if (request->candidates.count > self->max_candidates) {
        snprintf(message, size, "%u candidates, at most %u", request->candidates.count, self->max_candidates);
        return GW_PREDICTION_STATUS_TOO_MANY_CANDIDATES;
    }
    for (uint32_t i = 0; i < request->candidates.count; i++) {
        uint32_t values = request->candidates.items[i].values.count;
        if (values != 0 && values != request->value_names.count) {
            snprintf(message, size, "candidate %u brings %u values for %u names", i, values,
                     request->value_names.count);
            return GW_PREDICTION_STATUS_INVALID_REQUEST;
        }
    }
    int64_t now_ms = gw_clock_wall_ms();
    if (request->deadline_ms > 0 && now_ms > request->deadline_ms) {
        snprintf(message, size, "deadline passed %lld ms ago", (long long)(now_ms - request->deadline_ms));
        return GW_PREDICTION_STATUS_DEADLINE_EXCEEDED;
    }
    return GW_PREDICTION_STATUS_OK;
}

static bool sampled(const struct gw_prediction_request *request, uint64_t below)
{
    return gw_hash_mix(gw_load_be64(request->request_id) ^ gw_hash_mix(gw_load_be64(request->request_id + 8))) < below;
}

static gw_status add_to_batch(struct lane *self, struct pending *pending, gw_err *err)
{
    const struct gw_prediction_request *request = &pending->request;
    pending->sample = gw_score_sample_choose(&self->sampler, request, gw_clock_mono_us());
    struct gw_score_value *context = gw_arena_array(&self->arena, request->context.count, sizeof *context);
    if (context == NULL) {
        return gw_fail(err, GW_E_TOO_LARGE, "requests of one batch exceed %d bytes", ARENA_LIMIT_BYTES);
    }
    for (uint32_t i = 0; i < request->context.count; i++) {
        context[i] =
            (struct gw_score_value){.name = request->context.items[i].key, .value = request->context.items[i].value};
    }
    const struct gw_score_request added = {.user_id = request->user_id,
                                           .value_names = request->value_names.items,
                                           .value_name_count = request->value_names.count,
                                           .context = context,
                                           .context_count = request->context.count,
                                           .keep_vectors = sampled(request, self->served_below),
                                           .keep_sample = pending->sample.weight > 0,
                                           .sample = pending->sample.candidate,
                                           .reads = pending->target->reads};
    uint32_t batch_index = 0;
    GW_TRY(gw_score_batch_add_request(self->batch, &added, &batch_index, err));
    for (uint32_t i = 0; i < request->candidates.count; i++) {
        const struct gw_candidate *candidate = &request->candidates.items[i];
        const struct gw_score_candidate one = {.tweet_id = candidate->tweet_id,
                                               .author_id = candidate->author_id,
                                               .values = candidate->values.items,
                                               .value_count = candidate->values.count};
        GW_TRY(gw_score_batch_add_candidate(self->batch, &one, err));
    }
    return gw_score_target_add(pending->target, batch_index, &pending->pass_index, err);
}

static gw_status decode(void *worker, struct gw_loop *loop, const struct gw_input *input, gw_err *err)
{
    struct lane *self = worker;
    if (input->body.data == NULL) {
        return gw_fail(err, GW_E_INVALID, "a tombstone is no request");
    }
    if (self->count == self->capacity) {
        uint32_t capacity = self->capacity > 0 ? self->capacity * 2 : 256;
        struct pending *pendings = gw_mem_realloc(self->pendings, capacity, sizeof *pendings);
        if (pendings == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for a batch of requests");
        }
        self->pendings = pendings;
        self->capacity = capacity;
    }
    if (!gw_score_targets_begun(self->targets)) {
        struct gw_score_table *table = gw_score_models_acquire(self->score->models);
        self->new_table = table != self->seen_table;
        self->seen_table = table;
        gw_score_targets_begin(self->targets, table, self->batch);
    }
    struct pending *pending = &self->pendings[self->count];
    pending->slot = input->slot;
    pending->order = NULL;
    pending->source = input->message;
    pending->message[0] = '\0';
    GW_TRY(gw_prediction_request_decode(input->body, &self->arena, &pending->request, err));
    gw_loop_add_weight(loop, pending->request.candidates.count); // a refused one fills the arena as well
    GW_TRY(gw_score_targets_choose(self->targets, &pending->request, &pending->target, &pending->status,
                                   pending->message, sizeof pending->message, err));
    if (pending->status == GW_PREDICTION_STATUS_OK) {
        pending->status = judge(self, &pending->request, pending->message, sizeof pending->message);
    }
    if (pending->status == GW_PREDICTION_STATUS_OK) {
        GW_TRY(add_to_batch(self, pending, err));
        gw_score_models_remember(self->score->models, input->body);
    }
    self->count++;
    return GW_OK;
}

static void discard(void *worker, bool aborted)
{
    struct lane *self = worker;
    self->count = 0;
    gw_score_targets_end(self->targets);
    gw_score_batch_clear(self->batch);
    gw_arena_clear(&self->arena);
    if (aborted) { // the transaction took its answers with it
        self->waiting.count = 0;
        gw_score_shadow_clear(self->shadow);
        self->open = (struct gw_score_totals){0};
    }
}

// ---- answers --------------------------------------------------------------------------------------------------------

static struct gw_score_answer start_answer(const struct pending *pending, int64_t now_ms)
{
    return (struct gw_score_answer){.request = &pending->request,
                                    .source = pending->source,
                                    .status = pending->status,
                                    .message = pending->message,
                                    .model = pending->target != NULL ? pending->target->model : NULL,
                                    .variant = "",
                                    .order = pending->order,
                                    .now_ms = now_ms};
}

static struct gw_score_answer scored_answer(const struct lane *self, const struct pending *pending,
                                            const struct gw_score_result *result, int64_t now_ms)
{
    const struct gw_score_costs *costs = gw_score_batch_costs(self->batch);
    struct gw_score_answer answer = start_answer(pending, now_ms);
    answer.variant = pending->target->variant;
    answer.result = result;
    answer.batch_rows = gw_score_batch_rows(self->batch);
    answer.hydrate_us = costs->hydrate_us;
    answer.score_us = gw_score_pass_us(pending->target->pass);
    return answer;
}

static gw_status answer_scored(struct lane *self, struct gw_loop *loop, struct pending *pending, int64_t now_ms,
                               gw_err *err)
{
    struct gw_score_result result;
    gw_score_pass_result(pending->target->pass, pending->pass_index, &result);
    uint32_t *order = gw_arena_array(&self->arena, result.count, sizeof *order);
    uint64_t *scratch = gw_arena_array(&self->arena, 2 * (size_t)result.count, sizeof *scratch);
    if (order == NULL || scratch == NULL) {
        return gw_fail(err, GW_E_MEMORY, "answers of one batch exceed %d bytes", ARENA_LIMIT_BYTES);
    }
    gw_score_rank(result.scores, result.count, order, scratch);
    pending->order = order;
    if (result.hydration_failed) {
        pending->status = GW_PREDICTION_STATUS_PARTIAL;
        snprintf(pending->message, sizeof pending->message, "stored features could not be read");
        self->open.partial++;
    }
    const struct gw_score_answer answer = scored_answer(self, pending, &result, now_ms);
    GW_TRY(gw_score_write_prediction(&self->writer, loop, &answer, &self->arena, err));
    self->open.predictions += result.count;
    return GW_OK;
}

// What is kept of a scored request beside its answer, when it was chosen. After all answers, so that no caller waits
// for it.
static gw_status keep_scored(struct lane *self, struct gw_loop *loop, const struct pending *pending, int64_t now_ms,
                             gw_err *err)
{
    struct gw_score_result result;
    gw_score_pass_result(pending->target->pass, pending->pass_index, &result);
    const struct gw_score_answer answer = scored_answer(self, pending, &result, now_ms);
    if (result.vectors != NULL) {
        GW_TRY(gw_score_write_served(&self->writer, loop, &answer, err));
        self->open.served_candidates += result.count;
    }
    if (result.sample_vector != NULL && result.hydration_failed) {
        self->open.feature_samples_partial++; // what it lacks is the outage's, not the world's
    } else if (result.sample_vector != NULL) {
        GW_TRY(gw_score_write_sample(&self->writer, loop, &answer, &pending->sample, err));
        self->open.feature_samples++;
    }
    return sampled(&pending->request, self->flat_below) ? gw_score_write_flat(&self->writer, loop, &answer, err)
                                                        : GW_OK;
}

static gw_status answer_refused(struct lane *self, struct gw_loop *loop, const struct pending *pending, int64_t now_ms,
                                gw_err *err)
{
    const struct gw_score_answer answer = start_answer(pending, now_ms);
    self->open.deadline_exceeded += pending->status == GW_PREDICTION_STATUS_DEADLINE_EXCEEDED;
    self->open.refused += pending->status != GW_PREDICTION_STATUS_DEADLINE_EXCEEDED;
    return gw_score_write_prediction(&self->writer, loop, &answer, &self->arena, err);
}

static void observe_since(struct gw_histogram *latency, int64_t enqueued_ms, int64_t now_ms)
{
    if (enqueued_ms > 0) {
        gw_histogram_observe_us(latency, (uint64_t)GW_MAX(now_ms - enqueued_ms, 0) * 1000, 1);
    }
}

// A synchronous answer has left; one of a transaction is visible after the commit.
static gw_status note_answered(struct lane *self, int64_t enqueued_ms, int64_t now_ms, gw_err *err)
{
    if (self->sync) {
        observe_since(&self->open.latency, enqueued_ms, now_ms);
        return GW_OK;
    }
    if (self->waiting.count == self->waiting.capacity) {
        uint32_t capacity = self->waiting.capacity > 0 ? self->waiting.capacity * 2 : 4096;
        int64_t *grown = gw_mem_realloc(self->waiting.enqueued_ms, capacity, sizeof *grown);
        if (grown == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory to measure latencies");
        }
        self->waiting.enqueued_ms = grown;
        self->waiting.capacity = capacity;
    }
    self->waiting.enqueued_ms[self->waiting.count++] = enqueued_ms;
    return GW_OK;
}

// ---- process --------------------------------------------------------------------------------------------------------

// The time at which the batch must stop reading rows: for callers, a share of what the most urgent one has left.
static uint64_t hydrate_deadline_us(const struct lane *self)
{
    uint64_t now_us = gw_clock_mono_us();
    if (!self->sync) {
        return now_us + (uint64_t)gw_config_duration_us(self->score->runtime->config, GW_OPT_REDIS_TIMEOUT);
    }
    int64_t left_us = self->sync_deadline_us;
    int64_t now_ms = gw_clock_wall_ms();
    for (uint32_t i = 0; i < self->count; i++) {
        int64_t deadline_ms = self->pendings[i].request.deadline_ms;
        if (deadline_ms > 0) {
            left_us = GW_MIN(left_us, (deadline_ms - now_ms) * 1000);
        }
    }
    return now_us + (uint64_t)GW_MAX(left_us / HYDRATE_SHARE, 1000);
}

static gw_status score_batch(struct lane *self, gw_err *err)
{
    uint64_t us = 0;
    if (gw_score_batch_rows(self->batch) == 0) {
        return GW_OK;
    }
    GW_TRY(gw_score_batch_hydrate(self->batch, hydrate_deadline_us(self), self->sync, err));
    const struct gw_score_costs *costs = gw_score_batch_costs(self->batch);
    GW_TRY(gw_score_targets_run(self->targets, self->batch, self->cache, &us, err));
    self->open.batches++;
    self->open.hydrate_us += costs->hydrate_us;
    self->open.rows_wanted += costs->rows_read;
    self->open.rows_found += costs->rows_found;
    self->open.score_us += us;
    return GW_OK;
}

// Counts per version: what Prometheus shows as who serves how much.
static void count_served(struct lane *self)
{
    for (size_t t = 0; t < gw_score_targets_count(self->targets); t++) {
        const struct gw_score_target *target = gw_score_targets_at(self->targets, t);
        struct gw_score_served served = {.version = target->model->version, .requests = target->count};
        snprintf(served.model, sizeof served.model, "%s", target->model->name);
        snprintf(served.variant, sizeof served.variant, "%s", target->variant);
        for (uint32_t i = 0; i < target->count; i++) {
            struct gw_score_result result;
            gw_score_pass_result(target->pass, i, &result);
            served.predictions += result.count;
        }
        gw_score_totals_served(&self->open, &served);
    }
}

// A bulk batch takes about batch_us from its first record on, so that a swap of models and a commit come soon: larger
// batches share more rows, which past some thousand candidates is worth little. The first batch by a new table is committed
// at once, for whoever waits to see it.
static void pace(struct lane *self, struct gw_loop *loop)
{
    size_t rows = gw_score_batch_rows(self->batch);
    uint64_t us = gw_clock_mono_us() - gw_loop_polled_us(loop);
    if (self->sync || rows == 0) {
        return;
    }
    if (self->new_table) {
        gw_loop_commit_soon(loop);
    }
    if (rows >= PACE_ROWS_MIN && us > 0) {
        double measured = (double)rows / (double)us;
        self->rows_per_us = self->rows_per_us > 0 ? (self->rows_per_us + measured) / 2 : measured;
        gw_loop_bound_weight(loop, GW_MAX((uint64_t)(self->rows_per_us * (double)self->batch_us), PACE_ROWS_MIN));
    }
}

static gw_status process(void *worker, struct gw_loop *loop, gw_err *err)
{
    struct lane *self = worker;
    uint64_t start_us = gw_clock_mono_us();
    GW_TRY(score_batch(self, err));
    int64_t now_ms = gw_clock_wall_ms();
    for (uint32_t i = 0; i < self->count; i++) {
        struct pending *pending = &self->pendings[i];
        bool scored = pending->status == GW_PREDICTION_STATUS_OK;
        GW_TRY(scored ? answer_scored(self, loop, pending, now_ms, err)
                      : answer_refused(self, loop, pending, now_ms, err));
        self->open.requests++;
        GW_TRY(note_answered(self, pending->request.enqueued_at_ms, now_ms, err));
        gw_loop_settle(loop, pending->slot, scored ? GW_OUTCOME_OUTPUT : GW_OUTCOME_ERROR_OUTPUT);
    }
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->pendings[i].order != NULL) {
            GW_TRY(keep_scored(self, loop, &self->pendings[i], now_ms, err));
        }
    }
    if (self->side != NULL) {
        gw_kafka_producer_poll(self->side, 0);
    }
    if (gw_score_batch_rows(self->batch) > 0) {
        count_served(self);
        gw_score_shadow_run(self->shadow, self->targets, self->batch, gw_clock_mono_us() - start_us);
    }
    pace(self, loop);
    discard(self, false);
    return GW_OK;
}

static void report(void *worker, struct gw_loop *loop)
{
    struct lane *self = worker;
    (void)loop;
    int64_t now_ms = gw_clock_wall_ms();
    pthread_mutex_lock(&self->stats->lock);
    struct gw_score_totals *totals = &self->stats->totals;
    const struct gw_score_shadowed *shadowed = NULL;
    size_t shadowed_count = gw_score_shadow_noted(self->shadow, &shadowed);
    gw_score_totals_add(totals, &self->open);
    gw_score_totals_shadowed(totals, shadowed, shadowed_count);
    if (self->cache != NULL) {
        totals->cache = *gw_score_cache_totals(self->cache);
    }
    for (uint32_t i = 0; i < self->waiting.count; i++) {
        observe_since(&totals->latency, self->waiting.enqueued_ms[i], now_ms);
    }
    totals->dead_letters = atomic_load(&self->stats->loop->outcomes[GW_OUTCOME_DEAD_LETTER]);
    totals->cpu_us = gw_clock_thread_cpu_ns() / 1000;
    pthread_mutex_unlock(&self->stats->lock);
    if (self->writer.side_lost > 0) { // their requests were answered; labels and samples will miss them
        gw_log_warn("score.side_records_lost", "count=%llu reason='the producer would not take them'",
                    (unsigned long long)self->writer.side_lost);
        self->writer.side_lost = 0;
    }
    self->waiting.count = 0;
    self->open = (struct gw_score_totals){0};
    gw_score_shadow_clear(self->shadow);
}

static const struct gw_loop_ops ops = {.decode = decode, .process = process, .report = report, .discard = discard};

// ---- life -----------------------------------------------------------------------------------------------------------

static void free_lane(void *context)
{
    struct lane *self = context;
    if (self->side != NULL && gw_kafka_producer_flush(self->side, 2000, NULL) != GW_OK) {
        gw_log_warn("score.side_records_lost", "count=%zu", gw_kafka_producer_queued(self->side));
    }
    gw_kafka_producer_free(self->side);
    gw_score_targets_free(self->targets);
    gw_score_shadow_free(self->shadow);
    gw_score_cache_free(self->cache);
    gw_score_batch_free(self->batch);
    gw_store_free(self->store);
    gw_arena_deinit(&self->arena);
    gw_score_writer_deinit(&self->writer);
    gw_mem_free(self->pendings);
    gw_mem_free(self->waiting.enqueued_ms);
    gw_mem_free(self);
}

static uint64_t share_of_hashes(double share)
{
    return share >= 1.0 ? UINT64_MAX : (uint64_t)(share * 18446744073709551615.0);
}

static gw_status init(struct lane *self, gw_err *err)
{
    const struct gw_runtime *runtime = self->score->runtime;
    const struct gw_config *config = runtime->config;
    gw_arena_init(&self->arena, ARENA_BLOCK_BYTES, ARENA_LIMIT_BYTES);
    self->max_candidates = (uint32_t)gw_config_u64(config, GW_OPT_SCORE_MAX_CANDIDATES);
    self->batch_us = (uint64_t)gw_config_duration_us(config, GW_OPT_SCORE_BATCH_TIME);
    self->sync_deadline_us = gw_config_duration_us(config, GW_OPT_SCORE_SYNC_DEADLINE);
    double served = gw_config_double(config, self->sync ? GW_OPT_SCORE_SERVED_SAMPLE_SYNC : GW_OPT_SCORE_SERVED_SAMPLE);
    self->served_below = share_of_hashes(served);
    self->flat_below = share_of_hashes(gw_config_double(config, GW_OPT_SCORE_FLAT_SAMPLE));
    self->sampler.rate_per_s = gw_config_u64(config, GW_OPT_SCORE_FEATURE_SAMPLES);
    GW_TRY(gw_runtime_store(runtime, &self->store, err));
    if (self->sync) {
        const struct gw_kafka_producer_options side = {.client = &runtime->kafka, .kind = GW_KAFKA_PRODUCER_BULK};
        GW_TRY(gw_kafka_producer_new(&side, &self->side, err));
    }
    self->writer = (struct gw_score_writer){.runtime = runtime,
                                            .sync = self->sync,
                                            .side = self->side,
                                            .served_weight = served > 0 ? (float)(1.0 / served) : 0.0f};
    size_t rows_max = gw_config_u64(config, GW_OPT_SCORE_BATCH_CANDIDATES) + self->max_candidates;
    GW_TRY(gw_score_batch_new(runtime->features, self->store, rows_max, &self->batch, err));
    GW_TRY(gw_score_targets_new(&self->targets, err));
    GW_TRY(gw_score_shadow_new(gw_config_double(config, GW_OPT_SCORE_SHADOW_BUDGET), &self->shadow, err));
    const struct gw_score_cache_options cache = {
        .bytes = gw_config_u64(config, GW_OPT_SCORE_CACHE),
        .max_age_us = (uint64_t)gw_config_duration_us(config, GW_OPT_SCORE_CACHE_MAX_AGE)};
    return self->sync && cache.bytes > 0 ? gw_score_cache_new(&cache, &self->cache, err) : GW_OK;
}

gw_status gw_score_lane_make(struct gw_score *score, uint32_t slot, struct gw_score_stats *stats, struct gw_lane *lane,
                             gw_err *err)
{
    static const enum gw_topic bulk_inputs[] = {GW_TOPIC_PREDICTION_REQUESTS};
    static const enum gw_topic sync_inputs[] = {GW_TOPIC_PREDICTION_REQUESTS_SYNC};
    struct lane *self = gw_mem_calloc(1, sizeof *self);
    if (self == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a scoring lane");
    }
    self->score = score;
    self->stats = stats;
    self->sync = stats->sync;
    gw_status status = init(self, err);
    if (status != GW_OK) {
        free_lane(self);
        return status;
    }
    const struct gw_config *config = score->runtime->config;
    const struct gw_lane_options options = {
        .worker = "score",
        .slot = slot,
        .group = self->sync ? "score-sync" : "score",
        .commit = self->sync ? GW_LANE_DIRECT : GW_LANE_TRANSACTIONS,
        .inputs = self->sync ? sync_inputs : bulk_inputs,
        .input_count = 1,
        .ops = &ops,
        .context = self,
        .free_context = free_lane,
        .low_latency = self->sync,
        .commit_interval_us = self->sync ? 100000 : gw_config_duration_us(config, GW_OPT_SCORE_COMMIT_INTERVAL),
        .commit_records = self->sync ? 0 : gw_config_u64(config, GW_OPT_SCORE_COMMIT_RECORDS),
        .weight_max = gw_config_u64(config, GW_OPT_SCORE_BATCH_CANDIDATES),
        .records_max = self->sync ? SYNC_RECORDS_MAX : 0,
    };
    return gw_lane_init(lane, score->runtime, &options, err);
}
