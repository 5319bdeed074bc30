// SPDX-License-Identifier: MIT
// Arrays and maps: read block by block into an arena, written as one block. What generated codecs call.
//
// A count is held against the bytes that are left before room is made for the items, so the arena holds at most a small
// multiple of the input. Blocks that carry their size in bytes must end where they say. Reads return GW_E_MALFORMED, or
// GW_E_TOO_LARGE when the arena has no room.
#pragma once

#include "avro/wire.h"
#include "base/arena.h"

#define GW_AVRO_ITEMS_MAX (1u << 20) // of one array or map, whatever the bytes claim

// An entry of a map of double.
struct gw_avro_double_entry {
    struct gw_slice key;
    double value;
};

// The blocks of an array or map. Start from zero.
struct gw_avro_blocks {
    const uint8_t *end; // where the block must end; NULL when its writer did not say
    uint32_t count;     // items of the block; 0 at the end of the array
    uint32_t total;     // items of all blocks so far, at most GW_AVRO_ITEMS_MAX
};

// Ends the block before, if any, and begins the next. `wire_min` > 0 is the least an item takes on the wire.
GW_CHECK gw_status gw_avro_next_block(struct gw_avro_reader *reader, struct gw_avro_blocks *blocks, size_t wire_min);

// An array that is being read. Start from zero. The items of all blocks stand one behind the other.
struct gw_avro_array {
    struct gw_avro_blocks blocks;
    void *items;       // NULL while there are none
    uint32_t count;    // items read, or about to be
    uint32_t capacity; // items there is room for
};

// Begins the next block: makes room for its items, adds them to `count` and gives the index of the first in *ret_first,
// which at the end of the array equals `count`.
GW_CHECK gw_status gw_avro_array_next(struct gw_avro_reader *reader, struct gw_arena *arena,
                                      struct gw_avro_array *array, size_t item_size, size_t wire_min,
                                      uint32_t *ret_first);

// Whole arrays of the item types that our schemas use. The items live in the arena and are NULL when there are none;
// slices point into the input. In a map, order and repeated keys are the writer's.
GW_CHECK gw_status gw_avro_read_floats(struct gw_avro_reader *reader, struct gw_arena *arena, float **ret_items,
                                       uint32_t *ret_count);
GW_CHECK gw_status gw_avro_read_doubles(struct gw_avro_reader *reader, struct gw_arena *arena, double **ret_items,
                                        uint32_t *ret_count);
GW_CHECK gw_status gw_avro_read_slices(struct gw_avro_reader *reader, struct gw_arena *arena,
                                       struct gw_slice **ret_items, uint32_t *ret_count);
GW_CHECK gw_status gw_avro_read_double_map(struct gw_avro_reader *reader, struct gw_arena *arena,
                                           struct gw_avro_double_entry **ret_items, uint32_t *ret_count);

// Write one block, when there are items, and the end. The caller has reserved the bytes of the bound.
void gw_avro_put_floats(struct gw_buf *out, const float *items, uint32_t count);
void gw_avro_put_doubles(struct gw_buf *out, const double *items, uint32_t count);
void gw_avro_put_slices(struct gw_buf *out, const struct gw_slice *items, uint32_t count);
void gw_avro_put_double_map(struct gw_buf *out, const struct gw_avro_double_entry *items, uint32_t count);

// Most bytes of an array of `count` items of at most `item_max` bytes each.
static inline size_t gw_avro_array_bound(uint32_t count, size_t item_max)
{
    return GW_AVRO_LONG_BYTES_MAX + 1 + count * item_max;
}

size_t gw_avro_slices_bound(const struct gw_slice *items, uint32_t count);
size_t gw_avro_double_map_bound(const struct gw_avro_double_entry *items, uint32_t count);

// Fills *err with what went wrong at `field` and returns `status`.
gw_status gw_avro_refuse(gw_status status, const char *field, gw_err *err);

// For generated decoders: returns from the function when a read fails. `err` is in scope.
#define GW_AVRO_FIELD(read, field)                                                                                     \
    do {                                                                                                               \
        gw_status gw_avro_status = (read);                                                                             \
        if (GW_UNLIKELY(gw_avro_status != GW_OK)) {                                                                    \
            return gw_avro_refuse(gw_avro_status, (field), err);                                                       \
        }                                                                                                              \
    } while (0)
