// SPDX-License-Identifier: MIT
// `config show` and `config check`.
#include "cli/commands.h"

#include "base/mem.h"
#include "cli/table.h"
#include "worker/runtime.h"

#include <string.h>

static gw_status show_json(const struct gw_cli *cli, gw_err *err)
{
    static const char *const columns[] = {"name", "value", "default", "origin", "masked",
                                          "type", "min",   "max",     "unit",   "help"};
    struct gw_table table;
    struct gw_config_entry entry;
    gw_table_init(&table, columns, GW_COUNT_OF(columns));
    for (size_t cursor = 0; gw_config_next(cli->config, &cursor, &entry);) {
        gw_table_text(&table, entry.name);
        gw_table_text(&table, entry.value);
        gw_table_text(&table, entry.preset);
        gw_table_text(&table, entry.origin);
        gw_table_bool(&table, entry.masked);
        gw_table_text(&table, entry.type);
        gw_table_text(&table, entry.min);
        gw_table_text(&table, entry.max);
        gw_table_text(&table, entry.unit);
        gw_table_text(&table, entry.help);
    }
    gw_status status = gw_table_show(&table, true, err);
    gw_table_deinit(&table);
    return status;
}

static gw_status show_origins(const struct gw_cli *cli, gw_err *err)
{
    static const char *const columns[] = {"name", "origin", "value"};
    struct gw_table table;
    struct gw_config_entry entry;
    gw_table_init(&table, columns, GW_COUNT_OF(columns));
    for (size_t cursor = 0; gw_config_next(cli->config, &cursor, &entry);) {
        gw_table_text(&table, entry.name);
        gw_table_text(&table, entry.origin);
        gw_table_text(&table, entry.value);
    }
    gw_status status = gw_table_show(&table, false, err);
    gw_table_deinit(&table);
    return status;
}

// A text that loads again and gives the same options, but for what is masked.
static void show_file(const struct gw_cli *cli)
{
    char section[64] = "";
    struct gw_config_entry entry;
    for (size_t cursor = 0; gw_config_next(cli->config, &cursor, &entry);) {
        size_t length = strcspn(entry.name, ".");
        if (strlen(section) != length || strncmp(section, entry.name, length) != 0) {
            printf("%s[%.*s]\n", section[0] != '\0' ? "\n" : "", (int)length, entry.name);
            snprintf(section, sizeof section, "%.*s", (int)length, entry.name);
        }
        const char *key = entry.name + length + 1;
        if (entry.masked) {
            printf("# %s = %s (holds a secret that is not shown)\n", key, entry.value);
        } else {
            printf("%s = %s\n", key, entry.value);
        }
    }
}

gw_status gw_cli_config_show(struct gw_cli *cli, gw_err *err)
{
    if (cli->json) {
        return show_json(cli, err);
    }
    if (gw_cli_value(cli, "--origin") != NULL) {
        return show_origins(cli, err);
    }
    show_file(cli);
    return GW_OK;
}

static gw_status check_secrets(const struct gw_cli *cli, gw_err *err)
{
    static const enum gw_config_option options[] = {GW_OPT_SCHEMA_PASSWORD_FILE, GW_OPT_REDIS_PASSWORD_FILE,
                                                    GW_OPT_POSTGRES_PASSWORD_FILE, GW_OPT_BRIDGE_TOKEN_FILE};
    for (size_t i = 0; i < GW_COUNT_OF(options); i++) {
        char *secret = NULL;
        GW_TRY(gw_config_secret(cli->config, options[i], &secret, err));
        gw_mem_free(secret);
    }
    return GW_OK;
}

gw_status gw_cli_config_check(struct gw_cli *cli, gw_err *err)
{
    struct gw_runtime runtime = {0};
    atomic_bool stop = false;
    GW_TRY(check_secrets(cli, err));
    gw_status status = gw_runtime_init(&runtime, cli->config, GW_RUNTIME_NAMES | GW_RUNTIME_FEATURES, &stop, err);
    if (status == GW_OK) {
        size_t set_count = 0;
        struct gw_config_entry entry;
        for (size_t cursor = 0; gw_config_next(cli->config, &cursor, &entry);) {
            set_count += strcmp(entry.origin, "default") != 0;
        }
        size_t topic_count = gw_topics_count(runtime.topics);
        size_t feature_count = gw_feature_set_count(runtime.features);
        printf(cli->json ? "{\"options_set\":%zu,\"topics\":%zu,\"features\":%zu}\n"
                         : "ok: %zu options set, %zu topics, %zu features\n",
               set_count, topic_count, feature_count);
    }
    gw_runtime_deinit(&runtime);
    return status;
}
