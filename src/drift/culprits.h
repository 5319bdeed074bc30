// SPDX-License-Identifier: MIT
// Which of many streams have drifted, by the e-BH procedure (Wang and Ramdas, "False discovery rate control with
// e-values", JRSS-B 84(3), 2022): the k streams of the largest evidence, for the largest k with
//
//   e_(k) >= m / (alpha k).
//
// The evidence of a CUSUM is not an e-value but at any fixed row exceeds x with probability at most about 1 / x, so the
// rule is Benjamini and Hochberg's on p = 1 / e: among the named, at most a share alpha is named wrongly when streams
// depend positively, and up to alpha (1 + ln m) for any dependence. It names; whether there is an alarm at all is
// decided by the mean of the evidence, which needs neither.
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

// Fills ret_index[0 .. *ret_count) with the streams named, the largest evidence first, equal ones in order. ret_index
// has room for `count`. alpha in (0, 1]. Returns the least evidence that was asked of those named; INFINITY for none.
double gw_drift_culprits(const double *evidence, size_t count, double alpha, uint32_t *ret_index, size_t *ret_count);

// With this mean evidence at least one stream is named: (1 + ln m) / alpha.
double gw_drift_culprits_certain(size_t count, double alpha);
