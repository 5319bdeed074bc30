// SPDX-License-Identifier: MIT
#include "worker/retrain_guard_trial.h"

#include "base/mem.h"
#include "base/rfc3339.h"
#include "label/bits.h"
#include "model/scorer.h"
#include "quality/paired.h"
#include "quality/worse.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define CLIP 1e-4

enum { SIDES = 2, VERSION = 0, FORMER = 1 };

// Both versions bound to the layout of one of them.
struct layout {
    uint64_t fingerprint;
    size_t width;
    struct gw_scorer *scorers[SIDES];
};

struct gw_retrain_trial {
    struct gw_retrain_trial_options options;
    size_t heads[SIDES];
    int label;
    struct layout layouts[SIDES];
    size_t layout_count;
    float *row;
    float *margins;
    float *probabilities;
    struct gw_worse worse;
    double weight_limit;
    uint64_t unusable;
    uint64_t heavy;
    double sum_w;
    double sum_wd;
};

// ---- binding --------------------------------------------------------------------------------------------------------

static int find_label(const char *head)
{
    for (int i = 0; i < GW_LABEL_COUNT; i++) {
        if (strcmp(gw_label_names[i], head) == 0) {
            return i;
        }
    }
    return -1;
}

static gw_status find_heads(struct gw_retrain_trial *trial, gw_err *err)
{
    const struct gw_bundle_info *version = gw_bundle_info(trial->options.version);
    const struct gw_bundle_info *former = gw_bundle_info(trial->options.former);
    const char *name = version->heads[version->primary_head].name;
    trial->label = find_label(name);
    if (trial->label < 0) {
        return gw_fail(err, GW_E_MISMATCH, "the primary head '%.60s' is no label", name);
    }
    trial->heads[VERSION] = version->primary_head;
    for (size_t i = 0; i < former->head_count; i++) {
        if (strcmp(former->heads[i].name, name) == 0) {
            trial->heads[FORMER] = i;
            return GW_OK;
        }
    }
    return gw_fail(err, GW_E_MISMATCH, "version %d has no head '%.60s'", trial->options.duel.former, name);
}

// Gives GW_E_MISMATCH when a feature is not among `names`.
static gw_status bind(struct gw_bundle *bundle, const struct gw_bundle_info *names, struct gw_scorer **ret_scorer,
                      gw_err *err)
{
    const struct gw_bundle_info *info = gw_bundle_info(bundle);
    uint32_t *columns = gw_mem_calloc(info->feature_count, sizeof *columns);
    if (columns == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a trial");
    }
    gw_status status = GW_OK;
    for (size_t i = 0; i < info->feature_count && status == GW_OK; i++) {
        size_t at = 0;
        while (at < names->feature_count && strcmp(names->feature_names[at], info->feature_names[i]) != 0) {
            at++;
        }
        columns[i] = (uint32_t)at;
        if (at == names->feature_count) {
            status = gw_fail(err, GW_E_MISMATCH, "rows of the one lack the feature '%.80s' of the other",
                             info->feature_names[i]);
        }
    }
    if (status == GW_OK) {
        status = gw_scorer_new(bundle, columns, names->feature_count, ret_scorer, err);
    }
    gw_mem_free(columns);
    return status;
}

static void unbind(struct layout *layout)
{
    gw_scorer_free(layout->scorers[VERSION]);
    gw_scorer_free(layout->scorers[FORMER]);
    *layout = (struct layout){0};
}

// Rows of the layout of `whose`, when both can score them.
static gw_status add_layout(struct gw_retrain_trial *trial, struct gw_bundle *whose, gw_err *err)
{
    const struct gw_bundle_info *names = gw_bundle_info(whose);
    struct layout *layout = &trial->layouts[trial->layout_count];
    *layout = (struct layout){.fingerprint = gw_bundle_layout(names), .width = names->feature_count};
    if (trial->layout_count > 0 && layout->fingerprint == trial->layouts[0].fingerprint) {
        return GW_OK;
    }
    gw_status status = bind(trial->options.version, names, &layout->scorers[VERSION], err);
    if (status == GW_OK) {
        status = bind(trial->options.former, names, &layout->scorers[FORMER], err);
    }
    if (status != GW_OK) {
        unbind(layout);
        return status == GW_E_MISMATCH ? GW_OK : status;
    }
    trial->layout_count++;
    return GW_OK;
}

static gw_status prepare(struct gw_retrain_trial *trial, gw_err *err)
{
    const struct gw_retrain_trial_options *options = &trial->options;
    const struct gw_worse_options worse = {
        .clip = CLIP, .gain_limit = INFINITY, .weight_limit = 1, .margin = options->margin, .alpha = options->alpha};
    GW_TRY(gw_worse_init(&worse, &trial->worse, err));
    GW_TRY(find_heads(trial, err));
    GW_TRY(add_layout(trial, options->version, err));
    GW_TRY(add_layout(trial, options->former, err));
    if (trial->layout_count == 0) {
        return gw_fail(err, GW_E_MISMATCH, "neither version has all features of the other");
    }
    const size_t widest =
        GW_MAX(gw_bundle_info(options->version)->feature_count, gw_bundle_info(options->former)->feature_count);
    trial->row = gw_mem_calloc(widest, sizeof(float));
    trial->margins = gw_mem_calloc(GW_BUNDLE_HEADS_MAX, sizeof(float));
    trial->probabilities = gw_mem_calloc(GW_BUNDLE_HEADS_MAX, sizeof(float));
    return trial->row != NULL && trial->margins != NULL && trial->probabilities != NULL
               ? GW_OK
               : gw_fail(err, GW_E_MEMORY, "no memory for a trial");
}

gw_status gw_retrain_trial_new(const struct gw_retrain_trial_options *options, struct gw_retrain_trial **ret_trial,
                               gw_err *err)
{
    struct gw_retrain_trial *trial = gw_mem_calloc(1, sizeof *trial);
    if (trial == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a trial");
    }
    trial->options = *options;
    trial->options.version = gw_bundle_ref(options->version);
    trial->options.former = gw_bundle_ref(options->former);
    trial->weight_limit = 1;
    gw_status status = prepare(trial, err);
    if (status != GW_OK) {
        gw_retrain_trial_free(trial);
        return status;
    }
    *ret_trial = trial;
    return GW_OK;
}

void gw_retrain_trial_free(struct gw_retrain_trial *trial)
{
    if (trial == NULL) {
        return;
    }
    for (size_t i = 0; i < SIDES; i++) {
        unbind(&trial->layouts[i]);
    }
    gw_bundle_unref(trial->options.version);
    gw_bundle_unref(trial->options.former);
    gw_mem_free(trial->row);
    gw_mem_free(trial->margins);
    gw_mem_free(trial->probabilities);
    gw_mem_free(trial);
}

// ---- rows -----------------------------------------------------------------------------------------------------------

static double predict(const struct gw_retrain_trial *trial, const struct layout *layout, int side)
{
    gw_scorer_margins(layout->scorers[side], trial->row, layout->width, 1, trial->margins);
    gw_scorer_finish(layout->scorers[side], trial->margins, 1, trial->probabilities, NULL, NULL);
    return (double)trial->probabilities[trial->heads[side]];
}

static const struct layout *find_layout(const struct gw_retrain_trial *trial, const struct gw_labeled_example *example)
{
    for (size_t i = 0; i < trial->layout_count; i++) {
        const struct layout *layout = &trial->layouts[i];
        if (layout->fingerprint == (uint64_t)example->layout &&
            example->features.size == layout->width * sizeof(float)) {
            return layout;
        }
    }
    return NULL;
}

gw_status gw_retrain_trial_add(struct gw_retrain_trial *trial, const struct gw_labeled_example *example, bool *ret_used,
                               gw_err *err)
{
    const struct layout *layout = find_layout(trial, example);
    const double weight = (double)example->weight;
    *ret_used = false;
    if (example->served_at_ms < trial->options.duel.since_ms || example->served_at_ms > trial->options.until_ms) {
        return GW_OK;
    }
    if (layout == NULL || !isfinite(weight) || weight <= 0) {
        trial->unusable++;
        return GW_OK;
    }
    memcpy(trial->row, example->features.data, example->features.size);
    const double version = predict(trial, layout, VERSION);
    const double former = predict(trial, layout, FORMER);
    if (!(version >= 0 && version <= 1 && former >= 0 && former <= 1)) {
        trial->unusable++;
        return GW_OK;
    }
    const bool positive = (example->label_bits >> trial->label & 1) != 0;
    const double counted = fmin(weight, trial->weight_limit);
    GW_TRY(gw_worse_add(&trial->worse, version, former, positive, counted / trial->weight_limit, err));
    *ret_used = true;
    trial->heavy += weight > trial->options.weight_max;
    trial->weight_limit = fmax(trial->weight_limit, fmin(weight, trial->options.weight_max));
    trial->sum_w += weight;
    trial->sum_wd += weight * gw_paired_difference(CLIP, version, former, positive);
    return GW_OK;
}

// ---- saying ---------------------------------------------------------------------------------------------------------

const struct gw_retrain_duel *gw_retrain_trial_duel(const struct gw_retrain_trial *trial)
{
    return &trial->options.duel;
}

void gw_retrain_trial_count(const struct gw_retrain_trial *trial, struct gw_retrain_trial_counts *ret_counts)
{
    *ret_counts = (struct gw_retrain_trial_counts){.rows = trial->worse.rows,
                                                   .unusable = trial->unusable,
                                                   .heavy = trial->heavy,
                                                   .difference = trial->sum_w > 0 ? trial->sum_wd / trial->sum_w : 0,
                                                   .log_evidence = gw_worse_log_wealth(&trial->worse),
                                                   .proven = gw_worse_is_proven(&trial->worse)};
}

void gw_retrain_trial_say(const struct gw_retrain_trial *trial, char *text, size_t size)
{
    char since[GW_RFC3339_BYTES] = "";
    struct gw_retrain_trial_counts counts;
    const struct gw_retrain_duel *duel = &trial->options.duel;
    gw_retrain_trial_count(trial, &counts);
    (void)gw_rfc3339_format(duel->since_ms, since);
    snprintf(text, size,
             "automatic: log loss worse than version %d by more than %g nats, evidence e >= %.6g (at row %" PRIu64
             ") on %" PRIu64 " rows served since %s; on average %+.4f nats",
             duel->former, trial->options.margin, 1 / trial->options.alpha, trial->worse.crossed_row, counts.rows,
             since, counts.difference);
}
