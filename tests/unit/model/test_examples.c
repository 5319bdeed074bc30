// SPDX-License-Identifier: MIT
#include "model/examples.h"
#include "support/testkit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const features[] = {"a \"quoted\"", "b", "c"};
static const char *const labels[] = {"first", "second"};
static const struct gw_examples_header header = {
    .feature_count = 3, .feature_names = features, .label_count = 2, .label_names = labels, .layout = "0123abcd"};

static char path[64];

static int make_path(void **state)
{
    (void)state;
    strcpy(path, "/tmp/godwit-gwex-XXXXXX");
    int fd = mkstemp(path);
    return fd >= 0 ? close(fd) : -1;
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_two(void)
{
    const float rows[2][3] = {{1, NAN, -0.0f}, {INFINITY, 2, 3}};
    struct gw_examples_writer *writer = NULL;
    gw_err err = {0};
    assert_ok_err(gw_examples_writer_new(path, &header, &writer, &err), &err);
    for (int i = 0; i < 2; i++) {
        const struct gw_example example = {
            .time_ms = -5 + i, .label_bits = UINT64_C(1) << (63 * i), .weight = 0.5f, .features = rows[i]};
        assert_ok_err(gw_examples_append(writer, &example, &err), &err);
    }
    assert_ok_err(gw_examples_finish(writer, &err), &err);
    gw_examples_writer_free(writer);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    write_two();
    struct gw_examples_reader *reader = NULL;
    gw_err err = {0};
    assert_ok_err(gw_examples_reader_new(path, &reader, &err), &err);
    assert_int_equal(gw_examples_count(reader), 2);
    const struct gw_examples_header *found = gw_examples_header(reader);
    assert_int_equal(found->feature_count, 3);
    assert_string_equal(found->feature_names[0], features[0]);
    assert_string_equal(found->label_names[1], "second");
    assert_string_equal(found->layout, "0123abcd");

    struct gw_example example = {0};
    bool more = false;
    assert_ok_err(gw_examples_next(reader, &example, &more, &err), &err);
    assert_true(more && example.time_ms == -5 && example.label_bits == 1 && example.weight == 0.5f);
    assert_true(example.features[0] == 1 && isnan(example.features[1]) && signbit(example.features[2]));
    assert_ok_err(gw_examples_next(reader, &example, &more, &err), &err);
    assert_true(more && example.label_bits == UINT64_C(1) << 63 && isinf(example.features[0]));
    assert_ok_err(gw_examples_next(reader, &example, &more, &err), &err);
    assert_false(more);
    gw_examples_reader_free(reader);
}

static void an_unfinished_file_does_not_appear(void **state)
{
    (void)state;
    struct gw_examples_writer *writer = NULL;
    gw_err err = {0};
    char aside[80];
    snprintf(aside, sizeof aside, "%s.aside", path);
    assert_ok_err(gw_examples_writer_new(path, &header, &writer, &err), &err);
    assert_int_equal(access(aside, F_OK), 0);
    gw_examples_writer_free(writer);
    assert_int_equal(access(aside, F_OK), -1);
}

static void weights_must_be_positive(void **state)
{
    (void)state;
    struct gw_examples_writer *writer = NULL;
    const float row[3] = {0};
    static const float weights[] = {0, -1, NAN, INFINITY};
    gw_err err = {0};
    assert_ok_err(gw_examples_writer_new(path, &header, &writer, &err), &err);
    for (size_t i = 0; i < GW_COUNT_OF(weights); i++) {
        const struct gw_example example = {.weight = weights[i], .features = row};
        assert_fails(gw_examples_append(writer, &example, &err), GW_E_INVALID);
    }
    gw_examples_writer_free(writer);
}

// Replaces the file by these bytes and opens it.
static gw_status open_bytes(const void *bytes, size_t size, gw_err *err)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
    struct gw_examples_reader *reader = NULL;
    gw_status status = gw_examples_reader_new(path, &reader, err);
    gw_examples_reader_free(reader);
    return status;
}

// "GWEX0001", the text's size, the text.
static gw_status open_header(const char *text, gw_err *err)
{
    uint8_t bytes[512] = "GWEX0001";
    gw_store_le32(bytes + 8, (uint32_t)strlen(text));
    memcpy(bytes + 12, text, strlen(text));
    return open_bytes(bytes, 12 + strlen(text), err);
}

static void damaged_files_are_refused(void **state)
{
    (void)state;
    gw_err err = {0};
    uint8_t bytes[1024];
    write_two();
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t cut = 0; cut < size; cut++) {
        gw_status status = open_bytes(bytes, cut, &err);
        bool whole = cut == size - 36 || cut == size - 72; // one record, none
        assert_int_equal(status, whole ? GW_OK : GW_E_MALFORMED);
    }
    bytes[7] = '2';
    assert_fails(open_bytes(bytes, size, &err), GW_E_MALFORMED);
    bytes[7] = '1';
    gw_store_le32(bytes + 8, UINT32_MAX);
    assert_fails(open_bytes(bytes, size, &err), GW_E_TOO_LARGE);
}

static void wrong_headers_are_refused(void **state)
{
    (void)state;
    gw_err err = {0};
    assert_ok_err(open_header("{\"features\":[\"a\"],\"labels\":[\"x\"],\"more\":1}", &err), &err);
    assert_fails(open_header("{\"features\":[],\"labels\":[\"x\"]}", &err), GW_E_INVALID);
    assert_fails(open_header("{\"features\":[\"a\"],\"labels\":[]}", &err), GW_E_INVALID);
    assert_fails(open_header("{\"features\":[\"a\"]}", &err), GW_E_INVALID);
    assert_non_null(strstr(err.message, "key 'labels' is missing"));
    assert_fails(open_header("{\"features\":[\"a\"],\"features\":[\"a\"],\"labels\":[\"x\"]}", &err), GW_E_MALFORMED);
    assert_fails(open_header("{\"features\":[1],\"labels\":[\"x\"]}", &err), GW_E_INVALID);
    assert_fails(open_header("{\"features\":[\"a\"],\"labels\":[\"x\"]} x", &err), GW_E_MALFORMED);
    assert_fails(open_header("", &err), GW_E_MALFORMED);
}

static void a_missing_file_is_not_found(void **state)
{
    (void)state;
    struct gw_examples_reader *reader = NULL;
    gw_err err = {0};
    assert_fails(gw_examples_reader_new("/tmp/godwit-no-such-file", &reader, &err), GW_E_NOT_FOUND);
    assert_string_equal(err.message, "no file '/tmp/godwit-no-such-file'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),   cmocka_unit_test(an_unfinished_file_does_not_appear),
        cmocka_unit_test(weights_must_be_positive),  cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(wrong_headers_are_refused), cmocka_unit_test(a_missing_file_is_not_found),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
