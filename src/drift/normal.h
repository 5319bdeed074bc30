// SPDX-License-Identifier: MIT
// The standard normal and chi-square distributions, for building tables and stating promises; never for a live row.
#pragma once

double gw_drift_normal_density(double x);
double gw_drift_normal_below(double x); // P(Z <= x)

// The x with P(Z <= x) = share, to 1e-13 by bisection; -INFINITY and INFINITY for shares <= 0 and >= 1.
double gw_drift_normal_quantile(double share);

// The x below which the share of a chi-square variable of `freedom` degrees lies, after Wilson and Hilferty, "The
// distribution of chi-square", PNAS 17(12), 1931: within 1 % from 3 degrees on for shares up to 0.999. 0 for 0 degrees.
double gw_drift_chi_square_quantile(double freedom, double share);
