// SPDX-License-Identifier: MIT
// Codecs of a schema with each construct that avrogen knows.
#include "checks.h"

static void every_construct_keeps_what_the_oracle_encoded(void **state)
{
    (void)state;
    check_against_oracle(&gw_records[0], fresh_seed("sink"), 2000);
}

static void every_construct_refuses_damage_or_reads_another_value(void **state)
{
    (void)state;
    check_damage(&gw_records[0], fresh_seed("sink damage"), 200);
}

static void fields_hold_what_was_encoded(void **state)
{
    (void)state;
    float floats[] = {1.5f, -2.0f};
    struct gw_slice texts[] = {gw_slice_text("a"), gw_slice_text("")};
    struct gw_avro_double_entry weights[] = {{gw_slice_text("k"), 2.5}, {gw_slice_text("k"), -0.0}};
    struct gw_inner_item inners[] = {{.label = gw_slice_text("in"), .weights = {weights, 2}}, {.label = {NULL, 0}}};
    struct gw_outer_item outers[] = {{.colour = GW_COLOUR_DARK_BLUE2, .inners = {inners, 2}},
                                     {.colour = GW_COLOUR_RED}};
    const struct gw_kitchen_sink in = {.flag = true,
                                       .small = INT32_MIN,
                                       .large = INT64_MAX,
                                       .colour = GW_COLOUR_RED,
                                       .digest = {1, 2, 3, 4, 5},
                                       .has_maybe_colour = true,
                                       .maybe_colour = GW_COLOUR_DARK_BLUE2,
                                       .has_maybe_digest = true,
                                       .maybe_digest = {9},
                                       .maybe_wide = 7, // not written without has_
                                       .floats = {floats, 2},
                                       .texts = {texts, 2},
                                       .outers = {outers, 2}};
    struct gw_kitchen_sink out = {0};
    struct gw_buf bytes = {0};
    struct gw_arena arena;
    gw_arena_init(&arena, 1024, 1 << 16);

    assert_ok(gw_kitchen_sink_encode(&in, &bytes));
    assert_ok(gw_kitchen_sink_decode(gw_buf_slice(&bytes), &arena, &out, NULL));

    assert_true(out.flag && out.small == INT32_MIN && out.large == INT64_MAX && out.colour == GW_COLOUR_RED);
    assert_memory_equal(out.digest, in.digest, sizeof in.digest);
    assert_true(out.has_maybe_colour && out.maybe_colour == GW_COLOUR_DARK_BLUE2);
    assert_true(out.has_maybe_digest && out.maybe_digest[0] == 9);
    assert_true(!out.has_maybe_wide && out.maybe_wide == 0 && !out.has_maybe_text);
    assert_int_equal(out.floats.count, 2);
    assert_memory_equal(out.floats.items, floats, sizeof floats);
    assert_true(out.texts.count == 2 && gw_slice_is(out.texts.items[0], "a") && out.texts.items[1].size == 0);
    assert_true(out.doubles.count == 0 && out.doubles.items == NULL);
    assert_int_equal(out.outers.count, 2);
    assert_int_equal(out.outers.items[0].colour, GW_COLOUR_DARK_BLUE2);
    const struct gw_inner_item *inner = &out.outers.items[0].inners.items[0];
    assert_true(gw_slice_is(inner->label, "in") && inner->weights.count == 2);
    assert_true(gw_slice_is(inner->weights.items[1].key, "k") && inner->weights.items[0].value == 2.5);

    gw_buf_deinit(&bytes);
    gw_arena_deinit(&arena);
}

static void encode_appends_and_leaves_the_buffer_when_memory_is_short(void **state)
{
    (void)state;
    const struct gw_kitchen_sink in = {.text = gw_slice_text("text")};
    struct gw_buf bytes = {0};
    gw_mem_fail_nth(1);
    assert_fails(gw_kitchen_sink_encode(&in, &bytes), GW_E_MEMORY);
    assert_int_equal(bytes.size, 0);

    assert_ok(gw_buf_append_text(&bytes, "frame"));
    assert_ok(gw_kitchen_sink_encode(&in, &bytes));
    assert_memory_equal(bytes.data, "frame", 5);
    assert_true(bytes.size > 5);
    gw_buf_deinit(&bytes);
}

static void decode_says_when_the_arena_has_no_room_and_keeps_the_result(void **state)
{
    (void)state;
    static float floats[1000];
    const struct gw_kitchen_sink in = {.floats = {floats, 1000}};
    struct gw_kitchen_sink out = {.small = 77};
    struct gw_buf bytes = {0};
    struct gw_arena arena;
    gw_err err = {0};
    gw_arena_init(&arena, 256, 1024);

    assert_ok(gw_kitchen_sink_encode(&in, &bytes));
    assert_fails(gw_kitchen_sink_decode(gw_buf_slice(&bytes), &arena, &out, &err), GW_E_TOO_LARGE);
    assert_string_equal(err.message, "KitchenSink.floats: no room in the arena");
    assert_int_equal(out.small, 77);

    gw_buf_deinit(&bytes);
    gw_arena_deinit(&arena);
}

static void enum_names_are_the_symbols(void **state)
{
    (void)state;
    assert_string_equal(gw_colour_name(GW_COLOUR_DARK_BLUE2), "DARK_BLUE2");
    assert_string_equal(gw_colour_name(-1), "UNKNOWN");
    assert_string_equal(gw_colour_name(GW_COLOUR_COUNT), "UNKNOWN");
}

GW_TESTS(every_construct_keeps_what_the_oracle_encoded, every_construct_refuses_damage_or_reads_another_value,
         fields_hold_what_was_encoded, encode_appends_and_leaves_the_buffer_when_memory_is_short,
         decode_says_when_the_arena_has_no_room_and_keeps_the_result, enum_names_are_the_symbols)
