// SPDX-License-Identifier: MIT
#include "drift/concept.h"

#include <math.h>

double gw_drift_log_loss(float probability, bool label)
{
    double of_truth = label ? (double)probability : 1.0 - (double)probability;
    return -log(fmax(of_truth, 1e-7));
}

void gw_drift_baseline_derive(struct gw_drift_baseline *baseline)
{
    double error = baseline->deviation * sqrt(baseline->tau / (double)baseline->sample_count);
    baseline->upper = fmin(baseline->mean + 2.0 * error, baseline->clip);

    // A rise of d deviations is best met by a stake of d / deviation. No stake may lose more than nine tenths.
    double mu = baseline->upper / baseline->clip;
    double deviation = baseline->deviation / baseline->clip;
    for (size_t j = 0; j < GW_DRIFT_LANES; j++) {
        double rise = 0.01 * pow(100.0, (double)j / (GW_DRIFT_LANES - 1)) / baseline->tau;
        double lambda = deviation > 0.0 ? fmin(rise / deviation, 0.9 / mu) : 0.0;
        double scaled = lambda * deviation;
        baseline->lambda.lane[j] = (float)lambda;
        baseline->keep.lane[j] = (float)exp(-0.5 * (baseline->tau - 1.0) * scaled * scaled);
    }
}

gw_status gw_drift_concept_init(struct gw_drift_concept *concept, const struct gw_drift_baseline *baseline, gw_err *err)
{
    if (baseline->sample_count < GW_DRIFT_BASELINE_ROWS_MIN) {
        return gw_fail(err, GW_E_INVALID, "head '%s': baseline of %llu rows, needs %d", baseline->name,
                       (unsigned long long)baseline->sample_count, GW_DRIFT_BASELINE_ROWS_MIN);
    }
    if (!(baseline->deviation > 0.0)) {
        return gw_fail(err, GW_E_INVALID, "head '%s': the loss of its baseline is constant", baseline->name);
    }
    gw_drift_lanes_reset(&concept->m);
    return GW_OK;
}

gw_status gw_drift_concept_feed(struct gw_drift_concept *concept, const struct gw_drift_baseline *baseline, double loss,
                                double weight, double *ret_e, gw_err *err)
{
    if (!(loss >= 0.0)) {
        return gw_fail(err, GW_E_INVALID, "head '%s': loss %g", baseline->name, loss);
    }
    if (!(weight > 0.0 && weight <= 1.0)) {
        return gw_fail(err, GW_E_INVALID, "head '%s': weight %g", baseline->name, weight);
    }
    float gain = (float)(weight * (fmin(loss, baseline->clip) - baseline->upper) / baseline->clip);
    struct gw_drift_lanes factor;
    for (size_t j = 0; j < GW_DRIFT_LANES; j++) {
        factor.lane[j] = (1.0f + baseline->lambda.lane[j] * gain) * baseline->keep.lane[j];
    }
    *ret_e = (double)gw_drift_lanes_step(&concept->m, &factor) / GW_DRIFT_LANES;
    return GW_OK;
}
