// SPDX-License-Identifier: MIT
#include "drift/culprits.h"

#include "base/check.h"

#include <math.h>
#include <stdlib.h>

static int by_evidence(const void *a, const void *b, void *context)
{
    const double *evidence = context;
    uint32_t i = *(const uint32_t *)a;
    uint32_t j = *(const uint32_t *)b;
    if (evidence[i] != evidence[j]) {
        return evidence[i] < evidence[j] ? 1 : -1;
    }
    return (i > j) - (i < j);
}

double gw_drift_culprits(const double *evidence, size_t count, double alpha, uint32_t *ret_index, size_t *ret_count)
{
    GW_ASSERT(alpha > 0.0 && alpha <= 1.0);
    for (size_t i = 0; i < count; i++) {
        ret_index[i] = (uint32_t)i;
    }
    // The context is only read.
    qsort_r(ret_index, count, sizeof *ret_index, by_evidence, (void *)(uintptr_t)evidence);
    for (size_t k = count; k > 0; k--) {
        double asked = (double)count / (alpha * (double)k);
        if (evidence[ret_index[k - 1]] >= asked) {
            *ret_count = k;
            return asked;
        }
    }
    *ret_count = 0;
    return INFINITY;
}

double gw_drift_culprits_certain(size_t count, double alpha)
{
    return (1.0 + log((double)(count > 0 ? count : 1))) / alpha;
}
