// SPDX-License-Identifier: MIT
// The schema registry (Confluent's API) and what a worker needs of it: its own schema's id, and for each other id of
// the topic what to do with records written under it.
//
// Everything learned is kept on disk, so that workers start while the registry is away. Blocking; start-up, operator
// verbs and a side thread only. One owning thread; the tables that gw_schemas_resolve gives are immutable and may be
// read by any thread.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_schemas;

// Borrowed by _new.
struct gw_schemas_options {
    const char *urls;            // of equal registries, separated by commas
    const char *user;            // NULL or "": no authentication
    const char *password;        // may be NULL
    const char *ca_file;         // NULL or "": the system's
    const char *cache_directory; // made when it does not exist; NULL or "": no cache
    uint32_t timeout_ms;         // of one request; 0 = 10,000
};

GW_CHECK gw_status gw_schemas_new(const struct gw_schemas_options *options, struct gw_schemas **ret_schemas,
                                  gw_err *err);
void gw_schemas_free(struct gw_schemas *schemas);

// Registers the text (a whole .avsc, unchanged) and gives its id; the same text again gives the same id. GW_E_CONFIG
// when the registry refuses it: the message carries its reason, such as an incompatible change.
GW_CHECK gw_status gw_schemas_register(struct gw_schemas *schemas, const char *subject, struct gw_slice text,
                                       uint32_t *ret_id, gw_err *err);

// Whether the registry would take the text as the subject's next version, by the rule set there. A subject that does
// not exist takes anything.
GW_CHECK gw_status gw_schemas_compatible(struct gw_schemas *schemas, const char *subject, struct gw_slice text,
                                         bool *ret_compatible, gw_err *err);

// Replaces *out by the text of a schema; from the disk when it is there. GW_E_UNKNOWN_SCHEMA when nobody registered it.
GW_CHECK gw_status gw_schemas_text(struct gw_schemas *schemas, uint32_t id, struct gw_buf *out, gw_err *err);

#define GW_SCHEMAS_VERSIONS_MAX 1000

// Fills ids with those of all versions of a subject, oldest first. GW_E_NOT_FOUND: no such subject; GW_E_TOO_LARGE:
// more than `capacity`.
GW_CHECK gw_status gw_schemas_versions(struct gw_schemas *schemas, const char *subject, uint32_t *ids, size_t capacity,
                                       size_t *ret_count, gw_err *err);

// ---- what a worker starts with
// -------------------------------------------------------------------------------------------

enum gw_schema_match {
    GW_SCHEMA_SAME,         // our own layout: decode as it is
    GW_SCHEMA_RESOLVED,     // through the resolver
    GW_SCHEMA_INCOMPATIBLE, // cannot be read as ours: dead letter
};

struct gw_schema_entry {
    uint32_t id;
    enum gw_schema_match match;
    void *resolver;     // RESOLVED: made by the ops; owned by the table
    const char *reason; // INCOMPATIBLE: why; owned by the table
};

// Ids of one topic, sorted. Give back with gw_schema_table_free.
struct gw_schema_table {
    uint32_t own_id;
    bool from_cache; // the registry did not answer: newer ids may exist
    struct gw_schema_entry *entries;
    size_t count;
    void (*resolver_free)(void *resolver);
};
void gw_schema_table_free(struct gw_schema_table *table);

// NULL: an id that the table does not know. Binary search, no lock.
const struct gw_schema_entry *gw_schema_table_find(const struct gw_schema_table *table, uint32_t id);

// How two schemas are matched (avro/resolve.h is the one implementation; passed in, so that this folder's tests need no
// Avro). Fills *ret_match, and *ret_resolver for RESOLVED. A failure means INCOMPATIBLE, with err's message as reason.
struct gw_schema_ops {
    gw_status (*match)(void *context, struct gw_slice writer_text, struct gw_slice reader_text,
                       enum gw_schema_match *ret_match, void **ret_resolver, gw_err *err);
    void (*resolver_free)(void *resolver);
    void *context;
};

// Registers our own schema under `<full_topic>-value`, asks for all versions, and matches each against it. When the
// registry is away, answers from the disk. GW_E_UNAVAILABLE: neither. GW_E_CONFIG: refused.
GW_CHECK gw_status gw_schemas_resolve(struct gw_schemas *schemas, const char *full_topic, struct gw_slice own_text,
                                      const struct gw_schema_ops *ops, struct gw_schema_table **ret_table, gw_err *err);
