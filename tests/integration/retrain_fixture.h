// SPDX-License-Identifier: MIT
// What the retrain tests share: a cluster, labelled examples made here, requests, and waits for a run's state. Header
// only.
#pragma once

#include "support/model.h"
#include "support/records.h"

#include "base/clock.h"
#include "base/rng.h"
#include "label/bits.h"
#include "model/bundle.h"
#include "records/labeled_example.h"
#include "records/retrain_request.h"
#include "registry/registry.h"
#include "registry/runs.h"
#include "registry/views.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RETRAIN_REQUESTS = 1500, RETRAIN_CANDIDATES = 2, RETRAIN_WAIT_MS = 90000 };

// What the labels of a data set are.
enum retrain_labels {
    TRUE_LABELS,     // follow from two features
    POISONED_LABELS, // follow from nothing
    NO_FEATURES,     // nothing to learn from: all values missing
    NO_POSITIVES,    // nobody ever acts
    LOST_ACTIONS,    // true, but of late nobody acts
};

// One a program.
static struct cluster cluster;
static struct gw_registry *registry;
static struct gw_arena arena;
static struct cluster_worker worker;

static const char *const retrain_settings[] = {
    "retrain.rows_min=500", "retrain.positives_min=20", "retrain.trees=12",     "retrain.depth=3",   "retrain.eta=0.3",
    "retrain.memory=0",     "retrain.cooldown=0s",      "retrain.shadow=200ms", "retrain.canary=0s", NULL};

static inline void retrain_begin(const char *const *more)
{
    const char *all[24];
    size_t count = 0;
    gw_err err = {0};
    for (size_t i = 0; retrain_settings[i] != NULL; i++) {
        all[count++] = retrain_settings[i];
    }
    for (size_t i = 0; more != NULL && more[i] != NULL; i++) {
        all[count++] = more[i];
    }
    all[count] = NULL;
    cluster_begin(&cluster, "retrain", all);
    const struct gw_registry_options options = {
        .uri = cluster.registry.uri, .application = "godwit-test", .timeout_ms = 30000};
    assert_ok_err(gw_registry_new(&options, &registry, &err), &err);
    gw_arena_init(&arena, 1 << 16, 64 << 20);
}

static inline void retrain_end(void)
{
    gw_registry_free(registry);
    gw_arena_deinit(&arena);
    cluster_end(&cluster);
}

// ---- examples and requests ------------------------------------------------------------------------------------------

static inline uint64_t retrain_layout(void)
{
    struct gw_bundle *bundle = NULL;
    gw_err err = {0};
    assert_ok_err(gw_bundle_load(cluster.bundle, &bundle, &err), &err);
    uint64_t layout = gw_bundle_layout(gw_bundle_info(bundle));
    gw_bundle_unref(bundle);
    return layout;
}

static inline void retrain_put_example(struct gw_rng *rng, uint64_t layout, enum retrain_labels labels, int64_t request,
                                       int64_t candidate, int64_t time_ms)
{
    float features[16];
    for (size_t f = 0; f < test_model_feature_count; f++) {
        features[f] = labels == NO_FEATURES ? NAN : (float)(gw_rng_double(rng) * 10);
    }
    double logit = labels == TRUE_LABELS ? -2.5 + 0.5 * (double)features[3] - (features[5] > 5 ? 2 : 0) : -1.5;
    bool positive = gw_rng_double(rng) < 1 / (1 + exp(-logit));
    if (labels == NO_POSITIVES || (labels == LOST_ACTIONS && request > RETRAIN_REQUESTS * 4 / 5)) {
        positive = false;
    }
    bool retweeted = gw_rng_double(rng) < 0.1;
    const struct gw_labeled_example example = {
        .request_join_id = request + 1,
        .user_id = request % 97 + 1,
        .tweet_id = request * 100 + candidate,
        .layout = (int64_t)layout,
        .features = gw_slice_make(features, test_model_feature_count * sizeof(float)),
        .label_bits = (positive ? GW_LABEL_BIT(FAVORITED) : 0) | (retweeted ? GW_LABEL_BIT(RETWEETED) : 0),
        .kind = GW_EXAMPLE_KIND_WINDOW_CLOSED,
        .weight = 1,
        .served_at_ms = time_ms,
    };
    RECORDS_SEND(&cluster, GW_TOPIC_TRAINING_EXAMPLES, gw_labeled_example_encode, &example, example.user_id);
}

static inline void retrain_put_examples_of(enum retrain_labels labels, int64_t now_ms)
{
    uint64_t layout = retrain_layout();
    struct gw_rng rng;
    gw_rng_init(&rng, 7);
    for (int64_t r = 0; r < RETRAIN_REQUESTS; r++) {
        for (int64_t c = 0; c < RETRAIN_CANDIDATES; c++) {
            retrain_put_example(&rng, layout, labels, r, c, now_ms - (RETRAIN_REQUESTS - r) * 100);
        }
    }
    records_flush(&cluster);
}

static inline void retrain_put_examples(enum retrain_labels labels)
{
    retrain_put_examples_of(labels, gw_clock_wall_ms());
}

static inline void retrain_send(const char *model, const char *reason)
{
    const struct gw_retrain_request request = {.model_name = gw_slice_text(model),
                                               .reason = gw_slice_text(reason),
                                               .actor = gw_slice_text("tester"),
                                               .at_ms = gw_clock_wall_ms(),
                                               .options = gw_slice_text("{}")};
    RECORDS_ENCODE(&cluster, GW_TOPIC_RETRAIN_REQUESTS, gw_retrain_request_encode, &request);
    records_put(&cluster, GW_TOPIC_RETRAIN_REQUESTS, 0, 0, gw_buf_slice(&cluster.value), NULL, 0);
    records_flush(&cluster);
}

// ---- waiting --------------------------------------------------------------------------------------------------------

struct retrain_wanted {
    const char *id;
    enum gw_run_state state;
    struct gw_run run;
};

static inline bool retrain_has_come(void *context)
{
    struct retrain_wanted *wanted = context;
    gw_arena_clear(&arena);
    if (gw_runs_get(registry, wanted->id, &arena, &wanted->run, NULL) != GW_OK) {
        return false;
    }
    return !gw_run_state_is_active(wanted->run.state) || wanted->run.state == wanted->state;
}

// Waits until the run is in this state; another end fails the test.
static inline struct gw_run retrain_wait_for(const char *id, enum gw_run_state state)
{
    struct retrain_wanted wanted = {.id = id, .state = state};
    wait_until(retrain_has_come, &wanted, RETRAIN_WAIT_MS, gw_run_state_name(state));
    if (wanted.run.state != state) {
        proc_print_log(worker.proc);
        print_error("run %s is %s: %s\n", id, gw_run_state_name(wanted.run.state), wanted.run.verdict);
        assert_int_equal(wanted.run.state, state);
    }
    return wanted.run;
}

static inline int32_t retrain_champion(void)
{
    struct gw_registry_model model;
    struct gw_arena mine;
    gw_err err = {0};
    gw_arena_init(&mine, 4096, 1 << 20);
    assert_ok_err(gw_registry_get_model(registry, TEST_MODEL_NAME, &mine, &model, &err), &err);
    gw_arena_deinit(&mine);
    return model.champion;
}

static inline bool retrain_says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        print_error("'%s' does not contain '%s'\n", text, part);
        return false;
    }
    return true;
}
