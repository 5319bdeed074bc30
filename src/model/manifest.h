// SPDX-License-Identifier: MIT
// bundle.json: what a bundle consists of. README.md shows one.
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "model/bundle.h"
#include "model/calibration.h"

#define GW_MANIFEST_FILE           "bundle.json"
#define GW_MANIFEST_BYTES_MAX      ((size_t)4 << 20)
#define GW_MANIFEST_METADATA_BYTES ((size_t)1 << 20)
#define GW_MANIFEST_FILES_MAX      (GW_BUNDLE_HEADS_MAX + 2) // model files, golden rows, the drift reference
#define GW_MANIFEST_NAME_BYTES     256                       // any name in it, with its NUL

struct gw_manifest_head {
    const char *name;
    const char *file;
    const char *objective; // NULL when not said
    double weight;
    struct gw_calibration calibration;
};

struct gw_manifest_file {
    const char *name;   // a plain file name of the bundle's directory
    const char *sha256; // lower-case hex
};

// Strings are the arena's after a parse, the caller's before a write.
struct gw_manifest {
    const char *model_name;
    int32_t version;
    size_t feature_count;
    const char *const *feature_names;
    size_t head_count;
    struct gw_manifest_head heads[GW_BUNDLE_HEADS_MAX];
    size_t primary_head;
    const char *golden_file;
    const char *profile_file; // NULL when there is no drift reference
    size_t file_count;
    struct gw_manifest_file files[GW_MANIFEST_FILES_MAX];
    const char *metadata_json; // one JSON value
};

// Whether the text may name a model or a head: 1 to GW_MANIFEST_NAME_BYTES - 1 letters, digits, '_', '-', '.', ':'.
bool gw_manifest_is_identifier(const char *text);

// Parses and checks what can be checked without the files. GW_E_MALFORMED, GW_E_INVALID (a rule, naming the culprit),
// GW_E_TOO_LARGE, GW_E_MEMORY. The manifest points into `arena`.
GW_CHECK gw_status gw_manifest_parse(struct gw_slice text, struct gw_arena *arena, struct gw_manifest *ret_manifest,
                                     gw_err *err);

// Appends the text of a manifest; the same manifest gives the same bytes.
GW_CHECK gw_status gw_manifest_write(const struct gw_manifest *manifest, struct gw_buf *out, gw_err *err);
