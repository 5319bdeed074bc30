// SPDX-License-Identifier: MIT
// The input as UBJSON, with and without skipped members: what is accepted is one whole JSON value within the limit.
#include "base/check.h"
#include "base/json.h"
#include "model/ubjson.h"

#define LIMIT_BYTES 4096

static void convert(struct gw_slice bytes, size_t skipped_count)
{
    static const char *const skipped[] = {"a", "parents"};
    const struct gw_ubjson_options options = {
        .skipped = skipped, .skipped_count = skipped_count, .limit_bytes = LIMIT_BYTES};
    GW_CLEANUP(gw_buf_deinit) struct gw_buf text = {0};
    gw_err err = {0};
    if (gw_ubjson_to_json(bytes, &options, &text, &err) != GW_OK) {
        return;
    }
    struct gw_json json;
    gw_json_init(&json, gw_buf_slice(&text));
    json.lenient_numbers = true;
    gw_status status = gw_json_skip(&json, &err);
    GW_ASSERT(status == GW_OK);
    status = gw_json_end(&json, &err);
    GW_ASSERT(status == GW_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    convert(gw_slice_make(data, size), 0);
    convert(gw_slice_make(data, size), 2);
    return 0;
}
