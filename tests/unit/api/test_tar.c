// SPDX-License-Identifier: MIT
// Archives that tar programs wrote (the corpus of fuzz_tar), and some built here byte by byte.
#include "api/tar.h"
#include "support/testkit.h"

#include "base/ini.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define CORPUS GW_SOURCE_DIR "/tests/fuzz/corpus/tar/"
#define BLOCK  512

static struct {
    struct gw_buf archive;
    size_t at;
    size_t step;        // how much the source gives at once; 0: all
    struct gw_buf seen; // "name=content;" of every file
    gw_status sink_status;
    gw_err err;
} t;

static gw_status source(void *context, uint8_t *to, size_t size, size_t *ret_size, gw_err *err)
{
    (void)context;
    (void)err;
    size_t count = GW_MIN(size, t.archive.size - t.at);
    *ret_size = t.step > 0 ? GW_MIN(count, t.step) : count;
    if (*ret_size > 0) {
        memcpy(to, t.archive.data + t.at, *ret_size);
    }
    t.at += *ret_size;
    return GW_OK;
}

static gw_status begin(void *context, const char *name, uint64_t size, gw_err *err)
{
    char text[256];
    (void)context;
    int length = snprintf(text, sizeof text, "%s[%llu]", name, (unsigned long long)size);
    assert_ok(gw_buf_append(&t.seen, text, (size_t)length));
    return t.sink_status == GW_OK ? GW_OK : gw_fail(err, t.sink_status, "the sink is full");
}

static gw_status piece(void *context, struct gw_slice bytes, gw_err *err)
{
    (void)context;
    (void)err;
    return gw_buf_append(&t.seen, bytes.data, GW_MIN(bytes.size, (size_t)8));
}

static gw_status read_archive(void)
{
    const struct gw_api_tar_sink sink = {.begin = begin, .piece = piece};
    t.at = 0;
    gw_buf_clear(&t.seen);
    gw_status status = gw_api_tar_read(source, NULL, &sink, &t.err);
    assert_ok(gw_buf_append(&t.seen, "", 1));
    return status;
}

static const char *seen(void)
{
    return (const char *)t.seen.data;
}

static void load(const char *name)
{
    char path[1024];
    char *text = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, CORPUS "%s", name);
    assert_ok(gw_file_read(path, 1 << 20, &text, &size, NULL));
    gw_buf_clear(&t.archive);
    assert_ok(gw_buf_append(&t.archive, text, size));
    gw_mem_free(text);
}

// Appends a header, and the content in whole blocks.
static void add(const char *name, char type, const char *content)
{
    uint8_t block[BLOCK] = {0};
    size_t size = strlen(content);
    unsigned sum = 0;
    memcpy(block, name, GW_MIN(strlen(name), (size_t)100));
    snprintf((char *)block + 124, 12, "%011zo", size);
    block[156] = (uint8_t)type;
    memcpy(block + 257,
           "ustar\0"
           "00",
           8);
    memset(block + 148, ' ', 8);
    for (size_t i = 0; i < BLOCK; i++) {
        sum += block[i];
    }
    snprintf((char *)block + 148, 7, "%06o", sum);
    assert_ok(gw_buf_append(&t.archive, block, BLOCK));
    static const uint8_t zeros[BLOCK];
    assert_ok(gw_buf_append(&t.archive, content, size));
    assert_ok(gw_buf_append(&t.archive, zeros, (BLOCK - size % BLOCK) % BLOCK));
}

static void finish(void)
{
    static const uint8_t zeros[2 * BLOCK];
    assert_ok(gw_buf_append(&t.archive, zeros, sizeof zeros));
}

static int prepare(void **state)
{
    (void)state;
    gw_buf_clear(&t.archive);
    t.step = 0;
    t.sink_status = GW_OK;
    return 0;
}

static int clean(void **state)
{
    (void)state;
    gw_buf_deinit(&t.archive);
    gw_buf_deinit(&t.seen);
    return 0;
}

static void archives_of_tar_programs_are_read(void **state)
{
    (void)state;
    const char *const names[] = {"ustar", "pax", "gnu"};
    for (size_t i = 0; i < GW_COUNT_OF(names); i++) {
        for (t.step = 0; t.step <= 700; t.step += 233) {
            load(names[i]);
            assert_ok_err(read_archive(), &t.err);
            assert_non_null(strstr(seen(), "bundle.json[8]{\"a\":1}\n"));
            assert_non_null(strstr(seen(), "model.json[700]mmmmmmmm"));
        }
    }
}

static void what_leads_out_or_is_no_file_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *message;
    } cases[] = {
        {"upwards", "no name of a file"}, {"absolute", "no name of a file"},    {"deep", "no name of a file"},
        {"link", "no plain file"},        {"twice", "is twice in the archive"}, {"gnu_long_name", "no plain file"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        load(cases[i].name);
        assert_fails(read_archive(), GW_E_INVALID);
        assert_non_null(strstr(t.err.message, cases[i].message));
    }
}

static void names_are_plain(void **state)
{
    (void)state;
    const char *const bad[] = {"",   ".",     "..",   "./..", "a/..",  "../a", "/a",
                               "a/", "a/b/c", "a\nb", "a\\b", "a/./b", "//"};
    for (size_t i = 0; i < GW_COUNT_OF(bad); i++) {
        gw_buf_clear(&t.archive);
        add(bad[i], '0', "x");
        finish();
        assert_fails(read_archive(), GW_E_INVALID);
    }
    gw_buf_clear(&t.archive);
    add("././a", '0', "x");
    add("./b", '0', "y");
    finish();
    assert_ok(read_archive());
    assert_string_equal(seen(), "a[1]xb[1]y");
}

static void all_files_lie_in_one_folder(void **state)
{
    (void)state;
    add("m/", '5', "");
    add("m/a", '0', "x");
    add("n/b", '0', "y");
    finish();
    assert_fails(read_archive(), GW_E_INVALID);
    assert_non_null(strstr(t.err.message, "another folder"));
}

static void pax_headers_name_the_next_entry_only(void **state)
{
    (void)state;
    load("pax_long_path");
    assert_ok_err(read_archive(), &t.err);
    assert_int_equal(strspn(seen(), "n"), 100);

    gw_buf_clear(&t.archive);
    add("h", 'x', "15 path=renamed\n");
    gw_buf_clear(&t.archive);
    add("h", 'x', "16 path=renamed\n");
    add("a", '0', "x");
    add("b", '0', "y");
    finish();
    assert_ok_err(read_archive(), &t.err);
    assert_string_equal(seen(), "renamed[1]xb[1]y");
}

static void damaged_pax_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *records;
        gw_status status;
    } cases[] = {
        {"15 path=renamed\n", GW_E_MALFORMED}, {"17 path=renamed\n", GW_E_MALFORMED},
        {"path=renamed\n", GW_E_MALFORMED},    {"99999999999 path=a\n", GW_E_MALFORMED},
        {"0 a=b\n", GW_E_MALFORMED},           {"3 \n", GW_E_MALFORMED},
        {"8 nothi\n", GW_E_MALFORMED},         {"11 size=-1\n", GW_E_MALFORMED},
        {"13 path=../a\n", GW_E_INVALID},      {"22 GNU.sparse.major=1\n", GW_E_INVALID},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        gw_buf_clear(&t.archive);
        add("h", 'x', cases[i].records);
        add("a", '0', "x");
        finish();
        gw_status status = read_archive();
        if (status != cases[i].status) {
            print_error("%s: %s\n", cases[i].records, t.err.message);
        }
        assert_int_equal(status, cases[i].status);
    }
}

static void what_is_no_archive_is_refused(void **state)
{
    (void)state;
    const char *const names[] = {"text", "empty", "cut_off"};
    for (size_t i = 0; i < GW_COUNT_OF(names); i++) {
        load(names[i]);
        assert_fails(read_archive(), GW_E_MALFORMED);
    }
    load("ustar");
    t.archive.data[3] ^= 1; // of a name: the checksum knows
    assert_fails(read_archive(), GW_E_MALFORMED);
}

static void a_missing_end_mark_is_a_cut(void **state)
{
    (void)state;
    add("a", '0', "x");
    assert_fails(read_archive(), GW_E_MALFORMED);
    gw_buf_clear(&t.archive);
    assert_fails(read_archive(), GW_E_MALFORMED);
}

static void files_are_counted(void **state)
{
    (void)state;
    for (int i = 0; i <= GW_API_TAR_FILES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        add(name, '0', "");
    }
    finish();
    assert_fails(read_archive(), GW_E_TOO_LARGE);
    gw_buf_clear(&t.archive);
    for (int i = 0; i < 300; i++) {
        add("d/", '5', "");
    }
    finish();
    assert_fails(read_archive(), GW_E_TOO_LARGE);
}

static void the_sinks_failure_ends_it(void **state)
{
    (void)state;
    load("ustar");
    t.sink_status = GW_E_IO;
    assert_fails(read_archive(), GW_E_IO);
    assert_string_equal(t.err.message, "the sink is full");
}

static void files_are_unpacked(void **state)
{
    (void)state;
    char directory[] = "/tmp/godwit-tar-XXXXXX";
    char path[128];
    char *text = NULL;
    size_t size = 0;
    assert_non_null(mkdtemp(directory));
    int fd = open(CORPUS "ustar", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_ok_err(gw_api_tar_unpack(fd, directory, &t.err), &t.err);
    assert_fails(gw_api_tar_unpack(fd, directory, &t.err), GW_E_IO); // they are there
    close(fd);
    snprintf(path, sizeof path, "%s/bundle.json", directory);
    assert_ok(gw_file_read(path, 100, &text, &size, NULL));
    assert_string_equal(text, "{\"a\":1}\n");
    gw_mem_free(text);
    unlink(path);
    snprintf(path, sizeof path, "%s/model.json", directory);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 700);
    unlink(path);
    assert_int_equal(rmdir(directory), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, prepare)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(archives_of_tar_programs_are_read),
        TEST(what_leads_out_or_is_no_file_is_refused),
        TEST(names_are_plain),
        TEST(all_files_lie_in_one_folder),
        TEST(pax_headers_name_the_next_entry_only),
        TEST(damaged_pax_headers_are_refused),
        TEST(what_is_no_archive_is_refused),
        TEST(a_missing_end_mark_is_a_cut),
        TEST(files_are_counted),
        TEST(the_sinks_failure_ends_it),
        TEST(files_are_unpacked),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
