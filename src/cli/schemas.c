// SPDX-License-Identifier: MIT
// `schemas register` and `schemas list`: one subject `<topic>-value` for each topic that has a schema.
#include "cli/commands.h"

#include "admin/schemas.h"
#include "admin/topics.h"
#include "base/mem.h"
#include "cli/table.h"
#include "records/all.h"

#include <string.h>

enum { SUBJECT_BYTES = 300 };

static gw_status open_registry(const struct gw_cli *cli, struct gw_schemas **ret_schemas, gw_err *err)
{
    char *password = NULL;
    GW_TRY(gw_config_secret(cli->config, GW_OPT_SCHEMA_PASSWORD_FILE, &password, err));
    // No cache: these verbs are about what the registry itself says.
    const struct gw_schemas_options options = {
        .urls = gw_config_text(cli->config, GW_OPT_SCHEMA_REGISTRY_URLS),
        .user = gw_config_text(cli->config, GW_OPT_SCHEMA_USER),
        .password = password,
        .ca_file = gw_config_text(cli->config, GW_OPT_SCHEMA_CA_FILE),
    };
    gw_status status = gw_schemas_new(&options, ret_schemas, err);
    gw_mem_free(password);
    return status;
}

static const struct gw_record *find_record(const char *name)
{
    for (size_t i = 0; i < GW_RECORDS_COUNT; i++) {
        if (strcmp(gw_records[i].name, name) == 0) {
            return &gw_records[i];
        }
    }
    return NULL;
}

// A row of the table for one topic.
typedef gw_status (*add_row)(struct gw_schemas *schemas, const struct gw_topic_def *topic, const char *subject,
                             struct gw_table *table, gw_err *err);

static gw_status register_one(struct gw_schemas *schemas, const struct gw_topic_def *topic, const char *subject,
                              struct gw_table *table, gw_err *err)
{
    const struct gw_record *record = find_record(topic->schema);
    uint32_t id = 0;
    if (record == NULL) {
        return gw_fail(err, GW_E_CONFIG, "topic '%s': schema '%s' is not one of this program's", topic->name,
                       topic->schema);
    }
    GW_TRY(gw_schemas_register(schemas, subject, gw_slice_text(record->schema), &id, err));
    gw_table_text(table, subject);
    gw_table_text(table, record->name);
    gw_table_i64(table, id);
    return GW_OK;
}

static gw_status list_one(struct gw_schemas *schemas, const struct gw_topic_def *topic, const char *subject,
                          struct gw_table *table, gw_err *err)
{
    uint32_t ids[GW_SCHEMAS_VERSIONS_MAX];
    size_t count = 0;
    gw_status status = gw_schemas_versions(schemas, subject, ids, GW_COUNT_OF(ids), &count, err);
    if (status != GW_OK && status != GW_E_NOT_FOUND) {
        return status;
    }
    gw_table_text(table, subject);
    gw_table_text(table, topic->schema);
    gw_table_i64(table, (int64_t)count);
    if (count > 0) {
        gw_table_i64(table, ids[count - 1]);
    } else {
        gw_table_text(table, NULL);
    }
    return GW_OK;
}

static gw_status each_topic(const struct gw_topics *topics, struct gw_schemas *schemas, add_row add,
                            struct gw_table *table, gw_err *err)
{
    for (size_t i = 0; i < gw_topics_count(topics); i++) {
        const struct gw_topic_def *topic = gw_topics_at(topics, i);
        char subject[SUBJECT_BYTES];
        if (topic->schema != NULL) {
            snprintf(subject, sizeof subject, "%s-value", topic->full_name);
            GW_TRY(add(schemas, topic, subject, table, err));
        }
    }
    return GW_OK;
}

static gw_status show_topics(const struct gw_cli *cli, add_row add, struct gw_table *table, gw_err *err)
{
    struct gw_topics *topics = NULL;
    struct gw_schemas *schemas = NULL;
    const struct gw_topics_options options = {.prefix = gw_config_text(cli->config, GW_OPT_TOPICS_PREFIX)};
    GW_TRY(gw_topics_load(gw_config_text(cli->config, GW_OPT_TOPICS_FILE), &options, &topics, err));
    gw_status status = open_registry(cli, &schemas, err);
    if (status == GW_OK) {
        status = each_topic(topics, schemas, add, table, err);
    }
    // After a failure too: what stands in the table has been done.
    if (status == GW_OK || gw_table_row_count(table) > 0) {
        gw_status shown = gw_table_show(table, cli->json, status == GW_OK ? err : NULL);
        status = status == GW_OK ? shown : status;
    }
    gw_schemas_free(schemas);
    gw_topics_free(topics);
    return status;
}

gw_status gw_cli_schemas_register(struct gw_cli *cli, gw_err *err)
{
    static const char *const columns[] = {"subject", "schema", "id"};
    struct gw_table table;
    gw_table_init(&table, columns, GW_COUNT_OF(columns));
    gw_status status = show_topics(cli, register_one, &table, err);
    gw_table_deinit(&table);
    return status;
}

gw_status gw_cli_schemas_list(struct gw_cli *cli, gw_err *err)
{
    static const char *const columns[] = {"subject", "schema", "versions", "latest_id"};
    struct gw_table table;
    gw_table_init(&table, columns, GW_COUNT_OF(columns));
    gw_status status = show_topics(cli, list_one, &table, err);
    gw_table_deinit(&table);
    return status;
}
