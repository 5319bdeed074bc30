// SPDX-License-Identifier: MIT
// A candidate's vector is a few copies of segments: one per view, computed from the entity's row when the first
// candidate needs it, and then valid for the run ("stamp"). With a cache all rows are looked up first; the others are
// then scored in the same blocks as without one, and offered.
#include "worker/score_pass.h"

#include "base/check.h"
#include "base/clock.h"
#include "worker/score_batch_internal.h"
#include "worker/score_cache.h"

#include <math.h>
#include <string.h>

enum {
    BLOCK_ROWS = 512, // vectors assembled and scored at a time: 48 floats each stay in the second-level cache
};

// A view that the model reads.
struct view_pass {
    enum gw_score_role role;
    const struct gw_score_view *view;
    uint32_t start; // of its segment in a vector
    uint32_t width; // 0: its rows serve cross features only
};

// Segments of a role's entities. Memory is kept from run to run, whichever model it serves.
struct segments {
    float *values;  // per entity: the view's width
    uint32_t *runs; // per entity: the run that computed its segment
    size_t value_capacity;
    size_t run_capacity;
};

struct pass_request {
    const struct gw_score_batch_request *from;
    size_t first_row;  // of the run's rows
    size_t first_kept; // of the kept vectors: those of candidates from keep_start, keep_count of them
    uint32_t keep_start;
    uint32_t keep_count;
    uint32_t cache_hits;
};

struct gw_score_pass {
    // of the last run
    const struct gw_score_batch *batch;
    const struct gw_score_model *model;
    const struct gw_bundle_info *info;
    const uint32_t *columns;
    size_t width;
    bool has_cross;
    struct view_pass views[GW_SCORE_ROLES];
    size_t view_count;
    uint32_t reads; // roles of the views
    const char *const *value_names;
    size_t value_count;
    uint32_t values_start;
    uint32_t run; // never 0
    uint64_t us;

    struct segments segments[GW_SCORE_ROLES];
    struct pass_request *requests;
    size_t request_count;
    size_t request_capacity;
    int32_t *value_columns; // of the request at hand: column of its candidates' values per wanted name, -1 none
    float *value_bases;     // and what its context says
    size_t value_capacity;

    // per row of the run
    size_t row_count;
    size_t row_capacity;
    float *scores;
    uint8_t *missing;
    uint8_t *hits;
    struct gw_score_key *keys; // of rows that were looked up
    float *probabilities;      // head_count each
    size_t probability_capacity;
    float *kept; // vectors of requests that keep them, feature_count each
    size_t kept_capacity;

    // the block at hand
    size_t block_count;
    uint32_t block_rows[BLOCK_ROWS];
    float block_scores[BLOCK_ROWS];
    float *block;               // width each
    float *block_margins;       // heads x BLOCK_ROWS
    float *block_probabilities; // head_count each
    float *payload;             // of one row, for the cache
    size_t block_width_capacity;
    size_t block_head_capacity;
    size_t payload_capacity;
};

gw_status gw_score_pass_new(struct gw_score_pass **ret_pass, gw_err *err)
{
    struct gw_score_pass *pass = gw_mem_calloc(1, sizeof *pass);
    if (pass == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a scoring pass");
    }
    *ret_pass = pass;
    return GW_OK;
}

void gw_score_pass_free(struct gw_score_pass *pass)
{
    if (pass == NULL) {
        return;
    }
    for (int role = 0; role < GW_SCORE_ROLES; role++) {
        gw_mem_free(pass->segments[role].values);
        gw_mem_free(pass->segments[role].runs);
    }
    gw_mem_free(pass->requests);
    gw_mem_free(pass->value_columns);
    gw_mem_free(pass->value_bases);
    gw_mem_free(pass->scores);
    gw_mem_free(pass->missing);
    gw_mem_free(pass->hits);
    gw_mem_free(pass->keys);
    gw_mem_free(pass->probabilities);
    gw_mem_free(pass->kept);
    gw_mem_free(pass->block);
    gw_mem_free(pass->block_margins);
    gw_mem_free(pass->block_probabilities);
    gw_mem_free(pass->payload);
    gw_mem_free(pass);
}

// ---- preparing: all memory of a run is taken before it --------------------------------------------------------------

static void bind_model(struct gw_score_pass *pass, const struct gw_score_batch *batch,
                       const struct gw_score_model *model)
{
    uint32_t views = gw_feature_plan_row_mask(model->plan);
    pass->batch = batch;
    pass->model = model;
    pass->info = gw_bundle_info(model->bundle);
    pass->columns = gw_feature_plan_columns(model->plan);
    pass->width = gw_feature_plan_width(model->plan);
    pass->has_cross = gw_feature_plan_has_cross(model->plan);
    pass->value_count = gw_feature_plan_request_names(model->plan, &pass->value_names, &pass->values_start);
    pass->view_count = 0;
    pass->reads = 0;
    for (int role = 0; role < GW_SCORE_ROLES; role++) {
        const struct gw_score_view *of = &batch->views[role];
        if (of->view != NULL && (views >> of->index & 1) != 0) {
            pass->reads |= 1u << role;
            struct view_pass *view = &pass->views[pass->view_count++];
            *view = (struct view_pass){.role = (enum gw_score_role)role, .view = of};
            gw_feature_plan_view_segment(model->plan, of->index, &view->start, &view->width);
        }
    }
}

static gw_status reserve_segments(struct segments *segments, size_t count, size_t width, gw_err *err)
{
    if (count > segments->run_capacity) {
        size_t capacity = GW_MAX(count, 2 * segments->run_capacity);
        GW_SCORE_GROW(segments->runs, capacity);
        memset(segments->runs + segments->run_capacity, 0,
               (capacity - segments->run_capacity) * sizeof *segments->runs);
        segments->run_capacity = capacity;
    }
    if (count * width > segments->value_capacity) {
        size_t capacity = GW_MAX(count * width, 2 * segments->value_capacity);
        GW_SCORE_GROW(segments->values, capacity);
        segments->value_capacity = capacity;
    }
    return GW_OK;
}

// What depends on the model, not on how many rows there are.
static gw_status reserve_block(struct gw_score_pass *pass, gw_err *err)
{
    size_t heads = pass->info->head_count;
    if (pass->width > pass->block_width_capacity) {
        gw_mem_free(pass->block);
        pass->block_width_capacity = 0;
        pass->block = gw_mem_aligned(GW_CACHE_LINE_BYTES, BLOCK_ROWS * pass->width * sizeof *pass->block);
        if (pass->block == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for a block of vectors");
        }
        pass->block_width_capacity = pass->width;
    }
    if (heads > pass->block_head_capacity) {
        gw_mem_free(pass->block_margins);
        pass->block_head_capacity = 0;
        pass->block_margins = gw_mem_aligned(GW_CACHE_LINE_BYTES, BLOCK_ROWS * heads * sizeof *pass->block_margins);
        if (pass->block_margins == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for a block of margins");
        }
        GW_SCORE_GROW(pass->block_probabilities, BLOCK_ROWS * heads);
        pass->block_head_capacity = heads;
    }
    if (pass->info->feature_count + heads + 1 > pass->payload_capacity) {
        GW_SCORE_GROW(pass->payload, pass->info->feature_count + heads + 1);
        pass->payload_capacity = pass->info->feature_count + heads + 1;
    }
    if (pass->value_count > pass->value_capacity) {
        GW_SCORE_GROW(pass->value_columns, pass->value_count);
        GW_SCORE_GROW(pass->value_bases, pass->value_count);
        pass->value_capacity = pass->value_count;
    }
    return GW_OK;
}

static gw_status reserve_rows(struct gw_score_pass *pass, size_t kept_count, gw_err *err)
{
    if (pass->row_count > pass->row_capacity) {
        size_t capacity = GW_MAX(pass->row_count, 2 * pass->row_capacity);
        GW_SCORE_GROW(pass->scores, capacity);
        GW_SCORE_GROW(pass->missing, capacity);
        GW_SCORE_GROW(pass->hits, capacity);
        GW_SCORE_GROW(pass->keys, capacity);
        pass->row_capacity = capacity;
    }
    size_t probabilities = pass->row_count * pass->info->head_count;
    if (probabilities > pass->probability_capacity) {
        size_t capacity = GW_MAX(probabilities, 2 * pass->probability_capacity);
        GW_SCORE_GROW(pass->probabilities, capacity);
        pass->probability_capacity = capacity;
    }
    size_t kept = kept_count * pass->info->feature_count;
    if (kept > pass->kept_capacity) {
        size_t capacity = GW_MAX(kept, 2 * pass->kept_capacity);
        GW_SCORE_GROW(pass->kept, capacity);
        pass->kept_capacity = capacity;
    }
    return GW_OK;
}

// Which of its candidates' vectors are kept: all of them, the sample, or none.
static void choose_kept(struct pass_request *request)
{
    const struct gw_score_request *said = &request->from->said;
    if (said->keep_vectors) {
        request->keep_count = request->from->row_count;
    } else if (said->keep_sample && said->sample < request->from->row_count) {
        request->keep_start = said->sample;
        request->keep_count = 1;
    }
}

static gw_status prepare(struct gw_score_pass *pass, const uint32_t *requests, size_t count, gw_err *err)
{
    pass->request_count = 0;
    pass->row_count = 0;
    if (count > pass->request_capacity) {
        size_t capacity = GW_MAX(count, 2 * pass->request_capacity);
        GW_SCORE_GROW(pass->requests, capacity);
        pass->request_capacity = capacity;
    }
    size_t kept_count = 0;
    for (size_t i = 0; i < count; i++) {
        GW_ASSERT(requests[i] < pass->batch->request_count);
        const struct gw_score_batch_request *from = &pass->batch->requests[requests[i]];
        GW_ASSERT((pass->reads & ~from->said.reads) == 0);
        pass->requests[i] = (struct pass_request){.from = from, .first_row = pass->row_count, .first_kept = kept_count};
        pass->row_count += from->row_count;
        choose_kept(&pass->requests[i]);
        kept_count += pass->requests[i].keep_count;
    }
    for (size_t v = 0; v < pass->view_count; v++) {
        const struct view_pass *view = &pass->views[v];
        GW_TRY(reserve_segments(&pass->segments[view->role], view->view->count, view->width, err));
    }
    GW_TRY(reserve_block(pass, err));
    GW_TRY(reserve_rows(pass, kept_count, err));
    if (++pass->run == 0) { // after 2^32 runs
        for (int role = 0; role < GW_SCORE_ROLES; role++) {
            struct segments *segments = &pass->segments[role];
            if (segments->runs != NULL) {
                memset(segments->runs, 0, segments->run_capacity * sizeof *segments->runs);
            }
        }
        pass->run = 1;
    }
    pass->request_count = count;
    return GW_OK;
}

// ---- vectors --------------------------------------------------------------------------------------------------------

// Request values are found by name once per request: the column of its candidates' values, and what its context says
// for all of them. Names that the plan does not want are skipped.
static void bind_values(struct gw_score_pass *pass, const struct gw_score_request *request)
{
    for (size_t i = 0; i < pass->value_count; i++) {
        pass->value_bases[i] = NAN;
        pass->value_columns[i] = -1;
        for (uint32_t c = 0; c < request->context_count; c++) {
            if (gw_slice_is(request->context[c].name, pass->value_names[i])) {
                pass->value_bases[i] = (float)request->context[c].value;
            }
        }
        for (uint32_t n = 0; n < request->value_name_count; n++) {
            if (gw_slice_is(request->value_names[n], pass->value_names[i])) {
                pass->value_columns[i] = (int32_t)n;
            }
        }
    }
}

static float value_of(const struct gw_score_pass *pass, const struct gw_score_row *row, size_t index)
{
    int32_t column = pass->value_columns[index];
    return column >= 0 && (uint32_t)column < row->value_count ? row->values[column] : pass->value_bases[index];
}

static const float *segment_of(struct gw_score_pass *pass, const struct view_pass *view, uint32_t entity,
                               const uint8_t *row)
{
    struct segments *segments = &pass->segments[view->role];
    float *segment = segments->values + (size_t)entity * view->width;
    if (segments->runs[entity] != pass->run) {
        gw_feature_plan_eval_view(pass->model->plan, view->view->index, row, pass->batch->now_us, segment);
        segments->runs[entity] = pass->run;
    }
    return segment;
}

// Fills the candidate's vector; returns how many of its rows are missing.
static uint8_t assemble(struct gw_score_pass *pass, const struct gw_score_row *from, float *vector)
{
    uint8_t missing = 0;
    const uint8_t *rows[GW_FEATURE_VIEWS_MAX];
    for (size_t v = 0; v < pass->view_count; v++) {
        const struct view_pass *view = &pass->views[v];
        uint32_t entity = from->entities[view->role];
        const uint8_t *row = view->view->rows[entity];
        missing += row == NULL;
        rows[view->view->index] = row;
        if (view->width > 0) {
            memcpy(vector + view->start, segment_of(pass, view, entity, row), view->width * sizeof *vector);
        }
    }
    for (size_t i = 0; i < pass->value_count; i++) {
        vector[pass->values_start + i] = value_of(pass, from, i);
    }
    if (pass->has_cross) { // reads rows of the model's views only
        gw_feature_plan_eval_cross(pass->model->plan, rows, pass->batch->now_us, vector);
    }
    return missing;
}

// From the plan's order into the bundle's.
static void reorder(const struct gw_score_pass *pass, const float *vector, float *to)
{
    for (size_t i = 0; i < pass->info->feature_count; i++) {
        to[i] = vector[pass->columns[i]];
    }
}

// Where the vector of the request's candidate is kept; NULL: it is not.
static float *kept_vector(const struct gw_score_pass *pass, const struct pass_request *request, uint32_t index)
{
    uint32_t at = index - request->keep_start; // huge for one before it
    return at < request->keep_count ? pass->kept + (request->first_kept + at) * pass->info->feature_count : NULL;
}

// ---- the cache ------------------------------------------------------------------------------------------------------

// What was in the row is told by its position in the source stream. Returns whether there is a row.
static bool fold_row(struct gw_score_key *key, const uint8_t *row)
{
    static const uint64_t absent = 0x6e6f2073756368; // no layout's fingerprint but with probability 2^-64
    if (row == NULL) {
        gw_score_key_fold(key, absent);
        return false;
    }
    gw_score_key_fold(key, gw_load_le64(row));
    gw_score_key_fold(key, (uint64_t)gw_row_event_time_us(row));
    gw_score_key_fold(key, gw_row_source_partition(row));
    gw_score_key_fold(key, (uint64_t)gw_row_source_offset(row));
    return true;
}

static void fold_float(struct gw_score_key *key, float value)
{
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    gw_score_key_fold(key, bits);
}

// `start` holds model and user. Returns how many of the candidate's rows are missing.
static uint8_t make_key(const struct gw_score_pass *pass, struct gw_score_key start, size_t batch_row,
                        struct gw_score_key *ret_key)
{
    const struct gw_score_row *from = &pass->batch->rows[batch_row];
    uint8_t missing = 0;
    gw_score_key_fold(&start, (uint64_t)pass->batch->tweet_ids[batch_row]);
    gw_score_key_fold(&start, (uint64_t)pass->batch->author_ids[batch_row]);
    for (size_t v = 0; v < pass->view_count; v++) {
        const struct view_pass *view = &pass->views[v];
        missing += !fold_row(&start, view->view->rows[from->entities[view->role]]);
    }
    for (size_t i = 0; i < pass->value_count; i++) {
        fold_float(&start, value_of(pass, from, i));
    }
    *ret_key = start;
    return missing;
}

// Asks for every row: the results of those that are there are complete, those that are not are left to be scored.
static void look_up(struct gw_score_pass *pass, struct gw_score_cache *cache)
{
    size_t features = pass->info->feature_count;
    size_t heads = pass->info->head_count;
    for (size_t r = 0; r < pass->request_count; r++) {
        struct pass_request *request = &pass->requests[r];
        const struct gw_score_request *said = &request->from->said;
        struct gw_score_key start = {0, 0};
        gw_score_key_fold(&start, pass->model->identity);
        gw_score_key_fold(&start, (uint64_t)said->user_id);
        bind_values(pass, said);
        for (uint32_t i = 0; i < request->from->row_count; i++) {
            size_t row = request->first_row + i;
            uint8_t missing = make_key(pass, start, request->from->first_row + i, &pass->keys[row]);
            const float *payload = gw_score_cache_find(cache, pass->keys[row]);
            pass->hits[row] = payload != NULL;
            if (payload == NULL) {
                continue;
            }
            request->cache_hits++;
            pass->missing[row] = missing;
            memcpy(pass->probabilities + row * heads, payload + features, heads * sizeof *payload);
            pass->scores[row] = payload[features + heads];
            float *kept = kept_vector(pass, request, i);
            if (kept != NULL) {
                memcpy(kept, payload, features * sizeof *payload);
            }
        }
    }
}

static void offer_block(struct gw_score_pass *pass, struct gw_score_cache *cache)
{
    size_t features = pass->info->feature_count;
    size_t heads = pass->info->head_count;
    for (size_t b = 0; b < pass->block_count; b++) {
        size_t row = pass->block_rows[b];
        reorder(pass, pass->block + b * pass->width, pass->payload);
        memcpy(pass->payload + features, pass->probabilities + row * heads, heads * sizeof *pass->payload);
        pass->payload[features + heads] = pass->scores[row];
        gw_score_cache_offer(cache, pass->keys[row], pass->payload);
    }
}

// ---- scoring --------------------------------------------------------------------------------------------------------

// Scores the block and, with a cache, offers it; *offer_us grows by what that took.
static void finish_block(struct gw_score_pass *pass, struct gw_score_cache *cache, uint64_t *offer_us)
{
    size_t heads = pass->info->head_count;
    size_t first = pass->block_rows[0];
    bool has_gaps = pass->block_rows[pass->block_count - 1] - first + 1 > pass->block_count; // left by hits
    float *probabilities = has_gaps ? pass->block_probabilities : pass->probabilities + first * heads;
    float *scores = has_gaps ? pass->block_scores : pass->scores + first;
    gw_scorer_margins(pass->model->scorer, pass->block, pass->width, pass->block_count, pass->block_margins);
    gw_scorer_finish(pass->model->scorer, pass->block_margins, pass->block_count, probabilities, scores, NULL);
    for (size_t b = 0; has_gaps && b < pass->block_count; b++) {
        size_t row = pass->block_rows[b];
        pass->scores[row] = scores[b];
        memcpy(pass->probabilities + row * heads, probabilities + b * heads, heads * sizeof *probabilities);
    }
    if (cache != NULL) {
        uint64_t started_us = gw_clock_mono_us();
        offer_block(pass, cache);
        *offer_us += gw_clock_mono_us() - started_us;
    }
    pass->block_count = 0;
}

// Scores the rows that the cache, when there is one, does not have; returns how many they were.
static uint64_t score_rows(struct gw_score_pass *pass, struct gw_score_cache *cache, uint64_t *offer_us)
{
    uint64_t scored = 0;
    pass->block_count = 0;
    for (size_t r = 0; r < pass->request_count; r++) {
        const struct pass_request *request = &pass->requests[r];
        bind_values(pass, &request->from->said);
        for (uint32_t i = 0; i < request->from->row_count; i++) {
            size_t row = request->first_row + i;
            if (cache != NULL && pass->hits[row]) {
                continue;
            }
            float *vector = pass->block + pass->block_count * pass->width;
            pass->missing[row] = assemble(pass, &pass->batch->rows[request->from->first_row + i], vector);
            float *kept = kept_vector(pass, request, i);
            if (kept != NULL) {
                reorder(pass, vector, kept);
            }
            scored++;
            pass->block_rows[pass->block_count++] = (uint32_t)row;
            if (pass->block_count == BLOCK_ROWS) {
                finish_block(pass, cache, offer_us);
            }
        }
    }
    if (pass->block_count > 0) {
        finish_block(pass, cache, offer_us);
    }
    return scored;
}

gw_status gw_score_pass_run(struct gw_score_pass *pass, const struct gw_score_batch *batch,
                            const struct gw_score_model *model, const uint32_t *requests, size_t count,
                            struct gw_score_cache *cache, gw_err *err)
{
    uint64_t started_us = gw_clock_mono_us();
    bind_model(pass, batch, model);
    GW_TRY(prepare(pass, requests, count, err));
    size_t floats = pass->info->feature_count + pass->info->head_count + 1;
    if (cache != NULL && (batch->hydration_failed || !gw_score_cache_begin(cache, floats, started_us))) {
        cache = NULL; // values that could not be read are no values to remember
    }
    uint64_t asked_us = started_us;
    uint64_t found_us = started_us;
    uint64_t offer_us = 0;
    if (cache != NULL) {
        asked_us = gw_clock_mono_us();
        look_up(pass, cache);
        found_us = gw_clock_mono_us();
    }
    uint64_t scored = score_rows(pass, cache, &offer_us);
    uint64_t ended_us = gw_clock_mono_us();
    if (cache != NULL) {
        gw_score_cache_end(cache, (found_us - asked_us + offer_us) * 1000, scored,
                           (ended_us - found_us - offer_us) * 1000);
    }
    pass->us = ended_us - started_us;
    return GW_OK;
}

// ---- results --------------------------------------------------------------------------------------------------------

void gw_score_pass_result(const struct gw_score_pass *pass, size_t index, struct gw_score_result *ret_result)
{
    GW_ASSERT(index < pass->request_count);
    const struct pass_request *request = &pass->requests[index];
    const struct gw_score_request *said = &request->from->said;
    size_t first = request->first_row;
    *ret_result = (struct gw_score_result){
        .count = request->from->row_count,
        .head_count = (uint32_t)pass->info->head_count,
        .tweet_ids = pass->batch->tweet_ids + request->from->first_row,
        .author_ids = pass->batch->author_ids + request->from->first_row,
        .scores = pass->scores + first,
        .probabilities = pass->probabilities + first * pass->info->head_count,
        .missing_rows = pass->missing + first,
        .vectors = said->keep_vectors ? pass->kept + request->first_kept * pass->info->feature_count : NULL,
        .sample_vector = said->keep_sample ? kept_vector(pass, request, said->sample) : NULL,
        .cache_hits = request->cache_hits,
        .hydration_failed = pass->batch->hydration_failed,
    };
}

uint64_t gw_score_pass_us(const struct gw_score_pass *pass)
{
    return pass->us;
}
