// SPDX-License-Identifier: MIT
#include "worker/retrain_gate.h"

#include "base/json.h"
#include "base/mem.h"
#include "model/examples.h"
#include "model/scorer.h"
#include "quality/gate.h"

#include <math.h>
#include <stdio.h>

enum { BATCH_ROWS = 256, CHECKS_MAX = 8 };

// A gain of more than this in one row counts as this: rare luck does not promote.
#define GAIN_LIMIT_NATS 1.0
// Of positives, mean prediction over mean label, and what the champion was trained on, to what is seen.
#define PRIOR_FACTOR       3.0
#define CHAMPION_FACTOR    5.0
#define CALIBRATION_FACTOR 1.5
#define MISSING_SHARE_MAX  0.0

// One of the two models under comparison.
struct side {
    struct gw_scorer *scorer;
    size_t head_count;
    size_t head; // that is compared
    float *margins;
    float *probabilities;
};

struct gate {
    const struct gw_retrain_gate_options *options;
    struct gw_examples_reader *reader;
    size_t width;
    int label;
    struct side candidate;
    struct side champion;
    float *rows;
    bool positive[BATCH_ROWS];
    float weight[BATCH_ROWS];
    struct gw_head_quality *candidate_quality;
    struct gw_head_quality *champion_quality;
    struct gw_paired paired;
    uint64_t row_count;
    uint64_t missing;
    struct gw_gate_check checks[CHECKS_MAX];
    size_t check_count;
    struct gw_gate_decision decision;
    struct gw_head_measures candidate_measures;
    struct gw_head_measures champion_measures;
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

static gw_status open_side(struct gate *gate, struct gw_bundle *bundle, const char *head, struct side *side,
                           gw_err *err)
{
    const struct gw_bundle_info *info = gw_bundle_info(bundle);
    uint32_t *columns = gw_mem_calloc(info->feature_count, sizeof *columns);
    if (columns == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the gate");
    }
    gw_status status = find_columns(gw_examples_header(gate->reader), info, columns, err);
    if (status == GW_OK) {
        status = gw_scorer_new(bundle, columns, gate->width, &side->scorer, err);
    }
    gw_mem_free(columns);
    GW_TRY(status);
    side->head_count = info->head_count;
    side->head = info->primary_head;
    for (size_t i = 0; i < info->head_count; i++) {
        if (strcmp(info->heads[i].name, head) == 0) {
            side->head = i;
        }
    }
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

static double probability(const struct side *side, size_t row)
{
    return (double)side->probabilities[row * side->head_count + side->head];
}

// ---- rows -----------------------------------------------------------------------------------------------------------

static gw_status take_batch(struct gate *gate, size_t count, gw_err *err)
{
    score(&gate->candidate, gate->rows, gate->width, count);
    score(&gate->champion, gate->rows, gate->width, count);
    for (size_t i = 0; i < count; i++) {
        double candidate = probability(&gate->candidate, i);
        double champion = probability(&gate->champion, i);
        gate->row_count++;
        if (!(candidate >= 0 && candidate <= 1 && champion >= 0 && champion <= 1)) {
            gate->missing++;
            continue;
        }
        const double weight = (double)gate->weight[i];
        const struct gw_head_row one = {.prediction = candidate, .weight = weight, .positive = gate->positive[i]};
        const struct gw_head_row other = {.prediction = champion, .weight = weight, .positive = gate->positive[i]};
        GW_TRY(gw_head_quality_add(gate->candidate_quality, &one, err));
        GW_TRY(gw_head_quality_add(gate->champion_quality, &other, err));
        GW_TRY(gw_paired_add(&gate->paired, candidate, champion, gate->positive[i], weight, err));
    }
    return GW_OK;
}

static gw_status read_rows(struct gate *gate, gw_err *err)
{
    size_t count = 0;
    for (;;) {
        struct gw_example example = {0};
        bool more = false;
        GW_TRY(gw_examples_next(gate->reader, &example, &more, err));
        if (more) {
            memcpy(gate->rows + count * gate->width, example.features, gate->width * sizeof(float));
            gate->positive[count] = (example.label_bits >> gate->label & 1) != 0;
            gate->weight[count] = example.weight;
            count++;
        }
        if (count == BATCH_ROWS || (!more && count > 0)) {
            GW_TRY(take_batch(gate, count, err));
            count = 0;
        }
        if (!more) {
            return GW_OK;
        }
    }
}

// ---- judging --------------------------------------------------------------------------------------------------------

// heads.<name>.base_rate of what the trainer wrote into the bundle; NaN when it is not there.
static double trained_rate(const char *metadata, const char *head)
{
    const char *const path[] = {"heads", head, "base_rate"};
    struct gw_json json;
    double rate = NAN;
    gw_json_init(&json, gw_slice_text(metadata));
    for (size_t depth = 0; depth < GW_COUNT_OF(path); depth++) {
        struct gw_slice key = {0};
        bool more = false;
        if (gw_json_enter(&json, GW_JSON_OBJECT, NULL) != GW_OK) {
            return NAN;
        }
        for (;;) {
            if (gw_json_next(&json, &more, NULL) != GW_OK || !more || gw_json_key(&json, &key, NULL) != GW_OK) {
                return NAN;
            }
            if (gw_slice_is(key, path[depth])) {
                break;
            }
            if (gw_json_skip(&json, NULL) != GW_OK) {
                return NAN;
            }
        }
    }
    return gw_json_double(&json, &rate, NULL) == GW_OK ? rate : NAN;
}

static void add_check(struct gate *gate, struct gw_gate_check check, const char *name)
{
    if (name != NULL) {
        check.name = name;
    }
    gate->checks[gate->check_count++] = check;
}

static void judge(struct gate *gate)
{
    const struct gw_retrain_gate_options *options = gate->options;
    const struct gw_bundle_info *champion = gw_bundle_info(options->champion);
    const struct gw_bundle_info *candidate = gw_bundle_info(options->candidate);
    struct gw_gate_check informs[2];
    gw_head_quality_measure(gate->candidate_quality, &gate->candidate_measures);
    gw_head_quality_measure(gate->champion_quality, &gate->champion_measures);
    gw_gate_decide(&gate->paired, options->margin, options->alpha, &gate->decision);
    gw_gate_check_informs(&gate->candidate_measures, informs);
    add_check(gate, informs[0], NULL);
    add_check(gate, informs[1], NULL);
    add_check(gate, gw_gate_check_prior(&gate->candidate_measures, options->train_rate, PRIOR_FACTOR), NULL);
    double rate = trained_rate(champion->metadata_json, candidate->heads[candidate->primary_head].name);
    if (!isnan(rate)) {
        add_check(gate, gw_gate_check_prior(&gate->candidate_measures, rate, CHAMPION_FACTOR), "prior_of_champion");
    }
    add_check(gate, gw_gate_check_calibration(&gate->candidate_measures, CALIBRATION_FACTOR), NULL);
    add_check(gate, gw_gate_check_missing(gate->missing, gate->row_count, MISSING_SHARE_MAX), NULL);
}

static void write_double(struct gw_json_writer *to, const char *key, double value)
{
    gw_json_write_key(to, key);
    gw_json_write_double(to, value);
}

static void write_measures(struct gw_json_writer *to, const char *key, const struct gw_head_measures *measures)
{
    gw_json_write_key(to, key);
    gw_json_object_begin(to);
    write_double(to, "logLoss", measures->log_loss);
    write_double(to, "normalisedEntropy", measures->normalised_entropy);
    write_double(to, "auc", measures->auc);
    write_double(to, "calibration", measures->calibration);
    gw_json_object_end(to);
}

static void write_checks(struct gw_json_writer *to, const struct gate *gate)
{
    gw_json_write_key(to, "checks");
    gw_json_array_begin(to);
    for (size_t i = 0; i < gate->check_count; i++) {
        const struct gw_gate_check *check = &gate->checks[i];
        gw_json_object_begin(to);
        gw_json_write_key(to, "name");
        gw_json_write_text(to, check->name);
        gw_json_write_key(to, "passed");
        gw_json_write_bool(to, check->passed);
        write_double(to, "value", check->value);
        write_double(to, "low", check->low);
        write_double(to, "high", check->high);
        gw_json_object_end(to);
    }
    gw_json_array_end(to);
}

static gw_status write_verdict(const struct gate *gate, struct gw_retrain_verdict *verdict, gw_err *err)
{
    const struct gw_gate_decision *decision = &gate->decision;
    struct gw_json_writer to;
    gw_json_writer_init(&to, &verdict->json);
    gw_json_object_begin(&to);
    gw_json_write_key(&to, "passed");
    gw_json_write_bool(&to, verdict->passed);
    gw_json_write_key(&to, "verdict");
    gw_json_write_text(&to, gw_gate_verdict_name(decision->verdict));
    gw_json_write_key(&to, "rows");
    gw_json_write_u64(&to, decision->rows);
    gw_json_write_key(&to, "positives");
    gw_json_write_u64(&to, gate->candidate_measures.positive_rows);
    write_double(&to, "margin", decision->margin);
    write_double(&to, "alpha", decision->alpha);
    write_double(&to, "lossDifference", decision->bounds.mean);
    write_double(&to, "lossDifferenceLow", decision->bounds.low);
    write_double(&to, "lossDifferenceHigh", decision->bounds.high);
    write_double(&to, "clippedShare", decision->clipped_share);
    write_measures(&to, "candidate", &gate->candidate_measures);
    write_measures(&to, "champion", &gate->champion_measures);
    write_checks(&to, gate);
    gw_json_object_end(&to);
    GW_TRY(gw_json_writer_finish(&to, err));
    gw_status status = gw_buf_append(&verdict->json, "", 1);
    if (status != GW_OK) {
        return gw_fail(err, status, "no memory for a verdict");
    }
    verdict->json.size--;
    return GW_OK;
}

static void put_into_words(const struct gate *gate, struct gw_retrain_verdict *verdict)
{
    const struct gw_gate_decision *d = &gate->decision;
    size_t used = (size_t)snprintf(verdict->reason, sizeof verdict->reason,
                                   "gate %s: log loss differs by %.6f (between %.6f and %.6f) on %llu later rows, "
                                   "margin %.6f",
                                   gw_gate_verdict_name(d->verdict), d->bounds.mean, d->bounds.low, d->bounds.high,
                                   (unsigned long long)d->rows, d->margin);
    verdict->passed = d->verdict == GW_GATE_PASS;
    for (size_t i = 0; i < gate->check_count && used < sizeof verdict->reason; i++) {
        const struct gw_gate_check *check = &gate->checks[i];
        if (!check->passed) {
            verdict->passed = false;
            int more = snprintf(verdict->reason + used, sizeof verdict->reason - used,
                                "; check %s failed: %.6g, allowed %.6g to %.6g", check->name, check->value, check->low,
                                check->high);
            used += more > 0 ? (size_t)more : 0;
        }
    }
}

// ---- life -----------------------------------------------------------------------------------------------------------

static int label_of(const struct gw_examples_header *header, const char *head)
{
    for (size_t i = 0; i < header->label_count; i++) {
        if (strcmp(header->label_names[i], head) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static gw_status prepare(struct gate *gate, gw_err *err)
{
    const struct gw_retrain_gate_options *options = gate->options;
    const struct gw_bundle_info *info = gw_bundle_info(options->candidate);
    const char *head = info->heads[info->primary_head].name;
    const struct gw_paired_options paired = {.clip = GW_HEAD_QUALITY_CLIP,
                                             .gain_limit = GAIN_LIMIT_NATS,
                                             .weight_limit = (double)options->weight_max,
                                             .alpha = options->alpha};
    GW_TRY(gw_examples_reader_new(options->gate_path, &gate->reader, err));
    const struct gw_examples_header *header = gw_examples_header(gate->reader);
    struct gw_paired_options sized = paired;
    sized.rows_expected = gw_examples_count(gate->reader);
    gate->width = header->feature_count;
    gate->label = label_of(header, head);
    if (gate->label < 0) {
        return gw_fail(err, GW_E_MISMATCH, "the candidate's primary head '%.60s' is no label", head);
    }
    gate->rows = gw_mem_calloc(BATCH_ROWS * gate->width, sizeof(float));
    gate->candidate_quality = gw_head_quality_new();
    gate->champion_quality = gw_head_quality_new();
    if (gate->rows == NULL || gate->candidate_quality == NULL || gate->champion_quality == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the gate");
    }
    GW_TRY(open_side(gate, options->candidate, head, &gate->candidate, err));
    GW_TRY(open_side(gate, options->champion, head, &gate->champion, err));
    return gw_paired_init(&sized, &gate->paired, err);
}

static gw_status run(struct gate *gate, struct gw_retrain_verdict *verdict, gw_err *err)
{
    GW_TRY(prepare(gate, err));
    GW_TRY(read_rows(gate, err));
    judge(gate);
    put_into_words(gate, verdict);
    return write_verdict(gate, verdict, err);
}

gw_status gw_retrain_gate(const struct gw_retrain_gate_options *options, struct gw_retrain_verdict *ret_verdict,
                          gw_err *err)
{
    struct gate *gate = gw_mem_calloc(1, sizeof *gate);
    struct gw_retrain_verdict verdict = {.reason = ""};
    if (gate == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the gate");
    }
    gate->options = options;
    gw_status status = run(gate, &verdict, err);
    close_side(&gate->candidate);
    close_side(&gate->champion);
    gw_head_quality_free(gate->candidate_quality);
    gw_head_quality_free(gate->champion_quality);
    gw_mem_free(gate->rows);
    gw_examples_reader_free(gate->reader);
    gw_mem_free(gate);
    if (status != GW_OK) {
        gw_buf_deinit(&verdict.json);
        return status;
    }
    *ret_verdict = verdict;
    return GW_OK;
}
