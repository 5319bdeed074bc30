// SPDX-License-Identifier: MIT
#include "model/fields.h"

#include "base/check.h"

gw_status gw_fields_enter(struct gw_fields *fields, struct gw_json *json, gw_err *err)
{
    GW_ASSERT(fields->key_count <= 32);
    fields->seen = 0;
    return gw_json_enter(json, GW_JSON_OBJECT, err);
}

gw_status gw_fields_next(struct gw_fields *fields, struct gw_json *json, size_t *ret_index, bool *ret_more, gw_err *err)
{
    for (;;) {
        bool more = false;
        GW_TRY(gw_json_next(json, &more, err));
        if (!more) {
            *ret_more = false;
            return GW_OK;
        }
        struct gw_slice key = {0};
        GW_TRY(gw_json_key(json, &key, err));
        for (size_t i = 0; i < fields->key_count; i++) {
            if (!gw_slice_is(key, fields->keys[i])) {
                continue;
            }
            if ((fields->seen >> i & 1) != 0) {
                return gw_fail(err, GW_E_MALFORMED, "key '%s' twice", fields->keys[i]);
            }
            fields->seen |= 1u << i;
            *ret_index = i;
            *ret_more = true;
            return GW_OK;
        }
        GW_TRY(gw_json_skip(json, err));
    }
}

gw_status gw_fields_require(const struct gw_fields *fields, uint32_t required, gw_err *err)
{
    for (size_t i = 0; i < fields->key_count; i++) {
        if ((required >> i & 1) != 0 && (fields->seen >> i & 1) == 0) {
            return gw_fail(err, GW_E_INVALID, "key '%s' is missing", fields->keys[i]);
        }
    }
    return GW_OK;
}
