// SPDX-License-Identifier: MIT
// The feature definitions of schemas/features.ini, compiled: views (one packed row per entity) and named features.
//
// This folder does not know the domain. Whoever binds it to records describes the events as a vocabulary: named numeric
// attributes, some of them with named symbols, and sides. A set is immutable after compilation and shared freely.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_FEATURE_VIEWS_MAX    16
#define GW_FEATURE_ROW_BYTES_MAX 4096

// A symbol of an attribute whose values are codes, such as an action type.
struct gw_feature_symbol {
    const char *name;
    double value;
};

struct gw_feature_attribute {
    const char *name;
    const struct gw_feature_symbol *symbols; // NULL: a plain number
    size_t symbol_count;
};

// Borrowed for the compilation only. The index of an attribute is its index in gw_feature_event.attributes, the index of
// a side is gw_feature_event.side.
struct gw_feature_vocabulary {
    const struct gw_feature_attribute *attributes;
    size_t attribute_count;
    const char *const *sides;
    size_t side_count; // at most 32
};

// One event as the aggregates see it.
struct gw_feature_event {
    int64_t time_us;          // event time, Unix epoch
    uint32_t side;            // index into the vocabulary's sides
    const double *attributes; // one per attribute of the vocabulary; NaN = absent
    uint32_t source_partition; // position of the event, written into the row header
    int64_t source_offset;
};

// A view: the row of one kind of entity. Strings live as long as the set.
struct gw_feature_view {
    const char *name;
    uint8_t code;         // first byte of a row's key, unique
    uint8_t key_count;    // ids in the key: 1 or 2
    uint32_t side_mask;   // bit i: events of side i update the view
    uint32_t row_bytes;   // fixed size of a row, header included, a multiple of 8
    uint64_t fingerprint; // of the row layout; changes with any change of a column
    bool never_expires;   // has totals or static attributes
    const char *layout_json; // the layout itself, for feature_layouts
};

struct gw_feature_set;

// Compiles definitions. `name` is used in messages. GW_E_CONFIG names the line and the culprit: unknown key, attribute,
// symbol, view or feature, cycles, duplicate names, rows too wide.
GW_CHECK gw_status gw_feature_set_compile(const char *name, const char *text, size_t size,
                                          const struct gw_feature_vocabulary *vocabulary,
                                          struct gw_feature_set **ret_set, gw_err *err);
void gw_feature_set_free(struct gw_feature_set *set);

size_t gw_feature_set_view_count(const struct gw_feature_set *set);
const struct gw_feature_view *gw_feature_set_view(const struct gw_feature_set *set, size_t index);
int gw_feature_set_find_view(const struct gw_feature_set *set, const char *name); // -1: none

size_t gw_feature_set_count(const struct gw_feature_set *set); // features, in file order
const char *gw_feature_set_name(const struct gw_feature_set *set, size_t index);
const char *gw_feature_set_help(const struct gw_feature_set *set, size_t index); // definition in words
bool gw_feature_set_is_hidden(const struct gw_feature_set *set, size_t index);        // only serves other features

// Index of a feature, hidden ones too, for gw_row_number; -1: none.
int gw_feature_set_find(const struct gw_feature_set *set, const char *name);
