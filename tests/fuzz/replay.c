// SPDX-License-Identifier: MIT
// main for a fuzz target without a fuzzer: runs it over each file, or each file in each folder, that is named. A bad
// input is a crash or a sanitizer report, so whoever gets to the end has passed: "N passed, 0 failed".
#include "base/ini.h"
#include "base/mem.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_BYTES_MAX (64u * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct totals {
    unsigned passed;
    unsigned failed; // files that cannot be read
};

static void replay_file(const char *path, struct totals *totals)
{
    char *text = NULL;
    size_t size = 0;
    gw_err err = {0};
    if (gw_file_read(path, INPUT_BYTES_MAX, &text, &size, &err) != GW_OK) {
        fprintf(stderr, "%s\n", err.message);
        totals->failed++;
        return;
    }
    // An exact copy, so that the sanitizer sees a read past the end.
    uint8_t *input = malloc(size > 0 ? size : 1);
    if (input == NULL) {
        fprintf(stderr, "%s: no memory\n", path);
        totals->failed++;
    } else {
        memcpy(input, text, size);
        LLVMFuzzerTestOneInput(input, size);
        totals->passed++;
    }
    free(input);
    gw_mem_free(text);
}

static void replay_folder(const char *path, struct totals *totals)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) {
        perror(path);
        totals->failed++;
        return;
    }
    for (int i = 0; i < count; i++) {
        char file[PATH_MAX];
        struct stat info;
        int length = snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        if (length > 0 && (size_t)length < sizeof file && stat(file, &info) == 0 && S_ISREG(info.st_mode)) {
            replay_file(file, totals);
        }
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    struct totals totals = {0};
    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode)) {
            replay_folder(argv[i], &totals);
        } else {
            replay_file(argv[i], &totals);
        }
    }
    printf("%u passed, %u failed\n", totals.passed, totals.failed);
    return totals.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
