// SPDX-License-Identifier: MIT
// What the verbs of `models` share: the registry's connection, the words for models and versions, and how a change is
// made, published and told. Only for src/cli/models_*.c.
#pragma once

#include "cli/cli.h"

#include "base/arena.h"
#include "base/rfc3339.h"
#include "registry/registry.h"
#include "registry/views.h"
#include "worker/relay_options.h"

#define GW_CLI_ACTOR_BYTES 129
#define GW_CLI_TIME_BYTES  GW_RFC3339_BYTES
#define GW_CLI_SHARE_BYTES 16

// The registry as configured, and memory for what it tells.
struct gw_cli_registry {
    struct gw_registry_settings settings;
    struct gw_registry *handle;
    struct gw_arena arena;
};

GW_CHECK gw_status gw_cli_registry_open(const struct gw_cli *cli, struct gw_cli_registry *registry, gw_err *err);
void gw_cli_registry_close(struct gw_cli_registry *registry); // zeroed is legal

// ---- words ----------------------------------------------------------------------------------------------------------

// The first argument as a model's name. GW_E_CONFIG; for a path it names 'models inspect'.
GW_CHECK gw_status gw_cli_take_model(const struct gw_cli *cli, const char **ret_model, gw_err *err);

// A version: a number, or "latest" (0). GW_E_CONFIG.
GW_CHECK gw_status gw_cli_parse_version(const char *text, int32_t *ret_version, gw_err *err);

// RFC 3339 in UTC with milliseconds.
void gw_cli_format_time(int64_t time_ms, char ret_text[GW_CLI_TIME_BYTES]);

// Who calls, as user@host.
void gw_cli_default_actor(char ret_actor[GW_CLI_ACTOR_BYTES]);

// A weight of GW_ROUTE_BUCKETS in per cent.
void gw_cli_format_share(uint32_t weight, char ret_text[GW_CLI_SHARE_BYTES]);

// ---- changes --------------------------------------------------------------------------------------------------------

// Rows of an option table, for every verb that changes something.
#define GW_CLI_CHANGE_OPTIONS(reason_is_required)                                                                      \
    {"--reason", "TEXT", "why; it stands in the history", reason_is_required},                                         \
        {"--actor", "NAME", "who; default user@host", false},                                                          \
        {"--if-revision", "N", "only if the model is at this revision, which 'models show' names; else exit 4",        \
         false},                                                                                                       \
        {"--idempotency-key", "KEY", "called again with the same key, nothing more happens", false},                   \
    {                                                                                                                  \
        "--no-publish", NULL, "do not publish: a running bridge does", false                                           \
    }

// One change under way.
struct gw_cli_change {
    struct gw_cli *cli;
    struct gw_cli_registry registry;
    const char *model;
    char actor[GW_CLI_ACTOR_BYTES];
    struct gw_registry_change meta;
    const void *detail; // the verb's own: what it does beside the common words
};

typedef gw_status (*gw_cli_change_verb)(struct gw_cli_change *change, struct gw_registry_outcome *ret_outcome,
                                        gw_err *err);

// Takes the common words, opens the registry, makes the change, publishes it and says so on stdout. A change that is
// recorded but could not be published is a success with a warning.
GW_CHECK gw_status gw_cli_change_run(struct gw_cli *cli, gw_cli_change_verb verb, const void *detail, gw_err *err);

// Publishes the history up to `sequence`, or waits until another relay has. False when it could not, which is said on
// stderr: the change stands in the history, and the next relay publishes it.
bool gw_cli_publish(const struct gw_cli *cli, struct gw_registry *registry, int64_t sequence);
