// SPDX-License-Identifier: MIT
// Rows are fetched and evaluated once per distinct entity of the batch ("entity" below: a user, a tweet, an author, a
// pair); a candidate's vector is then a few copies of segments. Hydration takes two rounds when a request names only
// tweets: the author of a tweet stands in the tweet's row.
#include "worker/score_batch.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

enum {
    BLOCK_ROWS = 512, // vectors assembled and scored at a time: 48 floats each stay in the second-level cache
    ENTITY_NONE = 0,  // entity 0 of each view is "no such row"
    ARENA_LIMIT_BYTES = 512 << 20,
};

// What a view's key is made of, by the view's name.
enum role { ROLE_USER, ROLE_TWEET, ROLE_AUTHOR, ROLE_PAIR, ROLE_COUNT };
static const char *const role_names[ROLE_COUNT] = {"user", "tweet", "author", "pair"};

struct view_batch {
    bool wanted;
    size_t view_index;
    uint8_t code;
    uint8_t key_count;
    uint32_t segment_start;
    uint32_t segment_width;
    struct gw_map index;     // id -> entity
    struct gw_row_key *keys; // per entity; [0] is unused
    float *segments;         // per entity: segment_width floats
    uint8_t **rows;          // per entity: copied row for cross features and author lookup, or NULL
    uint8_t *found;          // per entity
    int64_t *authors;        // per entity of the tweet view: author found in the row, 0 none
    uint32_t count;          // entities, [0] included
    uint32_t capacity;
    uint32_t fetched;        // entities below this are evaluated
};

struct request {
    struct gw_score_request said;
    uint32_t first_row;
    uint32_t row_count;
    uint32_t user;
    uint32_t vectors_at; // first kept vector, when kept
};

struct gw_score_batch {
    const struct gw_score_model *model;
    struct gw_store *store;
    size_t rows_max;
    size_t width;
    size_t feature_count;
    size_t head_count;
    const uint32_t *columns;
    struct view_batch views[ROLE_COUNT];
    int author_high; // columns of a tweet's row that name its author, in two halves
    int author_low;
    bool has_cross;
    bool wants_authors;
    const char *const *value_names;
    size_t value_name_count;
    uint32_t values_start;
    int32_t *value_columns; // of the request being filled: column of its candidates' values per wanted name, -1 none
    float *value_bases;     // and what its context says

    struct request *requests;
    size_t request_count;
    size_t request_capacity;

    // per row
    size_t row_count;
    size_t row_capacity;
    int64_t *tweet_ids;
    int64_t *author_ids;
    uint32_t *entities[ROLE_COUNT];
    float *values; // value_name_count per row
    float *scores;
    float *probabilities;
    uint8_t *missing;

    float *block;    // BLOCK_ROWS x width
    float *margins;  // heads x BLOCK_ROWS
    float *kept;     // kept vectors, feature_count each
    size_t kept_count;
    size_t kept_capacity;
    struct gw_slice *slices; // answers of one read
    size_t slice_capacity;
    struct gw_arena copies;
    bool hydration_failed;
    struct gw_score_costs costs;
};

// ---- the model ------------------------------------------------------------------------------------------------------

gw_status gw_score_model_load(const char *directory, const struct gw_feature_set *set,
                              struct gw_score_model **ret_model, gw_err *err)
{
    struct gw_score_model *model = gw_mem_calloc(1, sizeof *model);
    if (model == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a model");
    }
    model->set = set;
    gw_status status = gw_bundle_load(directory, &model->bundle, err);
    if (status == GW_OK) {
        const struct gw_bundle_info *info = gw_bundle_info(model->bundle);
        status = gw_feature_plan_new(set, info->feature_names, info->feature_count, &model->plan, err);
        model->layout = GW_HASH_FNV_START;
        for (size_t i = 0; i < info->feature_count; i++) {
            model->layout = gw_hash_fnv1a(model->layout, info->feature_names[i], strlen(info->feature_names[i]) + 1);
        }
    }
    if (status == GW_OK) {
        status = gw_scorer_new(model->bundle, gw_feature_plan_columns(model->plan), gw_feature_plan_width(model->plan),
                               &model->scorer, err);
    }
    if (status != GW_OK) {
        gw_score_model_free(model);
        return gw_fail_context(err, status, "model '%s'", directory);
    }
    *ret_model = model;
    return GW_OK;
}

void gw_score_model_free(struct gw_score_model *model)
{
    if (model != NULL) {
        gw_scorer_free(model->scorer);
        gw_feature_plan_free(model->plan);
        gw_bundle_unref(model->bundle);
        gw_mem_free(model);
    }
}

// ---- life -----------------------------------------------------------------------------------------------------------

static gw_status find_views(struct gw_score_batch *batch, gw_err *err)
{
    const struct gw_feature_set *set = batch->model->set;
    for (size_t v = 0; v < gw_feature_set_view_count(set); v++) {
        const struct gw_feature_view *view = gw_feature_set_view(set, v);
        uint32_t start = 0;
        uint32_t width = 0;
        gw_feature_plan_view_segment(batch->model->plan, v, &start, &width);
        int role = 0;
        while (role < ROLE_COUNT && strcmp(role_names[role], view->name) != 0) {
            role++;
        }
        if (role == ROLE_COUNT) {
            if ((gw_feature_plan_row_mask(batch->model->plan) >> v & 1) != 0) {
                return gw_fail(err, GW_E_CONFIG, "view '%s' has no entity in a request", view->name);
            }
            continue;
        }
        batch->views[role] = (struct view_batch){.wanted = (gw_feature_plan_row_mask(batch->model->plan) >> v & 1) != 0,
                                                 .view_index = v,
                                                 .code = view->code,
                                                 .key_count = view->key_count,
                                                 .segment_start = start,
                                                 .segment_width = width};
    }
    batch->wants_authors = batch->views[ROLE_AUTHOR].wanted || batch->views[ROLE_PAIR].wanted;
    return GW_OK;
}

gw_status gw_score_batch_new(const struct gw_score_model *model, struct gw_store *store, size_t rows_max,
                             struct gw_score_batch **ret_batch, gw_err *err)
{
    struct gw_score_batch *batch = gw_mem_calloc(1, sizeof *batch);
    if (batch == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a scoring batch");
    }
    const struct gw_bundle_info *info = gw_bundle_info(model->bundle);
    batch->model = model;
    batch->store = store;
    batch->rows_max = rows_max;
    batch->width = gw_feature_plan_width(model->plan);
    batch->feature_count = info->feature_count;
    batch->head_count = info->head_count;
    batch->columns = gw_feature_plan_columns(model->plan);
    batch->has_cross = gw_feature_plan_has_cross(model->plan);
    batch->author_high = gw_feature_set_find(model->set, "tweet.author_high");
    batch->author_low = gw_feature_set_find(model->set, "tweet.author_low");
    batch->value_name_count = gw_feature_plan_request_names(model->plan, &batch->value_names, &batch->values_start);
    gw_arena_init(&batch->copies, 1 << 20, ARENA_LIMIT_BYTES);
    batch->block = gw_mem_aligned(64, BLOCK_ROWS * batch->width * sizeof(float));
    batch->margins = gw_mem_aligned(64, BLOCK_ROWS * batch->head_count * sizeof(float));
    batch->value_columns = gw_mem_calloc(batch->value_name_count, sizeof *batch->value_columns);
    batch->value_bases = gw_mem_calloc(batch->value_name_count, sizeof *batch->value_bases);
    gw_status status = batch->block != NULL && batch->margins != NULL && batch->value_columns != NULL &&
                               batch->value_bases != NULL
                           ? find_views(batch, err)
                           : gw_fail(err, GW_E_MEMORY, "no memory for a block of vectors");
    if (status != GW_OK) {
        gw_score_batch_free(batch);
        return status;
    }
    *ret_batch = batch;
    gw_score_batch_clear(batch);
    return GW_OK;
}

static void free_view(struct view_batch *view)
{
    gw_map_deinit(&view->index);
    gw_mem_free(view->keys);
    gw_mem_free(view->segments);
    gw_mem_free(view->rows);
    gw_mem_free(view->found);
    gw_mem_free(view->authors);
}

void gw_score_batch_free(struct gw_score_batch *batch)
{
    if (batch == NULL) {
        return;
    }
    for (int role = 0; role < ROLE_COUNT; role++) {
        free_view(&batch->views[role]);
        gw_mem_free(batch->entities[role]);
    }
    gw_mem_free(batch->requests);
    gw_mem_free(batch->tweet_ids);
    gw_mem_free(batch->author_ids);
    gw_mem_free(batch->values);
    gw_mem_free(batch->scores);
    gw_mem_free(batch->probabilities);
    gw_mem_free(batch->missing);
    gw_mem_free(batch->block);
    gw_mem_free(batch->margins);
    gw_mem_free(batch->kept);
    gw_mem_free(batch->slices);
    gw_mem_free(batch->value_columns);
    gw_mem_free(batch->value_bases);
    gw_arena_deinit(&batch->copies);
    gw_mem_free(batch);
}

void gw_score_batch_clear(struct gw_score_batch *batch)
{
    for (int role = 0; role < ROLE_COUNT; role++) {
        gw_map_clear(&batch->views[role].index);
        batch->views[role].count = 0;
        batch->views[role].fetched = 0;
    }
    batch->request_count = 0;
    batch->row_count = 0;
    batch->kept_count = 0;
    batch->hydration_failed = false;
    batch->costs = (struct gw_score_costs){0};
    gw_arena_clear(&batch->copies);
}

size_t gw_score_batch_rows(const struct gw_score_batch *batch)
{
    return batch->row_count;
}

const struct gw_score_costs *gw_score_batch_costs(const struct gw_score_batch *batch)
{
    return &batch->costs;
}

// ---- growing --------------------------------------------------------------------------------------------------------

#define GROW(pointer, count)                                                                                           \
    do {                                                                                                               \
        void *grown = gw_mem_realloc((pointer), (count), sizeof *(pointer));                                           \
        if (grown == NULL) {                                                                                           \
            return gw_fail(err, GW_E_MEMORY, "no memory for a batch of %zu rows", (size_t)(count));                    \
        }                                                                                                              \
        (pointer) = grown;                                                                                             \
    } while (0)

static gw_status grow_rows(struct gw_score_batch *batch, gw_err *err)
{
    size_t capacity = batch->row_capacity > 0 ? batch->row_capacity * 2 : 4096;
    GROW(batch->tweet_ids, capacity);
    GROW(batch->author_ids, capacity);
    GROW(batch->scores, capacity);
    GROW(batch->missing, capacity);
    GROW(batch->probabilities, capacity * batch->head_count);
    GROW(batch->values, capacity * GW_MAX(batch->value_name_count, 1));
    for (int role = 0; role < ROLE_COUNT; role++) {
        GROW(batch->entities[role], capacity);
    }
    batch->row_capacity = capacity;
    return GW_OK;
}

static gw_status grow_view(struct view_batch *view, gw_err *err)
{
    uint32_t capacity = view->capacity > 0 ? view->capacity * 2 : 1024;
    GROW(view->keys, capacity);
    GROW(view->segments, (size_t)capacity * GW_MAX(view->segment_width, 1));
    GROW(view->rows, capacity);
    GROW(view->found, capacity);
    GROW(view->authors, capacity);
    view->capacity = capacity;
    return GW_OK;
}

// ---- filling --------------------------------------------------------------------------------------------------------

static gw_status append_entity(struct view_batch *view, int64_t id0, int64_t id1, gw_err *err)
{
    if (view->count == view->capacity) {
        GW_TRY(grow_view(view, err));
    }
    view->keys[view->count] = (struct gw_row_key){.view = view->code, .id_count = view->key_count, .id = {id0, id1}};
    view->rows[view->count] = NULL;
    view->found[view->count] = 0;
    view->authors[view->count] = 0;
    view->count++;
    return GW_OK;
}

// The entity number of an id in this batch; ENTITY_NONE for id 0 or a view nobody wants.
static gw_status intern(struct view_batch *view, bool wanted, int64_t id0, int64_t id1, uint32_t *ret_entity,
                        gw_err *err)
{
    *ret_entity = ENTITY_NONE;
    if (!wanted) {
        return GW_OK;
    }
    if (view->count == 0) {
        GW_TRY(append_entity(view, 0, 0, err));
    }
    if (id0 == 0 || (view->key_count == 2 && id1 == 0)) {
        return GW_OK;
    }
    uint64_t *value = NULL;
    bool inserted = false;
    if (gw_map_put(&view->index, (uint64_t)id0, (uint64_t)id1, &value, &inserted) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the batch's index");
    }
    if (inserted) {
        *value = view->count;
        GW_TRY(append_entity(view, id0, id1, err));
    }
    *ret_entity = (uint32_t)*value;
    return GW_OK;
}

// Request values land in the plan's order; names the plan does not want are skipped. Found by name once per request: the
// column of its candidates' values, and what the context says for all of them.
static void bind_values(struct gw_score_batch *batch, const struct gw_score_request *request)
{
    for (size_t i = 0; i < batch->value_name_count; i++) {
        batch->value_bases[i] = NAN;
        batch->value_columns[i] = -1;
        for (uint32_t c = 0; c < request->context_count; c++) {
            if (gw_slice_is(request->context[c].name, batch->value_names[i])) {
                batch->value_bases[i] = (float)request->context[c].value;
            }
        }
        for (uint32_t n = 0; n < request->value_name_count; n++) {
            if (gw_slice_is(request->value_names[n], batch->value_names[i])) {
                batch->value_columns[i] = (int32_t)n;
            }
        }
    }
}

gw_status gw_score_batch_add_request(struct gw_score_batch *batch, const struct gw_score_request *request,
                                     uint32_t *ret_index, gw_err *err)
{
    if (batch->request_count == batch->request_capacity) {
        size_t capacity = batch->request_capacity > 0 ? batch->request_capacity * 2 : 256;
        GROW(batch->requests, capacity);
        batch->request_capacity = capacity;
    }
    struct request *added = &batch->requests[batch->request_count];
    *added = (struct request){.said = *request, .first_row = (uint32_t)batch->row_count};
    bind_values(batch, request);
    GW_TRY(intern(&batch->views[ROLE_USER], batch->views[ROLE_USER].wanted, request->user_id, 0, &added->user, err));
    *ret_index = (uint32_t)batch->request_count++;
    return GW_OK;
}

static void place_values(const struct gw_score_batch *batch, const struct gw_score_candidate *candidate, float *to)
{
    for (size_t i = 0; i < batch->value_name_count; i++) {
        int32_t column = batch->value_columns[i];
        to[i] = column >= 0 && (uint32_t)column < candidate->value_count ? candidate->values[column]
                                                                         : batch->value_bases[i];
    }
}

gw_status gw_score_batch_add_candidate(struct gw_score_batch *batch, const struct gw_score_candidate *candidate,
                                       gw_err *err)
{
    GW_ASSERT(batch->request_count > 0);
    if (batch->row_count >= batch->rows_max) {
        return gw_fail(err, GW_E_TOO_LARGE, "over %zu candidates in one batch", batch->rows_max);
    }
    if (batch->row_count == batch->row_capacity) {
        GW_TRY(grow_rows(batch, err));
    }
    struct request *request = &batch->requests[batch->request_count - 1];
    size_t row = batch->row_count;
    bool tweet_wanted =
        batch->views[ROLE_TWEET].wanted || (batch->wants_authors && candidate->author_id == 0);
    batch->tweet_ids[row] = candidate->tweet_id;
    batch->author_ids[row] = candidate->author_id;
    GW_TRY(intern(&batch->views[ROLE_TWEET], tweet_wanted, candidate->tweet_id, 0, &batch->entities[ROLE_TWEET][row],
                  err));
    GW_TRY(intern(&batch->views[ROLE_AUTHOR], batch->views[ROLE_AUTHOR].wanted, candidate->author_id, 0,
                  &batch->entities[ROLE_AUTHOR][row], err));
    GW_TRY(intern(&batch->views[ROLE_PAIR], batch->views[ROLE_PAIR].wanted, request->said.user_id,
                  candidate->author_id, &batch->entities[ROLE_PAIR][row], err));
    place_values(batch, candidate, batch->values + row * batch->value_name_count);
    batch->row_count++;
    request->row_count++;
    return GW_OK;
}

// ---- hydrating ------------------------------------------------------------------------------------------------------

static gw_status keep_row(struct gw_score_batch *batch, struct view_batch *view, uint32_t entity, struct gw_slice row,
                          gw_err *err)
{
    uint8_t *copy = gw_arena_alloc(&batch->copies, row.size);
    if (copy == NULL) {
        return gw_fail(err, GW_E_MEMORY, "rows of one batch exceed %d bytes", ARENA_LIMIT_BYTES);
    }
    memcpy(copy, row.data, row.size);
    view->rows[entity] = copy;
    return GW_OK;
}

// The author named in a tweet's row; 0 when it names none.
static int64_t author_of(const struct gw_score_batch *batch, const uint8_t *row)
{
    double high = 0;
    double low = 0;
    if (!gw_row_number(batch->model->set, batch->author_high, row, &high) ||
        !gw_row_number(batch->model->set, batch->author_low, row, &low)) {
        return 0;
    }
    return (int64_t)((uint64_t)high << 32 | (uint64_t)low);
}

// Takes one answer: checks it, computes the view's segment, remembers what later steps need of the row.
static gw_status take_row(struct gw_score_batch *batch, int role, uint32_t entity, struct gw_slice row, int64_t now_us,
                          gw_err *err)
{
    struct view_batch *view = &batch->views[role];
    const struct gw_feature_set *set = batch->model->set;
    const uint8_t *bytes = NULL;
    if (row.data != NULL && gw_row_check(gw_feature_set_view(set, view->view_index), row, NULL) == GW_OK &&
        !gw_row_is_deleted(row.data)) {
        bytes = row.data;
        view->found[entity] = 1;
        if (role == ROLE_TWEET) {
            view->authors[entity] = author_of(batch, bytes);
        }
        if (batch->has_cross) {
            GW_TRY(keep_row(batch, view, entity, row, err));
        }
    }
    if (view->segment_width > 0) {
        gw_feature_plan_eval_view(batch->model->plan, view->view_index, bytes, now_us,
                                  view->segments + (size_t)entity * view->segment_width);
    }
    return GW_OK;
}

// Fetches every entity that is not fetched yet, of all views in one pipeline.
static gw_status fetch(struct gw_score_batch *batch, uint64_t deadline_us, int64_t now_us, bool tolerate_missing,
                       gw_err *err)
{
    size_t total = 0;
    for (int role = 0; role < ROLE_COUNT; role++) {
        total += batch->views[role].count - batch->views[role].fetched;
    }
    if (total == 0) {
        return GW_OK;
    }
    if (total > batch->slice_capacity) {
        GROW(batch->slices, total);
        batch->slice_capacity = total;
    }
    struct gw_row_key *keys = gw_arena_array(&batch->copies, total, sizeof *keys);
    if (keys == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %zu keys", total);
    }
    size_t asked = 0;
    for (int role = 0; role < ROLE_COUNT; role++) {
        struct view_batch *view = &batch->views[role];
        uint32_t first = GW_MAX(view->fetched, 1);
        for (uint32_t e = first; e < view->count; e++) {
            keys[asked++] = view->keys[e];
        }
    }

    gw_status status = GW_OK;
    if (asked > 0 && !batch->hydration_failed) {
        status = gw_store_read(batch->store, keys, asked, deadline_us, batch->slices, err);
    }
    if (status != GW_OK && !tolerate_missing) {
        return status;
    }
    if (status != GW_OK) {
        batch->hydration_failed = true;
    }
    if (batch->hydration_failed) {
        memset(batch->slices, 0, total * sizeof *batch->slices);
    }

    size_t at = 0;
    for (int role = 0; role < ROLE_COUNT; role++) {
        struct view_batch *view = &batch->views[role];
        if (view->count > 0 && view->fetched == 0) {
            GW_TRY(take_row(batch, role, ENTITY_NONE, (struct gw_slice){0}, now_us, err));
            view->fetched = 1;
        }
        for (; view->fetched < view->count; view->fetched++) {
            GW_TRY(take_row(batch, role, view->fetched, batch->slices[at++], now_us, err));
            batch->costs.rows_found += view->found[view->fetched];
        }
    }
    batch->costs.rows_read += asked;
    return GW_OK;
}

// Second round: authors that the requests did not name, found in the tweets' rows.
static gw_status find_authors(struct gw_score_batch *batch, gw_err *err)
{
    for (size_t r = 0; r < batch->request_count; r++) {
        const struct request *request = &batch->requests[r];
        for (uint32_t row = request->first_row; row < request->first_row + request->row_count; row++) {
            if (batch->author_ids[row] != 0) {
                continue;
            }
            int64_t author = batch->views[ROLE_TWEET].authors[batch->entities[ROLE_TWEET][row]];
            batch->author_ids[row] = author;
            GW_TRY(intern(&batch->views[ROLE_AUTHOR], batch->views[ROLE_AUTHOR].wanted, author, 0,
                          &batch->entities[ROLE_AUTHOR][row], err));
            GW_TRY(intern(&batch->views[ROLE_PAIR], batch->views[ROLE_PAIR].wanted, request->said.user_id, author,
                          &batch->entities[ROLE_PAIR][row], err));
        }
    }
    return GW_OK;
}

static gw_status hydrate(struct gw_score_batch *batch, uint64_t deadline_us, int64_t now_us, bool tolerate_missing,
                         gw_err *err)
{
    GW_TRY(fetch(batch, deadline_us, now_us, tolerate_missing, err));
    if (batch->wants_authors && batch->views[ROLE_TWEET].count > 0) {
        GW_TRY(find_authors(batch, err));
        GW_TRY(fetch(batch, deadline_us, now_us, tolerate_missing, err));
    }
    return GW_OK;
}

// ---- assembling and scoring -----------------------------------------------------------------------------------------

static void copy_segment(const struct view_batch *view, uint32_t entity, float *vector)
{
    if (view->segment_width > 0) {
        memcpy(vector + view->segment_start, view->segments + (size_t)entity * view->segment_width,
               view->segment_width * sizeof(float));
    }
}

static void assemble(struct gw_score_batch *batch, const struct request *request, uint32_t row, int64_t now_us,
                     float *vector)
{
    uint8_t missing = 0;
    const uint8_t *rows[GW_FEATURE_VIEWS_MAX] = {0};
    for (int role = 0; role < ROLE_COUNT; role++) {
        const struct view_batch *view = &batch->views[role];
        if (!view->wanted) {
            continue;
        }
        uint32_t entity = role == ROLE_USER ? request->user : batch->entities[role][row];
        copy_segment(view, entity, vector);
        missing += !view->found[entity];
        rows[view->view_index] = view->rows[entity];
    }
    memcpy(vector + batch->values_start, batch->values + (size_t)row * batch->value_name_count,
           batch->value_name_count * sizeof(float));
    if (batch->has_cross) {
        gw_feature_plan_eval_cross(batch->model->plan, rows, now_us, vector);
    }
    batch->missing[row] = missing;
}

static gw_status keep_vector(struct gw_score_batch *batch, const float *vector, gw_err *err)
{
    if (batch->kept_count == batch->kept_capacity) {
        size_t capacity = batch->kept_capacity > 0 ? batch->kept_capacity * 2 : 1024;
        GROW(batch->kept, capacity * batch->feature_count);
        batch->kept_capacity = capacity;
    }
    float *to = batch->kept + batch->kept_count++ * batch->feature_count;
    for (size_t i = 0; i < batch->feature_count; i++) {
        to[i] = vector[batch->columns[i]];
    }
    return GW_OK;
}

static void score_block(struct gw_score_batch *batch, size_t first_row, size_t count)
{
    gw_scorer_margins(batch->model->scorer, batch->block, batch->width, count, batch->margins);
    gw_scorer_finish(batch->model->scorer, batch->margins, count, batch->probabilities + first_row * batch->head_count,
                     batch->scores + first_row, NULL);
}

gw_status gw_score_batch_run(struct gw_score_batch *batch, uint64_t deadline_us, bool tolerate_missing, gw_err *err)
{
    uint64_t started_us = gw_clock_mono_us();
    int64_t now_us = gw_clock_wall_us();
    GW_TRY(hydrate(batch, deadline_us, now_us, tolerate_missing, err));
    uint64_t hydrated_us = gw_clock_mono_us();

    size_t in_block = 0;
    size_t block_start = 0;
    for (size_t r = 0; r < batch->request_count; r++) {
        struct request *request = &batch->requests[r];
        request->vectors_at = (uint32_t)batch->kept_count;
        for (uint32_t i = 0; i < request->row_count; i++) {
            uint32_t row = request->first_row + i;
            float *vector = batch->block + in_block * batch->width;
            assemble(batch, request, row, now_us, vector);
            if (request->said.keep_vectors) {
                GW_TRY(keep_vector(batch, vector, err));
            }
            if (++in_block == BLOCK_ROWS) {
                score_block(batch, block_start, in_block);
                block_start += in_block;
                in_block = 0;
            }
        }
    }
    if (in_block > 0) {
        score_block(batch, block_start, in_block);
    }
    batch->costs.hydrate_us = hydrated_us - started_us;
    batch->costs.score_us = gw_clock_mono_us() - hydrated_us;
    return GW_OK;
}

void gw_score_batch_result(const struct gw_score_batch *batch, uint32_t index, struct gw_score_result *ret_result)
{
    GW_ASSERT(index < batch->request_count);
    const struct request *request = &batch->requests[index];
    size_t first = request->first_row;
    *ret_result = (struct gw_score_result){
        .count = request->row_count,
        .tweet_ids = batch->tweet_ids + first,
        .author_ids = batch->author_ids + first,
        .scores = batch->scores + first,
        .probabilities = batch->probabilities + first * batch->head_count,
        .missing_rows = batch->missing + first,
        .vectors =
            request->said.keep_vectors ? batch->kept + (size_t)request->vectors_at * batch->feature_count : NULL,
        .hydration_failed = batch->hydration_failed,
    };
}
