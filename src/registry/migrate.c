// SPDX-License-Identifier: MIT
// Each migration is a transaction that takes the lock, looks at what the table says, applies the next file and writes
// its row. The lock goes with the transaction, so that one who dies does not keep it, and each looks anew, so that two
// at once share the work.
#include "registry/migrate.h"

#include "base/ini.h"
#include "base/mem.h"
#include "model/sha256.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 64, FILES_MAX = 999, FILE_BYTES_MAX = 1 << 20 };

struct file {
    int number;
    char name[NAME_BYTES]; // between the number and ".sql"
    char digest[GW_SHA256_HEX_BYTES];
    char *sql;
};

struct files {
    struct file *items;
    size_t count;
};

static void free_files(struct files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        gw_mem_free(files->items[i].sql);
    }
    gw_mem_free(files->items);
}

static void close_directory(DIR **directory)
{
    if (*directory != NULL) {
        closedir(*directory);
    }
}

static void free_rows(struct gw_postgres_rows **rows)
{
    gw_postgres_rows_free(*rows);
}

// ---- files

// Takes "001_registry.sql" apart.
static gw_status parse_name(const char *base, struct file *file, gw_err *err)
{
    size_t digits = strspn(base, "0123456789");
    size_t stem = strlen(base) - strlen(".sql");
    size_t name = digits + 1;
    if (digits != 3 || base[digits] != '_' || name >= stem || stem - name >= sizeof file->name ||
        strspn(base + name, "abcdefghijklmnopqrstuvwxyz0123456789_") != stem - name) {
        return gw_fail(err, GW_E_INVALID,
                       "migration '%.64s': its name must be three digits, '_', lower-case words, '.sql'", base);
    }
    file->number = atoi(base);
    snprintf(file->name, sizeof file->name, "%.*s", (int)(stem - name), base + name);
    return GW_OK;
}

static gw_status add_file(struct files *files, const char *directory, const char *base, gw_err *err)
{
    if (files->count == FILES_MAX) {
        return gw_fail(err, GW_E_TOO_LARGE, "migrations '%s': more than %d files", directory, FILES_MAX);
    }
    struct file *items = gw_mem_realloc(files->items, files->count + 1, sizeof *items);
    if (items == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for migrations");
    }
    files->items = items;
    struct file *file = &items[files->count];
    *file = (struct file){0};
    GW_TRY(parse_name(base, file, err));
    char path[4096];
    size_t size = 0;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", directory, base) >= sizeof path) {
        return gw_fail(err, GW_E_INVALID, "migrations '%.64s...': path too long", directory);
    }
    GW_TRY(gw_file_read(path, FILE_BYTES_MAX, &file->sql, &size, err));
    files->count++; // from here on free_files has it
    if (strlen(file->sql) != size) {
        return gw_fail(err, GW_E_INVALID, "migration '%s': has a NUL byte", base);
    }
    gw_sha256_hex(file->sql, size, file->digest);
    return GW_OK;
}

static int compare_numbers(const void *left, const void *right)
{
    return ((const struct file *)left)->number - ((const struct file *)right)->number;
}

static gw_status check_numbers(const struct files *files, const char *directory, gw_err *err)
{
    if (files->count == 0) {
        return gw_fail(err, GW_E_INVALID, "migrations '%s': no file '001_<name>.sql'", directory);
    }
    for (size_t i = 0; i < files->count; i++) {
        if (files->items[i].number < (int)i + 1) {
            return gw_fail(err, GW_E_INVALID, "migrations '%s': number %03d twice or zero", directory,
                           files->items[i].number);
        }
        if (files->items[i].number > (int)i + 1) {
            return gw_fail(err, GW_E_INVALID, "migrations '%s': number %03d is missing before '%03d_%s.sql'", directory,
                           (int)i + 1, files->items[i].number, files->items[i].name);
        }
    }
    return GW_OK;
}

static gw_status read_files(const char *directory, struct files *files, gw_err *err)
{
    GW_CLEANUP(close_directory) DIR *open = opendir(directory);
    if (open == NULL) {
        return gw_fail(err, errno == ENOENT ? GW_E_NOT_FOUND : GW_E_IO, "migrations '%s': %s", directory,
                       strerror(errno));
    }
    for (const struct dirent *entry; (errno = 0, entry = readdir(open)) != NULL;) {
        const char *end = strrchr(entry->d_name, '.');
        if (entry->d_name[0] != '.' && end != NULL && strcmp(end, ".sql") == 0) {
            GW_TRY(add_file(files, directory, entry->d_name, err));
        }
    }
    if (errno != 0) {
        return gw_fail(err, GW_E_IO, "migrations '%s': %s", directory, strerror(errno));
    }
    if (files->count > 1) {
        qsort(files->items, files->count, sizeof *files->items, compare_numbers);
    }
    return check_numbers(files, directory, err);
}

// ---- database

// Takes the lock and counts the migrations that the database has; they must be the first of these files.
static gw_status look(struct gw_postgres *postgres, const struct files *files, size_t *ret_applied, gw_err *err)
{
    GW_CLEANUP(free_rows) struct gw_postgres_rows *rows = NULL;
    // Any number will do that nobody else in the database takes: "godwit" in ASCII.
    GW_TRY(gw_postgres_exec(postgres, "SELECT pg_advisory_xact_lock(113728124578164)", NULL, 0, NULL, err));
    GW_TRY(gw_postgres_exec(postgres,
                            "CREATE TABLE IF NOT EXISTS godwit_migrations (number integer PRIMARY KEY, name text NOT "
                            "NULL, digest text NOT NULL, at timestamptz NOT NULL DEFAULT now())",
                            NULL, 0, NULL, err));
    GW_TRY(gw_postgres_exec(postgres, "SELECT number, name, digest FROM godwit_migrations ORDER BY number", NULL, 0,
                            &rows, err));
    size_t count = gw_postgres_rows_count(rows);
    for (size_t i = 0; i < count; i++) {
        int64_t number = 0;
        const char *name = gw_postgres_rows_text(rows, i, 1);
        GW_TRY(gw_postgres_rows_int64(rows, i, 0, &number, err));
        if (i >= files->count || number != files->items[i].number) {
            return gw_fail(err, GW_E_MISMATCH,
                           "the database has migration %03lld '%s', which this build lacks: it is newer",
                           (long long)number, name);
        }
        if (strcmp(gw_postgres_rows_text(rows, i, 2), files->items[i].digest) != 0) {
            return gw_fail(err, GW_E_MISMATCH, "migration %03lld '%s' has changed since it was applied",
                           (long long)number, name);
        }
    }
    *ret_applied = count;
    return GW_OK;
}

static gw_status apply(struct gw_postgres *postgres, const struct file *file, gw_err *err)
{
    char number[16];
    snprintf(number, sizeof number, "%d", file->number);
    const char *const parameters[] = {number, file->name, file->digest};
    gw_status status = gw_postgres_script(postgres, file->sql, err);
    if (status == GW_OK) {
        status = gw_postgres_exec(
            postgres, "INSERT INTO godwit_migrations (number, name, digest) VALUES ($1::integer, $2::text, $3::text)",
            parameters, 3, NULL, err);
    }
    return status == GW_OK ? GW_OK : gw_fail_context(err, status, "migration %03d '%s'", file->number, file->name);
}

// One transaction: applies the file behind those that are there. ret_applied counts what was there before.
static gw_status step(struct gw_postgres *postgres, const struct files *files, size_t *ret_applied, gw_err *err)
{
    size_t applied = 0;
    GW_TRY(gw_postgres_begin(postgres, err));
    gw_status status = look(postgres, files, &applied, err);
    if (status == GW_OK && applied < files->count) {
        status = apply(postgres, &files->items[applied], err);
    }
    if (status == GW_OK) {
        status = gw_postgres_commit(postgres, err);
    }
    if (status != GW_OK) {
        gw_postgres_rollback(postgres);
        return status;
    }
    *ret_applied = applied;
    return GW_OK;
}

gw_status gw_registry_migrate(struct gw_postgres *postgres, const char *directory, gw_migration_sink each,
                              void *context, gw_err *err)
{
    GW_CLEANUP(free_files) struct files files = {0};
    GW_TRY(read_files(directory, &files, err));
    for (size_t done = 0; done < files.count;) {
        size_t there = 0;
        GW_TRY(step(postgres, &files, &there, err));
        size_t now = GW_MIN(there + 1, files.count);
        for (; done < now; done++) {
            const struct gw_migration_note note = {
                .number = files.items[done].number, .name = files.items[done].name, .applied_now = done >= there};
            if (each != NULL) {
                each(context, &note);
            }
        }
    }
    return GW_OK;
}
