// SPDX-License-Identifier: MIT
// The newest rows, in blocks: what a watch says about size and rate speaks of them.
//
// Which block a row belongs to, and how many rows a block has, follow from the count of rows; only the blocks' times
// are kept. Owners keep sums by block and clear a block's when it begins.
#pragma once

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    GW_DRIFT_BLOCKS = 32,       // the window is at most so many blocks
    GW_DRIFT_BLOCK_ROWS = 64,   // of so many rows, fewer than a uint8_t counts
    GW_DRIFT_WINDOW_ROWS = 128, // the window is at least so many rows, once there are
    GW_DRIFT_LOOK_ROWS = 64     // between looks at open episodes
};

// Evidence under this is next to none: what came before is not the drift that an alarm is about.
#define GW_DRIFT_CALM_E 8.0f

#define GW_DRIFT_TIME_MAX_MS (INT64_C(1) << 53)  // of rows, in either direction
#define GW_DRIFT_COUNT_MAX   (UINT64_C(1) << 53) // of rows in a state; more is none that this program wrote

static inline bool gw_drift_time_valid(int64_t ms)
{
    return ms > -GW_DRIFT_TIME_MAX_MS && ms < GW_DRIFT_TIME_MAX_MS;
}

// The same of a state's times: a watch that has seen no row has the time before all times.
static inline bool gw_drift_kept_time_valid(int64_t ms)
{
    return ms >= -GW_DRIFT_TIME_MAX_MS && ms < GW_DRIFT_TIME_MAX_MS;
}

struct gw_drift_blocks {
    int64_t begin_ms[GW_DRIFT_BLOCKS];
};

// The block of the row that is the `rows`-th; rows > 0 here and below.
static inline uint32_t gw_drift_block_of(uint64_t rows)
{
    return (uint32_t)((rows - 1) / GW_DRIFT_BLOCK_ROWS % GW_DRIFT_BLOCKS);
}

// Whether the `rows`-th row is the first of its block.
static inline bool gw_drift_block_begins(uint64_t rows)
{
    return (rows - 1) % GW_DRIFT_BLOCK_ROWS == 0;
}

// Blocks at hand.
static inline uint32_t gw_drift_block_count(uint64_t rows)
{
    return (uint32_t)GW_MIN((rows - 1) / GW_DRIFT_BLOCK_ROWS + 1, (uint64_t)GW_DRIFT_BLOCKS);
}

// Rows taken in before the block `back` blocks ago began; back < gw_drift_block_count(rows).
static inline uint64_t gw_drift_block_start(uint64_t rows, uint32_t back)
{
    return ((rows - 1) / GW_DRIFT_BLOCK_ROWS - back) * GW_DRIFT_BLOCK_ROWS;
}

// How many blocks the window has that speaks of a change after row `calm_row`, newest first: back to the change, or
// further until there are rows enough.
static inline uint32_t gw_drift_blocks_since(uint64_t rows, uint64_t calm_row)
{
    uint32_t blocks = gw_drift_block_count(rows);
    uint32_t count = 1;
    while (count < blocks && (gw_drift_block_start(rows, count) >= calm_row ||
                              rows - gw_drift_block_start(rows, count - 1) < GW_DRIFT_WINDOW_ROWS)) {
        count++;
    }
    return count;
}

// Rows a second over the blocks at hand; 0 while no time has passed. rows may be 0.
static inline double gw_drift_blocks_rate(const struct gw_drift_blocks *blocks, uint64_t rows, int64_t now_ms)
{
    if (rows == 0) {
        return 0.0;
    }
    uint32_t back = gw_drift_block_count(rows) - 1;
    uint64_t start = gw_drift_block_start(rows, back);
    int64_t span_ms = now_ms - blocks->begin_ms[gw_drift_block_of(start + 1)];
    return span_ms > 0 ? 1000.0 * (double)(rows - start) / (double)span_ms : 0.0;
}
