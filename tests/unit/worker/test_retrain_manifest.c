// SPDX-License-Identifier: MIT
#include "support/testkit.h"

#include "base/mem.h"
#include "worker/retrain_manifest.h"

#include <stdio.h>
#include <string.h>

static struct gw_retrain_manifest *sample(void)
{
    struct gw_retrain_manifest *m = gw_mem_calloc(1, sizeof *m);
    assert_non_null(m);
    *m = (struct gw_retrain_manifest){.model = "ranker",
                                      .champion_version = 7,
                                      .champion_digest = "abc",
                                      .layout = "0123456789abcdef",
                                      .from_ms = 5,
                                      .cutoff_ms = 1700000000000,
                                      .rows_max = 1000,
                                      .holdout = 0.2,
                                      .heads = "is_favorited:1,is_replied:13.5",
                                      .trees = 200,
                                      .depth = 6,
                                      .eta = 0.1,
                                      .seed = 1,
                                      .threads = 2,
                                      .reference_max = 5000,
                                      .samples = {3, 7, 9},
                                      .examples = {.items = {{0, 10, 20}, {1, 0, INT64_MAX}}, .count = 2}};
    return m;
}

static void what_is_written_reads_back_and_writes_the_same_bytes(void **state)
{
    (void)state;
    struct gw_retrain_manifest *m = sample();
    struct gw_retrain_manifest *again = gw_mem_calloc(1, sizeof *again);
    struct gw_buf first = {0};
    struct gw_buf second = {0};
    char hash[GW_SHA256_HEX_BYTES];
    char hash_again[GW_SHA256_HEX_BYTES];
    gw_err err = {0};
    assert_non_null(again);
    assert_ok_err(gw_retrain_manifest_write(m, &first, hash, &err), &err);
    assert_int_equal(strlen((const char *)first.data), first.size); // a text
    assert_ok_err(gw_retrain_manifest_parse(gw_buf_slice(&first), again, &err), &err);
    assert_string_equal(again->model, "ranker");
    assert_string_equal(again->heads, m->heads);
    assert_int_equal(again->examples.count, 2);
    assert_true(again->examples.items[1].last == INT64_MAX);
    assert_int_equal(again->reference_max, 5000);
    assert_int_equal(again->samples.partition, 3);
    assert_int_equal(again->samples.first, 7);
    assert_int_equal(again->samples.last, 9);
    assert_ok_err(gw_retrain_manifest_write(again, &second, hash_again, &err), &err);
    assert_true(gw_slice_equal(gw_buf_slice(&first), gw_buf_slice(&second)));
    assert_string_equal(hash, hash_again);
    gw_buf_deinit(&first);
    gw_buf_deinit(&second);
    gw_mem_free(m);
    gw_mem_free(again);
}

static void another_offset_is_another_hash(void **state)
{
    (void)state;
    struct gw_retrain_manifest *m = sample();
    struct gw_buf text = {0};
    char hash[GW_SHA256_HEX_BYTES];
    char other[GW_SHA256_HEX_BYTES];
    gw_err err = {0};
    assert_ok_err(gw_retrain_manifest_write(m, &text, hash, &err), &err);
    m->examples.items[0].last++;
    assert_ok_err(gw_retrain_manifest_write(m, &text, other, &err), &err);
    assert_string_not_equal(hash, other);
    m->examples.items[0].last--;
    m->samples.last++;
    assert_ok_err(gw_retrain_manifest_write(m, &text, other, &err), &err);
    assert_string_not_equal(hash, other);
    gw_buf_deinit(&text);
    gw_mem_free(m);
}

// A run that an older version has begun goes on.
static void a_manifest_without_samples_has_no_reference(void **state)
{
    (void)state;
    struct gw_retrain_manifest *m = gw_mem_calloc(1, sizeof *m);
    gw_err err = {0};
    assert_non_null(m);
    assert_ok_err(
        gw_retrain_manifest_parse(gw_slice_text("{\"format\":1,\"rowsMax\":9,\"partitions\":[[0,1,2]]}"), m, &err),
        &err);
    assert_int_equal(m->reference_max, 0);
    assert_int_equal(m->examples.count, 1);
    gw_mem_free(m);
}

static void what_is_no_manifest_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "[]",
                                        "{\"format\":2}",
                                        "{\"unknown\":1}",
                                        "{\"partitions\":[[0,1]]}",
                                        "{\"partitions\":[[0,1,2,3]]}",
                                        "{\"samples\":[0,1]}",
                                        "{\"rowsMax\":-1}",
                                        "{\"layout\":\"00112233445566778899\"}",
                                        "{\"model\":\"a\"} x"};
    struct gw_retrain_manifest *m = gw_mem_calloc(1, sizeof *m);
    assert_non_null(m);
    for (size_t i = 0; i < GW_COUNT_OF(texts); i++) {
        gw_err err = {0};
        assert_int_not_equal(gw_retrain_manifest_parse(gw_slice_text(texts[i]), m, &err), GW_OK);
        assert_true(err.message[0] != '\0');
    }
    gw_mem_free(m);
}

GW_TESTS(what_is_written_reads_back_and_writes_the_same_bytes, another_offset_is_another_hash,
         a_manifest_without_samples_has_no_reference, what_is_no_manifest_is_refused)
