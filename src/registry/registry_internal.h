// SPDX-License-Identifier: MIT
// The inside of the registry, for this folder only.
#pragma once

#include "registry/registry.h"

struct gw_registry {
    struct gw_postgres *postgres;
};

// gw_postgres_exec on the registry's connection. What fails because the tables are not those of this build
// (GW_E_MISMATCH) says how to bring them up to date.
GW_CHECK gw_status gw_registry_exec(struct gw_registry *registry, const char *sql, const char *const *parameters,
                                    size_t count, struct gw_postgres_rows **ret_rows, gw_err *err);

// For GW_CLEANUP on a `struct gw_postgres_rows *`.
void gw_registry_rows_cleanup(struct gw_postgres_rows **rows);
