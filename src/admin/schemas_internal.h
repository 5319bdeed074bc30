// SPDX-License-Identifier: MIT
// What the table needs of the registry's client. Private to this folder.
#pragma once

#include "admin/schemas.h"
#include "admin/schemas_cache.h"

const struct gw_schemas_cache *gw_schemas_cache_of(const struct gw_schemas *schemas);
