// SPDX-License-Identifier: MIT
// `models compare`: the registry's comparison, for people as one table of what both versions say.
#include "cli/commands.h"

#include "base/mem.h"
#include "cli/facts.h"
#include "cli/models.h"
#include "cli/table.h"
#include "registry/documents.h"

#include <string.h>

enum { ROWS_MAX = 4096, NAME_BYTES = 512 };

struct row {
    const char *name;
    const char *left;
    const char *right;
};

struct comparison {
    struct gw_arena *arena; // of all texts
    struct row *rows;       // ROWS_MAX
    size_t count;
    char name[NAME_BYTES]; // of the head or metric whose sides follow
};

static const char *keep(struct comparison *comparison, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = gw_arena_alloc(comparison->arena, size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

// Sets one side of the row of this name, which is made when it is new.
static gw_status put(struct comparison *comparison, const char *name, bool left, const char *value, gw_err *err)
{
    size_t i = 0;
    while (i < comparison->count && strcmp(comparison->rows[i].name, name) != 0) {
        i++;
    }
    if (i == ROWS_MAX) {
        return gw_fail(err, GW_E_TOO_LARGE, "more than %d rows to compare; --json shows them", ROWS_MAX);
    }
    struct row *row = &comparison->rows[i];
    const char *kept = keep(comparison, value);
    if (i == comparison->count) {
        *row = (struct row){.name = keep(comparison, name)};
        comparison->count += row->name != NULL;
    }
    if (kept == NULL || row->name == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a comparison");
    }
    *(left ? &row->left : &row->right) = kept;
    return GW_OK;
}

// "metrics.3.left" and "heads.0.right.weight": the side behind the index, and what comes behind it.
static gw_status put_listed(struct comparison *comparison, const char *kind, const char *rest, const char *value,
                            gw_err *err)
{
    const char *side = strchr(rest, '.');
    if (side == NULL) {
        return GW_OK;
    }
    side++;
    bool left = strncmp(side, "left", 4) == 0;
    if (strcmp(side, "name") == 0) {
        snprintf(comparison->name, sizeof comparison->name, "%s %.400s", kind, value);
        return GW_OK;
    }
    if (!left && strncmp(side, "right", 5) != 0) {
        return GW_OK; // the difference: it is in the eye
    }
    char name[NAME_BYTES + 64];
    const char *detail = strchr(side, '.');
    snprintf(name, sizeof name, "%s%s%.60s", comparison->name, detail != NULL ? " " : "",
             detail != NULL ? detail + 1 : "");
    return put(comparison, name, left, value, err);
}

// The document's leaves become rows.
static gw_status visit(void *context, const char *path, const char *value, gw_err *err)
{
    struct comparison *comparison = context;
    if (strncmp(path, "left.", 5) == 0) {
        return put(comparison, path + 5, true, value, err);
    }
    if (strncmp(path, "right.", 6) == 0) {
        return put(comparison, path + 6, false, value, err);
    }
    if (strncmp(path, "heads.", 6) == 0) {
        return put_listed(comparison, "head", path + 6, value, err);
    }
    if (strncmp(path, "metrics.", 8) == 0) {
        return put_listed(comparison, "metric", path + 8, value, err);
    }
    bool removed = strncmp(path, "features.removed.", 17) == 0;
    if (removed || strncmp(path, "features.added.", 15) == 0) {
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "feature %.400s", value);
        return put(comparison, name, removed, "yes", err);
    }
    return GW_OK;
}

static gw_status print_text(struct gw_cli_registry *registry, const struct gw_cli *cli, struct gw_slice document,
                            gw_err *err)
{
    const char *const columns[] = {"", cli->arguments[1], cli->arguments[2]};
    struct comparison comparison = {.arena = &registry->arena};
    struct gw_table table;
    comparison.rows = gw_mem_calloc(ROWS_MAX, sizeof *comparison.rows);
    if (comparison.rows == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a comparison");
    }
    gw_table_init(&table, columns, GW_COUNT_OF(columns));
    gw_status status = gw_facts_walk(document, visit, &comparison, err);
    for (size_t i = 0; status == GW_OK && i < comparison.count; i++) {
        gw_table_text(&table, comparison.rows[i].name);
        gw_table_text(&table, comparison.rows[i].left);
        gw_table_text(&table, comparison.rows[i].right);
    }
    if (status == GW_OK) {
        status = gw_table_print(&table, stdout, err);
    }
    gw_table_deinit(&table);
    gw_mem_free(comparison.rows);
    return status;
}

static gw_status compare(const struct gw_cli *cli, struct gw_cli_registry *registry, const char *model,
                         const int32_t versions[2], struct gw_buf *out, gw_err *err)
{
    struct gw_registry_version sides[2];
    struct gw_json_writer writer;
    for (size_t i = 0; i < 2; i++) {
        GW_TRY(gw_registry_get_version(registry->handle, model, versions[i], &registry->arena, &sides[i], err));
    }
    gw_json_writer_init(&writer, out);
    GW_TRY(gw_registry_write_comparison(&writer, &sides[0], &sides[1], err));
    if (cli->json) {
        return gw_cli_print_json(&writer, err);
    }
    GW_TRY(gw_json_writer_finish(&writer, err));
    return print_text(registry, cli, gw_buf_slice(out), err);
}

gw_status gw_cli_models_compare(struct gw_cli *cli, gw_err *err)
{
    struct gw_cli_registry registry = {0};
    struct gw_buf out = {0};
    const char *model = NULL;
    int32_t versions[2];
    GW_TRY(gw_cli_take_model(cli, &model, err));
    GW_TRY(gw_cli_parse_version(cli->arguments[1], &versions[0], err));
    GW_TRY(gw_cli_parse_version(cli->arguments[2], &versions[1], err));
    GW_TRY(gw_cli_registry_open(cli, &registry, err));
    gw_status status = compare(cli, &registry, model, versions, &out, err);
    gw_buf_deinit(&out);
    gw_cli_registry_close(&registry);
    return status;
}
