// SPDX-License-Identifier: MIT
// What the files of src/config share.
#pragma once

#include "config/config.h"
#include "config/value.h"

#define GW_CONFIG_KAFKA_PREFIX   "kafka."
#define GW_CONFIG_PROPERTIES_MAX 128

// A later layer wins over an earlier one.
enum gw_config_layer {
    GW_CONFIG_LAYER_DEFAULT,
    GW_CONFIG_LAYER_FILE,
    GW_CONFIG_LAYER_ENVIRONMENT,
    GW_CONFIG_LAYER_SET,
};

// Where a value comes from; borrowed.
struct gw_config_origin {
    enum gw_config_layer layer;
    const char *text; // as in gw_config_entry
};

struct gw_config_setting {
    char *text;  // as written; NULL: not set
    char *shown; // text without secrets
    bool masked; // shown differs from text
    char *origin;
    enum gw_config_layer layer;
    union gw_config_value value;
};

struct gw_config_property {
    char *name; // with "kafka." in front
    struct gw_config_setting setting;
};

struct gw_config {
    struct gw_config_setting settings[GW_OPT_COUNT];
    struct gw_config_property properties[GW_CONFIG_PROPERTIES_MAX];
    size_t property_count;
};

// Checks `text` and puts it in force unless a later layer has spoken. `option` is an index of gw_config_specs.
GW_CHECK gw_status gw_config_assign(struct gw_config *config, size_t option, const char *text,
                                    const struct gw_config_origin *origin, gw_err *err);

// The same for a property of librdkafka; `name` has "kafka." in front.
GW_CHECK gw_status gw_config_assign_property(struct gw_config *config, const char *name, const char *text,
                                             const struct gw_config_origin *origin, gw_err *err);
