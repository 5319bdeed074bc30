// SPDX-License-Identifier: MIT
// What a benchmark says: one JSON object a line on stdout, and progress on stderr.
#pragma once

#include "base/macros.h"

#include <stddef.h>

// {"bench":..,"case":..,"metric":..,"value":..,"unit":..}; names are ours and need no escaping.
void bench_report(const char *bench, const char *name, const char *metric, double value, const char *unit);

// The median of the runs (sorts them), and with more than one run also "spread" = (max - min) / median and "runs".
void bench_report_runs(const char *bench, const char *name, const char *metric, double *runs, size_t count,
                       const char *unit);

// The value below which the share q of the sorted values lies (nearest rank). count > 0.
double bench_quantile(const double *sorted, size_t count, double q);
void bench_sort(double *values, size_t count);

// A line of progress for people.
void bench_note(const char *format, ...) GW_PRINTF(1, 2);
