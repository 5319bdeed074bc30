// SPDX-License-Identifier: MIT
// The registry's connection, and words for models, versions, times and shares.
#include "cli/models.h"

#include "api/change.h"

#include <string.h>

enum { ARENA_BLOCK_BYTES = 64 * 1024, ARENA_LIMIT_BYTES = 256 * 1024 * 1024 };

gw_status gw_cli_registry_open(const struct gw_cli *cli, struct gw_cli_registry *registry, gw_err *err)
{
    *registry = (struct gw_cli_registry){0};
    GW_TRY(gw_registry_settings_init(&registry->settings, cli->config, "godwit models", err));
    gw_status status = gw_registry_new(&registry->settings.options, &registry->handle, err);
    if (status != GW_OK) {
        gw_registry_settings_deinit(&registry->settings);
        return status;
    }
    gw_arena_init(&registry->arena, ARENA_BLOCK_BYTES, ARENA_LIMIT_BYTES);
    return GW_OK;
}

void gw_cli_registry_close(struct gw_cli_registry *registry)
{
    if (registry->handle != NULL) {
        gw_arena_deinit(&registry->arena);
        gw_registry_free(registry->handle);
        gw_registry_settings_deinit(&registry->settings);
    }
    *registry = (struct gw_cli_registry){0};
}

gw_status gw_cli_take_model(const struct gw_cli *cli, const char **ret_model, gw_err *err)
{
    const char *name = cli->arguments[0];
    if (strchr(name, '/') != NULL) {
        return gw_fail(err, GW_E_CONFIG,
                       "'%.80s' is a path, no model's name; what is in a file says 'godwit models inspect FILE|DIR'",
                       name);
    }
    if (!gw_route_name_is_valid(name, GW_ROUTE_NAME_BYTES)) {
        return gw_fail(err, GW_E_CONFIG, "'%.80s' is no model's name: 1 to %d of A-Z a-z 0-9 . _ -", name,
                       GW_ROUTE_NAME_BYTES - 1);
    }
    *ret_model = name;
    return GW_OK;
}

gw_status gw_cli_parse_version(const char *text, int32_t *ret_version, gw_err *err)
{
    if (!gw_api_parse_version(gw_slice_text(text), ret_version)) {
        return gw_fail(err, GW_E_CONFIG, "'%.40s' is no version: expected a number from 1, or 'latest'", text);
    }
    return GW_OK;
}

void gw_cli_format_time(int64_t time_ms, char ret_text[GW_CLI_TIME_BYTES])
{
    if (!gw_rfc3339_format(time_ms, ret_text)) {
        snprintf(ret_text, GW_CLI_TIME_BYTES, "-");
    }
}

void gw_cli_format_share(uint32_t weight, char ret_text[GW_CLI_SHARE_BYTES])
{
    snprintf(ret_text, GW_CLI_SHARE_BYTES, "%.4g%%", weight * 100.0 / GW_ROUTE_BUCKETS);
}
