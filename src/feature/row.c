// SPDX-License-Identifier: MIT
// One time for the whole row: an event newer than the row first moves every decayed column forward to its time, an
// older one is decayed to the row's time before it is added. Half-lives are shared by columns, so moving forward costs
// one decay factor per distinct half-life.
#include "feature/row.h"

#include "base/check.h"
#include "feature/decay.h"
#include "feature/internal.h"

#include <inttypes.h>
#include <math.h>

#define VIEW_OFFSET      8
#define FORMAT_OFFSET    9
#define FLAGS_OFFSET     10
#define PARTITION_OFFSET 12
#define POSITION_OFFSET  16
#define TIME_OFFSET      24

static const struct gw_view *whole_view(const struct gw_feature_view *view)
{
    return (const struct gw_view *)(const void *)view;
}

static uint32_t flags_of(const uint8_t *row)
{
    return (uint32_t)row[FLAGS_OFFSET] | (uint32_t)row[FLAGS_OFFSET + 1] << 8;
}

bool gw_row_is_deleted(const uint8_t *row)
{
    return (flags_of(row) & GW_ROW_DELETED) != 0;
}

int64_t gw_row_event_time_us(const uint8_t *row)
{
    return (int64_t)gw_load_le64(row + TIME_OFFSET);
}

uint32_t gw_row_source_partition(const uint8_t *row)
{
    return gw_load_le32(row + PARTITION_OFFSET);
}

int64_t gw_row_source_offset(const uint8_t *row)
{
    return (int64_t)gw_load_le64(row + POSITION_OFFSET);
}

static void set_position(uint8_t *row, uint32_t partition, int64_t offset, int64_t time_us)
{
    gw_store_le32(row + PARTITION_OFFSET, partition);
    gw_store_le64(row + POSITION_OFFSET, (uint64_t)offset);
    gw_store_le64(row + TIME_OFFSET, (uint64_t)time_us);
}

static void init_header(const struct gw_feature_view *view, uint8_t *row)
{
    memset(row, 0, GW_ROW_HEADER_BYTES);
    gw_store_le64(row, view->fingerprint);
    row[VIEW_OFFSET] = view->code;
    row[FORMAT_OFFSET] = GW_ROW_FORMAT;
    gw_store_le64(row + GW_ROW_NULLS_OFFSET, whole_view(view)->column_mask);
}

void gw_row_init(const struct gw_feature_view *view, uint8_t *row)
{
    const struct gw_view *whole = whole_view(view);
    memset(row, 0, view->row_bytes);
    init_header(view, row);
    set_position(row, 0, -1, INT64_MIN);
    for (uint32_t i = 0; i < whole->filter_count; i++) {
        if (whole->clock_offsets[i] != 0) {
            gw_store_le64(row + whole->clock_offsets[i], (uint64_t)INT64_MIN);
        }
    }
}

void gw_row_mark_deleted(const struct gw_feature_view *view, uint8_t *row, int64_t event_time_us)
{
    uint32_t partition = gw_row_source_partition(row);
    int64_t offset = gw_row_source_offset(row);
    init_header(view, row);
    row[FLAGS_OFFSET] = GW_ROW_DELETED;
    set_position(row, partition, offset, event_time_us);
}

gw_status gw_row_check(const struct gw_feature_view *view, struct gw_slice row, gw_err *err)
{
    if (row.size < GW_ROW_HEADER_BYTES) {
        return gw_fail(err, GW_E_MALFORMED, "row of view '%s': %zu bytes, shorter than a header", view->name, row.size);
    }
    if (row.data[FORMAT_OFFSET] != GW_ROW_FORMAT) {
        return gw_fail(err, GW_E_MALFORMED, "row of view '%s': format %u, expected %u", view->name,
                       (unsigned)row.data[FORMAT_OFFSET], (unsigned)GW_ROW_FORMAT);
    }
    if (row.data[VIEW_OFFSET] != view->code) {
        return gw_fail(err, GW_E_MALFORMED, "row of view '%s': view code 0x%02x, expected 0x%02x", view->name,
                       (unsigned)row.data[VIEW_OFFSET], (unsigned)view->code);
    }
    if ((flags_of(row.data) & ~GW_ROW_DELETED) != 0) {
        return gw_fail(err, GW_E_MALFORMED, "row of view '%s': unknown flags 0x%x", view->name, flags_of(row.data));
    }
    if (gw_row_is_deleted(row.data)) {
        // It has no columns, so any layout may have written it.
        return row.size == GW_ROW_HEADER_BYTES
                   ? GW_OK
                   : gw_fail(err, GW_E_MALFORMED, "deleted row of view '%s': %zu bytes", view->name, row.size);
    }
    uint64_t fingerprint = gw_load_le64(row.data);
    if (fingerprint != view->fingerprint) {
        return gw_fail(err, GW_E_MISMATCH, "row of view '%s': layout %016" PRIx64 ", expected %016" PRIx64, view->name,
                       fingerprint, view->fingerprint);
    }
    if (row.size != view->row_bytes) {
        return gw_fail(err, GW_E_MALFORMED, "row of view '%s': %zu bytes, expected %u", view->name, row.size,
                       view->row_bytes);
    }
    if ((gw_load_le64(row.data + GW_ROW_NULLS_OFFSET) & ~whole_view(view)->column_mask) != 0) {
        return gw_fail(err, GW_E_MALFORMED, "row of view '%s': null bits of columns that do not exist", view->name);
    }
    return GW_OK;
}

// Bit i: the event passes filter i of the view.
static uint64_t passed_filters(const struct gw_view *view, const struct gw_feature_event *event)
{
    GW_ASSERT(event->side < 32);
    if ((view->seen.side_mask >> event->side & 1) == 0) {
        return 0;
    }
    uint64_t passed = 0;
    for (uint32_t i = 0; i < view->filter_count; i++) {
        if (gw_filter_passes(&view->filters[i], event->attributes)) {
            passed |= UINT64_C(1) << i;
        }
    }
    return passed;
}

static double value_of(const struct gw_column *column, const struct gw_feature_event *event)
{
    if (column->attribute < 0) {
        return 1;
    }
    double value = event->attributes[column->attribute];
    return isfinite(value) ? value : NAN;
}

static int64_t clock_of(const struct gw_column *column, const uint8_t *row)
{
    return column->clock_offset != 0 ? (int64_t)gw_load_le64(row + column->clock_offset) : INT64_MIN;
}

// Bit i: the event changes column i.
static uint64_t touched_columns(const struct gw_view *view, const uint8_t *row, const struct gw_feature_event *event,
                                uint64_t passed)
{
    uint64_t nulls = gw_load_le64(row + GW_ROW_NULLS_OFFSET);
    uint64_t touched = 0;
    for (uint32_t i = 0; i < view->column_count; i++) {
        const struct gw_column *column = &view->columns[i];
        if ((passed >> column->filter & 1) == 0) {
            continue;
        }
        struct gw_cell_event seen = {.time_us = event->time_us, .value = value_of(column, event)};
        if (column->aggregate->touches(row + column->offset, (nulls >> i & 1) != 0, clock_of(column, row), &seen)) {
            touched |= UINT64_C(1) << i;
        }
    }
    return touched;
}

static void rebase(const struct gw_view *view, uint8_t *row, int64_t to_us)
{
    uint64_t elapsed_us = gw_elapsed_us(gw_row_event_time_us(row), to_us);
    double factors[GW_FEATURE_HALF_LIVES_MAX];
    for (uint32_t i = 0; i < view->half_life_count; i++) {
        factors[i] = gw_decay(elapsed_us, view->half_lives_us[i]);
    }
    uint64_t nulls = gw_load_le64(row + GW_ROW_NULLS_OFFSET);
    for (uint32_t i = 0; i < view->column_count; i++) {
        const struct gw_column *column = &view->columns[i];
        if (column->aggregate->rebase != NULL && (nulls >> i & 1) == 0) {
            column->aggregate->rebase(row + column->offset, factors[column->half_life_index]);
        }
    }
}

static void apply_columns(const struct gw_view *view, uint8_t *row, const struct gw_feature_event *event,
                          uint64_t touched, int64_t row_time_us)
{
    uint64_t nulls = gw_load_le64(row + GW_ROW_NULLS_OFFSET);
    for (uint64_t rest = touched; rest != 0; rest &= rest - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(rest);
        const struct gw_column *column = &view->columns[i];
        struct gw_cell_event seen = {
            .time_us = event->time_us, .row_time_us = row_time_us, .value = value_of(column, event)};
        // Cells of null columns are zero bytes, which every aggregate takes for its start.
        bool present = column->aggregate->apply(column, row + column->offset, &seen);
        uint64_t bit = UINT64_C(1) << i;
        nulls = present ? nulls & ~bit : nulls | bit;
        if (column->clock_offset != 0) {
            // Columns of one clock are touched by the same events, so moving it early misleads none of them.
            gw_store_le64(row + column->clock_offset, (uint64_t)event->time_us);
        }
    }
    gw_store_le64(row + GW_ROW_NULLS_OFFSET, nulls);
}

bool gw_row_apply(const struct gw_feature_set *set, size_t view_index, uint8_t *row,
                  const struct gw_feature_event *event)
{
    GW_ASSERT(view_index < set->view_count);
    const struct gw_view *view = &set->views[view_index];
    uint64_t passed = passed_filters(view, event);
    if (passed == 0 || gw_row_is_deleted(row)) {
        return false;
    }
    uint64_t touched = touched_columns(view, row, event, passed);
    if (touched == 0) {
        return false;
    }
    int64_t row_time_us = gw_row_event_time_us(row);
    if (event->time_us > row_time_us) {
        rebase(view, row, event->time_us);
        row_time_us = event->time_us;
    }
    apply_columns(view, row, event, touched, row_time_us);
    set_position(row, event->source_partition, event->source_offset, row_time_us);
    return true;
}

bool gw_row_wants(const struct gw_feature_set *set, size_t view_index, const struct gw_feature_event *event)
{
    GW_ASSERT(view_index < set->view_count);
    return passed_filters(&set->views[view_index], event) != 0;
}

bool gw_row_number(const struct gw_feature_set *set, int feature_index, const uint8_t *row, double *ret_value)
{
    if (feature_index < 0 || (size_t)feature_index >= set->feature_count) {
        return false;
    }
    const struct gw_feature *feature = &set->features[feature_index];
    if (feature->kind != GW_FEATURE_ROW || row[8] != set->views[feature->view].seen.code) {
        return false;
    }
    if (gw_load_le64(row + GW_ROW_NULLS_OFFSET) >> feature->column & 1) {
        return false;
    }
    const struct gw_column *column = &set->views[feature->view].columns[feature->column];
    *ret_value = column->aggregate->read(column, row + column->offset, &(struct gw_cell_now){.factor = 1});
    return true;
}
