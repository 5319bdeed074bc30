// SPDX-License-Identifier: MIT
// Row layouts: columns in the order of their names, so that moving lines in the definitions file changes nothing, then
// the clocks of `last` columns. The fingerprint is a hash of the layout's JSON, which holds all that gives bytes a
// meaning.
#include "feature/internal.h"

#include "base/hash.h"
#include "feature/row.h"

#include <inttypes.h>

static void sort_columns(struct gw_view *view)
{
    for (uint32_t i = 1; i < view->column_count; i++) {
        struct gw_column column = view->columns[i];
        uint32_t at = i;
        while (at > 0 && strcmp(view->columns[at - 1].name, column.name) > 0) {
            view->columns[at] = view->columns[at - 1];
            at--;
        }
        view->columns[at] = column;
    }
}

static void place_columns(struct gw_view *view)
{
    uint32_t offset = GW_ROW_HEADER_BYTES;
    view->seen.never_expires = view->column_count == 0;
    for (uint32_t i = 0; i < view->column_count; i++) {
        struct gw_column *column = &view->columns[i];
        column->offset = offset;
        offset += column->aggregate->bytes;
        view->column_mask |= UINT64_C(1) << i;
        view->seen.never_expires = view->seen.never_expires || !column->aggregate->fades;
    }
    for (uint32_t i = 0; i < view->column_count; i++) {
        struct gw_column *column = &view->columns[i];
        if (!column->aggregate->clocked) {
            continue;
        }
        if (view->clock_offsets[column->filter] == 0) {
            view->clock_offsets[column->filter] = offset;
            offset += 8;
        }
        column->clock_offset = view->clock_offsets[column->filter];
    }
    view->seen.row_bytes = offset;
}

// Names, filters and attributes hold no character that JSON would want escaped: the scanner sees to that.
static gw_status write_column(const struct gw_view *view, const struct gw_column *column,
                              const struct gw_feature_vocabulary *vocabulary, struct gw_buf *json)
{
    GW_TRY(gw_buf_append_format(json, "%s{\"name\":\"%s\",\"aggregate\":\"%s\",\"offset\":%" PRIu32,
                                column == view->columns ? "" : ",", column->name, column->aggregate->name,
                                column->offset));
    if (column->half_life_us > 0) {
        GW_TRY(gw_buf_append_format(json, ",\"half_life_us\":%.0f", column->half_life_us));
    }
    if (column->attribute >= 0) {
        GW_TRY(gw_buf_append_format(json, ",\"value\":\"%s\"", vocabulary->attributes[column->attribute].name));
    }
    if (view->filters[column->filter].test_count > 0) {
        GW_TRY(gw_buf_append_format(json, ",\"where\":\"%s\"", view->filters[column->filter].text));
    }
    if (column->clock_offset != 0) {
        GW_TRY(gw_buf_append_format(json, ",\"clock_offset\":%" PRIu32, column->clock_offset));
    }
    return gw_buf_append_text(json, "}");
}

static gw_status write_layout(const struct gw_view *view, const struct gw_feature_vocabulary *vocabulary,
                              struct gw_buf *json)
{
    GW_TRY(gw_buf_append_format(
        json, "{\"view\":\"%s\",\"code\":%u,\"format\":%u,\"keys\":%u,\"row_bytes\":%" PRIu32 ",\"sides\":[",
        view->seen.name, (unsigned)view->seen.code, (unsigned)GW_ROW_FORMAT, (unsigned)view->seen.key_count,
        view->seen.row_bytes));
    bool first = true;
    for (size_t i = 0; i < vocabulary->side_count; i++) {
        if ((view->seen.side_mask >> i & 1) != 0) {
            GW_TRY(gw_buf_append_format(json, "%s\"%s\"", first ? "" : ",", vocabulary->sides[i]));
            first = false;
        }
    }
    GW_TRY(gw_buf_append_text(json, "],\"columns\":["));
    for (uint32_t i = 0; i < view->column_count; i++) {
        GW_TRY(write_column(view, &view->columns[i], vocabulary, json));
    }
    return gw_buf_append(json, "]}", 3); // with the NUL
}

gw_status gw_view_lay_out(struct gw_view *view, const struct gw_feature_vocabulary *vocabulary, struct gw_arena *arena,
                          gw_err *err)
{
    sort_columns(view);
    place_columns(view);
    if (view->seen.row_bytes > GW_FEATURE_ROW_BYTES_MAX) {
        return gw_fail(err, GW_E_CONFIG, "view '%s': rows of %u bytes, more than %d", view->seen.name,
                       view->seen.row_bytes, GW_FEATURE_ROW_BYTES_MAX);
    }
    GW_CLEANUP(gw_buf_deinit) struct gw_buf json = {0};
    if (write_layout(view, vocabulary, &json) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a layout");
    }
    view->seen.layout_json = gw_feature_strdup(arena, (const char *)json.data);
    if (view->seen.layout_json == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a layout");
    }
    view->seen.fingerprint = gw_hash_fnv1a(GW_HASH_FNV_START, json.data, json.size - 1);
    return GW_OK;
}
