// SPDX-License-Identifier: MIT
// A record of model_routes as a route.
#pragma once

#include "base/arena.h"
#include "rollout/route.h"

// Decodes the Avro body and checks it. GW_E_MALFORMED: no ModelRoute; GW_E_INVALID: it breaks a rule of gw_route_check, or
// a text or list is longer than a route has room for. The arena is only used on the way.
GW_CHECK gw_status gw_score_route_read(struct gw_slice body, struct gw_arena *arena, struct gw_route *ret_route,
                                       gw_err *err);
