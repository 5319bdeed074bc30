// SPDX-License-Identifier: MIT
#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "quality/windows.h"
#include "support/testkit.h"

#include <math.h>
#include <stdio.h>

static const uint64_t seed = 77001;

static const struct gw_quality_windows_options options = {
    .width_ms = 1000, .lateness_ms = 500, .ahead_ms = 5000, .open_max = 8};

// What a sink saw: a text of the windows, a digest of their content, and when to fail.
struct seen {
    char text[512];
    uint64_t digest;
    size_t count;
    size_t fail_at; // 1 = the next call fails
};

static gw_status see(void *context, const struct gw_quality_window *window, gw_err *err)
{
    struct seen *seen = context;
    if (seen->fail_at > 0 && --seen->fail_at == 0) {
        return gw_fail(err, GW_E_UNAVAILABLE, "sink away");
    }
    struct gw_buf buf = {0};
    for (size_t i = 0; i < window->head_count; i++) {
        assert_ok(gw_head_quality_encode(window->heads[i], &buf));
    }
    seen->digest = gw_hash_fnv1a(seen->digest, buf.data, buf.size);
    seen->digest = gw_hash_fnv1a(seen->digest, &window->start_ms, sizeof window->start_ms);
    gw_buf_deinit(&buf);
    size_t length = strlen(seen->text);
    (void)snprintf(seen->text + length, sizeof seen->text - length, "%lld-%lld v%d %.*s/%zu;",
                   (long long)window->start_ms, (long long)window->end_ms, window->model_version,
                   (int)window->variant.size, (const char *)window->variant.data, window->head_count);
    seen->count++;
    return GW_OK;
}

static struct gw_quality_windows *new_windows(void)
{
    struct gw_quality_windows *windows = gw_quality_windows_new(&options);
    assert_non_null(windows);
    return windows;
}

static const float halves[] = {0.5f, 0.25f, 0.125f};

static struct gw_quality_sample sample_at(int64_t served_at_ms, int32_t version, const char *variant)
{
    return (struct gw_quality_sample){.model_version = version,
                                      .variant = gw_slice_text(variant),
                                      .predictions = halves,
                                      .head_count = 2,
                                      .positives = 1,
                                      .weight = 1.0,
                                      .served_at_ms = served_at_ms,
                                      .final = true};
}

static enum gw_quality_outcome add(struct gw_quality_windows *windows, const struct gw_quality_sample *sample)
{
    enum gw_quality_outcome outcome = GW_QUALITY_INVALID;
    assert_ok(gw_quality_windows_add(windows, sample, &outcome, NULL));
    return outcome;
}

static enum gw_quality_outcome add_at(struct gw_quality_windows *windows, int64_t served_at_ms, int32_t version,
                                      const char *variant)
{
    struct gw_quality_sample sample = sample_at(served_at_ms, version, variant);
    return add(windows, &sample);
}

static void watermark_closes_windows_past_their_lateness_in_order(void **state)
{
    (void)state;
    struct gw_quality_windows *windows = new_windows();
    struct seen seen = {0};
    assert_int_equal(add_at(windows, 1500, 2, "b"), GW_QUALITY_ADDED);
    assert_int_equal(add_at(windows, 999, 2, "b"), GW_QUALITY_ADDED);
    assert_int_equal(add_at(windows, 0, 2, "a"), GW_QUALITY_ADDED);
    assert_int_equal(add_at(windows, 0, 1, "b"), GW_QUALITY_ADDED);
    struct gw_quality_sample three = sample_at(0, 1, "b");
    three.head_count = 3;
    assert_int_equal(add(windows, &three), GW_QUALITY_ADDED);
    assert_int_equal(gw_quality_windows_open_count(windows), 5);

    assert_ok(gw_quality_windows_advance(windows, 1499, see, &seen, NULL));
    assert_string_equal(seen.text, "");
    assert_ok(gw_quality_windows_advance(windows, 1500, see, &seen, NULL));
    assert_string_equal(seen.text, "0-1000 v1 b/2;0-1000 v1 b/3;0-1000 v2 a/2;0-1000 v2 b/2;");
    assert_int_equal(gw_quality_windows_open_count(windows), 1);
    assert_ok(gw_quality_windows_advance(windows, 100, see, &seen, NULL)); // never back
    assert_int_equal(gw_quality_windows_watermark_ms(windows), 1500);
    gw_quality_windows_free(windows);
}

static gw_status check_heads(void *context, const struct gw_quality_window *window, gw_err *err)
{
    (void)context;
    (void)err;
    struct gw_head_measures first;
    struct gw_head_measures second;
    gw_head_quality_measure(window->heads[0], &first);
    gw_head_quality_measure(window->heads[1], &second);
    assert_int_equal(first.positive_rows, 1);
    assert_int_equal(second.positive_rows, 0);
    assert_int_equal(first.rows, 1);
    assert_true(first.maturity == 0.5 && second.maturity == 0.5);
    return GW_OK;
}

static void each_head_has_its_own_label_and_announcements_show_as_maturity(void **state)
{
    (void)state;
    struct gw_quality_windows *windows = new_windows();
    assert_int_equal(add_at(windows, 10, 1, ""), GW_QUALITY_ADDED);
    for (int i = 0; i < 2; i++) {
        struct gw_quality_sample open = sample_at(20, 1, "");
        open.final = false;
        assert_int_equal(add(windows, &open), GW_QUALITY_ADDED);
    }
    assert_ok(gw_quality_windows_visit(windows, check_heads, NULL, NULL));
    gw_quality_windows_free(windows);
}

static void what_is_not_added_is_counted_by_reason(void **state)
{
    (void)state;
    struct gw_quality_windows *windows = new_windows();
    struct seen seen = {0};
    assert_int_equal(add_at(windows, 1, 1, ""), GW_QUALITY_ADDED);
    assert_ok(gw_quality_windows_advance(windows, 2000, see, &seen, NULL));
    assert_int_equal(add_at(windows, 500, 1, ""), GW_QUALITY_LATE);
    assert_int_equal(add_at(windows, 1500, 1, ""), GW_QUALITY_ADDED); // its window ends at 2000 and waits till 2500
    assert_int_equal(add_at(windows, 7001, 1, ""), GW_QUALITY_AHEAD);
    for (int32_t version = 2; version <= 8; version++) {
        assert_int_equal(add_at(windows, 1500, version, ""), GW_QUALITY_ADDED);
    }
    assert_int_equal(add_at(windows, 1500, 9, ""), GW_QUALITY_FULL);
    assert_int_equal(add_at(windows, 1501, 8, ""), GW_QUALITY_ADDED);

    static const float bad[] = {0.5f, (float)NAN};
    char longest[GW_QUALITY_VARIANT_BYTES_MAX + 2] = {0};
    memset(longest, 'x', GW_QUALITY_VARIANT_BYTES_MAX + 1);
    struct gw_quality_sample samples[6];
    for (size_t i = 0; i < GW_COUNT_OF(samples); i++) {
        samples[i] = sample_at(1500, 1, "");
    }
    samples[0].predictions = bad;
    samples[1].weight = -1.0;
    samples[2].served_at_ms = -1;
    samples[3].head_count = 0;
    samples[4].head_count = GW_QUALITY_HEADS_MAX + 1;
    samples[5].variant = gw_slice_text(longest);
    for (size_t i = 0; i < GW_COUNT_OF(samples); i++) {
        assert_int_equal(add(windows, &samples[i]), GW_QUALITY_INVALID);
    }
    static const uint64_t expected[GW_QUALITY_OUTCOME_COUNT] = {10, 1, 1, 1, 6};
    for (int i = 0; i < GW_QUALITY_OUTCOME_COUNT; i++) {
        assert_int_equal(gw_quality_windows_count(windows, (enum gw_quality_outcome)i), expected[i]);
    }
    assert_string_equal(gw_quality_outcome_name(GW_QUALITY_AHEAD), "ahead");
    gw_quality_windows_free(windows);
}

static void a_failing_sink_is_asked_again_for_what_it_missed_only(void **state)
{
    (void)state;
    struct gw_quality_windows *windows = new_windows();
    struct seen seen = {.fail_at = 2};
    for (int32_t version = 1; version <= 3; version++) {
        assert_int_equal(add_at(windows, 1, version, ""), GW_QUALITY_ADDED);
    }
    assert_fails(gw_quality_windows_advance(windows, 9000, see, &seen, NULL), GW_E_UNAVAILABLE);
    assert_string_equal(seen.text, "0-1000 v1 /2;");
    assert_int_equal(gw_quality_windows_open_count(windows), 2);
    assert_int_equal(add_at(windows, 1, 1, ""), GW_QUALITY_LATE); // handed over already
    assert_ok(gw_quality_windows_advance(windows, 9000, see, &seen, NULL));
    assert_string_equal(seen.text, "0-1000 v1 /2;0-1000 v2 /2;0-1000 v3 /2;");
    gw_quality_windows_free(windows);
}

// A compacted changelog: the latest value of each key, in order of writing; or all of them, uncompacted.
enum { RECORDS_MAX = 4000 };
struct changelog {
    bool compact;
    size_t count;
    size_t fail_at;
    struct gw_buf keys[RECORDS_MAX];
    struct gw_buf values[RECORDS_MAX];
    bool tombstones[RECORDS_MAX];
};

static gw_status record(void *context, struct gw_slice key, struct gw_slice value, gw_err *err)
{
    struct changelog *log = context;
    if (log->fail_at > 0 && --log->fail_at == 0) {
        return gw_fail(err, GW_E_UNAVAILABLE, "changelog away");
    }
    assert_true(key.size <= 96);
    for (size_t i = 0; log->compact && i < log->count; i++) {
        if (gw_slice_equal(gw_buf_slice(&log->keys[i]), key)) {
            gw_buf_deinit(&log->keys[i]);
            gw_buf_deinit(&log->values[i]);
            log->count--;
            for (size_t j = i; j < log->count; j++) {
                log->keys[j] = log->keys[j + 1];
                log->values[j] = log->values[j + 1];
                log->tombstones[j] = log->tombstones[j + 1];
            }
            log->keys[log->count] = (struct gw_buf){0};
            log->values[log->count] = (struct gw_buf){0};
        }
    }
    assert_true(log->count < RECORDS_MAX);
    assert_ok(gw_buf_append(&log->keys[log->count], key.data, key.size));
    log->tombstones[log->count] = value.data == NULL;
    if (value.data != NULL) {
        assert_ok(gw_buf_append(&log->values[log->count], value.data, value.size));
    }
    log->count++;
    return GW_OK;
}

static void clear(struct changelog *log)
{
    for (size_t i = 0; i < log->count; i++) {
        gw_buf_deinit(&log->keys[i]);
        gw_buf_deinit(&log->values[i]);
    }
    gw_mem_free(log);
}

static struct gw_quality_windows *restored(const struct changelog *log)
{
    struct gw_quality_windows *windows = new_windows();
    gw_err err = {0};
    for (size_t i = 0; i < log->count; i++) {
        struct gw_slice value = log->tombstones[i] ? gw_slice_make(NULL, 0) : gw_buf_slice(&log->values[i]);
        assert_ok_err(gw_quality_windows_restore(windows, gw_buf_slice(&log->keys[i]), value, &err), &err);
    }
    return windows;
}

static void step(struct gw_quality_windows *windows, struct gw_rng *rng, int64_t *now_ms, struct seen *seen)
{
    static const char *const variants[] = {"champion", "shadow"};
    float predictions[3];
    for (size_t i = 0; i < 3; i++) {
        predictions[i] = (float)gw_rng_double(rng);
    }
    *now_ms += (int64_t)gw_rng_below(rng, 40);
    struct gw_quality_sample sample = {
        .model_version = 1 + (int32_t)gw_rng_below(rng, 2),
        .variant = gw_slice_text(variants[gw_rng_below(rng, 2)]),
        .predictions = predictions,
        .head_count = 2 + gw_rng_below(rng, 2),
        .positives = (uint32_t)gw_rng_below(rng, 8),
        .weight = 0.5 + gw_rng_double(rng),
        .served_at_ms = GW_MAX(0, *now_ms - (int64_t)gw_rng_below(rng, 3000)),
        .final = gw_rng_below(rng, 3) > 0,
    };
    (void)add(windows, &sample);
    if (gw_rng_below(rng, 10) == 0) {
        assert_ok(gw_quality_windows_advance(windows, *now_ms, see, seen, NULL));
    }
}

static void restored_windows_go_on_as_the_original(bool compact, size_t flush_every)
{
    struct gw_rng rng;
    gw_rng_init(&rng, seed);
    struct changelog *log = gw_mem_calloc(1, sizeof *log);
    assert_non_null(log);
    log->compact = compact;
    struct gw_quality_windows *original = new_windows();
    struct gw_quality_windows *killed = new_windows();
    struct seen seen_original = {.digest = GW_HASH_FNV_START};
    struct seen seen_killed = {.digest = GW_HASH_FNV_START};
    int64_t now_ms = 0;
    for (size_t i = 1; i <= 1200; i++) {
        struct gw_rng same = rng;
        int64_t same_ms = now_ms;
        step(original, &rng, &now_ms, &seen_original);
        step(killed, &same, &same_ms, &seen_killed);
        seen_original.text[0] = seen_killed.text[0] = '\0';
        if (i % flush_every == 0) {
            assert_ok(gw_quality_windows_flush(killed, record, log, NULL));
            if (gw_rng_below(&rng, 3) == 0) {
                gw_quality_windows_free(killed);
                killed = restored(log);
            }
        }
    }
    assert_true(seen_original.count > 20);
    assert_int_equal(seen_killed.count, seen_original.count);
    assert_true(seen_killed.digest == seen_original.digest);
    assert_ok(gw_quality_windows_visit(original, see, &seen_original, NULL));
    assert_ok(gw_quality_windows_visit(killed, see, &seen_killed, NULL));
    assert_true(seen_killed.digest == seen_original.digest);
    assert_int_equal(gw_quality_windows_watermark_ms(killed), gw_quality_windows_watermark_ms(original));
    for (int i = 0; i < GW_QUALITY_OUTCOME_COUNT; i++) {
        assert_int_equal(gw_quality_windows_count(killed, (enum gw_quality_outcome)i),
                         gw_quality_windows_count(original, (enum gw_quality_outcome)i));
    }
    assert_true(gw_quality_windows_count(original, GW_QUALITY_LATE) > 0);
    gw_quality_windows_free(original);
    gw_quality_windows_free(killed);
    clear(log);
}

static void a_restored_set_goes_on_exactly_as_the_original(void **state)
{
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    restored_windows_go_on_as_the_original(true, 7);
    restored_windows_go_on_as_the_original(false, 40);
}

static void a_failed_flush_is_written_again_and_an_unchanged_set_writes_nothing(void **state)
{
    (void)state;
    struct changelog *log = gw_mem_calloc(1, sizeof *log);
    assert_non_null(log);
    struct gw_quality_windows *windows = new_windows();
    struct seen seen = {0};
    assert_int_equal(add_at(windows, 1, 1, "a"), GW_QUALITY_ADDED);
    log->fail_at = 3; // totals, head 0, then not head 1
    assert_fails(gw_quality_windows_flush(windows, record, log, NULL), GW_E_UNAVAILABLE);
    assert_int_equal(log->count, 2);
    assert_ok(gw_quality_windows_flush(windows, record, log, NULL));
    assert_int_equal(log->count, 5);
    assert_ok(gw_quality_windows_flush(windows, record, log, NULL));
    assert_int_equal(log->count, 5);
    assert_ok(gw_quality_windows_advance(windows, 9000, see, &seen, NULL));
    assert_ok(gw_quality_windows_flush(windows, record, log, NULL));
    assert_int_equal(log->count, 8); // two tombstones, totals
    assert_true(log->tombstones[5] && log->tombstones[6] && !log->tombstones[7]);
    gw_quality_windows_free(windows);
    clear(log);
}

static void bytes_that_no_flush_wrote_are_refused(void **state)
{
    (void)state;
    struct changelog *log = gw_mem_calloc(1, sizeof *log);
    assert_non_null(log);
    struct gw_quality_windows *windows = new_windows();
    assert_int_equal(add_at(windows, 1000, 1, "a"), GW_QUALITY_ADDED);
    assert_ok(gw_quality_windows_flush(windows, record, log, NULL));
    gw_quality_windows_free(windows);

    windows = new_windows();
    struct gw_slice key = gw_buf_slice(&log->keys[1]);
    struct gw_slice value = gw_buf_slice(&log->values[1]);
    assert_fails(gw_quality_windows_restore(windows, gw_slice_make(NULL, 0), value, NULL), GW_E_MALFORMED);
    assert_fails(gw_quality_windows_restore(windows, gw_slice_make("\x07", 1), value, NULL), GW_E_MALFORMED);
    assert_fails(gw_quality_windows_restore(windows, gw_slice_make(key.data, 14), value, NULL), GW_E_MALFORMED);
    assert_fails(gw_quality_windows_restore(windows, key, gw_slice_make(value.data, 3), NULL), GW_E_MALFORMED);
    assert_fails(gw_quality_windows_restore(windows, gw_buf_slice(&log->keys[0]), value, NULL), GW_E_MALFORMED);
    assert_int_equal(gw_quality_windows_open_count(windows), 0);
    log->keys[1].data[14] = 2; // head 2 of 2
    assert_fails(gw_quality_windows_restore(windows, key, value, NULL), GW_E_MALFORMED);
    log->keys[1].data[14] = 0;
    log->keys[1].data[8] ^= 1; // start
    assert_fails(gw_quality_windows_restore(windows, key, value, NULL), GW_E_MISMATCH);
    log->keys[1].data[8] ^= 1;
    assert_ok(gw_quality_windows_restore(windows, key, value, NULL));
    assert_int_equal(gw_quality_windows_open_count(windows), 1);
    gw_quality_windows_free(windows);
    clear(log);
}

static void memory_that_runs_out_changes_nothing(void **state)
{
    (void)state;
    for (unsigned long n = 1; n <= 4; n++) {
        struct gw_quality_windows *windows = new_windows();
        struct gw_quality_sample sample = sample_at(1, 1, "");
        enum gw_quality_outcome outcome = GW_QUALITY_INVALID;
        gw_mem_fail_nth(n);
        assert_fails(gw_quality_windows_add(windows, &sample, &outcome, NULL), GW_E_MEMORY);
        gw_mem_fail_nth(0);
        assert_int_equal(gw_quality_windows_open_count(windows), 0);
        assert_int_equal(add(windows, &sample), GW_QUALITY_ADDED);
        gw_quality_windows_free(windows);
    }
}

GW_TESTS(watermark_closes_windows_past_their_lateness_in_order,
         each_head_has_its_own_label_and_announcements_show_as_maturity, what_is_not_added_is_counted_by_reason,
         a_failing_sink_is_asked_again_for_what_it_missed_only, a_restored_set_goes_on_exactly_as_the_original,
         a_failed_flush_is_written_again_and_an_unchanged_set_writes_nothing, bytes_that_no_flush_wrote_are_refused,
         memory_that_runs_out_changes_nothing)
