// SPDX-License-Identifier: MIT
#include "feature/aggregate.h"

#include "feature/decay.h"

#include <math.h>

static double load_f64(const uint8_t *cell)
{
    double value = 0;
    memcpy(&value, cell, sizeof value);
    return value;
}

static void store_f64(uint8_t *cell, double value)
{
    value += 0.0; // -0 becomes 0: one byte pattern for one value
    memcpy(cell, &value, sizeof value);
}

static bool touches_with_value(const uint8_t *cell, bool null, int64_t clock_us, const struct gw_cell_event *event)
{
    (void)cell;
    (void)null;
    (void)clock_us;
    return !isnan(event->value);
}

// Decayed sum: merge(a, b) at max(ta, tb) is a * 2^-((t - ta) / H) + b * 2^-((t - tb) / H), which does not depend on
// the order (forward decay: Cormode et al., "Forward Decay", ICDE 2009). The row keeps the time.
static void decayed_rebase(uint8_t *cell, double factor)
{
    double value = load_f64(cell) * factor;
    store_f64(cell, fabs(value) < GW_DECAY_EPSILON ? 0 : value);
}

static bool decayed_apply(const struct gw_column *column, uint8_t *cell, const struct gw_cell_event *event)
{
    uint64_t late_us = gw_elapsed_us(event->time_us, event->row_time_us);
    double value = event->value;
    if (late_us > 0) {
        value *= gw_decay(late_us, column->half_life_us);
    }
    store_f64(cell, load_f64(cell) + value);
    return true;
}

static double decayed_read(const struct gw_column *column, const uint8_t *cell, const struct gw_cell_now *now)
{
    (void)column;
    double value = load_f64(cell) * now->factor;
    return fabs(value) < GW_DECAY_EPSILON ? 0 : value;
}

static bool total_apply(const struct gw_column *column, uint8_t *cell, const struct gw_cell_event *event)
{
    (void)column;
    store_f64(cell, load_f64(cell) + event->value); // exact for integers up to 2^53
    return true;
}

static double f64_read(const struct gw_column *column, const uint8_t *cell, const struct gw_cell_now *now)
{
    (void)now;
    return column->epoch_ms ? load_f64(cell) / 1e3 : load_f64(cell);
}

static bool last_touches(const uint8_t *cell, bool null, int64_t clock_us, const struct gw_cell_event *event)
{
    (void)cell;
    (void)null;
    return event->time_us >= clock_us;
}

static bool last_apply(const struct gw_column *column, uint8_t *cell, const struct gw_cell_event *event)
{
    (void)column;
    bool present = !isnan(event->value);
    store_f64(cell, present ? event->value : 0);
    return present;
}

static bool last_time_touches(const uint8_t *cell, bool null, int64_t clock_us, const struct gw_cell_event *event)
{
    (void)clock_us;
    return null || event->time_us > (int64_t)gw_load_le64(cell);
}

static bool last_time_apply(const struct gw_column *column, uint8_t *cell, const struct gw_cell_event *event)
{
    (void)column;
    gw_store_le64(cell, (uint64_t)event->time_us);
    return true;
}

static double last_time_read(const struct gw_column *column, const uint8_t *cell, const struct gw_cell_now *now)
{
    (void)column;
    (void)now;
    return (double)(int64_t)gw_load_le64(cell) / 1e6;
}

static const struct gw_aggregate aggregates[] = {
    {
        .name = "decayed_count",
        .words = "decayed count",
        .bytes = 8,
        .half_life = GW_NEED_MUST,
        .value = GW_NEED_MAY,
        .counts = true,
        .fades = true,
        .touches = touches_with_value,
        .rebase = decayed_rebase,
        .apply = decayed_apply,
        .read = decayed_read,
    },
    {
        .name = "total",
        .words = "total",
        .bytes = 8,
        .value = GW_NEED_MAY,
        .counts = true,
        .touches = touches_with_value,
        .apply = total_apply,
        .read = f64_read,
    },
    {
        .name = "last",
        .words = "last value",
        .bytes = 8,
        .value = GW_NEED_MUST,
        .clocked = true,
        .touches = last_touches,
        .apply = last_apply,
        .read = f64_read,
    },
    {
        .name = "last_time",
        .words = "time of the last event",
        .bytes = 8,
        .type = GW_TYPE_TIME,
        .touches = last_time_touches,
        .apply = last_time_apply,
        .read = last_time_read,
    },
};

const struct gw_aggregate *gw_aggregate_at(size_t index)
{
    return index < GW_COUNT_OF(aggregates) ? &aggregates[index] : NULL;
}
