// SPDX-License-Identifier: MIT
#include "worker/monitor_concept.h"

#include "base/check.h"
#include "base/mem.h"
#include "label/bits.h"
#include "worker/monitor_changelog.h"

#include <math.h>

struct gw_monitor_concept {
    struct gw_monitor_concept_options options;
    struct gw_monitor_watches *watches;
    struct gw_buf bytes; // of a loss's state
};

// A version's watch: one loss for each baseline that can be watched.
struct watch {
    struct gw_monitor_concept *concept;
    const struct gw_drift_profile *profile;           // the reference's
    struct gw_drift_loss *losses[GW_DRIFT_HEADS_MAX]; // as profile->heads; NULL: it cannot be
};

static const char *const heard_names[] = {
#define X(suffix, name) name,
    GW_MONITOR_HEARD_MAP(X)
#undef X
};

const char *gw_monitor_heard_name(enum gw_monitor_heard heard)
{
    GW_ASSERT((size_t)heard < GW_MONITOR_HEARD_COUNT);
    return heard_names[heard];
}

// ---- losses as a watch ----------------------------------------------------------------------------------------------

static void free_watch(void *opaque)
{
    struct watch *watch = opaque;
    for (uint32_t h = 0; h < GW_DRIFT_HEADS_MAX; h++) {
        gw_drift_loss_free(watch->losses[h]);
    }
    gw_mem_free(watch);
}

static gw_status make_watch(void *context, const struct gw_monitor_reference *reference, void **ret_watch, gw_err *err)
{
    struct gw_monitor_concept *concept = context;
    struct watch *watch = gw_mem_calloc(1, sizeof *watch);
    if (watch == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a watch over losses");
    }
    watch->concept = concept;
    watch->profile = reference->profile;
    GW_ASSERT(reference->profile->head_count <= GW_DRIFT_HEADS_MAX); // the parser has checked
    for (uint32_t h = 0; h < reference->profile->head_count; h++) {
        gw_status status =
            gw_drift_loss_new(&reference->profile->heads[h], &concept->options.loss, &watch->losses[h], err);
        if (status != GW_OK && status != GW_E_INVALID) { // invalid: too few rows, or no loss that could rise
            free_watch(watch);
            return status;
        }
    }
    *ret_watch = watch;
    return GW_OK;
}

static int64_t newest_ms(const void *opaque)
{
    const struct watch *watch = opaque;
    int64_t newest = INT64_MIN / 2; // differences are taken
    for (uint32_t h = 0; h < watch->profile->head_count; h++) {
        if (watch->losses[h] != NULL) {
            newest = GW_MAX(newest, gw_drift_loss_now_ms(watch->losses[h]));
        }
    }
    return newest;
}

static double threshold(const void *watch)
{
    return ((const struct watch *)watch)->concept->options.loss.threshold;
}

static uint32_t open_alerts(const void *opaque)
{
    const struct watch *watch = opaque;
    uint32_t open = 0;
    for (uint32_t h = 0; h < watch->profile->head_count; h++) {
        open += watch->losses[h] != NULL && gw_drift_loss_open(watch->losses[h]) ? 1 : 0;
    }
    return open;
}

static gw_status retire(void *opaque, const struct gw_drift_sink *sink, gw_err *err)
{
    struct watch *watch = opaque;
    for (uint32_t h = 0; h < watch->profile->head_count; h++) {
        if (watch->losses[h] != NULL) {
            GW_TRY(gw_drift_loss_retire(watch->losses[h], sink, err));
        }
    }
    return GW_OK;
}

static gw_status flush(void *opaque, const struct gw_drift_sink *sink, gw_err *err)
{
    struct watch *watch = opaque;
    struct gw_buf *bytes = &watch->concept->bytes;
    for (uint32_t h = 0; h < watch->profile->head_count; h++) {
        if (watch->losses[h] != NULL && gw_drift_loss_changed(watch->losses[h])) {
            gw_buf_clear(bytes);
            GW_TRY(gw_drift_loss_save(watch->losses[h], bytes, err));
            GW_TRY(sink->state(sink->context, watch->profile->heads[h].name, gw_buf_slice(bytes), err));
        }
    }
    return GW_OK;
}

static gw_status names(const void *opaque, gw_status (*visit)(void *context, const char *name, gw_err *err),
                       void *context, gw_err *err)
{
    const struct watch *watch = opaque;
    for (uint32_t h = 0; h < watch->profile->head_count; h++) {
        if (watch->losses[h] != NULL) {
            GW_TRY(visit(context, watch->profile->heads[h].name, err));
        }
    }
    return GW_OK;
}

// The loss of a head; NULL: it is not watched.
static struct gw_drift_loss *loss_of(const struct watch *watch, const char *head)
{
    for (uint32_t h = 0; h < watch->profile->head_count; h++) {
        if (strcmp(watch->profile->heads[h].name, head) == 0) {
            return watch->losses[h];
        }
    }
    return NULL;
}

static gw_status restore(void *watch, const char *name, struct gw_slice bytes, gw_err *err)
{
    struct gw_drift_loss *loss = loss_of(watch, name);
    return loss != NULL ? gw_drift_loss_load(loss, bytes, err)
                        : gw_fail(err, GW_E_NOT_FOUND, "state of head '%s', which has no baseline", name);
}

static gw_status restored(void *watch, gw_err *err)
{
    (void)watch;
    (void)err;
    return GW_OK; // heads stand each for itself: not all have had rows
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

struct gw_monitor_concept *gw_monitor_concept_new(const struct gw_monitor_concept_options *options)
{
    struct gw_monitor_concept *concept = gw_mem_calloc(1, sizeof *concept);
    if (concept == NULL) {
        return NULL;
    }
    concept->options = *options;
    const struct gw_monitor_watches_options watches = {
        .ops = &watch_ops,
        .context = concept,
        .family = GW_MONITOR_CONCEPT,
        .reference = options->reference,
        .reference_context = options->reference_context,
        .versions_max = options->versions_max,
        .idle_ms = options->idle_ms,
    };
    concept->watches = gw_monitor_watches_new(&watches);
    if (concept->watches == NULL) {
        gw_mem_free(concept);
        return NULL;
    }
    return concept;
}

void gw_monitor_concept_free(struct gw_monitor_concept *concept)
{
    if (concept != NULL) {
        gw_monitor_watches_free(concept->watches);
        gw_buf_deinit(&concept->bytes);
        gw_mem_free(concept);
    }
}

struct gw_monitor_watches *gw_monitor_concept_watches(struct gw_monitor_concept *concept)
{
    return concept->watches;
}

// ---- samples --------------------------------------------------------------------------------------------------------

static enum gw_monitor_heard judge(const struct gw_monitor_concept *concept, const struct gw_label_sample *sample,
                                   int64_t append_time_ms)
{
    if (sample->kind != GW_EXAMPLE_KIND_WINDOW_CLOSED) {
        return GW_MONITOR_HEARD_NOT_FINAL;
    }
    if (sample->head_names.count == 0 && sample->heads.count > 0) {
        return GW_MONITOR_HEARD_UNNAMED;
    }
    if (sample->heads.count == 0 || sample->head_names.count != sample->heads.count || sample->model_name.size == 0 ||
        sample->model_name.size > GW_MONITOR_MODEL_BYTES_MAX || sample->model_version <= 0 ||
        sample->served_at_ms < 0) {
        return GW_MONITOR_HEARD_INVALID;
    }
    return sample->served_at_ms - append_time_ms > concept->options.ahead_ms ? GW_MONITOR_HEARD_AHEAD
                                                                             : GW_MONITOR_HEARD_WATCHED;
}

static enum gw_monitor_heard judge_reference(const struct gw_monitor_reference *reference)
{
    switch (reference->state) {
    case GW_MONITOR_REFERENCE_UNKNOWN:
        return GW_MONITOR_HEARD_UNKNOWN;
    case GW_MONITOR_REFERENCE_NONE:
        return GW_MONITOR_HEARD_NO_PROFILE;
    case GW_MONITOR_REFERENCE_DAMAGED:
        return GW_MONITOR_HEARD_STALE;
    case GW_MONITOR_REFERENCE_READY:
        break;
    }
    return GW_MONITOR_HEARD_WATCHED;
}

static const struct gw_drift_baseline *baseline_of(const struct gw_drift_profile *profile, struct gw_slice head)
{
    for (uint32_t h = 0; h < profile->head_count; h++) {
        const struct gw_drift_baseline *baseline = &profile->heads[h];
        if (gw_slice_is(head, baseline->name)) {
            return baseline->sample_count >= GW_DRIFT_BASELINE_ROWS_MIN ? baseline : NULL;
        }
    }
    return NULL;
}

// One head of a sample whose version's reference is ready.
struct row {
    const struct gw_label_sample *sample;
    const struct gw_monitor_reference *reference;
    const struct gw_monitor_alert_place *place;
    uint32_t head;
};

static gw_status add_row(struct gw_monitor_concept *concept, const struct row *row, enum gw_monitor_heard *ret_heard,
                         gw_err *err)
{
    const struct gw_label_sample *sample = row->sample;
    struct gw_monitor_watched *watched = NULL;
    float probability = sample->heads.items[row->head];
    struct gw_slice head = sample->head_names.items[row->head];
    int label = gw_label_find((const char *)head.data, head.size);
    const struct gw_drift_baseline *baseline = baseline_of(row->reference->profile, head);
    *ret_heard = label < 0                                       ? GW_MONITOR_HEARD_NO_LABEL
                 : !(probability >= 0.0f && probability <= 1.0f) ? GW_MONITOR_HEARD_INVALID
                 : baseline == NULL                              ? GW_MONITOR_HEARD_NO_BASELINE
                                                                 : GW_MONITOR_HEARD_WATCHED;
    if (*ret_heard != GW_MONITOR_HEARD_WATCHED) {
        return GW_OK;
    }
    GW_TRY(gw_monitor_watches_get(concept->watches, sample->model_name, sample->model_version, row->reference,
                                  row->place, &watched, err));
    struct gw_drift_loss *loss = loss_of(watched->watch, baseline->name);
    if (loss == NULL) {
        *ret_heard = GW_MONITOR_HEARD_NO_BASELINE;
        return GW_OK;
    }
    struct gw_monitor_alert_to to = gw_monitor_watches_alert_to(concept->watches, watched, row->place);
    const struct gw_drift_sink alarms = {.context = &to, .alarm = gw_monitor_alert_say};
    bool positive = ((uint64_t)sample->label_bits >> label & 1) != 0;
    return gw_drift_loss_feed(loss, probability, positive, sample->served_at_ms, &alarms, err);
}

static gw_status add_rows(struct gw_monitor_concept *concept, const struct row *sample,
                          uint64_t counts[GW_MONITOR_HEARD_COUNT], gw_err *err)
{
    struct row row = *sample;
    for (row.head = 0; row.head < row.sample->heads.count; row.head++) {
        enum gw_monitor_heard heard = GW_MONITOR_HEARD_INVALID;
        GW_TRY(add_row(concept, &row, &heard, err));
        counts[heard]++;
    }
    return GW_OK;
}

gw_status gw_monitor_concept_add(struct gw_monitor_concept *concept, const struct gw_label_sample *sample,
                                 int64_t append_time_ms, gw_monitor_alert_sink sink, void *context,
                                 uint64_t counts[GW_MONITOR_HEARD_COUNT], gw_err *err)
{
    const struct gw_monitor_alert_place place = {.sink = sink, .context = context, .at_ms = append_time_ms};
    struct row row = {.sample = sample, .place = &place};
    enum gw_monitor_heard heard = judge(concept, sample, append_time_ms);
    if (heard == GW_MONITOR_HEARD_WATCHED &&
        gw_monitor_watches_late(concept->watches, sample->model_name, sample->served_at_ms)) {
        heard = GW_MONITOR_HEARD_LATE;
    }
    if (heard == GW_MONITOR_HEARD_WATCHED) {
        GW_TRY(gw_monitor_watches_reference(concept->watches, sample->model_name, sample->model_version, &row.reference,
                                            err));
        heard = judge_reference(row.reference);
        if (heard != GW_MONITOR_HEARD_UNKNOWN) {
            GW_TRY(gw_monitor_watches_seen(concept->watches, sample->model_name, sample->model_version,
                                           sample->served_at_ms, &place, err));
        }
    }
    if (heard == GW_MONITOR_HEARD_WATCHED) {
        return add_rows(concept, &row, counts, err);
    }
    counts[heard] += GW_MAX(sample->heads.count, 1u);
    return GW_OK;
}
