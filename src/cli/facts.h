// SPDX-License-Identifier: MIT
// JSON documents for people: every leaf with the path that leads to it, such as "heads.0.weight".
#pragma once

#include "base/bytes.h"
#include "base/err.h"

// Both texts are valid during the call.
typedef gw_status (*gw_facts_visit)(void *context, const char *path, const char *value, gw_err *err);

// Visits the leaves of one JSON value in their order; null is "-", an empty object or array has none. GW_E_MALFORMED,
// GW_E_INVALID, GW_E_TOO_LARGE (a path or string of more than 1,000 bytes), GW_E_MEMORY, and what `visit` returns.
GW_CHECK gw_status gw_facts_walk(struct gw_slice text, gw_facts_visit visit, void *context, gw_err *err);
