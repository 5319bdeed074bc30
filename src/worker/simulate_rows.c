// SPDX-License-Identifier: MIT
#include "worker/simulate_rows.h"

#include "base/mem.h"
#include "worker/row_table.h"

#include <math.h>
#include <string.h>

// After its last request a tweet may still be acted on, and undone, for the delays of the simulator.
#define TWEET_LIFE_MS (GW_SIM_HORIZON_MS + 3 * GW_SIM_DELAY_MAX_MS)
#define SWEEP_MS      (6LL * 3600 * 1000)

enum role { ROLE_USER, ROLE_TWEET, ROLE_AUTHOR, ROLE_PAIR, ROLE_COUNT };
static const char *const role_names[ROLE_COUNT] = {"user", "tweet", "author", "pair"};

struct role_view {
    bool wanted;
    size_t view_index;
    uint32_t start; // of the view's segment
    uint32_t width;
};

struct gw_simulate_rows {
    const struct gw_feature_set *set;
    const struct gw_feature_plan *plan;
    struct gw_row_table *table;
    struct role_view roles[ROLE_COUNT];
    uint32_t row_mask;
    int64_t sequence; // offset of the next entity event
    int64_t swept_ms;
    size_t feature_count;
    const char *const *value_names; // what the plan wants of a request
    size_t value_count;
    uint32_t values_start;
    float *vector;
};

// ---- life -----------------------------------------------------------------------------------------------------------

static gw_status find_views(struct gw_simulate_rows *rows, gw_err *err)
{
    for (size_t v = 0; v < gw_feature_set_view_count(rows->set); v++) {
        if ((rows->row_mask >> v & 1) == 0) {
            continue;
        }
        const char *name = gw_feature_set_view(rows->set, v)->name;
        int role = 0;
        while (role < ROLE_COUNT && strcmp(role_names[role], name) != 0) {
            role++;
        }
        if (role == ROLE_COUNT) {
            return gw_fail(err, GW_E_CONFIG, "view '%s' has no entity in a request", name);
        }
        struct role_view *view = &rows->roles[role];
        *view = (struct role_view){.wanted = true, .view_index = v};
        gw_feature_plan_view_segment(rows->plan, v, &view->start, &view->width);
    }
    return GW_OK;
}

gw_status gw_simulate_rows_new(const struct gw_feature_set *set, const struct gw_feature_plan *plan,
                               size_t feature_count, struct gw_simulate_rows **ret_rows, gw_err *err)
{
    struct gw_simulate_rows *rows = gw_mem_calloc(1, sizeof *rows);
    if (rows == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for simulated rows");
    }
    rows->set = set;
    rows->plan = plan;
    rows->row_mask = gw_feature_plan_row_mask(plan);
    rows->feature_count = feature_count;
    rows->value_count = gw_feature_plan_request_names(plan, &rows->value_names, &rows->values_start);
    rows->vector = gw_mem_calloc(GW_MAX(gw_feature_plan_width(plan), 1), sizeof *rows->vector);
    gw_status status =
        rows->vector != NULL ? find_views(rows, err) : gw_fail(err, GW_E_MEMORY, "no memory for a vector");
    if (status == GW_OK) {
        status = gw_row_table_new(set, &rows->table, err);
    }
    if (status != GW_OK) {
        gw_simulate_rows_free(rows);
        return status;
    }
    *ret_rows = rows;
    return GW_OK;
}

void gw_simulate_rows_free(struct gw_simulate_rows *rows)
{
    if (rows != NULL) {
        gw_row_table_free(rows->table);
        gw_mem_free(rows->vector);
        gw_mem_free(rows);
    }
}

size_t gw_simulate_rows_bytes(const struct gw_simulate_rows *rows)
{
    return gw_row_table_bytes(rows->table);
}

// ---- events ---------------------------------------------------------------------------------------------------------

// The table evicts what ends before a point; here that point is a time in place of an offset.
static gw_status row_of(struct gw_simulate_rows *rows, size_t view, const int64_t id[2], int64_t now_ms,
                        uint8_t **ret_row, gw_err *err)
{
    struct gw_row_entry *entry = gw_row_table_find(rows->table, view, id);
    if (entry == NULL) {
        bool is_tweet = rows->roles[ROLE_TWEET].wanted && rows->roles[ROLE_TWEET].view_index == view;
        GW_TRY(gw_row_table_put(rows->table, view, id, (struct gw_slice){0},
                                is_tweet ? now_ms + TWEET_LIFE_MS : INT64_MAX, NULL, &entry, err));
    }
    *ret_row = entry->bytes;
    return GW_OK;
}

static gw_status apply_to_view(struct gw_simulate_rows *rows, size_t view_index, const struct gw_entity_event *source,
                               const struct gw_feature_event *event, gw_err *err)
{
    const struct gw_feature_view *view = gw_feature_set_view(rows->set, view_index);
    bool erases = source->kind == GW_ENTITY_EVENT_KIND_TWEET_DELETE;
    int64_t id[2];
    if ((view->side_mask >> event->side & 1) == 0 || !gw_entity_row_ids(source, view->key_count, id) ||
        (erases ? view->key_count != 1 : !gw_row_wants(rows->set, view_index, event))) {
        return GW_OK;
    }
    uint8_t *row = NULL;
    GW_TRY(row_of(rows, view_index, id, source->event_time_ms, &row, err));
    if (gw_row_is_deleted(row)) {
        return GW_OK; // what comes after the end is ignored
    }
    if (erases) {
        gw_row_mark_deleted(view, row, event->time_us);
    } else {
        gw_row_apply(rows->set, view_index, row, event);
    }
    return GW_OK;
}

gw_status gw_simulate_rows_apply(struct gw_simulate_rows *rows, const struct gw_simulate_record *record, gw_err *err)
{
    const struct gw_entity_origin origin = {.topic = (int32_t)record->topic};
    double statics[GW_STATIC_ATTRIBUTES];
    double attributes[GW_ATTRIBUTE_COUNT];
    struct gw_entity_event events[GW_ENTITY_EVENTS_MAX];
    struct gw_feature_event event;
    size_t count = 0;
    GW_TRY(gw_simulate_entities(record, &origin, statics, events, &count, err));
    for (size_t e = 0; e < count; e++) {
        gw_entity_to_feature_event(&events[e], 0, rows->sequence++, attributes, &event);
        for (size_t v = 0; v < gw_feature_set_view_count(rows->set); v++) {
            if ((rows->row_mask >> v & 1) != 0) {
                GW_TRY(apply_to_view(rows, v, &events[e], &event, err));
            }
        }
    }
    if (count > 0 && events[0].event_time_ms >= rows->swept_ms + SWEEP_MS) {
        rows->swept_ms = events[0].event_time_ms;
        gw_row_table_evict(rows->table, rows->swept_ms, SIZE_MAX);
    }
    return GW_OK;
}

// ---- vectors --------------------------------------------------------------------------------------------------------

static float request_value(const struct gw_prediction_request *request, const struct gw_candidate *candidate,
                           const char *name)
{
    for (uint32_t n = 0; n < request->value_names.count && n < candidate->values.count; n++) {
        if (gw_slice_is(request->value_names.items[n], name)) {
            return candidate->values.items[n];
        }
    }
    for (uint32_t c = 0; c < request->context.count; c++) {
        if (gw_slice_is(request->context.items[c].key, name)) {
            return (float)request->context.items[c].value;
        }
    }
    return NAN;
}

void gw_simulate_rows_vector(struct gw_simulate_rows *rows, const struct gw_prediction_request *request,
                             size_t candidate, int64_t now_us, float *features)
{
    const struct gw_candidate *wanted = &request->candidates.items[candidate];
    const int64_t ids[ROLE_COUNT][2] = {[ROLE_USER] = {request->user_id, 0},
                                        [ROLE_TWEET] = {wanted->tweet_id, 0},
                                        [ROLE_AUTHOR] = {wanted->author_id, 0},
                                        [ROLE_PAIR] = {request->user_id, wanted->author_id}};
    const uint8_t *found[GW_FEATURE_VIEWS_MAX] = {0};
    for (int role = 0; role < ROLE_COUNT; role++) {
        const struct role_view *view = &rows->roles[role];
        if (!view->wanted) {
            continue;
        }
        const struct gw_row_entry *entry = gw_row_table_find(rows->table, view->view_index, ids[role]);
        const uint8_t *row = entry != NULL && !gw_row_is_deleted(entry->bytes) ? entry->bytes : NULL;
        found[view->view_index] = row;
        if (view->width > 0) {
            gw_feature_plan_eval_view(rows->plan, view->view_index, row, now_us, rows->vector + view->start);
        }
    }
    for (size_t i = 0; i < rows->value_count; i++) {
        rows->vector[rows->values_start + i] = request_value(request, wanted, rows->value_names[i]);
    }
    if (gw_feature_plan_has_cross(rows->plan)) {
        gw_feature_plan_eval_cross(rows->plan, found, now_us, rows->vector);
    }
    const uint32_t *columns = gw_feature_plan_columns(rows->plan);
    for (size_t i = 0; i < rows->feature_count; i++) {
        features[i] = rows->vector[columns[i]];
    }
}
