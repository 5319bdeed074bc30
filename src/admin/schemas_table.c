// SPDX-License-Identifier: MIT
// The immutable table from schema id to what a worker does with it.
#include "admin/schemas.h"

#include "admin/schemas_internal.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gw_schema_table_free(struct gw_schema_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->count; i++) {
        if (table->entries[i].resolver != NULL) {
            table->resolver_free(table->entries[i].resolver);
        }
        gw_mem_free((void *)(uintptr_t)table->entries[i].reason);
    }
    gw_mem_free(table->entries);
    gw_mem_free(table);
}

const struct gw_schema_entry *gw_schema_table_find(const struct gw_schema_table *table, uint32_t id)
{
    size_t low = 0;
    size_t high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->entries[middle].id == id) {
            return &table->entries[middle];
        }
        if (table->entries[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    const uint32_t *left = a;
    const uint32_t *right = b;
    return (*left > *right) - (*left < *right);
}

// What is known of a subject: from the registry, or from the disk.
struct subject {
    uint32_t own_id;
    uint32_t ids[GW_SCHEMAS_VERSIONS_MAX + 1];
    size_t count;
    bool from_cache;
};

static gw_status ask(struct gw_schemas *schemas, const char *name, struct gw_slice own_text, struct subject *subject,
                     gw_err *err)
{
    GW_TRY(gw_schemas_register(schemas, name, own_text, &subject->own_id, err));
    GW_TRY(gw_schemas_versions(schemas, name, subject->ids, GW_SCHEMAS_VERSIONS_MAX, &subject->count, err));
    return GW_OK;
}

static gw_status learn(struct gw_schemas *schemas, const char *name, struct gw_slice own_text, struct subject *subject,
                       gw_err *err)
{
    const struct gw_schemas_cache *cache = gw_schemas_cache_of(schemas);
    uint64_t hash = gw_hash_fnv1a(GW_HASH_FNV_START, own_text.data, own_text.size);
    gw_status status = ask(schemas, name, own_text, subject, err);
    if (status == GW_OK) {
        gw_schemas_cache_put_subject(cache, name, hash, subject->own_id, subject->ids, subject->count);
    } else if (gw_status_class(status) == GW_CLASS_RETRY &&
               gw_schemas_cache_subject(cache, name, hash, &subject->own_id, subject->ids, GW_SCHEMAS_VERSIONS_MAX,
                                        &subject->count)) {
        subject->from_cache = true;
        gw_log_warn("schemas.from_cache", "subject=%s reason='%s' skipped='ids registered since'", name,
                    err != NULL ? err->message : "");
        status = GW_OK;
    }
    GW_TRY(status);
    // The own id is among the versions, unless the registry gives one text two ids; sorted, and each once.
    subject->ids[subject->count++] = subject->own_id;
    qsort(subject->ids, subject->count, sizeof subject->ids[0], by_id);
    size_t kept = 1;
    for (size_t i = 1; i < subject->count; i++) {
        if (subject->ids[i] != subject->ids[kept - 1]) {
            subject->ids[kept++] = subject->ids[i];
        }
    }
    subject->count = kept;
    return GW_OK;
}

// Fills an entry for a foreign id.
static gw_status match_one(struct gw_schemas *schemas, struct gw_slice own_text, const struct gw_schema_ops *ops,
                           struct gw_schema_entry *entry, struct gw_buf *text, gw_err *err)
{
    gw_err reason = {0};
    gw_status status = gw_schemas_text(schemas, entry->id, text, &reason);
    if (status != GW_OK && status != GW_E_UNKNOWN_SCHEMA) {
        return gw_fail(err, status, "%s", reason.message);
    }
    if (status == GW_OK && gw_slice_equal(gw_buf_slice(text), own_text)) {
        entry->match = GW_SCHEMA_SAME;
        return GW_OK;
    }
    if (status == GW_OK) {
        status = ops->match(ops->context, gw_buf_slice(text), own_text, &entry->match, &entry->resolver, &reason);
    }
    if (status == GW_E_MEMORY) {
        return gw_fail(err, status, "schema %u: out of memory", entry->id);
    }
    if (status != GW_OK || entry->match == GW_SCHEMA_INCOMPATIBLE) {
        entry->match = GW_SCHEMA_INCOMPATIBLE;
        entry->reason = gw_mem_strdup(reason.message);
        if (entry->reason == NULL) {
            return gw_fail(err, GW_E_MEMORY, "schema %u: out of memory", entry->id);
        }
        gw_log_warn("schemas.incompatible", "id=%u reason='%s' skipped='its records, as dead letters'", entry->id,
                    reason.message);
    }
    return GW_OK;
}

static gw_status fill(struct gw_schemas *schemas, struct gw_slice own_text, const struct gw_schema_ops *ops,
                      const struct subject *subject, struct gw_schema_table *table, gw_err *err)
{
    table->own_id = subject->own_id;
    table->from_cache = subject->from_cache;
    table->resolver_free = ops->resolver_free;
    table->entries = gw_mem_calloc(subject->count, sizeof *table->entries);
    if (table->entries == NULL) {
        return gw_fail(err, GW_E_MEMORY, "schemas: out of memory");
    }
    struct gw_buf text = {0};
    gw_status status = GW_OK;
    for (size_t i = 0; status == GW_OK && i < subject->count; i++) {
        struct gw_schema_entry *entry = &table->entries[table->count++];
        *entry = (struct gw_schema_entry){.id = subject->ids[i], .match = GW_SCHEMA_SAME};
        if (entry->id != subject->own_id) {
            status = match_one(schemas, own_text, ops, entry, &text, err);
        }
    }
    gw_buf_deinit(&text);
    return status;
}

gw_status gw_schemas_resolve(struct gw_schemas *schemas, const char *full_topic, struct gw_slice own_text,
                             const struct gw_schema_ops *ops, struct gw_schema_table **ret_table, gw_err *err)
{
    char name[300];
    snprintf(name, sizeof name, "%s-value", full_topic);
    struct gw_schema_table *table = gw_mem_calloc(1, sizeof *table);
    struct subject *subject = gw_mem_calloc(1, sizeof *subject);
    gw_status status = table != NULL && subject != NULL ? GW_OK : gw_fail(err, GW_E_MEMORY, "schemas: out of memory");
    gw_err reason = {0};
    if (status == GW_OK) {
        status = learn(schemas, name, own_text, subject, &reason);
        if (status != GW_OK) {
            gw_fail(err, status, "%s", reason.message);
        }
    }
    if (status == GW_OK) {
        status = fill(schemas, own_text, ops, subject, table, err);
    }
    gw_mem_free(subject);
    if (status != GW_OK) {
        gw_schema_table_free(table);
        return status;
    }
    *ret_table = table;
    return GW_OK;
}
