// SPDX-License-Identifier: MIT
#include "feature/set.h"

#include "base/check.h"
#include "base/mem.h"
#include "feature/decay.h"
#include "feature/internal.h"
#include "feature/plan.h"
#include "feature/row.h"
#include "base/suggest.h"

#include <string.h>

void gw_feature_set_free(struct gw_feature_set *set)
{
    if (set == NULL) {
        return;
    }
    gw_arena_deinit(&set->arena);
    gw_mem_free(set);
}

size_t gw_feature_set_view_count(const struct gw_feature_set *set)
{
    return set->view_count;
}

const struct gw_feature_view *gw_feature_set_view(const struct gw_feature_set *set, size_t index)
{
    GW_ASSERT(index < set->view_count);
    return &set->views[index].seen;
}

int gw_feature_set_find_view(const struct gw_feature_set *set, const char *name)
{
    for (size_t i = 0; i < set->view_count; i++) {
        if (strcmp(set->views[i].seen.name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

size_t gw_feature_set_count(const struct gw_feature_set *set)
{
    return set->feature_count;
}

const char *gw_feature_set_name(const struct gw_feature_set *set, size_t index)
{
    GW_ASSERT(index < set->feature_count);
    return set->features[index].name;
}

const char *gw_feature_set_help(const struct gw_feature_set *set, size_t index)
{
    GW_ASSERT(index < set->feature_count);
    return set->features[index].help;
}

bool gw_feature_set_is_hidden(const struct gw_feature_set *set, size_t index)
{
    GW_ASSERT(index < set->feature_count);
    return set->features[index].hidden;
}

gw_status gw_feature_find(const struct gw_feature_set *set, const char *name, size_t length, uint32_t *ret_index,
                          gw_err *err)
{
    for (size_t i = 0; i < set->feature_count; i++) {
        if (strlen(set->features[i].name) == length && memcmp(set->features[i].name, name, length) == 0) {
            *ret_index = (uint32_t)i;
            return GW_OK;
        }
    }
    struct gw_suggestion suggestion;
    gw_suggestion_start(&suggestion, name, length);
    for (size_t i = 0; i < set->feature_count; i++) {
        gw_suggestion_offer(&suggestion, set->features[i].name);
    }
    return gw_fail(err, GW_E_CONFIG, "unknown feature '%.*s'%s", (int)GW_MIN(length, (size_t)96), name,
                   gw_suggestion_text(&suggestion));
}

char *gw_feature_strdup(struct gw_arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = gw_arena_alloc(arena, size);
    if (copy != NULL) {
        memcpy(copy, text, size);
    }
    return copy;
}

size_t gw_feature_explain(const struct gw_feature_set *set, size_t view_index, const uint8_t *row, int64_t now_us,
                          struct gw_feature_value *values, size_t capacity)
{
    GW_ASSERT(view_index < set->view_count);
    const struct gw_segment *segment = &set->views[view_index].explained;
    const uint8_t *rows[GW_FEATURE_VIEWS_MAX] = {0};
    double slots[GW_FEATURE_COUNT_MAX];
    bool present = row != NULL && !gw_row_is_deleted(row);
    uint64_t age_us = present ? gw_elapsed_us(gw_row_event_time_us(row), now_us) : 0;
    rows[view_index] = row;
    gw_segment_run(segment, set, rows, NULL, now_us, slots);

    for (uint32_t i = 0; i < segment->output_count && i < capacity; i++) {
        const struct gw_feature *feature = &set->features[segment->output_features[i]];
        values[i] = (struct gw_feature_value){
            .name = feature->name,
            .value = slots[segment->output_slots[i]],
            .age_us = present ? (int64_t)GW_MIN(age_us, (uint64_t)INT64_MAX) : -1,
            .source = feature->kind == GW_FEATURE_ROW ? "row" : "derived",
        };
    }
    return segment->output_count;
}

int gw_feature_set_find(const struct gw_feature_set *set, const char *name)
{
    for (size_t i = 0; i < set->feature_count; i++) {
        if (strcmp(set->features[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}
