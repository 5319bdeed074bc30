// SPDX-License-Identifier: MIT
// The rows of one entity_events partition in memory: what aggregate owns.
//
// A row is clean (its bytes are in the changelog) or dirty (changed since the last commit). A clean row may be evicted
// once Redis has passed the changelog record that holds it (STREAMS 15). One owning thread.
#pragma once

#include "base/bytes.h"
#include "base/map.h"
#include "feature/row.h"
#include "store/rows.h"

#include <stdbool.h>

struct gw_row_entry {
    int64_t id[2];
    int64_t changelog_end;  // Redis holds these bytes when its offset is at or past this; INT64_MAX while dirty or unknown
    uint32_t view_index;
    uint32_t next_dirty;    // list through the table; GW_ROW_NONE ends it
    bool dirty;
    bool used;
    uint8_t bytes[];        // row_bytes of the view, 8-byte aligned
};

#define GW_ROW_NONE UINT32_MAX

struct gw_row_table;

GW_CHECK gw_status gw_row_table_new(const struct gw_feature_set *set, struct gw_row_table **ret_table, gw_err *err);
void gw_row_table_free(struct gw_row_table *table);

size_t gw_row_table_bytes(const struct gw_row_table *table); // memory held, about
size_t gw_row_table_count(const struct gw_row_table *table);

// NULL when not in memory.
struct gw_row_entry *gw_row_table_find(const struct gw_row_table *table, size_t view_index, const int64_t id[2]);

// Inserts, or replaces the bytes of, a clean row. `bytes` data NULL: a new, empty row. Bytes under another layout or
// damaged start over as an empty row and *ret_reset (may be NULL) says so. A DELETED row is kept as such.
GW_CHECK gw_status gw_row_table_put(struct gw_row_table *table, size_t view_index, const int64_t id[2],
                                    struct gw_slice bytes, int64_t changelog_end, bool *ret_reset,
                                    struct gw_row_entry **ret_entry, gw_err *err);

void gw_row_table_mark_dirty(struct gw_row_table *table, struct gw_row_entry *entry);

// Size of the row's bytes on the wire: header only when deleted.
size_t gw_row_table_row_size(const struct gw_row_table *table, const struct gw_row_entry *entry);

// First dirty row, then the next one by gw_row_table_next_dirty; NULL at the end.
struct gw_row_entry *gw_row_table_first_dirty(struct gw_row_table *table);
struct gw_row_entry *gw_row_table_next_dirty(struct gw_row_table *table, const struct gw_row_entry *entry);

// The dirty rows were committed and end at `changelog_end`: all clean now.
void gw_row_table_clean(struct gw_row_table *table, int64_t changelog_end);

// Drops clean rows that Redis at `redis_offset` holds, until `bytes_wanted` are free or none is left. Gives bytes freed.
size_t gw_row_table_evict(struct gw_row_table *table, int64_t redis_offset, size_t bytes_wanted);
