// SPDX-License-Identifier: MIT
// Tests of the whole loop: the test plays what serves and what labels, everything else is real.
//
// The champion of the moment scores a row of the world (loop_world.h), and its record goes to each of
// training_examples, label_samples and feature_samples. Version 1 is trained by godwit-train on rows of law A, once a
// program. Header only.
#pragma once

#include "integration/loop_world.h"
#include "support/postgres_server.h"
#include "support/records.h"

#include "base/clock.h"
#include "base/hash.h"
#include "label/bits.h"
#include "model/scorer.h"
#include "records/drift_alert.h"
#include "records/feature_sample.h"
#include "records/label_sample.h"
#include "records/labeled_example.h"
#include "registry/registry.h"
#include "registry/runs.h"
#include "registry/views.h"
#include "worker/bundle_fetch.h"

#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    LOOP_TRAINED_ROWS = 60000, // of version 1: a fifth of them is the baseline of its loss, which takes 10,000
    LOOP_ROWS_MIN = 16000,     // of a training
    LOOP_PORTION = 2000,       // rows between two looks
    LOOP_TRICKLE = 100,        // when there are rows enough
    LOOP_PAUSE_MS = 100,       // between trickles
    LOOP_ALERTS_MAX = 1024,
    LOOP_RUNS_MAX = 64,
};

struct loop_alert {
    char id[64];
    char kind[16];
    char state[16];
    int32_t version;
};

static struct {
    char version_1[96]; // directory of its bundle; all else is of the test at hand
    struct cluster cluster;
    struct gw_registry *registry;
    struct gw_arena arena;
    struct cluster_worker monitor;
    struct cluster_worker retrain;
    struct tail *alert_tail;
    struct loop_alert alerts[LOOP_ALERTS_MAX];
    size_t alert_count;
    int32_t champion; // whose predictions are served; 0 none yet
    struct gw_bundle *bundle;
    struct gw_scorer *scorer;
    int64_t layout;
    int64_t rows;      // so far
    int64_t served_ms; // of the newest one that was served now
    uint64_t put_us;
    uint64_t sampled; // to monitor, of each kind
} loop;

// ---- the registry ---------------------------------------------------------------------------------------------------

static inline int32_t loop_register(const char *directory)
{
    const struct gw_registry_change change = {.actor = "tester", .reason = directory};
    const struct gw_registry_register request = {
        .model = LOOP_MODEL, .directory = directory, .description = "", .features = loop.cluster.runtime.features};
    struct gw_registry_outcome outcome;
    gw_err err = {0};
    assert_ok_err(gw_registry_register(loop.registry, &request, &change, &outcome, &err), &err);
    return outcome.version;
}

static inline void loop_promote(int32_t version)
{
    const struct gw_registry_change change = {.actor = "tester", .reason = "because I say so"};
    struct gw_registry_outcome outcome;
    gw_err err = {0};
    assert_ok_err(gw_registry_promote(loop.registry, LOOP_MODEL, version, &change, &outcome, &err), &err);
}

// 0 while the database is away.
static inline int32_t loop_champion(void)
{
    struct gw_registry_model model;
    gw_arena_clear(&loop.arena);
    return gw_registry_get_model(loop.registry, LOOP_MODEL, &loop.arena, &model, NULL) == GW_OK ? model.champion : 0;
}

static inline void loop_forget_champion(void)
{
    gw_scorer_free(loop.scorer);
    gw_bundle_unref(loop.bundle);
    loop.scorer = NULL;
    loop.bundle = NULL;
    loop.champion = 0;
}

// From now on this version serves; false, and all is as before, while the database is away.
static inline bool loop_use(int32_t number)
{
    struct gw_registry_version version;
    char cache[320];
    gw_err err = {0};
    gw_arena_clear(&loop.arena);
    if (gw_registry_get_version(loop.registry, LOOP_MODEL, number, &loop.arena, &version, NULL) != GW_OK) {
        return false;
    }
    loop_forget_champion();
    snprintf(cache, sizeof cache, "%s/served", loop.cluster.directory);
    assert_ok_err(gw_bundle_fetch(loop.registry, cache, version.digest, &loop.bundle, &err), &err);
    assert_ok_err(gw_scorer_new(loop.bundle, NULL, LOOP_FEATURES, &loop.scorer, &err), &err);
    loop.layout = (int64_t)gw_bundle_layout(gw_bundle_info(loop.bundle));
    loop.champion = number;
    return true;
}

// Who is champion now serves; as before while the database is away, as a scorer would.
static inline void loop_follow(void)
{
    const int32_t champion = loop_champion();
    if (champion != 0 && champion != loop.champion && loop_use(champion)) {
        loop.served_ms = loop.served_ms > 0 ? gw_clock_wall_ms() : 0; // nothing was served by it before
    }
}

static inline const struct gw_run *loop_runs(size_t *ret_count)
{
    const struct gw_run *runs = NULL;
    *ret_count = 0;
    gw_arena_clear(&loop.arena);
    if (gw_runs_list(loop.registry, LOOP_MODEL, LOOP_RUNS_MAX, &loop.arena, &runs, ret_count, NULL) != GW_OK) {
        *ret_count = 0; // the database is away
    }
    return runs;
}

// The newest run that is in this state; NULL: none. Valid until the next look at the registry.
static inline const struct gw_run *loop_run_in(enum gw_run_state state)
{
    size_t count = 0;
    const struct gw_run *runs = loop_runs(&count);
    for (size_t i = 0; i < count; i++) {
        if (runs[i].state == state) {
            return &runs[i];
        }
    }
    return NULL;
}

static inline void loop_print_runs(void)
{
    size_t count = 0;
    const struct gw_run *runs = loop_runs(&count);
    for (size_t i = 0; i < count; i++) {
        print_message("run %s %s rows=%" PRId64 " trainings=%d version=%d: %s | %s\n", runs[i].id,
                      gw_run_state_name(runs[i].state), runs[i].rows, runs[i].trainings, runs[i].version,
                      runs[i].reason, runs[i].verdict);
    }
}

// ---- serving and labels ---------------------------------------------------------------------------------------------

static inline void loop_put_sample(enum gw_topic topic)
{
    const int32_t partition =
        (int32_t)gw_hash_partition(LOOP_MODEL, strlen(LOOP_MODEL), gw_runtime_partitions(&loop.cluster.runtime, topic));
    records_put(&loop.cluster, topic, partition, 0, gw_buf_slice(&loop.cluster.value), NULL, 0);
}

// Of the version that served it.
static inline void loop_sample(const struct loop_row *row, int64_t served_ms)
{
    float probability = loop_predict(loop.scorer, row->features);
    struct gw_slice name = gw_slice_text(LOOP_HEAD);
    const struct gw_label_sample label = {.model_name = gw_slice_text(LOOP_MODEL),
                                          .model_version = loop.champion,
                                          .variant = gw_slice_text("champion"),
                                          .heads = {.items = &probability, .count = 1},
                                          .score = probability,
                                          .label_bits = row->positive ? GW_LABEL_BIT(FAVORITED) : 0,
                                          .kind = GW_EXAMPLE_KIND_WINDOW_CLOSED,
                                          .weight = 1,
                                          .served_at_ms = served_ms,
                                          .closed_at_ms = served_ms,
                                          .head_names = {.items = &name, .count = 1}};
    const struct gw_feature_sample features = {.model_name = gw_slice_text(LOOP_MODEL),
                                               .model_version = loop.champion,
                                               .variant = gw_slice_text("champion"),
                                               .layout = loop.layout,
                                               .features = gw_slice_make(row->features, sizeof row->features),
                                               .heads = {.items = &probability, .count = 1},
                                               .score = probability,
                                               .served_at_ms = served_ms,
                                               .weight = 1};
    RECORDS_ENCODE(&loop.cluster, GW_TOPIC_LABEL_SAMPLES, gw_label_sample_encode, &label);
    loop_put_sample(GW_TOPIC_LABEL_SAMPLES);
    RECORDS_ENCODE(&loop.cluster, GW_TOPIC_FEATURE_SAMPLES, gw_feature_sample_encode, &features);
    loop_put_sample(GW_TOPIC_FEATURE_SAMPLES);
    loop.sampled++;
}

// `count` requests of one candidate each, evenly after from_ms and up to to_ms; the first `sampled` go to monitor.
static inline void loop_serve(enum loop_law law, int count, int sampled, int64_t from_ms, int64_t to_ms)
{
    for (int i = 0; i < count; i++) {
        const struct loop_row row = loop_draw(law);
        const int64_t served_ms = from_ms + (to_ms - from_ms) * (i + 1) / count;
        const struct gw_labeled_example example = {.request_join_id = ++loop.rows,
                                                   .user_id = loop.rows,
                                                   .tweet_id = loop.rows,
                                                   .layout = loop.layout,
                                                   .features = gw_slice_make(row.features, sizeof row.features),
                                                   .label_bits = row.positive ? GW_LABEL_BIT(FAVORITED) : 0,
                                                   .kind = GW_EXAMPLE_KIND_WINDOW_CLOSED,
                                                   .weight = 1,
                                                   .served_at_ms = served_ms};
        RECORDS_SEND(&loop.cluster, GW_TOPIC_TRAINING_EXAMPLES, gw_labeled_example_encode, &example, example.user_id);
        if (i < sampled) {
            loop_sample(&row, served_ms);
        }
    }
    records_flush(&loop.cluster);
    loop.put_us = gw_clock_mono_us();
}

// By the champion, since the last ones.
static inline void loop_serve_now(enum loop_law law, int count, int sampled)
{
    enum { FIRST_MS = 100 }; // of the first ones
    const int64_t now_ms = gw_clock_wall_ms();
    loop_follow();
    loop_serve(law, count, sampled, loop.served_ms > 0 ? loop.served_ms : now_ms - FIRST_MS, now_ms);
    loop.served_ms = now_ms;
}

// A life that goes on while somebody waits: rows until there are `enough` of them, then few.
struct loop_life {
    enum loop_law law;
    int64_t enough; // rows of this life
    int64_t rows;
};

static inline void loop_live(struct loop_life *life)
{
    const bool early = life->rows < life->enough;
    if (early || gw_clock_mono_us() - loop.put_us > (uint64_t)LOOP_PAUSE_MS * 1000) {
        const int count = early ? LOOP_PORTION : LOOP_TRICKLE;
        loop_serve_now(life->law, count, count);
        life->rows += count;
    }
}

// ---- alerts ---------------------------------------------------------------------------------------------------------

static inline void loop_note_alert(void *context, const struct gw_kafka_record *record)
{
    struct gw_arena arena;
    struct gw_drift_alert alert;
    gw_err err = {0};
    (void)context;
    gw_arena_init(&arena, 4096, 1 << 20);
    assert_ok_err(
        gw_drift_alert_decode(records_body(&loop.cluster, GW_TOPIC_DRIFT_ALERTS, record), &arena, &alert, &err), &err);
    assert_true(loop.alert_count < LOOP_ALERTS_MAX);
    struct loop_alert *noted = &loop.alerts[loop.alert_count++];
    *noted = (struct loop_alert){.version = alert.model_version};
    snprintf(noted->id, sizeof noted->id, "%.*s", (int)alert.alert_id.size, (const char *)alert.alert_id.data);
    snprintf(noted->kind, sizeof noted->kind, "%.*s", (int)alert.kind.size, (const char *)alert.kind.data);
    snprintf(noted->state, sizeof noted->state, "%.*s", (int)alert.state.size, (const char *)alert.state.data);
    gw_arena_deinit(&arena);
}

static inline void loop_read_alerts(void)
{
    tail_drain(loop.alert_tail, loop_note_alert, NULL);
}

// How many alerts of this kind and state there are, and the first one of them.
static inline size_t loop_count_alerts(const char *kind, const char *state, const struct loop_alert **ret_first)
{
    size_t count = 0;
    loop_read_alerts();
    for (size_t i = loop.alert_count; i > 0; i--) {
        const struct loop_alert *alert = &loop.alerts[i - 1];
        if (strcmp(alert->kind, kind) == 0 && strcmp(alert->state, state) == 0) {
            *ret_first = alert;
            count++;
        }
    }
    return count;
}

static inline bool loop_is_settled(void *context)
{
    (void)context;
    static const enum gw_topic inputs[] = {GW_TOPIC_FEATURE_SAMPLES, GW_TOPIC_LABEL_SAMPLES};
    bool settled = true;
    for (size_t i = 0; i < GW_COUNT_OF(inputs); i++) {
        struct gw_ledger ledger = cluster_ledger_sum(&loop.cluster, "monitor", inputs[i]);
        settled = settled && gw_ledger_total(&ledger) >= loop.sampled;
    }
    return settled;
}

// Until monitor has committed an outcome of every sample.
static inline void loop_settle(void)
{
    wait_until(loop_is_settled, NULL, LOOP_WAIT_MS, "an outcome of every sample");
}

// Rows of law A, served long enough ago to be too old for a training.
static inline void loop_serve_past(int count)
{
    enum { HOURS_AGO_MS = 3 * 3600 * 1000, STEP_MS = 500 };
    const int64_t from_ms = gw_clock_wall_ms() - HOURS_AGO_MS;
    for (int done = 0; done < count; done += LOOP_PORTION) {
        loop_serve(LOOP_LAW_A, LOOP_PORTION, LOOP_PORTION, from_ms + (int64_t)done * STEP_MS,
                   from_ms + (int64_t)(done + LOOP_PORTION) * STEP_MS);
    }
}

// ---- life -----------------------------------------------------------------------------------------------------------

static inline int loop_setup(void **state)
{
    (void)state;
    const char *chosen = getenv("GODWIT_TEST_SEED");
    const uint64_t seed = chosen != NULL ? strtoull(chosen, NULL, 10) : (uint64_t)gw_clock_wall_us();
    print_message("GODWIT_TEST_SEED=%" PRIu64 "\n", seed);
    gw_rng_init(&loop_world.rng, seed);
    snprintf(loop_world.folder, sizeof loop_world.folder, "/tmp/godwit-loop-XXXXXX");
    assert_non_null(mkdtemp(loop_world.folder));
    loop_train("version-1", LOOP_LAW_A, LOOP_TRAINED_ROWS, loop.version_1);
    return 0;
}

static inline int loop_remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline int loop_teardown(void **state)
{
    (void)state;
    return nftw(loop_world.folder, loop_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

// A cluster in which version 1 is champion. Starts nothing.
static inline void loop_begin(const char *const *more)
{
    static const char *const sets[] = {"monitor.commit_interval=200ms",
                                       "monitor.drift_update=1s",
                                       "retrain.history=1h",
                                       "retrain.trees=" LOOP_TREES,
                                       "retrain.depth=" LOOP_DEPTH,
                                       "retrain.eta=" LOOP_ETA,
                                       "retrain.memory=0",
                                       "retrain.cooldown=1s",
                                       "retrain.shadow=1s",
                                       "retrain.canary=1s",
                                       "retrain.decay=10"};
    const char *all[24];
    char rows_min[40];
    size_t count = 0;
    gw_err err = {0};
    for (size_t i = 0; i < GW_COUNT_OF(sets); i++) {
        all[count++] = sets[i];
    }
    snprintf(rows_min, sizeof rows_min, "retrain.rows_min=%d", LOOP_ROWS_MIN);
    all[count++] = rows_min;
    for (size_t i = 0; more != NULL && more[i] != NULL; i++) {
        all[count++] = more[i];
    }
    all[count] = NULL;
    cluster_begin(&loop.cluster, "loop", all);
    const struct gw_registry_options options = {
        .uri = loop.cluster.registry.uri, .application = "godwit-test", .timeout_ms = 5000};
    assert_ok_err(gw_registry_new(&options, &loop.registry, &err), &err);
    gw_arena_init(&loop.arena, 1 << 16, 64 << 20);
    const struct gw_registry_create create = {.model = LOOP_MODEL, .description = ""};
    const struct gw_registry_change change = {.actor = "tester", .reason = "a test"};
    struct gw_registry_outcome outcome;
    assert_ok_err(gw_registry_create(loop.registry, &create, &change, &outcome, &err), &err);
    loop_promote(loop_register(loop.version_1));
    loop.rows = 0;
    loop.served_ms = 0;
    loop.sampled = 0;
    loop.alert_count = 0;
    loop.alert_tail = tail_open(&loop.cluster, GW_TOPIC_DRIFT_ALERTS, false);
    loop_follow();
    assert_int_equal(loop.champion, 1);
}

static inline void loop_end(void)
{
    tail_close(loop.alert_tail);
    loop_forget_champion();
    gw_registry_free(loop.registry);
    gw_arena_deinit(&loop.arena);
    cluster_end(&loop.cluster);
}
