// SPDX-License-Identifier: MIT
#include "admin/schemas_cache.h"

#include "base/hash.h"
#include "base/ini.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_BYTES_MAX (1u << 20)
#define PATH_BYTES     4096

// Makes every directory of the path.
static gw_status make_directories(char *path, gw_err *err)
{
    for (char *at = path + 1;; at++) {
        if (*at != '/' && *at != '\0') {
            continue;
        }
        char kept = *at;
        *at = '\0';
        bool failed = mkdir(path, 0700) != 0 && errno != EEXIST;
        if (failed) {
            return gw_fail(err, GW_E_IO, "schema cache '%s': %s", path, strerror(errno));
        }
        *at = kept;
        if (kept == '\0') {
            return GW_OK;
        }
    }
}

gw_status gw_schemas_cache_init(struct gw_schemas_cache *cache, const char *directory, const char *urls, gw_err *err)
{
    *cache = (struct gw_schemas_cache){0};
    if (directory == NULL || directory[0] == '\0') {
        return GW_OK;
    }
    // Ids mean nothing in another registry: each has a folder of its own.
    char path[PATH_BYTES];
    int length =
        snprintf(path, sizeof path, "%s/%016" PRIx64, directory, gw_hash_fnv1a(GW_HASH_FNV_START, urls, strlen(urls)));
    if (length < 0 || (size_t)length >= sizeof path) {
        return gw_fail(err, GW_E_CONFIG, "schema cache: the path is too long");
    }
    GW_TRY(make_directories(path, err));
    cache->directory = gw_mem_strdup(path);
    return cache->directory != NULL ? GW_OK : gw_fail(err, GW_E_MEMORY, "schema cache: out of memory");
}

void gw_schemas_cache_deinit(struct gw_schemas_cache *cache)
{
    gw_mem_free(cache->directory);
    cache->directory = NULL;
}

static bool write_all(int file, struct gw_slice bytes)
{
    while (bytes.size > 0) {
        ssize_t written = write(file, bytes.data, bytes.size);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            bytes = gw_slice_make(bytes.data + written, bytes.size - (size_t)written);
        }
    }
    return true;
}

// All or nothing: written aside, then renamed. A cache that cannot be written is a warning, not a failure.
static void put_file(const struct gw_schemas_cache *cache, const char *name, struct gw_slice bytes)
{
    char path[PATH_BYTES];
    char aside[PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s/%s", cache->directory, name);
    int aside_length = snprintf(aside, sizeof aside, "%s/%s.%d", cache->directory, name, (int)getpid());
    if (length < 0 || (size_t)length >= sizeof path || aside_length < 0 || (size_t)aside_length >= sizeof aside) {
        return;
    }
    int file = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool written = file >= 0 && write_all(file, bytes);
    written = file >= 0 && close(file) == 0 && written;
    if (!written || rename(aside, path) != 0) {
        gw_log_warn("schemas.cache_unwritable", "file='%s' reason='%s' skipped='start without the registry'", path,
                    strerror(errno));
        unlink(aside);
    }
}

static bool get_file(const struct gw_schemas_cache *cache, const char *name, char **ret_text, size_t *ret_size)
{
    char path[PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s/%s", cache->directory, name);
    return length > 0 && (size_t)length < sizeof path &&
           gw_file_read(path, TEXT_BYTES_MAX, ret_text, ret_size, NULL) == GW_OK;
}

bool gw_schemas_cache_text(const struct gw_schemas_cache *cache, uint32_t id, struct gw_buf *out)
{
    char name[32];
    char *text = NULL;
    size_t size = 0;
    snprintf(name, sizeof name, "%u.avsc", id);
    if (cache->directory == NULL || !get_file(cache, name, &text, &size)) {
        return false;
    }
    gw_buf_clear(out);
    bool kept = size > 0 && gw_buf_append(out, text, size) == GW_OK;
    gw_mem_free(text);
    return kept;
}

void gw_schemas_cache_put_text(const struct gw_schemas_cache *cache, uint32_t id, struct gw_slice text)
{
    char name[32];
    snprintf(name, sizeof name, "%u.avsc", id);
    if (cache->directory != NULL) {
        put_file(cache, name, text);
    }
}

// Subjects are topic names with a suffix: letters, digits, '.', '_' and '-'. Others are not kept.
static bool subject_file(const char *subject, char *name, size_t size)
{
    size_t plain = strspn(subject, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    int length = snprintf(name, size, "%s.ids", subject);
    return subject[plain] == '\0' && subject[0] != '.' && length > 0 && (size_t)length < size;
}

// Reads the next number of a line of text; false at the end or on anything else.
static bool next_number(const char **at, int base, uint64_t *ret_value)
{
    char *end = NULL;
    errno = 0;
    uint64_t value = strtoull(*at, &end, base);
    if (end == *at || errno != 0) {
        return false;
    }
    *at = end;
    *ret_value = value;
    return true;
}

bool gw_schemas_cache_subject(const struct gw_schemas_cache *cache, const char *subject, uint64_t own_hash,
                              uint32_t *ret_own_id, uint32_t *ids, size_t capacity, size_t *ret_count)
{
    char name[300];
    char *text = NULL;
    size_t size = 0;
    if (cache->directory == NULL || !subject_file(subject, name, sizeof name) || !get_file(cache, name, &text, &size)) {
        return false;
    }
    // "hash own_id id id ..."
    const char *at = text;
    uint64_t hash = 0;
    uint64_t value = 0;
    bool good = next_number(&at, 16, &hash) && hash == own_hash && next_number(&at, 10, &value) && value <= UINT32_MAX;
    uint32_t own_id = (uint32_t)value;
    size_t count = 0;
    while (good && count < capacity && next_number(&at, 10, &value)) {
        ids[count++] = (uint32_t)value;
    }
    gw_mem_free(text);
    if (good) {
        *ret_own_id = own_id;
        *ret_count = count;
    }
    return good;
}

void gw_schemas_cache_put_subject(const struct gw_schemas_cache *cache, const char *subject, uint64_t own_hash,
                                  uint32_t own_id, const uint32_t *ids, size_t count)
{
    char name[300];
    struct gw_buf text = {0};
    if (cache->directory == NULL || !subject_file(subject, name, sizeof name)) {
        return;
    }
    gw_status status = gw_buf_append_format(&text, "%" PRIx64 " %u", own_hash, own_id);
    for (size_t i = 0; status == GW_OK && i < count; i++) {
        status = gw_buf_append_format(&text, " %u", ids[i]);
    }
    if (status == GW_OK && gw_buf_append(&text, "\n", 1) == GW_OK) {
        put_file(cache, name, gw_buf_slice(&text));
    }
    gw_buf_deinit(&text);
}
