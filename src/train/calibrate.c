// SPDX-License-Identifier: MIT
#include "train/calibrate.h"

#include "base/mem.h"
#include "quality/calibrate.h"
#include "train/measure.h"

#include <math.h>

static bool has_both_classes(const struct gw_train_margins *rows)
{
    size_t positives = 0;
    for (size_t i = 0; i < rows->count; i++) {
        positives += rows->labels[i] > 0.5f ? 1 : 0;
    }
    return positives > 0 && positives < rows->count;
}

static double effective_count(const struct gw_train_margins *rows)
{
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < rows->count; i++) {
        double weight = (double)rows->weights[i];
        sum += weight;
        squares += weight * weight;
    }
    return sum * sum / squares;
}

static gw_status fit(const struct gw_train_margins *rows, struct gw_calibration *calibration, gw_err *err)
{
    struct gw_platt platt = {0};
    GW_TRY(gw_calibrate_platt(rows->margins, rows->labels, rows->weights, rows->count, &platt, err));
    calibration->kind = GW_CALIBRATION_PLATT;
    calibration->a = platt.a;
    calibration->b = platt.b;
    return GW_OK;
}

// Nats that the calibration saves on these rows, all together.
static gw_status gain(const struct gw_train_margins *rows, const struct gw_calibration *calibration, double *ret_gain,
                      gw_err *err)
{
    GW_CLEANUP(gw_mem_cleanup) float *margins = gw_mem_calloc(rows->count, sizeof *margins);
    if (margins == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %zu margins", rows->count);
    }
    for (size_t i = 0; i < rows->count; i++) {
        margins[i] = gw_train_calibrated_margin(calibration, rows->margins[i]);
    }
    double as_is = gw_measure_log_loss(rows->margins, rows->labels, rows->weights, rows->count);
    double calibrated = gw_measure_log_loss(margins, rows->labels, rows->weights, rows->count);
    *ret_gain = effective_count(rows) * (as_is - calibrated);
    return GW_OK;
}

gw_status gw_train_calibrate(const struct gw_train_margins *rows, double negative_rate,
                             struct gw_calibration *ret_calibration, gw_err *err)
{
    const size_t half = rows->count / 2;
    const struct gw_train_margins first = {
        .margins = rows->margins, .labels = rows->labels, .weights = rows->weights, .count = half};
    const struct gw_train_margins second = {.margins = rows->margins + half,
                                            .labels = rows->labels + half,
                                            .weights = rows->weights + half,
                                            .count = rows->count - half};
    // The rate belongs to what is served; fitting and choosing happen among the rows as they are.
    struct gw_calibration platt = {.negative_rate = 1};
    *ret_calibration = (struct gw_calibration){.kind = GW_CALIBRATION_IDENTITY, .negative_rate = negative_rate};
    if (!has_both_classes(&first) || !has_both_classes(&second)) {
        return GW_OK;
    }
    double gained = 0;
    GW_TRY(fit(&first, &platt, err));
    GW_TRY(gain(&second, &platt, &gained, err));
    if (!(gained > log(effective_count(&second)))) {
        return GW_OK;
    }
    GW_TRY(fit(rows, &platt, err));
    if (platt.a > 0) {
        platt.negative_rate = negative_rate;
        *ret_calibration = platt;
    }
    return GW_OK;
}

float gw_train_calibrated_margin(const struct gw_calibration *calibration, float margin)
{
    double value = (double)margin;
    if (calibration->kind == GW_CALIBRATION_PLATT) {
        value = calibration->a * value + calibration->b;
    }
    return (float)(value + log(calibration->negative_rate)); // gw_calibrate_sampled, on the scale of margins
}

float gw_train_population_weight(float weight, bool positive, double negative_rate)
{
    return positive ? weight : (float)((double)weight / negative_rate);
}
