// SPDX-License-Identifier: MIT
#include "registry/registry.h"

#include "base/mem.h"
#include "registry/registry_internal.h"

gw_status gw_registry_new(const struct gw_registry_options *options, struct gw_registry **ret_registry, gw_err *err)
{
    struct gw_registry *registry = gw_mem_calloc(1, sizeof *registry);
    if (registry == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a registry");
    }
    const struct gw_postgres_options postgres = {
        .uri = options->uri, .application = options->application, .timeout_ms = options->timeout_ms};
    gw_status status = gw_postgres_new(&postgres, &registry->postgres, err);
    if (status != GW_OK) {
        gw_mem_free(registry);
        return status;
    }
    *ret_registry = registry;
    return GW_OK;
}

void gw_registry_free(struct gw_registry *registry)
{
    if (registry != NULL) {
        gw_postgres_free(registry->postgres);
        gw_mem_free(registry);
    }
}

struct gw_postgres *gw_registry_postgres(struct gw_registry *registry)
{
    return registry->postgres;
}

gw_status gw_registry_exec(struct gw_registry *registry, const char *sql, const char *const *parameters, size_t count,
                           struct gw_postgres_rows **ret_rows, gw_err *err)
{
    gw_status status = gw_postgres_exec(registry->postgres, sql, parameters, count, ret_rows, err);
    if (status == GW_E_MISMATCH) {
        return gw_fail_context(err, status, "the database's schema is not this build's (run `godwit db migrate`)");
    }
    return status;
}

void gw_registry_rows_cleanup(struct gw_postgres_rows **rows)
{
    gw_postgres_rows_free(*rows);
}
