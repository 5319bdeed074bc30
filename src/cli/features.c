// SPDX-License-Identifier: MIT
// `features list`, `features show`, `features clear`.
#include "cli/commands.h"

#include "base/clock.h"
#include "base/ini.h"
#include "base/mem.h"
#include "base/suggest.h"
#include "cli/table.h"
#include "feature/plan.h"
#include "worker/runtime.h"

#include <math.h>
#include <string.h>

enum { VALUES_MAX = 512 };

// Calls `act` between init and deinit of what all verbs need.
static gw_status with_runtime(struct gw_cli *cli,
                              gw_status (*act)(struct gw_cli *, const struct gw_runtime *, gw_err *), gw_err *err)
{
    struct gw_runtime runtime;
    atomic_bool stop = false;
    GW_TRY(gw_runtime_init(&runtime, cli->config, GW_RUNTIME_FEATURES, &stop, err));
    gw_status status = act(cli, &runtime, err);
    gw_runtime_deinit(&runtime);
    return status;
}

// ---- list -----------------------------------------------------------------------------------------------------------

static gw_status list(struct gw_cli *cli, const struct gw_runtime *runtime, gw_err *err)
{
    static const char *const columns[] = {"name", "visible", "definition"};
    const struct gw_feature_set *set = runtime->features;
    struct gw_table table;
    gw_table_init(&table, columns, GW_COUNT_OF(columns));
    for (size_t i = 0; i < gw_feature_set_count(set); i++) {
        gw_table_text(&table, gw_feature_set_name(set, i));
        gw_table_bool(&table, !gw_feature_set_is_hidden(set, i));
        gw_table_text(&table, gw_feature_set_help(set, i));
    }
    gw_status status = gw_table_show(&table, cli->json, err);
    gw_table_deinit(&table);
    return status;
}

gw_status gw_cli_features_list(struct gw_cli *cli, gw_err *err)
{
    return with_runtime(cli, list, err);
}

// ---- show -----------------------------------------------------------------------------------------------------------

static gw_status find_view(const struct gw_feature_set *set, const char *name, int *ret_index, gw_err *err)
{
    int index = gw_feature_set_find_view(set, name);
    if (index >= 0) {
        *ret_index = index;
        return GW_OK;
    }
    struct gw_suggestion suggestion;
    char known[160] = "";
    size_t used = 0;
    gw_suggestion_start(&suggestion, name, strlen(name));
    for (size_t i = 0; i < gw_feature_set_view_count(set) && used < sizeof known; i++) {
        const char *view = gw_feature_set_view(set, i)->name;
        int length = snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", view);
        used += length > 0 ? (size_t)length : 0;
        gw_suggestion_offer(&suggestion, view);
    }
    return gw_fail(err, GW_E_CONFIG, "unknown view '%.60s', there are: %s%s", name, known,
                   gw_suggestion_text(&suggestion));
}

static gw_status parse_key(const struct gw_cli *cli, const struct gw_feature_view *view, struct gw_row_key *ret_key,
                           gw_err *err)
{
    struct gw_row_key key = {.view = view->code, .id_count = view->key_count};
    if (cli->argument_count - 1 != view->key_count) {
        return gw_fail(err, GW_E_CONFIG, "view '%s' has %u ids in its key, %zu are given", view->name, view->key_count,
                       cli->argument_count - 1);
    }
    for (size_t i = 0; i < view->key_count; i++) {
        if (gw_parse_i64(cli->arguments[1 + i], &key.id[i], NULL) != GW_OK) {
            return gw_fail(err, GW_E_CONFIG, "'%.40s' is no id: expected a whole number of 64 bits",
                           cli->arguments[1 + i]);
        }
    }
    *ret_key = key;
    return GW_OK;
}

static gw_status show_row(const struct gw_cli *cli, const struct gw_feature_set *set, int view_index,
                          struct gw_slice row, gw_err *err)
{
    static const char *const columns[] = {"name", "value", "age_s", "source"};
    const struct gw_feature_view *view = gw_feature_set_view(set, (size_t)view_index);
    struct gw_feature_value *values = gw_mem_calloc(VALUES_MAX, sizeof *values);
    if (values == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the values of a row");
    }
    size_t count = gw_feature_explain(set, (size_t)view_index, row.data, gw_clock_wall_us(), values, VALUES_MAX);
    struct gw_table table;
    gw_table_init(&table, columns, GW_COUNT_OF(columns));
    for (size_t i = 0; i < GW_MIN(count, (size_t)VALUES_MAX); i++) {
        gw_table_text(&table, values[i].name);
        gw_table_double(&table, values[i].value);
        gw_table_double(&table, values[i].age_us >= 0 ? (double)values[i].age_us / 1e6 : (double)NAN);
        gw_table_text(&table, values[i].source);
    }
    gw_status status = gw_table_show(&table, cli->json, err);
    if (status == GW_OK && !cli->json) {
        printf("\nrow of view '%s', layout %016llx, from entity event %lld of partition %u\n", view->name,
               (unsigned long long)view->fingerprint, (long long)gw_row_source_offset(row.data),
               gw_row_source_partition(row.data));
    }
    gw_table_deinit(&table);
    gw_mem_free(values);
    return status;
}

static gw_status read_and_show(const struct gw_cli *cli, const struct gw_runtime *runtime, struct gw_store *store,
                               gw_err *err)
{
    int index = -1;
    struct gw_row_key key = {0};
    struct gw_slice row = {0};
    GW_TRY(find_view(runtime->features, cli->arguments[0], &index, err));
    const struct gw_feature_view *view = gw_feature_set_view(runtime->features, (size_t)index);
    GW_TRY(parse_key(cli, view, &key, err));
    uint64_t timeout_us = (uint64_t)gw_config_duration_us(cli->config, GW_OPT_REDIS_TIMEOUT);
    GW_TRY(gw_store_read(store, &key, 1, gw_clock_mono_us() + timeout_us, &row, err));
    if (row.data == NULL) {
        return gw_fail(err, GW_E_NOT_FOUND, "view '%s' has no row of this id", view->name);
    }
    GW_TRY(gw_row_check(view, row, err));
    if (gw_row_is_deleted(row.data)) {
        return gw_fail(err, GW_E_NOT_FOUND, "the row was deleted");
    }
    return show_row(cli, runtime->features, index, row, err);
}

static gw_status show(struct gw_cli *cli, const struct gw_runtime *runtime, gw_err *err)
{
    struct gw_store *store = NULL;
    GW_TRY(gw_runtime_store(runtime, &store, err));
    gw_status status = read_and_show(cli, runtime, store, err);
    gw_store_free(store);
    return status;
}

gw_status gw_cli_features_show(struct gw_cli *cli, gw_err *err)
{
    return with_runtime(cli, show, err);
}

// ---- clear ----------------------------------------------------------------------------------------------------------

static gw_status clear(struct gw_cli *cli, const struct gw_runtime *runtime, gw_err *err)
{
    struct gw_store *store = NULL;
    uint64_t removed = 0;
    GW_TRY(gw_runtime_store(runtime, &store, err));
    gw_status status = gw_store_clear(store, &removed, err);
    if (status == GW_OK) {
        printf(cli->json ? "{\"removed_keys\":%llu}\n" : "%llu keys removed\n", (unsigned long long)removed);
    }
    gw_store_free(store);
    return status;
}

gw_status gw_cli_features_clear(struct gw_cli *cli, gw_err *err)
{
    return with_runtime(cli, clear, err);
}
