// SPDX-License-Identifier: MIT
// The gate's rows: both models score each, and every head that they share adds them up.
#include "worker/retrain_gate_internal.h"

#include "base/mem.h"
#include "model/scorer.h"
#include "worker/retrain_trained.h"

#include <math.h>
#include <string.h>

enum { BATCH_ROWS = 256 };

// A gain of more than this in one row counts as this: rare luck does not promote.
#define GAIN_LIMIT_NATS 2.0
// Where predictions are clipped: at this share of the positive rate, and no higher than that.
#define CLIP_OF_RATE (1.0 / 20)
#define CLIP_MAX     0.01

// One of the two models under comparison.
struct side {
    struct gw_scorer *scorer;
    size_t head_count;
    float *margins;
    float *probabilities;
};

struct reading {
    struct gw_retrain_gate *gate;
    struct gw_examples_reader *reader;
    size_t width;
    struct side candidate;
    struct side champion;
    float *rows;
    uint64_t label_bits[BATCH_ROWS];
    float weight[BATCH_ROWS];
};

// ---- the two models -------------------------------------------------------------------------------------------------

static gw_status find_columns(const struct gw_examples_header *header, const struct gw_bundle_info *info,
                              uint32_t *columns, gw_err *err)
{
    for (size_t i = 0; i < info->feature_count; i++) {
        size_t at = 0;
        while (at < header->feature_count && strcmp(header->feature_names[at], info->feature_names[i]) != 0) {
            at++;
        }
        if (at == header->feature_count) {
            return gw_fail(err, GW_E_MISMATCH, "examples lack the feature '%.80s' of a model", info->feature_names[i]);
        }
        columns[i] = (uint32_t)at;
    }
    return GW_OK;
}

static gw_status open_side(struct reading *reading, struct gw_bundle *bundle, struct side *side, gw_err *err)
{
    const struct gw_bundle_info *info = gw_bundle_info(bundle);
    uint32_t *columns = gw_mem_calloc(info->feature_count, sizeof *columns);
    if (columns == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the gate");
    }
    gw_status status = find_columns(gw_examples_header(reading->reader), info, columns, err);
    if (status == GW_OK) {
        status = gw_scorer_new(bundle, columns, reading->width, &side->scorer, err);
    }
    gw_mem_free(columns);
    GW_TRY(status);
    side->head_count = info->head_count;
    side->margins = gw_mem_calloc(BATCH_ROWS * info->head_count, sizeof(float));
    side->probabilities = gw_mem_calloc(BATCH_ROWS * info->head_count, sizeof(float));
    return side->margins != NULL && side->probabilities != NULL ? GW_OK
                                                                : gw_fail(err, GW_E_MEMORY, "no memory for the gate");
}

static void close_side(struct side *side)
{
    gw_scorer_free(side->scorer);
    gw_mem_free(side->margins);
    gw_mem_free(side->probabilities);
}

static void score(const struct side *side, const float *rows, size_t width, size_t count)
{
    gw_scorer_margins(side->scorer, rows, width, count, side->margins);
    gw_scorer_finish(side->scorer, side->margins, count, side->probabilities, NULL, NULL);
}

static double probability(const struct side *side, size_t row, size_t head)
{
    return (double)side->probabilities[row * side->head_count + head];
}

// ---- heads ----------------------------------------------------------------------------------------------------------

// -1: there is none.
static int find_label(const struct gw_examples_header *header, const char *head)
{
    for (size_t i = 0; i < header->label_count; i++) {
        if (strcmp(header->label_names[i], head) == 0) {
            return (int)i;
        }
    }
    return -1;
}

// Gives `otherwise` when there is none.
static size_t find_head(const struct gw_bundle_info *info, const char *head, size_t otherwise)
{
    for (size_t i = 0; i < info->head_count; i++) {
        if (strcmp(info->heads[i].name, head) == 0) {
            return i;
        }
    }
    return otherwise;
}

static double choose_clip(double positive_rate)
{
    double rarer = fmin(positive_rate, 1 - positive_rate);
    return rarer > 0 ? fmin(fmax(rarer * CLIP_OF_RATE, GW_HEAD_QUALITY_CLIP), CLIP_MAX) : GW_HEAD_QUALITY_CLIP;
}

static gw_status add_head(struct reading *reading, size_t candidate, size_t champion, double positive_rate, gw_err *err)
{
    struct gw_retrain_gate *gate = reading->gate;
    struct gw_retrain_gate_head *head = &gate->heads[gate->head_count++];
    head->name = gw_bundle_info(gate->options->candidate)->heads[candidate].name;
    head->label = find_label(gw_examples_header(reading->reader), head->name);
    head->candidate = candidate;
    head->champion = champion;
    head->candidate_quality = gw_head_quality_new();
    head->champion_quality = gw_head_quality_new();
    if (head->candidate_quality == NULL || head->champion_quality == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the gate");
    }
    const struct gw_paired_options paired = {.clip = choose_clip(positive_rate),
                                             .gain_limit = GAIN_LIMIT_NATS,
                                             .weight_limit = (double)gate->options->weight_max,
                                             .alpha = gate->options->alpha,
                                             .rows_expected = gw_examples_count(reading->reader)};
    return gw_paired_init(&paired, &head->paired, err);
}

static gw_status add_heads(struct reading *reading, gw_err *err)
{
    const struct gw_retrain_gate_options *options = reading->gate->options;
    const struct gw_bundle_info *candidate = gw_bundle_info(options->candidate);
    const struct gw_bundle_info *champion = gw_bundle_info(options->champion);
    const struct gw_examples_header *header = gw_examples_header(reading->reader);
    const size_t primary = candidate->primary_head;
    const char *name = candidate->heads[primary].name;
    if (find_label(header, name) < 0) {
        return gw_fail(err, GW_E_MISMATCH, "the candidate's primary head '%.60s' is no label", name);
    }
    GW_TRY(add_head(reading, primary, find_head(champion, name, champion->primary_head), options->train_rate, err));
    for (size_t i = 0; i < candidate->head_count; i++) {
        name = candidate->heads[i].name;
        const size_t other = find_head(champion, name, champion->head_count);
        if (i != primary && other < champion->head_count && find_label(header, name) >= 0) {
            GW_TRY(add_head(reading, i, other, gw_retrain_trained(candidate->metadata_json, name, "base_rate"), err));
        }
    }
    return GW_OK;
}

// ---- rows -----------------------------------------------------------------------------------------------------------

static bool is_probability(double value)
{
    return value >= 0 && value <= 1;
}

static bool has_numbers(const struct reading *reading, size_t row)
{
    bool has = true;
    for (size_t h = 0; h < reading->gate->head_count; h++) {
        const struct gw_retrain_gate_head *head = &reading->gate->heads[h];
        has = has && is_probability(probability(&reading->candidate, row, head->candidate)) &&
              is_probability(probability(&reading->champion, row, head->champion));
    }
    return has;
}

static gw_status add_row(const struct reading *reading, size_t row, struct gw_retrain_gate_head *head, gw_err *err)
{
    const double candidate = probability(&reading->candidate, row, head->candidate);
    const double champion = probability(&reading->champion, row, head->champion);
    const double weight = (double)reading->weight[row];
    const bool positive = (reading->label_bits[row] >> head->label & 1) != 0;
    const struct gw_head_row one = {.prediction = candidate, .weight = weight, .positive = positive};
    const struct gw_head_row other = {.prediction = champion, .weight = weight, .positive = positive};
    GW_TRY(gw_head_quality_add(head->candidate_quality, &one, err));
    GW_TRY(gw_head_quality_add(head->champion_quality, &other, err));
    return gw_paired_add(&head->paired, candidate, champion, positive, weight, err);
}

static gw_status take_batch(struct reading *reading, size_t count, gw_err *err)
{
    struct gw_retrain_gate *gate = reading->gate;
    score(&reading->candidate, reading->rows, reading->width, count);
    score(&reading->champion, reading->rows, reading->width, count);
    for (size_t i = 0; i < count; i++) {
        gate->row_count++;
        if (!has_numbers(reading, i)) {
            gate->missing++;
            continue;
        }
        for (size_t h = 0; h < gate->head_count; h++) {
            GW_TRY(add_row(reading, i, &gate->heads[h], err));
        }
    }
    return GW_OK;
}

static gw_status read_rows(struct reading *reading, gw_err *err)
{
    size_t count = 0;
    for (;;) {
        struct gw_example example = {0};
        bool more = false;
        GW_TRY(gw_examples_next(reading->reader, &example, &more, err));
        if (more) {
            memcpy(reading->rows + count * reading->width, example.features, reading->width * sizeof(float));
            reading->label_bits[count] = example.label_bits;
            reading->weight[count] = example.weight;
            count++;
        }
        if (count == BATCH_ROWS || (!more && count > 0)) {
            GW_TRY(take_batch(reading, count, err));
            count = 0;
        }
        if (!more) {
            return GW_OK;
        }
    }
}

static gw_status read_all(struct reading *reading, gw_err *err)
{
    const struct gw_retrain_gate_options *options = reading->gate->options;
    GW_TRY(gw_examples_reader_new(options->gate_path, &reading->reader, err));
    reading->width = gw_examples_header(reading->reader)->feature_count;
    reading->rows = gw_mem_calloc(BATCH_ROWS * reading->width, sizeof(float));
    if (reading->rows == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the gate");
    }
    GW_TRY(add_heads(reading, err));
    GW_TRY(open_side(reading, options->candidate, &reading->candidate, err));
    GW_TRY(open_side(reading, options->champion, &reading->champion, err));
    return read_rows(reading, err);
}

gw_status gw_retrain_gate_read(struct gw_retrain_gate *gate, gw_err *err)
{
    struct reading *reading = gw_mem_calloc(1, sizeof *reading);
    if (reading == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the gate");
    }
    reading->gate = gate;
    gw_status status = read_all(reading, err);
    close_side(&reading->candidate);
    close_side(&reading->champion);
    gw_mem_free(reading->rows);
    gw_examples_reader_free(reading->reader);
    gw_mem_free(reading);
    return status;
}
