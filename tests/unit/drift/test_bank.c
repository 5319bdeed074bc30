// SPDX-License-Identifier: MIT
#include "base/mem.h"
#include "base/rng.h"
#include "drift/bank.h"
#include "drift/culprits.h"
#include "support/testkit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { REFERENCE = 20000, FEATURES = 6, CATEGORY = 4, HOLES = 5, STEP_MS = 1 };

static const char *const names[FEATURES] = {"a", "b", "c", "d", "category", "holes"};
static struct gw_drift_profile *profile; // made once, read only

struct live {
    struct gw_rng rng;
    double shift[FEATURES];
    double missing;  // more of the last feature
    double category; // share of a category that the reference has not
    int64_t now_ms;
    float row[FEATURES];
    float score;
};

static void next(struct live *live)
{
    double sum = 0.0;
    for (int f = 0; f < FEATURES; f++) {
        live->row[f] = (float)(gw_rng_normal(&live->rng) + live->shift[f]);
        sum += f < 4 ? (double)live->row[f] : 0.0;
    }
    uint64_t drawn = gw_rng_below(&live->rng, 6);
    live->row[CATEGORY] = gw_rng_double(&live->rng) < live->category ? 99.0f : (float)drawn;
    if (gw_rng_double(&live->rng) < 0.1 + live->missing) {
        live->row[HOLES] = NAN;
    }
    live->score = (float)(1.0 / (1.0 + exp(-sum)));
    live->now_ms += STEP_MS;
}

static struct live started(uint64_t seed)
{
    struct live live = {.now_ms = 1000000};
    gw_rng_init(&live.rng, seed);
    return live;
}

static int setup(void)
{
    struct live live = started(1);
    float *values = gw_mem_calloc((size_t)REFERENCE * FEATURES, sizeof *values);
    float *scores = gw_mem_calloc(REFERENCE, sizeof *scores);
    assert_true(values != NULL && scores != NULL);
    for (size_t i = 0; i < REFERENCE; i++) {
        next(&live);
        memcpy(values + i * FEATURES, live.row, sizeof live.row);
        scores[i] = live.score;
    }
    const struct gw_drift_rows rows = {.values = values,
                                       .row_count = REFERENCE,
                                       .feature_count = FEATURES,
                                       .names = names,
                                       .score_count = REFERENCE,
                                       .scores = scores};
    assert_ok(gw_drift_profile_build(&rows, &(struct gw_drift_build_options){.independent = true}, &profile, NULL));
    gw_mem_free(values);
    gw_mem_free(scores);
    return 0;
}

// What a bank has said, as text, and its states by name.
struct heard {
    struct gw_buf text;
    struct gw_drift_alarm last;
    int opened;
    int updated;
    int closed;
    struct gw_buf names[FEATURES + 2];
    struct gw_buf states[FEATURES + 2];
    size_t state_count;
};

static void heard_clear_states(struct heard *heard)
{
    for (size_t i = 0; i < heard->state_count; i++) {
        gw_buf_deinit(&heard->names[i]);
        gw_buf_deinit(&heard->states[i]);
    }
    heard->state_count = 0;
}

static void heard_deinit(struct heard *heard)
{
    heard_clear_states(heard);
    gw_buf_deinit(&heard->text);
}

static gw_status on_alarm(void *context, const struct gw_drift_alarm *alarm, gw_err *err)
{
    struct heard *heard = context;
    (void)err;
    heard->last = *alarm;
    heard->opened += alarm->move == GW_DRIFT_SAY_OPEN ? 1 : 0;
    heard->updated += alarm->move == GW_DRIFT_SAY_UPDATE ? 1 : 0;
    heard->closed += alarm->move == GW_DRIFT_SAY_CLOSE ? 1 : 0;
    return gw_buf_append_format(&heard->text, "%d %s %s #%llu %a %a %a %a %a %a %lld %lld;", alarm->move, alarm->stream,
                                gw_drift_alarm_kind_name(alarm->kind), (unsigned long long)alarm->episode, alarm->e,
                                alarm->effect_sigma, alarm->psi, alarm->jensen_shannon, alarm->promise.false_alarm_days,
                                alarm->promise.smallest_shift_10s, (long long)alarm->from_ms, (long long)alarm->at_ms);
}

static gw_status on_state(void *context, const char *name, struct gw_slice bytes, gw_err *err)
{
    struct heard *heard = context;
    (void)err;
    size_t i = heard->state_count++;
    assert_true(i < GW_COUNT_OF(heard->states));
    GW_TRY(gw_buf_append(&heard->names[i], name, strlen(name) + 1));
    return gw_buf_append(&heard->states[i], bytes.data, bytes.size);
}

static struct gw_drift_sink sink_of(struct heard *heard)
{
    return (struct gw_drift_sink){.context = heard, .alarm = on_alarm, .state = on_state};
}

static const struct gw_drift_bank_options options = {
    .threshold = 1e6,
    .alpha = 0.01,
    .episode = {.rearm_ms = 500, .cooldown_ms = 2000, .update_ms = 3000, .calm_e = 100.0}};

static struct gw_drift_bank *bank_new(void)
{
    struct gw_drift_bank *bank = NULL;
    gw_err err = {0};
    if (profile == NULL) {
        setup();
    }
    assert_ok_err(gw_drift_bank_new(profile, &options, &bank, &err), &err);
    return bank;
}

static void feed(struct gw_drift_bank *bank, struct live *live, struct heard *heard, int rows)
{
    struct gw_drift_sink sink = sink_of(heard);
    for (int i = 0; i < rows; i++) {
        next(live);
        assert_ok(gw_drift_bank_feed(bank, live->row, FEATURES, live->score, live->now_ms, &sink, NULL));
    }
}

static void quiet_rows_say_nothing(void **state)
{
    (void)state;
    struct gw_drift_bank *bank = bank_new();
    struct live live = started(2);
    struct heard heard = {0};
    feed(bank, &live, &heard, 50000);
    assert_int_equal(heard.opened, 0);
    assert_int_equal(gw_drift_bank_rows(bank), 50000);
    assert_true(gw_drift_bank_mean(bank) < 1e4);
    gw_drift_bank_free(bank);
    heard_deinit(&heard);
}

static void an_alarm_names_the_feature_its_size_and_the_promise(void **state)
{
    (void)state;
    struct gw_drift_bank *bank = bank_new();
    struct live live = started(3);
    struct heard heard = {0};
    feed(bank, &live, &heard, 5000);
    int64_t changed_ms = live.now_ms;
    live.shift[CATEGORY - 1] = 0.4; // "d", and with it the score
    while (heard.opened == 0 && live.now_ms < changed_ms + 5000) {
        feed(bank, &live, &heard, 1);
    }
    const struct gw_drift_alarm *alarm = &heard.last;
    assert_int_equal(heard.opened, 1);
    assert_string_equal(alarm->stream, "d");
    assert_int_equal(alarm->kind, GW_DRIFT_OF_FEATURE);
    assert_int_equal(alarm->move, GW_DRIFT_SAY_OPEN);
    assert_true(alarm->effect_sigma > 0.25 && alarm->effect_sigma < 0.55);
    assert_true(llabs(alarm->from_ms - changed_ms) < 120);
    assert_true(alarm->at_ms - changed_ms < 600);
    assert_true(alarm->e >= alarm->asked && alarm->mean_e >= alarm->threshold);
    assert_true(fabs(alarm->rate_per_s - 1000.0) < 10.0);
    assert_true(fabs(alarm->promise.false_alarm_days - 1e6 / 86400.0 / 1000.0) < 1e-3);
    assert_true(alarm->promise.smallest_shift_10s < 0.15 && alarm->promise.smallest_shift_5min < 0.1);

    // The few hundred rows of the alarm do not lift PSI over chance; the 2,000 of the first update do.
    while (heard.updated == 0 && live.now_ms < changed_ms + 10000) {
        feed(bank, &live, &heard, 1);
    }
    assert_true(alarm->window_count > 1900);
    assert_true(alarm->psi > alarm->psi_by_chance && alarm->jensen_shannon > alarm->jensen_shannon_by_chance);
    assert_true(fabs(alarm->effect_sigma - 0.4) < 0.1 && fabs(alarm->spread_ratio - 1.0) < 0.1);
    gw_drift_bank_free(bank);
    heard_deinit(&heard);
}

static void a_drift_is_one_episode_that_updates_and_closes(void **state)
{
    (void)state;
    struct gw_drift_bank *bank = bank_new();
    struct live live = started(4);
    struct heard heard = {0};
    live.shift[0] = 1.0;
    feed(bank, &live, &heard, 10000); // opens "a" and the score, and updates each three times
    assert_int_equal(heard.opened, 2);
    assert_true(heard.updated >= 4 && heard.updated <= 8);
    assert_int_equal(gw_drift_bank_open(bank), 2);
    live.shift[0] = 0.0;
    feed(bank, &live, &heard, 8000); // the next update restarts the evidence, calm closes
    assert_int_equal(heard.closed, 2);
    assert_int_equal(heard.opened, 2);
    assert_int_equal(gw_drift_bank_open(bank), 0);
    live.shift[0] = 1.0;
    feed(bank, &live, &heard, 3000);
    assert_int_equal(heard.opened, 4);
    assert_int_equal(heard.last.episode, 2);
    gw_drift_bank_free(bank);
    heard_deinit(&heard);
}

static void missing_values_and_a_new_category_have_their_own_alarms(void **state)
{
    (void)state;
    struct gw_drift_bank *bank = bank_new();
    struct live live = started(5);
    struct heard heard = {0};
    live.missing = 0.2;
    feed(bank, &live, &heard, 600);
    assert_int_equal(heard.opened, 1);
    assert_string_equal(heard.last.stream, "holes");
    assert_int_equal(heard.last.kind, GW_DRIFT_OF_MISSING);
    assert_true(fabs(heard.last.share - 0.3) < 0.08 && fabs(heard.last.reference_share - 0.1) < 0.01);
    gw_drift_bank_free(bank);
    heard_deinit(&heard);

    bank = bank_new();
    live = started(6);
    memset(&heard, 0, sizeof heard);
    live.category = 0.02;
    feed(bank, &live, &heard, 1500);
    assert_true(heard.opened >= 1);
    assert_string_equal(heard.last.stream, "category");
    assert_non_null(strstr((const char *)heard.text.data, "category unseen"));
    gw_drift_bank_free(bank);
    heard_deinit(&heard);
}

static void restore_all(struct gw_drift_bank *bank, const struct heard *heard)
{
    gw_err err = {0};
    for (size_t i = heard->state_count; i > 0; i--) { // in any order
        assert_ok_err(gw_drift_bank_restore(bank, (const char *)heard->names[i - 1].data,
                                            gw_buf_slice(&heard->states[i - 1]), &err),
                      &err);
    }
    assert_ok_err(gw_drift_bank_restored(bank, &err), &err);
}

// Runs the same rows whole, and cut at `cut` into flush, new bank, restore; what is said and kept must not differ.
static void assert_cut_changes_nothing(int cut, int total)
{
    struct heard whole = {0};
    struct heard before = {0};
    struct heard after = {0};
    struct gw_drift_bank *bank = bank_new();
    struct live live = started(8);
    live.shift[2] = 0.5;
    live.missing = 0.05;
    struct live again = live;
    struct gw_drift_sink sink = sink_of(&whole);
    feed(bank, &live, &whole, cut);
    live.shift[2] = 0.0;
    feed(bank, &live, &whole, total - cut);
    assert_ok(gw_drift_bank_flush(bank, &sink, NULL));
    gw_drift_bank_free(bank);

    bank = bank_new();
    sink = sink_of(&before);
    feed(bank, &again, &before, cut);
    assert_ok(gw_drift_bank_flush(bank, &sink, NULL));
    gw_drift_bank_free(bank);
    bank = bank_new();
    restore_all(bank, &before);
    again.shift[2] = 0.0;
    sink = sink_of(&after);
    feed(bank, &again, &after, total - cut);
    assert_ok(gw_drift_bank_flush(bank, &sink, NULL));
    gw_drift_bank_free(bank);

    assert_int_equal(whole.state_count, FEATURES + 2);
    assert_int_equal(after.state_count, FEATURES + 2);
    for (size_t i = 0; i < after.state_count; i++) {
        assert_true(gw_slice_equal(gw_buf_slice(&whole.states[i]), gw_buf_slice(&after.states[i])));
    }
    assert_int_equal(whole.text.size, before.text.size + after.text.size);
    if (before.text.size > 0) {
        assert_memory_equal(whole.text.data, before.text.data, before.text.size);
    }
    if (after.text.size > 0) {
        assert_memory_equal(whole.text.data + before.text.size, after.text.data, after.text.size);
    }
    heard_deinit(&whole);
    heard_deinit(&before);
    heard_deinit(&after);
}

static void a_replay_from_a_cut_says_and_keeps_the_same_bytes(void **state)
{
    (void)state;
    static const int cuts[] = {1, 63, 64, 65, 700, 3000, 4097};
    for (size_t i = 0; i < GW_COUNT_OF(cuts); i++) {
        assert_cut_changes_nothing(cuts[i], 9000);
    }
}

static void a_flush_without_rows_gives_nothing(void **state)
{
    (void)state;
    struct gw_drift_bank *bank = bank_new();
    struct live live = started(9);
    struct heard heard = {0};
    struct gw_drift_sink sink = sink_of(&heard);
    assert_ok(gw_drift_bank_flush(bank, &sink, NULL));
    assert_int_equal(heard.state_count, 0);
    feed(bank, &live, &heard, 1);
    assert_ok(gw_drift_bank_flush(bank, &sink, NULL));
    assert_int_equal(heard.state_count, FEATURES + 2);
    assert_string_equal((const char *)heard.names[0].data, "bank");
    assert_string_equal((const char *)heard.names[FEATURES + 1].data, "stream/score");
    heard_clear_states(&heard);
    memset(heard.names, 0, sizeof heard.names);
    memset(heard.states, 0, sizeof heard.states);
    assert_ok(gw_drift_bank_flush(bank, &sink, NULL));
    assert_int_equal(heard.state_count, 0);
    gw_drift_bank_free(bank);
    heard_deinit(&heard);
}

static void states_that_do_not_belong_are_refused(void **state)
{
    (void)state;
    struct gw_drift_bank *bank = bank_new();
    struct live live = started(10);
    struct heard first = {0};
    struct heard second = {0};
    struct gw_drift_sink sink = sink_of(&first);
    feed(bank, &live, &first, 100);
    assert_ok(gw_drift_bank_flush(bank, &sink, NULL));
    sink = sink_of(&second);
    feed(bank, &live, &second, 100);
    assert_ok(gw_drift_bank_flush(bank, &sink, NULL));
    gw_drift_bank_free(bank);

    bank = bank_new(); // one state is older than the others
    for (size_t i = 0; i < second.state_count; i++) {
        const struct heard *from = i == 3 ? &first : &second;
        assert_ok(gw_drift_bank_restore(bank, (const char *)from->names[i].data, gw_buf_slice(&from->states[i]), NULL));
    }
    assert_fails(gw_drift_bank_restored(bank, NULL), GW_E_MISMATCH);
    gw_drift_bank_free(bank);

    bank = bank_new();
    assert_fails(gw_drift_bank_restored(bank, NULL), GW_E_MISMATCH);
    struct gw_slice of_stream = gw_buf_slice(&first.states[1]);
    assert_fails(gw_drift_bank_restore(bank, "stream/none", of_stream, NULL), GW_E_NOT_FOUND);
    for (size_t size = 0; size < of_stream.size; size += 13) {
        assert_fails(gw_drift_bank_restore(bank, "stream/a", gw_slice_make(of_stream.data, size), NULL),
                     GW_E_MALFORMED);
    }
    memset(first.states[1].data + 24, 0xff, 4); // a lane that is NaN
    assert_fails(gw_drift_bank_restore(bank, "stream/a", of_stream, NULL), GW_E_MALFORMED);
    first.states[1].data[8] ^= 1; // another profile
    assert_fails(gw_drift_bank_restore(bank, "stream/a", of_stream, NULL), GW_E_MISMATCH);
    gw_drift_bank_free(bank);
    heard_deinit(&first);
    heard_deinit(&second);
}

static void a_row_of_another_width_is_refused(void **state)
{
    (void)state;
    struct gw_drift_bank *bank = bank_new();
    struct live live = started(11);
    struct heard heard = {0};
    struct gw_drift_sink sink = sink_of(&heard);
    next(&live);
    assert_fails(gw_drift_bank_feed(bank, live.row, FEATURES - 1, 0.0f, 0, &sink, NULL), GW_E_MISMATCH);
    assert_fails(gw_drift_bank_feed(bank, live.row, FEATURES, 0.0f, INT64_MAX, &sink, NULL), GW_E_MISMATCH);
    assert_int_equal(gw_drift_bank_rows(bank), 0);
    gw_drift_bank_free(bank);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    struct gw_drift_bank *bank = bank_new();
    gw_drift_bank_free(bank);
    bank = NULL;
    struct gw_drift_bank_options bad = options;
    bad.threshold = gw_drift_culprits_certain(2 * (FEATURES + 1), bad.alpha) - 1.0;
    assert_fails(gw_drift_bank_new(profile, &bad, &bank, NULL), GW_E_INVALID);
    bad.threshold = 1e14;
    assert_fails(gw_drift_bank_new(profile, &bad, &bank, NULL), GW_E_INVALID);
    bad = options;
    bad.alpha = 0.0;
    assert_fails(gw_drift_bank_new(profile, &bad, &bank, NULL), GW_E_INVALID);
    bad = options;
    bad.episode.rearm_ms = 0;
    assert_fails(gw_drift_bank_new(profile, &bad, &bank, NULL), GW_E_INVALID);
    assert_ok(gw_drift_bank_new(profile, &gw_drift_bank_defaults, &bank, NULL));
    gw_drift_bank_free(bank);
}

static void every_failed_allocation_is_a_status(void **state)
{
    (void)state;
    gw_drift_bank_free(bank_new());
    gw_status status = GW_E_MEMORY;
    unsigned long n = 0;
    while (status == GW_E_MEMORY) {
        struct gw_drift_bank *bank = NULL;
        gw_mem_fail_nth(++n);
        status = gw_drift_bank_new(profile, &options, &bank, NULL);
        gw_mem_fail_nth(0);
        gw_drift_bank_free(bank);
    }
    assert_ok(status);
    assert_true(n > 8);
}

static void a_view_tells_how_streams_stand(void **state)
{
    (void)state;
    struct gw_drift_bank *bank = bank_new();
    struct live live = started(12);
    struct heard heard = {0};
    struct gw_drift_view view;
    live.shift[0] = 0.5;
    feed(bank, &live, &heard, 4000);
    assert_int_equal(gw_drift_bank_streams(bank), FEATURES + 1);
    gw_drift_bank_view(bank, 0, &view);
    assert_string_equal(view.stream, "a");
    assert_int_equal(view.tilt_state, GW_DRIFT_OPEN);
    assert_int_equal(view.absence_state, GW_DRIFT_QUIET);
    assert_true(fabs(view.effect_sigma - 0.5) < 0.1);
    gw_drift_bank_view(bank, HOLES, &view);
    assert_true(fabs(view.missing_share - 0.1) < 0.03);
    gw_drift_bank_free(bank);
    heard_deinit(&heard);
}

static void retiring_closes_what_is_open_in_the_order_of_streams(void **state)
{
    (void)state;
    struct gw_drift_bank *bank = bank_new();
    struct live live = started(13);
    struct heard heard = {0};
    const struct gw_drift_sink sink = sink_of(&heard);
    assert_ok(gw_drift_bank_retire(bank, &sink, NULL));
    feed(bank, &live, &heard, 1000);
    assert_ok(gw_drift_bank_retire(bank, &sink, NULL));
    assert_int_equal(heard.text.size, 0);

    live.shift[2] = 1.0;
    live.missing = 0.5;
    feed(bank, &live, &heard, 1000);
    uint32_t open = gw_drift_bank_open(bank);
    assert_true(open >= 2);
    gw_buf_clear(&heard.text);
    assert_ok(gw_drift_bank_retire(bank, &sink, NULL));
    assert_int_equal(heard.closed, open);
    assert_ok(gw_buf_append(&heard.text, "", 1));
    const char *text = (const char *)heard.text.data;
    const char *first = strstr(text, "3 c feature #1");
    const char *second = strstr(text, "3 holes missing #1");
    assert_true(first == text && second != NULL);
    assert_true(heard.last.at_ms == live.now_ms && heard.last.promise.false_alarm_days > 0.0);
    gw_drift_bank_free(bank);
    heard_deinit(&heard);
}

static void the_rate_is_that_of_the_newest_rows(void **state)
{
    (void)state;
    struct gw_drift_bank *bank = bank_new();
    struct live live = started(14);
    struct heard heard = {0};
    const struct gw_drift_sink sink = sink_of(&heard);
    assert_true(gw_drift_bank_rate(bank) == 0.0);
    next(&live);
    for (int i = 0; i < 200; i++) { // a burst: no time passes, and some rows are older than the one before
        assert_ok(gw_drift_bank_feed(bank, live.row, FEATURES, live.score, live.now_ms - i % 3, &sink, NULL));
    }
    assert_true(gw_drift_bank_rate(bank) == 0.0);
    feed(bank, &live, &heard, 4000);
    assert_true(fabs(gw_drift_bank_rate(bank) - 1000.0 / STEP_MS) < 2.0);
    gw_drift_bank_free(bank);
    heard_deinit(&heard);
}

static void cleanup(void **state)
{
    (void)state;
    gw_drift_profile_free(profile);
}

GW_TESTS(quiet_rows_say_nothing, an_alarm_names_the_feature_its_size_and_the_promise,
         a_drift_is_one_episode_that_updates_and_closes, missing_values_and_a_new_category_have_their_own_alarms,
         a_replay_from_a_cut_says_and_keeps_the_same_bytes, a_flush_without_rows_gives_nothing,
         states_that_do_not_belong_are_refused, a_row_of_another_width_is_refused, options_out_of_range_are_refused,
         every_failed_allocation_is_a_status, a_view_tells_how_streams_stand,
         retiring_closes_what_is_open_in_the_order_of_streams, the_rate_is_that_of_the_newest_rows, cleanup)
