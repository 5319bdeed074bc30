// SPDX-License-Identifier: MIT
// Each distinct entity of the batch is numbered once and its row fetched once, whichever models read it. Hydration
// takes two rounds when a request names only tweets: the author of a tweet stands in the tweet's row. Rows are read
// where the store left them; those of the first round are copied when there is a second.
#include "worker/score_batch.h"

#include "base/check.h"
#include "base/clock.h"
#include "worker/score_batch_internal.h"

#include <string.h>

static const char *const role_names[GW_SCORE_ROLES] = {"user", "tweet", "author", "pair"};

// ---- life -----------------------------------------------------------------------------------------------------------

gw_status gw_score_batch_new(const struct gw_feature_set *set, struct gw_store *store, size_t rows_max,
                             struct gw_score_batch **ret_batch, gw_err *err)
{
    struct gw_score_batch *batch = gw_mem_calloc(1, sizeof *batch);
    if (batch == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a scoring batch");
    }
    batch->set = set;
    batch->store = store;
    batch->rows_max = rows_max;
    batch->author_high = gw_feature_set_find(set, "tweet.author_high");
    batch->author_low = gw_feature_set_find(set, "tweet.author_low");
    for (int role = 0; role < GW_SCORE_ROLES; role++) {
        int index = gw_feature_set_find_view(set, role_names[role]);
        if (index >= 0) {
            batch->views[role].index = (size_t)index;
            batch->views[role].view = gw_feature_set_view(set, (size_t)index);
        }
    }
    *ret_batch = batch;
    return GW_OK;
}

void gw_score_batch_free(struct gw_score_batch *batch)
{
    if (batch == NULL) {
        return;
    }
    for (int role = 0; role < GW_SCORE_ROLES; role++) {
        struct gw_score_view *view = &batch->views[role];
        gw_map_deinit(&view->numbers);
        gw_mem_free(view->keys);
        gw_mem_free(view->rows);
        gw_mem_free(view->copies);
    }
    gw_mem_free(batch->requests);
    gw_mem_free(batch->rows);
    gw_mem_free(batch->tweet_ids);
    gw_mem_free(batch->author_ids);
    gw_mem_free(batch->keys);
    gw_mem_free(batch->answers);
    gw_mem_free(batch);
}

void gw_score_batch_clear(struct gw_score_batch *batch)
{
    for (int role = 0; role < GW_SCORE_ROLES; role++) {
        struct gw_score_view *view = &batch->views[role];
        gw_map_clear(&view->numbers);
        view->count = 0;
        view->fetched = 0;
    }
    batch->request_count = 0;
    batch->row_count = 0;
    batch->hydration_failed = false;
    batch->costs = (struct gw_score_costs){0};
}

size_t gw_score_batch_rows(const struct gw_score_batch *batch)
{
    return batch->row_count;
}

const struct gw_score_costs *gw_score_batch_costs(const struct gw_score_batch *batch)
{
    return &batch->costs;
}

// ---- filling --------------------------------------------------------------------------------------------------------

static bool reads(const struct gw_score_batch_request *request, enum gw_score_role role)
{
    return (request->said.reads >> role & 1) != 0;
}

gw_status gw_score_batch_reads(const struct gw_score_batch *batch, const struct gw_score_model *model, uint32_t *reads,
                               gw_err *err)
{
    GW_ASSERT(model->set == batch->set);
    uint32_t views = gw_feature_plan_row_mask(model->plan);
    uint32_t roles = 0;
    for (int role = 0; role < GW_SCORE_ROLES; role++) {
        uint32_t bit = batch->views[role].view != NULL ? 1u << batch->views[role].index : 0;
        roles |= (views & bit) != 0 ? 1u << role : 0;
        views &= ~bit;
    }
    if (views != 0) {
        const struct gw_feature_view *view = gw_feature_set_view(batch->set, (size_t)__builtin_ctz(views));
        return gw_fail(err, GW_E_CONFIG, "model '%s': view '%s' has no entity in a request", model->name, view->name);
    }
    *reads |= roles;
    return GW_OK;
}

static gw_status append_entity(struct gw_score_view *view, int64_t id0, int64_t id1, gw_err *err)
{
    if (view->count == view->capacity) {
        uint32_t capacity = view->capacity > 0 ? view->capacity * 2 : 1024;
        GW_SCORE_GROW(view->keys, capacity);
        GW_SCORE_GROW(view->rows, capacity);
        view->capacity = capacity;
    }
    view->keys[view->count] =
        (struct gw_row_key){.view = view->view->code, .id_count = view->view->key_count, .id = {id0, id1}};
    view->rows[view->count] = NULL;
    view->count++;
    return GW_OK;
}

// The entity of an id, and its row is wanted; GW_SCORE_NO_ENTITY for id 0.
static gw_status number(struct gw_score_view *view, int64_t id0, int64_t id1, uint32_t *ret_entity, gw_err *err)
{
    *ret_entity = GW_SCORE_NO_ENTITY;
    if (view->count == 0) {
        GW_TRY(append_entity(view, 0, 0, err));
        view->fetched = 1;
    }
    if (id0 == 0 || (view->view->key_count == 2 && id1 == 0)) {
        return GW_OK;
    }
    uint64_t *value = NULL;
    bool inserted = false;
    if (gw_map_put(&view->numbers, (uint64_t)id0, (uint64_t)id1, &value, &inserted) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the batch's index");
    }
    if (inserted) {
        *value = view->count;
        GW_TRY(append_entity(view, id0, id1, err));
    }
    *ret_entity = (uint32_t)*value;
    return GW_OK;
}

// What depends on a candidate's author.
static gw_status number_author(struct gw_score_batch *batch, const struct gw_score_batch_request *request,
                               int64_t author_id, struct gw_score_row *row, gw_err *err)
{
    if (reads(request, GW_SCORE_AUTHOR)) {
        GW_TRY(number(&batch->views[GW_SCORE_AUTHOR], author_id, 0, &row->entities[GW_SCORE_AUTHOR], err));
    }
    if (reads(request, GW_SCORE_PAIR)) {
        GW_TRY(
            number(&batch->views[GW_SCORE_PAIR], request->said.user_id, author_id, &row->entities[GW_SCORE_PAIR], err));
    }
    return GW_OK;
}

gw_status gw_score_batch_add_request(struct gw_score_batch *batch, const struct gw_score_request *request,
                                     uint32_t *ret_index, gw_err *err)
{
    if (batch->request_count == batch->request_capacity) {
        size_t capacity = batch->request_capacity > 0 ? batch->request_capacity * 2 : 256;
        GW_SCORE_GROW(batch->requests, capacity);
        batch->request_capacity = capacity;
    }
    batch->requests[batch->request_count] =
        (struct gw_score_batch_request){.said = *request, .first_row = (uint32_t)batch->row_count};
    *ret_index = (uint32_t)batch->request_count++;
    return GW_OK;
}

static gw_status grow_rows(struct gw_score_batch *batch, gw_err *err)
{
    size_t capacity = batch->row_capacity > 0 ? batch->row_capacity * 2 : 4096;
    GW_SCORE_GROW(batch->rows, capacity);
    GW_SCORE_GROW(batch->tweet_ids, capacity);
    GW_SCORE_GROW(batch->author_ids, capacity);
    batch->row_capacity = capacity;
    return GW_OK;
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
    struct gw_score_batch_request *request = &batch->requests[batch->request_count - 1];
    if (request->row_count == 0 && reads(request, GW_SCORE_USER)) {
        GW_TRY(number(&batch->views[GW_SCORE_USER], request->said.user_id, 0, &request->user, err));
    }
    struct gw_score_row *row = &batch->rows[batch->row_count];
    *row = (struct gw_score_row){.entities = {[GW_SCORE_USER] = request->user},
                                 .values = candidate->values,
                                 .value_count = candidate->value_count};
    bool reads_author = reads(request, GW_SCORE_AUTHOR) || reads(request, GW_SCORE_PAIR);
    if (batch->views[GW_SCORE_TWEET].view != NULL &&
        (reads(request, GW_SCORE_TWEET) || (reads_author && candidate->author_id == 0))) {
        GW_TRY(number(&batch->views[GW_SCORE_TWEET], candidate->tweet_id, 0, &row->entities[GW_SCORE_TWEET], err));
    }
    GW_TRY(number_author(batch, request, candidate->author_id, row, err));
    batch->tweet_ids[batch->row_count] = candidate->tweet_id;
    batch->author_ids[batch->row_count] = candidate->author_id;
    batch->row_count++;
    request->row_count++;
    return GW_OK;
}

// ---- hydrating ------------------------------------------------------------------------------------------------------

// The next read takes away the bytes of this one.
static gw_status keep_rows(struct gw_score_view *view, gw_err *err)
{
    size_t row_bytes = view->view != NULL ? view->view->row_bytes : 0;
    if (view->fetched * row_bytes > view->copy_capacity) {
        size_t capacity = GW_MAX(view->fetched * row_bytes, 2 * view->copy_capacity);
        GW_SCORE_GROW(view->copies, capacity);
        view->copy_capacity = capacity;
    }
    for (uint32_t e = 0; e < view->fetched; e++) {
        if (view->rows[e] != NULL) {
            uint8_t *copy = view->copies + e * row_bytes;
            memcpy(copy, view->rows[e], row_bytes);
            view->rows[e] = copy;
        }
    }
    return GW_OK;
}

static const uint8_t *check_row(const struct gw_score_view *view, struct gw_slice row)
{
    bool good = row.data != NULL && gw_row_check(view->view, row, NULL) == GW_OK && !gw_row_is_deleted(row.data);
    return good ? row.data : NULL;
}

// Fetches every entity that is not fetched yet, of all views in one pipeline.
static gw_status fetch(struct gw_score_batch *batch, uint64_t deadline_us, bool tolerate_missing, gw_err *err)
{
    size_t total = 0;
    for (int role = 0; role < GW_SCORE_ROLES; role++) {
        total += batch->views[role].count - batch->views[role].fetched;
    }
    if (total == 0 || batch->hydration_failed) {
        return GW_OK;
    }
    if (total > batch->read_capacity) {
        size_t capacity = GW_MAX(total, 2 * batch->read_capacity);
        GW_SCORE_GROW(batch->keys, capacity);
        GW_SCORE_GROW(batch->answers, capacity);
        batch->read_capacity = capacity;
    }
    for (int role = 0; role < GW_SCORE_ROLES; role++) {
        GW_TRY(keep_rows(&batch->views[role], err));
    }
    size_t asked = 0;
    for (int role = 0; role < GW_SCORE_ROLES; role++) {
        const struct gw_score_view *view = &batch->views[role];
        size_t count = view->count - view->fetched;
        if (count > 0) {
            memcpy(batch->keys + asked, view->keys + view->fetched, count * sizeof *batch->keys);
            asked += count;
        }
    }
    batch->costs.rows_read += asked;
    gw_status status = gw_store_read(batch->store, batch->keys, asked, deadline_us, batch->answers, err);
    if (status != GW_OK) {
        batch->hydration_failed = tolerate_missing;
        return tolerate_missing ? GW_OK : status;
    }
    size_t at = 0;
    for (int role = 0; role < GW_SCORE_ROLES; role++) {
        struct gw_score_view *view = &batch->views[role];
        for (; view->fetched < view->count; view->fetched++) {
            view->rows[view->fetched] = check_row(view, batch->answers[at++]);
            batch->costs.rows_found += view->rows[view->fetched] != NULL;
        }
    }
    return GW_OK;
}

// The author named in a tweet's row; 0 when it names none.
static int64_t author_in(const struct gw_score_batch *batch, const uint8_t *row)
{
    double high = 0;
    double low = 0;
    if (row == NULL || !gw_row_number(batch->set, batch->author_high, row, &high) ||
        !gw_row_number(batch->set, batch->author_low, row, &low)) {
        return 0;
    }
    return (int64_t)((uint64_t)high << 32 | (uint64_t)low);
}

// Authors that the requests did not name, found in the tweets' rows.
static gw_status find_authors(struct gw_score_batch *batch, gw_err *err)
{
    const struct gw_score_view *tweets = &batch->views[GW_SCORE_TWEET];
    if (tweets->count == 0) {
        return GW_OK;
    }
    for (size_t r = 0; r < batch->request_count; r++) {
        const struct gw_score_batch_request *request = &batch->requests[r];
        for (uint32_t i = request->first_row; i < request->first_row + request->row_count; i++) {
            struct gw_score_row *row = &batch->rows[i];
            if (batch->author_ids[i] == 0) {
                batch->author_ids[i] = author_in(batch, tweets->rows[row->entities[GW_SCORE_TWEET]]);
                GW_TRY(number_author(batch, request, batch->author_ids[i], row, err));
            }
        }
    }
    return GW_OK;
}

gw_status gw_score_batch_hydrate(struct gw_score_batch *batch, uint64_t deadline_us, bool tolerate_missing, gw_err *err)
{
    uint64_t started_us = gw_clock_mono_us();
    batch->now_us = gw_clock_wall_us();
    GW_TRY(fetch(batch, deadline_us, tolerate_missing, err));
    GW_TRY(find_authors(batch, err));
    GW_TRY(fetch(batch, deadline_us, tolerate_missing, err));
    batch->costs.hydrate_us = gw_clock_mono_us() - started_us;
    return GW_OK;
}
