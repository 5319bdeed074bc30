// SPDX-License-Identifier: MIT
// Feature definitions of any bytes: what compiles must give sound rows and vectors, and the same bytes twice.
#include "base/check.h"
#include "feature/plan.h"

#include <math.h>

enum { SIDE_COUNT = 5, ATTRIBUTE_COUNT = 4, NAMES_MAX = 1024 };

static const struct gw_feature_symbol kinds[] = {{"ACTION", 1}, {"TWEET_CREATE", 2}, {"PROFILE_UPDATE", 5}};
static const struct gw_feature_symbol actions[] = {{"CLIENT_TWEET_FAV", 14}, {"CLIENT_TWEET_CLICK", 35}};
static const struct gw_feature_attribute attributes[ATTRIBUTE_COUNT] = {
    {"kind", kinds, GW_COUNT_OF(kinds)},
    {"action", actions, GW_COUNT_OF(actions)},
    {"dwell_ms", NULL, 0},
    {"created_at_ms", NULL, 0},
};
static const char *const sides[SIDE_COUNT] = {"actor", "tweet", "author", "target", "profile"};
static const struct gw_feature_vocabulary vocabulary = {attributes, ATTRIBUTE_COUNT, sides, SIDE_COUNT};

static const double values[][ATTRIBUTE_COUNT] = {
    {1, 14, NAN, NAN}, {1, 35, 1500, NAN}, {2, NAN, NAN, 1.7e12}, {5, NAN, -0.0, 1e308}, {1, 14, INFINITY, 0}};
static const int64_t times_us[] = {0, INT64_C(1700000000000000), INT64_C(1600000000000000), INT64_MIN, INT64_MAX};

static void apply_all(const struct gw_feature_set *set, size_t view, uint8_t *row)
{
    gw_row_init(gw_feature_set_view(set, view), row);
    for (size_t i = 0; i < GW_COUNT_OF(values) * SIDE_COUNT; i++) {
        struct gw_feature_event event = {
            .time_us = times_us[i % GW_COUNT_OF(times_us)],
            .side = (uint32_t)(i / GW_COUNT_OF(values)),
            .attributes = values[i % GW_COUNT_OF(values)],
            .source_offset = (int64_t)i,
        };
        bool wanted = gw_row_wants(set, view, &event);
        bool changed = gw_row_apply(set, view, row, &event);
        GW_ASSERT(wanted || !changed);
    }
}

static void check_plan(const struct gw_feature_set *set, const uint8_t *const *rows)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < gw_feature_set_count(set); i++) {
        if (!gw_feature_set_is_hidden(set, i)) {
            names[count++] = gw_feature_set_name(set, i);
        }
    }
    struct gw_feature_plan *plan = NULL;
    gw_status status = gw_feature_plan_new(set, names, count, &plan, NULL);
    GW_ASSERT(status == GW_OK);

    float vector[2 * NAMES_MAX]; // visible features, and the request values of hidden ones
    size_t width = gw_feature_plan_width(plan);
    GW_ASSERT(width <= GW_COUNT_OF(vector));
    memset(vector, 0, sizeof vector);
    for (size_t view = 0; view < gw_feature_set_view_count(set); view++) {
        uint32_t start = 0;
        uint32_t segment_width = 0;
        gw_feature_plan_view_segment(plan, view, &start, &segment_width);
        GW_ASSERT(start + segment_width <= width);
        gw_feature_plan_eval_view(plan, view, NULL, times_us[1], vector + start);
        gw_feature_plan_eval_view(plan, view, rows[view], times_us[1], vector + start);
    }
    gw_feature_plan_eval_cross(plan, rows, times_us[1], vector);
    for (size_t i = 0; i < width; i++) {
        GW_ASSERT(isnan(vector[i]) || isfinite(vector[i]));
    }
    for (size_t i = 0; i < count; i++) {
        GW_ASSERT(gw_feature_plan_columns(plan)[i] < width);
    }
    gw_feature_plan_free(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t rows[GW_FEATURE_VIEWS_MAX][GW_FEATURE_ROW_BYTES_MAX];
    static uint8_t again[GW_FEATURE_ROW_BYTES_MAX];
    const uint8_t *row_of[GW_FEATURE_VIEWS_MAX];
    struct gw_feature_set *set = NULL;
    gw_err err = {0};
    gw_status status = gw_feature_set_compile("fuzz.ini", (const char *)data, size, &vocabulary, &set, &err);
    if (status != GW_OK) {
        GW_ASSERT(status == GW_E_CONFIG && set == NULL && err.message[0] != '\0');
        return 0;
    }
    for (size_t view = 0; view < gw_feature_set_view_count(set); view++) {
        const struct gw_feature_view *seen = gw_feature_set_view(set, view);
        apply_all(set, view, rows[view]);
        apply_all(set, view, again);
        GW_ASSERT(memcmp(rows[view], again, seen->row_bytes) == 0);
        GW_ASSERT(gw_row_check(seen, gw_slice_make(rows[view], seen->row_bytes), &err) == GW_OK);
        row_of[view] = rows[view];
    }
    check_plan(set, row_of);
    gw_feature_set_free(set);
    return 0;
}
