// SPDX-License-Identifier: MIT
// `models inspect`: a bundle or model file on disk; the registry is not asked.
#include "cli/commands.h"

#include "cli/table.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

gw_status gw_cli_load_model(const char *path, const char *const *names, size_t name_count,
                            struct gw_bundle **ret_bundle, gw_err *err)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        return gw_fail(err, GW_E_NOT_FOUND, "model '%s': %s", path, strerror(errno));
    }
    return S_ISDIR(info.st_mode) ? gw_bundle_load(path, ret_bundle, err)
                                 : gw_bundle_load_file(path, names, name_count, ret_bundle, err);
}

static void fill_heads(const struct gw_bundle_info *info, struct gw_table *table)
{
    for (size_t h = 0; h < info->head_count; h++) {
        const struct gw_bundle_head *head = &info->heads[h];
        gw_table_text(table, head->name);
        gw_table_bool(table, h == info->primary_head);
        gw_table_double(table, head->weight);
        gw_table_i64(table, head->tree_count);
        gw_table_i64(table, head->depth_max);
        gw_table_text(table, head->objective);
    }
}

static gw_status show_text(const struct gw_bundle_info *info, const struct gw_table *heads, gw_err *err)
{
    printf("model     %s\nversion   %d\ndigest    %s\n", info->model_name, info->version,
           info->digest[0] != '\0' ? info->digest : "-");
    printf("golden    %zu rows%s\n\n", info->golden_row_count,
           info->golden_row_count > 0 ? ", margins equal bit by bit" : ": margins are not verified");
    GW_TRY(gw_table_print(heads, stdout, err));
    printf("\n%zu features:\n", info->feature_count);
    for (size_t f = 0; f < info->feature_count; f++) {
        printf("  %s\n", info->feature_names[f]);
    }
    printf("\nmetadata: %s\n", info->metadata_json);
    return GW_OK;
}

static gw_status show_json(const struct gw_bundle_info *info, const struct gw_table *heads, struct gw_buf *out,
                           gw_err *err)
{
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, out);
    gw_json_object_begin(&writer);
    gw_json_write_key(&writer, "model");
    gw_json_write_text(&writer, info->model_name);
    gw_json_write_key(&writer, "version");
    gw_json_write_i64(&writer, info->version);
    gw_json_write_key(&writer, "digest");
    gw_json_write_text(&writer, info->digest);
    gw_json_write_key(&writer, "golden_rows");
    gw_json_write_u64(&writer, info->golden_row_count);
    gw_json_write_key(&writer, "heads");
    GW_TRY(gw_table_write_json(heads, &writer, err));
    gw_json_write_key(&writer, "features");
    gw_json_array_begin(&writer);
    for (size_t f = 0; f < info->feature_count; f++) {
        gw_json_write_text(&writer, info->feature_names[f]);
    }
    gw_json_array_end(&writer);
    gw_json_write_key(&writer, "metadata");
    gw_json_write_raw(&writer, gw_slice_text(info->metadata_json));
    gw_json_object_end(&writer);
    return gw_cli_print_json(&writer, err);
}

gw_status gw_cli_models_inspect(struct gw_cli *cli, gw_err *err)
{
    static const char *const columns[] = {"head", "primary", "weight", "trees", "depth", "objective"};
    struct gw_bundle *bundle = NULL;
    struct gw_table heads;
    struct gw_buf out = {0};
    GW_TRY(gw_cli_load_model(cli->arguments[0], NULL, 0, &bundle, err));
    const struct gw_bundle_info *info = gw_bundle_info(bundle);
    gw_table_init(&heads, columns, GW_COUNT_OF(columns));
    fill_heads(info, &heads);
    gw_status status = cli->json ? show_json(info, &heads, &out, err) : show_text(info, &heads, err);
    gw_buf_deinit(&out);
    gw_table_deinit(&heads);
    gw_bundle_unref(bundle);
    return status;
}
