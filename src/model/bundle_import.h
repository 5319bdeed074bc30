// SPDX-License-Identifier: MIT
// Makes a bundle of a bare model file: XGBoost's JSON or UBJSON, or LightGBM's text. The file is kept byte by byte as
// the head's file; golden rows are golden_own.h's. The bundle's metadata says "golden": "own" and the file's format.
#pragma once

#include "model/bundle.h"

// Borrowed for the call.
struct gw_bundle_import {
    const char *file;                 // path of the model file; NULL: it is `content`
    struct gw_slice content;          // when `file` is NULL
    const char *model_name;           // letters, digits, '_', '-', '.', ':'
    const char *head_name;            // likewise, without ':'
    double weight;                    // of the head in the combined score, finite
    const char *const *feature_names; // NULL: the file has them
    size_t feature_count;             // of feature_names
    const char *metadata_json;        // an object without the keys "golden" and "format"; NULL: none
};

// `directory` must not exist (or be empty), its parent must; after a failure it is as it was. The same import gives the
// same bytes. ret_digest may be NULL.
// GW_E_MALFORMED: not a model file. GW_E_INVALID: a model that is not supported, an illegal name, no feature names.
// GW_E_MISMATCH: given names differ from the file's; the first that does is named. GW_E_TOO_LARGE: over
// GW_MODEL_FILE_BYTES_MAX, found before reading. GW_E_NOT_FOUND, GW_E_CONFLICT, GW_E_IO, GW_E_MEMORY.
GW_CHECK gw_status gw_bundle_from_file(const struct gw_bundle_import *import, const char *directory,
                                       char ret_digest[GW_BUNDLE_DIGEST_BYTES], gw_err *err);
