// SPDX-License-Identifier: MIT
// Schema resolution: rewrites a record encoded by its writer's schema into the encoding of the reader's schema, so that
// a generated decoder can read it (Apache Avro 1.11 specification, "Schema Resolution").
//
// Fields match by name, or by the reader's field aliases. A field that only the reader knows takes its default, one
// that only the writer knows is passed over. int becomes long, float or double; long becomes float or double; float
// becomes double; string and bytes become each other; T becomes ["null", T] and back, where null is refused on the way
// back. Enums match by symbol; an unknown symbol becomes the reader's default, without one it is refused. Named types
// must have the same name without namespace, or the reader's type an alias of the writer's.
//
// All that can be decided by the schemas alone is decided once, in _new; the plan is then immutable.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stddef.h>

struct gw_avro_resolver;

// Gives a resolver in *ret_resolver, freed by gw_avro_resolver_free; the texts are borrowed for the call. Statuses:
// GW_E_MISMATCH names the field that cannot be resolved; GW_E_INVALID for a bad default, and the statuses of
// gw_avro_schema_parse, with "writer" or "reader" in front.
GW_CHECK gw_status gw_avro_resolver_new(const char *writer_json, size_t writer_size, const char *reader_json,
                                        size_t reader_size, struct gw_avro_resolver **ret_resolver, gw_err *err);
void gw_avro_resolver_free(struct gw_avro_resolver *resolver);

// Appends `in`, encoded by the writer's schema, to *out, encoded by the reader's. Any number of threads at once.
// GW_E_MALFORMED when `in` is not of the writer's schema, GW_E_INVALID when a value has no counterpart (null, or an
// enum symbol without default), both naming the field; GW_E_MEMORY. A failure leaves *out as it was.
GW_CHECK gw_status gw_avro_resolver_transcode(const struct gw_avro_resolver *resolver, struct gw_slice in,
                                              struct gw_buf *out, gw_err *err);
