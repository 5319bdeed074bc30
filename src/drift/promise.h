// SPDX-License-Identifier: MIT
// What a threshold promises: how long between false alarms, and what is seen how soon.
//
// Between false alarms lie at least `threshold` rows on average (lanes.h), so c / (rate * 86,400) days. The delay after
// a change is what the best lane needs: with growth g = E[ln L] a row under the changed distribution,
//
//   delay = (ln(16 c) - 1.5) / g
//
// as the mean of 16 lanes reaches c when one reaches 16 c, less what its neighbours add and what it had already; the
// 1.5 is fitted to simulations that tests repeat, from c = 1e4 to 2.6e9: within 15 %.
//
// A shift is in standard deviations of the feature after mapping it to a normal by its reference, so it means the same
// for every shape. The smallest shift is of the worse direction. Delays are means: half the alarms come a little later.
#pragma once

#include "drift/profile.h"

struct gw_drift_promise {
    double false_alarm_days;
    double smallest_shift_10s;  // in sigma; INFINITY when none is seen in that time
    double smallest_shift_5min; // the same
};

// The threshold for one false alarm in `days` on average at `rate_per_s` rows a second.
double gw_drift_promise_threshold(double days, double rate_per_s);
double gw_drift_promise_days(double threshold, double rate_per_s);

// Rows until an alarm after a sudden shift of the whole feature; INFINITY when it stays within the tolerance.
double gw_drift_promise_delay(const struct gw_drift_feature *feature, double threshold, double shift_sigma);
// The same after the share of missing values has become `share`, in (0, 1).
double gw_drift_promise_missing_delay(const struct gw_drift_feature *feature, double threshold, double share);
// The same after the mean clipped loss has risen by `rise` deviations, to second order.
double gw_drift_promise_loss_delay(const struct gw_drift_baseline *baseline, double threshold, double rise);

// The smallest change that is seen within `rows` rows, up to 8 sigma; INFINITY when none is. Of missing values: the
// standardised rise 2 asin(sqrt(q)) - 2 asin(sqrt(p0)).
double gw_drift_promise_shift(const struct gw_drift_feature *feature, double threshold, double rows);
double gw_drift_promise_missing(const struct gw_drift_feature *feature, double threshold, double rows);
double gw_drift_promise_loss(const struct gw_drift_baseline *baseline, double threshold, double rows);
