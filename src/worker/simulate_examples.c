// SPDX-License-Identifier: MIT
// Offline examples: one simulator feeds the rows and gives the requests, a second one runs a label window ahead and
// tells what became of them (simulate_outcomes.h).
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "label/bits.h"
#include "model/bundle.h"
#include "model/examples.h"
#include "quality/auc.h"
#include "worker/score_sample.h"
#include "worker/simulate.h"
#include "worker/simulate_drift.h"
#include "worker/simulate_outcomes.h"
#include "worker/simulate_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

_Static_assert(GW_LABEL_COUNT == GW_COUNT_OF(((struct gw_examples_report *)NULL)->positives),
               "a count of positives for each label");

#define EVENTS_PER_STOP_CHECK 1024

struct job {
    const struct gw_runtime *runtime;
    const struct gw_examples_run *run;
    const char **own_names; // when the run names no features
    const char *const *names;
    size_t feature_count;
    struct gw_feature_plan *plan;
    struct gw_simulator *simulator;
    struct gw_simulate_outcomes *outcomes;
    struct gw_simulate_converter *converter;
    struct gw_simulate_rows *rows;
    struct gw_examples_writer *writer;
    struct gw_examples_writer *reference; // or NULL
    float *features;
    int64_t first_ms; // first request that gives examples
    double *truth;    // per example
    bool *favorited;
    size_t truth_count;
    size_t truth_capacity;
    struct gw_examples_report report;
};

// ---- making the parts -----------------------------------------------------------------------------------------------

static gw_status choose_features(struct job *job, gw_err *err)
{
    const struct gw_feature_set *set = job->runtime->features;
    job->names = job->run->feature_names;
    job->feature_count = job->run->feature_count;
    if (job->names == NULL) {
        job->own_names = gw_mem_calloc(GW_MAX(gw_feature_set_count(set), 1), sizeof *job->own_names);
        if (job->own_names == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for the features' names");
        }
        job->feature_count = 0;
        for (size_t i = 0; i < gw_feature_set_count(set); i++) {
            if (!gw_feature_set_is_hidden(set, i)) {
                job->own_names[job->feature_count++] = gw_feature_set_name(set, i);
            }
        }
        job->names = job->own_names;
    }
    if (job->feature_count == 0 || job->feature_count > GW_BUNDLE_FEATURES_MAX) {
        return gw_fail(err, GW_E_CONFIG, "%zu features, must be 1..%d", job->feature_count, GW_BUNDLE_FEATURES_MAX);
    }
    job->features = gw_mem_calloc(job->feature_count, sizeof *job->features);
    return job->features != NULL ? gw_feature_plan_new(set, job->names, job->feature_count, &job->plan, err)
                                 : gw_fail(err, GW_E_MEMORY, "no memory for a vector");
}

static gw_status make_worlds(struct job *job, gw_err *err)
{
    const struct gw_examples_run *run = job->run;
    int64_t end_ms = run->end_ms != 0 ? run->end_ms : gw_clock_wall_ms();
    int64_t start_ms = end_ms - run->world.history_us / 1000;
    int64_t window_ms = run->label_window_us > 0 ? run->label_window_us / 1000 : GW_SIMULATE_LABEL_WINDOW_MS;
    job->first_ms = start_ms + run->warm_up_us / 1000;
    if (run->world.history_us <= 0 || run->warm_up_us < 0 || job->first_ms >= end_ms - window_ms) {
        return gw_fail(err, GW_E_INVALID,
                       "a history of %" PRId64 " s is too short for %" PRId64 " s of warm-up and %" PRId64
                       " s of label window",
                       run->world.history_us / 1000000, run->warm_up_us / 1000000, window_ms / 1000);
    }
    struct gw_simulator_options world = gw_simulate_world(&run->world, start_ms);
    struct gw_sim_drift drifts[GW_SIM_DRIFTS_MAX];
    world.drifts = drifts;
    world.drift_count = gw_simulate_drifts_from(&run->world, start_ms, drifts);
    world.end_ms = end_ms;
    GW_TRY(gw_simulate_outcomes_new(&world, window_ms, &job->outcomes, err));
    world.end_ms = end_ms - window_ms; // no request whose window is still open
    return gw_simulator_new(&world, &job->simulator, err);
}

static gw_status make_writers(struct job *job, gw_err *err)
{
    uint64_t layout = GW_HASH_FNV_START; // as score computes it: what a vector of these names means
    for (size_t i = 0; i < job->feature_count; i++) {
        layout = gw_hash_fnv1a(layout, job->names[i], strlen(job->names[i]) + 1);
    }
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, layout);
    const struct gw_examples_header header = {
        .feature_count = job->feature_count,
        .feature_names = job->names,
        .label_count = job->run->truth ? 1 : GW_LABEL_COUNT, // the truth is of is_favorited alone
        .label_names = gw_label_names,
        .layout = text,
    };
    GW_TRY(gw_examples_writer_new(job->run->path, &header, &job->writer, err));
    return job->run->reference_path == NULL
               ? GW_OK
               : gw_examples_writer_new(job->run->reference_path, &header, &job->reference, err);
}

static gw_status init(struct job *job, gw_err *err)
{
    GW_TRY(choose_features(job, err));
    GW_TRY(make_worlds(job, err));
    GW_TRY(gw_simulate_converter_new(&job->converter, err));
    GW_TRY(gw_simulate_rows_new(job->runtime->features, job->plan, job->feature_count, &job->rows, err));
    return make_writers(job, err);
}

static void deinit(struct job *job)
{
    gw_examples_writer_free(job->writer);
    gw_examples_writer_free(job->reference);
    gw_simulate_rows_free(job->rows);
    gw_simulate_converter_free(job->converter);
    gw_simulate_outcomes_free(job->outcomes);
    gw_simulator_free(job->simulator);
    gw_feature_plan_free(job->plan);
    gw_mem_free(job->features);
    gw_mem_free(job->own_names);
    gw_mem_free(job->truth);
    gw_mem_free(job->favorited);
}

// ---- examples -------------------------------------------------------------------------------------------------------

static gw_status keep_truth(struct job *job, double probability, bool favorited, gw_err *err)
{
    if (job->truth_count == job->truth_capacity) {
        size_t capacity = job->truth_capacity > 0 ? job->truth_capacity * 2 : 65536;
        double *truth = gw_mem_realloc(job->truth, capacity, sizeof *truth);
        job->truth = truth != NULL ? truth : job->truth;
        bool *labels = truth != NULL ? gw_mem_realloc(job->favorited, capacity, sizeof *labels) : NULL;
        if (labels == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for the truth of %zu examples", capacity);
        }
        job->favorited = labels;
        job->truth_capacity = capacity;
    }
    job->truth[job->truth_count] = probability;
    job->favorited[job->truth_count++] = favorited;
    return GW_OK;
}

static gw_status append(struct job *job, int64_t time_ms, uint64_t bits, double probability, gw_err *err)
{
    struct gw_example example = {.time_ms = time_ms, .label_bits = bits, .weight = 1.0f, .features = job->features};
    if (!job->run->truth) {
        return gw_examples_append(job->writer, &example, err);
    }
    const float weights[2] = {(float)(1.0 - probability), (float)probability};
    for (uint64_t label = 0; label < 2; label++) {
        example.label_bits = label;
        example.weight = weights[label];
        if (example.weight > 0.0f) {
            GW_TRY(gw_examples_append(job->writer, &example, err));
        }
    }
    return GW_OK;
}

static bool is_full(const struct job *job)
{
    return job->run->examples_max > 0 && job->report.examples >= job->run->examples_max;
}

static gw_status add_example(struct job *job, const struct gw_sim_event *event,
                             const struct gw_prediction_request *request, const struct gw_simulate_shown *shown,
                             gw_err *err)
{
    size_t at = 0;
    while (at < request->candidates.count && request->candidates.items[at].tweet_id != shown->tweet_id) {
        at++;
    }
    if (at == request->candidates.count) {
        return gw_fail(err, GW_E_INTERNAL, "request %" PRId64 " shows tweet %" PRId64 ", no candidate of it",
                       request->request_join_id, shown->tweet_id);
    }
    double probability = gw_simulator_probability(job->simulator, at, GW_SIM_FAV);
    gw_simulate_rows_vector(job->rows, request, at, event->time_ms * 1000, job->features);
    GW_TRY(append(job, event->time_ms, shown->bits, probability, err));
    GW_TRY(keep_truth(job, probability, (shown->bits >> GW_LABEL_FAVORITED & 1) != 0, err));
    for (int bit = 0; bit < GW_LABEL_COUNT; bit++) {
        job->report.positives[bit] += shown->bits >> bit & 1;
    }
    job->report.examples++;
    return GW_OK;
}

static bool is_reference_full(const struct job *job)
{
    return job->run->examples_max > 0 && job->report.references >= job->run->examples_max;
}

static gw_status add_reference(struct job *job, const struct gw_sim_event *event,
                               const struct gw_prediction_request *request, gw_err *err)
{
    struct gw_sampler every = {.rate_per_s = UINT64_MAX};
    const struct gw_score_sample sample = gw_score_sample_choose(&every, request, 0);
    if (sample.weight == 0.0f) {
        return GW_OK; // no candidates
    }
    gw_simulate_rows_vector(job->rows, request, sample.candidate, event->time_ms * 1000, job->features);
    const struct gw_example example = {.time_ms = event->time_ms, .weight = 1.0f, .features = job->features};
    job->report.references++;
    return gw_examples_append(job->reference, &example, err);
}

static gw_status take_request(struct job *job, const struct gw_sim_event *event,
                              const struct gw_prediction_request *request, gw_err *err)
{
    const struct gw_simulate_shown *shown = NULL;
    size_t count = 0;
    GW_TRY(gw_simulate_outcomes_next(job->outcomes, event, &shown, &count, err));
    for (size_t i = 0; event->time_ms >= job->first_ms && i < count && !is_full(job); i++) {
        GW_TRY(add_example(job, event, request, &shown[i], err));
    }
    if (job->reference != NULL && event->time_ms >= job->first_ms && !is_reference_full(job)) {
        GW_TRY(add_reference(job, event, request, err));
    }
    return GW_OK;
}

static gw_status simulate(struct job *job, gw_err *err)
{
    struct gw_sim_event event;
    for (uint64_t n = 0; !is_full(job); n++) {
        if (n % EVENTS_PER_STOP_CHECK == 0 && job->runtime->stop != NULL && atomic_load(job->runtime->stop)) {
            return gw_fail(err, GW_E_ABORTED, "stopped after %" PRIu64 " examples", job->report.examples);
        }
        GW_TRY(gw_simulator_next(job->simulator, &event, err));
        if (event.kind == GW_SIM_END) {
            break;
        }
        GW_TRY(gw_simulate_drift_tell(job->simulator, err));
        struct gw_simulate_record record;
        gw_simulate_convert(job->converter, &event, event.time_ms, &record);
        if (event.kind == GW_SIM_REQUEST) {
            GW_TRY(take_request(job, &event, &record.request, err));
        } else {
            GW_TRY(gw_simulate_rows_apply(job->rows, &record, err));
            job->report.events++;
        }
    }
    return GW_OK;
}

static gw_status finish(struct job *job, gw_err *err)
{
    if (job->report.examples == 0) {
        return gw_fail(err, GW_E_INVALID, "the simulated history gives no example");
    }
    GW_TRY(gw_quality_auc(job->truth, job->favorited, NULL, job->truth_count, &job->report.auc_truth, err));
    GW_TRY(gw_quality_expected_auc(job->truth, job->truth, job->truth_count, &job->report.auc_expected, err));
    if (job->reference != NULL) {
        GW_TRY(gw_examples_finish(job->reference, err));
    }
    return gw_examples_finish(job->writer, err);
}

gw_status gw_simulate_examples(const struct gw_runtime *runtime, const struct gw_examples_run *run,
                               struct gw_examples_report *ret_report, gw_err *err)
{
    struct job job = {.runtime = runtime, .run = run};
    gw_status status = init(&job, err);
    if (status == GW_OK) {
        status = simulate(&job, err);
    }
    if (status == GW_OK) {
        status = finish(&job, err);
    }
    if (status == GW_OK) {
        *ret_report = job.report;
    }
    deinit(&job);
    return status;
}
