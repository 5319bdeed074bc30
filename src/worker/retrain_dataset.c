// SPDX-License-Identifier: MIT
#include "worker/retrain_dataset.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "kafka/consumer.h"
#include "label/bits.h"
#include "model/examples.h"
#include "records/labeled_example.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    POLL_MS = 100,
    IDLE_US = 60000000, // a broker that sends nothing for so long is away
    ARENA_LIMIT_BYTES = 16 << 20,
    SPARE_ROWS = 1024, // read beyond rows_max before the oldest are thrown away
};

struct row {
    int64_t time_ms;
    int64_t offset;
    int64_t join_id;
    uint64_t choice; // among the rows of its request
    uint64_t label_bits;
    int32_t partition;
    float weight;
    uint32_t slot; // in the table of features
    bool chosen;   // for the gate
};

struct build {
    const struct gw_retrain_dataset_options *options;
    const struct gw_retrain_manifest *manifest;
    const char *topic;
    size_t width;
    uint64_t layout;
    struct row *rows;
    uint32_t *free_slots;
    float *features;
    uint32_t row_count;
    uint32_t row_capacity;
    uint32_t row_limit; // rows_max and something to spare
    struct gw_arena arena;
    struct gw_buf scratch;
    bool done[GW_RETRAIN_PARTITIONS_MAX];
    size_t open;
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
    if (a->partition != b->partition) {
        return a->partition < b->partition ? -1 : 1;
    }
    return (a->offset > b->offset) - (a->offset < b->offset);
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

static gw_status add_row(struct build *build, const struct gw_kafka_record *record,
                         const struct gw_labeled_example *example, gw_err *err)
{
    if (build->row_count == build->row_limit) {
        drop_oldest(build);
    } else if (build->row_count == build->row_capacity) {
        GW_TRY(grow(build, err));
    }
    struct row *row = &build->rows[build->row_count];
    *row = (struct row){.time_ms = example->served_at_ms,
                        .partition = record->partition,
                        .offset = record->offset,
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

static gw_status take_record(struct build *build, const struct gw_kafka_record *record, gw_err *err)
{
    const struct gw_schema_gate *gate = gw_runtime_gate(build->options->runtime, GW_TOPIC_TRAINING_EXAMPLES);
    struct gw_labeled_example example;
    struct gw_slice body;
    gw_arena_clear(&build->arena);
    if (gw_schema_gate_open(gate, record->value, &build->scratch, &build->arena, &body, NULL) != GW_OK ||
        gw_labeled_example_decode(body, &build->arena, &example, NULL) != GW_OK) {
        build->result.unusable++;
        return GW_OK;
    }
    if (example.kind != GW_EXAMPLE_KIND_WINDOW_CLOSED || example.served_at_ms < build->manifest->from_ms ||
        example.served_at_ms > build->manifest->cutoff_ms) {
        return GW_OK;
    }
    if ((uint64_t)example.layout != build->layout || example.features.size != build->width * sizeof(float) ||
        !isfinite(example.weight) || example.weight <= 0) {
        build->result.unusable++;
        return GW_OK;
    }
    return add_row(build, record, &example, err);
}

static void end_partition(struct build *build, size_t index)
{
    if (!build->done[index]) {
        build->done[index] = true;
        build->open--;
    }
}

static gw_status take(struct build *build, const struct gw_kafka_record *record, gw_err *err)
{
    for (size_t i = 0; i < build->manifest->range_count; i++) {
        const struct gw_retrain_range *range = &build->manifest->ranges[i];
        if (range->partition != record->partition) {
            continue;
        }
        if (!record->partition_end && !build->done[i] && record->offset < range->last) {
            GW_TRY(take_record(build, record, err));
        }
        // The last offsets may be markers, which no poll returns: then the end of the partition says it.
        if (record->offset + (record->partition_end ? 0 : 1) >= range->last) {
            end_partition(build, i);
        }
    }
    return GW_OK;
}

static gw_status assign(struct build *build, struct gw_kafka_consumer *consumer, gw_err *err)
{
    struct gw_kafka_position positions[GW_RETRAIN_PARTITIONS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < build->manifest->range_count; i++) {
        const struct gw_retrain_range *range = &build->manifest->ranges[i];
        int64_t low = 0;
        int64_t high = 0;
        if (range->first >= range->last) {
            build->done[i] = true;
            continue;
        }
        GW_TRY(
            gw_kafka_consumer_watermarks(consumer, build->topic, range->partition, IDLE_US / 1000, &low, &high, err));
        if (low > range->first || high < range->last) {
            return gw_fail(err, GW_E_NOT_FOUND,
                           "records of the manifest are gone: partition %d of '%s' holds %" PRId64 " to %" PRId64
                           ", the manifest names %" PRId64 " to %" PRId64,
                           range->partition, build->topic, low, high, range->first, range->last);
        }
        positions[count++] =
            (struct gw_kafka_position){.topic = build->topic, .partition = range->partition, .offset = range->first};
        build->open++;
    }
    return count > 0 ? gw_kafka_consumer_assign(consumer, positions, count, err) : GW_OK;
}

static gw_status read_topic(struct build *build, struct gw_kafka_consumer *consumer, gw_err *err)
{
    uint64_t heard_us = gw_clock_mono_us();
    uint64_t asked_us = heard_us;
    GW_TRY(assign(build, consumer, err));
    while (build->open > 0) {
        struct gw_kafka_record record = {0};
        bool got = false;
        gw_status status = gw_kafka_consumer_poll(consumer, POLL_MS, &record, &got, err);
        uint64_t now_us = gw_clock_mono_us();
        if (status == GW_OK && got) {
            heard_us = now_us;
            status = take(build, &record, err);
            gw_kafka_message_free(record.message);
        }
        if (status != GW_OK && gw_status_class(status) != GW_CLASS_RETRY) {
            return status;
        }
        if (now_us - heard_us > IDLE_US) {
            return gw_fail(err, GW_E_TIMEOUT, "nothing was read of '%s' for %d s", build->topic, IDLE_US / 1000000);
        }
        if (now_us - asked_us > POLL_MS * 1000 && build->options->stop != NULL) {
            asked_us = now_us;
            if (build->options->stop(build->options->context)) {
                return gw_fail(err, GW_E_ABORTED, "stopped");
            }
        }
    }
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
    GW_TRY(write_file(build, build->options->train_path, 0, border, false, err));
    return write_file(build, build->options->gate_path, border, build->row_count, true, err);
}

static gw_status run(struct build *build, gw_err *err)
{
    struct gw_kafka_consumer *consumer = NULL;
    const struct gw_kafka_consumer_options options = {.client = &build->options->runtime->kafka, .end_events = true};
    GW_TRY(gw_kafka_consumer_new(&options, &consumer, err));
    gw_status status = read_topic(build, consumer, err);
    gw_kafka_consumer_free(consumer);
    return status == GW_OK ? divide(build, err) : status;
}

gw_status gw_retrain_dataset_build(const struct gw_retrain_dataset_options *options,
                                   struct gw_retrain_dataset *ret_dataset, gw_err *err)
{
    struct build build = {.options = options,
                          .manifest = options->manifest,
                          .topic = gw_runtime_topic(options->runtime, GW_TOPIC_TRAINING_EXAMPLES),
                          .width = options->champion->feature_count,
                          .layout = gw_bundle_layout(options->champion)};
    uint64_t limit = options->manifest->rows_max + options->manifest->rows_max / 4 + SPARE_ROWS;
    build.row_limit = (uint32_t)GW_MIN(limit, (uint64_t)UINT32_MAX);
    gw_arena_init(&build.arena, 1 << 16, ARENA_LIMIT_BYTES);
    gw_status status = run(&build, err);
    gw_arena_deinit(&build.arena);
    gw_buf_deinit(&build.scratch);
    gw_mem_free(build.rows);
    gw_mem_free(build.free_slots);
    gw_mem_free(build.features);
    if (status == GW_OK) {
        *ret_dataset = build.result;
    }
    return status;
}
