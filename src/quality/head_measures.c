// SPDX-License-Identifier: MIT
// From the sums to the measures and their intervals.
//
// With weights w, every mean is a ratio m = sum w x / sum w, whose variance is taken as sum w^2 (x - m)^2 / (sum w)^2,
// times n / (n - 1) with n the effective number of rows. For a function of several means (normalised entropy,
// calibration), x - m is the function's first-order influence: the delta method.
//
// The area's variance is that of DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988) from the histogram, with
// effective counts for the class sizes (right where weights do not depend on the score), on the logit scale, which
// keeps the interval inside [0, 1] (Qin and Hotilovac, Statistical Methods in Medical Research 17, 2008). With few rows
// of a class, or an area of 0 or 1, that variance is too small or none at all; there the interval is Newcombe's method
// 5 (Statistics in Medicine 25, 2006): all areas t that the estimate is within 1.96 standard errors of, the error being
// Hanley and McNeil's (Radiology 143, 1982) at t.
#include "quality/head_quality.h"

#include "quality/head_internal.h"

#include <math.h>

static const double z95 = 1.959963984540054;
static const double undefined = (double)NAN;

// Below so many effective rows of a class the variance of DeLong is not trusted.
static const double delong_rows = 20.0;

static double sum_of(const struct gw_head_quality *quality, enum gw_head_sum sum)
{
    return (double)quality->sums[sum] / GW_HEAD_SUM_ONE;
}

static double ratio(double a, double b)
{
    return b > 0.0 ? a / b : undefined;
}

// variance = scale * sum / total^2; scale is NaN with one row or fewer.
static double standard_error(double sum, double total, double effective)
{
    return effective > 1.0 ? sqrt(fmax(sum, 0.0) * effective / (effective - 1.0)) / total : undefined;
}

static struct gw_interval around(double estimate, double error)
{
    return (struct gw_interval){estimate - z95 * error, estimate + z95 * error};
}

static double entropy(double rate)
{
    return rate > 0.0 && rate < 1.0 ? -(rate * log(rate) + (1.0 - rate) * log1p(-rate)) : 0.0;
}

struct area {
    double auc;
    double tie_share;
    double positive_spread; // weighted mean of (placement - auc)^2 over positives
    double negative_spread;
};

static struct area area_of(const struct gw_head_quality *quality, double positives, double negatives)
{
    const uint64_t(*bins)[GW_HEAD_QUALITY_BINS] = quality->bins;
    struct area area = {.auc = undefined, .tie_share = undefined};
    if (!(positives > 0.0 && negatives > 0.0)) {
        return area;
    }
    double wins = 0.0;
    double ties = 0.0;
    double below = 0.0;
    for (size_t i = 0; i < GW_HEAD_QUALITY_BINS; i++) {
        double p = (double)bins[1][i];
        double n = (double)bins[0][i];
        wins += p * (below + n / 2.0);
        ties += p * n;
        below += n;
    }
    area.auc = wins / (positives * negatives);
    area.tie_share = ties / (positives * negatives);
    double negatives_below = 0.0;
    double positives_below = 0.0;
    for (size_t i = 0; i < GW_HEAD_QUALITY_BINS; i++) {
        double p = (double)bins[1][i];
        double n = (double)bins[0][i];
        double of_positive = (negatives_below + n / 2.0) / negatives - area.auc;
        double of_negative = 1.0 - (positives_below + p / 2.0) / positives - area.auc;
        area.positive_spread += p * of_positive * of_positive;
        area.negative_spread += n * of_negative * of_negative;
        negatives_below += n;
        positives_below += p;
    }
    area.positive_spread /= positives;
    area.negative_spread /= negatives;
    return area;
}

static double hanley_mcneil_error(double auc, double positives, double negatives)
{
    double others = fmax((positives + negatives) / 2.0 - 1.0, 0.0);
    double q = others * ((1.0 - auc) / (2.0 - auc) + auc / (1.0 + auc));
    return sqrt(auc * (1.0 - auc) * (1.0 + q) / (positives * negatives));
}

// The end of Newcombe's interval between the estimate and `end` (0 or 1): 60 halvings leave nothing of a double.
static double newcombe_end(double auc, double positives, double negatives, double end)
{
    double inside = auc;
    double outside = end;
    for (int i = 0; i < 60; i++) {
        double middle = (inside + outside) / 2.0;
        bool in = fabs(auc - middle) <= z95 * hanley_mcneil_error(middle, positives, negatives);
        *(in ? &inside : &outside) = middle;
    }
    return (inside + outside) / 2.0;
}

static struct gw_interval area_interval(const struct area *area, double positives, double negatives)
{
    if (isnan(area->auc)) {
        return (struct gw_interval){undefined, undefined};
    }
    double auc = area->auc;
    double slope = auc * (1.0 - auc);
    if (fmin(positives, negatives) < delong_rows || !(slope > 0.0)) {
        return (struct gw_interval){newcombe_end(auc, positives, negatives, 0.0),
                                    newcombe_end(auc, positives, negatives, 1.0)};
    }
    double error = sqrt(area->positive_spread / (positives - 1.0) + area->negative_spread / (negatives - 1.0));
    double logit = log(auc) - log1p(-auc);
    struct gw_interval ends = around(logit, error / slope);
    return (struct gw_interval){1.0 / (1.0 + exp(-ends.low)), 1.0 / (1.0 + exp(-ends.high))};
}

static double calibration_error(const struct gw_head_quality *quality, double total)
{
    const size_t width = GW_HEAD_QUALITY_BINS / GW_HEAD_QUALITY_GROUPS;
    double sum = 0.0;
    for (size_t group = 0; group < GW_HEAD_QUALITY_GROUPS; group++) {
        uint64_t positives = 0;
        for (size_t i = group * width; i < (group + 1) * width; i++) {
            positives += quality->bins[1][i];
        }
        sum += fabs((double)quality->predicted[group] / GW_HEAD_SUM_ONE - (double)positives / GW_HEAD_WEIGHT_ONE);
    }
    return sum / total;
}

static void measure_entropy(const struct gw_head_quality *quality, double effective, struct gw_head_measures *to)
{
    double rate = to->positives / to->examples;
    double s1 = sum_of(quality, GW_HEAD_SUM_W2);
    double sy = sum_of(quality, GW_HEAD_SUM_W2Y);
    double sl = sum_of(quality, GW_HEAD_SUM_W2L);
    double sly = sum_of(quality, GW_HEAD_SUM_W2LY);
    double sll = sum_of(quality, GW_HEAD_SUM_W2LL);
    double loss = to->log_loss;
    to->log_loss_interval =
        around(loss, standard_error(sll - 2.0 * loss * sl + loss * loss * s1, to->examples, effective));
    if (!(rate > 0.0 && rate < 1.0)) {
        return;
    }
    double base = to->base_entropy;
    to->normalised_entropy = loss / base;
    to->rce = 100.0 * (1.0 - to->normalised_entropy);
    // Influence: (l - loss) / base - loss base' / base^2 (y - rate), with base' = ln((1 - rate) / rate).
    double a = 1.0 / base;
    double b = loss * (log1p(-rate) - log(rate)) / (base * base);
    double c = a * loss - b * rate;
    double sum = a * a * sll + b * b * sy + c * c * s1 - 2.0 * a * b * sly - 2.0 * a * c * sl + 2.0 * b * c * sy;
    to->normalised_entropy_interval = around(to->normalised_entropy, standard_error(sum, to->examples, effective));
}

static void measure_calibration(const struct gw_head_quality *quality, double effective, struct gw_head_measures *to)
{
    double predicted = sum_of(quality, GW_HEAD_SUM_WP);
    to->calibration = ratio(predicted, to->positives);
    to->calibration_error = calibration_error(quality, to->examples);
    to->brier = sum_of(quality, GW_HEAD_SUM_WB) / to->examples;
    if (!(to->calibration > 0.0)) {
        return;
    }
    // Influence of the logarithm: (p - r y) / sum of w p.
    double r = to->calibration;
    double sum = sum_of(quality, GW_HEAD_SUM_W2PP) - 2.0 * r * sum_of(quality, GW_HEAD_SUM_W2PY) +
                 r * r * sum_of(quality, GW_HEAD_SUM_W2Y);
    struct gw_interval ends = around(log(r), standard_error(sum, predicted, effective));
    to->calibration_interval = (struct gw_interval){exp(ends.low), exp(ends.high)};
}

static void undefine(struct gw_head_measures *to)
{
    const struct gw_interval none = {undefined, undefined};
    to->log_loss = to->base_entropy = to->normalised_entropy = to->rce = undefined;
    to->calibration = to->calibration_error = to->brier = undefined;
    to->auc = to->auc_tie_share = undefined;
    to->log_loss_interval = to->normalised_entropy_interval = none;
    to->calibration_interval = to->auc_interval = none;
}

void gw_head_quality_measure(const struct gw_head_quality *quality, struct gw_head_measures *ret_measures)
{
    uint64_t positive_units = 0;
    uint64_t negative_units = 0;
    for (size_t i = 0; i < GW_HEAD_QUALITY_BINS; i++) {
        positive_units += quality->bins[1][i];
        negative_units += quality->bins[0][i];
    }
    double positives = (double)positive_units / GW_HEAD_WEIGHT_ONE;
    double negatives = (double)negative_units / GW_HEAD_WEIGHT_ONE;
    double total = (double)(positive_units + negative_units) / GW_HEAD_WEIGHT_ONE;
    double announced = (double)quality->counts[GW_HEAD_COUNT_ANNOUNCED_WEIGHT] / GW_HEAD_WEIGHT_ONE;
    double squares = sum_of(quality, GW_HEAD_SUM_W2);
    double positive_squares = sum_of(quality, GW_HEAD_SUM_W2Y);
    struct gw_head_measures measures = {
        .rows = quality->counts[GW_HEAD_COUNT_ROWS],
        .positive_rows = quality->counts[GW_HEAD_COUNT_POSITIVE_ROWS],
        .examples = total,
        .positives = positives,
        .effective_positives = positives > 0.0 ? positives * positives / positive_squares : 0.0,
        .effective_negatives = negatives > 0.0 ? negatives * negatives / (squares - positive_squares) : 0.0,
        .maturity = ratio(total, fmax(total, announced)),
    };
    undefine(&measures);
    if (total > 0.0) {
        double effective = total * total / squares;
        measures.log_loss = sum_of(quality, GW_HEAD_SUM_WL) / total;
        measures.base_entropy = entropy(positives / total);
        measure_entropy(quality, effective, &measures);
        measure_calibration(quality, effective, &measures);
        struct area area = area_of(quality, (double)positive_units, (double)negative_units);
        measures.auc = area.auc;
        measures.auc_tie_share = area.tie_share;
        measures.auc_interval = area_interval(&area, measures.effective_positives, measures.effective_negatives);
    }
    *ret_measures = measures;
}

double gw_head_quality_psi(const struct gw_head_quality *a, const struct gw_head_quality *b)
{
    enum { PARTS = 10 };
    double parts[2][PARTS] = {{0}};
    double totals[2] = {0.0, 0.0};
    for (size_t i = 0; i < GW_HEAD_QUALITY_BINS; i++) {
        totals[0] += (double)(a->bins[0][i] + a->bins[1][i]);
        totals[1] += (double)(b->bins[0][i] + b->bins[1][i]);
    }
    if (!(totals[0] > 0.0 && totals[1] > 0.0)) {
        return undefined;
    }
    size_t part = 0;
    double seen = 0.0;
    for (size_t i = 0; i < GW_HEAD_QUALITY_BINS; i++) {
        double of_a = (double)(a->bins[0][i] + a->bins[1][i]);
        parts[0][part] += of_a;
        parts[1][part] += (double)(b->bins[0][i] + b->bins[1][i]);
        seen += of_a;
        // A bin heavier than a tenth fills one part alone: the next part begins where the next tenth ends.
        if (of_a > 0.0 && seen < totals[0] && seen >= totals[0] * (double)(part + 1) / PARTS) {
            part++;
        }
    }
    double psi = 0.0;
    for (size_t i = 0; i <= part; i++) {
        double half = 0.5 * GW_HEAD_WEIGHT_ONE;
        double share_a = (parts[0][i] + half) / (totals[0] + half * (double)(part + 1));
        double share_b = (parts[1][i] + half) / (totals[1] + half * (double)(part + 1));
        psi += (share_b - share_a) * log(share_b / share_a);
    }
    return psi;
}
