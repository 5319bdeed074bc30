// SPDX-License-Identifier: MIT
#include "worker/monitor_features.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/monitor_changelog.h"

#include <math.h>
#include <stdio.h>

#define TIME_MAX_MS (INT64_C(1) << 53) // of a bank's rows

struct gw_monitor_features {
    struct gw_monitor_features_options options;
    struct gw_monitor_watches *watches;
    float values[GW_DRIFT_FEATURES_MAX]; // of a sample, aligned
    bool said_blind;                     // in the log
};

// A version's watch.
struct watch {
    struct gw_drift_bank *bank;
    const struct gw_drift_profile *profile; // the reference's
    double threshold;
};

static const char *const fed_names[] = {
#define X(suffix, name) name,
    GW_MONITOR_FED_MAP(X)
#undef X
};

const char *gw_monitor_fed_name(enum gw_monitor_fed fed)
{
    GW_ASSERT((size_t)fed < GW_MONITOR_FED_COUNT);
    return fed_names[fed];
}

// ---- a bank as a watch ----------------------------------------------------------------------------------------------

static void free_watch(void *opaque)
{
    struct watch *watch = opaque;
    gw_drift_bank_free(watch->bank);
    gw_mem_free(watch);
}

static gw_status make_watch(void *context, const struct gw_monitor_reference *reference, void **ret_watch, gw_err *err)
{
    const struct gw_monitor_features *features = context;
    struct watch *watch = gw_mem_calloc(1, sizeof *watch);
    if (watch == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a watch over features");
    }
    gw_status status = gw_drift_bank_new(reference->profile, &features->options.bank, &watch->bank, err);
    if (status != GW_OK) {
        gw_mem_free(watch);
        return status;
    }
    watch->profile = reference->profile;
    watch->threshold = gw_drift_bank_alone(reference->profile, features->options.bank.threshold);
    if (watch->threshold > GW_DRIFT_THRESHOLD_MAX) { // where evidence is cut off: a drift of one would never be seen
        free_watch(watch);
        return gw_fail(
            err, GW_E_INVALID, "%.3g rows between false alarms of %u streams ask for more evidence than %.3g",
            features->options.bank.threshold, reference->profile->feature_count + 1, (double)GW_DRIFT_THRESHOLD_MAX);
    }
    *ret_watch = watch;
    return GW_OK;
}

static int64_t newest_ms(const void *watch)
{
    return gw_drift_bank_now_ms(((const struct watch *)watch)->bank);
}

static double threshold(const void *watch)
{
    return ((const struct watch *)watch)->threshold;
}

static uint32_t open_alerts(const void *watch)
{
    return gw_drift_bank_open(((const struct watch *)watch)->bank);
}

static gw_status retire(void *watch, const struct gw_drift_sink *sink, gw_err *err)
{
    return gw_drift_bank_retire(((struct watch *)watch)->bank, sink, err);
}

static gw_status flush(void *watch, const struct gw_drift_sink *sink, gw_err *err)
{
    return gw_drift_bank_flush(((struct watch *)watch)->bank, sink, err);
}

// As gw_drift_bank_flush names them.
static gw_status names(const void *opaque, gw_status (*visit)(void *context, const char *name, gw_err *err),
                       void *context, gw_err *err)
{
    const struct watch *watch = opaque;
    char name[GW_DRIFT_NAME_BYTES_MAX + 16];
    GW_TRY(visit(context, "bank", err));
    for (uint32_t i = 0; i < gw_drift_bank_streams(watch->bank); i++) {
        const struct gw_drift_feature *feature =
            i < watch->profile->feature_count ? &watch->profile->features[i] : watch->profile->score;
        snprintf(name, sizeof name, "stream/%s", feature->name);
        GW_TRY(visit(context, name, err));
    }
    return GW_OK;
}

static gw_status restore(void *watch, const char *name, struct gw_slice bytes, gw_err *err)
{
    return gw_drift_bank_restore(((struct watch *)watch)->bank, name, bytes, err);
}

static gw_status restored(void *watch, gw_err *err)
{
    return gw_drift_bank_restored(((struct watch *)watch)->bank, err);
}

static const struct gw_monitor_watch_ops watch_ops = {
    .make = make_watch,
    .free = free_watch,
    .newest_ms = newest_ms,
    .threshold = threshold,
    .open_alerts = open_alerts,
    .retire = retire,
    .flush = flush,
    .names = names,
    .restore = restore,
    .restored = restored,
};

// ---- life -----------------------------------------------------------------------------------------------------------

struct gw_monitor_features *gw_monitor_features_new(const struct gw_monitor_features_options *options)
{
    struct gw_monitor_features *features = gw_mem_calloc(1, sizeof *features);
    if (features == NULL) {
        return NULL;
    }
    features->options = *options;
    const struct gw_monitor_watches_options watches = {
        .ops = &watch_ops,
        .context = features,
        .family = GW_MONITOR_DRIFT,
        .reference = options->reference,
        .reference_context = options->reference_context,
        .versions_max = options->versions_max,
        .idle_ms = options->idle_ms,
    };
    features->watches = gw_monitor_watches_new(&watches);
    if (features->watches == NULL) {
        gw_mem_free(features);
        return NULL;
    }
    return features;
}

void gw_monitor_features_free(struct gw_monitor_features *features)
{
    if (features != NULL) {
        gw_monitor_watches_free(features->watches);
        gw_mem_free(features);
    }
}

struct gw_monitor_watches *gw_monitor_features_watches(struct gw_monitor_features *features)
{
    return features->watches;
}

// ---- samples --------------------------------------------------------------------------------------------------------

static enum gw_monitor_fed judge(const struct gw_monitor_features *features, const struct gw_feature_sample *sample,
                                 int64_t append_time_ms)
{
    if (sample->model_name.size == 0 || sample->model_name.size > GW_MONITOR_MODEL_BYTES_MAX ||
        sample->model_version <= 0 || sample->served_at_ms < 0 || append_time_ms < 0 || append_time_ms >= TIME_MAX_MS ||
        sample->features.size % sizeof(float) != 0 || sample->features.size > sizeof features->values ||
        !isfinite(sample->score)) {
        return GW_MONITOR_FED_INVALID;
    }
    return sample->served_at_ms - append_time_ms > features->options.ahead_ms ? GW_MONITOR_FED_AHEAD
                                                                              : GW_MONITOR_FED_WATCHED;
}

static enum gw_monitor_fed judge_reference(const struct gw_monitor_reference *reference,
                                           const struct gw_feature_sample *sample)
{
    switch (reference->state) {
    case GW_MONITOR_REFERENCE_UNKNOWN:
        return GW_MONITOR_FED_UNKNOWN;
    case GW_MONITOR_REFERENCE_NONE:
        return GW_MONITOR_FED_NO_PROFILE;
    case GW_MONITOR_REFERENCE_DAMAGED:
        return GW_MONITOR_FED_STALE;
    case GW_MONITOR_REFERENCE_READY:
        break;
    }
    if ((uint64_t)sample->layout != reference->layout) {
        return GW_MONITOR_FED_STALE;
    }
    return sample->features.size == reference->profile->feature_count * sizeof(float) ? GW_MONITOR_FED_WATCHED
                                                                                      : GW_MONITOR_FED_INVALID;
}

static void say_blind(struct gw_monitor_features *features, const struct gw_feature_sample *sample, const gw_err *cause)
{
    if (!features->said_blind) {
        features->said_blind = true;
        gw_log_error("monitor.promise_too_long",
                     "model='%.*s' version=%d reason='%s' action='lower monitor.drift_days or monitor.drift_rate'",
                     (int)sample->model_name.size, (const char *)sample->model_name.data, sample->model_version,
                     cause->message);
    }
}

gw_status gw_monitor_features_add(struct gw_monitor_features *features, const struct gw_feature_sample *sample,
                                  int64_t append_time_ms, gw_monitor_alert_sink sink, void *context,
                                  enum gw_monitor_fed *ret_fed, gw_err *err)
{
    const struct gw_monitor_alert_place place = {.sink = sink, .context = context, .at_ms = append_time_ms};
    const struct gw_monitor_reference *reference = NULL;
    struct gw_monitor_watched *watched = NULL;
    *ret_fed = judge(features, sample, append_time_ms);
    if (*ret_fed != GW_MONITOR_FED_WATCHED) {
        return GW_OK;
    }
    GW_TRY(gw_monitor_watches_reference(features->watches, sample->model_name, sample->model_version, &reference, err));
    *ret_fed = judge_reference(reference, sample);
    if (*ret_fed == GW_MONITOR_FED_UNKNOWN) {
        return GW_OK;
    }
    GW_TRY(gw_monitor_watches_seen(features->watches, sample->model_name, sample->model_version, append_time_ms, &place,
                                   err));
    if (*ret_fed != GW_MONITOR_FED_WATCHED) {
        return GW_OK;
    }
    gw_err cause = {0};
    gw_status status = gw_monitor_watches_get(features->watches, sample->model_name, sample->model_version, reference,
                                              &place, &watched, &cause);
    if (status == GW_E_INVALID) {
        *ret_fed = GW_MONITOR_FED_BLIND;
        say_blind(features, sample, &cause);
        return GW_OK;
    }
    if (status != GW_OK) {
        return gw_fail(err, status, "%s", cause.message);
    }
    if (sample->features.size > 0) {
        memcpy(features->values, sample->features.data, sample->features.size);
    }
    struct gw_monitor_alert_to to = gw_monitor_watches_alert_to(features->watches, watched, &place);
    const struct gw_drift_sink alarms = {.context = &to, .alarm = gw_monitor_alert_say};
    return gw_drift_bank_feed(((struct watch *)watched->watch)->bank, features->values,
                              reference->profile->feature_count, sample->score, append_time_ms, &alarms, err);
}
