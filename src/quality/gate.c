// SPDX-License-Identifier: MIT
#include "quality/gate.h"

#include "base/check.h"

#include <math.h>

static const char *const verdict_names[] = {
#define X(suffix, name) name,
    GW_GATE_VERDICT_MAP(X)
#undef X
};

const char *gw_gate_verdict_name(enum gw_gate_verdict verdict)
{
    GW_ASSERT((size_t)verdict < GW_GATE_VERDICT_COUNT);
    return verdict_names[verdict];
}

void gw_gate_decide(const struct gw_paired *paired, double margin, double alpha, struct gw_gate_decision *ret_decision)
{
    GW_ASSERT(margin >= 0.0);
    struct gw_gate_decision decision = {
        .verdict = GW_GATE_INCONCLUSIVE,
        .margin = margin,
        .alpha = alpha,
        .rows = paired->rows,
        .clipped_share = paired->rows > 0 ? (double)paired->clipped_rows / (double)paired->rows : 0.0,
    };
    gw_paired_bounds_at(paired, alpha, &decision.bounds);
    if (decision.bounds.high < margin) {
        decision.verdict = GW_GATE_PASS;
    } else if (decision.bounds.low > margin) {
        decision.verdict = GW_GATE_FAIL;
    }
    *ret_decision = decision;
}

static struct gw_gate_check check(const char *name, double value, double low, double high)
{
    return (struct gw_gate_check){
        .name = name, .passed = value >= low && value <= high, .value = value, .low = low, .high = high};
}

void gw_gate_check_informs(const struct gw_head_measures *candidate, struct gw_gate_check ret_checks[2])
{
    // A constant predictor is at the ends but for the rounding of sums.
    const double rounding = 1e-6;
    ret_checks[0] = check("auc", candidate->auc_interval.low, 0.5 + rounding, 1.0);
    ret_checks[1] = check("normalised_entropy", candidate->normalised_entropy_interval.high, 0.0, 1.0 - rounding);
}

struct gw_gate_check gw_gate_check_prior(const struct gw_head_measures *holdout, double expected_rate, double factor)
{
    GW_ASSERT(factor > 1.0);
    double rate = holdout->examples > 0.0 ? holdout->positives / holdout->examples : (double)NAN;
    return check("label_prior", rate, expected_rate / factor, expected_rate * factor);
}

struct gw_gate_check gw_gate_check_calibration(const struct gw_head_measures *candidate, double factor)
{
    GW_ASSERT(factor > 1.0);
    return check("calibration", candidate->calibration, 1.0 / factor, factor);
}

struct gw_gate_check gw_gate_check_missing(uint64_t missing_rows, uint64_t rows, double share_max)
{
    double share = rows > 0 ? (double)missing_rows / (double)rows : (double)NAN;
    return check("missing_predictions", share, 0.0, share_max);
}

struct gw_gate_check gw_gate_check_scores(const struct gw_head_quality *champion,
                                          const struct gw_head_quality *candidate, double psi_max)
{
    struct gw_head_measures a;
    struct gw_head_measures b;
    gw_head_quality_measure(champion, &a);
    gw_head_quality_measure(candidate, &b);
    double chance = 0.0;
    if (a.rows > 0 && b.rows > 0) {
        chance = 9.0 / (a.effective_positives + a.effective_negatives) +
                 9.0 / (b.effective_positives + b.effective_negatives);
    }
    return check("score_psi", gw_head_quality_psi(champion, candidate), 0.0, psi_max + chance);
}
