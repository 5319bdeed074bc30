// SPDX-License-Identifier: MIT
#include "avro/framing.h"
#include "base/clock.h"
#include "base/hash.h"
#include "worker/label_internal.h"

#include <string.h>

#define SAMPLE_SALT UINT64_C(0x6c6162656c5f7331) // so that the choice is not that of the served sample or of a route

static gw_status emit_labeled(struct gw_label_lane *lane, const struct gw_label_example *example,
                              const struct gw_served_candidate *served, gw_err *err)
{
    const struct gw_labeled_example labeled = gw_label_write_example(example, served);
    uint8_t key[8];
    gw_store_be64(key, (uint64_t)example->user_id);
    gw_buf_clear(&lane->value);
    if (gw_avro_frame_begin(&lane->value, gw_runtime_schema_id(lane->runtime, GW_TOPIC_TRAINING_EXAMPLES)) != GW_OK ||
        gw_labeled_example_encode(&labeled, &lane->value) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory to encode an example");
    }
    uint32_t count = gw_runtime_partitions(lane->runtime, GW_TOPIC_TRAINING_EXAMPLES);
    const struct gw_kafka_output output = {.topic = gw_runtime_topic(lane->runtime, GW_TOPIC_TRAINING_EXAMPLES),
                                           .partition = (int32_t)gw_hash_partition(key, sizeof key, count),
                                           .key = gw_slice_make(key, sizeof key),
                                           .value = gw_buf_slice(&lane->value)};
    return gw_loop_emit(lane->loop, &output, err);
}

static uint64_t hash_of(const struct gw_label_example *example)
{
    uint64_t hash = gw_hash_mix((uint64_t)example->user_id + SAMPLE_SALT);
    hash = gw_hash_mix(hash ^ (uint64_t)example->join_id);
    return gw_hash_mix(hash ^ (uint64_t)example->tweet_id);
}

static gw_status emit_sample(struct gw_label_lane *lane, const struct gw_label_example *example,
                             const struct gw_served_candidate *served, gw_err *err)
{
    float factor = 1.0f;
    if (!gw_sampler_take(&lane->sampler, hash_of(example), gw_clock_mono_us(), &factor)) {
        return GW_OK;
    }
    struct gw_label_sample sample =
        gw_label_write_sample(example, served, example->served_at_ms + lane->join_options.window_ms);
    sample.weight *= factor;
    gw_buf_clear(&lane->value);
    if (gw_avro_frame_begin(&lane->value, gw_runtime_schema_id(lane->runtime, GW_TOPIC_LABEL_SAMPLES)) != GW_OK ||
        gw_label_sample_encode(&sample, &lane->value) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory to encode a label sample");
    }
    uint32_t count = gw_runtime_partitions(lane->runtime, GW_TOPIC_LABEL_SAMPLES);
    struct gw_slice key = sample.model_name;
    const struct gw_kafka_output output = {.topic = gw_runtime_topic(lane->runtime, GW_TOPIC_LABEL_SAMPLES),
                                           .partition = (int32_t)gw_hash_partition(key.data, key.size, count),
                                           .key = key,
                                           .value = gw_buf_slice(&lane->value)};
    lane->samples_pending++;
    return gw_loop_emit(lane->loop, &output, err);
}

gw_status gw_label_emit_example(void *context, const struct gw_label_example *example, gw_err *err)
{
    struct gw_label_lane *lane = context;
    struct gw_served_candidate served;
    gw_arena_clear(&lane->output_arena);
    GW_TRY(gw_label_open_payload(gw_runtime_gate(lane->runtime, GW_TOPIC_SERVED_CANDIDATES), example->payload,
                                 &lane->scratch, &lane->output_arena, &served, err));
    GW_TRY(emit_labeled(lane, example, &served, err));
    if (example->kind == GW_LABEL_WINDOW_CLOSED) {
        GW_TRY(emit_sample(lane, example, &served, err));
    }
    lane->examples_pending[example->kind]++;
    gw_label_delays_observe(&lane->delays_pending, example);
    return GW_OK;
}

// ---- the changelog --------------------------------------------------------------------------------------------------

struct flush {
    struct gw_label_lane *lane;
    int32_t partition;
};

static gw_status emit_entry(void *context, const struct gw_label_entry *entry, gw_err *err)
{
    struct flush *flush = context;
    struct gw_label_lane *lane = flush->lane;
    struct gw_kafka_output output = {.topic = gw_runtime_topic(lane->runtime, GW_TOPIC_LABEL_WINDOWS),
                                     .partition = flush->partition,
                                     .key = gw_slice_make(entry->key, entry->key_bytes)};
    if (!entry->tombstone) {
        const struct gw_label_window window = gw_label_write_entry(entry);
        gw_buf_clear(&lane->value);
        if (gw_avro_frame_begin(&lane->value, gw_runtime_schema_id(lane->runtime, GW_TOPIC_LABEL_WINDOWS)) != GW_OK ||
            gw_label_window_encode(&window, &lane->value) != GW_OK) {
            return gw_fail(err, GW_E_MEMORY, "no memory to encode a label window");
        }
        output.value = gw_buf_slice(&lane->value);
    }
    return gw_loop_emit(lane->loop, &output, err);
}

gw_status gw_label_flush_partition(struct gw_label_lane *lane, int32_t partition, gw_err *err)
{
    struct flush flush = {.lane = lane, .partition = partition};
    const struct gw_label_state_sink sink = {.entry = emit_entry, .context = &flush};
    return gw_label_join_flush(lane->partitions[partition].join, &sink, err);
}
