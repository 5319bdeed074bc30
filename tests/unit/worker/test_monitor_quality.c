// SPDX-License-Identifier: MIT
#include "worker/monitor_quality.h"

#include "base/mem.h"
#include "base/rng.h"
#include "label/bits.h"
#include "support/testkit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH_MS = 1000, LATENESS_MS = 300, AHEAD_MS = 500, T0_MS = 1000000, ENTRIES_MAX = 4096, TEXT_MAX = 1 << 20 };

static const struct gw_monitor_quality_options options = {
    .width_ms = WIDTH_MS, .lateness_ms = LATENESS_MS, .ahead_ms = AHEAD_MS, .windows_max = 8, .models_max = 3};

static struct gw_monitor_quality *quality;

static int setup(void **state)
{
    (void)state;
    quality = gw_monitor_quality_new(&options);
    assert_non_null(quality);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gw_monitor_quality_free(quality);
    return 0;
}

// ---- what is written ------------------------------------------------------------------------------------------------

struct written {
    struct gw_buf bytes; // all records, encoded
    size_t count;
    struct gw_model_quality last;
    char head[64];
    char variant[64];
};

static gw_status write_record(void *context, const struct gw_model_quality *record, gw_err *err)
{
    struct written *written = context;
    (void)err;
    assert_ok(gw_model_quality_encode(record, &written->bytes));
    written->count++;
    written->last = *record;
    snprintf(written->head, sizeof written->head, "%.*s", (int)record->head.size, (const char *)record->head.data);
    snprintf(written->variant, sizeof written->variant, "%.*s", (int)record->variant.size,
             (const char *)record->variant.data);
    return GW_OK;
}

static struct gw_slice two_heads[] = {{0}, {0}};
static float two_scores[] = {0.25f, 0.5f};

static struct gw_label_sample sample_at(const char *model, int64_t served_at_ms)
{
    struct gw_label_sample sample = {.model_name = gw_slice_text(model),
                                     .model_version = 3,
                                     .variant = gw_slice_text("champion"),
                                     .label_bits = GW_LABEL_BIT(REPLIED),
                                     .kind = GW_EXAMPLE_KIND_WINDOW_CLOSED,
                                     .weight = 2,
                                     .served_at_ms = served_at_ms};
    two_heads[0] = gw_slice_text("is_replied");
    two_heads[1] = gw_slice_text("is_favorited");
    sample.heads.items = two_scores;
    sample.heads.count = 2;
    sample.head_names.items = two_heads;
    sample.head_names.count = 2;
    return sample;
}

static enum gw_monitor_outcome add(const struct gw_label_sample *sample, struct written *written, uint32_t *ret_unknown)
{
    enum gw_monitor_outcome outcome = GW_MONITOR_OUTCOME_COUNT;
    uint32_t unknown = 0;
    gw_err err = {0};
    assert_ok_err(
        gw_monitor_quality_add(quality, sample, sample->served_at_ms, write_record, written, &outcome, &unknown, &err),
        &err);
    if (ret_unknown != NULL) {
        *ret_unknown = unknown;
    }
    return outcome;
}

static void add_at(const char *model, int64_t served_at_ms, enum gw_monitor_outcome expected, struct written *written)
{
    const struct gw_label_sample sample = sample_at(model, served_at_ms);
    assert_int_equal(add(&sample, written, NULL), expected);
}

// ---- tests ----------------------------------------------------------------------------------------------------------

static void a_window_closes_when_samples_pass_its_end_and_lateness(void **state)
{
    (void)state;
    struct written written = {0};
    add_at("m", T0_MS, GW_MONITOR_ADDED, &written);
    add_at("m", T0_MS + WIDTH_MS + LATENESS_MS - 1, GW_MONITOR_ADDED, &written);
    add_at("m", T0_MS + WIDTH_MS - 1, GW_MONITOR_ADDED, &written); // late, but not too late
    assert_int_equal(written.count, 0);
    add_at("m", T0_MS + WIDTH_MS + LATENESS_MS, GW_MONITOR_ADDED, &written);
    assert_int_equal(written.count, 2); // one a head
    assert_string_equal(written.head, "is_favorited");
    assert_string_equal(written.variant, "champion");
    assert_int_equal(written.last.model_version, 3);
    assert_int_equal(written.last.window_start_ms, T0_MS);
    assert_int_equal(written.last.window_end_ms, T0_MS + WIDTH_MS);
    assert_int_equal(written.last.computed_at_ms, T0_MS + WIDTH_MS + LATENESS_MS);
    assert_true(written.last.examples == 4 && written.last.positives == 0);
    add_at("m", T0_MS + 1, GW_MONITOR_LATE, &written);
    gw_buf_deinit(&written.bytes);
}

static void the_bit_of_a_head_is_that_of_its_name(void **state)
{
    (void)state;
    struct written written = {0};
    struct gw_label_sample sample = sample_at("m", T0_MS);
    sample.head_names.items[0] = gw_slice_text("score"); // no label
    sample.head_names.items[1] = gw_slice_text("is_replied");
    uint32_t unknown = 0;
    assert_int_equal(add(&sample, &written, &unknown), GW_MONITOR_ADDED);
    assert_int_equal(unknown, 1);
    sample = sample_at("m", T0_MS + 10 * WIDTH_MS);
    add(&sample, &written, NULL);
    assert_int_equal(written.count, 1);
    assert_string_equal(written.head, "is_replied");
    assert_true(written.last.positives == 2);
    gw_buf_deinit(&written.bytes);
}

static void other_models_close_the_windows_of_one_that_is_silent(void **state)
{
    (void)state;
    struct written written = {0};
    add_at("old", T0_MS, GW_MONITOR_ADDED, &written);
    add_at("new", T0_MS + 3 * WIDTH_MS, GW_MONITOR_ADDED, &written);
    assert_int_equal(written.count, 2);
    assert_true(gw_slice_is(written.last.model_name, "old"));
    add_at("third", T0_MS, GW_MONITOR_LATE, &written); // it has never been seen, its window is over
    add_at("fourth", T0_MS + 3 * WIDTH_MS, GW_MONITOR_FULL, &written);
    gw_buf_deinit(&written.bytes);
}

static void what_cannot_be_judged_has_a_reason_and_moves_nothing(void **state)
{
    (void)state;
    struct written written = {0};
    add_at("m", T0_MS, GW_MONITOR_ADDED, &written);
    struct gw_label_sample sample = sample_at("m", T0_MS + 9 * WIDTH_MS);
    sample.kind = GW_EXAMPLE_KIND_INITIAL_NEGATIVE;
    assert_int_equal(add(&sample, &written, NULL), GW_MONITOR_NOT_FINAL);
    sample = sample_at("m", T0_MS + 9 * WIDTH_MS);
    sample.head_names.count = 0;
    assert_int_equal(add(&sample, &written, NULL), GW_MONITOR_UNNAMED);
    sample = sample_at("m", T0_MS + 9 * WIDTH_MS);
    sample.head_names.count = 1;
    assert_int_equal(add(&sample, &written, NULL), GW_MONITOR_INVALID);
    sample = sample_at("m", T0_MS + 9 * WIDTH_MS);
    sample.head_names.items[1] = gw_slice_text("is_replied"); // twice
    assert_int_equal(add(&sample, &written, NULL), GW_MONITOR_INVALID);
    sample = sample_at("m", T0_MS + 9 * WIDTH_MS);
    sample.head_names.items[0] = sample.head_names.items[1] = gw_slice_text("score");
    uint32_t unknown = 0;
    assert_int_equal(add(&sample, &written, &unknown), GW_MONITOR_NO_LABEL);
    assert_int_equal(unknown, 2);
    sample = sample_at("", T0_MS + 9 * WIDTH_MS);
    assert_int_equal(add(&sample, &written, NULL), GW_MONITOR_INVALID);
    sample = sample_at("m", T0_MS + 9 * WIDTH_MS);
    sample.weight = -1;
    assert_int_equal(add(&sample, &written, NULL), GW_MONITOR_INVALID);
    sample = sample_at("m", T0_MS + 9 * WIDTH_MS);
    sample.variant = gw_slice_text("a variant that has a name which is longer than any window can hold");
    assert_int_equal(add(&sample, &written, NULL), GW_MONITOR_INVALID);
    sample = sample_at("m", INT64_MAX);
    assert_int_equal(add(&sample, &written, NULL), GW_MONITOR_INVALID);
    sample = sample_at("m", T0_MS + 9 * WIDTH_MS);
    enum gw_monitor_outcome outcome = GW_MONITOR_ADDED;
    assert_ok(gw_monitor_quality_add(quality, &sample, sample.served_at_ms - AHEAD_MS - 1, write_record, &written,
                                     &outcome, &unknown, NULL));
    assert_int_equal(outcome, GW_MONITOR_AHEAD);
    assert_int_equal(written.count, 0);
    assert_int_equal(gw_monitor_quality_stats(quality).open_windows, 1);
    gw_buf_deinit(&written.bytes);
}

// ---- a compacted changelog in memory --------------------------------------------------------------------------------

struct entry {
    char *model;
    char *detector;
    struct gw_buf state;
    bool tombstone;
};

static struct entry entries[ENTRIES_MAX];
static size_t entry_count;

static gw_status keep_entry(void *context, struct gw_slice model, struct gw_slice detector, struct gw_slice state,
                            gw_err *err)
{
    (void)context;
    (void)err;
    struct entry *entry = NULL;
    assert_true(gw_monitor_quality_owns(detector));
    for (size_t i = 0; i < entry_count && entry == NULL; i++) {
        entry = gw_slice_is(model, entries[i].model) && gw_slice_is(detector, entries[i].detector) ? &entries[i] : NULL;
    }
    if (entry == NULL) {
        assert_true(entry_count < ENTRIES_MAX);
        entry = &entries[entry_count++];
        *entry = (struct entry){.model = gw_mem_strndup((const char *)model.data, model.size),
                                .detector = gw_mem_strndup((const char *)detector.data, detector.size)};
    }
    gw_buf_clear(&entry->state);
    entry->tombstone = state.data == NULL;
    if (!entry->tombstone) {
        assert_ok(gw_buf_append(&entry->state, state.data, state.size));
    }
    return GW_OK;
}

static void forget_entries(void)
{
    for (size_t i = 0; i < entry_count; i++) {
        gw_mem_free(entries[i].model);
        gw_mem_free(entries[i].detector);
        gw_buf_deinit(&entries[i].state);
    }
    entry_count = 0;
}

static size_t living_entries(void)
{
    size_t count = 0;
    for (size_t i = 0; i < entry_count; i++) {
        count += !entries[i].tombstone;
    }
    return count;
}

static struct gw_monitor_quality *restore(const struct gw_monitor_quality_options *with)
{
    struct gw_monitor_quality *restored = gw_monitor_quality_new(with);
    gw_err err = {0};
    assert_non_null(restored);
    for (size_t i = 0; i < entry_count; i++) {
        assert_ok_err(gw_monitor_quality_restore(
                          restored, gw_slice_text(entries[i].model), gw_slice_text(entries[i].detector),
                          entries[i].tombstone ? (struct gw_slice){0} : gw_buf_slice(&entries[i].state), &err),
                      &err);
    }
    assert_ok_err(gw_monitor_quality_restored(restored, &err), &err);
    return restored;
}

// The same samples, once through and once with a restart after every few of them: the same bytes.
static void restored_state_goes_on_as_if_nothing_had_happened(void **state)
{
    (void)state;
    struct written straight = {0};
    struct written broken = {0};
    for (int pass = 0; pass < 2; pass++) {
        struct written *written = pass == 0 ? &straight : &broken;
        struct gw_rng rng;
        gw_rng_init(&rng, 7);
        gw_monitor_quality_free(quality);
        quality = gw_monitor_quality_new(&options);
        int64_t now_ms = T0_MS;
        for (int i = 0; i < 2000; i++) {
            now_ms += (int64_t)gw_rng_below(&rng, 12);
            static const char *const names[] = {"m", "n", "old"};
            struct gw_label_sample sample = sample_at(names[i < 300 ? gw_rng_below(&rng, 3) : gw_rng_below(&rng, 2)],
                                                      now_ms - (int64_t)gw_rng_below(&rng, LATENESS_MS + 200));
            sample.label_bits = (int64_t)gw_rng_below(&rng, 6);
            two_scores[0] = (float)gw_rng_below(&rng, 1000) / 1000.0f;
            add(&sample, written, NULL);
            uint64_t restart = gw_rng_below(&rng, 40);
            if (pass == 1 && restart == 0) {
                assert_ok(gw_monitor_quality_flush(quality, keep_entry, NULL, NULL));
                gw_monitor_quality_free(quality);
                quality = restore(&options);
            }
        }
    }
    assert_true(straight.count > 40);
    assert_int_equal(straight.count, broken.count);
    assert_int_equal(straight.bytes.size, broken.bytes.size);
    assert_memory_equal(straight.bytes.data, broken.bytes.data, straight.bytes.size);
    two_scores[0] = 0.25f;
    gw_buf_deinit(&straight.bytes);
    gw_buf_deinit(&broken.bytes);
    forget_entries();
}

static void another_width_starts_anew_and_cleans_up(void **state)
{
    (void)state;
    struct written written = {0};
    add_at("m", T0_MS, GW_MONITOR_ADDED, &written);
    assert_ok(gw_monitor_quality_flush(quality, keep_entry, NULL, NULL));
    assert_int_equal(living_entries(), 3); // two heads, totals
    struct gw_monitor_quality_options wider = options;
    wider.width_ms = 2 * WIDTH_MS;
    gw_monitor_quality_free(quality);
    quality = restore(&wider);
    assert_int_equal(gw_monitor_quality_stats(quality).open_windows, 0);
    assert_int_equal(gw_monitor_quality_stats(quality).stale_entries, 3);
    assert_ok(gw_monitor_quality_flush(quality, keep_entry, NULL, NULL));
    assert_int_equal(living_entries(), 0);
    gw_monitor_quality_free(quality);
    quality = restore(&wider); // the tombstones are no news
    assert_int_equal(gw_monitor_quality_stats(quality).stale_entries, 0);
    add_at("m", T0_MS, GW_MONITOR_ADDED, &written);
    gw_monitor_quality_free(quality);
    quality = restore(&options); // and back
    add_at("m", T0_MS, GW_MONITOR_ADDED, &written);
    gw_buf_deinit(&written.bytes);
    forget_entries();
}

static void state_that_no_monitor_wrote_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "quality/",
        "quality/1000",
        "quality/1000/0",
        "quality/1000/zz",
        "quality/-5/00",
        "quality/1000/02",
        "quality/1000/01",
        "other/1000/00",
        // a head whose label does not exist
        "quality/1000/0100000000000f424000000003010063",
    };
    for (size_t i = 0; i < GW_COUNT_OF(wrong); i++) {
        assert_int_equal(
            gw_monitor_quality_restore(quality, gw_slice_text("m"), gw_slice_text(wrong[i]), gw_slice_text("x"), NULL),
            GW_E_MALFORMED);
    }
    assert_false(gw_monitor_quality_owns(gw_slice_text("drift/x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_window_closes_when_samples_pass_its_end_and_lateness, setup, teardown),
        cmocka_unit_test_setup_teardown(the_bit_of_a_head_is_that_of_its_name, setup, teardown),
        cmocka_unit_test_setup_teardown(other_models_close_the_windows_of_one_that_is_silent, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_judged_has_a_reason_and_moves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(restored_state_goes_on_as_if_nothing_had_happened, setup, teardown),
        cmocka_unit_test_setup_teardown(another_width_starts_anew_and_cleans_up, setup, teardown),
        cmocka_unit_test_setup_teardown(state_that_no_monitor_wrote_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
