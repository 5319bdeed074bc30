// SPDX-License-Identifier: MIT
// Which schema ids a topic's records may carry, settled at start: our own, and older or newer ones that resolve to it.
// Opening a value is one compare in the usual case and a transcoding in the other; the registry is never asked.
#pragma once

#include "base/arena.h"
#include "base/bytes.h"

#include <stdint.h>

struct gw_schema_gate;

// Removes the framing. *ret_body points into `value`, or into `arena` when the record was written under another schema
// (`scratch` is used on the way). GW_E_UNKNOWN_SCHEMA: no framing, or an id that was not registered at start.
GW_CHECK gw_status gw_schema_gate_open(const struct gw_schema_gate *gate, struct gw_slice value, struct gw_buf *scratch,
                                       struct gw_arena *arena, struct gw_slice *ret_body, gw_err *err);

// The id under which we write this topic's records.
uint32_t gw_schema_gate_id(const struct gw_schema_gate *gate);

// Gates of several topics, asked from the registry at start (or from its cached copy on disk when it is away).
struct gw_config;
struct gw_topic_def;
struct gw_schema_gates;
GW_CHECK gw_status gw_schema_gates_new(const struct gw_config *config, const struct gw_topic_def *const *topics,
                                       size_t count, struct gw_schema_gates **ret_gates, gw_err *err);
void gw_schema_gates_free(struct gw_schema_gates *gates); // NULL is legal
const struct gw_schema_gate *gw_schema_gates_at(const struct gw_schema_gates *gates, size_t index);
