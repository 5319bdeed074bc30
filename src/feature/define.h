// SPDX-License-Identifier: MIT
// The sections of a definitions file as text, with lines for messages: step one of compilation.
#pragma once

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

// X(CODE, text, section kind): the keys of the language.
#define GW_DEFINITION_KEYS(X)                                                                                          \
    X(CODE, "code", VIEW)                                                                                              \
    X(KEYS, "keys", VIEW)                                                                                              \
    X(SIDES, "sides", VIEW)                                                                                            \
    X(VIEW, "view", FEATURE)                                                                                           \
    X(AGGREGATE, "aggregate", FEATURE)                                                                                 \
    X(HALF_LIFE, "half_life", FEATURE)                                                                                 \
    X(WHERE, "where", FEATURE)                                                                                         \
    X(VALUE, "value", FEATURE)                                                                                         \
    X(TYPE, "type", FEATURE)                                                                                           \
    X(DERIVE, "derive", FEATURE)                                                                                       \
    X(SOURCE, "source", FEATURE)                                                                                       \
    X(MISSING, "missing", FEATURE)                                                                                     \
    X(HIDDEN, "hidden", FEATURE)                                                                                       \
    X(HELP, "help", FEATURE)

enum gw_definition_key {
#define X(code, text, kind) GW_KEY_##code,
    GW_DEFINITION_KEYS(X)
#undef X
        GW_KEY_COUNT
};

enum gw_definition_kind { GW_DEFINITION_VIEW, GW_DEFINITION_FEATURE };

struct gw_definition_value {
    const char *text; // NULL: not given
    int line;
};

struct gw_definition {
    enum gw_definition_kind kind;
    const char *name;
    int line;
    struct gw_definition_value values[GW_KEY_COUNT];
};

// Zero-initialised is empty and valid. Texts live in the arena given to gw_definitions_read.
struct gw_definitions {
    struct gw_definition *items;
    size_t count;
    size_t capacity;
};

// Reads the sections in file order. GW_E_CONFIG, with "name:line" in front, for syntax, unknown and doubled keys and
// sections, bad names and too many of them.
GW_CHECK gw_status gw_definitions_read(const char *name, const char *text, size_t size, struct gw_arena *arena,
                                       struct gw_definitions *definitions, gw_err *err);
void gw_definitions_deinit(struct gw_definitions *definitions);

const char *gw_definition_key_text(enum gw_definition_key key);
