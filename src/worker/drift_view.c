// SPDX-License-Identifier: MIT
#include "worker/drift_view.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "records/monitor_state.h"
#include "registry/views.h"
#include "worker/monitor_changelog.h"
#include "worker/monitor_options.h"
#include "worker/monitor_references.h"
#include "worker/relay_options.h"
#include "worker/state.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define APPLICATION "godwit drift"

enum {
    READ_TIMEOUT_MS = 5000,
    STEP_MS = 100,
    ARENA_BLOCK_BYTES = 64 << 10,
    ARENA_LIMIT_BYTES = 64 << 20,
};

_Static_assert(GW_API_STREAM_BYTES == GW_DRIFT_NAME_BYTES_MAX + 1, "a stream's name fits");

// The newest states of a bank are kept by index: its own, then one a stream, then one a head.
struct view {
    const struct gw_runtime *runtime;
    const char *model;
    int32_t version;
    double rate_per_s; // 0: the present one
    struct gw_monitor_drift_options options;
    struct gw_monitor_references *references;
    const struct gw_drift_profile *profile;
    double alone; // evidence that one stream must reach when no other has any
    struct gw_drift_bank *bank;
    struct gw_drift_loss **losses; // [head_count]; NULL: the head's loss cannot be watched
    uint32_t stream_count;         // of the bank
    struct gw_buf *states;         // [1 + stream_count + head_count]; empty: there is none
    struct gw_arena arena;
    struct gw_buf scratch;
};

// ---- the version ----------------------------------------------------------------------------------------------------

static gw_status read_champion(struct view *view, gw_err *err)
{
    struct gw_registry_settings settings = {0};
    struct gw_registry *registry = NULL;
    struct gw_registry_model model = {0};
    GW_TRY(gw_registry_settings_init(&settings, view->runtime->config, APPLICATION, err));
    gw_status status = gw_registry_new(&settings.options, &registry, err);
    if (status == GW_OK) {
        status = gw_registry_get_model(registry, view->model, &view->arena, &model, err);
    }
    view->version = model.champion;
    gw_registry_free(registry);
    gw_registry_settings_deinit(&settings);
    if (status == GW_OK && model.champion == 0) {
        return gw_fail(err, GW_E_NOT_FOUND, "model '%s' has no champion: name a version", view->model);
    }
    return status;
}

// *ret_why says why there is no reference, or none that features can be watched by; NULL: there is one.
static gw_status find_reference(struct view *view, const char **ret_why, gw_err *err)
{
    const struct gw_monitor_reference *reference = NULL;
    if (view->version == 0) {
        GW_TRY(read_champion(view, err));
    }
    GW_TRY(gw_monitor_references_new(view->runtime, APPLICATION, &view->references, err));
    GW_TRY(gw_monitor_references_get(view->references, gw_slice_text(view->model), view->version, &reference, err));
    *ret_why = NULL;
    view->options = gw_monitor_drift_options(view->runtime->config);
    switch (reference->state) {
    case GW_MONITOR_REFERENCE_READY:
        view->profile = reference->profile;
        view->alone = gw_drift_bank_alone(view->profile, view->options.bank.threshold);
        if (view->alone > GW_DRIFT_THRESHOLD_MAX) { // as monitor_features.c refuses it
            *ret_why = "promise_too_long: so rare false alarms over so many features leave no room for evidence, "
                       "lower monitor.drift_days or monitor.drift_rate";
        }
        return GW_OK;
    case GW_MONITOR_REFERENCE_NONE:
        *ret_why = "the version came without a reference: baselines and imported models have none, "
                   "'godwit train' makes one";
        return GW_OK;
    case GW_MONITOR_REFERENCE_DAMAGED:
        *ret_why = "the version's reference is damaged, or not of its features";
        return GW_OK;
    case GW_MONITOR_REFERENCE_UNKNOWN:
        break;
    }
    return gw_fail(err, GW_E_NOT_FOUND, "there is no version %d of model '%s'", view->version, view->model);
}

static gw_status make_detectors(struct view *view, gw_err *err)
{
    const struct gw_drift_profile *profile = view->profile;
    GW_TRY(gw_drift_bank_new(profile, &view->options.bank, &view->bank, err));
    view->stream_count = gw_drift_bank_streams(view->bank);
    view->losses = gw_mem_calloc(profile->head_count + 1, sizeof(struct gw_drift_loss *));
    view->states = gw_mem_calloc(1 + (size_t)view->stream_count + profile->head_count, sizeof *view->states);
    if (view->losses == NULL || view->states == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the detectors of '%s'", view->model);
    }
    for (uint32_t i = 0; i < profile->head_count; i++) {
        gw_err reason = {0};
        gw_status status = gw_drift_loss_new(&profile->heads[i], &view->options.loss, &view->losses[i], &reason);
        if (status != GW_OK && status != GW_E_INVALID) { // invalid: too few rows, or no loss that could rise
            return gw_fail(err, status, "%s", reason.message);
        }
    }
    return GW_OK;
}

// ---- states ---------------------------------------------------------------------------------------------------------

static const char *stream_name(const struct view *view, uint32_t index)
{
    return index < view->profile->feature_count ? view->profile->features[index].name : view->profile->score->name;
}

static struct gw_buf *bank_state(const struct view *view, struct gw_slice name)
{
    static const char prefix[] = "stream/";
    if (gw_slice_is(name, "bank")) {
        return &view->states[0];
    }
    if (name.size < sizeof prefix - 1 || memcmp(name.data, prefix, sizeof prefix - 1) != 0) {
        return NULL;
    }
    struct gw_slice stream = gw_slice_make(name.data + sizeof prefix - 1, name.size - (sizeof prefix - 1));
    for (uint32_t i = 0; i < view->stream_count; i++) {
        if (gw_slice_is(stream, stream_name(view, i))) {
            return &view->states[1 + i];
        }
    }
    return NULL;
}

static struct gw_buf *loss_state(const struct view *view, struct gw_slice head)
{
    for (uint32_t i = 0; i < view->profile->head_count; i++) {
        if (view->losses[i] != NULL && gw_slice_is(head, view->profile->heads[i].name)) {
            return &view->states[1 + view->stream_count + i];
        }
    }
    return NULL;
}

// Where the state of this key belongs; *ret_state NULL: to somebody else.
static gw_status find_state(const struct view *view, const struct gw_monitor_key *key, struct gw_buf **ret_state,
                            gw_err *err)
{
    bool is_drift = false;
    bool is_concept = false;
    int32_t version = 0;
    struct gw_slice rest = {0};
    *ret_state = NULL;
    if (!gw_slice_is(key->model, view->model)) {
        return GW_OK;
    }
    GW_TRY(gw_monitor_name_read(key->detector, GW_MONITOR_DRIFT, &is_drift, &version, &rest, err));
    if (!is_drift) {
        GW_TRY(gw_monitor_name_read(key->detector, GW_MONITOR_CONCEPT, &is_concept, &version, &rest, err));
    }
    enum gw_topic input = is_drift ? GW_TOPIC_FEATURE_SAMPLES : GW_TOPIC_LABEL_SAMPLES;
    if (version == view->version && gw_slice_is(key->topic, gw_runtime_topic(view->runtime, input))) {
        *ret_state = is_drift ? bank_state(view, rest) : is_concept ? loss_state(view, rest) : NULL;
    }
    return GW_OK;
}

static gw_status take_state(struct view *view, const struct gw_kafka_record *record, gw_err *err)
{
    struct gw_monitor_key key;
    struct gw_buf *kept = NULL;
    GW_TRY(gw_monitor_key_read(record->key, &key, err));
    GW_TRY(find_state(view, &key, &kept, err));
    if (kept == NULL) {
        return GW_OK;
    }
    gw_buf_clear(kept);
    if (record->value.data == NULL) {
        return GW_OK;
    }
    struct gw_slice body;
    struct gw_monitor_state state;
    GW_TRY(gw_schema_gate_open(gw_runtime_gate(view->runtime, GW_TOPIC_MONITOR_STATE), record->value, &view->scratch,
                               &view->arena, &body, err));
    GW_TRY(gw_monitor_state_decode(body, &view->arena, &state, err));
    return gw_buf_append(kept, state.state.data, state.state.size) == GW_OK
               ? GW_OK
               : gw_fail(err, GW_E_MEMORY, "no memory for a state of %zu bytes", state.state.size);
}

static gw_status visit(void *context, const struct gw_kafka_record *record, gw_err *err)
{
    struct view *view = context;
    gw_status status = take_state(view, record, err);
    gw_arena_clear(&view->arena);
    return status == GW_OK ? GW_OK
                           : gw_fail_context(err, status, "state of partition %d at offset %lld", record->partition,
                                             (long long)record->offset);
}

static gw_status read_states(struct view *view, gw_err *err)
{
    const char *topic = gw_runtime_topic(view->runtime, GW_TOPIC_MONITOR_STATE);
    uint32_t count = gw_runtime_partitions(view->runtime, GW_TOPIC_MONITOR_STATE);
    int32_t partition = (int32_t)gw_hash_partition(view->model, strlen(view->model), count);
    uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)READ_TIMEOUT_MS * 1000;
    struct gw_state_reader *reader = NULL;
    bool done = false;
    GW_TRY(gw_state_reader_new(&view->runtime->kafka, topic, &reader, err));
    gw_status status = gw_state_reader_begin(reader, partition, 0, err);
    while (status == GW_OK && !done) {
        if (gw_clock_mono_us() > deadline_us) {
            status = gw_fail(err, GW_E_TIMEOUT, "partition %d of '%s' is not read after %d s", partition, topic,
                             READ_TIMEOUT_MS / 1000);
        } else {
            status = gw_state_reader_step(reader, STEP_MS, visit, view, &done, err);
        }
    }
    gw_state_reader_free(reader);
    return status;
}

static gw_status restore_bank(struct view *view, gw_err *err)
{
    bool any = false;
    for (uint32_t i = 0; i <= view->stream_count; i++) {
        char name[GW_DRIFT_NAME_BYTES_MAX + 16] = "bank";
        if (i > 0) {
            snprintf(name, sizeof name, "stream/%s", stream_name(view, i - 1));
        }
        if (view->states[i].size > 0) {
            any = true;
            GW_TRY(gw_drift_bank_restore(view->bank, name, gw_buf_slice(&view->states[i]), err));
        }
    }
    return any ? gw_drift_bank_restored(view->bank, err) : GW_OK;
}

static gw_status restore(struct view *view, gw_err *err)
{
    GW_TRY(restore_bank(view, err));
    for (uint32_t i = 0; i < view->profile->head_count; i++) {
        const struct gw_buf *state = &view->states[1 + view->stream_count + i];
        if (state->size > 0) {
            GW_TRY(gw_drift_loss_load(view->losses[i], gw_buf_slice(state), err));
        }
    }
    return GW_OK;
}

// ---- the picture ----------------------------------------------------------------------------------------------------

static struct gw_api_promise as_shown(const struct gw_drift_promise *promise)
{
    return (struct gw_api_promise){.false_alarm_days = promise->false_alarm_days,
                                   .smallest_shift_10s = promise->smallest_shift_10s,
                                   .smallest_shift_5min = promise->smallest_shift_5min};
}

static enum gw_drift_episode_state graver(enum gw_drift_episode_state a, enum gw_drift_episode_state b)
{
    return a == GW_DRIFT_OPEN || b == GW_DRIFT_OPEN         ? GW_DRIFT_OPEN
           : a == GW_DRIFT_COOLING || b == GW_DRIFT_COOLING ? GW_DRIFT_COOLING
                                                            : GW_DRIFT_QUIET;
}

static void show_stream(const struct view *view, uint32_t index, struct gw_api_drift_stream *to)
{
    struct gw_drift_view now;
    const struct gw_drift_profile *profile = view->profile;
    bool is_score = index >= profile->feature_count;
    gw_drift_bank_view(view->bank, index, &now);
    bool seen = now.window_count > 0;
    *to = (struct gw_api_drift_stream){
        .kind = is_score ? "score" : "feature",
        .state = gw_drift_episode_state_name(graver(now.tilt_state, now.absence_state)),
        .evidence = GW_MAX(now.tilt_e, now.absence_e),
        .threshold = view->alone,
        .effect_sigma = seen ? now.effect_sigma : (double)NAN,
        .psi = seen ? now.psi : (double)NAN,
        .missing_share = seen ? now.missing_share : (double)NAN,
        .window_count = now.window_count,
        .rate_per_s = gw_drift_bank_rate(view->bank),
        .promise = as_shown(&now.promise),
    };
    snprintf(to->stream, sizeof to->stream, "%s", now.stream);
    if (view->rate_per_s > 0.0) {
        const struct gw_drift_feature *feature = is_score ? profile->score : &profile->features[index];
        to->promise = (struct gw_api_promise){
            .false_alarm_days = gw_drift_promise_days(view->options.bank.threshold, view->rate_per_s),
            .smallest_shift_10s = gw_drift_promise_shift(feature, view->alone, 10.0 * view->rate_per_s),
            .smallest_shift_5min = gw_drift_promise_shift(feature, view->alone, 300.0 * view->rate_per_s)};
    }
}

static void show_loss(const struct view *view, uint32_t index, struct gw_api_drift_stream *to)
{
    struct gw_drift_loss_view now;
    const struct gw_drift_baseline *baseline = &view->profile->heads[index];
    double threshold = view->options.loss.threshold;
    gw_drift_loss_view(view->losses[index], &now);
    *to = (struct gw_api_drift_stream){
        .kind = "concept",
        .state = gw_drift_episode_state_name(now.state),
        .evidence = now.e,
        .threshold = threshold,
        .effect_sigma = (now.mean - now.reference_mean) / baseline->deviation,
        .psi = (double)NAN,
        .missing_share = (double)NAN,
        .window_count = now.window_count,
        .rate_per_s = now.rate_per_s,
        .promise = as_shown(&now.promise),
    };
    snprintf(to->stream, sizeof to->stream, "%s", now.head);
    if (view->rate_per_s > 0.0) {
        to->promise = (struct gw_api_promise){
            .false_alarm_days = gw_drift_promise_days(threshold, view->rate_per_s),
            .smallest_shift_10s = gw_drift_promise_loss(baseline, threshold, 10.0 * view->rate_per_s),
            .smallest_shift_5min = gw_drift_promise_loss(baseline, threshold, 300.0 * view->rate_per_s)};
    }
}

static gw_status show(const struct view *view, struct gw_api_drift *drift, gw_err *err)
{
    const struct gw_drift_profile *profile = view->profile;
    drift->streams = gw_mem_calloc((size_t)view->stream_count + profile->head_count, sizeof *drift->streams);
    if (drift->streams == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory to show '%s'", view->model);
    }
    drift->has_reference = true;
    drift->sample_count = gw_drift_bank_rows(view->bank);
    if (profile->has_score) {
        show_stream(view, profile->feature_count, &drift->streams[drift->stream_count++]);
    }
    for (uint32_t i = 0; i < profile->head_count; i++) {
        if (view->losses[i] != NULL) {
            show_loss(view, i, &drift->streams[drift->stream_count++]);
        }
    }
    for (uint32_t i = 0; i < profile->feature_count; i++) {
        show_stream(view, i, &drift->streams[drift->stream_count++]);
    }
    return GW_OK;
}

// ---- one call -------------------------------------------------------------------------------------------------------

static void deinit(struct view *view)
{
    uint32_t heads = view->profile != NULL ? view->profile->head_count : 0;
    for (uint32_t i = 0; view->losses != NULL && i < heads; i++) {
        gw_drift_loss_free(view->losses[i]);
    }
    for (uint32_t i = 0; view->states != NULL && i < 1 + view->stream_count + heads; i++) {
        gw_buf_deinit(&view->states[i]);
    }
    gw_mem_free(view->losses);
    gw_mem_free(view->states);
    gw_drift_bank_free(view->bank);
    gw_monitor_references_free(view->references);
    gw_arena_deinit(&view->arena);
    gw_buf_deinit(&view->scratch);
}

static gw_status look(struct view *view, struct gw_api_drift *drift, gw_err *err)
{
    const char *why = NULL;
    GW_TRY(find_reference(view, &why, err));
    drift->version = view->version;
    snprintf(drift->model, sizeof drift->model, "%s", view->model);
    if (why != NULL) {
        snprintf(drift->why, sizeof drift->why, "%s", why);
        return GW_OK;
    }
    GW_TRY(make_detectors(view, err));
    GW_TRY(read_states(view, err));
    GW_TRY(restore(view, err));
    return show(view, drift, err);
}

gw_status gw_drift_view_ask(const struct gw_runtime *runtime, const struct gw_api_drift_ask *ask,
                            struct gw_api_drift *ret_drift, gw_err *err)
{
    struct view view = {
        .runtime = runtime, .model = ask->model, .version = ask->version, .rate_per_s = ask->rate_per_s};
    struct gw_api_drift drift = {0};
    gw_arena_init(&view.arena, ARENA_BLOCK_BYTES, ARENA_LIMIT_BYTES);
    gw_status status = look(&view, &drift, err);
    if (status == GW_OK) {
        *ret_drift = drift;
    }
    deinit(&view);
    return status;
}
