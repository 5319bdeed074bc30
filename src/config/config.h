// SPDX-License-Identifier: MIT
// The options of one process: defaults, then an INI file, then GODWIT_SECTION_KEY variables, then --set
// section.key=value.
//
// A later layer wins whatever the order of the calls. Every value is checked when it comes in, and every message names
// where it came from. Life cycle: _new, load and apply from the main thread, then only getters, from any thread.
// All texts that getters give are borrowed and live as long as the configuration.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "config/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gw_config_option {
#define X(id, section, key, type, preset, min, max, unit, help) GW_OPT_##id,
    GW_CONFIG_OPTIONS(X)
#undef X
        GW_OPT_COUNT
};

// X(type, name)
#define GW_CONFIG_TYPES(X)                                                                                             \
    X(TEXT, "text")                                                                                                    \
    X(PATH, "path")  /* relative to the working directory */                                                           \
    X(LIST, "list")  /* items separated by commas */                                                                   \
    X(U64, "number") /* 0 or more */                                                                                   \
    X(I64, "integer")                                                                                                  \
    X(DOUBLE, "real")                                                                                                  \
    X(BOOL, "bool")         /* true, yes, on or false, no, off */                                                      \
    X(DURATION, "duration") /* 250ms, 30s, 15m, 2h, 50d */                                                             \
    X(BYTES, "size")        /* 64k, 16MiB, 1GB */                                                                      \
    X(CHOICE, "choice")     /* one of the words in the option's unit */

enum gw_config_type {
#define X(type, name) GW_CONFIG_##type,
    GW_CONFIG_TYPES(X)
#undef X
        GW_CONFIG_TYPE_COUNT
};

struct gw_config;

// Gives a configuration of defaults. GW_E_MEMORY.
GW_CHECK gw_status gw_config_new(struct gw_config **ret_config, gw_err *err);
void gw_config_free(struct gw_config *config);

// The layers. GW_E_CONFIG: an unknown name (with the nearest one), a value of the wrong form or out of range, an option
// twice in one file; also whatever gw_file_read and gw_ini_parse return.
GW_CHECK gw_status gw_config_load_file(struct gw_config *config, const char *path, gw_err *err);
GW_CHECK gw_status gw_config_load_text(struct gw_config *config, const char *name, const char *text, size_t size,
                                       gw_err *err);

// `variables` is like environ. Variables that begin with GODWIT_ and name no option are refused, except GODWIT_CONFIG,
// GODWIT_FAULTS, GODWIT_BINARY_DIR and GODWIT_TEST_*, which are not options.
GW_CHECK gw_status gw_config_apply_environment(struct gw_config *config, char *const *variables, gw_err *err);

// `assignment` is "section.key=value"; of several to the same option the last one wins.
GW_CHECK gw_status gw_config_apply_set(struct gw_config *config, const char *assignment, gw_err *err);

// Getters assert that the option is of their type.
const char *gw_config_text(const struct gw_config *config, enum gw_config_option option); // of any type, as written
uint64_t gw_config_u64(const struct gw_config *config, enum gw_config_option option);     // U64 and BYTES
int64_t gw_config_i64(const struct gw_config *config, enum gw_config_option option);
double gw_config_double(const struct gw_config *config, enum gw_config_option option);
bool gw_config_bool(const struct gw_config *config, enum gw_config_option option);
int64_t gw_config_duration_us(const struct gw_config *config, enum gw_config_option option);
uint32_t gw_config_choice(const struct gw_config *config,
                          enum gw_config_option option); // index of the word in its unit

// Gives the items of a list without white space around them, empty ones skipped: start with *cursor = text of the list;
// false at the end.
bool gw_config_list_next(const char **cursor, struct gw_slice *ret_item);

// Reads the secret in the file that a PATH option names: its first line. Gives NULL when the option is empty, else a
// text to be freed with gw_mem_free. GW_E_CONFIG: no such file, unreadable, empty or over 4 KiB.
GW_CHECK gw_status gw_config_secret(const struct gw_config *config, enum gw_config_option option, char **ret_secret,
                                    gw_err *err);

// librdkafka properties given as kafka.<property>: start with *cursor = 0; false at the end.
bool gw_config_kafka_next(const struct gw_config *config, size_t *cursor, const char **ret_name,
                          const char **ret_value);

// One line of `config show`.
struct gw_config_entry {
    const char *name;   // section.key
    const char *value;  // secrets masked
    const char *preset; // the default; "" for a passed-through property
    const char *origin; // "default", "godwit.ini:12", "GODWIT_LOG_LEVEL", "--set"
    const char *type;
    const char *min; // "" for none
    const char *max;
    const char *unit;
    const char *help;
    bool masked; // value is not what is in force, because that is secret
};

// All options in table order, then passed-through properties: start with *cursor = 0; false at the end.
bool gw_config_next(const struct gw_config *config, size_t *cursor, struct gw_config_entry *ret_entry);
