// SPDX-License-Identifier: MIT
// Universal Binary JSON (draft 12), as XGBoost writes it, to JSON text: the same document, so that one importer reads
// both and both give the same forest.
//
// Taken: objects, plain arrays, counted arrays (`[#` count, no closing bracket), typed arrays (`[$` type `#` count) of
// numbers, integers of 8 to 64 bits, float32, float64, strings, true, false, null. Refused: no-ops, characters, high-
// precision numbers, counted objects: XGBoost writes none of them. A float32 is written with digits that read back as
// the same bits, NaN and infinities as NaN, Infinity, -Infinity; a float64 is rounded to float32 first, as XGBoost
// does.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define GW_UBJSON_DEPTH_MAX 32

struct gw_ubjson_options {
    const char *const *skipped; // members of these names, at any depth, are checked but not written
    size_t skipped_count;
    size_t limit_bytes; // of the JSON text
};

// Appends the text of `bytes`, one value, to `out`. Counts and lengths are compared with the bytes that are there
// before anything is done with them. GW_E_MALFORMED with the byte's offset; GW_E_TOO_LARGE: deeper than
// GW_UBJSON_DEPTH_MAX, or over the limit; GW_E_MEMORY. `out` holds a part of the text after a failure.
GW_CHECK gw_status gw_ubjson_to_json(struct gw_slice bytes, const struct gw_ubjson_options *options, struct gw_buf *out,
                                     gw_err *err);
