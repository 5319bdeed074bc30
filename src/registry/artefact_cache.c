// SPDX-License-Identifier: MIT
#include "registry/artefact_cache.h"

#include "base/clock.h"
#include "base/mem.h"
#include "registry/artefacts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEFTOVER_AGE_S 3600 // a directory under way that nobody has touched for so long is a crash's
#define ENTRIES_MAX    65536

bool gw_artefact_digest_is_valid(const char *digest)
{
    return strnlen(digest, GW_ROUTE_DIGEST_BYTES) == GW_ROUTE_DIGEST_BYTES - 1 &&
           strspn(digest, "0123456789abcdef") == GW_ROUTE_DIGEST_BYTES - 1;
}

static gw_status io_failed(gw_err *err, const char *what, const char *path)
{
    return gw_fail(err, GW_E_IO, "%s '%.150s': %s", what, path, strerror(errno));
}

bool gw_artefact_cache_touch(const char *directory)
{
    struct stat info;
    if (stat(directory, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return false;
    }
    // A cache that cannot be written to is still good to read; then it is trimmed by the time of fetching.
    (void)!utimensat(AT_FDCWD, directory, NULL, 0);
    return true;
}

// <cache>/.<digest>.<pid>.<random>: nobody else's name.
static gw_status name_aside(const char *cache, const char *digest, char ret_path[GW_MODEL_PATH_BYTES], gw_err *err)
{
    char name[GW_ROUTE_DIGEST_BYTES + 48];
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) {
        return io_failed(err, "no random name in", cache);
    }
    snprintf(name, sizeof name, ".%s.%ld.%016" PRIx64, digest, (long)getpid(), random);
    return gw_model_path(cache, name, ret_path, err);
}

gw_status gw_artefact_cache_begin(const char *cache, const char *digest, char ret_aside[GW_MODEL_PATH_BYTES],
                                  gw_err *err)
{
    GW_TRY(name_aside(cache, digest, ret_aside, err));
    if (mkdir(cache, 0755) != 0 && errno != EEXIST) {
        return io_failed(err, "cannot make", cache);
    }
    return mkdir(ret_aside, 0755) == 0 ? GW_OK : io_failed(err, "cannot make", ret_aside);
}

gw_status gw_artefact_cache_publish(const char *cache, const char *digest, const char *aside, gw_err *err)
{
    char path[GW_MODEL_PATH_BYTES];
    GW_TRY(gw_model_path(cache, digest, path, err));
    if (rename(aside, path) == 0) {
        return GW_OK;
    }
    if (errno != EEXIST && errno != ENOTEMPTY) {
        return io_failed(err, "cannot rename to", path);
    }
    gw_artefact_cache_discard(aside);
    return GW_OK;
}

void gw_artefact_cache_discard(const char *directory)
{
    DIR *entries = opendir(directory);
    if (entries == NULL) {
        return;
    }
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            (void)unlinkat(dirfd(entries), entry->d_name, 0);
        }
    }
    closedir(entries);
    (void)rmdir(directory);
}

void gw_artefacts_forget(const char *cache, const char *digest)
{
    char path[GW_MODEL_PATH_BYTES];
    char aside[GW_MODEL_PATH_BYTES];
    // Out of sight first: whoever loads it has all of it or nothing.
    if (gw_artefact_digest_is_valid(digest) && gw_model_path(cache, digest, path, NULL) == GW_OK &&
        name_aside(cache, digest, aside, NULL) == GW_OK && rename(path, aside) == 0) {
        gw_artefact_cache_discard(aside);
    }
}

int gw_artefacts_hold(const char *cache, const char *digest)
{
    char path[GW_MODEL_PATH_BYTES];
    if (!gw_artefact_digest_is_valid(digest) || gw_model_path(cache, digest, path, NULL) != GW_OK) {
        return -1;
    }
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

// No other directory has the number of one that is open, removed or not.
static bool is_held(const char *path, const struct stat *held)
{
    struct stat info;
    return stat(path, &info) == 0 && info.st_dev == held->st_dev && info.st_ino == held->st_ino;
}

void gw_artefacts_forget_held(const char *cache, const char *digest, int held)
{
    char path[GW_MODEL_PATH_BYTES];
    char aside[GW_MODEL_PATH_BYTES];
    struct stat info;
    if (held < 0 || fstat(held, &info) != 0 || !gw_artefact_digest_is_valid(digest) ||
        gw_model_path(cache, digest, path, NULL) != GW_OK || name_aside(cache, digest, aside, NULL) != GW_OK ||
        !is_held(path, &info) || rename(path, aside) != 0) {
        return;
    }
    // Another one that came between the look and the rename goes back.
    if (is_held(aside, &info) || gw_artefact_cache_publish(cache, digest, aside, NULL) != GW_OK) {
        gw_artefact_cache_discard(aside);
    }
}

// ---- trimming -------------------------------------------------------------------------------------------------------

struct entry {
    char digest[GW_ROUTE_DIGEST_BYTES];
    struct timespec used;
};

static int by_use(const void *left, const void *right) // the last used first
{
    const struct entry *a = left;
    const struct entry *b = right;
    if (a->used.tv_sec != b->used.tv_sec) {
        return a->used.tv_sec < b->used.tv_sec ? 1 : -1;
    }
    return (a->used.tv_nsec < b->used.tv_nsec) - (a->used.tv_nsec > b->used.tv_nsec);
}

// A name of ours that begins with a dot.
static bool is_aside(const char *name)
{
    char digest[GW_ROUTE_DIGEST_BYTES];
    if (name[0] != '.' || strlen(name) < sizeof digest + 1 || name[sizeof digest] != '.') {
        return false;
    }
    memcpy(digest, name + 1, sizeof digest - 1);
    digest[sizeof digest - 1] = '\0';
    return gw_artefact_digest_is_valid(digest);
}

static gw_status note_entry(const char *cache, const char *name, const struct stat *info, struct gw_buf *entries,
                            gw_err *err)
{
    char path[GW_MODEL_PATH_BYTES];
    if (is_aside(name)) {
        if (info->st_mtim.tv_sec + LEFTOVER_AGE_S < gw_clock_wall_ms() / 1000) {
            GW_TRY(gw_model_path(cache, name, path, err));
            gw_artefact_cache_discard(path);
        }
        return GW_OK;
    }
    if (!gw_artefact_digest_is_valid(name) || entries->size >= ENTRIES_MAX * sizeof(struct entry)) {
        return GW_OK;
    }
    struct entry entry = {.used = info->st_mtim};
    memcpy(entry.digest, name, sizeof entry.digest);
    return gw_buf_append(entries, &entry, sizeof entry) == GW_OK
               ? GW_OK
               : gw_fail(err, GW_E_MEMORY, "no memory for the list of artefacts");
}

static gw_status list_entries(const char *cache, struct gw_buf *entries, gw_err *err)
{
    gw_status status = GW_OK;
    DIR *directory = opendir(cache);
    if (directory == NULL) {
        return errno == ENOENT ? GW_OK : io_failed(err, "cannot list", cache);
    }
    for (const struct dirent *entry = readdir(directory); entry != NULL && status == GW_OK;
         entry = readdir(directory)) {
        struct stat info;
        if (fstatat(dirfd(directory), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode)) {
            status = note_entry(cache, entry->d_name, &info, entries, err);
        }
    }
    closedir(directory);
    return status;
}

gw_status gw_artefacts_trim(const char *cache, size_t keep, gw_err *err)
{
    struct gw_buf list = {0};
    gw_status status = list_entries(cache, &list, err);
    if (status == GW_OK && list.size > 0) {
        struct entry *entries = (struct entry *)(void *)list.data;
        const size_t count = list.size / sizeof *entries;
        qsort(entries, count, sizeof *entries, by_use);
        for (size_t i = keep; i < count; i++) {
            gw_artefacts_forget(cache, entries[i].digest);
        }
    }
    gw_buf_deinit(&list);
    return status;
}
