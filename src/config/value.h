// SPDX-License-Identifier: MIT
// One option's text to its value, checked against type and range. Only for src/config.
#pragma once

#include "config/config.h"

// Row of the table in options.h.
struct gw_config_spec {
    const char *name; // section.key
    const char *section;
    const char *key;
    enum gw_config_type type;
    const char *preset;
    const char *min;
    const char *max;
    const char *unit;
    const char *help;
};

extern const struct gw_config_spec gw_config_specs[GW_OPT_COUNT];

union gw_config_value {
    uint64_t u64; // U64, BYTES, BOOL as 0 and 1, CHOICE as the word's index
    int64_t i64;  // I64, DURATION in microseconds
    double real;
};

const char *gw_config_type_name(enum gw_config_type type);

// GW_E_CONFIG with a message that begins with the option's name.
GW_CHECK gw_status gw_config_parse(const struct gw_config_spec *spec, const char *text,
                                   union gw_config_value *ret_value, gw_err *err);

// Gives a copy of `text` without the secrets that the name or the form of the text betray, or NULL when memory is
// short. *ret_masked: something was taken out.
GW_CHECK char *gw_config_mask(const char *name, const char *text, bool *ret_masked);
