// SPDX-License-Identifier: MIT
// Cost of scoring a row: bench_scoring [BUNDLE]. Without a bundle: 200 perfect trees of depth 6 over 48 features, whose
// thresholds are quantiles of the data, as hist training leaves them. Rows are distinct, 3 % of the values missing.
// Timed is what a caller pays: row-major floats in, margins, probabilities and scores out; one thread, warm.
// Each case is run RUNS times; value is the median, spread (max - min) / median.
#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/scorer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TREES     200
#define DEPTH     6
#define FEATURES  48
#define CUTS      255   // distinct thresholds a feature
#define POOL      16384 // rows, gone through in turn
#define RUNS      5
#define RUN_US    300000u
#define BATCH_MAX 4096

struct pool {
    float *rows;
    size_t width;
    size_t head_count;
    float *margins;
    float *probabilities;
    float *scores;
};

struct cost {
    double wall_ns;
    double cpu_ns;
};

static float quantile(const struct pool *pool, struct gw_rng *rng, size_t feature)
{
    // The pool's first rows are a sample of the data: its values are its quantiles.
    for (;;) {
        float value = pool->rows[gw_rng_below(rng, CUTS) * pool->width + feature];
        if (!isnan(value)) {
            return value;
        }
    }
}

enum tree_array { LEFT, RIGHT, FEATURE, VALUE, DEFAULT_LEFT };

static gw_status append_array(struct gw_buf *out, const char *name, enum tree_array array, const struct pool *pool,
                              struct gw_rng *rng, uint8_t *features)
{
    const int node_count = (2 << DEPTH) - 1;
    GW_TRY(gw_buf_append_format(out, "\"%s\":[", name));
    for (int n = 0; n < node_count; n++) {
        bool leaf = n >= node_count / 2;
        const char *comma = n > 0 ? "," : "";
        switch (array) {
        case LEFT:
            GW_TRY(gw_buf_append_format(out, "%s%d", comma, leaf ? -1 : 2 * n + 1));
            break;
        case RIGHT:
            GW_TRY(gw_buf_append_format(out, "%s%d", comma, leaf ? -1 : 2 * n + 2));
            break;
        case FEATURE:
            features[n] = leaf ? 0 : (uint8_t)gw_rng_below(rng, FEATURES);
            GW_TRY(gw_buf_append_format(out, "%s%d", comma, features[n]));
            break;
        case VALUE: {
            double value = leaf ? 0.1 * gw_rng_normal(rng) : (double)quantile(pool, rng, features[n]);
            GW_TRY(gw_buf_append_format(out, "%s%.9g", comma, value));
            break;
        }
        case DEFAULT_LEFT:
            GW_TRY(gw_buf_append_format(out, "%s%d", comma, leaf ? 0 : (int)gw_rng_below(rng, 2)));
            break;
        }
    }
    return gw_buf_append_text(out, "],");
}

static gw_status write_model(struct gw_buf *out, const struct pool *pool)
{
    struct gw_rng rng;
    gw_rng_init(&rng, 2);
    GW_TRY(gw_buf_append_text(out, "{\"learner\":{\"gradient_booster\":{\"model\":{\"trees\":["));
    for (int t = 0; t < TREES; t++) {
        uint8_t features[2 << DEPTH];
        GW_TRY(gw_buf_append_text(out, t > 0 ? ",{" : "{"));
        GW_TRY(append_array(out, "left_children", LEFT, pool, &rng, features));
        GW_TRY(append_array(out, "right_children", RIGHT, pool, &rng, features));
        GW_TRY(append_array(out, "split_indices", FEATURE, pool, &rng, features));
        GW_TRY(append_array(out, "split_conditions", VALUE, pool, &rng, features));
        GW_TRY(append_array(out, "default_left", DEFAULT_LEFT, pool, &rng, features));
        GW_TRY(gw_buf_append_text(out, "\"tree_param\":{}}"));
    }
    return gw_buf_append_format(out,
                                "]},\"name\":\"gbtree\"},\"learner_model_param\":{\"base_score\":\"5E-1\","
                                "\"num_feature\":\"%d\"},\"objective\":{\"name\":\"binary:logistic\"}}}",
                                FEATURES);
}

static gw_status load_synthetic(const struct pool *pool, struct gw_bundle **ret_bundle, gw_err *err)
{
    GW_CLEANUP(gw_buf_deinit) struct gw_buf text = {0};
    static char names[FEATURES][8];
    const char *name_list[FEATURES];
    for (size_t f = 0; f < FEATURES; f++) {
        snprintf(names[f], sizeof names[f], "f%zu", f);
        name_list[f] = names[f];
    }
    gw_status status = write_model(&text, pool);
    if (status != GW_OK) {
        return gw_fail(err, status, "no memory for a model");
    }
    char path[] = "/tmp/godwit-bench-scoring-XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (file == NULL || fwrite(text.data, text.size, 1, file) != 1 || fclose(file) != 0) {
        return gw_fail(err, GW_E_IO, "cannot write '%s'", path);
    }
    status = gw_bundle_load_file(path, name_list, FEATURES, ret_bundle, err);
    unlink(path);
    return status;
}

static bool make_rows(struct pool *pool, size_t width)
{
    struct gw_rng rng;
    gw_rng_init(&rng, 1);
    pool->width = width;
    gw_mem_free(pool->rows);
    pool->rows = gw_mem_calloc(POOL * width, sizeof(float));
    for (size_t i = 0; pool->rows != NULL && i < POOL * width; i++) {
        pool->rows[i] = gw_rng_below(&rng, 100) < 3 ? NAN : (float)gw_rng_normal(&rng);
    }
    return pool->rows != NULL;
}

// Scores whole pools in batches until RUN_US have passed.
static struct cost run(const struct gw_scorer *scorer, struct pool *pool, size_t batch)
{
    uint64_t rows = 0;
    uint64_t start_us = gw_clock_mono_us();
    uint64_t start_cpu_ns = gw_clock_thread_cpu_ns();
    uint64_t now_us = start_us;
    while (now_us - start_us < RUN_US) {
        for (size_t first = 0; first + batch <= POOL; first += batch) {
            gw_scorer_margins(scorer, pool->rows + first * pool->width, pool->width, batch, pool->margins);
            gw_scorer_finish(scorer, pool->margins, batch, pool->probabilities, pool->scores, NULL);
            rows += batch;
        }
        now_us = gw_clock_mono_us();
    }
    return (struct cost){.wall_ns = 1e3 * (double)(now_us - start_us) / (double)rows,
                         .cpu_ns = (double)(gw_clock_thread_cpu_ns() - start_cpu_ns) / (double)rows};
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_metric(const char *name, const char *metric, double value, const char *unit)
{
    printf("{\"bench\":\"scoring\",\"case\":\"%s\",\"metric\":\"%s\",\"value\":%.4g,\"unit\":\"%s\"}\n", name, metric,
           value, unit);
}

static void measure(const struct gw_scorer *scorer, struct pool *pool, const char *prefix, size_t batch)
{
    char name[64];
    double wall_ns[RUNS];
    double cpu_ns[RUNS];
    snprintf(name, sizeof name, "%s_b%zu", prefix, batch);
    (void)run(scorer, pool, batch); // warm up
    for (size_t i = 0; i < RUNS; i++) {
        struct cost cost = run(scorer, pool, batch);
        wall_ns[i] = cost.wall_ns;
        cpu_ns[i] = cost.cpu_ns;
    }
    qsort(wall_ns, RUNS, sizeof *wall_ns, compare_doubles);
    qsort(cpu_ns, RUNS, sizeof *cpu_ns, compare_doubles);
    double median = wall_ns[RUNS / 2];
    print_metric(name, "ns_per_row", median, "ns");
    print_metric(name, "cpu_ns_per_row", cpu_ns[RUNS / 2], "ns");
    print_metric(name, "spread", (wall_ns[RUNS - 1] - wall_ns[0]) / median, "ratio");
    fflush(stdout);
}

static gw_status bench(const char *directory, struct pool *pool, gw_err *err)
{
    static const size_t batches[] = {1, 16, 100, 512, BATCH_MAX};
    struct gw_bundle *bundle = NULL;
    struct gw_scorer *scorer = NULL;
    if (!make_rows(pool, FEATURES)) {
        return gw_fail(err, GW_E_MEMORY, "no memory for rows");
    }
    GW_TRY(directory != NULL ? gw_bundle_load(directory, &bundle, err) : load_synthetic(pool, &bundle, err));
    const struct gw_bundle_info *info = gw_bundle_info(bundle);
    gw_status status = gw_scorer_new(bundle, NULL, info->feature_count, &scorer, err);
    if (status == GW_OK) {
        pool->margins = gw_mem_calloc(BATCH_MAX * info->head_count, sizeof(float));
        pool->probabilities = gw_mem_calloc(BATCH_MAX * info->head_count, sizeof(float));
        pool->scores = gw_mem_calloc(BATCH_MAX, sizeof(float));
        bool enough = pool->margins != NULL && pool->probabilities != NULL && pool->scores != NULL &&
                      make_rows(pool, info->feature_count);
        status = enough ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for rows");
    }
    char prefix[48];
    snprintf(prefix, sizeof prefix, "t%u_d%u_f%zu", info->heads[0].tree_count, info->heads[0].depth_max,
             info->feature_count);
    for (size_t b = 0; status == GW_OK && b < GW_COUNT_OF(batches); b++) {
        measure(scorer, pool, prefix, batches[b]);
    }
    gw_scorer_free(scorer);
    gw_bundle_unref(bundle);
    return status;
}

int main(int argc, char **argv)
{
    struct pool pool = {0};
    gw_err err = {0};
    gw_status status = bench(argc > 1 ? argv[1] : NULL, &pool, &err);
    if (status != GW_OK) {
        fprintf(stderr, "bench_scoring: %s\n", err.message);
    }
    gw_mem_free(pool.rows);
    gw_mem_free(pool.margins);
    gw_mem_free(pool.probabilities);
    gw_mem_free(pool.scores);
    return status == GW_OK ? 0 : 1;
}
