// SPDX-License-Identifier: MIT
#include "drift/divergence.h"

#include "drift/normal.h"

#include <math.h>

static double total_of(const double *weights, size_t bins)
{
    double sum = 0.0;
    for (size_t b = 0; b < bins; b++) {
        sum += weights[b];
    }
    return sum;
}

// Evidently's filler of empty bins (legacy/calculations/stattests/utils.py, feel_zeroes).
static double filler_of(const double *weights, double total, size_t bins)
{
    double least = INFINITY;
    for (size_t b = 0; b < bins; b++) {
        if (weights[b] > 0.0) {
            least = fmin(least, weights[b] / total);
        }
    }
    return least <= 1e-4 ? least / 1e6 : 1e-4;
}

double gw_drift_psi(const double *reference, const double *current, size_t bins)
{
    double reference_total = total_of(reference, bins);
    double current_total = total_of(current, bins);
    if (!(reference_total > 0.0 && current_total > 0.0)) {
        return NAN;
    }
    double reference_filler = filler_of(reference, reference_total, bins);
    double current_filler = filler_of(current, current_total, bins);
    double psi = 0.0;
    for (size_t b = 0; b < bins; b++) {
        if (reference[b] > 0.0 || current[b] > 0.0) {
            double r = reference[b] > 0.0 ? reference[b] / reference_total : reference_filler;
            double c = current[b] > 0.0 ? current[b] / current_total : current_filler;
            psi += (r - c) * log(r / c);
        }
    }
    return psi;
}

static double in_dialect(double divergence_nats, enum gw_drift_dialect dialect)
{
    static const double ln_2 = 0.69314718055994530942;
    switch (dialect) {
    case GW_DRIFT_EVIDENTLY:
        return sqrt(divergence_nats);
    case GW_DRIFT_NANNYML:
        return sqrt(divergence_nats / ln_2);
    case GW_DRIFT_TFDV:
        return divergence_nats / ln_2;
    }
    return NAN;
}

double gw_drift_jensen_shannon(const double *reference, const double *current, size_t bins,
                               enum gw_drift_dialect dialect)
{
    double reference_total = total_of(reference, bins);
    double current_total = total_of(current, bins);
    if (!(reference_total > 0.0 && current_total > 0.0)) {
        return NAN;
    }
    double sum = 0.0;
    for (size_t b = 0; b < bins; b++) {
        double r = reference[b] / reference_total;
        double c = current[b] / current_total;
        double middle = 0.5 * (r + c);
        sum += r > 0.0 ? r * log(r / middle) : 0.0;
        sum += c > 0.0 ? c * log(c / middle) : 0.0;
    }
    return in_dialect(fmax(0.5 * sum, 0.0), dialect);
}

double gw_drift_l_infinity(const double *reference, const double *current, size_t bins)
{
    double reference_total = total_of(reference, bins);
    double current_total = total_of(current, bins);
    if (!(reference_total > 0.0 && current_total > 0.0)) {
        return NAN;
    }
    double largest = 0.0;
    for (size_t b = 0; b < bins; b++) {
        largest = fmax(largest, fabs(reference[b] / reference_total - current[b] / current_total));
    }
    return largest;
}

double gw_drift_psi_by_chance(size_t bins, double reference_count, double current_count, double tau, double share)
{
    double noise = tau * (1.0 / reference_count + 1.0 / current_count);
    return bins > 1 ? noise * gw_drift_chi_square_quantile((double)(bins - 1), share) : 0.0;
}

double gw_drift_jensen_shannon_by_chance(size_t bins, double reference_count, double current_count, double tau,
                                         double share, enum gw_drift_dialect dialect)
{
    return in_dialect(gw_drift_psi_by_chance(bins, reference_count, current_count, tau, share) / 8.0, dialect);
}
