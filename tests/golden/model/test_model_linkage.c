// SPDX-License-Identifier: MIT
// Only godwit-train may carry libxgboost and its OpenMP runtime, whose threads would spin beside the workers'.
#include "support/testkit.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// Reads what ldd says of a program, in lower case.
static void libraries_of(const char *program, char *to, size_t size)
{
    char command[1024];
    snprintf(command, sizeof command, "LC_ALL=C ldd '%s/%s' | tr A-Z a-z", GW_BINARY_DIR, program);
    FILE *stream = popen(command, "r");
    assert_non_null(stream);
    size_t taken = fread(to, 1, size - 1, stream);
    to[taken] = '\0';
    assert_int_equal(pclose(stream), 0);
    assert_non_null(strstr(to, "libc.so"));
}

static void godwit_links_neither_xgboost_nor_openmp(void **state)
{
    (void)state;
    static const char *const forbidden[] = {"xgboost", "libgomp", "libomp", "libiomp"};
    char libraries[65536];
    libraries_of("godwit", libraries, sizeof libraries);
    for (size_t i = 0; i < GW_COUNT_OF(forbidden); i++) {
        if (strstr(libraries, forbidden[i]) != NULL) {
            print_error("godwit links %s\n", forbidden[i]);
            fail();
        }
    }
}

static void godwit_train_links_xgboost(void **state)
{
    (void)state;
    char libraries[65536];
    libraries_of("godwit-train", libraries, sizeof libraries);
    assert_non_null(strstr(libraries, "libxgboost"));
}

GW_TESTS(godwit_links_neither_xgboost_nor_openmp, godwit_train_links_xgboost)
