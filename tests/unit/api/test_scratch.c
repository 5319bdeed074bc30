// SPDX-License-Identifier: MIT
#include "api/scratch.h"
#include "support/testkit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static char nested[96];
static gw_err err;

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static void touch(const char *directory, const char *name)
{
    char path[GW_API_SCRATCH_BYTES + 64];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static int prepare(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/godwit-scratch-XXXXXX");
    if (mkdtemp(root) == NULL) {
        return -1;
    }
    snprintf(nested, sizeof nested, "%s/a/b", root);
    return gw_api_scratch_sweep(nested, &err) == GW_OK ? 0 : -1;
}

static int clean(void **state)
{
    (void)state;
    char path[128];
    rmdir(nested);
    snprintf(path, sizeof path, "%s/a", root);
    rmdir(path);
    return rmdir(root); // fails when something was left
}

static void a_message_for_the_caller_names_no_path(void **state)
{
    (void)state;
    struct gw_api_scratch scratch = {.path = "/var/x/upload-a", .lock = -1};
    gw_err told = {.message = "bundle '/var/x/upload-a/bundle': cannot open '/var/x/upload-a/bundle/golden.json'"};
    gw_api_scratch_hide(&scratch, &told);
    assert_string_equal(told.message, "bundle 'bundle': cannot open 'bundle/golden.json'");
    scratch.path[0] = '\0'; // none was made
    gw_api_scratch_hide(&scratch, &told);
    assert_string_equal(told.message, "bundle 'bundle': cannot open 'bundle/golden.json'");
}

static void a_directory_goes_with_everything_in_it(void **state)
{
    (void)state;
    struct gw_api_scratch scratch;
    char inner[GW_API_SCRATCH_BYTES + 16];
    assert_ok_err(gw_api_scratch_make(nested, &scratch, &err), &err);
    snprintf(inner, sizeof inner, "%s/bundle", scratch.path);
    assert_int_equal(mkdir(inner, 0700), 0);
    touch(inner, "bundle.json");
    touch(scratch.path, "x");
    gw_api_scratch_remove(&scratch);
    assert_false(exists(scratch.path));
    gw_api_scratch_remove(&scratch); // nothing there any more
}

static void a_sweep_takes_what_nobody_uses(void **state)
{
    (void)state;
    struct gw_api_scratch used;
    char left[128];
    char kept[128];
    snprintf(left, sizeof left, "%s/upload-killed", nested);
    snprintf(kept, sizeof kept, "%s/0123abcd", nested);
    assert_int_equal(mkdir(left, 0700), 0);
    assert_int_equal(mkdir(kept, 0700), 0);
    touch(left, "bundle.json");
    touch(nested, "body-killed");
    assert_ok_err(gw_api_scratch_make(nested, &used, &err), &err);

    assert_ok_err(gw_api_scratch_sweep(nested, &err), &err);
    assert_false(exists(left));
    assert_true(exists(kept));
    assert_true(exists(used.path));
    gw_api_scratch_remove(&used);
    assert_int_equal(rmdir(kept), 0);
}

static void a_file_in_the_way_is_told(void **state)
{
    (void)state;
    char path[128];
    struct gw_api_scratch scratch;
    touch(nested, "file");
    snprintf(path, sizeof path, "%s/file", nested);
    assert_fails(gw_api_scratch_sweep(path, &err), GW_E_IO);
    assert_fails(gw_api_scratch_make(path, &scratch, &err), GW_E_IO);
    gw_api_scratch_remove(&scratch);
    assert_int_equal(unlink(path), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_for_the_caller_names_no_path),
        TEST(a_directory_goes_with_everything_in_it),
        TEST(a_sweep_takes_what_nobody_uses),
        TEST(a_file_in_the_way_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
