// SPDX-License-Identifier: MIT
// The registry's views as JSON: the same text from `godwit models ... --json` and from REST. Keys are camelCase, times
// RFC 3339 in UTC, versions numbers, weights shares of 1.
#pragma once

#include "base/json.h"
#include "registry/views.h"

// One object each.
void gw_registry_write_model(struct gw_json_writer *writer, const struct gw_registry_model *model);
void gw_registry_write_version(struct gw_json_writer *writer, const struct gw_registry_version *version, bool whole);
void gw_registry_write_event(struct gw_json_writer *writer, const struct gw_registry_event *event);
void gw_registry_write_outcome(struct gw_json_writer *writer, const char *model,
                               const struct gw_registry_outcome *outcome);

// What differs between two versions: state, digest, features added and removed, heads, metrics side by side, lineage.
// GW_E_MEMORY, GW_E_MALFORMED (a stored document does not parse).
GW_CHECK gw_status gw_registry_write_comparison(struct gw_json_writer *writer, const struct gw_registry_version *left,
                                                const struct gw_registry_version *right, gw_err *err);

// A route as it is stored in registry_events.route, and back. GW_E_MALFORMED, GW_E_INVALID.
void gw_registry_write_route(struct gw_json_writer *writer, const struct gw_route *route);
GW_CHECK gw_status gw_registry_parse_route(struct gw_slice text, struct gw_route *ret_route, gw_err *err);
