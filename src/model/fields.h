// SPDX-License-Identifier: MIT
// Walks the fields of a JSON object against a list of known keys: unknown ones are skipped (files may grow), a known
// key that occurs twice is GW_E_MALFORMED.
#pragma once

#include "base/err.h"
#include "base/json.h"

struct gw_fields {
    const char *const *keys; // at most 32
    size_t key_count;
    uint32_t seen; // bit i: keys[i] has occurred
};

// Enters the object that comes next.
GW_CHECK gw_status gw_fields_enter(struct gw_fields *fields, struct gw_json *json, gw_err *err);

// Goes to the next known key and gives its index; the caller then reads exactly one value. *ret_more false: object
// left.
GW_CHECK gw_status gw_fields_next(struct gw_fields *fields, struct gw_json *json, size_t *ret_index, bool *ret_more,
                                  gw_err *err);

// GW_E_INVALID naming the first key of `required` (bits) that did not occur.
GW_CHECK gw_status gw_fields_require(const struct gw_fields *fields, uint32_t required, gw_err *err);
