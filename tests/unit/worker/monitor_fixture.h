// SPDX-License-Identifier: MIT
// A world in which monitor's watches are tested: rows with known laws, references made from them, a registry that can
// be away, and a changelog in memory. Header only.
#pragma once

#include "support/testkit.h"

#include "base/mem.h"
#include "base/rng.h"
#include "worker/monitor_watches.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    WORLD_FEATURES = 4,
    WORLD_ROWS = 12000, // of a reference
    WORLD_STEP_MS = 10,
    WORLD_T0_MS = 1000000000,
    WORLD_LAYOUT = 77,
    WORLD_REFERENCES_MAX = 16,
};

static const char *const world_names[WORLD_FEATURES] = {"likes", "age", "replies", "holes"};
static const char *const world_heads[] = {"is_favorited", "is_replied"};
enum { WORLD_HEADS = 2 };

// What rows are like. Zero is as the reference.
struct world {
    struct gw_rng rng;
    double shift;   // of "age", in sigma
    double missing; // more of "holes"
    double worse;   // added to the logit of the truth of "is_favorited"
    int64_t now_ms; //
    float row[WORLD_FEATURES];
    float score;
    float probabilities[WORLD_HEADS];
    uint8_t labels[WORLD_HEADS];
};

static inline struct world world_begin(uint64_t seed)
{
    struct world world = {.now_ms = WORLD_T0_MS};
    gw_rng_init(&world.rng, seed);
    return world;
}

static inline void world_next(struct world *world)
{
    for (int f = 0; f < WORLD_FEATURES; f++) {
        world->row[f] = (float)gw_rng_normal(&world->rng);
    }
    world->row[1] += (float)world->shift;
    if (gw_rng_double(&world->rng) < 0.1 + world->missing) {
        world->row[3] = NAN;
    }
    world->score = (float)(1.0 / (1.0 + exp(-gw_rng_normal(&world->rng))));
    for (int h = 0; h < WORLD_HEADS; h++) {
        double logit = -1.0 + 0.7 * gw_rng_normal(&world->rng);
        double truth = logit + (h == 0 ? world->worse : 0.0);
        world->probabilities[h] = (float)(1.0 / (1.0 + exp(-logit)));
        world->labels[h] = gw_rng_double(&world->rng) < 1.0 / (1.0 + exp(-truth)) ? 1 : 0;
    }
    world->now_ms += WORLD_STEP_MS;
}

// ---- references -----------------------------------------------------------------------------------------------------

// With a baseline of labelled_rows rows for each head.
static inline struct gw_drift_profile *world_profile(uint64_t seed, size_t labelled_rows)
{
    struct world world = world_begin(seed);
    float *values = gw_mem_calloc((size_t)WORLD_ROWS * WORLD_FEATURES, sizeof *values);
    float *scores = gw_mem_calloc(WORLD_ROWS, sizeof *scores);
    float *probabilities = gw_mem_calloc((size_t)WORLD_ROWS * WORLD_HEADS, sizeof *probabilities);
    uint8_t *labels = gw_mem_calloc((size_t)WORLD_ROWS * WORLD_HEADS, sizeof *labels);
    struct gw_drift_profile *profile = NULL;
    gw_err err = {0};
    assert_true(values != NULL && scores != NULL && probabilities != NULL && labels != NULL);
    for (size_t i = 0; i < WORLD_ROWS; i++) {
        world_next(&world);
        memcpy(values + i * WORLD_FEATURES, world.row, sizeof world.row);
        memcpy(probabilities + i * WORLD_HEADS, world.probabilities, sizeof world.probabilities);
        memcpy(labels + i * WORLD_HEADS, world.labels, sizeof world.labels);
        scores[i] = world.score;
    }
    const struct gw_drift_rows rows = {.values = values,
                                       .row_count = WORLD_ROWS,
                                       .feature_count = WORLD_FEATURES,
                                       .names = world_names,
                                       .score_count = WORLD_ROWS,
                                       .scores = scores,
                                       .labelled_count = labelled_rows,
                                       .probabilities = probabilities,
                                       .labels = labels,
                                       .head_count = WORLD_HEADS,
                                       .head_names = world_heads};
    const struct gw_drift_build_options options = {.independent = true};
    assert_ok_err(gw_drift_profile_build(&rows, &options, &profile, &err), &err);
    gw_mem_free(values);
    gw_mem_free(scores);
    gw_mem_free(probabilities);
    gw_mem_free(labels);
    return profile;
}

struct world_registry {
    struct {
        const char *model;
        int32_t version;
        struct gw_monitor_reference reference;
    } items[WORLD_REFERENCES_MAX];
    size_t count;
    bool away;
    size_t asked;
};

static inline void world_register(struct world_registry *registry, const char *model, int32_t version,
                                  enum gw_monitor_reference_state state, const struct gw_drift_profile *profile)
{
    assert_true(registry->count < WORLD_REFERENCES_MAX);
    registry->items[registry->count].model = model;
    registry->items[registry->count].version = version;
    registry->items[registry->count++].reference =
        (struct gw_monitor_reference){.state = state, .profile = profile, .layout = WORLD_LAYOUT};
}

// A gw_monitor_reference_get.
static inline gw_status world_reference(void *context, struct gw_slice model, int32_t version,
                                        const struct gw_monitor_reference **ret_reference, gw_err *err)
{
    static const struct gw_monitor_reference unknown = {.state = GW_MONITOR_REFERENCE_UNKNOWN};
    struct world_registry *registry = context;
    registry->asked++;
    if (registry->away) {
        return gw_fail(err, GW_E_UNAVAILABLE, "the registry is away");
    }
    *ret_reference = &unknown;
    for (size_t i = 0; i < registry->count; i++) {
        if (gw_slice_is(model, registry->items[i].model) && registry->items[i].version == version) {
            *ret_reference = &registry->items[i].reference;
        }
    }
    return GW_OK;
}

// ---- what is said ---------------------------------------------------------------------------------------------------

struct world_alerts {
    struct gw_buf bytes; // all records, encoded
    size_t count;
    size_t opened;
    size_t closed;
    struct gw_drift_alert last; // its text is in the fields below
    char id[600];
    char state[16];
    char kind[16];
    char stream[64];
    gw_status fails; // with this status
};

static inline void world_text(char *to, size_t size, struct gw_slice from)
{
    snprintf(to, size, "%.*s", (int)from.size, (const char *)from.data);
}

// A gw_monitor_alert_sink.
static inline gw_status world_hear(void *context, const struct gw_drift_alert *alert, gw_err *err)
{
    struct world_alerts *alerts = context;
    if (alerts->fails != GW_OK) {
        return gw_fail(err, alerts->fails, "nobody listens");
    }
    assert_ok(gw_drift_alert_encode(alert, &alerts->bytes));
    alerts->count++;
    alerts->opened += gw_slice_is(alert->state, "open");
    alerts->closed += gw_slice_is(alert->state, "close");
    alerts->last = *alert;
    world_text(alerts->id, sizeof alerts->id, alert->alert_id);
    world_text(alerts->state, sizeof alerts->state, alert->state);
    world_text(alerts->kind, sizeof alerts->kind, alert->kind);
    world_text(alerts->stream, sizeof alerts->stream, alert->stream);
    return GW_OK;
}

// ---- the changelog --------------------------------------------------------------------------------------------------

// As compaction leaves it: the newest state of each name; the detector stands in the entry's name.
struct world_log {
    struct gw_monitor_entries entries;
    size_t written;
    size_t tombstones;
    size_t bytes;
};

// A gw_monitor_state_sink.
static inline gw_status world_keep(void *context, struct gw_slice model, struct gw_slice detector,
                                   struct gw_slice state, gw_err *err)
{
    struct world_log *log = context;
    char name[GW_MONITOR_NAME_BYTES];
    world_text(name, sizeof name, detector);
    const struct gw_monitor_entry entry = {.model = model, .name = name, .state = state};
    log->written++;
    log->tombstones += state.data == NULL;
    log->bytes += state.size;
    return gw_monitor_entries_put(&log->entries, &entry, err);
}

static inline void world_restore(const struct world_log *log, struct gw_monitor_watches *watches)
{
    gw_err err = {0};
    for (size_t i = 0; i < log->entries.count; i++) {
        const struct gw_monitor_entry *entry = &log->entries.items[i];
        bool is = false;
        assert_ok_err(
            gw_monitor_watches_restore(watches, entry->model, gw_slice_text(entry->name), entry->state, &is, &err),
            &err);
        assert_true(is);
    }
}
