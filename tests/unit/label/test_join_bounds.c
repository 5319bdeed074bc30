// SPDX-License-Identifier: MIT
// Bounds, memory and the state's entries.
#include "fixture.h"

#define W     INT64_C(3600000)
#define START INT64_C(1700000000000)

static gw_status ignore_example(void *context, const struct gw_label_example *example, gw_err *err)
{
    (void)err;
    *(size_t *)context += example->payload.size;
    return GW_OK;
}

static size_t ignored;
static const struct gw_label_sink sink = {.example = ignore_example, .context = &ignored};

static gw_status ignore_entry(void *context, const struct gw_label_entry *entry, gw_err *err)
{
    (void)err;
    *(size_t *)context += entry->payload.size;
    return GW_OK;
}
static const struct gw_label_state_sink state_sink = {.entry = ignore_entry, .context = &ignored};

static struct gw_label_join *new_join(struct gw_label_join_options options)
{
    struct gw_label_join *join = NULL;
    options.window_ms = W;
    assert_ok(gw_label_join_new(&options, &join, NULL));
    return join;
}

static gw_status serve(struct gw_label_join *join, int64_t join_id, int64_t at_ms, size_t payload_bytes)
{
    uint8_t payload[1024];
    fill_payload(payload, payload_bytes, 1);
    const struct gw_label_served served = {.user_id = 1 + join_id % 5,
                                           .join_id = join_id,
                                           .tweet_id = 100 + join_id % 7,
                                           .author_id = 9,
                                           .served_at_ms = START + at_ms,
                                           .appended_ms = START + at_ms,
                                           .payload = gw_slice_make(payload, payload_bytes)};
    return gw_label_join_serve(join, &served, NULL);
}

static gw_status act(struct gw_label_join *join, int32_t number, int64_t join_id, int64_t at_ms, uint64_t event)
{
    struct gw_label_action action = {.user_id = 1 + join_id % 5,
                                     .tweet_id = 100 + join_id % 7,
                                     .author_id = 9,
                                     .join_id = join_id,
                                     .number = number,
                                     .time_ms = START + at_ms,
                                     .appended_ms = START + at_ms};
    memcpy(action.event_id, &event, sizeof event);
    return gw_label_join_act(join, &action, &sink, NULL);
}

static gw_status advance(struct gw_label_join *join)
{
    bool more = true;
    while (more) {
        GW_TRY(gw_label_join_advance(join, 100, &sink, &more, NULL));
    }
    return GW_OK;
}

static void full_windows_are_behind_when_some_are_over_and_exhausted_when_none_is(void **state)
{
    (void)state;
    struct gw_label_join *join = new_join((struct gw_label_join_options){.windows_max = 2});
    assert_ok(serve(join, 1, 0, 10));
    assert_ok(serve(join, 2, 10, 10));
    assert_fails(serve(join, 3, W - 1, 10), GW_E_EXHAUSTED);
    assert_fails(serve(join, 3, W + 5, 10), GW_E_BEHIND);
    assert_ok(serve(join, 2, 20, 10)); // a duplicate needs no room
    assert_ok(gw_label_join_mark(join, 0, 0, START + W, NULL));
    assert_ok(advance(join));
    assert_ok(serve(join, 3, W + 5, 10)); // the same record, offered again
    struct gw_label_join_stats stats;
    gw_label_join_stats(join, &stats);
    assert_int_equal(stats.windows, 2);
    assert_int_equal(stats.oldest_ms, START + 10);
    gw_label_join_free(join);
}

static void payloads_are_bounded_in_cells(void **state)
{
    (void)state;
    struct gw_label_join *join = new_join((struct gw_label_join_options){.payload_bytes_max = 4 * 128});
    assert_ok(serve(join, 1, 0, 125));
    assert_ok(serve(join, 2, 0, 248));
    assert_fails(serve(join, 3, 0, 1), GW_E_EXHAUSTED);
    assert_ok(serve(join, 3, 0, 0));
    assert_fails(serve(join, 4, 0, 4 * 124 + 1), GW_E_TOO_LARGE);
    struct gw_label_join_stats stats;
    gw_label_join_stats(join, &stats);
    assert_int_equal(stats.payload_bytes, 4 * 128);
    gw_label_join_free(join);
}

static void full_actions_are_refused_untaken_until_the_served_side_goes_on(void **state)
{
    (void)state;
    struct gw_label_join *join = new_join((struct gw_label_join_options){.actions_max = 2});
    assert_ok(act(join, 1071, 1, 0, 1));
    assert_ok(act(join, 1071, 2, 0, 2));
    assert_fails(act(join, 1071, 3, 0, 3), GW_E_BEHIND);
    assert_int_equal(gw_label_join_counts(join)->actions[1][GW_LABEL_ACTION_OUTCOME_WAITED], 2);
    assert_ok(gw_label_join_progress(join, START + 60001, NULL));
    assert_ok(advance(join));
    assert_ok(act(join, 1071, 3, 0, 3));
    assert_int_equal(gw_label_join_counts(join)->actions[1][GW_LABEL_ACTION_OUTCOME_NO_SERVED], 3);
    gw_label_join_free(join);
}

static void options_out_of_range_are_named(void **state)
{
    (void)state;
    struct gw_label_join *join = NULL;
    gw_err err = {0};
    const struct gw_label_join_options bad[] = {{.window_ms = -1},
                                                {.window_ms = GW_LABEL_WINDOW_MAX_MS + 1},
                                                {.window_ms = 1000, .settle_ms = 1001},
                                                {.future_max_ms = -5},
                                                {.windows_max = UINT32_MAX}};
    for (size_t i = 0; i < GW_COUNT_OF(bad); i++) {
        assert_fails(gw_label_join_new(&bad[i], &join, &err), GW_E_CONFIG);
    }
    assert_null(join);
}

// A window's worth of windows, each shown and engaged, some actions before their records; then all closed.
static gw_status one_round(struct gw_label_join *join, int64_t from_ms)
{
    for (int64_t i = 0; i < 2000; i++) {
        int64_t at_ms = from_ms + i;
        int64_t join_id = from_ms / 1000 * 1000 + i;
        uint64_t event = (uint64_t)(from_ms + i) * 4;
        GW_TRY(act(join, 1003, join_id, at_ms, event));
        GW_TRY(serve(join, join_id, at_ms, 300));
        GW_TRY(act(join, 1072, join_id, at_ms + 1, event + 1));
        GW_TRY(act(join, 1000, i % 2 == 0 ? join_id : 0, at_ms + 2, event + 2));
    }
    GW_TRY(gw_label_join_progress(join, START + from_ms + 3 * W, NULL));
    GW_TRY(gw_label_join_mark(join, 0, 0, START + from_ms + 3 * W, NULL));
    GW_TRY(gw_label_join_flush(join, &state_sink, NULL));
    GW_TRY(advance(join));
    return gw_label_join_flush(join, &state_sink, NULL);
}

static void nothing_is_allocated_once_the_tables_have_grown(void **state)
{
    (void)state;
    struct gw_label_join *join = new_join((struct gw_label_join_options){0});
    assert_ok(one_round(join, 0));
    gw_mem_fail_nth(1);
    gw_status status = one_round(join, 4 * W);
    gw_mem_fail_nth(0);
    assert_ok(status);
    struct gw_label_join_stats stats;
    gw_label_join_stats(join, &stats);
    assert_int_equal(stats.windows, 0);
    assert_int_equal(stats.actions, 0);
    assert_int_equal(gw_label_join_counts(join)->served[GW_LABEL_SERVED_CLOSED], 4000);
    gw_label_join_free(join);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    unsigned long failed = 0;
    for (unsigned long n = 1;; n++) {
        struct gw_label_join *join = NULL;
        const struct gw_label_join_options options = {.window_ms = W};
        gw_mem_fail_nth(n);
        gw_status status = gw_label_join_new(&options, &join, NULL);
        if (status == GW_OK) {
            status = one_round(join, 0);
        }
        gw_mem_fail_nth(0);
        gw_label_join_free(join);
        if (status == GW_OK) {
            break;
        }
        assert_int_equal(status, GW_E_MEMORY);
        failed++;
    }
    assert_true(failed > 20);
}

static void changelog_hears_of_each_key_once_and_not_of_what_came_and_went(void **state)
{
    (void)state;
    struct gw_label_join *join = new_join((struct gw_label_join_options){0});
    struct changelog log = {0};
    assert_ok(serve(join, 1, 0, 10));
    assert_ok(act(join, 1003, 1, 1, 1));
    assert_ok(act(join, 1071, 1, 2, 2));
    flush_into(join, &log);
    assert_int_equal(log.upserts, 2); // the window, progress
    flush_into(join, &log);
    assert_int_equal(log.upserts, 2);
    assert_ok(act(join, 1071, 1, 2, 3)); // changes nothing
    flush_into(join, &log);
    assert_int_equal(log.upserts, 2);
    const struct gw_label_entry *window = &log.rows[0].entry;
    assert_int_equal(window->kind, GW_LABEL_ENTRY_WINDOW);
    assert_int_equal(window->user_id, 2);
    assert_int_equal(window->bits, GW_LABEL_BIT(CLICKED));
    assert_int_equal(window->impressed_at_ms, START + 1);
    assert_ok(serve(join, 2, 5, 10)); // opens and closes between two flushes
    assert_ok(act(join, 1071, 77, 5, 4));
    assert_ok(gw_label_join_progress(join, START + 2 * W, NULL));
    assert_ok(gw_label_join_mark(join, 0, 0, START + 2 * W, NULL));
    assert_ok(advance(join));
    flush_into(join, &log);
    assert_int_equal(log.tombstones, 1);
    assert_int_equal(log.upserts, 5); // progress, mark and clock
    changelog_deinit(&log);
    gw_label_join_free(join);
}

static void key_served_again_after_its_window_gets_a_tombstone_and_a_new_entry(void **state)
{
    (void)state;
    struct gw_label_join *join = new_join((struct gw_label_join_options){0});
    struct changelog log = {0};
    assert_ok(serve(join, 1, 0, 10));
    flush_into(join, &log);
    assert_ok(gw_label_join_progress(join, START + W, NULL));
    assert_ok(gw_label_join_mark(join, 0, 0, START + W, NULL));
    assert_ok(advance(join));
    assert_ok(serve(join, 1, W + 1, 10));
    flush_into(join, &log);
    assert_int_equal(log.tombstones, 1);
    size_t windows = 0;
    for (size_t i = 0; i < log.count; i++) {
        windows += log.rows[i].entry.kind == GW_LABEL_ENTRY_WINDOW && log.rows[i].entry.served_at_ms == START + W + 1;
    }
    assert_int_equal(windows, 1);
    changelog_deinit(&log);
    gw_label_join_free(join);
}

static void state_of_another_shape_is_refused(void **state)
{
    (void)state;
    struct gw_label_join *join = new_join((struct gw_label_join_options){0});
    struct changelog log = {0};
    assert_ok(serve(join, 1, 0, 10));
    assert_ok(act(join, 1000, 9, 0, 1));
    assert_ok(gw_label_join_mark(join, 0, 0, START, NULL));
    flush_into(join, &log);
    struct gw_label_join *other = new_join((struct gw_label_join_options){0});
    for (size_t i = 0; i < log.count; i++) {
        struct gw_label_entry entry = log.rows[i].entry;
        size_t size = entry.payload.size;
        for (size_t cut = 0; cut < size && (entry.kind != GW_LABEL_ENTRY_WINDOW || cut < size - 10); cut++) {
            uint8_t *payload = gw_mem_calloc(1, GW_MAX(cut, (size_t)1)); // its own piece of memory, for the sanitizer
            memcpy(payload, log.rows[i].payload, cut);
            entry.payload = gw_slice_make(payload, cut);
            assert_fails(gw_label_join_restore(other, &entry, NULL), GW_E_MISMATCH);
            gw_mem_free(payload);
        }
        entry = log.rows[i].entry;
        entry.key_bytes--;
        assert_fails(gw_label_join_restore(other, &entry, NULL), GW_E_MISMATCH);
        entry = log.rows[i].entry;
        entry.key[0] = 3;
        assert_fails(gw_label_join_restore(other, &entry, NULL), GW_E_MISMATCH);
        entry = log.rows[i].entry;
        log.rows[i].payload[0]++;
        assert_fails(gw_label_join_restore(other, &entry, NULL), GW_E_MISMATCH);
    }
    changelog_deinit(&log);
    gw_label_join_free(join);
    gw_label_join_free(other);
}

static void tombstones_and_later_versions_replace_what_was_restored(void **state)
{
    (void)state;
    struct gw_label_join *join = new_join((struct gw_label_join_options){0});
    struct changelog early = {0};
    assert_ok(serve(join, 1, 0, 10));
    assert_ok(act(join, 1000, 9, 0, 1));
    flush_into(join, &early);
    struct gw_label_join *other = new_join((struct gw_label_join_options){0});
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < early.count; i++) {
            assert_ok(gw_label_join_restore(other, &early.rows[i].entry, NULL));
        }
        assert_ok(advance(other));
        struct gw_label_join_stats stats;
        gw_label_join_stats(other, &stats);
        assert_int_equal(stats.windows, 1);
        assert_int_equal(stats.actions, 1);
    }
    for (size_t i = 0; i < early.count; i++) {
        struct gw_label_entry entry = early.rows[i].entry;
        entry.tombstone = true;
        entry.payload = gw_slice_make(NULL, 0);
        if (entry.kind == GW_LABEL_ENTRY_MARK) {
            assert_fails(gw_label_join_restore(other, &entry, NULL), GW_E_MISMATCH);
        } else {
            assert_ok(gw_label_join_restore(other, &entry, NULL));
            assert_ok(gw_label_join_restore(other, &entry, NULL)); // of a key that is not there
        }
    }
    assert_ok(advance(other));
    struct gw_label_join_stats stats;
    gw_label_join_stats(other, &stats);
    assert_int_equal(stats.windows + stats.actions + stats.waiting + stats.payload_bytes, 0);
    changelog_deinit(&early);
    gw_label_join_free(join);
    gw_label_join_free(other);
}

GW_TESTS(full_windows_are_behind_when_some_are_over_and_exhausted_when_none_is, payloads_are_bounded_in_cells,
         full_actions_are_refused_untaken_until_the_served_side_goes_on, options_out_of_range_are_named,
         nothing_is_allocated_once_the_tables_have_grown, every_failed_allocation_is_reported,
         changelog_hears_of_each_key_once_and_not_of_what_came_and_went,
         key_served_again_after_its_window_gets_a_tombstone_and_a_new_entry, state_of_another_shape_is_refused,
         tombstones_and_later_versions_replace_what_was_restored)
