// SPDX-License-Identifier: MIT
// A model's file, whoever wrote it: the format is found by content, never by name, and every format becomes a forest.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "model/forest.h"

// Of a file. Whoever reads one checks its size before reading.
#define GW_MODEL_FILE_BYTES_MAX ((size_t)512 << 20)

// X(suffix, name, extension)
#define GW_MODEL_FORMAT_MAP(X)                                                                                         \
    X(XGBOOST_JSON, "xgboost-json", "json")                                                                            \
    X(XGBOOST_UBJSON, "xgboost-ubjson", "ubj") /* what XGBoost saves by default since 2.1 */                           \
    X(LIGHTGBM_TEXT, "lightgbm-text", "txt")                                                                           \
    X(BUNDLE_MANIFEST, "bundle", "json") /* bundle.json: not a model by itself */

enum gw_model_format {
#define X(suffix, name, extension) GW_MODEL_FORMAT_##suffix,
    GW_MODEL_FORMAT_MAP(X)
#undef X
        GW_MODEL_FORMAT_COUNT
};

const char *gw_model_format_name(enum gw_model_format format);
const char *gw_model_format_extension(enum gw_model_format format); // without the dot

// Looks at the beginning, in JSON at the keys of the top object. GW_E_MALFORMED "is not a model file: ..." says what
// was found instead; GW_E_INVALID for JSON keys with escapes.
GW_CHECK gw_status gw_model_sniff(struct gw_slice content, enum gw_model_format *ret_format, gw_err *err);

// Gives the forest of a model file, to be freed with gw_forest_free. `content` is borrowed. Memory is bounded by a
// small multiple of its size and by the bounds of forest.h; text that a UBJSON file becomes on the way is bounded by
// GW_MODEL_FILE_BYTES_MAX. Besides what the importers refuse: GW_E_INVALID for a bundle.json, and for leaves whose sum
// can leave the range of float32, so that no margin of an accepted model is NaN or infinite.
GW_CHECK gw_status gw_model_parse(struct gw_slice content, struct gw_forest **ret_forest, gw_err *err);
