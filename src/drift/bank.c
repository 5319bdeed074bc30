// SPDX-License-Identifier: MIT
#include "drift/bank.h"

#include "base/check.h"
#include "base/mem.h"
#include "drift/bank_internal.h"
#include "drift/culprits.h"
#include "drift/profile_internal.h"

#include <math.h>
#include <string.h>

const struct gw_drift_bank_options gw_drift_bank_defaults = {
    .threshold = 30.0 * 86400.0 * 1000.0,
    .alpha = 0.01,
    .episode = {.rearm_ms = 60 * 1000, .cooldown_ms = 600 * 1000, .update_ms = 300 * 1000, .calm_e = 100.0},
};

const char *gw_drift_alarm_kind_name(enum gw_drift_alarm_kind kind)
{
    static const char *const names[] = {
#define X(suffix, name) [GW_DRIFT_OF_##suffix] = name,
        GW_DRIFT_ALARM_KIND_MAP(X)
#undef X
    };
    return (size_t)kind < GW_COUNT_OF(names) ? names[kind] : "?";
}

static gw_status check_options(const struct gw_drift_bank_options *options, uint32_t detectors, gw_err *err)
{
    if (!(options->alpha > 0.0 && options->alpha <= 1.0)) {
        return gw_fail(err, GW_E_INVALID, "alpha %g: must be over 0 and at most 1", options->alpha);
    }
    double least = gw_drift_culprits_certain(detectors, options->alpha);
    if (!(options->threshold >= least && options->threshold <= GW_DRIFT_THRESHOLD_MAX)) {
        return gw_fail(err, GW_E_INVALID, "threshold %g: must be %g to %g for %u detectors and alpha %g",
                       options->threshold, least, (double)GW_DRIFT_THRESHOLD_MAX, detectors, options->alpha);
    }
    return gw_drift_episode_check(&options->episode, err);
}

static bool init_stream(struct bank_stream *stream, const struct gw_drift_feature *feature)
{
    stream->feature = feature;
    gw_drift_detector_init(&stream->detector);
    stream->counts = gw_mem_calloc((size_t)GW_DRIFT_BLOCKS * feature->row_count, sizeof *stream->counts);
    for (int kind = 0; kind < BANK_KINDS; kind++) {
        stream->quiet[kind] = 1.0f;
        stream->e[kind] = 1.0f;
    }
    if (feature->kind == GW_DRIFT_CATEGORICAL) {
        stream->learned = gw_mem_calloc(1, sizeof *stream->learned);
        if (stream->learned == NULL) {
            return false;
        }
        gw_drift_learned_init(stream->learned, feature);
    }
    return stream->counts != NULL;
}

double gw_drift_bank_alone(const struct gw_drift_profile *profile, double threshold)
{
    return threshold * BANK_KINDS * gw_drift_profile_streams(profile);
}

gw_status gw_drift_bank_new(const struct gw_drift_profile *profile, const struct gw_drift_bank_options *options,
                            struct gw_drift_bank **ret_bank, gw_err *err)
{
    uint32_t streams = gw_drift_profile_streams(profile);
    if (streams == 0) {
        return gw_fail(err, GW_E_INVALID, "a profile of no features and no score has nothing to watch");
    }
    GW_TRY(check_options(options, BANK_KINDS * streams, err));
    struct gw_drift_bank *bank = gw_mem_calloc(1, sizeof *bank);
    if (bank == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a bank of detectors");
    }
    bank->profile = profile;
    bank->options = *options;
    bank->mean = 1.0;
    bank->now_ms = -GW_DRIFT_TIME_MAX_MS;
    bank->streams = gw_mem_aligned(64, streams * sizeof *bank->streams);
    bank->evidence = gw_mem_calloc((size_t)BANK_KINDS * streams, sizeof *bank->evidence);
    bank->culprits = gw_mem_calloc((size_t)BANK_KINDS * streams, sizeof *bank->culprits);
    bool complete = bank->streams != NULL && bank->evidence != NULL && bank->culprits != NULL;
    for (uint32_t i = 0; complete && i < streams; i++) {
        bank->stream_count++; // freed even when its init fails half-way
        complete = init_stream(&bank->streams[i], &profile->features[i]);
    }
    if (!complete) {
        gw_drift_bank_free(bank);
        return gw_fail(err, GW_E_MEMORY, "no memory for %u streams of detectors", streams);
    }
    *ret_bank = bank;
    return GW_OK;
}

void gw_drift_bank_free(struct gw_drift_bank *bank)
{
    if (bank == NULL) {
        return;
    }
    for (uint32_t i = 0; i < bank->stream_count; i++) {
        gw_mem_free(bank->streams[i].learned);
        gw_mem_free(bank->streams[i].counts);
    }
    gw_mem_free(bank->streams);
    gw_mem_free(bank->evidence);
    gw_mem_free(bank->culprits);
    gw_buf_deinit(&bank->bytes);
    gw_mem_free(bank);
}

void gw_drift_bank_count_busy(struct gw_drift_bank *bank)
{
    bank->busy = 0;
    for (uint32_t i = 0; i < BANK_KINDS * bank->stream_count; i++) {
        struct bank_stream *stream = &bank->streams[i / BANK_KINDS];
        bool quiet = stream->episode[i % BANK_KINDS].state == GW_DRIFT_QUIET;
        stream->quiet[i % BANK_KINDS] = quiet ? 1.0f : 0.0f;
        bank->busy += quiet ? 0 : 1;
    }
}

static void restart(struct bank_stream *stream, int kind)
{
    if (kind == BANK_TILT) {
        gw_drift_detector_restart_tilt(&stream->detector, stream->learned);
    } else {
        gw_drift_detector_restart_absence(&stream->detector);
    }
    stream->e[kind] = 1.0f;
}

// Steps one episode and says what it wants said. `asked` > 0 when e-BH has named it.
static gw_status step_episode(struct gw_drift_bank *bank, struct bank_stream *stream, int kind, double asked,
                              uint64_t rows, const struct gw_drift_sink *sink, gw_err *err)
{
    struct gw_drift_episode *episode = &stream->episode[kind];
    if (episode->state == GW_DRIFT_QUIET && !(asked > 0.0)) {
        return GW_OK;
    }
    struct gw_drift_alarm alarm = {.stream = stream->feature->name,
                                   .e = (double)stream->e[kind],
                                   .asked = asked,
                                   .mean_e = bank->mean,
                                   .threshold = bank->options.threshold,
                                   .harm = NAN,
                                   .at_ms = bank->now_ms};
    gw_drift_bank_explain(bank, stream, kind, &alarm);
    double spread = kind == BANK_TILT ? fabs(alarm.spread_ratio - 1.0) : 0.0;
    const struct gw_drift_signal signal = {.alarm = asked > 0.0,
                                           .e = alarm.e,
                                           .effect_sigma = fmax(fabs(alarm.effect_sigma), spread),
                                           .harm = NAN,
                                           .now_ms = bank->now_ms,
                                           .from_ms = stream->calm_ms[kind],
                                           .sample_count = rows};
    enum gw_drift_episode_state before = episode->state;
    alarm.move = gw_drift_episode_step(episode, &bank->options.episode, &signal);
    alarm.severity = episode->severity;
    alarm.episode = episode->number;
    alarm.sample_count = episode->sample_count;
    alarm.from_ms = episode->from_ms;
    bool over = before == GW_DRIFT_COOLING && episode->state == GW_DRIFT_QUIET;
    if (over || alarm.move == GW_DRIFT_SAY_UPDATE) {
        restart(stream, kind);
    }
    if (alarm.move == GW_DRIFT_SAY_NOTHING) {
        return GW_OK;
    }
    gw_drift_bank_promise(bank, stream, kind, &alarm.promise);
    return sink->alarm(sink->context, &alarm, err);
}

static gw_status look(struct gw_drift_bank *bank, bool alarm, const struct gw_drift_sink *sink, gw_err *err)
{
    size_t detectors = (size_t)BANK_KINDS * bank->stream_count;
    size_t named = 0;
    double asked = 0.0;
    for (size_t i = 0; i < detectors; i++) {
        const struct bank_stream *stream = &bank->streams[i / BANK_KINDS];
        bank->evidence[i] = (double)(stream->quiet[i % BANK_KINDS] * stream->e[i % BANK_KINDS]);
    }
    if (alarm) {
        asked = gw_drift_culprits(bank->evidence, detectors, bank->options.alpha, bank->culprits, &named);
        GW_ASSERT(named > 0);
    }
    // In the order of streams, so that what is said does not depend on the sort.
    for (size_t i = 0; i < named; i++) {
        bank->evidence[bank->culprits[i]] = -1.0;
    }
    uint64_t rows = bank->rows - bank->looked_row;
    bank->looked_row = bank->rows;
    for (size_t i = 0; i < detectors; i++) {
        bool is_named = bank->evidence[i] < 0.0;
        GW_TRY(step_episode(bank, &bank->streams[i / BANK_KINDS], (int)(i % BANK_KINDS), is_named ? asked : 0.0, rows,
                            sink, err));
    }
    gw_drift_bank_count_busy(bank);
    return GW_OK;
}

static void begin_block(struct gw_drift_bank *bank, uint32_t block)
{
    bank->blocks.begin_ms[block] = bank->now_ms;
    for (uint32_t i = 0; i < bank->stream_count; i++) {
        struct bank_stream *stream = &bank->streams[i];
        uint32_t rows = stream->feature->row_count;
        memset(stream->counts + (size_t)block * rows, 0, rows * sizeof *stream->counts);
        for (int kind = 0; bank->rows == 1 && kind < BANK_KINDS; kind++) {
            stream->calm_ms[kind] = bank->now_ms; // nothing is known from before
        }
    }
}

// Returns what the stream's evidence adds to the alarm.
static float feed_stream(struct gw_drift_bank *bank, struct bank_stream *stream, uint32_t block, float value)
{
    const struct gw_drift_feature *feature = stream->feature;
    uint32_t row = gw_drift_feature_row(feature, value);
    struct gw_drift_evidence evidence = gw_drift_detector_feed(&stream->detector, stream->learned, feature, row);
    stream->counts[block * feature->row_count + row]++;
    stream->e[BANK_TILT] = evidence.tilt;
    stream->e[BANK_ABSENCE] = evidence.absence;
    for (int kind = 0; kind < BANK_KINDS; kind++) {
        if (GW_LIKELY(stream->e[kind] < GW_DRIFT_CALM_E)) {
            stream->calm_row[kind] = bank->rows;
            stream->calm_ms[kind] = bank->now_ms;
        }
    }
    return stream->quiet[BANK_TILT] * evidence.tilt + stream->quiet[BANK_ABSENCE] * evidence.absence;
}

gw_status gw_drift_bank_feed(struct gw_drift_bank *bank, const float *values, uint32_t value_count, float score,
                             int64_t now_ms, const struct gw_drift_sink *sink, gw_err *err)
{
    uint32_t features = bank->profile->feature_count;
    if (value_count != features) {
        return gw_fail(err, GW_E_MISMATCH, "row of %u values, the profile has %u", value_count, features);
    }
    if (!gw_drift_time_valid(now_ms)) {
        return gw_fail(err, GW_E_MISMATCH, "row of time %lld ms", (long long)now_ms);
    }
    bank->now_ms = GW_MAX(bank->now_ms, now_ms);
    bank->rows++;
    uint32_t block = gw_drift_block_of(bank->rows);
    if (gw_drift_block_begins(bank->rows)) {
        begin_block(bank, block);
    }

    double sum = 0.0;
    for (uint32_t i = 0; i < features; i++) {
        sum += (double)feed_stream(bank, &bank->streams[i], block, values[i]);
    }
    if (bank->profile->has_score) {
        sum += (double)feed_stream(bank, &bank->streams[features], block, score);
    }
    bank->mean = sum / ((double)BANK_KINDS * bank->stream_count);

    bool alarm = bank->mean >= bank->options.threshold;
    if (GW_UNLIKELY(alarm || (bank->busy > 0 && bank->rows - bank->looked_row >= GW_DRIFT_LOOK_ROWS))) {
        return look(bank, alarm, sink, err);
    }
    return GW_OK;
}

uint64_t gw_drift_bank_rows(const struct gw_drift_bank *bank)
{
    return bank->rows;
}

int64_t gw_drift_bank_now_ms(const struct gw_drift_bank *bank)
{
    return bank->now_ms;
}

double gw_drift_bank_mean(const struct gw_drift_bank *bank)
{
    return bank->mean;
}

gw_status gw_drift_bank_retire(struct gw_drift_bank *bank, const struct gw_drift_sink *sink, gw_err *err)
{
    for (uint32_t i = 0; i < BANK_KINDS * bank->stream_count; i++) {
        struct bank_stream *stream = &bank->streams[i / BANK_KINDS];
        int kind = (int)(i % BANK_KINDS);
        const struct gw_drift_episode *episode = &stream->episode[kind];
        if (episode->state != GW_DRIFT_OPEN) {
            continue;
        }
        struct gw_drift_alarm alarm = {.move = GW_DRIFT_SAY_CLOSE,
                                       .severity = episode->severity,
                                       .stream = stream->feature->name,
                                       .episode = episode->number,
                                       .e = (double)stream->e[kind],
                                       .mean_e = bank->mean,
                                       .threshold = bank->options.threshold,
                                       .harm = NAN,
                                       .sample_count = episode->sample_count,
                                       .from_ms = episode->from_ms,
                                       .at_ms = bank->now_ms};
        gw_drift_bank_explain(bank, stream, kind, &alarm);
        gw_drift_bank_promise(bank, stream, kind, &alarm.promise);
        GW_TRY(sink->alarm(sink->context, &alarm, err));
    }
    return GW_OK;
}

uint32_t gw_drift_bank_open(const struct gw_drift_bank *bank)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < BANK_KINDS * bank->stream_count; i++) {
        open += bank->streams[i / BANK_KINDS].episode[i % BANK_KINDS].state == GW_DRIFT_OPEN ? 1 : 0;
    }
    return open;
}

uint32_t gw_drift_bank_streams(const struct gw_drift_bank *bank)
{
    return bank->stream_count;
}
