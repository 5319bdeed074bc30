// SPDX-License-Identifier: MIT
// With weights 1/k the integral of the hat is ln, and its inverse exp.
#include "support/world.h"

#include <math.h>

void bench_zipf_init(struct bench_zipf *zipf, uint32_t count)
{
    *zipf = (struct bench_zipf){
        .count = count, .low = log(1.5) - 1, .high = log(count + 0.5), .shortcut = 2 - exp(log(2.5) - 0.5)};
}

uint32_t bench_zipf_draw(const struct bench_zipf *zipf, struct gw_rng *rng)
{
    for (;;) {
        double u = zipf->high + gw_rng_double(rng) * (zipf->low - zipf->high);
        double x = exp(u);
        double k = floor(x + 0.5);
        k = fmin(fmax(k, 1), zipf->count);
        if (k - x <= zipf->shortcut || u >= log(k + 0.5) - 1 / k) {
            return (uint32_t)k - 1;
        }
    }
}
