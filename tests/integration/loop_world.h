// SPDX-License-Identifier: MIT
// A small world: a row is six features and an outcome that follows from them by a law, which can be learned. What
// godwit-train makes of rows of a law, and how good that is. Header only.
#pragma once

#include "support/proc.h"
#include "support/testkit.h"

#include "base/rng.h"
#include "label/bits.h"
#include "model/examples.h"
#include "model/scorer.h"
#include "quality/head_quality.h"

#include <math.h>
#include <stdio.h>

#define LOOP_MODEL "loop-ranker"
#define LOOP_HEAD  "is_favorited"
#define LOOP_TREES "60" // of every training
#define LOOP_DEPTH "4"
#define LOOP_ETA   "0.2"

enum {
    LOOP_FEATURES = 6,
    LOOP_WAIT_MS = 120000,
};

enum loop_law {
    LOOP_LAW_A,
    LOOP_LAW_B,      // the same rate, all weights turned round
    LOOP_NOISE,      // outcomes follow from nothing, at the same rate
    LOOP_COIN,       // each outcome is turned round or not by a coin: another rate
    LOOP_HALF_NOISE, // half of the outcomes follow from nothing
};

static const char *const loop_features[LOOP_FEATURES] = {"user.follower_count",   "tweet.favs_total",
                                                         "tweet.fav_rate",        "tweet.text_length",
                                                         "author.follower_count", "request.source_score"};

// Of the program: a folder for bundles, and chance.
static struct {
    char folder[64];
    struct gw_rng rng;
} loop_world;

// ---- rows -----------------------------------------------------------------------------------------------------------

struct loop_row {
    float features[LOOP_FEATURES];
    bool positive;
};

static inline double loop_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static inline struct loop_row loop_draw(enum loop_law law)
{
    static const double weights[LOOP_FEATURES] = {1.2, -0.9, 0.7, -0.5, 0.4, 0.2};
    static const double offset = -1;
    static const double rate = 0.34; // of laws A and B
    struct loop_row row;
    double sum = 0;
    for (size_t f = 0; f < LOOP_FEATURES; f++) {
        row.features[f] = (float)gw_rng_normal(&loop_world.rng);
        sum += weights[f] * (double)row.features[f];
    }
    double chance = loop_sigmoid(offset + sum);
    if (law == LOOP_LAW_B) {
        chance = loop_sigmoid(offset - sum);
    } else if (law == LOOP_NOISE || (law == LOOP_HALF_NOISE && gw_rng_below(&loop_world.rng, 2) == 0)) {
        chance = rate;
    } else if (law == LOOP_COIN) {
        chance = 0.5;
    }
    row.positive = gw_rng_double(&loop_world.rng) < chance;
    return row;
}

// ---- training directly ----------------------------------------------------------------------------------------------

static inline void loop_write_rows(const char *path, enum loop_law law, size_t count)
{
    const struct gw_examples_header header = {.feature_count = LOOP_FEATURES,
                                              .feature_names = loop_features,
                                              .label_count = GW_LABEL_COUNT,
                                              .label_names = gw_label_names,
                                              .layout = ""};
    struct gw_examples_writer *writer = NULL;
    gw_err err = {0};
    assert_ok_err(gw_examples_writer_new(path, &header, &writer, &err), &err);
    for (size_t i = 0; i < count; i++) {
        struct loop_row row = loop_draw(law);
        const struct gw_example example = {.time_ms = 1700000000000 + (int64_t)i,
                                           .label_bits = row.positive ? GW_LABEL_BIT(FAVORITED) : 0,
                                           .weight = 1,
                                           .features = row.features};
        assert_ok_err(gw_examples_append(writer, &example, &err), &err);
    }
    assert_ok_err(gw_examples_finish(writer, &err), &err);
    gw_examples_writer_free(writer);
}

// Writes <folder>/<name>, a bundle that godwit-train made of so many rows of the law, and gives its path.
static inline void loop_train(const char *name, enum loop_law law, size_t count, char ret_path[96])
{
    char rows[128];
    char log[128];
    char program[512];
    const char *binaries = getenv("GODWIT_BINARY_DIR");
    assert_non_null(binaries);
    snprintf(ret_path, 96, "%s/%.20s", loop_world.folder, name);
    snprintf(rows, sizeof rows, "%s.gwex", ret_path);
    snprintf(log, sizeof log, "%s.log", ret_path);
    snprintf(program, sizeof program, "%s/godwit-train", binaries);
    loop_write_rows(rows, law, count);
    const char *const argv[] = {program,    "--rows",  rows,      "--out",     ret_path,   "--model",
                                LOOP_MODEL, "--heads", LOOP_HEAD, "--trees",   LOOP_TREES, "--depth",
                                LOOP_DEPTH, "--eta",   LOOP_ETA,  "--threads", "1",        NULL};
    struct proc *trainer = proc_start("godwit-train", argv, log);
    if (proc_wait(trainer, LOOP_WAIT_MS) != 0) {
        proc_print_log(trainer);
        fail_msg("godwit-train failed");
    }
    remove(rows);
}

// ---- measuring ------------------------------------------------------------------------------------------------------

static inline float loop_predict(const struct gw_scorer *scorer, const float *features)
{
    float margin = 0;
    float probability = 0;
    gw_scorer_margins(scorer, features, LOOP_FEATURES, 1, &margin);
    gw_scorer_finish(scorer, &margin, 1, &probability, NULL, NULL);
    return probability;
}

// Of both bundles on the same fresh rows.
static inline void loop_measure(struct gw_bundle *const bundles[2], enum loop_law law, size_t count,
                                double ret_entropies[2])
{
    struct gw_head_quality *quality[2];
    struct gw_scorer *scorers[2];
    gw_err err = {0};
    for (int b = 0; b < 2; b++) {
        quality[b] = gw_head_quality_new();
        assert_non_null(quality[b]);
        assert_ok_err(gw_scorer_new(bundles[b], NULL, LOOP_FEATURES, &scorers[b], &err), &err);
    }
    for (size_t i = 0; i < count; i++) {
        struct loop_row row = loop_draw(law);
        for (int b = 0; b < 2; b++) {
            const struct gw_head_row scored = {
                .prediction = (double)loop_predict(scorers[b], row.features), .weight = 1, .positive = row.positive};
            assert_ok_err(gw_head_quality_add(quality[b], &scored, &err), &err);
        }
    }
    for (int b = 0; b < 2; b++) {
        struct gw_head_measures measures;
        gw_head_quality_measure(quality[b], &measures);
        ret_entropies[b] = measures.normalised_entropy;
        gw_head_quality_free(quality[b]);
        gw_scorer_free(scorers[b]);
    }
}
