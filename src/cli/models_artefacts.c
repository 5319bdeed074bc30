// SPDX-License-Identifier: MIT
// `models export` and `models gc`: bundles out of the database, and garbage out of it.
#include "cli/commands.h"

#include "cli/models.h"
#include "cli/table.h"
#include "registry/artefacts.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct gw_cli_option gw_cli_models_export_options[] = {
    {"--out", "DIR", "made here; must not exist", true},
    {NULL, NULL, NULL, false},
};
const struct gw_cli_option gw_cli_models_gc_options[] = {
    {"--dry-run", NULL, "only say what would be removed", false},
    {"--older-than", "DURATION", "leave younger ones: a registration may be under way; default 1h", false},
    {NULL, NULL, NULL, false},
};

// ---- export ---------------------------------------------------------------------------------------------------------

// Fetched aside and renamed: the directory is there whole or not at all.
static gw_status fetch(struct gw_registry *registry, const char *digest, const char *out, gw_err *err)
{
    char aside[PATH_MAX];
    char made[PATH_MAX];
    int length = snprintf(aside, sizeof aside, "%s.XXXXXX", out);
    if (length < 0 || (size_t)length >= sizeof aside) {
        return gw_fail(err, GW_E_CONFIG, "--out is too long");
    }
    if (mkdtemp(aside) == NULL) {
        return gw_fail(err, GW_E_IO, "'%s': %s", aside, strerror(errno));
    }
    gw_status status = gw_artefacts_fetch(registry, aside, digest, made, sizeof made, err);
    if (status == GW_OK && rename(made, out) != 0) {
        status = gw_fail(err, GW_E_IO, "'%s': %s", out, strerror(errno));
        gw_artefacts_forget(aside, digest);
    }
    rmdir(aside);
    return status;
}

static gw_status export_version(const struct gw_cli *cli, struct gw_cli_registry *registry, const char *model,
                                int32_t number, gw_err *err)
{
    const char *out = gw_cli_value(cli, "--out");
    struct gw_registry_version version;
    struct stat info;
    if (lstat(out, &info) == 0) {
        return gw_fail(err, GW_E_CONFLICT, "'%s' exists", out);
    }
    GW_TRY(gw_registry_get_version(registry->handle, model, number, &registry->arena, &version, err));
    GW_TRY(fetch(registry->handle, version.digest, out, err));
    if (!cli->json) {
        printf("%s version %d is in '%s'; next: 'godwit models inspect %s'\n", model, version.version, out, out);
        return GW_OK;
    }
    struct gw_buf text = {0};
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, &text);
    gw_json_object_begin(&writer);
    gw_json_write_key(&writer, "model");
    gw_json_write_text(&writer, model);
    gw_json_write_key(&writer, "version");
    gw_json_write_i64(&writer, version.version);
    gw_json_write_key(&writer, "digest");
    gw_json_write_text(&writer, version.digest);
    gw_json_write_key(&writer, "directory");
    gw_json_write_text(&writer, out);
    gw_json_object_end(&writer);
    gw_status status = gw_cli_print_json(&writer, err);
    gw_buf_deinit(&text);
    return status;
}

gw_status gw_cli_models_export(struct gw_cli *cli, gw_err *err)
{
    struct gw_cli_registry registry = {0};
    const char *model = NULL;
    int32_t version = 0;
    GW_TRY(gw_cli_take_model(cli, &model, err));
    GW_TRY(gw_cli_parse_version(cli->arguments[1], &version, err));
    GW_TRY(gw_cli_registry_open(cli, &registry, err));
    gw_status status = export_version(cli, &registry, model, version, err);
    gw_cli_registry_close(&registry);
    return status;
}

// ---- gc -------------------------------------------------------------------------------------------------------------

static void add_garbage(void *context, const struct gw_artefact_garbage *garbage)
{
    struct gw_table *table = context;
    gw_table_text(table, garbage->digest);
    gw_table_text(table, garbage->blob ? "file" : "bundle");
    gw_table_i64(table, garbage->bytes);
}

gw_status gw_cli_models_gc(struct gw_cli *cli, gw_err *err)
{
    static const char *const columns[] = {"digest", "what", "bytes"};
    static const int64_t hour_us = INT64_C(3600000000);
    struct gw_cli_registry registry = {0};
    struct gw_table table;
    bool dry_run = gw_cli_value(cli, "--dry-run") != NULL;
    int64_t age_us = 0;
    uint64_t bytes = 0;
    GW_TRY(gw_cli_duration(cli, "--older-than", hour_us, &age_us, err));
    GW_TRY(gw_cli_registry_open(cli, &registry, err));
    gw_table_init(&table, columns, GW_COUNT_OF(columns));
    uint32_t age_s = (uint32_t)GW_MIN(age_us / 1000000, (int64_t)UINT32_MAX);
    gw_status status = gw_artefacts_collect(registry.handle, age_s, dry_run, add_garbage, &table, &bytes, err);
    if (status == GW_OK && (cli->json || gw_table_row_count(&table) > 0)) {
        status = gw_table_show(&table, cli->json, err);
    }
    if (status == GW_OK && !cli->json) {
        printf("%llu bytes %s\n", (unsigned long long)bytes, dry_run ? "would be freed" : "freed");
    }
    gw_table_deinit(&table);
    gw_cli_registry_close(&registry);
    return status;
}
