// SPDX-License-Identifier: MIT
#include "quality/worse.h"

#include "quality/number_codec.h"
#include "quality/paired.h"

#include <math.h>

// *options, with the gain limit no larger than differences get.
static gw_status check_options(struct gw_worse_options *options, gw_err *err)
{
    const struct gw_paired_options shared = {.clip = options->clip,
                                             .gain_limit = options->gain_limit,
                                             .weight_limit = options->weight_limit,
                                             .alpha = options->alpha};
    struct gw_paired paired;
    GW_TRY(gw_paired_init(&shared, &paired, err));
    if (!(options->margin >= 0.0 && options->margin <= 1.0)) {
        return gw_fail(err, GW_E_INVALID, "margin %g is not in [0, 1]", options->margin);
    }
    options->gain_limit = paired.options.gain_limit;
    return GW_OK;
}

gw_status gw_worse_init(const struct gw_worse_options *options, struct gw_worse *ret_worse, gw_err *err)
{
    struct gw_worse worse = {.options = *options};
    GW_TRY(check_options(&worse.options, err));
    *ret_worse = worse;
    return GW_OK;
}

gw_status gw_worse_add(struct gw_worse *worse, double promoted, double former, bool positive, double weight,
                       gw_err *err)
{
    const struct gw_worse_options *options = &worse->options;
    if (!(promoted >= 0.0 && promoted <= 1.0 && former >= 0.0 && former <= 1.0)) {
        return gw_fail(err, GW_E_INVALID, "predictions %g and %g are not both in [0, 1]", promoted, former);
    }
    if (!(weight > 0.0 && weight <= options->weight_limit)) {
        return gw_fail(err, GW_E_INVALID, "weight %g is not in (0, %g]", weight, options->weight_limit);
    }
    double d = fmax(gw_paired_difference(options->clip, promoted, former, positive), -options->gain_limit);
    double v = weight / options->weight_limit;
    double xi = v * (d - options->margin) / (options->gain_limit + options->margin);
    double l = 0.9;
    for (size_t i = 0; i < GW_WORSE_BETS; i++, l /= 2.0) {
        worse->log_wealth[i] += log1p(l * xi);
    }
    worse->rows++;
    if (worse->crossed_row == 0 && gw_worse_log_wealth(worse) >= -log(options->alpha)) {
        worse->crossed_row = worse->rows;
    }
    return GW_OK;
}

double gw_worse_log_wealth(const struct gw_worse *worse)
{
    double most = worse->log_wealth[0];
    for (size_t i = 1; i < GW_WORSE_BETS; i++) {
        most = fmax(most, worse->log_wealth[i]);
    }
    double sum = 0.0;
    for (size_t i = 0; i < GW_WORSE_BETS; i++) {
        sum += exp(worse->log_wealth[i] - most);
    }
    return most + log(sum / GW_WORSE_BETS);
}

bool gw_worse_is_proven(const struct gw_worse *worse)
{
    return worse->crossed_row > 0;
}

enum { FORMAT = 'W', OPTIONS = 5 };

gw_status gw_worse_encode(const struct gw_worse *worse, struct gw_buf *buf)
{
    const struct gw_worse_options *options = &worse->options;
    double numbers[OPTIONS + GW_WORSE_BETS] = {options->clip, options->gain_limit, options->weight_limit,
                                               options->margin, options->alpha};
    memcpy(numbers + OPTIONS, worse->log_wealth, sizeof worse->log_wealth);
    const uint64_t counts[] = {worse->rows, worse->crossed_row};
    return gw_numbers_encode(FORMAT, counts, GW_COUNT_OF(counts), numbers, GW_COUNT_OF(numbers), buf);
}

gw_status gw_worse_decode(struct gw_slice bytes, struct gw_worse *ret_worse, gw_err *err)
{
    double numbers[OPTIONS + GW_WORSE_BETS];
    uint64_t counts[2];
    GW_TRY(gw_numbers_decode(bytes, FORMAT, counts, GW_COUNT_OF(counts), numbers, GW_COUNT_OF(numbers), err));
    struct gw_worse worse = {
        .options = {.clip = numbers[0],
                    .gain_limit = numbers[1],
                    .weight_limit = numbers[2],
                    .margin = numbers[3],
                    .alpha = numbers[4]},
        .rows = counts[0],
        .crossed_row = counts[1],
    };
    memcpy(worse.log_wealth, numbers + OPTIONS, sizeof worse.log_wealth);
    if (check_options(&worse.options, NULL) != GW_OK || worse.crossed_row > worse.rows) {
        return gw_fail(err, GW_E_MALFORMED, "not the state of a watch over a promotion");
    }
    *ret_worse = worse;
    return GW_OK;
}
