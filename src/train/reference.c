// SPDX-License-Identifier: MIT
#include "train/reference.h"

#include "base/mem.h"
#include "drift/profile.h"
#include "model/scorer.h"
#include "train/calibrate.h"

#include <stdio.h>
#include <string.h>

#define BATCH_ROWS 1024

struct builder {
    const struct gw_train_options *options;
    struct gw_rows *rows;
    struct gw_rows other; // of --reference
    struct gw_bundle *bundle;
    struct gw_scorer *scorer;
    float *probabilities; // of the examples held out: [labelled_count][head_count]
    uint8_t *labels;      // likewise
    float *holdout_scores;
    float *other_scores;
    struct gw_drift_rows in;
    struct gw_reference *out;
    gw_err *err;
};

static gw_status check_features(const struct gw_examples_header *reference, const struct gw_examples_header *examples,
                                const char *path, gw_err *err)
{
    if (reference->feature_count != examples->feature_count) {
        return gw_fail(err, GW_E_MISMATCH, "reference '%.100s': feature count %zu, the examples have %zu", path,
                       reference->feature_count, examples->feature_count);
    }
    for (size_t f = 0; f < examples->feature_count; f++) {
        if (strcmp(reference->feature_names[f], examples->feature_names[f]) != 0) {
            return gw_fail(err, GW_E_MISMATCH, "reference '%.100s': feature %zu is '%.64s', in the examples '%.64s'",
                           path, f, reference->feature_names[f], examples->feature_names[f]);
        }
    }
    return GW_OK;
}

gw_status gw_reference_check(const struct gw_train_options *options, const struct gw_examples_header *header,
                             gw_err *err)
{
    if (options->reference_path == NULL) {
        return GW_OK;
    }
    struct gw_examples_reader *reader = NULL;
    GW_TRY(gw_examples_reader_new(options->reference_path, &reader, err));
    gw_status status = check_features(gw_examples_header(reader), header, options->reference_path, err);
    gw_examples_reader_free(reader);
    return status;
}

static gw_status make_scorer(struct builder *b, const struct gw_bundle_draft *draft)
{
    GW_TRY(gw_bundle_of_draft(draft, &b->bundle, b->err));
    return gw_scorer_new(b->bundle, NULL, b->rows->header->feature_count, &b->scorer, b->err);
}

// Batch by batch; `probabilities` may be NULL.
static gw_status score(struct builder *b, const float *features, size_t count, float *probabilities, float *scores)
{
    const size_t width = b->rows->header->feature_count;
    const size_t head_count = b->options->head_count;
    GW_CLEANUP(gw_mem_cleanup) float *margins = gw_mem_calloc(BATCH_ROWS * head_count, sizeof *margins);
    GW_CLEANUP(gw_mem_cleanup) float *batch = gw_mem_calloc(BATCH_ROWS * head_count, sizeof *batch);
    if (margins == NULL || batch == NULL) {
        return gw_fail(b->err, GW_E_MEMORY, "no memory to score %d rows", BATCH_ROWS);
    }
    for (size_t at = 0; at < count; at += BATCH_ROWS) {
        const size_t size = GW_MIN(count - at, (size_t)BATCH_ROWS);
        gw_scorer_margins(b->scorer, features + at * width, width, size, margins);
        gw_scorer_finish(b->scorer, margins, size, batch, scores + at, NULL);
        if (probabilities != NULL) {
            memcpy(probabilities + at * head_count, batch, size * head_count * sizeof *batch);
        }
    }
    return GW_OK;
}

// With a share of the negatives only, each stands for more than itself. There is one head then (options.c).
static gw_status weigh_negatives(struct builder *b)
{
    size_t bit = 0;
    GW_TRY(gw_rows_label(b->rows, b->options->heads[0].name, &bit, b->err));
    for (size_t i = 0; b->options->negative_rate < 1 && i < b->rows->count; i++) {
        b->rows->weights[i] = gw_train_population_weight(b->rows->weights[i], (b->rows->label_bits[i] >> bit & 1) != 0,
                                                         b->options->negative_rate);
    }
    return GW_OK;
}

static gw_status score_holdout(struct builder *b)
{
    const size_t first = b->rows->train_count;
    const size_t head_count = b->options->head_count;
    const size_t all = b->rows->count - first;
    const size_t count =
        b->options->baseline_as_sampled ? all : gw_rows_thin(b->rows, first, all, b->options->seed);
    b->probabilities = gw_mem_calloc(count * head_count, sizeof *b->probabilities);
    b->labels = gw_mem_calloc(count * head_count, sizeof *b->labels);
    b->holdout_scores = gw_mem_calloc(count, sizeof *b->holdout_scores);
    if (b->probabilities == NULL || b->labels == NULL || b->holdout_scores == NULL) {
        return gw_fail(b->err, GW_E_MEMORY, "no memory for the scores of %zu rows", count);
    }
    for (size_t h = 0; h < head_count; h++) {
        size_t bit = 0;
        GW_TRY(gw_rows_label(b->rows, b->options->heads[h].name, &bit, b->err));
        for (size_t i = 0; i < count; i++) {
            b->labels[i * head_count + h] = (uint8_t)(b->rows->label_bits[first + i] >> bit & 1);
        }
    }
    b->in.labelled_count = count;
    b->in.probabilities = b->probabilities;
    b->in.labels = b->labels;
    b->in.head_count = (uint32_t)head_count;
    return score(b, b->rows->features + first * b->rows->header->feature_count, count, b->probabilities,
                 b->holdout_scores);
}

static void use_examples(struct builder *b)
{
    b->out->source = "training";
    b->in.row_count = gw_rows_thin(b->rows, 0, b->rows->train_count, b->options->seed);
    b->in.values = b->rows->features;
    b->in.score_count = b->in.labelled_count;
    b->in.scores = b->holdout_scores;
}

static gw_status use_file(struct builder *b)
{
    b->out->source = "reference";
    gw_rows_release_features(b->rows); // there need not be room for both
    GW_TRY(gw_rows_load_whole(b->options->reference_path, &b->other, b->err));
    GW_TRY(check_features(b->other.header, b->rows->header, b->options->reference_path, b->err));
    b->in.row_count = b->other.count;
    b->in.values = b->other.features;
    b->other_scores = gw_mem_calloc(GW_MAX(b->other.count, (size_t)1), sizeof *b->other_scores);
    if (b->other_scores == NULL) {
        return gw_fail(b->err, GW_E_MEMORY, "no memory for the scores of %zu rows", b->other.count);
    }
    b->in.score_count = b->other.count;
    b->in.scores = b->other_scores;
    return score(b, b->other.features, b->other.count, NULL, b->other_scores);
}

// Sets the reason when no profile can be made of this.
static bool is_possible(struct builder *b)
{
    const struct gw_examples_header *header = b->rows->header;
    for (size_t f = 0; f < header->feature_count; f++) {
        if (strlen(header->feature_names[f]) > GW_DRIFT_NAME_BYTES_MAX) {
            snprintf(b->out->reason, sizeof b->out->reason, "the name of feature '%.64s...' has more than %d bytes",
                     header->feature_names[f], GW_DRIFT_NAME_BYTES_MAX);
            return false;
        }
    }
    size_t fewest = GW_MIN(b->in.row_count, GW_MIN(b->in.score_count, b->in.labelled_count));
    if (fewest < GW_DRIFT_ROWS_MIN) {
        snprintf(b->out->reason, sizeof b->out->reason,
                 "%zu vectors, %zu scores and %zu held-out examples, of each at least %d are needed", b->in.row_count,
                 b->in.score_count, b->in.labelled_count, GW_DRIFT_ROWS_MIN);
        return false;
    }
    return true;
}

static gw_status write_profile(struct builder *b)
{
    const char *head_names[GW_BUNDLE_HEADS_MAX];
    for (size_t h = 0; h < b->options->head_count; h++) {
        head_names[h] = b->options->heads[h].name;
    }
    b->in.feature_count = (uint32_t)b->rows->header->feature_count;
    b->in.names = b->rows->header->feature_names;
    b->in.head_names = head_names;
    const struct gw_drift_build_options options = {.tolerance_min = b->options->drift_tolerance};
    struct gw_drift_profile *profile = NULL;
    GW_TRY(gw_drift_profile_build(&b->in, &options, &profile, b->err));
    for (size_t h = 0; h < b->options->head_count; h++) {
        b->out->losses[h] = profile->heads[h].mean;
    }
    gw_status status = gw_drift_profile_write(profile, &b->out->profile, b->err);
    gw_drift_profile_free(profile);
    return status;
}

static gw_status build(struct builder *b, const struct gw_bundle_draft *draft)
{
    GW_TRY(make_scorer(b, draft));
    GW_TRY(weigh_negatives(b));
    GW_TRY(score_holdout(b));
    if (b->options->reference_path != NULL) {
        GW_TRY(use_file(b));
    } else {
        use_examples(b);
    }
    b->out->row_count = b->in.row_count;
    b->out->labelled_count = b->in.labelled_count;
    return is_possible(b) ? write_profile(b) : GW_OK;
}

gw_status gw_reference_build(const struct gw_train_options *options, const struct gw_bundle_draft *draft,
                             struct gw_rows *rows, struct gw_reference *reference, gw_err *err)
{
    *reference = (struct gw_reference){0};
    struct builder b = {.options = options, .rows = rows, .out = reference, .err = err};
    gw_status status = build(&b, draft);
    gw_scorer_free(b.scorer);
    gw_bundle_unref(b.bundle);
    gw_rows_deinit(&b.other);
    gw_rows_release_features(rows);
    gw_mem_free(b.probabilities);
    gw_mem_free(b.labels);
    gw_mem_free(b.holdout_scores);
    gw_mem_free(b.other_scores);
    return status == GW_OK ? GW_OK : gw_fail_context(err, status, "drift reference");
}

void gw_reference_deinit(struct gw_reference *reference)
{
    gw_buf_deinit(&reference->profile);
}
