// SPDX-License-Identifier: MIT
// The simulator's traffic as real records: live on Kafka, or offline as labelled examples by the same feature code.
#pragma once

#include "simulator/drift.h"
#include "worker/runtime.h"

// Live traffic. Event time is wall time; history is sent first, as fast as it can, and ends at now. The profiles of all
// users and the living tweets belong to it, even when history_us is 0.
// Counts and rates of 0 are the simulator's defaults.
struct gw_simulate_options {
    uint64_t seed;
    uint32_t user_count;
    uint32_t author_count;
    uint32_t tweets_alive;
    uint32_t candidates_mean;
    double requests_per_s; // live mean rate; events follow from requests
    double pace;           // viewers look and act so many times as fast as people do; for short label windows
    int64_t history_us;    // length of the history sent first; 0: none
    bool history_requests; // also send the requests of the history (else only its events)
    uint64_t requests_max; // stop after so many live requests; 0: no bound
    int64_t duration_us;   // stop after so long live; 0: until *stop
    bool flat_out;         // requests as fast as Kafka takes them, drawn from the world at now, without events
    // Their from_ms is an offset: after the start of live traffic, or of the history that examples are made of. Not of
    // use flat out. With `drift_now` it is one after that was found set, and until then nothing drifts.
    struct gw_sim_drift drifts[GW_SIM_DRIFTS_MAX];
    size_t drift_count;
    const atomic_bool *drift_now; // borrowed; NULL: no need to wait. Live traffic only
};

// Needs GW_RUNTIME_SCHEMAS. A broker that is slow or away is waited for, in order; GW_E_UNAVAILABLE at the end when
// deliveries failed. Stops early, without an error, when *runtime->stop is set. Prints one progress line a second on
// stderr and a summary (JSON) on stdout at the end.
GW_CHECK gw_status gw_simulate_run(const struct gw_runtime *runtime, const struct gw_simulate_options *options,
                                   gw_err *err);

// Offline: simulates `history_us` ending now, applies every event to rows in memory by the code of rekey and aggregate,
// assembles the vector of each shown candidate at its request's time by the plan of `feature_names`, looks up its label
// over a label window, and writes a GWEX file in the order of requests. Needs GW_RUNTIME_FEATURES only. The same
// options with the same end_ms give the same bytes. Memory: rows of all users, authors, living tweets and pairs; two
// worlds; what was shown in one window; some 30 bytes an example.
#define GW_SIMULATE_LABEL_WINDOW_MS (3LL * 3600 * 1000)

struct gw_examples_run {
    struct gw_simulate_options world; // seed, counts, history_us: longer than warm-up and label window together
    const char *path;
    // NULL, or a second GWEX file, of vectors to tell drift by: of each request one candidate, whether it was shown or
    // not, chosen by the hash by which score samples live ones (score_sample.h). No labels, weight 1.
    const char *reference_path;
    const char *const *feature_names; // NULL: every visible feature of the set
    size_t feature_count;
    int64_t warm_up_us;      // requests of this first part give no examples
    int64_t label_window_us; // 0: GW_SIMULATE_LABEL_WINDOW_MS
    uint64_t examples_max;   // 0: no bound; also of the vectors of the reference
    int64_t end_ms;          // event time at which the history ends; 0: now
    // Instead of the drawn label, the truth: each vector twice, as is_favorited with weight p and not with weight 1 -
    // p, where p is its true probability. A model fitted to such a file has no label noise to fit, and its weighted AUC
    // on the holdout is the expected one: the ceiling of what these features can tell.
    bool truth;
};

struct gw_examples_report {
    uint64_t examples;      // vectors
    uint64_t references;    // vectors of the reference
    uint64_t positives[16]; // by label bit, drawn
    double auc_truth;       // AUC of the true probability of is_favorited over the examples: the first ceiling
    double auc_expected;    // the same in expectation over the draw of labels (gw_quality_expected_auc)
    uint64_t events;        // applied to rows
};
// GW_E_INVALID: the history is too short, or gives no example. GW_E_ABORTED: *runtime->stop was set; there is no file.
GW_CHECK gw_status gw_simulate_examples(const struct gw_runtime *runtime, const struct gw_examples_run *run,
                                        struct gw_examples_report *ret_report, gw_err *err);
