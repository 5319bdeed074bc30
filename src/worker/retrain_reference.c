// SPDX-License-Identifier: MIT
#include "worker/retrain_reference.h"

#include "base/mem.h"
#include "label/bits.h"
#include "model/examples.h"
#include "records/feature_sample.h"

enum { ARENA_LIMIT_BYTES = 16 << 20 };

struct build {
    const struct gw_retrain_reference_options *options;
    size_t width;
    uint64_t layout;
    struct gw_arena arena;
    int64_t *times_ms; // two rings of the newest samples
    float *features;
    size_t capacity; // at most reference_max
    uint64_t seen;
};

static gw_status grow(struct build *build, gw_err *err)
{
    size_t capacity = build->capacity > 0 ? build->capacity * 2 : 4096;
    capacity = GW_MIN(capacity, (size_t)build->options->manifest->reference_max);
    int64_t *times_ms = gw_mem_realloc(build->times_ms, capacity, sizeof *times_ms);
    build->times_ms = times_ms != NULL ? times_ms : build->times_ms;
    float *features = gw_mem_realloc(build->features, capacity * build->width, sizeof *features);
    build->features = features != NULL ? features : build->features;
    if (times_ms == NULL || features == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %zu samples (retrain.reference_max)", capacity);
    }
    build->capacity = capacity;
    return GW_OK;
}

static gw_status take(void *context, const struct gw_kafka_record *record, struct gw_slice body, gw_status opened,
                      gw_err *err)
{
    struct build *build = context;
    const struct gw_retrain_manifest *manifest = build->options->manifest;
    struct gw_feature_sample sample;
    (void)record;
    gw_status status = opened == GW_OK ? gw_feature_sample_decode(body, &build->arena, &sample, err) : opened;
    if (gw_status_class(status) == GW_CLASS_RECORD) {
        return GW_OK; // a damaged one is none
    }
    GW_TRY(status);
    if (!gw_slice_is(sample.model_name, manifest->model) || (uint64_t)sample.layout != build->layout ||
        sample.features.size != build->width * sizeof(float) || sample.served_at_ms < manifest->from_ms ||
        sample.served_at_ms > manifest->cutoff_ms) {
        return GW_OK;
    }
    if (build->seen == build->capacity && build->capacity < manifest->reference_max) {
        GW_TRY(grow(build, err));
    }
    const size_t at = (size_t)(build->seen++ % build->capacity);
    build->times_ms[at] = sample.served_at_ms;
    memcpy(build->features + at * build->width, sample.features.data, sample.features.size);
    return GW_OK;
}

static bool stop(void *context)
{
    const struct gw_retrain_reference_options *options = ((struct build *)context)->options;
    return options->stop != NULL && options->stop(options->context);
}

static gw_status read_samples(struct build *build, gw_err *err)
{
    const struct gw_range_reading reading = {.topic = GW_TOPIC_FEATURE_SAMPLES,
                                             .ranges = &build->options->manifest->samples,
                                             .range_count = 1,
                                             .visit = take,
                                             .stop = stop,
                                             .context = build,
                                             .arena = &build->arena};
    return gw_range_read(build->options->runtime, &reading, err);
}

static gw_status write_samples(struct build *build, uint64_t count, gw_err *err)
{
    const struct gw_examples_header header = {.feature_count = build->width,
                                              .feature_names = build->options->champion->feature_names,
                                              .label_count = GW_LABEL_COUNT,
                                              .label_names = gw_label_names,
                                              .layout = build->options->manifest->layout};
    struct gw_examples_writer *writer = NULL;
    GW_TRY(gw_examples_writer_new(build->options->path, &header, &writer, err));
    gw_status status = GW_OK;
    for (uint64_t i = build->seen - count; i < build->seen && status == GW_OK; i++) {
        const size_t at = (size_t)(i % build->capacity);
        const struct gw_example example = {
            .time_ms = build->times_ms[at], .weight = 1, .features = build->features + at * build->width};
        status = gw_examples_append(writer, &example, err);
    }
    if (status == GW_OK) {
        status = gw_examples_finish(writer, err);
    }
    gw_examples_writer_free(writer);
    return status;
}

gw_status gw_retrain_reference_build(const struct gw_retrain_reference_options *options, uint64_t *ret_rows,
                                     gw_err *err)
{
    struct build build = {
        .options = options, .width = options->champion->feature_count, .layout = gw_bundle_layout(options->champion)};
    if (options->manifest->reference_max == 0) {
        *ret_rows = 0;
        return GW_OK;
    }
    gw_arena_init(&build.arena, 1 << 16, ARENA_LIMIT_BYTES);
    gw_status status = read_samples(&build, err);
    uint64_t count = GW_MIN(build.seen, (uint64_t)build.capacity);
    count = count < GW_RETRAIN_REFERENCE_MIN ? 0 : count;
    if (status == GW_OK && count > 0) {
        status = write_samples(&build, count, err);
    }
    gw_arena_deinit(&build.arena);
    gw_mem_free(build.times_ms);
    gw_mem_free(build.features);
    if (status == GW_OK) {
        *ret_rows = count;
    }
    return status;
}
