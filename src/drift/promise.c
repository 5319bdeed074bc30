// SPDX-License-Identifier: MIT
#include "drift/promise.h"

#include "drift/normal.h"

#include <math.h>

static const double seconds_a_day = 86400.0;
static const double head_start = 1.5; // nats; see the header
static const double shift_max = 8.0;

double gw_drift_promise_threshold(double days, double rate_per_s)
{
    return days * rate_per_s * seconds_a_day;
}

double gw_drift_promise_days(double threshold, double rate_per_s)
{
    return rate_per_s > 0.0 ? threshold / (rate_per_s * seconds_a_day) : INFINITY;
}

static double rows_for(double threshold, double growth, double lanes)
{
    return growth > 0.0 ? fmax((log(lanes * threshold) - head_start) / growth, 1.0) : INFINITY;
}

// The largest growth of any lane when rows of the table come with these shares. logs: GW_DRIFT_LANES a row.
static double best_growth(const double *logs, const double *share, uint32_t rows)
{
    double growth[GW_DRIFT_LANES] = {0};
    for (uint32_t b = 0; b < rows; b++) {
        for (size_t j = 0; j < GW_DRIFT_LANES; j++) {
            growth[j] += share[b] * logs[b * GW_DRIFT_LANES + j];
        }
    }
    double best = 0.0;
    for (size_t j = 0; j < GW_DRIFT_LANES; j++) {
        best = fmax(best, growth[j]);
    }
    return best;
}

static void take_logs(const struct gw_drift_lanes *table, uint32_t rows, double *logs)
{
    for (uint32_t b = 0; b < rows; b++) {
        for (size_t j = 0; j < GW_DRIFT_LANES; j++) {
            logs[b * GW_DRIFT_LANES + j] = log(fmax((double)table[b].lane[j], 1e-30));
        }
    }
}

// What the delays of one feature have in common, so that searching among them costs microseconds each.
struct tilt {
    const struct gw_drift_feature *feature;
    double end[GW_DRIFT_BINS_MAX]; // upper end of each bin on the normal scale
    double logs[GW_DRIFT_ROWS_MAX * GW_DRIFT_LANES];
};

static void prepare_tilt(const struct gw_drift_feature *feature, struct tilt *tilt)
{
    double finite = 1.0 - feature->share[feature->bin_count] - feature->share[feature->bin_count + 1];
    double below = 0.0;
    tilt->feature = feature;
    for (uint32_t b = 0; b < feature->bin_count; b++) {
        below += feature->share[b] / finite;
        tilt->end[b] = b + 1 < feature->bin_count ? gw_drift_normal_quantile(below) : INFINITY;
    }
    take_logs(feature->tilt, feature->row_count, tilt->logs);
}

static double delay_of_tilt(const struct tilt *tilt, double threshold, double shift_sigma)
{
    const struct gw_drift_feature *feature = tilt->feature;
    double share[GW_DRIFT_ROWS_MAX];
    double missing = feature->share[feature->bin_count];
    double unseen = feature->share[feature->bin_count + 1];
    double below = 0.0;
    for (uint32_t b = 0; b < feature->bin_count; b++) {
        double next = gw_drift_normal_below(tilt->end[b] - shift_sigma);
        share[b] = (1.0 - missing - unseen) * fmax(next - below, 0.0);
        below = next;
    }
    share[feature->bin_count] = missing;
    share[feature->bin_count + 1] = unseen;
    double lanes = GW_DRIFT_LANES + (feature->kind == GW_DRIFT_CATEGORICAL ? 3 : 0);
    return rows_for(threshold, best_growth(tilt->logs, share, feature->row_count), lanes);
}

double gw_drift_promise_delay(const struct gw_drift_feature *feature, double threshold, double shift_sigma)
{
    struct tilt tilt;
    prepare_tilt(feature, &tilt);
    return delay_of_tilt(&tilt, threshold, shift_sigma);
}

double gw_drift_promise_missing_delay(const struct gw_drift_feature *feature, double threshold, double share)
{
    double unseen = feature->share[feature->bin_count + 1] * (1.0 - share);
    const double shares[GW_DRIFT_ABSENCE_ROWS] = {1.0 - share - unseen, share, unseen};
    double logs[GW_DRIFT_ABSENCE_ROWS * GW_DRIFT_LANES];
    take_logs(feature->absence, GW_DRIFT_ABSENCE_ROWS, logs);
    return rows_for(threshold, best_growth(logs, shares, GW_DRIFT_ABSENCE_ROWS), GW_DRIFT_LANES);
}

double gw_drift_promise_loss_delay(const struct gw_drift_baseline *baseline, double threshold, double rise)
{
    double deviation = baseline->deviation / baseline->clip;
    double mean = baseline->mean / baseline->clip + rise * deviation - baseline->upper / baseline->clip;
    double best = 0.0;
    for (size_t j = 0; j < GW_DRIFT_LANES; j++) {
        double lambda = (double)baseline->lambda.lane[j];
        double square = deviation * deviation + mean * mean;
        double growth =
            lambda * mean - 0.5 * lambda * lambda * square + log(fmax((double)baseline->keep.lane[j], 1e-30));
        best = fmax(best, growth);
    }
    return rows_for(threshold, best, GW_DRIFT_LANES);
}

// The smallest x in (0, high] with delay(x) <= rows, by bisection: the delay falls as the change grows.
typedef double (*delay_of)(const void *of, double threshold, double x);

static double smallest(delay_of delay, const void *of, double threshold, double rows, double high)
{
    if (!(delay(of, threshold, high) <= rows)) {
        return INFINITY;
    }
    double low = 0.0;
    for (int i = 0; i < 40; i++) {
        double middle = 0.5 * (low + high);
        if (delay(of, threshold, middle) <= rows) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return high;
}

static double delay_up(const void *of, double threshold, double x)
{
    return delay_of_tilt(of, threshold, x);
}

static double delay_down(const void *of, double threshold, double x)
{
    return delay_of_tilt(of, threshold, -x);
}

static double delay_missing(const void *of, double threshold, double x)
{
    const struct gw_drift_feature *feature = of;
    double root = sin(asin(sqrt(feature->share[feature->bin_count])) + 0.5 * x);
    return gw_drift_promise_missing_delay(feature, threshold, root * root);
}

static double delay_loss(const void *of, double threshold, double x)
{
    return gw_drift_promise_loss_delay(of, threshold, x);
}

double gw_drift_promise_shift(const struct gw_drift_feature *feature, double threshold, double rows)
{
    struct tilt tilt;
    prepare_tilt(feature, &tilt);
    return fmax(smallest(delay_up, &tilt, threshold, rows, shift_max),
                smallest(delay_down, &tilt, threshold, rows, shift_max));
}

double gw_drift_promise_missing(const struct gw_drift_feature *feature, double threshold, double rows)
{
    // Up to nearly all missing: asin(1) - asin(sqrt(p0)), doubled.
    double whole = 3.14159265358979323846 - 2.0 * asin(sqrt(feature->share[feature->bin_count]));
    return smallest(delay_missing, feature, threshold, rows, 0.999 * whole);
}

double gw_drift_promise_loss(const struct gw_drift_baseline *baseline, double threshold, double rows)
{
    // The loss cannot rise past its clip, and the expansion does not hold past a deviation.
    double room = (baseline->clip - baseline->mean) / baseline->deviation;
    return baseline->deviation > 0.0 ? smallest(delay_loss, baseline, threshold, rows, fmin(room, 1.0)) : INFINITY;
}
