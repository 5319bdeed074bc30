// SPDX-License-Identifier: MIT
// Examples in memory: their order, their infinities, and thinning to equal weights.
#include "train/rows.h"

#include "support/testkit.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char path[64];

// Example i has the features (i, special) and label bits i.
static void write_file(size_t count, const float *weights, float special)
{
    static const char *const features[] = {"number", "special"};
    static const char *const labels[] = {"yes"};
    const struct gw_examples_header header = {
        .feature_count = 2, .feature_names = features, .label_count = 1, .label_names = labels, .layout = ""};
    struct gw_examples_writer *writer = NULL;
    gw_err err = {0};
    strcpy(path, "/tmp/godwit-rows-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_ok_err(gw_examples_writer_new(path, &header, &writer, &err), &err);
    for (size_t i = 0; i < count; i++) {
        const float values[] = {(float)i, special};
        const struct gw_example example = {.time_ms = (int64_t)(i % 2 == 0 ? count + i : i),
                                           .label_bits = i,
                                           .weight = weights != NULL ? weights[i] : 1,
                                           .features = values};
        assert_ok_err(gw_examples_append(writer, &example, &err), &err);
    }
    assert_ok_err(gw_examples_finish(writer, &err), &err);
    gw_examples_writer_free(writer);
}

static void examples_are_in_time_order(void **state)
{
    (void)state;
    static const float order[] = {1, 3, 5, 0, 2, 4};
    struct gw_rows rows;
    gw_err err = {0};
    write_file(6, NULL, NAN);
    assert_ok_err(gw_rows_load_whole(path, &rows, &err), &err);
    assert_int_equal(rows.count, 6);
    assert_int_equal(rows.train_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_true(rows.features[2 * i] == order[i] && isnan(rows.features[2 * i + 1]));
        assert_int_equal(rows.label_bits[i], order[i]);
    }
    gw_rows_deinit(&rows);
    unlink(path);
}

static void infinities_are_clamped_for_training_and_come_back(void **state)
{
    (void)state;
    static const float specials[] = {INFINITY, -INFINITY};
    for (size_t s = 0; s < 2; s++) {
        struct gw_rows rows;
        gw_err err = {0};
        write_file(10, NULL, specials[s]);
        assert_ok_err(gw_rows_load(path, 0.2, &rows, &err), &err);
        assert_int_equal(rows.train_count, 8);
        assert_int_equal(rows.infinite_count, 10);
        assert_true(rows.features[1] == specials[s]);
        gw_rows_clamp(&rows);
        for (size_t i = 0; i < 10; i++) {
            assert_true(rows.features[2 * i + 1] == (s == 0 ? FLT_MAX : -FLT_MAX));
        }
        gw_rows_unclamp(&rows);
        for (size_t i = 0; i < 10; i++) {
            assert_true(rows.features[2 * i + 1] == specials[s]);
            assert_true(isfinite(rows.features[2 * i]));
        }
        gw_rows_deinit(&rows);
        unlink(path);
    }
}

static void a_file_without_examples_is_whole(void **state)
{
    (void)state;
    struct gw_rows rows;
    gw_err err = {0};
    write_file(0, NULL, 0);
    assert_ok_err(gw_rows_load_whole(path, &rows, &err), &err);
    assert_int_equal(rows.count, 0);
    gw_rows_deinit(&rows);
    assert_fails(gw_rows_load(path, 0.2, &rows, &err), GW_E_INVALID);
    gw_rows_deinit(&rows);
    unlink(path);
}

static void equal_weights_keep_every_row(void **state)
{
    (void)state;
    struct gw_rows rows;
    gw_err err = {0};
    write_file(10, NULL, 0);
    assert_ok_err(gw_rows_load_whole(path, &rows, &err), &err);
    assert_int_equal(gw_rows_thin(&rows, 3, 7, 1), 7);
    gw_rows_deinit(&rows);
    unlink(path);
}

static void thinning_keeps_rows_by_their_weight_in_order(void **state)
{
    (void)state;
    enum { ROWS = 4000 };
    static float weights[ROWS];
    struct gw_rows rows;
    gw_err err = {0};
    for (size_t i = 0; i < ROWS; i++) {
        weights[i] = i < ROWS / 2 ? 1 : 4;
    }
    write_file(ROWS, weights, 0);
    assert_ok_err(gw_rows_load_whole(path, &rows, &err), &err);
    const uint64_t before = rows.label_bits[99];
    size_t count = gw_rows_thin(&rows, 100, ROWS - 100, 1);
    assert_int_equal(rows.label_bits[99], before);
    size_t heavy = 0;
    for (size_t i = 100; i < 100 + count; i++) {
        assert_true(rows.features[2 * i] == (float)rows.label_bits[i]); // rows moved whole
        assert_true(rows.weights[i] == weights[rows.label_bits[i]]);
        heavy += rows.weights[i] > 1;
        if (i > 100 && rows.label_bits[i - 1] % 2 == rows.label_bits[i] % 2) {
            assert_true(rows.label_bits[i - 1] < rows.label_bits[i]);
        }
    }
    assert_int_equal(heavy, ROWS / 2);
    // A quarter of the light ones; their number has a standard deviation of 19.
    assert_true(fabs((double)(count - heavy) - (ROWS / 2 - 100) / 4.0) < 80);
    gw_rows_deinit(&rows);
    unlink(path);
}

GW_TESTS(examples_are_in_time_order, infinities_are_clamped_for_training_and_come_back,
         a_file_without_examples_is_whole, equal_weights_keep_every_row, thinning_keeps_rows_by_their_weight_in_order)
