// SPDX-License-Identifier: MIT
#include "avro/array.h"
#include "support/testkit.h"

#define BYTES(...) gw_slice_make((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

// A read of an array of texts that must end at the end of the input.
static gw_status read_texts(struct gw_slice in, struct gw_arena *arena, struct gw_slice **ret_items,
                            uint32_t *ret_count)
{
    struct gw_avro_reader reader = gw_avro_reader_make(in);
    GW_TRY(gw_avro_read_slices(&reader, arena, ret_items, ret_count));
    return gw_avro_left(&reader) == 0 ? GW_OK : GW_E_CONFLICT;
}

static void assert_reads_abc(struct gw_slice in)
{
    struct gw_arena arena;
    struct gw_slice *items = NULL;
    uint32_t count = 0;
    gw_arena_init(&arena, 64, 4096);
    assert_ok(read_texts(in, &arena, &items, &count));
    assert_int_equal(count, 3);
    assert_true(gw_slice_is(items[0], "a") && gw_slice_is(items[1], "b") && gw_slice_is(items[2], "c"));
    gw_arena_deinit(&arena);
}

static void blocks_are_joined(void **state)
{
    (void)state;
    assert_reads_abc(BYTES(6, 2, 'a', 2, 'b', 2, 'c', 0));
    assert_reads_abc(BYTES(2, 2, 'a', 2, 2, 'b', 2, 2, 'c', 0));
    assert_reads_abc(BYTES(2, 2, 'a', 4, 2, 'b', 2, 'c', 0));
}

static void block_may_carry_its_size(void **state)
{
    (void)state;
    assert_reads_abc(BYTES(5, 12, 2, 'a', 2, 'b', 2, 'c', 0));
    assert_reads_abc(BYTES(1, 4, 2, 'a', 3, 8, 2, 'b', 2, 'c', 0));
}

static void hostile_block_is_refused(void **state)
{
    (void)state;
    const struct gw_slice cases[] = {
        BYTES(6, 2, 'a', 2, 'b', 0),              // an item is missing: its length is the end's zero
        BYTES(6, 2, 'a', 2, 'b', 2, 'c'),         // no end
        BYTES(8, 2, 'a', 2, 'b', 2),              // the last item is cut
        BYTES(100, 2, 'a', 0),                    // more items than bytes
        BYTES(5, 10, 2, 'a', 2, 'b', 2, 'c', 0),  // the block is longer than it says
        BYTES(5, 14, 2, 'a', 2, 'b', 2, 'c', 0),  // shorter
        BYTES(5, 100, 2, 'a', 2, 'b', 2, 'c', 0), // longer than the input
        BYTES(5, 11, 2, 'a', 2, 'b', 2, 'c', 0),  // negative size
        BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 0, 0), // the least count has no opposite
        BYTES(0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 0, 0), // the greatest
        BYTES(0x80),                                                             // the count is cut
    };
    struct gw_arena arena;
    gw_arena_init(&arena, 64, 4096);
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        struct gw_slice *items = NULL;
        uint32_t count = 77;
        gw_status status = read_texts(cases[i], &arena, &items, &count);
        if (status != GW_E_MALFORMED) {
            print_error("case %zu\n", i);
        }
        assert_fails(status, GW_E_MALFORMED);
        assert_true(items == NULL && count == 77);
    }
    gw_arena_deinit(&arena);
}

static void items_of_all_blocks_are_bounded(void **state)
{
    (void)state;
    static uint8_t in[GW_AVRO_ITEMS_MAX + 16];
    struct gw_buf count = {0};
    struct gw_avro_blocks blocks = {0};
    assert_ok(gw_buf_reserve(&count, GW_AVRO_LONG_BYTES_MAX));
    gw_avro_put_long(&count, GW_AVRO_ITEMS_MAX);
    memcpy(in, count.data, count.size);
    in[count.size + GW_AVRO_ITEMS_MAX] = 2;

    struct gw_avro_reader reader = gw_avro_reader_make(gw_slice_make(in, sizeof in));
    assert_ok(gw_avro_next_block(&reader, &blocks, 1));
    assert_int_equal(blocks.count, GW_AVRO_ITEMS_MAX);
    reader.at += GW_AVRO_ITEMS_MAX;
    assert_fails(gw_avro_next_block(&reader, &blocks, 1), GW_E_MALFORMED);
    gw_buf_deinit(&count);
}

static void many_small_blocks_take_linear_room(void **state)
{
    (void)state;
    enum { BLOCKS = 1000 };
    struct gw_buf in = {0};
    struct gw_arena arena;
    double *items = NULL;
    uint32_t count = 0;
    gw_arena_init(&arena, 64, 4 * BLOCKS * sizeof(double));
    for (int i = 0; i < BLOCKS; i++) {
        double value = i;
        assert_ok(gw_buf_append(&in, "\2", 1));
        assert_ok(gw_buf_append(&in, &value, sizeof value));
    }
    assert_ok(gw_buf_append(&in, "", 1));

    struct gw_avro_reader reader = gw_avro_reader_make(gw_buf_slice(&in));
    assert_ok(gw_avro_read_doubles(&reader, &arena, &items, &count));
    assert_int_equal(count, BLOCKS);
    for (int i = 0; i < BLOCKS; i++) {
        assert_true(items[i] == i);
    }
    gw_buf_deinit(&in);
    gw_arena_deinit(&arena);
}

static void exhausted_arena_is_too_large(void **state)
{
    (void)state;
    const uint8_t in[] = {8, 0, 0, 0, 0, 0};
    struct gw_arena arena;
    struct gw_slice *items = NULL;
    uint32_t count = 0;
    gw_err err = {0};
    gw_arena_init(&arena, 16, 48);
    gw_status status = read_texts(gw_slice_make(in, sizeof in), &arena, &items, &count);
    assert_fails(gw_avro_refuse(status, "Record.texts", &err), GW_E_TOO_LARGE);
    assert_string_equal(err.message, "Record.texts: no room in the arena");
    gw_arena_deinit(&arena);
}

static void written_arrays_read_back_within_their_bound(void **state)
{
    (void)state;
    const float floats[] = {1, -2, 3.5f};
    const struct gw_slice texts[] = {gw_slice_text("first"), gw_slice_text("")};
    const struct gw_avro_double_entry entries[] = {{gw_slice_text("key"), 0.5}};
    struct gw_buf out = {0};
    struct gw_arena arena;
    float *read_floats = NULL;
    struct gw_slice *texts_back = NULL;
    struct gw_avro_double_entry *entries_back = NULL;
    uint32_t count = 0;
    size_t bound = gw_avro_array_bound(3, sizeof floats[0]) + gw_avro_slices_bound(texts, 2) +
                   gw_avro_double_map_bound(entries, 1) + gw_avro_array_bound(0, 8);
    gw_arena_init(&arena, 64, 4096);
    assert_ok(gw_buf_reserve(&out, bound));

    gw_avro_put_floats(&out, floats, 3);
    gw_avro_put_slices(&out, texts, 2);
    gw_avro_put_double_map(&out, entries, 1);
    gw_avro_put_doubles(&out, NULL, 0);
    assert_true(out.size <= bound);
    assert_int_equal(out.data[out.size - 1], 0);

    struct gw_avro_reader reader = gw_avro_reader_make(gw_buf_slice(&out));
    assert_ok(gw_avro_read_floats(&reader, &arena, &read_floats, &count));
    assert_int_equal(count, 3);
    assert_memory_equal(read_floats, floats, sizeof floats);
    assert_ok(gw_avro_read_slices(&reader, &arena, &texts_back, &count));
    assert_true(count == 2 && gw_slice_is(texts_back[0], "first") && texts_back[1].size == 0);
    assert_ok(gw_avro_read_double_map(&reader, &arena, &entries_back, &count));
    assert_true(count == 1 && gw_slice_is(entries_back[0].key, "key") && entries_back[0].value == 0.5);
    assert_int_equal(gw_avro_left(&reader), 1);
    gw_buf_deinit(&out);
    gw_arena_deinit(&arena);
}

GW_TESTS(blocks_are_joined, block_may_carry_its_size, hostile_block_is_refused, items_of_all_blocks_are_bounded,
         many_small_blocks_take_linear_room, exhausted_arena_is_too_large, written_arrays_read_back_within_their_bound)
