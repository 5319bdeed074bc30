// SPDX-License-Identifier: MIT
#include "worker/retrain_manifest.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "label/bits.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    FORMAT = 1,
    SAMPLES_READ = 4, // for one that is kept: a partition has other models' samples, too
};

// ---- making ---------------------------------------------------------------------------------------------------------

static bool is_label(const char *name)
{
    for (int i = 0; i < GW_LABEL_COUNT; i++) {
        if (strcmp(gw_label_names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void add_head(char *heads, const char *name, double weight)
{
    size_t used = strlen(heads);
    snprintf(heads + used, GW_RETRAIN_HEADS_BYTES - used, "%s%s:%.17g", used > 0 ? "," : "", name, weight);
}

// The champion's heads with their weights, the primary one first; the configured ones when it has none that is a label.
static void choose_heads(const struct gw_bundle_info *info, const char *configured, char *ret_heads)
{
    ret_heads[0] = '\0';
    if (is_label(info->heads[info->primary_head].name)) {
        add_head(ret_heads, info->heads[info->primary_head].name, info->heads[info->primary_head].weight);
        for (size_t i = 0; i < info->head_count; i++) {
            if (i != info->primary_head && is_label(info->heads[i].name)) {
                add_head(ret_heads, info->heads[i].name, info->heads[i].weight);
            }
        }
    }
    if (ret_heads[0] == '\0') {
        snprintf(ret_heads, GW_RETRAIN_HEADS_BYTES, "%s", configured);
    }
}

// Samples are keyed by the model's name, so one partition has all of a model.
static gw_status ask_samples(const struct gw_runtime *runtime, struct gw_kafka_consumer *consumer,
                             struct gw_retrain_manifest *m, gw_err *err)
{
    const uint32_t count = gw_runtime_partitions(runtime, GW_TOPIC_FEATURE_SAMPLES);
    const int32_t partition = (int32_t)gw_hash_partition(m->model, strlen(m->model), count);
    GW_TRY(gw_offset_range_ask(consumer, gw_runtime_topic(runtime, GW_TOPIC_FEATURE_SAMPLES), partition, m->from_ms,
                               &m->samples, err));
    m->samples.first = GW_MAX(m->samples.first, m->samples.last - SAMPLES_READ * (int64_t)m->reference_max);
    return GW_OK;
}

gw_status gw_retrain_manifest_make(const struct gw_runtime *runtime, struct gw_kafka_consumer *consumer,
                                   const char *model, int32_t champion_version, const struct gw_bundle *champion,
                                   struct gw_retrain_manifest *ret_manifest, gw_err *err)
{
    const struct gw_config *config = runtime->config;
    const struct gw_bundle_info *info = gw_bundle_info(champion);
    struct gw_retrain_manifest *m = ret_manifest;
    *m = (struct gw_retrain_manifest){
        .champion_version = champion_version,
        .cutoff_ms = gw_clock_wall_ms(),
        .rows_max = gw_config_u64(config, GW_OPT_RETRAIN_ROWS_MAX),
        .holdout = gw_config_double(config, GW_OPT_RETRAIN_HOLDOUT),
        .trees = gw_config_u64(config, GW_OPT_RETRAIN_TREES),
        .depth = gw_config_u64(config, GW_OPT_RETRAIN_DEPTH),
        .eta = gw_config_double(config, GW_OPT_RETRAIN_ETA),
        .seed = gw_config_u64(config, GW_OPT_RETRAIN_SEED),
        .threads = gw_config_u64(config, GW_OPT_RETRAIN_THREADS),
        .reference_max = gw_config_u64(config, GW_OPT_RETRAIN_REFERENCE_MAX),
    };
    int64_t history_ms = gw_config_duration_us(config, GW_OPT_RETRAIN_HISTORY) / 1000;
    m->from_ms = history_ms > 0 ? m->cutoff_ms - history_ms : 0;
    snprintf(m->model, sizeof m->model, "%s", model);
    snprintf(m->champion_digest, sizeof m->champion_digest, "%s", info->digest);
    snprintf(m->layout, sizeof m->layout, "%016" PRIx64, gw_bundle_layout(info));
    choose_heads(info, gw_config_text(config, GW_OPT_RETRAIN_HEADS), m->heads);
    GW_TRY(ask_samples(runtime, consumer, m, err));
    // Nothing is appended before it was served.
    return gw_example_ranges_ask(runtime, m->from_ms, &m->examples, err);
}

// ---- writing --------------------------------------------------------------------------------------------------------

static void write_range(struct gw_json_writer *to, const struct gw_offset_range *range)
{
    gw_json_array_begin(to);
    gw_json_write_i64(to, range->partition);
    gw_json_write_i64(to, range->first);
    gw_json_write_i64(to, range->last);
    gw_json_array_end(to);
}

static void write_ranges(struct gw_json_writer *to, const struct gw_retrain_manifest *m)
{
    gw_json_write_key(to, "samples");
    write_range(to, &m->samples);
    gw_json_write_key(to, "partitions");
    gw_json_array_begin(to);
    for (size_t i = 0; i < m->examples.count; i++) {
        write_range(to, &m->examples.items[i]);
    }
    gw_json_array_end(to);
}

// X(key, field): the members in their order, by kind. Sorted, so that the text is canonical.
#define TEXT_MAP(X)                                                                                                    \
    X("championDigest", champion_digest)                                                                               \
    X("heads", heads)                                                                                                  \
    X("layout", layout)                                                                                                \
    X("model", model)
#define U64_MAP(X)                                                                                                     \
    X("depth", depth)                                                                                                  \
    X("referenceMax", reference_max)                                                                                   \
    X("rowsMax", rows_max)                                                                                             \
    X("seed", seed)                                                                                                    \
    X("threads", threads)                                                                                              \
    X("trees", trees)
#define DOUBLE_MAP(X)                                                                                                  \
    X("eta", eta)                                                                                                      \
    X("holdout", holdout)

gw_status gw_retrain_manifest_write(const struct gw_retrain_manifest *manifest, struct gw_buf *out,
                                    char ret_hash[GW_SHA256_HEX_BYTES], gw_err *err)
{
    struct gw_json_writer to;
    gw_buf_clear(out);
    gw_json_writer_init(&to, out);
    gw_json_object_begin(&to);
    gw_json_write_key(&to, "format");
    gw_json_write_u64(&to, FORMAT);
    gw_json_write_key(&to, "championVersion");
    gw_json_write_i64(&to, manifest->champion_version);
    gw_json_write_key(&to, "cutoffMs");
    gw_json_write_i64(&to, manifest->cutoff_ms);
    gw_json_write_key(&to, "fromMs");
    gw_json_write_i64(&to, manifest->from_ms);
#define X(key, field)                                                                                                  \
    gw_json_write_key(&to, key);                                                                                       \
    gw_json_write_text(&to, manifest->field);
    TEXT_MAP(X)
#undef X
#define X(key, field)                                                                                                  \
    gw_json_write_key(&to, key);                                                                                       \
    gw_json_write_u64(&to, manifest->field);
    U64_MAP(X)
#undef X
#define X(key, field)                                                                                                  \
    gw_json_write_key(&to, key);                                                                                       \
    gw_json_write_double(&to, manifest->field);
    DOUBLE_MAP(X)
#undef X
    write_ranges(&to, manifest);
    gw_json_object_end(&to);
    GW_TRY(gw_json_writer_finish(&to, err));
    gw_sha256_hex(out->data, out->size, ret_hash);
    gw_status status = gw_buf_append(out, "", 1);
    if (status != GW_OK) {
        return gw_fail(err, status, "no memory for a manifest");
    }
    out->size--;
    return GW_OK;
}

// ---- reading --------------------------------------------------------------------------------------------------------

static gw_status read_range(struct gw_json *json, struct gw_offset_range *range, gw_err *err)
{
    int64_t values[3] = {0};
    bool more = false;
    GW_TRY(gw_json_enter(json, GW_JSON_ARRAY, err));
    for (size_t i = 0; i <= GW_COUNT_OF(values); i++) {
        GW_TRY(gw_json_next(json, &more, err));
        if (more != (i < GW_COUNT_OF(values))) {
            return gw_fail(err, GW_E_INVALID, "a range of partitions has three numbers");
        }
        if (more) {
            GW_TRY(gw_json_i64(json, &values[i], err));
        }
    }
    *range = (struct gw_offset_range){.partition = (int32_t)values[0], .first = values[1], .last = values[2]};
    return GW_OK;
}

static gw_status read_ranges(struct gw_json *json, struct gw_retrain_manifest *m, gw_err *err)
{
    GW_TRY(gw_json_enter(json, GW_JSON_ARRAY, err));
    for (;;) {
        bool more = false;
        GW_TRY(gw_json_next(json, &more, err));
        if (!more) {
            return GW_OK;
        }
        if (m->examples.count == GW_EXAMPLE_PARTITIONS_MAX) {
            return gw_fail(err, GW_E_TOO_LARGE, "more than %d partitions", GW_EXAMPLE_PARTITIONS_MAX);
        }
        GW_TRY(read_range(json, &m->examples.items[m->examples.count++], err));
    }
}

static gw_status read_text(struct gw_json *json, char *to, size_t size, gw_err *err)
{
    GW_CLEANUP(gw_buf_deinit) struct gw_buf text = {0};
    GW_TRY(gw_json_string(json, &text, size - 1, err));
    memcpy(to, text.data, text.size);
    to[text.size] = '\0';
    return GW_OK;
}

static gw_status read_u64(struct gw_json *json, uint64_t *ret_value, gw_err *err)
{
    int64_t value = 0;
    GW_TRY(gw_json_i64(json, &value, err));
    if (value < 0) {
        return gw_fail(err, GW_E_INVALID, "a negative number");
    }
    *ret_value = (uint64_t)value;
    return GW_OK;
}

static gw_status read_member(struct gw_json *json, struct gw_slice key, struct gw_retrain_manifest *m, gw_err *err)
{
    int64_t number = 0;
#define X(name, field)                                                                                                 \
    if (gw_slice_is(key, name)) {                                                                                      \
        return read_text(json, m->field, sizeof m->field, err);                                                        \
    }
    TEXT_MAP(X)
#undef X
#define X(name, field)                                                                                                 \
    if (gw_slice_is(key, name)) {                                                                                      \
        return read_u64(json, &m->field, err);                                                                         \
    }
    U64_MAP(X)
#undef X
#define X(name, field)                                                                                                 \
    if (gw_slice_is(key, name)) {                                                                                      \
        return gw_json_double(json, &m->field, err);                                                                   \
    }
    DOUBLE_MAP(X)
#undef X
    if (gw_slice_is(key, "partitions")) {
        return read_ranges(json, m, err);
    }
    if (gw_slice_is(key, "samples")) {
        return read_range(json, &m->samples, err);
    }
    if (gw_slice_is(key, "cutoffMs")) {
        return gw_json_i64(json, &m->cutoff_ms, err);
    }
    if (gw_slice_is(key, "fromMs")) {
        return gw_json_i64(json, &m->from_ms, err);
    }
    GW_TRY(gw_json_i64(json, &number, err));
    if (gw_slice_is(key, "championVersion")) {
        m->champion_version = (int32_t)number;
        return GW_OK;
    }
    if (gw_slice_is(key, "format") && number == FORMAT) {
        return GW_OK;
    }
    return gw_fail(err, GW_E_INVALID, "unknown member '%.*s' of a manifest", (int)GW_MIN(key.size, 40),
                   (const char *)key.data);
}

gw_status gw_retrain_manifest_parse(struct gw_slice text, struct gw_retrain_manifest *ret_manifest, gw_err *err)
{
    struct gw_json json;
    *ret_manifest = (struct gw_retrain_manifest){0};
    gw_json_init(&json, text);
    GW_TRY(gw_json_enter(&json, GW_JSON_OBJECT, err));
    for (;;) {
        bool more = false;
        struct gw_slice key = {0};
        GW_TRY(gw_json_next(&json, &more, err));
        if (!more) {
            return gw_json_end(&json, err);
        }
        GW_TRY(gw_json_key(&json, &key, err));
        GW_TRY(read_member(&json, key, ret_manifest, err));
    }
}
