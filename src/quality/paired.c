// SPDX-License-Identifier: MIT
#include "quality/paired.h"

#include "base/check.h"
#include "quality/number_codec.h"

#include <math.h>

static const double z95 = 1.959963984540054;
static const double bet_max = 0.5;
static const double variance_prior = 0.25; // nats^2, counted as one row: bets start small
static const double reach = 1.0;           // bounds are resolved for means within [-reach, reach]

static double harm_limit(double clip)
{
    return log1p(-clip) - log(clip);
}

static double loss(double clip, double prediction, bool positive)
{
    double p = fmin(fmax(prediction, clip), 1.0 - clip);
    return positive ? -log(p) : -log1p(-p);
}

double gw_paired_difference(double clip, double candidate, double champion, bool positive)
{
    return loss(clip, candidate, positive) - loss(clip, champion, positive);
}

static gw_status check_options(const struct gw_paired_options *options, gw_err *err)
{
    if (!(options->clip > 0.0 && options->clip <= 0.1)) {
        return gw_fail(err, GW_E_INVALID, "clip %g is not in (0, 0.1]", options->clip);
    }
    if (!(options->gain_limit > 0.0)) {
        return gw_fail(err, GW_E_INVALID, "gain limit %g is not positive", options->gain_limit);
    }
    if (!(options->weight_limit > 0.0 && isfinite(options->weight_limit))) {
        return gw_fail(err, GW_E_INVALID, "weight limit %g is not positive and finite", options->weight_limit);
    }
    if (!(options->alpha > 0.0 && options->alpha < 1.0)) {
        return gw_fail(err, GW_E_INVALID, "alpha %g is not in (0, 1)", options->alpha);
    }
    return GW_OK;
}

gw_status gw_paired_init(const struct gw_paired_options *options, struct gw_paired *ret_paired, gw_err *err)
{
    GW_TRY(check_options(options, err));
    *ret_paired = (struct gw_paired){.options = *options};
    ret_paired->options.gain_limit = fmin(options->gain_limit, harm_limit(options->clip));
    return GW_OK;
}

// The bet for the next row: from the rows so far only.
static double bet(const struct gw_paired *paired, double scale)
{
    double rows = (double)paired->rows;
    double mean = rows > 0.0 ? paired->sum_vd / rows : 0.0;
    double variance = (variance_prior + fmax(paired->sum_vvdd - rows * mean * mean, 0.0)) / (rows + 1.0);
    double next = rows + 1.0;
    double horizon = next * log1p(next);
    if (paired->options.rows_expected > 0) {
        horizon = fmax((double)paired->options.rows_expected, next);
    }
    return fmin(scale * sqrt(-2.0 * log(paired->options.alpha) / (variance * horizon)), bet_max);
}

static double psi(double l)
{
    return -log1p(-l) - l;
}

gw_status gw_paired_add(struct gw_paired *paired, double candidate, double champion, bool positive, double weight,
                        gw_err *err)
{
    const struct gw_paired_options *options = &paired->options;
    if (!(candidate >= 0.0 && candidate <= 1.0 && champion >= 0.0 && champion <= 1.0)) {
        return gw_fail(err, GW_E_INVALID, "predictions %g and %g are not both in [0, 1]", candidate, champion);
    }
    if (!(weight > 0.0 && weight <= options->weight_limit)) {
        return gw_fail(err, GW_E_INVALID, "weight %g is not in (0, %g]", weight, options->weight_limit);
    }
    double raw = gw_paired_difference(options->clip, candidate, champion, positive);
    double d = fmax(raw, -options->gain_limit);
    double v = weight / options->weight_limit;

    double upper_scale = harm_limit(options->clip) + reach;
    double l = bet(paired, upper_scale);
    double a = l * v / upper_scale;
    double b = psi(l) * v * v / (upper_scale * upper_scale);
    paired->sum_upper_l += a;
    paired->sum_upper_ld += a * d;
    paired->sum_upper_p += b;
    paired->sum_upper_pd += b * d;
    paired->sum_upper_pdd += b * d * d;

    double lower_scale = options->gain_limit + reach;
    l = bet(paired, lower_scale);
    a = l * v / lower_scale;
    b = psi(l) * v * v / (lower_scale * lower_scale);
    paired->sum_lower_l += a;
    paired->sum_lower_ld += a * d;
    paired->sum_lower_p += b;
    paired->sum_lower_pd += b * d;
    paired->sum_lower_pdd += b * d * d;

    paired->rows++;
    paired->clipped_rows += raw < d;
    paired->sum_w += weight;
    paired->sum_ww += weight * weight;
    paired->sum_wd += weight * raw;
    paired->sum_wwd += weight * weight * raw;
    paired->sum_wwdd += weight * weight * raw * raw;
    paired->sum_vd += v * d;
    paired->sum_vvdd += v * v * d * d;
    return GW_OK;
}

// The smallest m that the rows reject as "the mean is at least m", where
//
//   ln E(m) = m l - ld - (m^2 p - 2 m pd + pdd) = ln(1 / alpha);
//
// `nothing` when no m is rejected. The linear coefficient is positive: psi(l) <= 0.39 l and |d| < s.
static double upper_root(double l, double ld, double p, double pd, double pdd, double alpha, double nothing)
{
    double linear = l + 2.0 * pd;
    double constant = pdd + ld - log(alpha);
    double discriminant = linear * linear - 4.0 * p * constant;
    if (!(linear > 0.0 && discriminant > 0.0)) {
        return nothing;
    }
    double root = sqrt(discriminant);
    double larger = (linear + root) / (2.0 * p);
    double smaller = 2.0 * constant / (linear + root);
    return larger > -reach ? fmin(fmax(smaller, -reach), nothing) : nothing;
}

void gw_paired_bounds_at(const struct gw_paired *paired, double alpha, struct gw_paired_bounds *ret_bounds)
{
    GW_ASSERT(alpha > 0.0 && alpha < 1.0);
    const struct gw_paired *p = paired;
    struct gw_paired_bounds bounds = {.mean = (double)NAN, .clt = {(double)NAN, (double)NAN}};
    if (p->rows > 0) {
        bounds.mean = p->sum_wd / p->sum_w;
    }
    double effective = p->rows > 0 ? p->sum_w * p->sum_w / p->sum_ww : 0.0;
    if (effective > 1.0) {
        double squares = p->sum_wwdd - 2.0 * bounds.mean * p->sum_wwd + bounds.mean * bounds.mean * p->sum_ww;
        double error = sqrt(fmax(squares, 0.0) * effective / (effective - 1.0)) / p->sum_w;
        bounds.clt = (struct gw_interval){bounds.mean - z95 * error, bounds.mean + z95 * error};
    }
    bounds.high = upper_root(p->sum_upper_l, p->sum_upper_ld, p->sum_upper_p, p->sum_upper_pd, p->sum_upper_pdd, alpha,
                             harm_limit(p->options.clip));
    bounds.low = -upper_root(p->sum_lower_l, -p->sum_lower_ld, p->sum_lower_p, -p->sum_lower_pd, p->sum_lower_pdd,
                             alpha, p->options.gain_limit);
    *ret_bounds = bounds;
}

enum { FORMAT = 'P' };

gw_status gw_paired_encode(const struct gw_paired *paired, struct gw_buf *buf)
{
    const double numbers[] = {paired->options.clip, paired->options.gain_limit, paired->options.weight_limit,
                              paired->options.alpha,
#define X(field) paired->sum_##field,
                              GW_PAIRED_SUM_MAP(X)
#undef X
    };
    const uint64_t counts[] = {paired->options.rows_expected, paired->rows, paired->clipped_rows};
    return gw_numbers_encode(FORMAT, counts, GW_COUNT_OF(counts), numbers, GW_COUNT_OF(numbers), buf);
}

gw_status gw_paired_decode(struct gw_slice bytes, struct gw_paired *ret_paired, gw_err *err)
{
    uint64_t counts[3];
    double numbers[4
#define X(field) +1
                   GW_PAIRED_SUM_MAP(X)
#undef X
    ];
    GW_TRY(gw_numbers_decode(bytes, FORMAT, counts, GW_COUNT_OF(counts), numbers, GW_COUNT_OF(numbers), err));
    struct gw_paired paired = {
        .options = {.clip = numbers[0],
                    .gain_limit = numbers[1],
                    .weight_limit = numbers[2],
                    .alpha = numbers[3],
                    .rows_expected = counts[0]},
        .rows = counts[1],
        .clipped_rows = counts[2],
    };
    size_t next = 4;
#define X(field) paired.sum_##field = numbers[next++];
    GW_PAIRED_SUM_MAP(X)
#undef X
    if (check_options(&paired.options, NULL) != GW_OK || paired.clipped_rows > paired.rows) {
        return gw_fail(err, GW_E_MALFORMED, "not the state of a paired comparison");
    }
    *ret_paired = paired;
    return GW_OK;
}
