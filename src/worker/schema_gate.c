// SPDX-License-Identifier: MIT
#include "worker/schema_gate.h"

#include "admin/schemas.h"
#include "admin/topics.h"
#include "avro/framing.h"
#include "avro/resolve.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "records/all.h"

#include <string.h>

enum { TRANSCODED_BYTES_MAX = 8 << 20 };

struct gw_schema_gate {
    struct gw_schema_table *table; // NULL: the topic has no schema
};

struct gw_schema_gates {
    struct gw_schema_gate *gates;
    size_t count;
};

gw_status gw_schema_gate_open(const struct gw_schema_gate *gate, struct gw_slice value, struct gw_buf *scratch,
                              struct gw_arena *arena, struct gw_slice *ret_body, gw_err *err)
{
    uint32_t id = 0;
    struct gw_slice body;
    GW_TRY(gw_avro_unframe(value, &id, &body, err));
    if (GW_LIKELY(id == gate->table->own_id)) {
        *ret_body = body;
        return GW_OK;
    }
    const struct gw_schema_entry *entry = gw_schema_table_find(gate->table, id);
    if (entry == NULL) {
        return gw_fail(err, GW_E_UNKNOWN_SCHEMA, "schema id %u is not registered for this topic", id);
    }
    if (entry->match == GW_SCHEMA_SAME) {
        *ret_body = body;
        return GW_OK;
    }
    if (entry->match == GW_SCHEMA_INCOMPATIBLE) {
        return gw_fail(err, GW_E_UNKNOWN_SCHEMA, "schema id %u cannot be read as ours: %s", id, entry->reason);
    }
    gw_buf_clear(scratch);
    GW_TRY(gw_avro_resolver_transcode(entry->resolver, body, scratch, err));
    if (scratch->size > TRANSCODED_BYTES_MAX) { // defaults multiply with items
        return gw_fail(err, GW_E_TOO_LARGE, "a record of schema id %u takes %zu bytes in ours", id, scratch->size);
    }
    uint8_t *copy = gw_arena_alloc(arena, scratch->size);
    if (copy == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a transcoded record");
    }
    memcpy(copy, scratch->data, scratch->size);
    *ret_body = gw_slice_make(copy, scratch->size);
    return GW_OK;
}

uint32_t gw_schema_gate_id(const struct gw_schema_gate *gate)
{
    return gate->table->own_id;
}

static gw_status match(void *context, struct gw_slice writer_text, struct gw_slice reader_text,
                       enum gw_schema_match *ret_match, void **ret_resolver, gw_err *err)
{
    (void)context;
    if (gw_slice_equal(writer_text, reader_text)) {
        *ret_match = GW_SCHEMA_SAME;
        return GW_OK;
    }
    struct gw_avro_resolver *resolver = NULL;
    GW_TRY(gw_avro_resolver_new((const char *)writer_text.data, writer_text.size, (const char *)reader_text.data,
                                reader_text.size, &resolver, err));
    *ret_match = GW_SCHEMA_RESOLVED;
    *ret_resolver = resolver;
    return GW_OK;
}

static void free_resolver(void *resolver)
{
    gw_avro_resolver_free(resolver);
}

static const char *schema_of(const char *record)
{
    for (size_t i = 0; i < GW_RECORDS_COUNT; i++) {
        if (strcmp(gw_records[i].name, record) == 0) {
            return gw_records[i].schema;
        }
    }
    return NULL;
}

static gw_status resolve_all(struct gw_schema_gates *gates, struct gw_schemas *schemas,
                             const struct gw_topic_def *const *topics, gw_err *err)
{
    const struct gw_schema_ops ops = {.match = match, .resolver_free = free_resolver};
    for (size_t i = 0; i < gates->count; i++) {
        const char *text = topics[i]->schema != NULL ? schema_of(topics[i]->schema) : NULL;
        if (text == NULL) {
            return gw_fail(err, GW_E_CONFIG, "topic '%s': no record '%s' is known", topics[i]->name,
                           topics[i]->schema != NULL ? topics[i]->schema : "");
        }
        GW_TRY(gw_schemas_resolve(schemas, topics[i]->full_name, gw_slice_text(text), &ops, &gates->gates[i].table,
                                  err));
        if (gates->gates[i].table->from_cache && i == 0) {
            gw_log_warn("schemas.from_cache", "reason='the registry did not answer: newer schema ids are not known'");
        }
    }
    return GW_OK;
}

gw_status gw_schema_gates_new(const struct gw_config *config, const struct gw_topic_def *const *topics, size_t count,
                              struct gw_schema_gates **ret_gates, gw_err *err)
{
    char *password = NULL;
    struct gw_schemas *schemas = NULL;
    struct gw_schema_gates *gates = gw_mem_calloc(1, sizeof *gates);
    if (gates != NULL) {
        gates->gates = gw_mem_calloc(count, sizeof *gates->gates);
        gates->count = count;
    }
    if (gates == NULL || gates->gates == NULL) {
        gw_schema_gates_free(gates);
        return gw_fail(err, GW_E_MEMORY, "no memory for schemas");
    }
    gw_status status = gw_config_secret(config, GW_OPT_SCHEMA_PASSWORD_FILE, &password, err);
    if (status == GW_OK) {
        const struct gw_schemas_options options = {
            .urls = gw_config_text(config, GW_OPT_SCHEMA_REGISTRY_URLS),
            .user = gw_config_text(config, GW_OPT_SCHEMA_USER),
            .password = password,
            .ca_file = gw_config_text(config, GW_OPT_SCHEMA_CA_FILE),
            .cache_directory = gw_config_text(config, GW_OPT_SCHEMA_CACHE_DIRECTORY),
        };
        status = gw_schemas_new(&options, &schemas, err);
    }
    if (status == GW_OK) {
        status = resolve_all(gates, schemas, topics, err);
    }
    gw_schemas_free(schemas);
    gw_mem_free(password);
    if (status != GW_OK) {
        gw_schema_gates_free(gates);
        return status;
    }
    *ret_gates = gates;
    return GW_OK;
}

void gw_schema_gates_free(struct gw_schema_gates *gates)
{
    if (gates == NULL) {
        return;
    }
    for (size_t i = 0; gates->gates != NULL && i < gates->count; i++) {
        if (gates->gates[i].table != NULL) {
            gw_schema_table_free(gates->gates[i].table);
        }
    }
    gw_mem_free(gates->gates);
    gw_mem_free(gates);
}

const struct gw_schema_gate *gw_schema_gates_at(const struct gw_schema_gates *gates, size_t index)
{
    GW_ASSERT(index < gates->count);
    return &gates->gates[index];
}
