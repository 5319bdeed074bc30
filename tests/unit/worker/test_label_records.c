// SPDX-License-Identifier: MIT
// Records into the join's structs and back.
#include "worker/label_records.h"

#include "base/json.h"
#include "label/bits.h"
#include "support/testkit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// The numbers stand in the schema, in the order of the symbols.
static void numbers_are_those_of_the_schema(void **state)
{
    (void)state;
    const char *path = GW_SOURCE_DIR "/schemas/user_action.avsc";
    FILE *file = fopen(path, "r");
    static char text[65536];
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    char *numbers = strstr(text, "\"numbers\": [");
    assert_non_null(numbers);
    char *at = strchr(numbers, '[') + 1;
    int known = 0;
    for (int type = 0; type < GW_ACTION_TYPE_COUNT; type++, at++) {
        long number = strtol(at, &at, 10);
        int32_t ours = gw_label_action_number((enum gw_action_type)type);
        struct gw_label_effect effect = gw_label_effect_of((int32_t)number, 0, -1);
        assert_true(ours == -1 || ours == number);
        if (!gw_label_effect_is_none(&effect)) { // what says something about a label is known by its number
            assert_int_equal(ours, number);
            known++;
        }
    }
    assert_int_equal(*(at - 1), ']');
    assert_true(known > 25);
}

static void only_the_actors_side_of_an_action_is_one(void **state)
{
    (void)state;
    struct gw_label_action action;
    struct gw_entity_event event = {.kind = GW_ENTITY_EVENT_KIND_ACTION,
                                    .side = GW_ENTITY_SIDE_ACTOR,
                                    .event_id = {1, 2, 3},
                                    .event_time_ms = 1000,
                                    .source_append_time_ms = 1100,
                                    .action_type = GW_ACTION_TYPE_CLIENT_TWEET_LINGER_IMPRESSION,
                                    .user_id = 7,
                                    .tweet_id = 8,
                                    .author_id = 9,
                                    .target_user_id = 10,
                                    .request_join_id = 11,
                                    .surface = GW_PRODUCT_SURFACE_TWEET_DETAILS_PAGE,
                                    .dwell_time_ms = 15000};
    assert_true(gw_label_read_action(&event, &action));
    assert_int_equal(action.user_id, 7);
    assert_int_equal(action.tweet_id, 8);
    assert_int_equal(action.author_id, 9);
    assert_int_equal(action.join_id, 11);
    assert_int_equal(action.number, 1002);
    assert_int_equal(action.surface, GW_LABEL_SURFACE_DETAILS);
    assert_int_equal(action.dwell_ms, 15000);
    assert_int_equal(action.time_ms, 1000);
    assert_int_equal(action.appended_ms, 1100);
    assert_memory_equal(action.event_id, event.event_id, sizeof action.event_id);

    event.tweet_id = 0;
    event.author_id = 0; // a profile was followed
    assert_true(gw_label_read_action(&event, &action));
    assert_int_equal(action.author_id, 10);

    event.side = GW_ENTITY_SIDE_TWEET;
    assert_false(gw_label_read_action(&event, &action));
    event.side = GW_ENTITY_SIDE_ACTOR;
    event.kind = GW_ENTITY_EVENT_KIND_SOCIAL;
    assert_false(gw_label_read_action(&event, &action));
}

static struct gw_served_candidate served_record(void)
{
    return (struct gw_served_candidate){.request_join_id = 1,
                                        .user_id = 2,
                                        .tweet_id = 3,
                                        .author_id = 4,
                                        .position = 5,
                                        .model_name = gw_slice_text("m"),
                                        .model_version = 6,
                                        .layout = 7,
                                        .served_at_ms = 8,
                                        .sample_weight = 2.0f};
}

static gw_status read_back(const struct gw_served_candidate *record, struct gw_arena *arena,
                           struct gw_label_served *ret_served)
{
    struct gw_buf body = {0};
    assert_ok(gw_served_candidate_encode(record, &body));
    uint8_t *kept = gw_arena_alloc(arena, body.size);
    memcpy(kept, body.data, body.size);
    size_t size = body.size;
    gw_buf_deinit(&body);
    return gw_label_read_served(gw_slice_make(kept, size), 0x01020304, 99, arena, ret_served, NULL);
}

static void served_record_is_kept_whole_and_framed(void **state)
{
    (void)state;
    struct gw_arena arena;
    struct gw_label_served served;
    struct gw_served_candidate again;
    struct gw_served_candidate record = served_record();
    gw_arena_init(&arena, 4096, 1 << 20);
    assert_ok(read_back(&record, &arena, &served));
    assert_int_equal(served.join_id, 1);
    assert_int_equal(served.user_id, 2);
    assert_int_equal(served.tweet_id, 3);
    assert_int_equal(served.author_id, 4);
    assert_int_equal(served.position, 5);
    assert_int_equal(served.served_at_ms, 8);
    assert_int_equal(served.appended_ms, 99);
    static const uint8_t frame[] = {0, 1, 2, 3, 4};
    assert_memory_equal(served.payload.data, frame, sizeof frame);
    assert_ok(gw_served_candidate_decode(
        gw_slice_make(served.payload.data + sizeof frame, served.payload.size - sizeof frame), &arena, &again, NULL));
    assert_int_equal(again.model_version, 6);
    gw_arena_deinit(&arena);
}

static void weight_that_is_none_is_refused(void **state)
{
    (void)state;
    static const float weights[] = {0.0f, -1.0f, NAN, INFINITY};
    struct gw_arena arena;
    struct gw_label_served served;
    gw_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; i < GW_COUNT_OF(weights); i++) {
        struct gw_served_candidate record = served_record();
        record.sample_weight = weights[i];
        assert_fails(read_back(&record, &arena, &served), GW_E_INVALID);
    }
    gw_arena_deinit(&arena);
}

static void state_keys_out_of_size_are_refused(void **state)
{
    (void)state;
    struct gw_label_entry entry;
    uint8_t key[GW_LABEL_KEY_BYTES_MAX + 1] = {GW_LABEL_ENTRY_ACTION};
    assert_fails(gw_label_read_entry((struct gw_slice){0}, NULL, &entry, NULL), GW_E_MISMATCH);
    assert_fails(gw_label_read_entry(gw_slice_make(key, sizeof key), NULL, &entry, NULL), GW_E_MISMATCH);
    assert_ok(gw_label_read_entry(gw_slice_make(key, 17), NULL, &entry, NULL));
    assert_int_equal(entry.kind, GW_LABEL_ENTRY_ACTION);
    assert_int_equal(entry.key_bytes, 17);
    assert_true(entry.tombstone);
}

GW_TESTS(numbers_are_those_of_the_schema, only_the_actors_side_of_an_action_is_one,
         served_record_is_kept_whole_and_framed, weight_that_is_none_is_refused, state_keys_out_of_size_are_refused)
