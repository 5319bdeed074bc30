// SPDX-License-Identifier: MIT
// Bundles between a directory and the database. Pieces travel as hex text: one parameter or value of 2 MiB at a time.
#include "registry/artefacts.h"

#include "base/ini.h"
#include "base/mem.h"
#include "model/file.h"
#include "model/manifest.h"
#include "model/sha256.h"
#include "registry/artefact_cache.h"
#include "registry/registry_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES       ((size_t)1 << 20)
#define FILES_MAX         (GW_MANIFEST_FILES_MAX + 1) // and bundle.json
#define ARENA_BLOCK_BYTES ((size_t)64 << 10)
#define ARENA_LIMIT_BYTES ((size_t)8 << 20)
#define NUMBER_BYTES      24

static const char hex_digits[] = "0123456789abcdef";

static void close_cleanup(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

static gw_status io_failed(gw_err *err, const char *what, const char *path)
{
    return gw_fail(err, GW_E_IO, "%s '%.150s': %s", what, path, strerror(errno));
}

// ---- storing --------------------------------------------------------------------------------------------------------

struct stored_file {
    const char *name;
    const char *digest;
    uint64_t size;
};

struct storing {
    struct gw_registry *registry;
    const char *directory;
    char digest[GW_SHA256_HEX_BYTES]; // of bundle.json
    struct gw_manifest manifest;
    struct stored_file files[FILES_MAX];
    size_t file_count;
    uint8_t *piece; // PIECE_BYTES
    char *hex;      // room for one piece as a parameter
    gw_err *err;
};

static gw_status read_manifest(struct storing *to, struct gw_arena *arena)
{
    GW_CLEANUP(gw_mem_cleanup) char *text = NULL;
    char path[GW_MODEL_PATH_BYTES];
    size_t size = 0;
    GW_TRY(gw_model_path(to->directory, GW_MANIFEST_FILE, path, to->err));
    GW_TRY(gw_file_read(path, GW_MANIFEST_BYTES_MAX, &text, &size, to->err));
    gw_sha256_hex(text, size, to->digest);
    gw_status status = gw_manifest_parse(gw_slice_make(text, size), arena, &to->manifest, to->err);
    if (status != GW_OK) {
        return gw_fail_context(to->err, status, "bundle '%.100s'", to->directory);
    }
    to->files[to->file_count++] = (struct stored_file){.name = GW_MANIFEST_FILE, .digest = to->digest};
    for (size_t i = 0; i < to->manifest.file_count; i++) {
        to->files[to->file_count++] =
            (struct stored_file){.name = to->manifest.files[i].name, .digest = to->manifest.files[i].sha256};
    }
    return GW_OK;
}

static gw_status measure(struct storing *to)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < to->file_count; i++) {
        char path[GW_MODEL_PATH_BYTES];
        struct stat info;
        GW_TRY(gw_model_path(to->directory, to->files[i].name, path, to->err));
        if (stat(path, &info) != 0) {
            return errno == ENOENT ? gw_fail(to->err, GW_E_NOT_FOUND, "no file '%.200s'", path)
                                   : io_failed(to->err, "cannot stat", path);
        }
        if (!S_ISREG(info.st_mode)) {
            return gw_fail(to->err, GW_E_INVALID, "'%.200s' is no plain file", path);
        }
        to->files[i].size = (uint64_t)info.st_size;
        sum += to->files[i].size;
        if (to->files[i].size > GW_ARTEFACT_BYTES_MAX || sum > GW_ARTEFACT_BYTES_MAX) {
            return gw_fail(to->err, GW_E_TOO_LARGE, "bundle '%.100s' has more than %" PRIu64 " bytes", to->directory,
                           GW_ARTEFACT_BYTES_MAX);
        }
    }
    return GW_OK;
}

// In the order of digests, so that two that store the same files never wait for each other crosswise.
static int by_digest(const void *left, const void *right)
{
    return strcmp(((const struct stored_file *)left)->digest, ((const struct stored_file *)right)->digest);
}

// Makes sure of the blob's row, locks it and makes it young, so that nobody collects it, and takes away pieces that no
// file of this size has.
static gw_status claim_blob(struct storing *to, const struct stored_file *file)
{
    char size[NUMBER_BYTES];
    char pieces[NUMBER_BYTES];
    snprintf(size, sizeof size, "%" PRIu64, file->size);
    snprintf(pieces, sizeof pieces, "%" PRIu64, (file->size + PIECE_BYTES - 1) / PIECE_BYTES);
    const char *const blob[] = {file->digest, size};
    const char *const excess[] = {file->digest, pieces};
    GW_TRY(gw_registry_exec(to->registry,
                            "INSERT INTO registry_blobs (digest, size) VALUES ($1, $2::bigint) "
                            "ON CONFLICT (digest) DO UPDATE SET created_at = now(), size = excluded.size",
                            blob, 2, NULL, to->err));
    return gw_registry_exec(to->registry,
                            "DELETE FROM registry_blob_pieces WHERE digest = $1 AND position >= $2::bigint", excess, 2,
                            NULL, to->err);
}

// Whether the piece is stored, undamaged.
static gw_status find_piece(struct storing *to, const struct stored_file *file, int64_t position, size_t size,
                            bool *ret_found)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    char number[NUMBER_BYTES];
    char digest[GW_SHA256_HEX_BYTES];
    snprintf(number, sizeof number, "%" PRId64, position);
    gw_sha256_hex(to->piece, size, digest);
    const char *const parameters[] = {file->digest, number, digest};
    GW_TRY(gw_registry_exec(to->registry,
                            "SELECT FROM registry_blob_pieces WHERE digest = $1 AND position = $2::integer AND "
                            "sha256(bytes) = decode($3, 'hex')",
                            parameters, 3, &rows, to->err));
    *ret_found = gw_postgres_rows_count(rows) > 0;
    return GW_OK;
}

static gw_status send_piece(struct storing *to, const struct stored_file *file, int64_t position, size_t size)
{
    char number[NUMBER_BYTES];
    snprintf(number, sizeof number, "%" PRId64, position);
    for (size_t i = 0; i < size; i++) {
        to->hex[2 + 2 * i] = hex_digits[to->piece[i] >> 4];
        to->hex[3 + 2 * i] = hex_digits[to->piece[i] & 15];
    }
    to->hex[0] = '\\';
    to->hex[1] = 'x';
    to->hex[2 + 2 * size] = '\0';
    const char *const parameters[] = {file->digest, number, to->hex};
    return gw_registry_exec(to->registry,
                            "INSERT INTO registry_blob_pieces (digest, position, bytes) "
                            "VALUES ($1, $2::integer, $3::bytea) "
                            "ON CONFLICT (digest, position) DO UPDATE SET bytes = excluded.bytes",
                            parameters, 3, NULL, to->err);
}

// Fills the piece as far as the file goes.
static gw_status read_piece(int fd, const char *path, uint8_t *piece, size_t *ret_size, gw_err *err)
{
    size_t size = 0;
    while (size < PIECE_BYTES) {
        ssize_t got = read(fd, piece + size, PIECE_BYTES - size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return io_failed(err, "cannot read", path);
        }
        if (got == 0) {
            break;
        }
        size += (size_t)got;
    }
    *ret_size = size;
    return GW_OK;
}

// Reads the whole file to check its digest, even when nothing of it is sent.
static gw_status send_file(struct storing *to, const struct stored_file *file)
{
    char path[GW_MODEL_PATH_BYTES];
    char digest[GW_SHA256_HEX_BYTES];
    struct gw_sha256 sha;
    uint64_t total = 0;
    size_t size = PIECE_BYTES;
    GW_TRY(gw_model_path(to->directory, file->name, path, to->err));
    GW_CLEANUP(close_cleanup) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return io_failed(to->err, "cannot open", path);
    }
    gw_sha256_init(&sha);
    for (int64_t position = 0; size == PIECE_BYTES; position++) {
        GW_TRY(read_piece(fd, path, to->piece, &size, to->err));
        total += size;
        if (total > file->size) {
            break; // it grew meanwhile
        }
        gw_sha256_update(&sha, to->piece, size);
        bool found = size == 0;
        if (!found) {
            GW_TRY(find_piece(to, file, position, size, &found));
        }
        if (!found) {
            GW_TRY(send_piece(to, file, position, size));
        }
    }
    gw_sha256_finish_hex(&sha, digest);
    if (total != file->size || strcmp(digest, file->digest) != 0) {
        return gw_fail(to->err, GW_E_MISMATCH, "file '%s': its digest is %.12s, bundle.json says %.12s", file->name,
                       digest, file->digest);
    }
    return GW_OK;
}

static gw_status store_in_transaction(struct storing *to)
{
    for (size_t i = 0; i < to->file_count; i++) {
        // Two names of one content are one blob, whole the second time.
        GW_TRY(claim_blob(to, &to->files[i]));
        GW_TRY(send_file(to, &to->files[i]));
    }
    const char *const artefact[] = {to->digest};
    GW_TRY(gw_registry_exec(to->registry,
                            "INSERT INTO registry_artefacts (digest) VALUES ($1) "
                            "ON CONFLICT (digest) DO UPDATE SET created_at = now()",
                            artefact, 1, NULL, to->err));
    for (size_t i = 0; i < to->file_count; i++) {
        const char *const parameters[] = {to->digest, to->files[i].name, to->files[i].digest};
        GW_TRY(gw_registry_exec(to->registry,
                                "INSERT INTO registry_artefact_files (artefact, name, blob) VALUES ($1, $2, $3) "
                                "ON CONFLICT (artefact, name) DO UPDATE SET blob = excluded.blob",
                                parameters, 3, NULL, to->err));
    }
    return gw_postgres_commit(to->registry->postgres, to->err);
}

gw_status gw_artefacts_store(struct gw_registry *registry, const char *directory, char *ret_digest, gw_err *err)
{
    struct storing to = {.registry = registry, .directory = directory, .err = err};
    GW_CLEANUP(gw_mem_cleanup) uint8_t *piece = gw_mem_calloc(PIECE_BYTES, 1);
    GW_CLEANUP(gw_mem_cleanup) char *hex = gw_mem_calloc(2 * PIECE_BYTES + 3, 1);
    if (piece == NULL || hex == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for pieces of an artefact");
    }
    to.piece = piece;
    to.hex = hex;
    struct gw_arena arena;
    gw_arena_init(&arena, ARENA_BLOCK_BYTES, ARENA_LIMIT_BYTES);
    gw_status status = read_manifest(&to, &arena);
    if (status == GW_OK) {
        status = measure(&to);
    }
    if (status == GW_OK) {
        qsort(to.files, to.file_count, sizeof to.files[0], by_digest);
        status = gw_postgres_begin(registry->postgres, err);
    }
    if (status == GW_OK) {
        status = store_in_transaction(&to);
        gw_postgres_rollback(registry->postgres); // after a commit there is nothing to roll back
    }
    gw_arena_deinit(&arena);
    if (status == GW_OK) {
        memcpy(ret_digest, to.digest, sizeof to.digest);
    }
    return status;
}

// ---- fetching -------------------------------------------------------------------------------------------------------

static int nibble(char digit)
{
    const char *found = digit != '\0' ? strchr(hex_digits, digit) : NULL;
    return found != NULL ? (int)(found - hex_digits) : -1;
}

static bool decode_hex(const char *text, size_t size, uint8_t *to)
{
    for (size_t i = 0; i < size; i++) {
        int high = nibble(text[2 * i]);
        int low = nibble(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static gw_status write_all(int fd, const char *path, const uint8_t *data, size_t size, gw_err *err)
{
    for (size_t at = 0; at < size;) {
        ssize_t written = write(fd, data + at, size - at);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return io_failed(err, "cannot write", path);
        }
        at += (size_t)written;
    }
    return GW_OK;
}

struct fetching {
    struct gw_registry *registry;
    const char *artefact;
    const char *directory; // being made
    uint8_t *piece;        // PIECE_BYTES
    gw_err *err;
};

static gw_status damaged(struct fetching *from, const char *name)
{
    return gw_fail(from->err, GW_E_MISMATCH, "artefact %.12s: file '%.64s' is damaged in the database", from->artefact,
                   name);
}

// *ret_size: bytes in from->piece, 0 behind the last one.
static gw_status fetch_piece(struct fetching *from, const char *name, const char *blob, int64_t position,
                             size_t *ret_size)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    char number[NUMBER_BYTES];
    snprintf(number, sizeof number, "%" PRId64, position);
    const char *const parameters[] = {blob, number};
    GW_TRY(gw_registry_exec(from->registry,
                            "SELECT encode(bytes, 'hex') FROM registry_blob_pieces "
                            "WHERE digest = $1 AND position = $2::integer",
                            parameters, 2, &rows, from->err));
    *ret_size = 0;
    if (gw_postgres_rows_count(rows) == 0) {
        return GW_OK;
    }
    const size_t size = gw_postgres_rows_size(rows, 0, 0) / 2;
    if (size > PIECE_BYTES || !decode_hex(gw_postgres_rows_text(rows, 0, 0), size, from->piece)) {
        return damaged(from, name);
    }
    *ret_size = size;
    return GW_OK;
}

static gw_status fetch_file(struct fetching *from, const char *name, const char *blob, uint64_t size)
{
    char path[GW_MODEL_PATH_BYTES];
    char digest[GW_SHA256_HEX_BYTES];
    struct gw_sha256 sha;
    GW_TRY(gw_model_path(from->directory, name, path, from->err));
    GW_CLEANUP(close_cleanup) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) {
        return io_failed(from->err, "cannot create", path);
    }
    gw_sha256_init(&sha);
    uint64_t total = 0;
    for (int64_t position = 0; total < size; position++) {
        size_t got = 0;
        GW_TRY(fetch_piece(from, name, blob, position, &got));
        if (got == 0 || got > size - total) {
            return damaged(from, name);
        }
        gw_sha256_update(&sha, from->piece, got);
        GW_TRY(write_all(fd, path, from->piece, got, from->err));
        total += got;
    }
    gw_sha256_finish_hex(&sha, digest);
    if (strcmp(digest, blob) != 0) {
        return damaged(from, name);
    }
    return GW_OK; // not flushed: see artefacts.h
}

// A plain name, as a manifest has them: nothing that leaves the directory.
static bool is_plain_name(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strlen(name) < GW_MANIFEST_NAME_BYTES && strchr(name, '/') == NULL;
}

static gw_status check_files(struct fetching *from, const struct gw_postgres_rows *rows)
{
    uint64_t sum = 0;
    bool has_manifest = false;
    const size_t count = gw_postgres_rows_count(rows);
    if (count > FILES_MAX) {
        return gw_fail(from->err, GW_E_TOO_LARGE, "artefact %.12s has %zu files, at most %d", from->artefact, count,
                       FILES_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = gw_postgres_rows_text(rows, i, 0);
        int64_t size = 0;
        GW_TRY(gw_postgres_rows_int64(rows, i, 2, &size, from->err));
        if (!is_plain_name(name)) {
            return damaged(from, name);
        }
        if (strcmp(name, GW_MANIFEST_FILE) == 0) {
            has_manifest = strcmp(gw_postgres_rows_text(rows, i, 1), from->artefact) == 0;
        }
        sum += (uint64_t)size;
        if ((uint64_t)size > GW_ARTEFACT_BYTES_MAX || sum > GW_ARTEFACT_BYTES_MAX) {
            return gw_fail(from->err, GW_E_TOO_LARGE, "artefact %.12s has more than %" PRIu64 " bytes", from->artefact,
                           GW_ARTEFACT_BYTES_MAX);
        }
    }
    return has_manifest ? GW_OK : damaged(from, GW_MANIFEST_FILE);
}

static gw_status list_files(struct gw_registry *registry, const char *digest, struct gw_postgres_rows **ret_rows,
                            gw_err *err)
{
    GW_TRY(gw_registry_exec(registry,
                            "SELECT f.name, f.blob, b.size FROM registry_artefact_files f "
                            "JOIN registry_blobs b ON b.digest = f.blob WHERE f.artefact = $1 ORDER BY f.name",
                            &digest, 1, ret_rows, err));
    return gw_postgres_rows_count(*ret_rows) > 0 ? GW_OK : gw_fail(err, GW_E_NOT_FOUND, "no artefact %.64s", digest);
}

static gw_status fill_directory(struct fetching *from, const struct gw_postgres_rows *rows)
{
    GW_TRY(check_files(from, rows));
    for (size_t i = 0; i < gw_postgres_rows_count(rows); i++) {
        int64_t size = 0;
        GW_TRY(gw_postgres_rows_int64(rows, i, 2, &size, from->err));
        GW_TRY(fetch_file(from, gw_postgres_rows_text(rows, i, 0), gw_postgres_rows_text(rows, i, 1), (uint64_t)size));
    }
    return GW_OK;
}

static gw_status fetch(struct gw_registry *registry, const char *cache, const char *digest, gw_err *err)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    GW_CLEANUP(gw_mem_cleanup) uint8_t *piece = gw_mem_calloc(PIECE_BYTES, 1);
    char aside[GW_MODEL_PATH_BYTES];
    if (piece == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a piece of an artefact");
    }
    GW_TRY(list_files(registry, digest, &rows, err));
    GW_TRY(gw_artefact_cache_begin(cache, digest, aside, err));
    struct fetching from = {.registry = registry, .artefact = digest, .directory = aside, .piece = piece, .err = err};
    gw_status status = fill_directory(&from, rows);
    if (status == GW_OK) {
        status = gw_artefact_cache_publish(cache, digest, aside, err);
    }
    if (status != GW_OK) {
        gw_artefact_cache_discard(aside);
    }
    return status;
}

gw_status gw_artefacts_fetch(struct gw_registry *registry, const char *cache, const char *digest, char *ret_directory,
                             size_t path_bytes, gw_err *err)
{
    char path[GW_MODEL_PATH_BYTES];
    if (!gw_artefact_digest_is_valid(digest)) {
        return gw_fail(err, GW_E_INVALID, "'%.70s' is no digest", digest);
    }
    GW_TRY(gw_model_path(cache, digest, path, err));
    if (ret_directory != NULL && strlen(path) >= path_bytes) {
        return gw_fail(err, GW_E_TOO_LARGE, "path '%.100s' has more than %zu bytes", path, path_bytes);
    }
    if (!gw_artefact_cache_touch(path)) {
        GW_TRY(fetch(registry, cache, digest, err));
    }
    if (ret_directory != NULL) {
        memcpy(ret_directory, path, strlen(path) + 1);
    }
    return GW_OK;
}

// ---- collecting -----------------------------------------------------------------------------------------------------

#define OLD(alias) alias ".created_at <= now() - make_interval(secs => $1::double precision)"

// No version names it. (Archived versions have none.)
#define UNUSED_ARTEFACT OLD("a") " AND NOT EXISTS (SELECT FROM registry_versions v WHERE v.artefact = a.digest)"

// No bundle uses it, but those that are garbage themselves: so a dry run sees what a real one would.
#define UNUSED_BLOB                                                                                                    \
    OLD("b")                                                                                                           \
    " AND NOT EXISTS (SELECT FROM registry_artefact_files f JOIN registry_artefacts a "                                \
    "ON a.digest = f.artefact WHERE f.blob = b.digest AND NOT (" UNUSED_ARTEFACT "))"

struct collecting {
    struct gw_registry *registry;
    char age[NUMBER_BYTES];
    bool dry_run;
    gw_artefact_sink each;
    void *context;
    uint64_t bytes;
    gw_err *err;
};

// One statement for each, so that neither the time of a statement nor a lock bounds how much is collected. It asks
// again whether the row is garbage: a registration may have made it young meanwhile.
static gw_status collect_one(struct collecting *to, const char *digest, const char *size, bool blob)
{
    struct gw_artefact_garbage garbage = {.blob = blob};
    GW_TRY(gw_parse_i64(size, &garbage.bytes, to->err));
    snprintf(garbage.digest, sizeof garbage.digest, "%s", digest);
    if (!to->dry_run) {
        GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
        const char *const parameters[] = {to->age, digest};
        gw_status status =
            gw_registry_exec(to->registry,
                             blob ? "DELETE FROM registry_blobs b WHERE b.digest = $2 AND " UNUSED_BLOB
                                  : "DELETE FROM registry_artefacts a WHERE a.digest = $2 AND " UNUSED_ARTEFACT,
                             parameters, 2, &rows, to->err);
        if (status == GW_E_CONFLICT) {
            return GW_OK; // somebody began to use it at this moment
        }
        GW_TRY(status);
        if (gw_postgres_rows_affected(rows) == 0) {
            return GW_OK;
        }
    }
    to->bytes += blob ? (uint64_t)garbage.bytes : 0;
    if (to->each != NULL) {
        to->each(to->context, &garbage);
    }
    return GW_OK;
}

static gw_status collect_kind(struct collecting *to, bool blob)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    const char *const parameters[] = {to->age};
    GW_TRY(gw_registry_exec(to->registry,
                            blob ? "SELECT b.digest, b.size FROM registry_blobs b WHERE " UNUSED_BLOB " ORDER BY 1"
                                 : "SELECT a.digest, (SELECT coalesce(sum(b.size), 0) FROM registry_artefact_files f "
                                   "JOIN registry_blobs b ON b.digest = f.blob WHERE f.artefact = a.digest) "
                                   "FROM registry_artefacts a WHERE " UNUSED_ARTEFACT " ORDER BY 1",
                            parameters, 1, &rows, to->err));
    for (size_t i = 0; i < gw_postgres_rows_count(rows); i++) {
        GW_TRY(collect_one(to, gw_postgres_rows_text(rows, i, 0), gw_postgres_rows_text(rows, i, 1), blob));
    }
    return GW_OK;
}

gw_status gw_artefacts_collect(struct gw_registry *registry, uint32_t age_s, bool dry_run, gw_artefact_sink each,
                               void *context, uint64_t *ret_bytes, gw_err *err)
{
    struct collecting to = {.registry = registry, .dry_run = dry_run, .each = each, .context = context, .err = err};
    snprintf(to.age, sizeof to.age, "%u", age_s);
    GW_TRY(collect_kind(&to, false));
    GW_TRY(collect_kind(&to, true));
    *ret_bytes = to.bytes;
    return GW_OK;
}
