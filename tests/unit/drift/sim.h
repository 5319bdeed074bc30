// SPDX-License-Identifier: MIT
// Streams with known truth, and what a detector makes of them: shared by the tests and the benchmark.
#pragma once

#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "drift/detector.h"
#include "drift/normal.h"

// A normal stream with mean `shift` and deviation `spread` whose neighbours correlate by rho.
struct sim_source {
    struct gw_rng rng;
    double rho;
    double shift;
    double spread; // 0 counts as 1
    double missing;
    double x;
    bool started;
};

static inline float sim_next(struct sim_source *source)
{
    double noise = gw_rng_normal(&source->rng);
    source->x = source->started ? source->rho * source->x + sqrt(1.0 - source->rho * source->rho) * noise : noise;
    source->started = true;
    if (source->missing > 0.0 && gw_rng_double(&source->rng) < source->missing) {
        return NAN;
    }
    return (float)(source->shift + (source->spread > 0.0 ? source->spread : 1.0) * source->x);
}

static inline struct gw_drift_profile *sim_profile_of(const float *values, size_t count, bool independent,
                                                      double tolerance_min)
{
    static const char *const names[] = {"x"};
    const struct gw_drift_rows rows = {.values = values, .row_count = count, .feature_count = 1, .names = names};
    const struct gw_drift_build_options options = {.tolerance_min = tolerance_min, .independent = independent};
    struct gw_drift_profile *profile = NULL;
    GW_ASSERT(gw_drift_profile_build(&rows, &options, &profile, NULL) == GW_OK);
    return profile;
}

// The reference N(0, 1) without sampling error: its quantiles.
static inline struct gw_drift_profile *sim_exact(size_t count)
{
    float *values = gw_mem_calloc(count, sizeof *values);
    GW_ASSERT(values != NULL);
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)gw_drift_normal_quantile(((double)i + 0.5) / (double)count);
    }
    struct gw_drift_profile *profile = sim_profile_of(values, count, true, 0.0);
    gw_mem_free(values);
    return profile;
}

// A reference of so many rows drawn from the source.
static inline struct gw_drift_profile *sim_drawn(struct sim_source source, size_t count, double tolerance_min)
{
    float *values = gw_mem_calloc(count, sizeof *values);
    GW_ASSERT(values != NULL);
    for (size_t i = 0; i < count; i++) {
        values[i] = sim_next(&source);
    }
    struct gw_drift_profile *profile = sim_profile_of(values, count, false, tolerance_min);
    gw_mem_free(values);
    return profile;
}

static inline float sim_step(struct gw_drift_detector *detector, const struct gw_drift_feature *feature,
                             struct sim_source *source)
{
    uint32_t row = gw_drift_feature_row(feature, sim_next(source));
    return gw_drift_detector_feed(detector, NULL, feature, row).tilt;
}

// Alarms among `rows` rows; the detector starts anew after each.
static inline uint64_t sim_alarms(const struct gw_drift_feature *feature, struct sim_source source, double threshold,
                                  uint64_t rows)
{
    struct gw_drift_detector detector;
    uint64_t alarms = 0;
    gw_drift_detector_init(&detector);
    for (uint64_t i = 0; i < rows; i++) {
        if ((double)sim_step(&detector, feature, &source) >= threshold) {
            alarms++;
            gw_drift_detector_init(&detector);
        }
    }
    return alarms;
}

// Mean rows from the change, after `before` rows of N(0, 1), to the alarm. Runs with an alarm before the change are
// done again; `limit` rows count as the delay when none comes.
static inline double sim_delay(const struct gw_drift_feature *feature, struct sim_source drifted, double threshold,
                               uint64_t before, uint64_t limit, uint32_t runs)
{
    double sum = 0.0;
    for (uint32_t run = 0; run < runs;) {
        struct sim_source source = {.rng = drifted.rng, .rho = drifted.rho};
        struct gw_drift_detector detector;
        bool early = false;
        gw_drift_detector_init(&detector);
        for (uint64_t i = 0; i < before && !early; i++) {
            early = (double)sim_step(&detector, feature, &source) >= threshold;
        }
        source.shift = drifted.shift;
        source.spread = drifted.spread;
        uint64_t rows = 0;
        while (!early && rows < limit) {
            rows++;
            if ((double)sim_step(&detector, feature, &source) >= threshold) {
                break;
            }
        }
        drifted.rng = source.rng;
        if (!early) {
            sum += (double)rows;
            run++;
        }
    }
    return sum / runs;
}
