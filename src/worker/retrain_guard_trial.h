// SPDX-License-Identifier: MIT
// One trial: two versions score the same rows, and the evidence that the one is worse than the other.
//
// A row is the features that were served, under the layout of either version; the other one finds its features among
// them by name. What is compared is the primary head of the version on trial, by name in both.
//
// The evidence is quality/worse.h, with predictions 1e-4 away from 0 and 1 in the logarithm: no gain is clipped then
// (h = 9.2 nats), so the claim is about the mean itself, and rows count nearly twice as much as with 1e-7. Weights of
// rows are 1 / the share of requests that was kept, so those of bulk requests and of callers who wait are far apart. A
// bet is on weight / limit, where the limit is the heaviest weight of the rows before, at least 1 and at most
// weight_max: chosen before the row, so the bet stays fair, and rows that all weigh the same count in full. A heavier
// row counts as much as the limit.
//
// Wealth of a bet is a product over rows: their order does not matter, but for the moment at which the sum of bets
// first reaches 1 / alpha.
#pragma once

#include "model/bundle.h"
#include "records/labeled_example.h"
#include "worker/retrain_guard_plan.h"

struct gw_retrain_trial;

struct gw_retrain_trial_options {
    struct gw_retrain_duel duel;
    int64_t until_ms;          // rows served later are no evidence
    struct gw_bundle *version; // shared
    struct gw_bundle *former;  // shared
    double margin;             // nats, in [0, 1]
    double alpha;              // in (0, 1)
    double weight_max;         // >= 1
};

struct gw_retrain_trial_counts {
    uint64_t rows;       // of evidence
    uint64_t unusable;   // of another layout, or without a sensible weight or prediction
    uint64_t heavy;      // of those of evidence: heavier than weight_max, and counted as that
    double difference;   // weighted mean of the difference of log loss in nats; 0 without rows
    double log_evidence; // natural logarithm
    bool proven;
};

// GW_E_MISMATCH: they cannot be compared. GW_E_INVALID: an option. GW_E_MEMORY.
GW_CHECK gw_status gw_retrain_trial_new(const struct gw_retrain_trial_options *options,
                                        struct gw_retrain_trial **ret_trial, gw_err *err);
void gw_retrain_trial_free(struct gw_retrain_trial *trial); // NULL is legal

// Takes a row with a final label; one served before the trial or after until_ms changes nothing. *ret_used: it became
// evidence.
GW_CHECK gw_status gw_retrain_trial_add(struct gw_retrain_trial *trial, const struct gw_labeled_example *example,
                                        bool *ret_used, gw_err *err);

const struct gw_retrain_duel *gw_retrain_trial_duel(const struct gw_retrain_trial *trial);
void gw_retrain_trial_count(const struct gw_retrain_trial *trial, struct gw_retrain_trial_counts *ret_counts);

// The verdict in words, for the registry's history.
void gw_retrain_trial_say(const struct gw_retrain_trial *trial, char *text, size_t size);
