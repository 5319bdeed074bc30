// SPDX-License-Identifier: MIT
// The drift detectors in memory: what a value costs, how long between false alarms, how long until a drift is seen.
// bench_drift [--runs N] CASE...; cases: detector_cost bank_delay delay run_length finite_reference
// false_alarms_small_reference profile_build
#include "support/report.h"

#include "../../unit/drift/sim.h"
#include "base/clock.h"
#include "drift/bank.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXACT_ROWS = 1000000, FEATURES = 48, RUNS_MAX = 100 };

// Remembers the first alarm.
static gw_status on_alarm(void *context, const struct gw_drift_alarm *alarm, gw_err *err)
{
    struct gw_drift_alarm *first = context;
    (void)err;
    if (first->stream == NULL) {
        *first = *alarm;
    }
    return GW_OK;
}

// Rows of normal features, every fourth of them of ten categories.
static float *draw_rows(size_t rows, struct gw_rng *rng, bool categories)
{
    float *values = gw_mem_calloc(rows * FEATURES, sizeof *values);
    GW_ASSERT(values != NULL);
    for (size_t i = 0; i < rows * FEATURES; i++) {
        bool category = categories && i % FEATURES % 4 == 3;
        values[i] = category ? (float)gw_rng_below(rng, 10) : (float)gw_rng_normal(rng);
    }
    return values;
}

// A profile of 48 features and a score, which is the first feature, and the rows it was made from.
struct model {
    float *rows;
    struct gw_drift_profile *profile;
};

enum { REFERENCE = 20000 };

// The score is the first feature.
static struct gw_drift_profile *profile_of(const float *values, size_t count, bool independent)
{
    char text[FEATURES][8];
    const char *names[FEATURES];
    float *scores = gw_mem_calloc(count, sizeof *scores);
    struct gw_drift_profile *profile = NULL;
    GW_ASSERT(scores != NULL);
    for (uint32_t i = 0; i < FEATURES; i++) {
        snprintf(text[i], sizeof text[i], "f%u", i);
        names[i] = text[i];
    }
    for (size_t i = 0; i < count; i++) {
        scores[i] = values[i * FEATURES];
    }
    const struct gw_drift_rows rows = {.values = values,
                                       .row_count = count,
                                       .feature_count = FEATURES,
                                       .names = names,
                                       .score_count = count,
                                       .scores = scores};
    const struct gw_drift_build_options options = {.independent = independent};
    GW_ASSERT(gw_drift_profile_build(&rows, &options, &profile, NULL) == GW_OK);
    gw_mem_free(scores);
    return profile;
}

static struct model model_new(uint64_t seed, bool categories)
{
    struct gw_rng rng;
    struct model model = {0};
    gw_rng_init(&rng, seed);
    model.rows = draw_rows(REFERENCE, &rng, categories);
    model.profile = profile_of(model.rows, REFERENCE, true);
    return model;
}

static void model_free(struct model *model)
{
    gw_drift_profile_free(model->profile);
    gw_mem_free(model->rows);
}

static void cost_of(const char *metric, bool categories, uint32_t runs)
{
    enum { LAPS = 3 };
    struct model model = model_new(1, categories);
    struct gw_drift_bank *bank = NULL;
    struct gw_drift_alarm first = {0};
    const struct gw_drift_sink sink = {.context = &first, .alarm = on_alarm};
    GW_ASSERT(gw_drift_bank_new(model.profile, &gw_drift_bank_defaults, &bank, NULL) == GW_OK);
    double ns[RUNS_MAX];
    for (uint32_t run = 0; run < runs; run++) {
        uint64_t start = gw_clock_thread_cpu_ns();
        for (uint32_t lap = 0; lap < LAPS; lap++) {
            for (size_t i = 0; i < REFERENCE; i++) { // the reference's own rows: no drift
                const float *row = model.rows + i * FEATURES;
                GW_ASSERT(gw_drift_bank_feed(bank, row, FEATURES, row[0], (int64_t)i, &sink, NULL) == GW_OK);
            }
        }
        ns[run] = (double)(gw_clock_thread_cpu_ns() - start) / ((double)LAPS * REFERENCE * (FEATURES + 1));
    }
    GW_ASSERT(first.stream == NULL);
    bench_report_runs("drift", "detector_cost", metric, ns, runs, "ns");
    gw_drift_bank_free(bank);
    model_free(&model);
}

// One of 48 features shifts by a quarter of a deviation, with 30 days between false alarms of all streams together at
// 1,000 rows/s, so that rows are milliseconds.
static void bank_delay(uint32_t runs)
{
    enum { BEFORE = 5000, LIMIT = 100000 };
    struct model model = model_new(1, true);
    struct gw_rng rng;
    double rows[RUNS_MAX];
    uint32_t named = 0;
    gw_rng_init(&rng, 2);
    for (uint32_t run = 0; run < runs; run++) {
        struct gw_drift_bank *bank = NULL;
        struct gw_drift_alarm first = {0};
        const struct gw_drift_sink sink = {.context = &first, .alarm = on_alarm};
        GW_ASSERT(gw_drift_bank_new(model.profile, &gw_drift_bank_defaults, &bank, NULL) == GW_OK);
        int64_t now_ms = 0;
        for (; first.stream == NULL && now_ms < LIMIT; now_ms++) {
            float *row = draw_rows(1, &rng, true);
            float score = row[0];
            row[10] += now_ms >= BEFORE ? 0.25f : 0.0f;
            GW_ASSERT(gw_drift_bank_feed(bank, row, FEATURES, score, now_ms, &sink, NULL) == GW_OK);
            gw_mem_free(row);
        }
        named += first.stream != NULL && strcmp(first.stream, "f10") == 0 ? 1 : 0;
        rows[run] = (double)(now_ms - BEFORE);
        gw_drift_bank_free(bank);
    }
    bench_report_runs("drift", "bank_delay_025sigma_48_features", "rows", rows, runs, "rows");
    bench_report("drift", "bank_delay_025sigma_48_features", "named_share", (double)named / runs, "");
    model_free(&model);
}

static void detector_cost(uint32_t runs)
{
    cost_of("ns_per_value", false, runs);
    cost_of("ns_per_value_quarter_categorical", true, runs);
}

static struct sim_source source_of(uint64_t seed, double rho, double shift, double spread)
{
    struct sim_source source = {.rho = rho, .shift = shift, .spread = spread};
    gw_rng_init(&source.rng, seed);
    return source;
}

static void delay(uint32_t runs)
{
    static const double thresholds[] = {1e4, 6.5e4, 30.0 * 86400.0 * 1000.0};
    static const char *const names[] = {"delay_c1e4", "delay_c65e3", "delay_30_days_at_1000_per_s"};
    static const struct {
        const char *metric;
        double shift;
        double spread;
    } drifts[] = {{"rows_shift_0.1", 0.1, 1.0}, {"rows_shift_0.25", 0.25, 1.0},  {"rows_shift_0.5", 0.5, 1.0},
                  {"rows_shift_1", 1.0, 1.0},   {"rows_spread_1.25", 0.0, 1.25}, {"rows_spread_1.5", 0.0, 1.5}};
    struct gw_drift_profile *profile = sim_exact(EXACT_ROWS);
    for (size_t t = 0; t < GW_COUNT_OF(thresholds); t++) {
        for (size_t d = 0; d < GW_COUNT_OF(drifts); d++) {
            struct sim_source source = source_of(100 + d, 0.0, drifts[d].shift, drifts[d].spread);
            bench_report("drift", names[t], drifts[d].metric,
                         sim_delay(&profile->features[0], source, thresholds[t], 10000, 1000000, 40 * runs), "rows");
        }
    }
    gw_drift_profile_free(profile);
}

static void run_length(uint32_t runs)
{
    static const struct {
        const char *name;
        double rho;
        double threshold;
    } cases[] = {{"run_length_iid_c1e4", 0.0, 1e4},
                 {"run_length_ar1_05_c1e4", 0.5, 1e4},
                 {"run_length_ar1_09_c1e4", 0.9, 1e4},
                 {"run_length_ar1_05_c1e5", 0.5, 1e5}};
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        uint64_t rows = (uint64_t)20000000 * runs;
        struct gw_drift_profile *profile =
            cases[i].rho > 0.0 ? sim_drawn(source_of(7, cases[i].rho, 0.0, 1.0), 200000, 0.0) : sim_exact(EXACT_ROWS);
        const struct gw_drift_feature *feature = &profile->features[0];
        uint64_t alarms = sim_alarms(feature, source_of(9, cases[i].rho, 0.0, 1.0), cases[i].threshold, rows);
        bench_report("drift", cases[i].name, "promised_rows", cases[i].threshold, "rows");
        bench_report("drift", cases[i].name, "tau", feature->tau_location, "");
        bench_report("drift", cases[i].name, "alarms", (double)alarms, "");
        bench_report("drift", cases[i].name, "mean_rows", (double)rows / (double)GW_MAX(alarms, 1), "rows");
        gw_drift_profile_free(profile);
    }
}

// References of 1,000 rows: what their sampling error would cost without the tolerance, and does with it.
static void finite_reference(uint32_t runs)
{
    enum { REFERENCES = 12 };
    uint64_t alarms = 0;
    uint64_t rows = (uint64_t)1000000 * runs;
    for (uint64_t i = 0; i < REFERENCES; i++) {
        struct gw_drift_profile *profile = sim_drawn(source_of(50 + i, 0.0, 0.0, 1.0), 1000, 0.0);
        alarms += sim_alarms(&profile->features[0], source_of(80 + i, 0.0, 0.0, 1.0), 1e5, rows);
        gw_drift_profile_free(profile);
    }
    bench_report("drift", "finite_reference_1000", "promised_rows", 1e5, "rows");
    bench_report("drift", "finite_reference_1000", "alarms", (double)alarms, "");
    bench_report("drift", "finite_reference_1000", "mean_rows", (double)rows * REFERENCES / (double)GW_MAX(alarms, 1),
                 "rows");
}

// A row of what features are like: normals, long tails, counts with many zeros, ids of a Zipf-like law, rare flags,
// values that are missing often or hardly ever, constants.
static void draw_mixed(struct gw_rng *rng, float *row)
{
    for (uint32_t f = 0; f < FEATURES; f++) {
        double z = gw_rng_normal(rng);
        double u = gw_rng_double(rng);
        double value = z;
        if (f >= 44) {
            value = f == 46 ? (double)NAN : 7.0;
        } else if (f >= 38) {
            value = gw_rng_double(rng) < (f == 38 ? 0.0005 : 0.3) ? (double)NAN : z;
        } else if (f >= 34) {
            static const double shares[] = {0.5, 0.01, 0.001, 0.0002};
            value = u < shares[f - 34] ? 1.0 : 0.0;
        } else if (f >= 30) {
            static const double ids[] = {10.0, 25.0, 100.0, 1000.0};
            value = floor(exp(u * log(ids[f - 30] + 1.0)));
        } else if (f >= 18) {
            value = u < 0.3 + 0.06 * (f - 18) ? 0.0 : floor(pow(gw_rng_double(rng), -1.0 / 1.2));
        } else if (f >= 14) {
            value = exp(1.5 * z);
        }
        row[f] = (float)value;
    }
}

// False alarms of whole banks on rows of the law that their references were drawn from, with the default threshold: any
// alarm comes from what a small reference does not know. A bank starts anew after each.
static void false_alarms_small_reference(uint32_t runs)
{
    static const size_t sizes[] = {500, 2000, 20000};
    enum { LIVE = 200000 };
    for (size_t s = 0; s < GW_COUNT_OF(sizes); s++) {
        struct model model = {0};
        char name[64];
        double alarms = 0.0;
        double mean_most = 0.0;
        for (uint32_t run = 0; run < 4 * runs; run++) {
            struct gw_rng rng;
            float row[FEATURES];
            gw_rng_init(&rng, 1000 + run);
            model.rows = gw_mem_calloc(sizes[s] * FEATURES, sizeof *model.rows);
            GW_ASSERT(model.rows != NULL);
            for (size_t i = 0; i < sizes[s]; i++) {
                draw_mixed(&rng, model.rows + i * FEATURES);
            }
            model.profile = profile_of(model.rows, sizes[s], false);
            struct gw_drift_bank *bank = NULL;
            double most = 0.0;
            for (int64_t i = 0; i < LIVE; i++) {
                struct gw_drift_alarm first = {0};
                const struct gw_drift_sink sink = {.context = &first, .alarm = on_alarm};
                if (bank == NULL) {
                    GW_ASSERT(gw_drift_bank_new(model.profile, &gw_drift_bank_defaults, &bank, NULL) == GW_OK);
                }
                draw_mixed(&rng, row);
                GW_ASSERT(gw_drift_bank_feed(bank, row, FEATURES, row[0], i, &sink, NULL) == GW_OK);
                most = fmax(most, gw_drift_bank_mean(bank));
                if (first.stream != NULL) {
                    alarms++;
                    gw_drift_bank_free(bank);
                    bank = NULL;
                }
            }
            mean_most += log10(most) / (4.0 * runs);
            gw_drift_bank_free(bank);
            model_free(&model);
        }
        snprintf(name, sizeof name, "false_alarms_reference_%zu", sizes[s]);
        bench_report("drift", name, "promised_alarms", 4.0 * runs * LIVE / gw_drift_bank_defaults.threshold, "");
        bench_report("drift", name, "alarms", alarms, "");
        bench_report("drift", name, "largest_evidence_log10", mean_most, "");
    }
}

static void profile_build(uint32_t runs)
{
    struct gw_rng rng;
    enum { ROWS = 200000 };
    gw_rng_init(&rng, 3);
    float *values = gw_mem_calloc(ROWS, sizeof *values);
    GW_ASSERT(values != NULL);
    for (size_t i = 0; i < ROWS; i++) {
        values[i] = (float)gw_rng_normal(&rng);
    }
    double ns[RUNS_MAX];
    for (uint32_t run = 0; run < runs; run++) {
        uint64_t start = gw_clock_thread_cpu_ns();
        gw_drift_profile_free(sim_profile_of(values, ROWS, false, 0.0));
        ns[run] = (double)(gw_clock_thread_cpu_ns() - start) / ROWS;
    }
    bench_report_runs("drift", "profile_build", "ns_per_value", ns, runs, "ns");
    gw_mem_free(values);
}

static const struct {
    const char *name;
    void (*run)(uint32_t runs);
} cases[] = {{"detector_cost", detector_cost},
             {"bank_delay", bank_delay},
             {"delay", delay},
             {"run_length", run_length},
             {"finite_reference", finite_reference},
             {"false_alarms_small_reference", false_alarms_small_reference},
             {"profile_build", profile_build}};

int main(int argc, char **argv)
{
    uint32_t runs = 5;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc) {
            long wanted = strtol(argv[++i], NULL, 10);
            runs = (uint32_t)GW_MIN(GW_MAX(wanted, 1), RUNS_MAX);
            continue;
        }
        bool found = false;
        for (size_t c = 0; c < GW_COUNT_OF(cases); c++) {
            if (strcmp(argv[i], cases[c].name) == 0) {
                cases[c].run(runs);
                found = true;
            }
        }
        if (!found) {
            fprintf(stderr, "bench_drift: unknown case '%s'\n", argv[i]);
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}
