// SPDX-License-Identifier: MIT
// How far two histograms over the same bins are apart, in the dialects of those who read such numbers.
//
// Explanation beside an alarm, never a reason for one: without any drift these grow as windows get smaller. So each
// comes with the value that chance alone stays under.
//
//   PSI = sum (r - c) ln(r / c)             symmetric; empty bins need a filler
//   JSD = (KL(r | m) + KL(c | m)) / 2       m = (r + c) / 2; a divergence; its root is a distance
//
//   dialect     population stability index          Jensen-Shannon
//   EVIDENTLY   filler: 1e-4, or a millionth of     distance, base e: at most 0.8326
//               the smallest share when that is under 1e-4; each side alone, not renormalised
//   NANNYML     as EVIDENTLY (it has none)          distance, base 2: at most 1
//   TFDV        as EVIDENTLY (it has none)          divergence, base 2: at most 1
#pragma once

#include "base/err.h"

#include <stddef.h>

enum gw_drift_dialect { GW_DRIFT_EVIDENTLY, GW_DRIFT_NANNYML, GW_DRIFT_TFDV };

// Weights of the bins, any scale, >= 0. NaN when one side has no weight.
double gw_drift_psi(const double *reference, const double *current, size_t bins);
double gw_drift_jensen_shannon(const double *reference, const double *current, size_t bins,
                               enum gw_drift_dialect dialect);

// The largest difference of any bin's share: TFDV's L-infinity. NaN when one side has no weight.
double gw_drift_l_infinity(const double *reference, const double *current, size_t bins);

// What the divergence of `current_count` rows from a reference of `reference_count` stays under with probability
// `share` when nothing has changed: chi-square with bins - 1 degrees, times (1/n + 1/m) for PSI and an eighth of it for
// JSD. `bins` counts those that the reference expects something in; tau >= 1 is what dependence costs.
double gw_drift_psi_by_chance(size_t bins, double reference_count, double current_count, double tau, double share);
double gw_drift_jensen_shannon_by_chance(size_t bins, double reference_count, double current_count, double tau,
                                         double share, enum gw_drift_dialect dialect);
