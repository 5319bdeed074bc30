// SPDX-License-Identifier: MIT
// `db migrate`.
#include "cli/commands.h"

#include "base/mem.h"
#include "cli/table.h"
#include "registry/migrate.h"
#include "worker/database.h"

static void add_row(void *context, const struct gw_migration_note *note)
{
    struct gw_table *table = context;
    gw_table_i64(table, note->number);
    gw_table_text(table, note->name);
    gw_table_text(table, note->applied_now ? "applied" : "was there");
}

static gw_status open_postgres(const struct gw_cli *cli, struct gw_postgres **ret_postgres, gw_err *err)
{
    char *uri = NULL;
    GW_TRY(gw_database_uri(cli->config, &uri, err));
    const struct gw_postgres_options options = {
        .uri = uri,
        .application = "godwit db",
        .timeout_ms = (uint32_t)(gw_config_duration_us(cli->config, GW_OPT_POSTGRES_TIMEOUT) / 1000),
    };
    gw_status status = gw_postgres_new(&options, ret_postgres, err);
    gw_mem_free(uri);
    return status;
}

gw_status gw_cli_db_migrate(struct gw_cli *cli, gw_err *err)
{
    static const char *const columns[] = {"number", "name", "result"};
    struct gw_postgres *postgres = NULL;
    struct gw_table table;
    GW_TRY(open_postgres(cli, &postgres, err));
    gw_table_init(&table, columns, GW_COUNT_OF(columns));
    gw_status status =
        gw_registry_migrate(postgres, gw_config_text(cli->config, GW_OPT_POSTGRES_MIGRATIONS), add_row, &table, err);
    // After a failure too: what stands in the table has been done.
    if (status == GW_OK || gw_table_row_count(&table) > 0) {
        gw_status shown = gw_table_show(&table, cli->json, status == GW_OK ? err : NULL);
        status = status == GW_OK ? shown : status;
    }
    gw_table_deinit(&table);
    gw_postgres_free(postgres);
    return status;
}
