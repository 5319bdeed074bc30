// SPDX-License-Identifier: MIT
// Decodes the input as a record, which the first byte chooses. What is accepted must come back the same once encoded.
#include "base/arena.h"
#include "base/check.h"
#include "records/all.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const struct gw_record *record = &gw_records[data[0] % GW_RECORDS_COUNT];
    struct gw_buf first = {0};
    struct gw_buf second = {0};
    struct gw_arena arena;
    gw_err err = {0};
    gw_arena_init(&arena, 4096, 1 << 20);

    gw_status status = record->transcode(gw_slice_make(data + 1, size - 1), &arena, &first, &err);
    GW_ASSERT(status == GW_OK || status == GW_E_MALFORMED || status == GW_E_TOO_LARGE);
    GW_ASSERT(status == GW_OK || (first.size == 0 && err.message[0] != '\0'));
    if (status == GW_OK) {
        gw_arena_clear(&arena);
        GW_ASSERT(first.size <= 2 * size + 64); // a split array is written in one block, a long varint short
        GW_ASSERT(record->transcode(gw_buf_slice(&first), &arena, &second, NULL) == GW_OK);
        GW_ASSERT(gw_slice_equal(gw_buf_slice(&first), gw_buf_slice(&second)));
    }
    gw_buf_deinit(&first);
    gw_buf_deinit(&second);
    gw_arena_deinit(&arena);
    return 0;
}
