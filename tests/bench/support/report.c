// SPDX-License-Identifier: MIT
#include "support/report.h"

#include "base/check.h"
#include "base/number.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void begin(const char *bench, const char *name, const char *metric, double value, const char *unit)
{
    char number[GW_NUMBER_FORMAT_BYTES] = "null"; // JSON has no infinity
    if (isfinite(value)) {
        gw_number_format_double(value, number);
    }
    printf("{\"bench\":\"%s\",\"case\":\"%s\",\"metric\":\"%s\",\"value\":%s,\"unit\":\"%s\"", bench, name, metric,
           number, unit);
}

static void end(void)
{
    puts("}");
    fflush(stdout);
}

void bench_report(const char *bench, const char *name, const char *metric, double value, const char *unit)
{
    begin(bench, name, metric, value, unit);
    end();
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

void bench_sort(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
}

double bench_quantile(const double *sorted, size_t count, double q)
{
    GW_ASSERT(count > 0);
    size_t rank = (size_t)ceil(q * (double)count);
    return sorted[GW_MIN(GW_MAX(rank, 1), count) - 1];
}

void bench_report_runs(const char *bench, const char *name, const char *metric, double *runs, size_t count,
                       const char *unit)
{
    bench_sort(runs, count);
    double median = count % 2 == 1 ? runs[count / 2] : (runs[count / 2 - 1] + runs[count / 2]) / 2;
    begin(bench, name, metric, median, unit);
    if (count > 1 && median > 0 && isfinite(runs[count - 1])) {
        printf(",\"spread\":%.3f,\"runs\":%zu", (runs[count - 1] - runs[0]) / median, count);
    }
    end();
}

void bench_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}
