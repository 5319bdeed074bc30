// SPDX-License-Identifier: MIT
// The aggregates: one table entry each, which is all that rows, layouts and plans know of them.
//
// A column is a cell of `bytes` at a fixed offset of the row, null until an event touches it. To add an aggregate, add
// an entry; nothing else changes.
#pragma once

#include "base/bytes.h"
#include "feature/expr.h"

#include <stdbool.h>

struct gw_aggregate;

struct gw_column {
    const struct gw_aggregate *aggregate;
    const char *name;        // of its feature
    uint32_t feature;        // index in the set
    uint32_t offset;         // of the cell in the row
    uint32_t clock_offset;   // of the time shared by `last` columns of one filter; 0: none
    int32_t attribute;       // that gives the value; -1: every event counts 1
    double half_life_us;     // 0: none
    uint8_t half_life_index; // into the view's half-lives; its last factor is always 1
    uint8_t filter;          // into the view's filters
    bool epoch_ms;           // the value is a time in milliseconds: read as seconds
};

// An event as one column sees it.
struct gw_cell_event {
    int64_t time_us;
    int64_t row_time_us; // time of the row after the event, >= time_us
    double value;        // finite, or NaN when the attribute is absent
};

struct gw_cell_now {
    double factor; // decay of the column's half-life from the row's time to now; 1 without half-life
};

enum gw_need { GW_NEED_NO, GW_NEED_MAY, GW_NEED_MUST };

struct gw_aggregate {
    const char *name;
    const char *words;      // for help texts
    uint32_t bytes;         // of the cell, a multiple of 8
    enum gw_need half_life; // may definitions name one
    enum gw_need value;
    bool counts;             // null in an existing row reads as 0: nothing happened yet
    bool clocked;            // shares a clock with the columns of the same filter
    bool fades;              // decays to nothing, so that a row of such columns may expire
    enum gw_value_type type; // of what is read

    // Whether the event changes the cell. `clock_us` is the shared clock (INT64_MIN: never set).
    bool (*touches)(const uint8_t *cell, bool null, int64_t clock_us, const struct gw_cell_event *event);

    // Moves the cell forward in time; NULL when it does not change. Never called for a null cell.
    void (*rebase)(uint8_t *cell, double factor);

    // Applies a touching event; the cell is zeroed first when it was null. Returns false when it becomes null.
    bool (*apply)(const struct gw_column *column, uint8_t *cell, const struct gw_cell_event *event);

    // The value now. Never called for a null cell.
    double (*read)(const struct gw_column *column, const uint8_t *cell, const struct gw_cell_now *now);
};

// The i-th aggregate, NULL past the last.
const struct gw_aggregate *gw_aggregate_at(size_t index);
