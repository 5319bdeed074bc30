// SPDX-License-Identifier: MIT
#include "avro/array.h"

#include "base/check.h"

gw_status gw_avro_refuse(gw_status status, const char *field, gw_err *err)
{
    return gw_fail(err, status, "%s: %s", field, status == GW_E_TOO_LARGE ? "no room in the arena" : "malformed");
}

// Moves the items to memory for at least `needed`. At least doubles it, so that many small blocks cost linear time.
static gw_status grow(struct gw_arena *arena, struct gw_avro_array *array, uint32_t needed, size_t item_size)
{
    uint32_t capacity = GW_MAX(needed, array->capacity * 2); // at most twice GW_AVRO_ITEMS_MAX
    void *items = gw_arena_array(arena, capacity, item_size);
    if (items == NULL) {
        return GW_E_TOO_LARGE;
    }
    if (array->count > 0) {
        memcpy(items, array->items, array->count * item_size);
    }
    array->items = items;
    array->capacity = capacity;
    return GW_OK;
}

gw_status gw_avro_next_block(struct gw_avro_reader *reader, struct gw_avro_blocks *blocks, size_t wire_min)
{
    GW_ASSERT(wire_min > 0);
    if (GW_UNLIKELY(blocks->end != NULL && blocks->end != reader->at)) {
        return GW_E_MALFORMED;
    }
    int64_t count = 0;
    blocks->end = NULL;
    GW_TRY(gw_avro_read_long(reader, &count));
    if (GW_UNLIKELY(count < 0)) {
        int64_t size = 0;
        GW_TRY(gw_avro_read_long(reader, &size));
        if (size < 0 || (uint64_t)size > gw_avro_left(reader) || count == INT64_MIN) {
            return GW_E_MALFORMED;
        }
        blocks->end = reader->at + size;
        count = -count;
    }
    if (GW_UNLIKELY((uint64_t)count > gw_avro_left(reader) / wire_min ||
                    (uint64_t)count > GW_AVRO_ITEMS_MAX - blocks->total)) {
        return GW_E_MALFORMED;
    }
    blocks->count = (uint32_t)count;
    blocks->total += blocks->count;
    return GW_OK;
}

gw_status gw_avro_array_next(struct gw_avro_reader *reader, struct gw_arena *arena, struct gw_avro_array *array,
                             size_t item_size, size_t wire_min, uint32_t *ret_first)
{
    GW_TRY(gw_avro_next_block(reader, &array->blocks, wire_min));
    uint32_t total = array->blocks.total;
    if (total > array->capacity) {
        GW_TRY(grow(arena, array, total, item_size));
    }
    *ret_first = array->count;
    array->count = total;
    return GW_OK;
}

// Arrays of numbers, which are on the wire as they are in memory. The count was held against the bytes left.
static gw_status read_plain(struct gw_avro_reader *reader, struct gw_arena *arena, struct gw_avro_array *array,
                            size_t item_size)
{
    uint32_t first = 0;
    do {
        GW_TRY(gw_avro_array_next(reader, arena, array, item_size, item_size, &first));
        if (first < array->count) {
            uint8_t *to = (uint8_t *)array->items + first * item_size;
            GW_TRY(gw_avro_read_raw(reader, to, (array->count - first) * item_size));
        }
    } while (first < array->count);
    return GW_OK;
}

gw_status gw_avro_read_floats(struct gw_avro_reader *reader, struct gw_arena *arena, float **ret_items,
                              uint32_t *ret_count)
{
    struct gw_avro_array array = {0};
    GW_TRY(read_plain(reader, arena, &array, sizeof(float)));
    *ret_items = array.items;
    *ret_count = array.count;
    return GW_OK;
}

gw_status gw_avro_read_doubles(struct gw_avro_reader *reader, struct gw_arena *arena, double **ret_items,
                               uint32_t *ret_count)
{
    struct gw_avro_array array = {0};
    GW_TRY(read_plain(reader, arena, &array, sizeof(double)));
    *ret_items = array.items;
    *ret_count = array.count;
    return GW_OK;
}

gw_status gw_avro_read_slices(struct gw_avro_reader *reader, struct gw_arena *arena, struct gw_slice **ret_items,
                              uint32_t *ret_count)
{
    struct gw_avro_array array = {0};
    uint32_t first = 0;
    do {
        GW_TRY(gw_avro_array_next(reader, arena, &array, sizeof(struct gw_slice), 1, &first));
        struct gw_slice *items = array.items;
        for (uint32_t i = first; i < array.count; i++) {
            GW_TRY(gw_avro_read_bytes(reader, &items[i]));
        }
    } while (first < array.count);
    *ret_items = array.items;
    *ret_count = array.count;
    return GW_OK;
}

gw_status gw_avro_read_double_map(struct gw_avro_reader *reader, struct gw_arena *arena,
                                  struct gw_avro_double_entry **ret_items, uint32_t *ret_count)
{
    struct gw_avro_array array = {0};
    uint32_t first = 0;
    do {
        GW_TRY(gw_avro_array_next(reader, arena, &array, sizeof(struct gw_avro_double_entry), 9, &first));
        struct gw_avro_double_entry *items = array.items;
        for (uint32_t i = first; i < array.count; i++) {
            GW_TRY(gw_avro_read_bytes(reader, &items[i].key));
            GW_TRY(gw_avro_read_double(reader, &items[i].value));
        }
    } while (first < array.count);
    *ret_items = array.items;
    *ret_count = array.count;
    return GW_OK;
}

static void put_plain(struct gw_buf *out, const void *items, uint32_t count, size_t item_size)
{
    if (count > 0) {
        gw_avro_put_long(out, count);
        gw_avro_put_raw(out, items, count * item_size);
    }
    gw_avro_put_long(out, 0);
}

void gw_avro_put_floats(struct gw_buf *out, const float *items, uint32_t count)
{
    put_plain(out, items, count, sizeof *items);
}

void gw_avro_put_doubles(struct gw_buf *out, const double *items, uint32_t count)
{
    put_plain(out, items, count, sizeof *items);
}

void gw_avro_put_slices(struct gw_buf *out, const struct gw_slice *items, uint32_t count)
{
    if (count > 0) {
        gw_avro_put_long(out, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        gw_avro_put_bytes(out, items[i]);
    }
    gw_avro_put_long(out, 0);
}

void gw_avro_put_double_map(struct gw_buf *out, const struct gw_avro_double_entry *items, uint32_t count)
{
    if (count > 0) {
        gw_avro_put_long(out, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        gw_avro_put_bytes(out, items[i].key);
        gw_avro_put_raw(out, &items[i].value, sizeof items[i].value);
    }
    gw_avro_put_long(out, 0);
}

size_t gw_avro_slices_bound(const struct gw_slice *items, uint32_t count)
{
    size_t bound = gw_avro_array_bound(count, GW_AVRO_LONG_BYTES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        bound += items[i].size;
    }
    return bound;
}

size_t gw_avro_double_map_bound(const struct gw_avro_double_entry *items, uint32_t count)
{
    size_t bound = gw_avro_array_bound(count, GW_AVRO_LONG_BYTES_MAX + sizeof items->value);
    for (uint32_t i = 0; i < count; i++) {
        bound += items[i].key.size;
    }
    return bound;
}
