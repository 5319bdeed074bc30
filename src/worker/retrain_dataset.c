// SPDX-License-Identifier: MIT
#include "worker/retrain_dataset.h"

#include "base/hash.h"
#include "base/mem.h"
#include "label/bits.h"
#include "model/examples.h"

#include "worker/retrain_reference.h"
#include "worker/retrain_trained.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SPARE_ROWS = 1024, // read beyond rows_max before the oldest are thrown away
    NEWEST_PART = 10,  // one of so many rows is among the newest, whose labels are compared with those before
};

struct row {
    int64_t time_ms;
    int64_t join_id;
    uint64_t order;  // in which it was read: by partition, then offset
    uint64_t choice; // among the rows of its request
    uint64_t label_bits;
    float weight;
    uint32_t slot; // in the table of features
    bool chosen;   // for the gate
};

struct build {
    const struct gw_retrain_dataset_options *options;
    const struct gw_retrain_manifest *manifest;
    size_t width;
    uint64_t layout;
    struct row *rows;
    uint32_t *free_slots;
    float *features;
    uint32_t row_count;
    uint32_t row_capacity;
    uint32_t row_limit; // rows_max and something to spare
    uint64_t seen;
    struct gw_retrain_dataset result;
};

// Gives the labels of "label[:weight],...", the primary one first.
static gw_status parse_labels(const char *heads, int labels[GW_LABEL_COUNT], size_t *ret_count, gw_err *err)
{
    size_t count = 0;
    for (const char *at = heads; *at != '\0';) {
        size_t size = strcspn(at, ":,");
        int label = 0;
        while (label < GW_LABEL_COUNT &&
               !(strlen(gw_label_names[label]) == size && memcmp(gw_label_names[label], at, size) == 0)) {
            label++;
        }
        if (label == GW_LABEL_COUNT || count == GW_LABEL_COUNT) {
            return gw_fail(err, GW_E_INVALID, "'%.*s' is no label (retrain.heads)", (int)GW_MIN(size, 60), at);
        }
        labels[count++] = label;
        at += strcspn(at, ",");
        at += *at == ',' ? 1 : 0;
    }
    *ret_count = count;
    return count > 0 ? GW_OK : gw_fail(err, GW_E_INVALID, "no heads to learn (retrain.heads)");
}

// ---- rows -----------------------------------------------------------------------------------------------------------

static int by_time(const void *left, const void *right)
{
    const struct row *a = left;
    const struct row *b = right;
    if (a->time_ms != b->time_ms) {
        return a->time_ms < b->time_ms ? -1 : 1;
    }
    return (a->order > b->order) - (a->order < b->order);
}

// Keeps the newest rows_max; the slots of the others are free again.
static void drop_oldest(struct build *build)
{
    uint32_t keep = (uint32_t)build->manifest->rows_max;
    if (build->row_count > 0) { // there is no array yet otherwise
        qsort(build->rows, build->row_count, sizeof *build->rows, by_time);
    }
    if (build->row_count <= keep) {
        return;
    }
    uint32_t gone = build->row_count - keep;
    for (uint32_t i = 0; i < gone; i++) {
        build->free_slots[keep + i] = build->rows[i].slot;
    }
    memmove(build->rows, build->rows + gone, keep * sizeof *build->rows);
    build->row_count = keep;
}

static gw_status grow(struct build *build, gw_err *err)
{
    uint64_t wanted = build->row_capacity > 0 ? (uint64_t)build->row_capacity * 2 : 4096;
    uint32_t capacity = (uint32_t)GW_MIN(wanted, (uint64_t)build->row_limit);
    struct row *rows = gw_mem_realloc(build->rows, capacity, sizeof *rows);
    build->rows = rows != NULL ? rows : build->rows;
    uint32_t *slots = gw_mem_realloc(build->free_slots, capacity, sizeof *slots);
    build->free_slots = slots != NULL ? slots : build->free_slots;
    float *features = gw_mem_realloc(build->features, (size_t)capacity * build->width, sizeof *features);
    build->features = features != NULL ? features : build->features;
    if (rows == NULL || slots == NULL || features == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %u examples (retrain.rows_max)", capacity);
    }
    for (uint32_t i = build->row_capacity; i < capacity; i++) {
        slots[i] = i; // free_slots[row_count..] are the free ones
    }
    build->row_capacity = capacity;
    return GW_OK;
}

static gw_status add_row(struct build *build, const struct gw_labeled_example *example, gw_err *err)
{
    if (build->row_count == build->row_limit) {
        drop_oldest(build);
    } else if (build->row_count == build->row_capacity) {
        GW_TRY(grow(build, err));
    }
    struct row *row = &build->rows[build->row_count];
    *row = (struct row){.time_ms = example->served_at_ms,
                        .order = build->seen++,
                        .join_id = example->request_join_id,
                        .choice =
                            gw_hash_mix((uint64_t)example->tweet_id ^ gw_hash_mix((uint64_t)example->request_join_id)),
                        .label_bits = (uint64_t)example->label_bits,
                        .weight = example->weight,
                        .slot = build->free_slots[build->row_count]};
    memcpy(build->features + (size_t)row->slot * build->width, example->features.data, example->features.size);
    build->row_count++;
    return GW_OK;
}

// ---- reading --------------------------------------------------------------------------------------------------------

static gw_status take(void *context, const struct gw_labeled_example *example, gw_err *err)
{
    struct build *build = context;
    if (example->served_at_ms < build->manifest->from_ms || example->served_at_ms > build->manifest->cutoff_ms) {
        return GW_OK;
    }
    if ((uint64_t)example->layout != build->layout || example->features.size != build->width * sizeof(float) ||
        !isfinite(example->weight) || example->weight <= 0) {
        build->result.unusable++;
        return GW_OK;
    }
    return add_row(build, example, err);
}

static bool stop(void *context)
{
    const struct gw_retrain_dataset_options *options = ((struct build *)context)->options;
    return options->stop != NULL && options->stop(options->context);
}

static gw_status read_topic(struct build *build, gw_err *err)
{
    const struct gw_example_reading reading = {.ranges = &build->manifest->examples,
                                               .visit = take,
                                               .stop = stop,
                                               .context = build,
                                               .damaged = &build->result.unusable};
    GW_TRY(gw_example_read_with(build->options->runtime, &reading, err));
    drop_oldest(build);
    build->result.rows = build->row_count;
    return GW_OK;
}

// ---- dividing and writing -------------------------------------------------------------------------------------------

static gw_status write_file(struct build *build, const char *path, uint32_t first, uint32_t last, bool chosen_only,
                            gw_err *err)
{
    const struct gw_examples_header header = {.feature_count = build->width,
                                              .feature_names = build->options->champion->feature_names,
                                              .label_count = GW_LABEL_COUNT,
                                              .label_names = gw_label_names,
                                              .layout = build->manifest->layout};
    struct gw_examples_writer *writer = NULL;
    GW_TRY(gw_examples_writer_new(path, &header, &writer, err));
    gw_status status = GW_OK;
    for (uint32_t i = first; i < last && status == GW_OK; i++) {
        const struct row *row = &build->rows[i];
        const struct gw_example example = {.time_ms = row->time_ms,
                                           .label_bits = row->label_bits,
                                           .weight = row->weight,
                                           .features = build->features + (size_t)row->slot * build->width};
        if (!chosen_only || row->chosen) {
            status = gw_examples_append(writer, &example, err);
        }
    }
    if (status == GW_OK) {
        status = gw_examples_finish(writer, err);
    }
    gw_examples_writer_free(writer);
    return status;
}

struct pick {
    int64_t join_id;
    uint64_t choice;
    uint32_t row;
};

static int by_request(const void *left, const void *right)
{
    const struct pick *a = left;
    const struct pick *b = right;
    if (a->join_id != b->join_id) {
        return a->join_id < b->join_id ? -1 : 1;
    }
    if (a->choice != b->choice) {
        return a->choice < b->choice ? -1 : 1;
    }
    return (a->row > b->row) - (a->row < b->row);
}

// One row of each request; rows of no request (join id 0) are all their own.
static gw_status choose(struct build *build, uint32_t first, gw_err *err)
{
    uint32_t count = build->row_count - first;
    struct pick *picks = gw_mem_calloc(count, sizeof *picks);
    if (picks == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory to choose the gate's rows");
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct row *row = &build->rows[first + i];
        picks[i] = (struct pick){.join_id = row->join_id, .choice = row->choice, .row = first + i};
    }
    qsort(picks, count, sizeof *picks, by_request);
    for (uint32_t i = 0; i < count; i++) {
        bool chosen = i == 0 || picks[i].join_id == 0 || picks[i].join_id != picks[i - 1].join_id;
        build->rows[picks[i].row].chosen = chosen;
    }
    gw_mem_free(picks);
    return GW_OK;
}

static void count_rows(struct build *build, uint32_t border, const int *labels, size_t label_count)
{
    struct gw_retrain_dataset *result = &build->result;
    uint64_t positives[GW_LABEL_COUNT] = {0};
    double weights = 0;
    double positive_weights = 0;
    for (uint32_t i = 0; i < build->row_count; i++) {
        const struct row *row = &build->rows[i];
        if (i >= border) {
            result->gate_rows += row->chosen;
            result->gate_weight_max =
                row->chosen ? GW_MAX(result->gate_weight_max, row->weight) : result->gate_weight_max;
            continue;
        }
        for (size_t l = 0; l < label_count; l++) {
            positives[l] += row->label_bits >> labels[l] & 1;
        }
        result->train_rows++;
        weights += (double)row->weight;
        positive_weights += (row->label_bits >> labels[0] & 1) != 0 ? (double)row->weight : 0;
    }
    result->train_rate = weights > 0 ? positive_weights / weights : 0;
    result->scarce_rows = UINT64_MAX;
    for (size_t l = 0; l < label_count; l++) {
        uint64_t rarer = GW_MIN(positives[l], result->train_rows - positives[l]);
        if (rarer < result->scarce_rows) {
            result->scarce_rows = rarer;
            result->scarce_label = labels[l];
        }
    }
}

static void sum_labels(struct build *build, int label)
{
    struct gw_retrain_labels *labels = &build->result.labels;
    const uint32_t newest = build->row_count - build->row_count / NEWEST_PART;
    labels->oldest_ms = build->rows[0].time_ms;
    labels->newest_ms = build->rows[build->row_count - 1].time_ms;
    for (uint32_t i = 0; i < build->row_count; i++) {
        const struct row *row = &build->rows[i];
        gw_retrain_labels_add(i < newest ? &labels->before : &labels->newest, (row->label_bits >> label & 1) != 0,
                              (double)row->weight);
    }
}

static gw_status divide(struct build *build, gw_err *err)
{
    int labels[GW_LABEL_COUNT];
    size_t label_count = 0;
    GW_TRY(parse_labels(build->manifest->heads, labels, &label_count, err));
    uint32_t border = build->row_count - (uint32_t)ceil(build->row_count * build->manifest->holdout);
    while (border > 0 && border < build->row_count && build->rows[border].time_ms == build->rows[border - 1].time_ms) {
        border++; // what was served in one moment stays together
    }
    if (border == 0 || border >= build->row_count) {
        return gw_fail(err, GW_E_INVALID, "%u examples of the champion's layout cannot be divided in time",
                       build->row_count);
    }
    GW_TRY(choose(build, border, err));
    count_rows(build, border, labels, label_count);
    sum_labels(build, labels[0]);
    build->result.champion_rate =
        gw_retrain_trained(build->options->champion->metadata_json, gw_label_names[labels[0]], "base_rate");
    GW_TRY(write_file(build, build->options->train_path, 0, border, false, err));
    return write_file(build, build->options->gate_path, border, build->row_count, true, err);
}

static gw_status make_reference(struct build *build, gw_err *err)
{
    const struct gw_retrain_reference_options options = {.runtime = build->options->runtime,
                                                         .manifest = build->manifest,
                                                         .champion = build->options->champion,
                                                         .path = build->options->reference_path,
                                                         .stop = build->options->stop,
                                                         .context = build->options->context};
    return gw_retrain_reference_build(&options, &build->result.reference_rows, err);
}

gw_status gw_retrain_dataset_build(const struct gw_retrain_dataset_options *options,
                                   struct gw_retrain_dataset *ret_dataset, gw_err *err)
{
    struct build build = {.options = options,
                          .manifest = options->manifest,
                          .width = options->champion->feature_count,
                          .layout = gw_bundle_layout(options->champion)};
    uint64_t limit = options->manifest->rows_max + options->manifest->rows_max / 4 + SPARE_ROWS;
    build.row_limit = (uint32_t)GW_MIN(limit, (uint64_t)UINT32_MAX);
    gw_status status = read_topic(&build, err);
    if (status == GW_OK) {
        status = divide(&build, err);
    }
    if (status == GW_OK) {
        status = make_reference(&build, err);
    }
    gw_mem_free(build.rows);
    gw_mem_free(build.free_slots);
    gw_mem_free(build.features);
    if (status == GW_OK) {
        *ret_dataset = build.result;
    }
    return status;
}
