// SPDX-License-Identifier: MIT
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "drift/concept.h"
#include "drift/loss.h"
#include "drift/promise.h"
#include "support/testkit.h"

#include <math.h>
#include <string.h>

enum { REFERENCE = 20000, STEP_MS = 10 };

// A calibrated model whose rows are as hard as their neighbours: p follows an AR(1) with rho. `flip` is the share of
// labels turned round; `better` lets the model know the label.
struct world {
    struct gw_rng rng;
    double rho;
    double x;
    double flip;
    bool better;
    int64_t now_ms;
};

static struct world started(uint64_t seed, double rho)
{
    struct world world = {.rho = rho, .now_ms = 1000000};
    gw_rng_init(&world.rng, seed);
    return world;
}

static float next(struct world *world, bool *ret_label)
{
    world->x = world->rho * world->x + sqrt(1.0 - world->rho * world->rho) * gw_rng_normal(&world->rng);
    world->now_ms += STEP_MS;
    double p = 1.0 / (1.0 + exp(2.0 - world->x));
    bool label = gw_rng_double(&world->rng) < p;
    label = gw_rng_double(&world->rng) < world->flip ? !label : label;
    *ret_label = label;
    return (float)(world->better ? (label ? 0.99 : 0.01) : p);
}

static struct gw_drift_profile *reference(size_t rows, double rho, uint64_t seed)
{
    static const char *const head[] = {"is_favorited"};
    struct world world = started(seed, rho);
    float *p = gw_mem_calloc(rows, sizeof *p);
    uint8_t *labels = gw_mem_calloc(rows, 1);
    float *none = gw_mem_calloc(rows, sizeof *none);
    assert_true(p != NULL && labels != NULL && none != NULL);
    for (size_t i = 0; i < rows; i++) {
        bool label = false;
        p[i] = next(&world, &label);
        labels[i] = label ? 1 : 0;
    }
    const struct gw_drift_rows input = {.values = none,
                                        .row_count = rows,
                                        .labelled_count = rows,
                                        .probabilities = p,
                                        .labels = labels,
                                        .head_count = 1,
                                        .head_names = head};
    struct gw_drift_profile *profile = NULL;
    assert_ok(gw_drift_profile_build(&input, &(struct gw_drift_build_options){0}, &profile, NULL));
    gw_mem_free(p);
    gw_mem_free(labels);
    gw_mem_free(none);
    return profile;
}

static const struct gw_drift_loss_options options = {
    .threshold = 1e6, .episode = {.rearm_ms = 5000, .cooldown_ms = 20000, .update_ms = 30000, .calm_e = 100.0}};

struct heard {
    struct gw_buf text;
    struct gw_drift_alarm last;
    int opened;
    int updated;
    int closed;
};

static gw_status on_alarm(void *context, const struct gw_drift_alarm *alarm, gw_err *err)
{
    struct heard *heard = context;
    (void)err;
    heard->last = *alarm;
    heard->opened += alarm->move == GW_DRIFT_SAY_OPEN ? 1 : 0;
    heard->updated += alarm->move == GW_DRIFT_SAY_UPDATE ? 1 : 0;
    heard->closed += alarm->move == GW_DRIFT_SAY_CLOSE ? 1 : 0;
    return gw_buf_append_format(&heard->text, "%d %s #%llu %d %a %a %a %llu %llu %a %a %lld %lld;", alarm->move,
                                alarm->stream, (unsigned long long)alarm->episode, alarm->severity, alarm->e,
                                alarm->asked, alarm->effect_sigma, (unsigned long long)alarm->window_count,
                                (unsigned long long)alarm->sample_count, alarm->rate_per_s,
                                alarm->promise.smallest_shift_5min, (long long)alarm->from_ms, (long long)alarm->at_ms);
}

static gw_status on_alarm_fails(void *context, const struct gw_drift_alarm *alarm, gw_err *err)
{
    (void)context;
    (void)alarm;
    return gw_fail(err, GW_E_IO, "nobody listens");
}

static struct gw_drift_loss *loss_new(const struct gw_drift_profile *profile)
{
    struct gw_drift_loss *loss = NULL;
    gw_err err = {0};
    assert_ok_err(gw_drift_loss_new(&profile->heads[0], &options, &loss, &err), &err);
    return loss;
}

static void feed(struct gw_drift_loss *loss, struct world *world, struct heard *heard, int rows)
{
    const struct gw_drift_sink sink = {.context = heard, .alarm = on_alarm};
    for (int i = 0; i < rows; i++) {
        bool label = false;
        float p = next(world, &label);
        assert_ok(gw_drift_loss_feed(loss, p, label, world->now_ms, &sink, NULL));
    }
}

static void heard_deinit(struct heard *heard)
{
    gw_buf_deinit(&heard->text);
}

// Opens among so many rows of an unchanged world, each run from a baseline of its own.
static int false_alarms(double rho, double threshold, int runs, int rows)
{
    int opened = 0;
    for (int run = 0; run < runs; run++) {
        struct gw_drift_profile *profile = reference(REFERENCE, rho, 100 + (uint64_t)run);
        struct gw_drift_loss_options easy = options;
        struct gw_drift_loss *loss = NULL;
        struct heard heard = {0};
        struct world world = started(200 + (uint64_t)run, rho);
        easy.threshold = threshold;
        easy.episode.rearm_ms = STEP_MS; // watches again as soon as it can
        easy.episode.cooldown_ms = 0;
        assert_ok(gw_drift_loss_new(&profile->heads[0], &easy, &loss, NULL));
        feed(loss, &world, &heard, rows);
        opened += heard.opened;
        gw_drift_loss_free(loss);
        gw_drift_profile_free(profile);
        heard_deinit(&heard);
    }
    return opened;
}

static void false_alarms_are_as_rare_as_promised(void **state)
{
    (void)state;
    assert_true(false_alarms(0.0, 1e4, 10, 50000) <= 50);
}

static void rows_that_depend_on_their_neighbours_keep_the_promise(void **state)
{
    (void)state;
    int opened = false_alarms(0.9, 1e4, 10, 50000);
    struct gw_drift_profile *profile = reference(REFERENCE, 0.9, 1);
    print_message("tau %.2f: %d alarms, promised are at most 50\n", profile->heads[0].tau, opened);
    assert_true(profile->heads[0].tau > 1.2);
    assert_true(opened <= 50);
    gw_drift_profile_free(profile);
}

static void a_flipped_concept_is_one_episode_with_its_start_and_its_harm(void **state)
{
    (void)state;
    struct gw_drift_profile *profile = reference(REFERENCE, 0.0, 1);
    const struct gw_drift_baseline *baseline = &profile->heads[0];
    struct gw_drift_loss *loss = loss_new(profile);
    struct world world = started(2, 0.0);
    struct heard heard = {0};
    struct gw_drift_loss_view view;

    feed(loss, &world, &heard, 5000);
    assert_int_equal(heard.opened, 0);
    int64_t changed_ms = world.now_ms;
    world.flip = 0.3;
    feed(loss, &world, &heard, 1000);
    const struct gw_drift_alarm *alarm = &heard.last;
    assert_int_equal(heard.opened, 1);
    assert_int_equal(alarm->kind, GW_DRIFT_OF_CONCEPT);
    assert_string_equal(gw_drift_alarm_kind_name(alarm->kind), "concept");
    assert_string_equal(alarm->stream, "is_favorited");
    assert_int_equal(alarm->severity, GW_DRIFT_CRITICAL);
    assert_true(alarm->e >= options.threshold && alarm->asked == options.threshold);
    assert_true(alarm->at_ms - changed_ms < 500 * STEP_MS);
    assert_true(llabs(alarm->from_ms - changed_ms) < 100 * STEP_MS);
    assert_true(alarm->window_count >= 128 && alarm->window_count < 600);
    assert_true(isnan(alarm->psi) && isnan(alarm->psi_by_chance) && isnan(alarm->jensen_shannon));
    assert_true(isnan(alarm->jensen_shannon_by_chance) && isnan(alarm->spread_ratio) && isnan(alarm->share));
    assert_true(fabs(alarm->rate_per_s - 1000.0 / STEP_MS) < 1.0);
    assert_true(fabs(alarm->promise.false_alarm_days - 1e6 * STEP_MS / 1000.0 / 86400.0) < 2e-3);
    assert_true(alarm->promise.smallest_shift_5min > 0.0 && alarm->promise.smallest_shift_5min < 0.1);
    assert_true(isinf(alarm->promise.smallest_shift_10s) || alarm->promise.smallest_shift_10s > 0.1);

    feed(loss, &world, &heard, 9000); // updated every 3,000 rows
    assert_int_equal(heard.opened, 1);
    assert_true(heard.updated >= 2 && heard.updated <= 4);
    gw_drift_loss_view(loss, &view);
    // The harm as it is, by many rows of the same world.
    struct world twin = started(3, 0.0);
    twin.flip = 0.3;
    double sum = 0.0;
    for (int i = 0; i < 50000; i++) {
        bool label = false;
        float p = next(&twin, &label);
        sum += fmin(gw_drift_log_loss(p, label), baseline->clip);
    }
    double harm = (sum / 50000 - baseline->mean) / baseline->mean;
    double seen = (view.mean - view.reference_mean) / view.reference_mean;
    print_message("harm %.3f, seen %.3f over %llu rows\n", harm, seen, (unsigned long long)view.window_count);
    assert_true(fabs(seen - harm) < 0.2 * harm);
    assert_true(fabs(alarm->effect_sigma * baseline->deviation / baseline->mean - harm) < 0.2 * harm);
    assert_int_equal(view.state, GW_DRIFT_OPEN);
    assert_int_equal(view.rows, 15000);
    assert_true(alarm->move == GW_DRIFT_SAY_UPDATE && alarm->window_count > 1900 && alarm->window_count <= 2048);
    assert_true(view.window_count >= 128 && view.window_count <= 2048); // since the update, which restarts
    assert_string_equal(view.head, "is_favorited");

    world.flip = 0.0;
    feed(loss, &world, &heard, 8000); // the next update restarts the evidence, calm closes
    assert_int_equal(heard.closed, 1);
    assert_int_equal(heard.opened, 1);
    world.flip = 0.3;
    feed(loss, &world, &heard, 3000);
    assert_int_equal(heard.opened, 2);
    assert_int_equal(heard.last.episode, 2);
    gw_drift_loss_free(loss);
    gw_drift_profile_free(profile);
    heard_deinit(&heard);
}

static void a_better_model_raises_no_alarm(void **state)
{
    (void)state;
    struct gw_drift_profile *profile = reference(REFERENCE, 0.0, 1);
    struct gw_drift_loss *loss = loss_new(profile);
    struct world world = started(4, 0.0);
    struct heard heard = {0};
    struct gw_drift_loss_view view;
    world.better = true;
    feed(loss, &world, &heard, 20000);
    gw_drift_loss_view(loss, &view);
    assert_int_equal(heard.opened, 0);
    assert_true(view.e <= 1.0 && view.mean < view.reference_mean);
    gw_drift_loss_free(loss);
    gw_drift_profile_free(profile);
}

static void retiring_closes_what_is_open(void **state)
{
    (void)state;
    struct gw_drift_profile *profile = reference(REFERENCE, 0.0, 1);
    struct gw_drift_loss *loss = loss_new(profile);
    struct world world = started(5, 0.0);
    struct heard heard = {0};
    const struct gw_drift_sink sink = {.context = &heard, .alarm = on_alarm};
    feed(loss, &world, &heard, 100);
    assert_ok(gw_drift_loss_retire(loss, &sink, NULL));
    assert_int_equal(heard.closed, 0);
    world.flip = 0.4;
    feed(loss, &world, &heard, 1000);
    assert_int_equal(heard.opened, 1);
    int64_t from_ms = heard.last.from_ms;
    assert_ok(gw_drift_loss_retire(loss, &sink, NULL));
    assert_int_equal(heard.closed, 1);
    assert_int_equal(heard.last.move, GW_DRIFT_SAY_CLOSE);
    assert_int_equal(heard.last.episode, 1);
    assert_int_equal(heard.last.from_ms, from_ms);
    assert_int_equal(heard.last.at_ms, world.now_ms);
    gw_drift_loss_free(loss);
    gw_drift_profile_free(profile);
    heard_deinit(&heard);
}

// The worlds that replays and cuts go through: quiet, worse, well again, worse.
static void live_through(struct gw_drift_loss *loss, struct world *world, struct heard *heard, int from, int to)
{
    for (int i = from; i < to; i++) {
        world->flip = (i / 3000) % 2 == 1 ? 0.3 : 0.0;
        feed(loss, world, heard, 1);
    }
}

static void a_cut_and_a_replay_say_and_keep_the_same_bytes(void **state)
{
    (void)state;
    enum { ROWS = 14000 };
    static const int cuts[] = {0, 1, 63, 64, 65, 3050, 3300, 6500, 9001, ROWS};
    struct gw_drift_profile *profile = reference(REFERENCE, 0.0, 1);
    struct gw_drift_loss *loss = loss_new(profile);
    struct world world = started(6, 0.0);
    struct heard whole = {0};
    struct gw_buf end = {0};
    live_through(loss, &world, &whole, 0, ROWS);
    assert_true(gw_drift_loss_changed(loss));
    assert_ok(gw_drift_loss_save(loss, &end, NULL));
    assert_false(gw_drift_loss_changed(loss));
    gw_drift_loss_free(loss);
    assert_true(whole.opened == 2 && whole.closed >= 1 && whole.updated >= 1);

    for (size_t i = 0; i < GW_COUNT_OF(cuts); i++) {
        struct heard heard = {0};
        struct gw_buf cut = {0};
        struct gw_buf bytes = {0};
        world = started(6, 0.0);
        loss = loss_new(profile);
        live_through(loss, &world, &heard, 0, cuts[i]);
        assert_ok(gw_drift_loss_save(loss, &cut, NULL));
        gw_drift_loss_free(loss);
        loss = loss_new(profile);
        assert_ok(gw_drift_loss_load(loss, gw_buf_slice(&cut), NULL));
        assert_false(gw_drift_loss_changed(loss));
        live_through(loss, &world, &heard, cuts[i], ROWS);
        assert_ok(gw_drift_loss_save(loss, &bytes, NULL));
        assert_true(gw_slice_equal(gw_buf_slice(&bytes), gw_buf_slice(&end)));
        assert_int_equal(bytes.size, cut.size);
        assert_true(gw_slice_equal(gw_buf_slice(&heard.text), gw_buf_slice(&whole.text)));
        gw_drift_loss_free(loss);
        gw_buf_deinit(&cut);
        gw_buf_deinit(&bytes);
        heard_deinit(&heard);
    }
    gw_buf_deinit(&end);
    gw_drift_profile_free(profile);
    heard_deinit(&whole);
}

static void a_state_that_does_not_belong_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    struct gw_drift_profile *profile = reference(REFERENCE, 0.0, 1);
    struct gw_drift_profile *other = reference(REFERENCE, 0.0, 2);
    struct gw_drift_loss *loss = loss_new(profile);
    struct world world = started(7, 0.0);
    struct heard heard = {0};
    struct gw_buf bytes = {0};
    struct gw_buf before = {0};
    struct gw_buf after = {0};
    gw_err err = {0};
    world.flip = 0.3;
    feed(loss, &world, &heard, 1000);
    assert_ok(gw_drift_loss_save(loss, &bytes, NULL));
    gw_drift_loss_free(loss);

    loss = loss_new(other);
    assert_fails(gw_drift_loss_load(loss, gw_buf_slice(&bytes), &err), GW_E_MISMATCH);
    gw_drift_loss_free(loss);

    loss = loss_new(profile);
    assert_ok(gw_drift_loss_save(loss, &before, NULL));
    for (size_t size = 0; size < bytes.size; size++) {
        assert_fails(gw_drift_loss_load(loss, gw_slice_make(bytes.data, size), NULL), GW_E_MALFORMED);
    }
    // Four bytes of a huge number in turn: what it is, each count, time, evidence, lane, sum; the high half of eight.
    static const size_t checked[] = {0,   4,   20,  28,  36,  44,  52,  60,  64,  124,
                                     128, 132, 156, 164, 172, 180, 196, 444, 452, 700};
    for (size_t i = 0; i < GW_COUNT_OF(checked); i++) {
        uint8_t kept[4];
        memcpy(kept, bytes.data + checked[i], sizeof kept);
        memset(bytes.data + checked[i], 0x7f, sizeof kept);
        assert_fails(gw_drift_loss_load(loss, gw_buf_slice(&bytes), NULL), GW_E_MALFORMED);
        memcpy(bytes.data + checked[i], kept, sizeof kept);
    }
    assert_ok(gw_drift_loss_save(loss, &after, NULL));
    assert_true(gw_slice_equal(gw_buf_slice(&before), gw_buf_slice(&after)));
    assert_ok(gw_drift_loss_load(loss, gw_buf_slice(&bytes), NULL));
    gw_drift_loss_free(loss);
    gw_buf_deinit(&bytes);
    gw_buf_deinit(&before);
    gw_buf_deinit(&after);
    heard_deinit(&heard);
    gw_drift_profile_free(profile);
    gw_drift_profile_free(other);
}

static void what_is_no_row_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    struct gw_drift_profile *profile = reference(REFERENCE, 0.0, 1);
    struct gw_drift_loss *loss = loss_new(profile);
    struct heard heard = {0};
    struct gw_drift_loss_view view;
    const struct gw_drift_sink sink = {.context = &heard, .alarm = on_alarm};
    assert_fails(gw_drift_loss_feed(loss, NAN, true, 0, &sink, NULL), GW_E_INVALID);
    assert_fails(gw_drift_loss_feed(loss, -0.1f, true, 0, &sink, NULL), GW_E_INVALID);
    assert_fails(gw_drift_loss_feed(loss, 1.1f, true, 0, &sink, NULL), GW_E_INVALID);
    assert_fails(gw_drift_loss_feed(loss, 0.5f, true, INT64_C(1) << 53, &sink, NULL), GW_E_INVALID);
    assert_fails(gw_drift_loss_feed(loss, 0.5f, true, INT64_MIN, &sink, NULL), GW_E_INVALID);
    assert_false(gw_drift_loss_changed(loss));
    gw_drift_loss_view(loss, &view);
    assert_true(isnan(view.mean) && view.window_count == 0 && view.rate_per_s == 0.0);
    assert_true(isinf(view.promise.false_alarm_days));
    gw_drift_loss_free(loss);
    gw_drift_profile_free(profile);
}

static void rows_of_one_moment_and_a_failing_sink_are_borne(void **state)
{
    (void)state;
    struct gw_drift_profile *profile = reference(REFERENCE, 0.0, 1);
    struct gw_drift_loss *loss = loss_new(profile);
    struct gw_drift_loss_view view;
    const struct gw_drift_sink sink = {.alarm = on_alarm_fails};
    gw_status status = GW_OK;
    uint64_t rows = 0;
    while (status == GW_OK && rows < 1000) { // all in the same millisecond, and always wrong
        status = gw_drift_loss_feed(loss, 0.95f, false, rows % 2 == 0 ? 500 : 400, &sink, NULL);
        rows++;
    }
    assert_int_equal(status, GW_E_IO);
    gw_drift_loss_view(loss, &view);
    assert_int_equal(view.rows, rows);
    assert_int_equal(view.state, GW_DRIFT_OPEN);
    assert_true(view.rate_per_s == 0.0);
    gw_drift_loss_free(loss);
    gw_drift_profile_free(profile);
}

static void options_out_of_range_and_poor_baselines_are_refused(void **state)
{
    (void)state;
    struct gw_drift_profile *profile = reference(REFERENCE, 0.0, 1);
    struct gw_drift_profile *small = reference(GW_DRIFT_BASELINE_ROWS_MIN - 1, 0.0, 1);
    struct gw_drift_loss *loss = NULL;
    struct gw_drift_loss_options bad = options;
    bad.threshold = 1.0;
    assert_fails(gw_drift_loss_new(&profile->heads[0], &bad, &loss, NULL), GW_E_INVALID);
    bad.threshold = 1e14;
    assert_fails(gw_drift_loss_new(&profile->heads[0], &bad, &loss, NULL), GW_E_INVALID);
    bad = options;
    bad.episode.update_ms = 0;
    assert_fails(gw_drift_loss_new(&profile->heads[0], &bad, &loss, NULL), GW_E_INVALID);
    assert_fails(gw_drift_loss_new(&small->heads[0], &options, &loss, NULL), GW_E_INVALID);
    gw_mem_fail_nth(1);
    assert_fails(gw_drift_loss_new(&profile->heads[0], &options, &loss, NULL), GW_E_MEMORY);
    gw_mem_fail_nth(0);
    assert_null(loss);
    gw_drift_loss_free(NULL);
    gw_drift_profile_free(profile);
    gw_drift_profile_free(small);
}

GW_TESTS(false_alarms_are_as_rare_as_promised, rows_that_depend_on_their_neighbours_keep_the_promise,
         a_flipped_concept_is_one_episode_with_its_start_and_its_harm, a_better_model_raises_no_alarm,
         retiring_closes_what_is_open, a_cut_and_a_replay_say_and_keep_the_same_bytes,
         a_state_that_does_not_belong_is_refused_and_changes_nothing, what_is_no_row_is_refused_and_changes_nothing,
         rows_of_one_moment_and_a_failing_sink_are_borne, options_out_of_range_and_poor_baselines_are_refused)
