// SPDX-License-Identifier: MIT
// `models list` and `models show`.
#include "cli/commands.h"

#include "cli/facts.h"
#include "cli/models.h"
#include "cli/table.h"
#include "registry/documents.h"

#include <string.h>

enum { PAGE_VERSIONS = 200, DIGEST_SHOWN = 12 };

// ---- list -----------------------------------------------------------------------------------------------------------

static gw_status list_models(const struct gw_cli *cli, struct gw_cli_registry *registry, struct gw_json_writer *writer,
                             struct gw_table *table, gw_err *err)
{
    const struct gw_registry_model *models = NULL;
    size_t count = 0;
    GW_TRY(gw_registry_list_models(registry->handle, &registry->arena, &models, &count, err));
    for (size_t i = 0; i < count; i++) {
        char created[GW_CLI_TIME_BYTES];
        gw_registry_write_model(writer, &models[i]);
        gw_cli_format_time(models[i].created_ms, created);
        gw_table_text(table, models[i].name);
        if (models[i].champion > 0) {
            gw_table_i64(table, models[i].champion);
        } else {
            gw_table_text(table, NULL);
        }
        gw_table_i64(table, models[i].last_version);
        gw_table_i64(table, models[i].revision);
        gw_table_text(table, created);
        gw_table_text(table, models[i].description);
    }
    if (count == 0 && !cli->json) {
        fputs("no model yet; next: 'godwit models create NAME'\n", stderr);
    }
    return GW_OK;
}

static void add_version(struct gw_table *table, const struct gw_registry_version *version)
{
    char share[GW_CLI_SHARE_BYTES];
    char created[GW_CLI_TIME_BYTES];
    gw_cli_format_share(version->weight, share);
    gw_cli_format_time(version->created_ms, created);
    gw_table_i64(table, version->version);
    gw_table_text(table, version->archived ? "archived" : gw_rollout_state_name(version->state));
    gw_table_text(table, version->weight > 0 ? share : NULL);
    gw_table_text(table, version->variant[0] != '\0' ? version->variant : NULL);
    gw_table_format(table, "%.*s", DIGEST_SHOWN, version->digest);
    gw_table_text(table, created);
    gw_table_text(table, version->created_by);
    gw_table_text(table, version->rejected_because[0] != '\0' ? version->rejected_because : version->description);
}

static gw_status list_versions(struct gw_cli_registry *registry, const char *model, struct gw_json_writer *writer,
                               struct gw_table *table, gw_err *err)
{
    int32_t before = 0;
    for (size_t count = PAGE_VERSIONS; count == PAGE_VERSIONS;) {
        const struct gw_registry_version *versions = NULL;
        gw_arena_clear(&registry->arena);
        GW_TRY(gw_registry_list_versions(registry->handle, model, before, PAGE_VERSIONS, &registry->arena, &versions,
                                         &count, err));
        for (size_t i = 0; i < count; i++) {
            gw_registry_write_version(writer, &versions[i], false);
            add_version(table, &versions[i]);
            before = versions[i].version;
        }
    }
    return GW_OK;
}

gw_status gw_cli_models_list(struct gw_cli *cli, gw_err *err)
{
    static const char *const model_columns[] = {"model", "champion", "latest", "revision", "created", "description"};
    static const char *const version_columns[] = {"version", "state",   "users", "variant",
                                                  "digest",  "created", "by",    "description"};
    struct gw_cli_registry registry = {0};
    struct gw_table table;
    struct gw_buf out = {0};
    struct gw_json_writer writer;
    const char *model = NULL;
    if (cli->argument_count > 0) {
        GW_TRY(gw_cli_take_model(cli, &model, err));
    }
    GW_TRY(gw_cli_registry_open(cli, &registry, err));
    if (model == NULL) {
        gw_table_init(&table, model_columns, GW_COUNT_OF(model_columns));
    } else {
        gw_table_init(&table, version_columns, GW_COUNT_OF(version_columns));
    }
    gw_json_writer_init(&writer, &out);
    gw_json_array_begin(&writer);
    gw_status status = model == NULL ? list_models(cli, &registry, &writer, &table, err)
                                     : list_versions(&registry, model, &writer, &table, err);
    gw_json_array_end(&writer);
    if (status == GW_OK && cli->json) {
        status = gw_cli_print_json(&writer, err);
    } else if (status == GW_OK && gw_table_row_count(&table) > 0) {
        status = gw_table_print(&table, stdout, err);
    }
    gw_buf_deinit(&out);
    gw_table_deinit(&table);
    gw_cli_registry_close(&registry);
    return status;
}

// ---- show a model ---------------------------------------------------------------------------------------------------

static void print_target(const char *role, const struct gw_route_version *target)
{
    char share[GW_CLI_SHARE_BYTES];
    gw_cli_format_share(target->weight, share);
    printf("%-12sversion %d, %s\n", role, target->version, target->weight > 0 ? share : "unseen");
}

static gw_status show_model_text(struct gw_cli_registry *registry, const struct gw_registry_model *model, gw_err *err)
{
    struct gw_route route;
    char created[GW_CLI_TIME_BYTES];
    gw_cli_format_time(model->created_ms, created);
    printf("model       %s\n", model->name);
    if (model->description[0] != '\0') {
        printf("about       %s\n", model->description);
    }
    printf("revision    %lld\ncreated     %s\nlatest      version %d\n", (long long)model->revision, created,
           model->last_version);
    gw_status status = gw_registry_route(registry->handle, model->name, &route, err);
    if (status == GW_E_NOT_FOUND || (status == GW_OK && route.target_count == 0)) {
        printf("serves      nothing; next: 'godwit models %s %s'\n", model->last_version > 0 ? "promote" : "register",
               model->name);
        return GW_OK;
    }
    GW_TRY(status);
    gw_cli_format_time(route.at_ms, created);
    printf("route       %lld, since %s\n", (long long)route.sequence, created);
    for (uint32_t i = 0; i < route.target_count; i++) {
        print_target(route.targets[i].variant, &route.targets[i]);
    }
    for (uint32_t i = 0; i < route.shadow_count; i++) {
        print_target(route.shadows[i].variant, &route.shadows[i]);
    }
    return GW_OK;
}

static gw_status show_model(const struct gw_cli *cli, struct gw_cli_registry *registry, const char *name, gw_err *err)
{
    struct gw_registry_model model;
    GW_TRY(gw_registry_get_model(registry->handle, name, &registry->arena, &model, err));
    if (!cli->json) {
        return show_model_text(registry, &model, err);
    }
    struct gw_buf out = {0};
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, &out);
    gw_registry_write_model(&writer, &model);
    gw_status status = gw_cli_print_json(&writer, err);
    gw_buf_deinit(&out);
    return status;
}

// ---- show a version -------------------------------------------------------------------------------------------------

static gw_status print_fact(void *context, const char *path, const char *value, gw_err *err)
{
    (void)context;
    (void)err;
    printf("  %-30s  %s\n", path, value);
    return GW_OK;
}

// A stored document, leaf by leaf; as it is when it cannot be walked.
static void print_document(const char *title, const char *json)
{
    if (strcmp(json, "{}") == 0) {
        return;
    }
    printf("\n%s:\n", title);
    if (gw_facts_walk(gw_slice_text(json), print_fact, NULL, NULL) != GW_OK) {
        printf("  %s\n", json);
    }
}

static void show_version_text(const struct gw_registry_version *version)
{
    char time[GW_CLI_TIME_BYTES];
    char share[GW_CLI_SHARE_BYTES];
    gw_cli_format_time(version->created_ms, time);
    gw_cli_format_share(version->weight, share);
    printf("model       %s\nversion     %d\nstate       %s%s\n", version->model, version->version,
           gw_rollout_state_name(version->state), version->archived ? ", archived" : "");
    if (version->rejected_because[0] != '\0') {
        printf("because     %s\n", version->rejected_because);
    }
    if (version->variant[0] != '\0') {
        printf("serves      %s of users as '%s'\n", share, version->variant);
    }
    printf("digest      %s\ncreated     %s by %s\n", version->digest, time, version->created_by);
    if (version->parent_version > 0) {
        printf("parent      version %d\n", version->parent_version);
    }
    if (version->champion_since_ms != 0) {
        gw_cli_format_time(version->champion_since_ms, time);
        printf("champion    since %s\n", time);
    }
    if (version->description[0] != '\0') {
        printf("about       %s\n", version->description);
    }
    print_document("tags", version->tags_json);
    print_document("signature", version->signature_json);
    print_document("metrics", version->metrics_json);
    print_document("lineage", version->lineage_json);
}

static gw_status show_version(const struct gw_cli *cli, struct gw_cli_registry *registry, const char *name,
                              int32_t number, gw_err *err)
{
    struct gw_registry_version version;
    GW_TRY(gw_registry_get_version(registry->handle, name, number, &registry->arena, &version, err));
    if (!cli->json) {
        show_version_text(&version);
        return GW_OK;
    }
    struct gw_buf out = {0};
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, &out);
    gw_registry_write_version(&writer, &version, true);
    gw_status status = gw_cli_print_json(&writer, err);
    gw_buf_deinit(&out);
    return status;
}

gw_status gw_cli_models_show(struct gw_cli *cli, gw_err *err)
{
    struct gw_cli_registry registry = {0};
    const char *model = NULL;
    int32_t version = 0;
    GW_TRY(gw_cli_take_model(cli, &model, err));
    if (cli->argument_count > 1) {
        GW_TRY(gw_cli_parse_version(cli->arguments[1], &version, err));
    }
    GW_TRY(gw_cli_registry_open(cli, &registry, err));
    gw_status status = cli->argument_count > 1 ? show_version(cli, &registry, model, version, err)
                                               : show_model(cli, &registry, model, err);
    gw_cli_registry_close(&registry);
    return status;
}
