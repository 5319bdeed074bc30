// SPDX-License-Identifier: MIT
// A feature row: packed little-endian bytes, read by bounds check and fixed offset, never parsed.
//
//   0  u64 layout fingerprint
//   8  u8  view code, u8 format (1), u16 flags (bit 0: DELETED)
//  12  u32 source partition
//  16  i64 source offset
//  24  i64 event time, microseconds: the time to which decayed columns are valid; INT64_MIN before the first event
//  32  u64 null bitmap, bit i: column i is null (up to 64 columns)
//  40  columns at fixed offsets, 8 bytes each; null ones hold zero bytes. Then one clock (i64, microseconds) for each
//      distinct filter of `last` columns: the time of the event they hold. Equal times: the event applied later wins.
#pragma once

#include "base/bytes.h"
#include "feature/set.h"

#include <stdbool.h>

#define GW_ROW_HEADER_BYTES 40
#define GW_ROW_NULLS_OFFSET 32
#define GW_ROW_FORMAT       1
#define GW_ROW_DELETED      1u

// Writes an empty row (all columns null) of view->row_bytes.
void gw_row_init(const struct gw_feature_view *view, uint8_t *row);

// Checks size, format, view and fingerprint of bytes from outside. A header-only DELETED row is valid. GW_E_MALFORMED, or
// GW_E_MISMATCH when the row was written under another layout.
GW_CHECK gw_status gw_row_check(const struct gw_feature_view *view, struct gw_slice row, gw_err *err);

bool gw_row_is_deleted(const uint8_t *row);

// Turns the row into a header-only tombstone marker of GW_ROW_HEADER_BYTES.
void gw_row_mark_deleted(const struct gw_feature_view *view, uint8_t *row, int64_t event_time_us);

int64_t gw_row_event_time_us(const uint8_t *row);
uint32_t gw_row_source_partition(const uint8_t *row);
int64_t gw_row_source_offset(const uint8_t *row);

// Applies an event to a row by the view's aggregates, in event time; late events are merged exactly as early ones would
// have been (decay is commutative, facts/domain.md 2.5). Returns whether any column changed. Pure: the same row and event
// give the same bytes.
bool gw_row_apply(const struct gw_feature_set *set, size_t view_index, uint8_t *row,
                  const struct gw_feature_event *event);

// True when the event (by its filter) would touch any column of the view: lets a caller skip loading the row.
bool gw_row_wants(const struct gw_feature_set *set, size_t view_index, const struct gw_feature_event *event);

// What a column of a row holds, undecayed: for columns that name another entity. False: null, or the feature is no column
// of the row's view. The row is valid for that view and not DELETED.
bool gw_row_number(const struct gw_feature_set *set, int feature_index, const uint8_t *row, double *ret_value);
