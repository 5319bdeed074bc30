// SPDX-License-Identifier: MIT
// The configuration as options of the registry and of its relay, for the bridge, the scorers and the command line alike.
#pragma once

#include "config/config.h"
#include "registry/relay.h"
#include "worker/runtime.h"

struct gw_registry_settings {
    char *uri; // with the password of postgres.password_file
    struct gw_registry_options options;
};

// `application` is borrowed. GW_E_CONFIG (the password file), GW_E_MEMORY. Give back by deinit.
GW_CHECK gw_status gw_registry_settings_init(struct gw_registry_settings *settings, const struct gw_config *config,
                                             const char *application, gw_err *err);
void gw_registry_settings_deinit(struct gw_registry_settings *settings); // zeroed is legal

struct gw_relay_settings {
    struct gw_registry_settings registry;
    char *transactional_id; // the same for every relay of an installation: that is what fences
    struct gw_relay_options options;
};

// `runtime` has GW_RUNTIME_SCHEMAS and outlives the settings; `application` is borrowed. The settings stay where they are
// (options point into them) and outlive the relay. GW_E_CONFIG, GW_E_MEMORY.
GW_CHECK gw_status gw_relay_settings_init(struct gw_relay_settings *settings, const struct gw_runtime *runtime,
                                          const char *application, gw_err *err);
void gw_relay_settings_deinit(struct gw_relay_settings *settings); // zeroed is legal
