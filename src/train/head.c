// SPDX-License-Identifier: MIT
#include "train/head.h"

#include "base/mem.h"
#include "train/calibrate.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

struct training {
    struct gw_rows *rows;
    const struct gw_train_options *options;
    const char *label;
    gw_head_progress progress;
    void *progress_context;
    float *labels;
    struct gw_matrix *matrices[2]; // learned from, held out
    struct gw_booster *booster;
    struct gw_head_result result;
    gw_err *err;
};

static gw_status set_labels(struct training *t)
{
    size_t bit = 0;
    GW_TRY(gw_rows_label(t->rows, t->label, &bit, t->err));
    t->labels = gw_mem_calloc(t->rows->count, sizeof *t->labels);
    if (t->labels == NULL) {
        return gw_fail(t->err, GW_E_MEMORY, "no memory for %zu labels", t->rows->count);
    }
    double weight_sum = 0;
    double positive_weight = 0;
    for (size_t i = 0; i < t->rows->count; i++) {
        bool positive = (t->rows->label_bits[i] >> bit & 1) != 0;
        bool train = i < t->rows->train_count;
        t->labels[i] = positive ? 1.0f : 0.0f;
        *(train ? &t->result.train_positives : &t->result.holdout_positives) += positive;
        weight_sum += train ? (double)t->rows->weights[i] : 0;
        positive_weight += train && positive ? (double)t->rows->weights[i] : 0;
    }
    if (t->result.train_positives == 0 || t->result.train_positives == t->rows->train_count) {
        return gw_fail(t->err, GW_E_INVALID,
                       "%" PRIu64 " of %zu training examples are positive, both classes are needed",
                       t->result.train_positives, t->rows->train_count);
    }
    t->result.base_score = positive_weight / weight_sum;
    return GW_OK;
}

static gw_status make_matrix(struct training *t, size_t begin, size_t end, struct gw_matrix **ret_matrix)
{
    const struct gw_matrix_data data = {
        .rows = t->rows->features + begin * t->rows->header->feature_count,
        .row_count = end - begin,
        .column_count = t->rows->header->feature_count,
        .labels = t->labels + begin,
        .weights = t->rows->weights + begin,
    };
    return gw_matrix_new(&data, ret_matrix, t->err);
}

// The matrices are copies: what is measured later are the rows with their infinities, as they are served.
static gw_status make_matrices(struct training *t)
{
    gw_rows_clamp(t->rows);
    gw_status status = make_matrix(t, 0, t->rows->train_count, &t->matrices[0]);
    if (status == GW_OK) {
        status = make_matrix(t, t->rows->train_count, t->rows->count, &t->matrices[1]);
    }
    gw_rows_unclamp(t->rows);
    return status;
}

// base_score is given, because versions differ in what they choose by themselves.
static gw_status make_booster(struct training *t)
{
    char depth[16];
    char eta[32];
    char seed[16];
    char threads[16];
    char base_score[32];
    snprintf(depth, sizeof depth, "%u", t->options->depth);
    snprintf(eta, sizeof eta, "%.9g", t->options->eta);
    snprintf(seed, sizeof seed, "%u", t->options->seed);
    snprintf(threads, sizeof threads, "%u", t->options->thread_count);
    snprintf(base_score, sizeof base_score, "%.9g", GW_MIN(GW_MAX(t->result.base_score, 1e-6), 1 - 1e-6));
    const struct gw_booster_param params[] = {
        {"objective", "binary:logistic"}, {"tree_method", "hist"}, {"max_depth", depth}, {"eta", eta},
        {"base_score", base_score},       {"seed", seed},          {"nthread", threads}, {"max_bin", "256"},
    };
    return gw_booster_new(t->matrices, 2, params, GW_COUNT_OF(params), &t->booster, t->err);
}

static gw_status boost(struct training *t)
{
    const size_t first = t->rows->train_count;
    const size_t count = t->rows->count - first;
    double best_loss = (double)INFINITY;
    uint32_t best_round = 0;
    for (uint32_t round = 0; round < t->options->tree_count; round++) {
        const float *margins = NULL;
        GW_TRY(gw_booster_update(t->booster, (int)round, t->matrices[0], t->err));
        GW_TRY(gw_booster_margins(t->booster, t->matrices[1], &margins, t->err));
        double loss = gw_measure_log_loss(margins, t->labels + first, t->rows->weights + first, count);
        t->progress(t->progress_context, t->label, round, loss);
        if (loss < best_loss) {
            best_loss = loss;
            best_round = round;
        }
        if (t->options->early_stopping_rounds > 0 && round - best_round >= t->options->early_stopping_rounds) {
            break;
        }
    }
    bool cut = t->options->early_stopping_rounds > 0;
    t->result.tree_count = cut ? best_round + 1 : t->options->tree_count;
    GW_TRY(gw_booster_slice(t->booster, (int)t->result.tree_count, &t->result.booster, t->err));
    return gw_booster_name_features(t->result.booster, t->rows->header->feature_names, t->rows->header->feature_count,
                                    t->err);
}

// Measures what is served: calibrated, and among all negatives, of which the rows have only a share.
static gw_status measure(struct training *t)
{
    const size_t first = t->rows->train_count;
    const size_t count = t->rows->count - first;
    const size_t width = t->rows->header->feature_count;
    const float *labels = t->labels + first;
    GW_CLEANUP(gw_mem_cleanup) float *margins = gw_mem_calloc(count, sizeof *margins);
    GW_CLEANUP(gw_mem_cleanup) float *weights = gw_mem_calloc(count, sizeof *weights);
    if (margins == NULL || weights == NULL) {
        return gw_fail(t->err, GW_E_MEMORY, "no memory for %zu margins", count);
    }
    GW_TRY(gw_booster_predict(t->result.booster, t->rows->features + first * width, count, width, GW_BOOSTER_MARGIN,
                              margins, t->err));
    const struct gw_train_margins rows = {
        .margins = margins, .labels = labels, .weights = t->rows->weights + first, .count = count};
    GW_TRY(gw_train_calibrate(&rows, t->options->negative_rate, &t->result.calibration, t->err));
    for (size_t i = 0; i < count; i++) {
        margins[i] = gw_train_calibrated_margin(&t->result.calibration, margins[i]);
        weights[i] =
            gw_train_population_weight(t->rows->weights[first + i], labels[i] > 0.5f, t->options->negative_rate);
    }
    return gw_measure_all(margins, labels, weights, count, &t->result.holdout, t->err);
}

static gw_status train(struct training *t)
{
    GW_TRY(set_labels(t));
    GW_TRY(make_matrices(t));
    GW_TRY(make_booster(t));
    GW_TRY(boost(t));
    return measure(t);
}

gw_status gw_head_train(struct gw_rows *rows, const struct gw_train_options *options, const char *label,
                        gw_head_progress progress, void *context, struct gw_head_result *ret_result, gw_err *err)
{
    struct training t = {.rows = rows,
                         .options = options,
                         .label = label,
                         .progress = progress,
                         .progress_context = context,
                         .err = err};
    gw_status status = train(&t);
    gw_booster_free(t.booster);
    gw_matrix_free(t.matrices[0]);
    gw_matrix_free(t.matrices[1]);
    gw_mem_free(t.labels);
    if (status != GW_OK) {
        gw_booster_free(t.result.booster);
        return gw_fail_context(err, status, "head '%s'", label);
    }
    *ret_result = t.result;
    return GW_OK;
}
