// SPDX-License-Identifier: MIT
// Artefacts between a directory, a real PostgreSQL (GODWIT_POSTGRES_URI) and the disk cache.
#include "integration/registry_bundles.h"

#include "base/clock.h"
#include "model/sha256.h"

#include <fcntl.h>

static struct bundles b;
static gw_err err;

// Every test stores bundle 1.
static char path[128];
static char cache[128];
static char digest[GW_ROUTE_DIGEST_BYTES];

static void open_with_artefact(void)
{
    bundles_open(&b);
    snprintf(cache, sizeof cache, "%s/cache", b.folder);
    bundle_write(&b, 1, path);
    assert_ok_err(gw_artefacts_store(b.registry, path, digest, &err), &err);
}

static gw_status fetch(char ret_directory[256])
{
    return gw_artefacts_fetch(b.registry, cache, digest, ret_directory, 256, &err);
}

static size_t entries_of(const char *directory)
{
    size_t count = 0;
    DIR *entries = opendir(directory);
    assert_non_null(entries);
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(entries);
    return count;
}

static int64_t number(const char *sql)
{
    return registry_number(b.fixture.postgres, sql);
}

static void assert_message(const char *part)
{
    if (strstr(err.message, part) == NULL) {
        print_error("'%s' is not in '%s'\n", part, err.message);
    }
    assert_non_null(strstr(err.message, part));
}

static void fetched_bundle_is_the_one_that_was_stored(void **state)
{
    (void)state;
    char directory[256];
    struct gw_bundle *bundle = NULL;
    open_with_artefact();
    assert_ok_err(fetch(directory), &err);
    assert_ok_err(gw_bundle_load(directory, &bundle, &err), &err);
    assert_string_equal(gw_bundle_info(bundle)->digest, digest);
    gw_bundle_unref(bundle);
    assert_int_equal(entries_of(cache), 1);
    assert_int_equal(entries_of(directory), entries_of(path));
    bundles_close(&b);
}

static void cached_bundle_needs_no_database(void **state)
{
    (void)state;
    char directory[256];
    open_with_artefact();
    assert_ok(fetch(directory));
    registry_run(b.fixture.postgres, "DELETE FROM registry_artefacts");
    assert_ok(fetch(directory));
    gw_artefacts_forget(cache, digest);
    assert_int_equal(entries_of(cache), 0);
    assert_fails(fetch(directory), GW_E_NOT_FOUND);
    assert_int_equal(entries_of(cache), 0);
    bundles_close(&b);
}

static void files_in_common_are_stored_once(void **state)
{
    (void)state;
    char second[128];
    char again[GW_ROUTE_DIGEST_BYTES];
    open_with_artefact();
    const int64_t blobs = number("SELECT count(*) FROM registry_blobs");
    bundle_write(&b, 2, second); // other number, same models
    assert_ok(gw_artefacts_store(b.registry, second, again, &err));
    assert_string_not_equal(again, digest);
    assert_int_equal(number("SELECT count(*) FROM registry_blobs"), blobs + 1);
    assert_ok(gw_artefacts_store(b.registry, path, again, &err));
    assert_string_equal(again, digest);
    assert_int_equal(number("SELECT count(*) FROM registry_artefacts"), 2);
    bundles_close(&b);
}

static void damage_in_the_database_is_found(void **state)
{
    (void)state;
    static const char *const damages[] = {
        "UPDATE registry_blob_pieces SET bytes = set_byte(bytes, 0, get_byte(bytes, 0) # 1)",
        "UPDATE registry_blob_pieces SET bytes = substring(bytes FROM 2)",
        "UPDATE registry_blob_pieces SET bytes = bytes || '\\x00'::bytea",
        "DELETE FROM registry_blob_pieces",
        "UPDATE registry_artefact_files SET name = '../' || name",
        "UPDATE registry_artefact_files f SET blob = b.digest FROM registry_blobs b WHERE b.digest <> f.blob",
        "DELETE FROM registry_artefact_files WHERE name = 'bundle.json'",
    };
    for (size_t i = 0; i < GW_COUNT_OF(damages); i++) {
        char directory[256] = "untouched";
        open_with_artefact();
        registry_run(b.fixture.postgres, damages[i]);
        assert_fails(fetch(directory), GW_E_MISMATCH);
        assert_message("damaged in the database");
        assert_string_equal(directory, "untouched");
        assert_true(access(cache, F_OK) != 0 || entries_of(cache) == 0);
        bundles_close(&b);
    }
}

static void blob_that_is_damaged_is_sent_again(void **state)
{
    (void)state;
    static const char *const damages[] = {
        "DELETE FROM registry_blob_pieces",
        "UPDATE registry_blob_pieces SET bytes = substring(bytes FROM 2)",
        "UPDATE registry_blob_pieces SET bytes = set_byte(bytes, 0, get_byte(bytes, 0) # 1)",
        "INSERT INTO registry_blob_pieces SELECT digest, 1, bytes FROM registry_blob_pieces",
    };
    open_with_artefact();
    const int64_t pieces = number("SELECT count(*) FROM registry_blob_pieces");
    for (size_t i = 0; i < GW_COUNT_OF(damages); i++) {
        char directory[256];
        registry_run(b.fixture.postgres, damages[i]);
        assert_ok_err(gw_artefacts_store(b.registry, path, digest, &err), &err);
        assert_ok_err(fetch(directory), &err);
        assert_int_equal(number("SELECT count(*) FROM registry_blob_pieces"), pieces);
        gw_artefacts_forget(cache, digest);
    }
    bundles_close(&b);
}

static void damage_on_disk_is_found_and_forgotten(void **state)
{
    (void)state;
    char directory[256];
    char file[512];
    struct gw_bundle *bundle = NULL;
    open_with_artefact();
    assert_ok(fetch(directory));
    snprintf(file, sizeof file, "%s/golden.json", directory);
    assert_int_equal(truncate(file, 10), 0);
    assert_ok(fetch(directory));
    assert_fails(gw_bundle_load(directory, &bundle, &err), GW_E_MISMATCH);
    gw_artefacts_forget(cache, digest);
    assert_ok(fetch(directory));
    assert_ok(gw_bundle_load(directory, &bundle, &err));
    gw_bundle_unref(bundle);
    bundles_close(&b);
}

// Two processes share the cache and have both read the damaged copy; one of them has made it anew when the other one
// forgets it.
static void copy_that_was_made_anew_is_not_forgotten(void **state)
{
    (void)state;
    char directory[256];
    struct stat info;
    open_with_artefact();
    assert_ok(fetch(directory));
    int held_by_one = gw_artefacts_hold(cache, digest);
    int held_by_other = gw_artefacts_hold(cache, digest);
    assert_true(held_by_one >= 0 && held_by_other >= 0);
    gw_artefacts_forget_held(cache, digest, held_by_one);
    assert_int_not_equal(stat(directory, &info), 0);
    assert_ok(fetch(directory));
    gw_artefacts_forget_held(cache, digest, held_by_other);
    gw_artefacts_forget_held(cache, digest, -1);
    assert_int_equal(stat(directory, &info), 0);
    close(held_by_one);
    close(held_by_other);
    bundles_close(&b);
}

static void bundle_that_is_not_what_it_says_is_not_stored(void **state)
{
    (void)state;
    char second[128];
    char file[256];
    char unused[GW_ROUTE_DIGEST_BYTES];
    open_with_artefact();
    const int64_t blobs = number("SELECT count(*) FROM registry_blobs");
    bundle_write(&b, 2, second);
    snprintf(file, sizeof file, "%s/golden.json", second);
    int fd = open(file, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, " ", 1), 1);
    close(fd);
    assert_fails(gw_artefacts_store(b.registry, second, unused, &err), GW_E_MISMATCH);
    assert_message("bundle.json says");
    assert_int_equal(number("SELECT count(*) FROM registry_blobs"), blobs);
    struct gw_registry_outcome outcome;
    bundles_fill(&b, 0, false);
    assert_fails(register_path(&b, second, true, &outcome, &err), GW_E_MISMATCH);
    assert_int_equal(number("SELECT count(*) FROM registry_versions"), 0);
    bundles_close(&b);
}

static void bundle_over_the_bound_is_refused_unread(void **state)
{
    (void)state;
    char second[128];
    char file[256];
    char unused[GW_ROUTE_DIGEST_BYTES];
    open_with_artefact();
    bundle_write(&b, 2, second);
    snprintf(file, sizeof file, "%s/golden.json", second);
    assert_int_equal(truncate(file, (off_t)10 << 30), 0); // 10 GiB, of holes
    const uint64_t start_us = gw_clock_mono_us();
    assert_fails(gw_artefacts_store(b.registry, second, unused, &err), GW_E_TOO_LARGE);
    assert_true(gw_clock_mono_us() - start_us < 5000000);
    bundles_close(&b);
}

static void digests_that_are_none_are_refused(void **state)
{
    (void)state;
    open_with_artefact();
    assert_fails(gw_artefacts_fetch(b.registry, cache, "../../etc", NULL, 0, &err), GW_E_INVALID);
    digest[0] = digest[0] == '0' ? '1' : '0';
    assert_fails(gw_artefacts_fetch(b.registry, cache, digest, NULL, 0, &err), GW_E_NOT_FOUND);
    bundles_close(&b);
}

// A file of several pieces, put there by hand: bundles of tests are small.
static void file_of_many_pieces_comes_whole(void **state)
{
    (void)state;
    enum { SIZE = (2 << 20) + 12345 };
    char directory[256];
    char file[512];
    char sha[GW_SHA256_HEX_BYTES];
    char *text = NULL;
    size_t size = 0;
    open_with_artefact();
    char *content = gw_mem_calloc(SIZE + 1, 1);
    assert_non_null(content);
    for (size_t i = 0; i < SIZE; i++) {
        content[i] = (char)('a' + (i * 7 + i / 1000) % 26);
    }
    gw_sha256_hex(content, SIZE, sha);
    char size_text[24];
    snprintf(size_text, sizeof size_text, "%d", SIZE);
    const char *const blob[] = {sha, size_text};
    assert_ok(gw_postgres_exec(b.fixture.postgres, "INSERT INTO registry_blobs VALUES ($1, $2::bigint)", blob, 2, NULL,
                               &err));
    const char *const parameters[] = {sha, content};
    assert_ok_err(gw_postgres_exec(b.fixture.postgres,
                                   "INSERT INTO registry_blob_pieces SELECT $1, i, "
                                   "convert_to(substr($2::text, i * 1048576 + 1, 1048576), 'UTF8') FROM "
                                   "generate_series(0, 2) i",
                                   parameters, 2, NULL, &err),
                  &err);
    const char *const used[] = {digest, sha};
    assert_ok(gw_postgres_exec(b.fixture.postgres, "INSERT INTO registry_artefact_files VALUES ($1, 'extra.txt', $2)",
                               used, 2, NULL, &err));
    assert_ok_err(fetch(directory), &err);
    snprintf(file, sizeof file, "%s/extra.txt", directory);
    assert_ok(gw_file_read(file, SIZE + 1, &text, &size, &err));
    assert_int_equal(size, SIZE);
    assert_memory_equal(text, content, SIZE);
    gw_mem_free(text);
    gw_mem_free(content);
    bundles_close(&b);
}

struct garbage {
    size_t artefacts;
    size_t blobs;
};

static void count_garbage(void *context, const struct gw_artefact_garbage *found)
{
    struct garbage *garbage = context;
    garbage->artefacts += !found->blob;
    garbage->blobs += found->blob;
    assert_true(found->bytes > 0);
}

static struct garbage collect(uint32_t age_s, bool dry_run, uint64_t *ret_bytes)
{
    struct garbage garbage = {0};
    assert_ok_err(gw_artefacts_collect(b.registry, age_s, dry_run, count_garbage, &garbage, ret_bytes, &err), &err);
    return garbage;
}

static void only_what_no_version_names_is_collected(void **state)
{
    (void)state;
    uint64_t bytes = 0;
    uint64_t dry_bytes = 0;
    struct gw_registry_outcome outcome;
    char directory[256];
    open_with_artefact();
    bundles_fill(&b, 0, false);
    assert_ok_err(register_path(&b, path, true, &outcome, &err), &err);
    char second[128];
    char unnamed[GW_ROUTE_DIGEST_BYTES];
    const char *const other[] = {"user.state", "tweet.has_image"};
    bundle_path(&b, 2, second);
    test_model_write_of(second, "other", 1, other, 2); // shares no file with bundle 1
    assert_ok(gw_artefacts_store(b.registry, second, unnamed, &err));

    struct garbage found = collect(3600, false, &bytes); // all too young
    assert_int_equal(found.artefacts + found.blobs, 0);
    const int64_t blobs = number("SELECT count(*) FROM registry_blobs");
    found = collect(0, true, &dry_bytes);
    assert_int_equal(found.artefacts, 1);
    assert_int_equal(found.blobs, 4); // bundle.json, two heads, golden rows
    assert_int_equal(number("SELECT count(*) FROM registry_blobs"), blobs);
    found = collect(0, false, &bytes);
    assert_int_equal(found.artefacts, 1);
    assert_int_equal(found.blobs, 4);
    assert_true(bytes > 0 && bytes == dry_bytes);
    assert_int_equal(number("SELECT count(*) FROM registry_blobs"), blobs - 4);
    assert_int_equal(number("SELECT count(*) FROM registry_blob_pieces"), blobs - 4);
    assert_ok(fetch(directory)); // version 1 names it

    gw_artefacts_forget(cache, digest);
    const struct gw_registry_change change = by("");
    assert_ok(gw_registry_archive(b.registry, MODEL, 1, &change, &outcome, &err));
    found = collect(0, false, &bytes);
    assert_int_equal(found.artefacts, 1);
    assert_int_equal(number("SELECT count(*) FROM registry_blobs"), 0);
    assert_fails(fetch(directory), GW_E_NOT_FOUND);
    bundles_close(&b);
}

static void cache_keeps_what_was_used_last(void **state)
{
    (void)state;
    char digests[4][GW_ROUTE_DIGEST_BYTES];
    char directory[256];
    bundles_open(&b);
    snprintf(cache, sizeof cache, "%s/cache", b.folder);
    assert_ok(gw_artefacts_trim(cache, 1, &err)); // not there yet
    for (int i = 0; i < 4; i++) {
        bundle_write(&b, i + 1, path);
        assert_ok(gw_artefacts_store(b.registry, path, digests[i], &err));
        assert_ok(gw_artefacts_fetch(b.registry, cache, digests[i], directory, sizeof directory, &err));
        const struct timespec old[2] = {{.tv_sec = 1000 + i}, {.tv_sec = 1000 + i}};
        assert_int_equal(utimensat(AT_FDCWD, directory, old, 0), 0);
    }
    char leftover[512];
    snprintf(leftover, sizeof leftover, "%s/.%s.1.0123456789abcdef", cache, digests[0]);
    assert_int_equal(mkdir(leftover, 0755), 0);
    const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    assert_int_equal(utimensat(AT_FDCWD, leftover, old, 0), 0);
    assert_ok(gw_artefacts_fetch(b.registry, cache, digests[0], directory, sizeof directory, &err)); // used now
    assert_ok(gw_artefacts_trim(cache, 2, &err));
    assert_int_equal(entries_of(cache), 2);
    for (int i = 0; i < 4; i++) {
        snprintf(directory, sizeof directory, "%s/%s", cache, digests[i]);
        assert_int_equal(access(directory, F_OK) == 0, i == 0 || i == 3);
    }
    bundles_close(&b);
}

GW_TESTS(fetched_bundle_is_the_one_that_was_stored, cached_bundle_needs_no_database, files_in_common_are_stored_once,
         damage_in_the_database_is_found, blob_that_is_damaged_is_sent_again, damage_on_disk_is_found_and_forgotten,
         copy_that_was_made_anew_is_not_forgotten, bundle_that_is_not_what_it_says_is_not_stored,
         bundle_over_the_bound_is_refused_unread, digests_that_are_none_are_refused, file_of_many_pieces_comes_whole,
         only_what_no_version_names_is_collected, cache_keeps_what_was_used_last)
