// SPDX-License-Identifier: MIT
// A folder of one test below /tmp: set up and torn down around it.
#pragma once

#include "base/ini.h"
#include "base/mem.h"
#include "support/testkit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

static inline int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/godwit-model-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

// In one of two buffers, by turns.
static inline const char *path_in_folder(const char *name)
{
    static char paths[2][160];
    static size_t turn;
    char *path = paths[turn++ % 2];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline const char *write_in_folder(const char *name, const void *bytes, size_t size)
{
    const char *path = path_in_folder(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

// Free with gw_mem_free.
static inline char *read_in_folder(const char *name, size_t *ret_size)
{
    char *text = NULL;
    gw_err err = {0};
    assert_ok_err(gw_file_read(path_in_folder(name), 1 << 24, &text, ret_size, &err), &err);
    return text;
}

#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
